// Package postgres keeps walletsync's state in PostgreSQL 15 or newer.
// The SQL stands in sql/, one statement a file, each with its locks and indexes.
package postgres

import (
	"embed"

	"walletsync/internal/pg"
)

// Statements are those of the package.
//
//go:embed sql/*.sql
var Statements embed.FS

// statement returns the text of one statement.
func statement(name string) string { return pg.Statement(Statements, name) }

// Store is all that is stored.
type Store struct{ db *pg.DB }

// New returns the store in a database.
func New(db *pg.DB) *Store { return &Store{db} }
