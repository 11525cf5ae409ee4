// Command mutants breaks the refresh's rules on purpose, one at a time, and
// wants the simulation to find each within a minute. The broken file is a
// scratch copy that lies over the tree for one build (go build's -overlay), so
// the tree itself is never touched. Words on the command line choose the rules
// whose names hold one of them.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"
)

const pkg = "walletsync/internal/refresh/simtest"

func main() {
	limit := flag.Duration("time", time.Minute, "time limit of each search")
	first := flag.Uint64("first", 1, "the first seed; the search is the same for the same one")
	flag.Parse()
	began := time.Now()
	missed, err := searchAll(*limit, *first, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(2)
	}
	fmt.Printf("%v in all\n", time.Since(began).Round(time.Second))
	if missed > 0 {
		fmt.Printf("%d survived: sharpen the checker or the schedules\n", missed)
		os.Exit(1)
	}
}

// outcome is what came of one mutation.
type outcome struct {
	mutation
	found string // seed and violation; empty if it survived
	took  time.Duration
	err   error
}

// searchAll searches for the chosen mutations, as many at once as there are
// processors, and returns how many survived.
func searchAll(limit time.Duration, first uint64, words []string) (missed int, err error) {
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return 0, fmt.Errorf("go list: %w", err)
	}
	dir, err := os.MkdirTemp("", "mutants-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	internal := filepath.Join(strings.TrimSpace(string(root)), "internal")
	var chosen []mutation
	for _, m := range mutations {
		if len(words) == 0 || slices.ContainsFunc(words, func(w string) bool { return strings.Contains(m.rule, w) }) {
			chosen = append(chosen, m)
		}
	}
	out := make(chan outcome)
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i, m := range chosen {
		go func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			began := time.Now()
			o := outcome{mutation: m}
			o.found, o.err = search(internal, filepath.Join(dir, fmt.Sprint(i)), m, limit, first)
			o.took = time.Since(began)
			out <- o
		}()
	}
	for range chosen {
		o := <-out
		switch {
		case o.err != nil:
			err = errors.Join(err, fmt.Errorf("%s: %w", o.rule, o.err))
		case o.found == "":
			missed++
			fmt.Printf("SURVIVED  %s (%v)\n", o.rule, o.took.Round(time.Second))
		default:
			fmt.Printf("found  %-55s %s (%v with the build)\n", o.rule, o.found, o.took.Round(time.Second))
		}
	}
	return missed, err
}

var (
	violation = regexp.MustCompile(`seed (\d+: .*)`)
	goPanic   = regexp.MustCompile(`(?m)^panic: .*`)
)

// search builds the simulation with a rule broken, and runs it.
func search(internal, dir string, m mutation, limit time.Duration, first uint64) (found string, err error) {
	original := filepath.Join(internal, m.file)
	text, err := os.ReadFile(original)
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(text), m.old); n != 1 {
		return "", fmt.Errorf("the text to break is %d times in %s, not once: bring the list up to date", n, m.file)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	broken, binary := filepath.Join(dir, "broken.go"), filepath.Join(dir, "simtest")
	if err := os.WriteFile(broken, []byte(strings.Replace(string(text), m.old, m.new, 1)), 0o600); err != nil {
		return "", err
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{original: broken}})
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
		return "", err
	}
	build := exec.Command("go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay", filepath.Join(dir, "overlay.json"), "-o", binary, pkg)
	build.Dir = internal
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("the broken code does not build: %w\n%s", err, out)
	}
	sim := exec.Command(binary, "-test.run=^TestSimulation$", "-first", fmt.Sprint(first), "-time", limit.String(), "-schedules", "1000000000")
	sim.Env = append(os.Environ(), "GOMAXPROCS=1")
	out, err := sim.CombinedOutput()
	if err == nil {
		return "", nil
	}
	if hit := violation.FindSubmatch(out); hit != nil {
		return "seed " + string(hit[1]), nil
	}
	if hit := goPanic.Find(out); hit != nil {
		return string(hit), nil
	}
	return "", fmt.Errorf("the simulation failed and found nothing: %w\n%s", err, out)
}
