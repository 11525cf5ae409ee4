package cli

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares what people see with the file of that name.
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

// run runs the program and returns its exit code and what it wrote.
func run(ctx context.Context, c *CLI, args ...string) (code int, out, stderr string) {
	var o, e bytes.Buffer
	c.Out, c.Err = &o, &e
	code = c.Run(ctx, args)
	return code, o.String(), e.String()
}

func unconnected(context.Context) (Parts, error) { return Parts{}, errors.New("not connected") }

func TestHelp(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"import", "--help"}, {"export", "--help"}, {"export-person", "--help"}, {"erase", "--help"}, {"after-restore", "--help"}, {"incident", "--help"}, {"doctor", "--help"}} {
		code, out, stderr := run(t.Context(), &CLI{Connect: unconnected}, args...)
		if code != Done || stderr != "" {
			t.Errorf("%v: %d, %s", args, code, stderr)
		}
		golden(t, strings.Join(append([]string{"help"}, args[:len(args)-1]...), "-"), out)
	}
	code, out, stderr := run(t.Context(), &CLI{Connect: unconnected})
	if _, help, _ := run(t.Context(), &CLI{}, "--help"); code != Misuse || out != "" || stderr != help {
		t.Errorf("without a command: %d %q %q", code, out, stderr)
	}
}

func TestExitCodes(t *testing.T) {
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	list := "B01-0000000-0000001\n"
	for _, c := range []struct {
		name   string
		ctx    context.Context
		args   []string
		code   int
		stderr string
	}{
		{"failed", t.Context(), []string{"import", "-"}, Failed, "walletsync import: not connected\n"},
		{"flags after arguments", t.Context(), []string{"import", "-", "--account", "main"}, Failed, "walletsync import: not connected\n"},
		{"flags end at --", t.Context(), []string{"import", "--account=main", "--", "--wait"}, Failed, "walletsync import: open the list: open --wait: no such file or directory\n"},
		{"stopped", stopped, []string{"import", "-"}, Failed, "walletsync import: stopped; run it again to continue\n"},
		{"misused", t.Context(), []string{"erase", "B01-0000000-0000001"}, Misuse, "walletsync erase: --log is required\nSee walletsync erase --help.\n"},
		{"unknown flag", t.Context(), []string{"import", "--words"}, Misuse, "walletsync import: unknown flag: --words\nSee walletsync import --help.\n"},
		{"too many arguments", t.Context(), []string{"import", "a", "b"}, Misuse, "walletsync import: accepts at most 1 arg(s), received 2\nSee walletsync import --help.\n"},
		{"unknown list", t.Context(), []string{"export", "charges"}, Misuse, "walletsync export: invalid argument \"charges\" for \"walletsync export\"\nSee walletsync export --help.\n"},
		{"unknown command", t.Context(), []string{"trace"}, Misuse, "walletsync: unknown command \"trace\" for \"walletsync\"\nSee walletsync --help.\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, out, stderr := run(c.ctx, &CLI{In: strings.NewReader(list), Connect: unconnected}, c.args...)
			if code != c.code || out != "" || stderr != c.stderr {
				t.Errorf("%d %q %q", code, out, stderr)
			}
		})
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000"} {
		if got := thousands(n); got != want {
			t.Errorf("%d is %s", n, got)
		}
	}
}
