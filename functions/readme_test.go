package functions_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"walletsync/internal/amazonpay/merchant"
	"walletsync/internal/config"
)

var update = flag.Bool("update", false, "write the tables of settings into README.md")

// load is one of internal/config's Load functions.
type load func(getenv func(string) string) (any, error)

func loads[T any](f func(func(string) string) (T, error)) load {
	return func(getenv func(string) string) (any, error) { return f(getenv) }
}

// loaders are the Load functions of the programs, in the order of the table. parseConfig
// fails if internal/config has others.
var loaders = []struct {
	name string
	load load
}{
	{"LoadReceiver", loads(config.LoadReceiver)},
	{"LoadWorker", loads(config.LoadWorker)},
	{"LoadReconciler", loads(config.LoadReconciler)},
	{"LoadMigrator", loads(config.LoadMigrator)},
	{"LoadPush", loads(config.LoadPush)},
	{"LoadCLI", loads(config.LoadCLI)},
	{"LoadStart", loads(config.LoadStart)},
	{"LoadReturn", loads(config.LoadReturn)},
	{"LoadConsole", loads(config.LoadConsole)},
}

// TestSettingsInTheREADMEMatchTheCode generates both tables of settings from
// internal/config and compares them with README.md. It runs each program's Load function
// to find the variables that it reads. A default is the field's value without the
// variable, and the meaning is the field's comment.
func TestSettingsInTheREADMEMatchTheCode(t *testing.T) {
	source := parseConfig(t)
	var names []string // in the order in which they are read
	readers := map[string][]string{}
	var programs []string
	required := map[string]bool{}
	defaults := map[string]string{}
	member := newMembers()
	for _, l := range loaders {
		read := map[string]bool{}
		c, err := l.load(func(name string) string {
			read[name] = true
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
			return ""
		})
		program := "`" + reflect.ValueOf(c).FieldByName("Name").String() + "`"
		programs = append(programs, program)
		for _, p := range problems(t, err) {
			required[p.Variable] = required[p.Variable] || p.Unset()
		}
		values := map[string]reflect.Value{}
		fields(reflect.ValueOf(c), values)
		for name := range read {
			readers[name] = append(readers[name], program)
			s, ok := source.settings[name]
			if v, has := values[s.field]; ok && has && !required[name] {
				d := shownDefault(t, name, v, s.standard)
				if before, twice := defaults[name]; twice && before != d {
					t.Errorf("%s: the default is %s in one program and %s in %s", name, before, d, program)
				}
				defaults[name] = d
				if value, ok := literal(d); ok {
					sameAsUnset(t, l.load, name, value)
				}
			}
		}
		if read["ACCOUNTS"] {
			member.learn(t, program, l.load)
		}
	}
	for _, name := range source.literals {
		if !slices.Contains(names, name) {
			t.Errorf("internal/config reads %s under a condition that is false in this test", name)
		}
	}
	for name := range source.settings {
		if !slices.Contains(names, name) {
			t.Errorf("a comment in internal/config documents %s, which no program reads", name)
		}
	}

	var table strings.Builder
	table.WriteString("| variable | programs | default | meaning |\n|---|---|---|---|\n")
	for _, name := range names {
		s, ok := source.settings[name]
		switch {
		case name == "AWS_LAMBDA_FUNCTION_NAME": // set by Lambda
			continue
		case !ok:
			t.Errorf("no comment of a field in internal/config documents %s", name)
			continue
		case !required[name] && defaults[name] == "":
			t.Errorf("%s: the default was not found; is the comment that documents it at the field that it sets?", name)
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", name, those(readers[name], programs), defaults[name], s.text)
	}
	inREADME(t, "settings", table.String())
	inREADME(t, "accounts", member.table(t, source.members))
}

// A setting is the documentation in a field's comment.
type setting struct {
	name     string
	field    string // Type.Field
	text     string
	standard string // of a last sentence "Default: …"
}

type configSource struct {
	settings map[string]setting
	members  []setting // of an account
	literals []string  // names of variables in the code
}

var (
	documented    = regexp.MustCompile(`(?s)^([A-Z][A-Z_]+): (.*)$`)
	itsDefault    = regexp.MustCompile(`(?s)^(.*) Default: (.+)\.$`)
	readsVariable = regexp.MustCompile(`\br\.\w+\(\s*"([A-Z][A-Z_]+)"|\bname = "([A-Z][A-Z_]+)"`)
	jsonName      = regexp.MustCompile(`json:"(\w+)"`)
)

func parseConfig(t *testing.T) configSource {
	c := configSource{settings: map[string]setting{}}
	files, err := filepath.Glob("../internal/config/*.go")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range readsVariable.FindAllStringSubmatch(string(text), -1) {
			c.literals = append(c.literals, m[1]+m[2])
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, text, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Recv == nil && strings.HasPrefix(n.Name.Name, "Load") {
					found = append(found, n.Name.Name)
				}
			case *ast.TypeSpec:
				if fields, ok := n.Type.(*ast.StructType); ok {
					c.add(t, n.Name.Name, fields)
				}
			}
			return true
		})
	}
	if len(c.literals) < 30 {
		t.Errorf("only %d variables were found in internal/config: check how this test finds them", len(c.literals))
	}
	known := []string{"LoadAWS", "LoadDeployment"} // the SDK's; all others together
	for _, l := range loaders {
		known = append(known, l.name)
	}
	slices.Sort(known)
	if slices.Sort(found); !slices.Equal(found, known) {
		t.Errorf("internal/config has %v, this test knows %v", found, known)
	}
	return c
}

