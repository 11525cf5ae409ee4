package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"walletsync/internal/pg"
)

// TestRightsCoverEveryStatement: without a feature in the list, the doctor would not find
// missing rights, and the feature would fail at its first statement.
func TestRightsCoverEveryStatement(t *testing.T) {
	folders, err := filepath.Glob("../../internal/*/postgres")
	if err != nil {
		t.Fatal(err)
	}
	var features []fs.FS
	for _, f := range folders {
		if f != "../../internal/doctor/postgres" { // it runs with the doctor's role, which may read the catalog
			features = append(features, os.DirFS(f))
		}
	}
	if d := cmp.Diff(pg.Rights(features...), rights()); d != "" {
		t.Errorf("of %d features (-statements +rights): %s", len(features), d)
	}
}
