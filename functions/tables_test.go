package functions_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A table of a page in Markdown.
type table struct {
	line   int // of its header
	header []string
	rows   [][]string
	lines  []int // of the rows
	ruled  bool  // there is a rule below the header
}

var rule = regexp.MustCompile(`^\|(?: ?:?-+:? ?\|)+$`)

// tables returns the tables of a page, except in code.
func tables(page string) (found []table) {
	code, inTable := false, false
	for i, line := range strings.Split(page, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			code = !code
		}
		switch {
		case code || !strings.HasPrefix(line, "|"):
			inTable = false
		case !inTable:
			inTable = true
			found = append(found, table{line: i + 1, header: cells(line)})
		case len(found[len(found)-1].rows) == 0 && !found[len(found)-1].ruled && rule.MatchString(line):
			found[len(found)-1].ruled = true
		default:
			t := &found[len(found)-1]
			t.rows, t.lines = append(t.rows, cells(line)), append(t.lines, i+1)
		}
	}
	return found
}

func cells(line string) []string {
	line = strings.ReplaceAll(line, `\|`, "\x00")
	parts := strings.Split(strings.TrimSuffix(strings.TrimPrefix(line, "|"), "|"), "|")
	for i, p := range parts {
		parts[i] = strings.TrimSpace(strings.ReplaceAll(p, "\x00", `\|`))
	}
	return parts
}

// inPages calls f with each page in Markdown.
func inPages(t *testing.T, f func(path, text string)) {
	found := 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && (strings.HasPrefix(name, ".") && name != ".." || name == "node_modules" || name == "testdata") {
			return fs.SkipDir
		}
		if filepath.Ext(path) != ".md" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err == nil {
			found++
			f(path, string(text))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if found < 8 {
		t.Errorf("only %d pages were found", found)
	}
}

// Finds errors of merges: duplicate rows, a table cut by a blank line, duplicate entries
// of a list.
func TestTablesAndListsHaveOneEntryPerKey(t *testing.T) {
	inPages(t, func(path, text string) {
		for _, table := range tables(text) {
			if !table.ruled {
				t.Errorf("%s:%d: rows without a header; does a blank line cut the table?", path, table.line)
				continue
			}
			seen := map[string]int{}
			for i, row := range table.rows {
				line := table.lines[i]
				if len(row) != len(table.header) {
					t.Errorf("%s:%d: the row has %d cells, the header %d", path, line, len(row), len(table.header))
				}
				if other, twice := seen[row[0]]; twice {
					t.Errorf("%s:%d: %s has a row already, in line %d", path, line, row[0], other)
				}
				seen[row[0]] = line
			}
		}
		seen, code := map[string]int{}, false
		for i, line := range strings.Split(text, "\n") {
			if strings.HasPrefix(line, "```") {
				code = !code
			}
			if code || !strings.HasPrefix(line, "- ") && !strings.HasPrefix(line, "#") {
				continue
			}
			if other, twice := seen[line]; twice {
				t.Errorf("%s:%d: the same as line %d: %s", path, i+1, other, line)
			}
			seen[line] = i + 1
		}
	})
}

// TestWhereThingsAreListsEveryPackageOnce compares the table of the top README
// with the folders that hold Go. In a row, a path that begins with a slash is
// below the path before it that does not.
func TestWhereThingsAreListsEveryPackageOnce(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Where things are\n")
	found := tables(section)
	if len(found) != 1 {
		t.Fatalf("%d tables", len(found))
	}
	listed := map[string]int{} // by path, which may be a pattern
	for _, row := range found[0].rows {
		above := ""
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[0], -1) {
			p := m[1]
			if strings.HasPrefix(p, "/") {
				p = above + p
			} else {
				above = p
			}
			if matches, err := filepath.Glob("../" + p); err != nil || len(matches) == 0 {
				t.Errorf("%s is listed but does not exist", p)
			}
			listed[p]++
		}
	}
	folders := map[string]bool{}
	err = filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && (strings.HasPrefix(name, ".") && name != ".." || name == "node_modules" || name == "testdata") {
			return fs.SkipDir
		}
		if filepath.Ext(path) == ".go" {
			folders[strings.TrimPrefix(filepath.ToSlash(filepath.Dir(path)), "../")] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for folder := range folders {
		n := 0
		for pattern, times := range listed {
			if ok, _ := filepath.Match(pattern, folder); ok {
				n += times
			}
		}
		if n != 1 {
			t.Errorf("%s is listed %d times, want once", folder, n)
		}
	}
}
