package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"walletsync/internal/person"
	"walletsync/internal/pg"
	"walletsync/internal/wallet"
)

var (
	sqlPerson           = statement("person")
	sqlPersonExport     = statement("person_export")
	sqlPersonOfBuyer    = statement("person_of_buyer")
	sqlEraseLock        = statement("erase_lock")
	sqlErasePermissions = statement("erase_permissions")
	sqlEraseSessions    = statement("erase_sessions")
	sqlEraseAttempts    = statement("erase_attempts")
	sqlEraseHistory     = statement("erase_history")
	sqlEraseTell        = statement("erase_tell")
	sqlEraseDone        = statement("erase_done")
	sqlLift             = statement("lift")
	sqlRetention        = statement("retention")
	sqlInboxOld         = statement("inbox_old")
)

// OfOnePerson is that of person.Finder.
func (s *Store) OfOnePerson(ctx context.Context, account wallet.AccountID, id wallet.ChargePermissionID) (all []person.Permission, at time.Time, err error) {
	return s.permissionsOf(ctx, sqlPerson, id, account)
}

// permissionsOf returns the charge permissions that a statement finds by an id,
// and the store's time.
func (s *Store) permissionsOf(ctx context.Context, sql string, id any, account wallet.AccountID) (all []person.Permission, at time.Time, err error) {
	err = s.db.RoundTrip(ctx, func(b *pgx.Batch) {
		pg.Collect(b, &all, func(row pgx.CollectableRow) (p person.Permission, err error) {
			err = row.Scan(&p.Account, &p.ID, &at)
			return p, err
		}, sql, id, pg.NullIfEmpty(account), s.db.Now())
	})
	return all, at, err
}

// Erase is that of person.Store.
func (s *Store) Erase(ctx context.Context, account wallet.AccountID, ids []wallet.ChargePermissionID, cause wallet.Cause) error {
	return s.db.RoundTrip(ctx, func(b *pgx.Batch) {
		some := pg.Texts(ids)
		b.Queue(sqlEraseLock, account, some)
		b.Queue(sqlErasePermissions, account, some)
		b.Queue(sqlEraseSessions, account, some, s.db.Now())
		b.Queue(sqlEraseAttempts, account, some)
		b.Queue(sqlEraseHistory, account, some, pg.Texts(wallet.FacetsOfNobody()))
		b.Queue(sqlEraseTell, account, some, cause, s.db.Now())
		b.Queue(sqlEraseDone, account, some, s.db.Now())
	})
}

func texts[T ~string](all []T) []string {
	out := make([]string, len(all))
	for i, t := range all {
		out[i] = string(t)
	}
	return out
}

// ExportPerson returns all that is stored of charge permissions of one account, as
// a JSON document.
func (s *Store) ExportPerson(ctx context.Context, account wallet.AccountID, ids []wallet.ChargePermissionID) (document []byte, err error) {
	err = s.db.RoundTrip(ctx, func(b *pgx.Batch) {
		b.Queue(sqlPersonExport, account, pg.Texts(ids), s.db.Now()).QueryRow(func(row pgx.Row) error { return row.Scan(&document) })
	})
	return document, err
}

// OfBuyer returns the charge permissions that carry a buyer id, in key order, and
// the store's time. An empty account stands for every one that knows it.
func (s *Store) OfBuyer(ctx context.Context, account wallet.AccountID, buyer string) (all []person.Permission, at time.Time, err error) {
	return s.permissionsOf(ctx, sqlPersonOfBuyer, buyer, account)
}

// ToErase is that of reconcile.RetentionStore.
func (s *Store) ToErase(ctx context.Context, account wallet.AccountID, kept time.Duration, limit int) (due []person.Permission, at time.Time, err error) {
	err = s.db.RoundTrip(ctx, func(b *pgx.Batch) {
		pg.Collect(b, &due, func(row pgx.CollectableRow) (p person.Permission, err error) {
			err = row.Scan(&p.Account, &p.ID, &at)
			return p, err
		}, sqlRetention, account, kept.Seconds(), limit, s.db.Now())
	})
	return due, at, err
}

// Forget is that of reconcile.InboxStore.
func (s *Store) Forget(ctx context.Context, account wallet.AccountID, processed time.Duration, most int) (forgotten int, err error) {
	err = s.db.RoundTrip(ctx, func(b *pgx.Batch) {
		pg.Affect(b, &forgotten, sqlInboxOld, account, processed.Seconds(), most, s.db.Now())
	})
	return forgotten, err
}
