package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// marks are how a line begins, without colour and with it (ECMA-48, "SGR").
var marks = map[State][2]string{
	Good:    {"ok  ", "\x1b[32mok\x1b[0m  "},
	Bad:     {"BAD ", "\x1b[31mBAD\x1b[0m "},
	Skipped: {"skip", "\x1b[90mskip\x1b[0m"},
}

// Print writes the lines for people, each remedy below its line, and how many
// there are of each state.
func Print(w io.Writer, lines []Line, colour bool) error {
	var b strings.Builder
	which, n := 0, map[State]int{}
	if colour {
		which = 1
	}
	for _, l := range lines {
		n[l.State]++
		name := l.Check
		if l.Account != "" {
			name += " of " + string(l.Account)
		}
		fmt.Fprintf(&b, "%s  %-24s %s\n", marks[l.State][which], name, l.Found)
		if l.Remedy != "" {
			fmt.Fprintf(&b, "      → %s\n", l.Remedy)
		}
	}
	fmt.Fprintf(&b, "\n%d good, %d bad, %d skipped\n", n[Good], n[Bad], n[Skipped])
	_, err := io.WriteString(w, b.String())
	return err
}

// PrintJSON writes the lines for programs: an array of objects with check,
// account, state (good, bad or skipped), found and remedy.
func PrintJSON(w io.Writer, lines []Line) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(lines)
}
