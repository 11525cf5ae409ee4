package functions_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// read finds where internal/config reads a variable of the environment.
var read = regexp.MustCompile(`\b(?:r\.(?:needed|url|duration|number|sum|wholeDays|days|flag|getenv|add)|name =|const name =)\(?\s*"([A-Z][A-Z_]+)"`)

// member finds the members of an account.
var member = regexp.MustCompile("json:\"([a-zA-Z]+)\"`")

func TestEverySettingIsInTheREADME(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../internal/config/*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		source, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		names := read.FindAllStringSubmatch(string(source), -1)
		if _, accounts, ok := strings.Cut(string(source), "type accountJSON struct {"); ok {
			accounts, _, _ = strings.Cut(accounts, "\n}")
			names = append(names, member.FindAllStringSubmatch(accounts, -1)...)
		}
		for _, m := range names {
			found++
			if m[1] != "AWS_LAMBDA_FUNCTION_NAME" && !strings.Contains(string(readme), "`"+m[1]+"`") { // Lambda sets that one
				t.Errorf("%s, which %s reads, is not in functions/README.md", m[1], filepath.Base(f))
			}
		}
	}
	if found < 30 {
		t.Errorf("only %d settings were found in internal/config: does this test still know how they are read?", found)
	}
}