func (c *configSource) add(t *testing.T, typ string, fields *ast.StructType) {
	for _, f := range fields.Fields.List {
		if len(f.Names) != 1 {
			continue
		}
		s := setting{field: typ + "." + f.Names[0].Name}
		paragraph, _, _ := strings.Cut(f.Doc.Text(), "\n\n")
		s.text = strings.Join(strings.Fields(paragraph), " ")
		if typ == "accountJSON" {
			s.name = jsonName.FindStringSubmatch(f.Tag.Value)[1]
			if s.text == "" {
				t.Errorf("%s has no comment, which functions/README.md needs", s.field)
			}
			c.members = append(c.members, s.split())
			continue
		}
		m := documented.FindStringSubmatch(s.text)
		if m == nil {
			continue
		}
		s.name, s.text = m[1], m[2]
		if other, twice := c.settings[s.name]; twice {
			t.Errorf("%s is documented twice, at %s and at %s", s.name, other.field, s.field)
		}
		c.settings[s.name] = s.split()
	}
}

// split separates the default from the text and formats both for a cell.
func (s setting) split() setting {
	if m := itsDefault.FindStringSubmatch(s.text); m != nil {
		s.text, s.standard = m[1], m[2]
	}
	s.text = strings.ReplaceAll(strings.TrimSuffix(s.text, "."), "|", `\|`)
	s.text = strings.ToUpper(s.text[:1]) + s.text[1:]
	return s
}

// fields collects the fields of a configuration and its structs by Type.Field.
func fields(v reflect.Value, into map[string]reflect.Value) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		into[v.Type().Name()+"."+f.Name] = v.Field(i)
		if f.Type.Kind() == reflect.Struct && f.Type.PkgPath() == v.Type().PkgPath() {
			fields(v.Field(i), into)
		}
	}
}

// shownDefault returns the cell of a default: the documented one, or the value.
func shownDefault(t *testing.T, name string, v reflect.Value, documented string) string {
	var shown string
	switch value := v.Interface().(type) {
	case time.Duration:
		if strings.HasSuffix(name, "_DAYS") {
			shown = strconv.FormatFloat(value.Hours()/24, 'f', -1, 64)
			break
		}
		shown = regexp.MustCompile(`([hm])(?:0m)?0s$`).ReplaceAllString(value.String(), "$1")
	case []string:
		shown = strings.Join(value, " ")
	case fmt.Stringer:
		shown = value.String()
	case string, merchant.Algorithm, bool, int, float64:
		shown = fmt.Sprint(value)
	default:
		if documented == "" && !v.IsZero() {
			t.Errorf("%s: end the comment of its field with a sentence \"Default: …\"", name)
		}
	}
	switch {
	case documented != "":
		return documented
	case shown == "":
		return "none"
	}
	return "`" + shown + "`"
}

// literal returns the value of a default if it can be set.
func literal(shown string) (string, bool) {
	ok := len(shown) > 2 && shown[0] == '`' && strings.IndexByte(shown[1:], '`') == len(shown)-2
	return strings.Trim(shown, "`"), ok
}

// sameAsUnset fails the test if setting a variable to its default changes the
// configuration.
func sameAsUnset(t *testing.T, f load, name, value string) {
	unset, err1 := f(func(string) string { return "" })
	set, err2 := f(func(n string) string {
		if n == name {
			return value
		}
		return ""
	})
	if !reflect.DeepEqual(unset, set) || !reflect.DeepEqual(err1, err2) {
		t.Errorf("%s=%s differs from the unset variable", name, value)
	}
}

