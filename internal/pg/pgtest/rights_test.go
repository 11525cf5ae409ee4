package pgtest

import (
	"slices"
	"testing"

	"walletsync/internal/pg"
	refreshpg "walletsync/internal/refresh/postgres"
)

func TestRightsAreReadFromTheStatements(t *testing.T) {
	all := pg.Rights(refreshpg.Statements)
	for table, want := range map[string][]string{
		"refreshes":                 {"insert", "select", "update"},
		"notifications":             {"insert", "select"},
		"charge_permissions":        {"insert", "select", "update"},
		"charge_permission_changes": {"insert", "select"},
		"feed":                      {"select", "update"},
		"api_quota":                 {"select", "update"},
	} {
		for _, right := range want {
			if !slices.Contains(all[table], right) {
				t.Errorf("%s on %s is not among %v", right, table, all[table])
			}
		}
	}
	if _, ok := all["masked"]; ok {
		t.Error("a function is taken for a table")
	}
}
