// Package postgres is what the CLI's own commands need of the database: exports,
// the inbox of an incident, and putting a database right after a restore.
package postgres

import (
	"embed"

	"walletsync/internal/pg"
)

// Statements are those of the package.
//
//go:embed sql/*.sql
var Statements embed.FS

// Store is what the commands need of the database beside the features' stores.
type Store struct{ db *pg.DB }

// New returns the store in a database.
func New(db *pg.DB) *Store { return &Store{db} }
