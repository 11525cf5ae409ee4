package migrations_test

import (
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"walletsync/migrations"
)

var release = flag.Bool("release", false, "the steps as they are now are released: write that down")

// step is a file of the schema's history.
type step struct {
	version int64
	name    string
	text    []byte
}

func steps(t *testing.T) (all []step) {
	t.Helper()
	files, err := fs.Glob(migrations.FS, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files { // ascending
		number, _, _ := strings.Cut(name, "_")
		version, err := strconv.ParseInt(number, 10, 64)
		if err != nil || len(number) != 4 {
			t.Fatalf("%s does not begin with a version of four digits", name)
		}
		text, err := migrations.FS.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, step{version, name, text})
	}
	return all
}

// hash names all steps up to a version as they stand.
func hash(all []step, version int64) string {
	h := sha256.New()
	for _, s := range all {
		if s.version <= version {
			fmt.Fprintf(h, "%s\n%s\n", s.name, s.text)
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:32]
}

// released is what the file says.
func released(t *testing.T) string {
	t.Helper()
	file, err := os.ReadFile("released")
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for line := range strings.Lines(string(file)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			said = append(said, line)
		}
	}
	if len(said) != 1 {
		t.Fatalf("released says %q, not one line", said)
	}
	return said[0]
}

// held wants the steps to be those that were released, as they were.
func held(all []step, released string) error {
	if released == "none" {
		return nil
	}
	number, was, _ := strings.Cut(released, " ")
	version, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return fmt.Errorf("%q is neither none nor a version and a hash", released)
	}
	if is := hash(all, version); is != was {
		return fmt.Errorf("the steps up to %d are not as they were released (%s, not %s): databases have them as they were; undo that, and add a step", version, is, was)
	}
	return nil
}

// TestWhatWasReleasedStaysAsItIs: a step that databases have already taken must
// not change, nor may one be put among them.
func TestWhatWasReleasedStaysAsItIs(t *testing.T) {
	all := steps(t)
	if *release {
		file, err := os.ReadFile("released")
		if err != nil {
			t.Fatal(err)
		}
		newest, text := all[len(all)-1].version, ""
		for line := range strings.Lines(string(file)) {
			if strings.HasPrefix(line, "#") {
				text += line
			}
		}
		if err := os.WriteFile("released", fmt.Appendf(nil, "%s%d %s\n", text, newest, hash(all, newest)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := held(all, released(t)); err != nil {
		t.Error(err)
	}

	// It fails when it should, shown on steps of an invented history.
	some := []step{{1, "0001_a.sql", []byte("a")}, {2, "0002_b.sql", []byte("b")}, {3, "0003_c.sql", []byte("c")}}
	for name, change := range map[string]func([]step) []step{
		"a step changed": func(s []step) []step { s[1].text = []byte("b, edited"); return s },
		"a step renamed": func(s []step) []step { s[0].name = "0001_other.sql"; return s },
		"a step removed": func(s []step) []step { return s[1:] },
		"a step between": func(s []step) []step { return append(s, step{3, "0003_x.sql", nil}) },
	} {
		if err := held(change(slices.Clone(some)), "3 "+hash(some, 3)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := held(append(slices.Clone(some), step{4, "0004_later.sql", nil}), "3 "+hash(some, 3)); err != nil {
		t.Errorf("a later step: %v", err)
	}
}
