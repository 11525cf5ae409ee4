// Package telemetry writes the functions' logs, as JSON lines by zerolog, and their
// metrics, in CloudWatch's embedded metric format, which are JSON lines too. Both go
// to standard output, where Lambda collects them; nothing here uses the network.
//
// Lines and metrics name accounts, ids and reasons, never people: no address,
// name, payment descriptor or secret may be passed in.
package telemetry

import (
	"io"
	"time"

	"github.com/rs/zerolog"
)

// What the binary was built from. The Makefile has the linker set them, rather
// than Go stamp the state of the repository: that has the time of the commit and
// whether a file was changed in it, and is missing where there is no repository.
var (
	version = "dev"
	commit  = ""
)

// UserAgent has the binary's release and commit, for the services that are called
// (RFC 9110, section 10.1.5).
func UserAgent() string {
	if commit == "" {
		return "walletsync/" + version
	}
	return "walletsync/" + version + " (" + commit + ")"
}

// timeFormat is RFC 3339 in UTC with milliseconds: it sorts as text.
const timeFormat = "2006-01-02T15:04:05.000Z"

// NewLogger returns a logger that writes JSON lines, each with its time, the
// function's name and the binary's version and commit.
func NewLogger(out io.Writer, function string, level zerolog.Level, now func() time.Time) zerolog.Logger {
	c := zerolog.New(out).Level(level).Hook(stamp{now}).With().Str("function", function).Str("version", version)
	if commit != "" {
		c = c.Str("commit", commit)
	}
	return c.Logger()
}

// stamp adds the time. zerolog's own would take format and clock from package
// variables.
type stamp struct{ now func() time.Time }

func (s stamp) Run(e *zerolog.Event, _ zerolog.Level, _ string) {
	e.Str("time", s.now().UTC().Format(timeFormat))
}
