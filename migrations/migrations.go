// Package migrations holds the schema's history, one file a step, embedded into
// the migrator. Steps only go forward, and each leaves the code of the release
// before it working: functions and migrator never switch at the same moment. So
// a step expands, and what nothing needs any more goes in a step of a later
// release.
//
// A step runs in one transaction, waits 3 s at most for a lock, and is tried
// again: it must be short. An index on a table with rows is built by "create
// index concurrently" in a step of its own under "-- +goose NO TRANSACTION",
// between "set lock_timeout = 0" and "set lock_timeout = '3s'", since it waits for
// old transactions but stands in nobody's way; and after "drop index concurrently
// if exists", since one that was broken off is left invalid. No step names a role of the cluster. `make lint`
// has squawk look for what locks too much; rows for the next steps to meet go
// to internal/pg/migrate/testdata/rows. When a release is made,
// `go test ./migrations -release` writes down that its steps stay as they are.
package migrations

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
)

// OldestServer is the major version of the oldest PostgreSQL that schema and
// statements run on.
const OldestServer = 15

// FS holds the steps in the form that goose reads.
//
//go:embed *.sql
var FS embed.FS

// Hash names the steps as they stand: it changes when any of them does.
func Hash() string {
	h := sha256.New()
	files, _ := fs.Glob(FS, "*.sql") // the pattern is well formed
	for _, name := range files {
		text, err := FS.ReadFile(name)
		if err != nil {
			panic(err) // embedded
		}
		fmt.Fprintf(h, "%s\n%s\n", name, text)
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}
