package operator

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// progress shows how far something has come: a bar that is written over on a
// screen, a line now and then elsewhere.
type progress struct {
	Terminal
	what  string
	shown time.Time
	open  bool // a bar stands on the screen
}

// How often something is shown.
const (
	everyBar  = 200 * time.Millisecond
	everyLine = 10 * time.Second
)

// show shows that a part of the whole is done, and a word on it; below 0 nobody
// knows of how much.
func (p *progress) show(part float64, format string, args ...any) {
	every, now := everyLine, p.Now()
	if p.Bars {
		every = everyBar
	}
	if now.Sub(p.shown) < every {
		return
	}
	p.shown = now
	p.write(part, fmt.Sprintf(format, args...))
}

const barWidth = 24

func (p *progress) write(part float64, note string) {
	text := p.what
	if part >= 0 {
		part = min(part, 1)
		if done := int(part * barWidth); p.Bars {
			text += " [" + strings.Repeat("#", done) + strings.Repeat("-", barWidth-done) + "]"
		}
		text += fmt.Sprintf(" %3.0f %%", 100*part)
	}
	if note != "" {
		text += "  " + note
	}
	if p.Bars {
		p.open = true
		fmt.Fprintf(p.Err, "\r\x1b[K%s", text) // to the line's begin, and erase it (ECMA-48)
		return
	}
	fmt.Fprintln(p.Err, text)
}

// say writes a line of its own.
func (p *progress) say(format string, args ...any) {
	if p.open {
		fmt.Fprint(p.Err, "\r\x1b[K")
		p.open = false
	}
	fmt.Fprintf(p.Err, format+"\n", args...)
}

// end leaves what was shown last where it is.
func (p *progress) end() {
	if p.open {
		fmt.Fprintln(p.Err)
		p.open = false
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

// some writes how many there are of something.
func some(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return thousands(n) + " " + one + "s"
}

// speed writes how much there is in a second.
func speed(perSecond float64) string {
	if perSecond >= 100 {
		return thousands(int(perSecond))
	}
	return strconv.FormatFloat(perSecond, 'g', 2, 64)
}

// span writes a duration in its two largest units.
func span(d time.Duration) string {
	switch d = d.Round(time.Second); {
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < 10*time.Minute:
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	case d.Round(time.Minute) < time.Hour:
		return fmt.Sprintf("%d min", d.Round(time.Minute)/time.Minute)
	case d < 48*time.Hour:
		d = d.Round(time.Minute)
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	}
	d = d.Round(time.Hour)
	return fmt.Sprintf("%d days %d h", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
}
