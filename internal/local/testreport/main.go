// Testreport reads `go test -json` and prints what a person wants to know of
// it: failures in full, skipped tests as SKIP lines, and how many there were of
// each. It fails if a test did, or if none ran.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

type event struct {
	Action, Package, Test, Output, ImportPath string
	Elapsed                                   float64
}

func main() {
	if !report(os.Stdin, os.Stdout) {
		os.Exit(1)
	}
}

// report reports whether all went well.
func report(in io.Reader, out io.Writer) bool {
	output := map[string]*strings.Builder{}
	passed, failed, skipped := 0, 0, 0
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Fprintln(out, lines.Text())
			continue
		}
		key := e.Package + " " + e.Test
		switch e.Action {
		case "output":
			if output[key] == nil {
				output[key] = &strings.Builder{}
			}
			output[key].WriteString(e.Output)
			continue
		case "build-output":
			fmt.Fprint(out, e.Output)
			continue
		case "pass", "fail", "skip":
		default:
			continue
		}
		said := ""
		if b := output[key]; b != nil {
			said = b.String()
			delete(output, key)
		}
		switch {
		case e.Action == "fail":
			fmt.Fprintf(out, "FAIL %s %s\n%s\n", e.Package, e.Test, said)
			if e.Test != "" {
				failed++
			} else if failed == 0 {
				failed++ // a package that did not build, or died
			}
		case e.Test == "" && e.Action == "pass":
			fmt.Fprintf(out, "ok   %s %.1fs\n", e.Package, e.Elapsed)
		case e.Test == "":
		case e.Action == "skip":
			skipped++
			fmt.Fprintf(out, "SKIP %s: %s\n", e.Test, reason(said))
		default:
			passed++
		}
	}
	if err := lines.Err(); err != nil {
		fmt.Fprintln(out, "reading the tests' output:", err)
		failed++
	}
	fmt.Fprintf(out, "%d passed, %d failed, %d skipped\n", passed, failed, skipped)
	return failed == 0 && passed > 0
}

// reason is what a skipped test said.
func reason(said string) string {
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "---") && !strings.HasPrefix(line, "===") {
			if _, why, found := strings.Cut(line, ".go:"); found {
				if _, why, found = strings.Cut(why, ": "); found {
					return why
				}
			}
			return line
		}
	}
	return "no reason given"
}
