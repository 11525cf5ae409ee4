package pg

import (
	"io/fs"
	"regexp"
	"slices"
)

// Statement returns the text of a feature's statement, sql/NAME.sql. It panics
// if there is none: the files are embedded.
func Statement(of fs.FS, name string) string {
	text, err := fs.ReadFile(of, "sql/"+name+".sql")
	if err != nil {
		panic(err)
	}
	return string(text)
}

var (
	sqlComment  = regexp.MustCompile(`(?m)--.*$`)
	sqlTable    = regexp.MustCompile(`\bwalletsync\.(\w+)(\()?`)
	sqlVerb     = regexp.MustCompile(`\b(insert) into walletsync\.(\w+)|\b(update) walletsync\.(\w+)|\b(delete) from walletsync\.(\w+)`)
	sqlConflict = regexp.MustCompile(`\binsert into walletsync\.(\w+)[^;]*\bon conflict\b[^;]*\bdo update\b`)
)

// Rights returns what the statements of the features need of each table of the
// schema walletsync, such as select, insert, update and delete, in alphabetical
// order. They are read from the statements, sql/*.sql of each.
func Rights(features ...fs.FS) map[string][]string {
	needed := map[string][]string{}
	need := func(table, right string) {
		if !slices.Contains(needed[table], right) {
			needed[table] = append(needed[table], right)
		}
	}
	for _, feature := range features {
		names, err := fs.Glob(feature, "sql/*.sql")
		if err != nil {
			panic(err) // the pattern is well formed
		}
		for _, name := range names {
			text, err := fs.ReadFile(feature, name)
			if err != nil {
				panic(err) // it was just listed
			}
			rightsOf(sqlComment.ReplaceAllString(string(text), ""), need)
		}
	}
	for _, rights := range needed {
		slices.Sort(rights)
	}
	return needed
}

// rightsOf calls need for each right that a statement takes.
func rightsOf(text string, need func(table, right string)) {
	for _, m := range sqlTable.FindAllStringSubmatch(text, -1) {
		if m[2] == "" { // a function otherwise
			need(m[1], "select")
		}
	}
	for _, m := range sqlVerb.FindAllStringSubmatch(text, -1) {
		need(m[2]+m[4]+m[6], m[1]+m[3]+m[5])
	}
	for _, m := range sqlConflict.FindAllStringSubmatch(text, -1) {
		need(m[1], "update")
	}
}
