package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"walletsync/internal/pg"
)

// TestRightsCoverEveryStatement: a feature that is missing in the list would
// fail at its first statement, and the doctor would have found nothing.
func TestRightsCoverEveryStatement(t *testing.T) {
	folders, err := filepath.Glob("../../internal/*/postgres")
	if err != nil {
		t.Fatal(err)
	}
	var features []fs.FS
	for _, f := range folders {
		if f != "../../internal/doctor/postgres" { // as the doctor's role, which may look at the catalog
			features = append(features, os.DirFS(f))
		}
	}
	if d := cmp.Diff(pg.Rights(features...), rights()); d != "" {
		t.Errorf("of %d features (-statements +rights): %s", len(features), d)
	}
}
