package operator

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares what people see with what it was.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-update rewrites it):\n%s", file, d)
	}
}

// said runs the program and returns its exit code and what it said.
func said(ctx context.Context, p Program, args ...string) (code int, out, told string) {
	var o, e bytes.Buffer
	p.Out, p.Err = &o, &e
	if p.Now == nil {
		p.Now = time.Now
	}
	code = p.Run(ctx, args)
	return code, o.String(), e.String()
}

func unconnected(context.Context) (Parts, error) { return Parts{}, errors.New("not connected") }

func TestEveryCommandSaysWhatItDoes(t *testing.T) {
	p := Program{Commands: []Command{Import(unconnected), Export(unconnected), Person(unconnected)}}
	for _, args := range [][]string{{"--help"}, {"import", "--help"}, {"export", "--help"}, {"person", "--help"}} {
		code, out, told := said(t.Context(), p, args...)
		if code != Done || told != "" {
			t.Errorf("%v: %d, %s", args, code, told)
		}
		golden(t, strings.Join(append([]string{"help"}, args[:len(args)-1]...), "-"), out)
	}
}

func TestTheExitCodeSaysHowItEnded(t *testing.T) {
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	command := func(err error) Program {
		return Program{Commands: []Command{{Name: "try", Set: func(f *flag.FlagSet) func(context.Context, Terminal, []string) error {
			word := f.String("word", "", "a `word`")
			return func(_ context.Context, t Terminal, args []string) error {
				fmt.Fprint(t.Out, *word, args)
				return err
			}
		}}}}
	}
	broken := errors.New("it is broken; mend it")
	for _, c := range []struct {
		name string
		ctx  context.Context
		err  error
		args []string
		code int
		out  string
		told string
	}{
		{"done", t.Context(), nil, []string{"try", "a", "--word", "w", "b"}, Done, "w[a b]", ""},
		{"flags end at --", t.Context(), nil, []string{"try", "--word=w", "--", "--word", "-"}, Done, "w[--word -]", ""},
		{"failed", t.Context(), broken, []string{"try"}, Failed, "[]", "operator try: it is broken; mend it\n"},
		{"stopped", stopped, broken, []string{"try"}, Failed, "[]", "operator try: stopped; run it again to go on\n"},
		{"misused", t.Context(), Misused("no %s", "file"), []string{"try"}, Misuse, "[]", "operator try: no file; operator try --help says how it is called\n"},
		{"no such flag", t.Context(), nil, []string{"try", "--words"}, Misuse, "", "operator try: flag provided but not defined: -words; operator try --help says how it is called\n"},
		{"no such command", t.Context(), nil, []string{"tri"}, Misuse, "", "operator: there is no command \"tri\"; operator --help lists them\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, out, told := said(c.ctx, command(c.err), c.args...)
			if code != c.code || out != c.out || told != c.told {
				t.Errorf("%d %q %q", code, out, told)
			}
		})
	}
	if code, out, told := said(t.Context(), command(nil)); code != Misuse || out != "" || !strings.HasPrefix(told, "usage: ") {
		t.Errorf("without a command: %d %q %q", code, out, told)
	}
}

func TestNumbersAndTimesAreForPeople(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000"} {
		if got := thousands(n); got != want {
			t.Errorf("%d is %s", n, got)
		}
	}
	for d, want := range map[time.Duration]string{
		400 * time.Millisecond: "0 s", 59 * time.Second: "59 s", 61 * time.Second: "1 min 1 s", 25 * time.Minute: "25 min",
		59*time.Minute + 40*time.Second: "1 h 0 min", 90 * time.Minute: "1 h 30 min", 500_000 * time.Second: "5 days 19 h",
	} {
		if got := span(d); got != want {
			t.Errorf("%v is %s", d, got)
		}
	}
}
