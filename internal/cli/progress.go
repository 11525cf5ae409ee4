package cli

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
)

// progress shows how far a command has come: as a bar on a screen, elsewhere as a
// line every ten seconds.
type progress struct {
	bar   *progressbar.ProgressBar
	err   io.Writer
	bars  bool
	shown time.Time // the last line
}

const lineInterval = 10 * time.Second

// progress begins with what is done, of total, which is 0 if it is not known.
func (c *CLI) progress(what string, total int64, options ...progressbar.Option) *progress {
	p := &progress{err: c.Err, bars: c.Bars, shown: time.Now()}
	out, interval := io.Discard, time.Duration(0)
	if c.Bars {
		out, interval = c.Err, 200*time.Millisecond
	}
	if total == 0 {
		total = -1
	}
	p.bar = progressbar.NewOptions64(total, append([]progressbar.Option{
		progressbar.OptionSetDescription(what),
		progressbar.OptionSetWriter(out),
		progressbar.OptionThrottle(interval),
		progressbar.OptionSetTheme(progressbar.ThemeASCII),
		progressbar.OptionSetWidth(24),
		progressbar.OptionShowCount(),
		progressbar.OptionSetPredictTime(false),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionSetSpinnerChangeInterval(0), // no goroutine
	}, options...)...)
	return p
}

// set shows that so much is done.
func (p *progress) set(done int64) {
	if limit := p.bar.State().Max; limit >= 0 && done > limit {
		p.bar.ChangeMax64(done) // total was an estimate
	}
	_ = p.bar.Set64(done)
	if now := time.Now(); !p.bars && now.Sub(p.shown) >= lineInterval && !p.bar.IsFinished() {
		p.shown = now
		fmt.Fprintln(p.err, strings.TrimSpace(p.bar.String()))
	}
}

// say writes a line of its own.
func (p *progress) say(format string, args ...any) {
	p.end()
	fmt.Fprintf(p.err, format+"\n", args...)
}

// end removes the bar from the screen.
func (p *progress) end() {
	if p.bars && p.bar.IsStarted() && !p.bar.IsFinished() {
		_ = p.bar.Clear()
	}
}

// thousands writes a number so that people can read it.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// count writes a number with its noun, whose plural ends in s.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return thousands(n) + " " + noun + "s"
}
