package functions_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

var (
	aTest  = regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9_]+)`")
	itsRow = regexp.MustCompile(`(?m)^\| [^|]+ \| [^|]+ \| (.+) \|$`)
)

// TestEveryRowOfTheSecurityPageHasATest checks that the tests in SECURITY.md exist.
func TestEveryRowOfTheSecurityPageHasATest(t *testing.T) {
	page, err := os.ReadFile("SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "git", "grep", "-hoE", `^func (Test|Fuzz)[A-Za-z0-9_]+`, "--", ":/*_test.go").Output()
	if err != nil {
		t.Fatal("git grep: ", err)
	}
	tests := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		tests[strings.TrimSpace(strings.TrimPrefix(line, "func "))] = true
	}
	rows := 0
	leads := map[string]string{} // a row by its first test
	for _, m := range itsRow.FindAllStringSubmatch(string(page), -1) {
		if m[1] == "test" {
			continue
		}
		rows++
		names := aTest.FindAllStringSubmatch(m[1], -1)
		if len(names) == 0 {
			t.Errorf("a row names no test: %s", m[0])
		}
		if len(names) > 0 {
			if other, twice := leads[names[0][1]]; twice {
				t.Errorf("two rows for one threat, as they begin with the same test?\n%s\n%s", other, m[0])
			}
			leads[names[0][1]] = m[0]
		}
		for _, n := range names {
			if !tests[n[1]] {
				t.Errorf("%s is not a test", n[1])
			}
		}
	}
	if rows < 25 {
		t.Errorf("only %d rows were read: check how this test reads them", rows)
	}
}
