// Package migrations holds the schema's history, one file a step, embedded into
// the migrator. Steps only go forward, and each leaves the code of the release
// before it working: functions and migrator never switch at the same moment.
package migrations

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
)

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
