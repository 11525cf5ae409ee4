// Package postgres finds, exports and erases a person's stored data.
package postgres

import (
	"context"
	"embed"
	"time"

	"github.com/jackc/pgx/v5"

	"walletsync/internal/pg"
	"walletsync/internal/privacy"
	"walletsync/internal/wallet"
)

// Statements are those of the package.
//
//go:embed sql/*.sql
var Statements embed.FS

var (
	sqlOfOnePerson      = pg.Statement(Statements, "of_one_person")
	sqlOfBuyer          = pg.Statement(Statements, "of_buyer")
	sqlExport           = pg.Statement(Statements, "export")
	sqlRetention        = pg.Statement(Statements, "retention")
	sqlEraseLock        = pg.Statement(Statements, "erase_lock")
	sqlErasePermissions = pg.Statement(Statements, "erase_permissions")
	sqlEraseSessions    = pg.Statement(Statements, "erase_sessions")
	sqlEraseAttempts    = pg.Statement(Statements, "erase_attempts")
	sqlEraseHistory     = pg.Statement(Statements, "erase_history")
	sqlErasePublish     = pg.Statement(Statements, "erase_publish")
	sqlEraseMark        = pg.Statement(Statements, "erase_mark")
)

// Store is what package privacy needs of the database.
type Store struct{ db *pg.DB }

// New returns the store in a database.
func New(db *pg.DB) *Store { return &Store{db} }

// OfOnePerson returns the charge permissions with the same buyer id as id,
// itself among them, in key order, and the store's time.
func (s *Store) OfOnePerson(ctx context.Context, account wallet.AccountID, id wallet.ChargePermissionID) (permissions []privacy.Permission, at time.Time, err error) {
	return s.permissionsOf(ctx, sqlOfOnePerson, id, account)
}

// permissionsOf returns the charge permissions that a statement finds by an id,
// and the store's time.
func (s *Store) permissionsOf(ctx context.Context, sql string, id any, account wallet.AccountID) (permissions []privacy.Permission, at time.Time, err error) {
	err = s.db.RoundTrip(ctx, func(b *pgx.Batch) {
		collect(b, &permissions, &at, sql, id, pg.NullIfEmpty(account), s.db.Now())
	})
	return permissions, at, err
}

// Erase blanks the personal data of charge permissions, and leaves an erasure
// marker so that none is stored again.
func (s *Store) Erase(ctx context.Context, account wallet.AccountID, ids []wallet.ChargePermissionID, cause wallet.Cause) error {
	return s.db.RoundTrip(ctx, func(b *pgx.Batch) {
		permissions := pg.Texts(ids)
		b.Queue(sqlEraseLock, account, permissions)
		b.Queue(sqlErasePermissions, account, permissions)
		b.Queue(sqlEraseSessions, account, permissions, s.db.Now())
		b.Queue(sqlEraseAttempts, account, permissions)
		b.Queue(sqlEraseHistory, account, permissions, pg.Texts(wallet.ImpersonalFacets()))
		b.Queue(sqlErasePublish, account, permissions, cause, s.db.Now())
		b.Queue(sqlEraseMark, account, permissions, s.db.Now())
	})
}

// ExportPerson returns all stored data of charge permissions of one account, as a
// JSON document.
func (s *Store) ExportPerson(ctx context.Context, account wallet.AccountID, ids []wallet.ChargePermissionID) (document []byte, err error) {
	err = s.db.RoundTrip(ctx, func(b *pgx.Batch) {
		b.Queue(sqlExport, account, pg.Texts(ids), s.db.Now()).QueryRow(func(row pgx.Row) error { return row.Scan(&document) })
	})
	return document, err
}

// OfBuyer returns the charge permissions with a buyer id, in key order, and the
// store's time. An empty account means every account that has it.
func (s *Store) OfBuyer(ctx context.Context, account wallet.AccountID, buyer string) (permissions []privacy.Permission, at time.Time, err error) {
	return s.permissionsOf(ctx, sqlOfBuyer, buyer, account)
}

// ToErase returns the charge permissions that are due for erasure, at most limit.
func (s *Store) ToErase(ctx context.Context, account wallet.AccountID, kept time.Duration, limit int) (due []privacy.Permission, at time.Time, err error) {
	err = s.db.RoundTrip(ctx, func(b *pgx.Batch) {
		collect(b, &due, &at, sqlRetention, account, kept.Seconds(), limit, s.db.Now())
	})
	return due, at, err
}

// collect queues a statement that finds charge permissions and returns the store's
// time with each.
func collect(b *pgx.Batch, permissions *[]privacy.Permission, at *time.Time, sql string, args ...any) {
	pg.Collect(b, permissions, func(row pgx.CollectableRow) (p privacy.Permission, err error) {
		err = row.Scan(&p.Account, &p.ID, at)
		return p, err
	}, sql, args...)
}
