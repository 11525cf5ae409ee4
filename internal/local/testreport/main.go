// Testreport reads `go test -json` and prints what a person wants to know of
// it: failures in full, skipped tests as SKIP lines, each package's time and
// shuffle seed, the slowest packages, and how many tests there were of each
// outcome. It fails if a test did, or if none ran.
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
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

// pkg is how a package's tests ran. CPU is -1 where .ci/timed did not run them.
type pkg struct {
	name, seed   string
	elapsed, cpu float64
}

func (p pkg) String() string {
	s := fmt.Sprintf("%s %.1fs", p.name, p.elapsed)
	if p.cpu >= 0 {
		s += fmt.Sprintf(", cpu %.1fs", p.cpu)
	}
	if p.seed != "" {
		s += ", -shuffle=" + p.seed
	}
	return s
}

// describe reads what the package's own output lines say.
func describe(e event, said string) pkg {
	p := pkg{name: e.Package, elapsed: e.Elapsed, cpu: -1}
	for line := range strings.Lines(said) {
		var user, system float64
		if seed, ok := strings.CutPrefix(line, "-test.shuffle "); ok {
			p.seed = strings.TrimSpace(seed)
		} else if _, err := fmt.Sscanf(line, "-test.cpu %f %f", &user, &system); err == nil {
			p.cpu = user + system
		}
	}
	return p
}

// slowest is how many packages are listed at the end.
const slowest = 10

// report reports whether all went well.
func report(in io.Reader, out io.Writer) bool {
	output := map[string]*strings.Builder{}
	var packages []pkg
	var failures []string
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
		if e.Test == "" && e.Action != "skip" {
			packages = append(packages, describe(e, said))
		}
		switch {
		case e.Action == "fail":
			fmt.Fprintf(out, "FAIL %s %s\n%s\n", e.Package, e.Test, said)
			if e.Test != "" {
				failed++
				failures = append(failures, fmt.Sprintf("FAIL %s %s", e.Package, e.Test))
				failures = append(failures, messages(said)...)
			} else if failed == 0 {
				failed++ // a package that did not build, or died
			}
		case e.Test == "" && e.Action == "pass":
			fmt.Fprintf(out, "ok   %s\n", packages[len(packages)-1])
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
	slices.SortFunc(packages, func(a, b pkg) int { return cmp.Compare(b.elapsed, a.elapsed) })
	for _, p := range packages[:min(slowest, len(packages))] {
		fmt.Fprintf(out, "slow %s\n", p)
	}
	for _, f := range failures { // again in short, where a reader looks first
		fmt.Fprintln(out, f)
	}
	fmt.Fprintf(out, "%d passed, %d failed, %d skipped\n", passed, failed, skipped)
	return failed == 0 && passed > 0
}

// messages are the first lines that a test wrote with their place in the code.
func messages(said string) (first []string) {
	for line := range strings.Lines(said) {
		if line = strings.TrimSpace(line); len(first) < 5 && strings.Contains(line, "_test.go:") {
			first = append(first, "  "+line)
		}
	}
	return first
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