func problems(t *testing.T, err error) config.Problems {
	all, ok := errors.AsType[config.Problems](err)
	if err != nil && !ok {
		t.Fatal(err)
	}
	return all
}

// members collects facts about the members of an account.
type members struct {
	programs []string
	needed   map[string][]string
	account  config.Account // with required members only
}

func newMembers() members { return members{needed: map[string][]string{}} }

// learn finds the members that a program requires: those reported as missing from an
// account that has only a region.
func (m *members) learn(t *testing.T, program string, f load) {
	m.programs = append(m.programs, program)
	for _, account := range []string{`{}`, `{"region":"EU"}`} { // the currency is checked only with a region
		c, err := f(accounts(account))
		for _, p := range problems(t, err) {
			name, is := strings.CutPrefix(p.Variable, "ACCOUNTS[0].")
			if is && !slices.Contains(m.needed[name], program) {
				m.needed[name] = append(m.needed[name], program)
			}
		}
		m.account = reflect.ValueOf(c).FieldByName("Accounts").Index(0).Interface().(config.Account)
	}
}

func accounts(account string) func(string) string {
	return func(name string) string {
		if name == "ACCOUNTS" {
			return "[" + account + "]"
		}
		return ""
	}
}

func (m *members) table(t *testing.T, documented []setting) string {
	var b strings.Builder
	b.WriteString("| member | required by | default | meaning |\n|---|---|---|---|\n")
	for _, s := range documented {
		standard := ""
		if len(m.needed[s.name]) == 0 {
			_, field, _ := strings.Cut(s.field, ".")
			standard = shownDefault(t, s.name, reflect.ValueOf(m.account).FieldByName(field), s.standard)
			if value, ok := literal(standard); ok {
				if !json.Valid([]byte(value)) {
					value = strconv.Quote(value)
				}
				c, _ := config.LoadReceiver(accounts(fmt.Sprintf(`{"region":"EU",%q:%s}`, s.name, value)))
				if !reflect.DeepEqual(c.Accounts[0], m.account) {
					t.Errorf("%s %s differs from the missing member", s.name, value)
				}
			}
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", s.name, those(m.needed[s.name], m.programs), standard, s.text)
	}
	return b.String()
}

// those lists some of the programs, or all.
func those(names, programs []string) string {
	var others []string
	for _, p := range programs {
		if !slices.Contains(names, p) {
			others = append(others, p)
		}
	}
	switch {
	case len(others) == 0:
		return "all"
	case len(others) < len(programs)/2:
		return "all but " + strings.Join(others, ", ")
	}
	return strings.Join(names, ", ")
}

// inREADME compares the text between two marks of README.md, or writes it.
func inREADME(t *testing.T, mark, want string) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- "+mark+": written by `go test ./functions -run Settings -update` -->\n", "<!-- "+mark+": end -->"
	before, rest, ok1 := strings.Cut(string(text), begin)
	got, after, ok2 := strings.Cut(rest, end)
	switch {
	case !ok1 || !ok2:
		t.Fatalf("README.md has no marks %q and %q", begin, end)
	case got == want:
	case *update:
		if err := os.WriteFile("README.md", []byte(before+begin+want+end+after), 0o600); err != nil {
			t.Fatal(err)
		}
	default:
		lines := strings.SplitAfter(got, "\n")
		for i, line := range strings.SplitAfter(want, "\n") {
			if i >= len(lines) || lines[i] != line {
				t.Errorf("the %s in README.md differ from the code (go test ./functions -run Settings -update), first in\n%s", mark, line)
				return
			}
		}
		t.Errorf("the %s in README.md have more rows than the code: go test ./functions -run Settings -update", mark)
	}
}

// TestEveryFunctionHasARowInTheREADME compares the first table with the folders.
func TestEveryFunctionHasARowInTheREADME(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var folders []string
	mains, err := filepath.Glob("*/main.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, main := range mains {
		if folder := filepath.Dir(main); folder != "walletsync" { // not a function
			folders = append(folders, folder)
		}
	}
	var rows []string
	for _, row := range tables(string(text))[0].rows {
		rows = append(rows, strings.Trim(row[0], "`"))
	}
	slices.Sort(rows)
	if slices.Sort(folders); !slices.Equal(rows, folders) {
		t.Errorf("rows %v, folders %v", rows, folders)
	}
}
