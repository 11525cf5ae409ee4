package postgres

import (
	"io/fs"
	"regexp"
	"slices"
	"strings"
)

var (
	sqlComment  = regexp.MustCompile(`(?m)--.*$`)
	sqlTable    = regexp.MustCompile(`\bwalletsync\.(\w+)(\()?`)
	sqlVerb     = regexp.MustCompile(`\b(insert) into walletsync\.(\w+)|\b(update) walletsync\.(\w+)|\b(delete) from walletsync\.(\w+)`)
	sqlConflict = regexp.MustCompile(`\binsert into walletsync\.(\w+)[^;]*\bon conflict\b[^;]*\bdo update\b`)
)

// Rights are what the statements need of each table of the schema walletsync,
// such as select, insert, update and delete, in alphabetical order; they are
// read from the statements.
func Rights() map[string][]string {
	all := map[string][]string{}
	need := func(table, right string) {
		if !slices.Contains(all[table], right) {
			all[table] = append(all[table], right)
		}
	}
	names, err := fs.Glob(files, "sql/*.sql")
	if err != nil {
		panic(err) // the pattern is well formed
	}
	for _, name := range names {
		text := sqlComment.ReplaceAllString(statement(strings.TrimSuffix(strings.TrimPrefix(name, "sql/"), ".sql")), "")
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
	for _, rights := range all {
		slices.Sort(rights)
	}
	return all
}
