package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"walletsync/internal/backoffice/view"
	"walletsync/internal/push"
	"walletsync/internal/reconcile"
	"walletsync/internal/refresh"
	"walletsync/internal/wallet"
)

// LazyStore is a Store that learns its URL when it is first used, and asks for
// it again when the server refuses the password: it may have been rotated.
type LazyStore struct {
	url     func(ctx context.Context, again bool) (string, error)
	options Options

	mu    sync.Mutex
	known string
	store *Store
}

// Lazy returns a store for the database whose URL the function tells; again
// says that the one told before was refused.
func Lazy(url func(ctx context.Context, again bool) (string, error), o Options) *LazyStore {
	return &LazyStore{url: url, options: o}
}

func (l *LazyStore) open(ctx context.Context, again bool) (*Store, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.store != nil && !again {
		return l.store, nil
	}
	url, err := l.url(ctx, again)
	if err != nil {
		return nil, fmt.Errorf("database URL: %w", err)
	}
	if l.store != nil && url == l.known {
		return l.store, nil
	}
	store, err := Open(context.WithoutCancel(ctx), url, l.options)
	if err != nil {
		return nil, err
	}
	if l.store != nil {
		l.store.Close()
	}
	l.store, l.known = store, url
	return store, nil
}

// withStore runs do, and once more with the URL asked for again if the server
// refused the password.
func withStore[T any](ctx context.Context, l *LazyStore, do func(*Store) (T, error)) (T, error) {
	var none T
	s, err := l.open(ctx, false)
	if err != nil {
		return none, err
	}
	out, err := do(s)
	if !passwordRefused(err) {
		return out, err
	}
	if s, err = l.open(ctx, true); err != nil {
		return none, err
	}
	return do(s)
}

// lazily is withStore for what returns nothing else, or more than one thing.
func lazily(ctx context.Context, l *LazyStore, do func(*Store) error) error {
	_, err := withStore(ctx, l, func(s *Store) (struct{}, error) { return struct{}{}, do(s) })
	return err
}

// passwordRefused reports whether the server does not know the role or refuses
// its password (class 28).
func passwordRefused(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && strings.HasPrefix(refused.Code, "28")
}

// Claim is Store.Claim.
func (l *LazyStore) Claim(ctx context.Context, q refresh.ClaimRequest) (refresh.Claimed, error) {
	return withStore(ctx, l, func(s *Store) (refresh.Claimed, error) { return s.Claim(ctx, q) })
}

// Commit is Store.Commit.
func (l *LazyStore) Commit(ctx context.Context, q refresh.CommitRequest) (refresh.Committed, error) {
	return withStore(ctx, l, func(s *Store) (refresh.Committed, error) { return s.Commit(ctx, q) })
}

// Backlog is Store.Backlog.
func (l *LazyStore) Backlog(ctx context.Context, a wallet.AccountID) (backlog refresh.Backlog, wakes []refresh.Wake, err error) {
	err = lazily(ctx, l, func(s *Store) (err error) {
		backlog, wakes, err = s.Backlog(ctx, a)
		return err
	})
	return backlog, wakes, err
}

// Sweepable is Store.Sweepable.
func (l *LazyStore) Sweepable(ctx context.Context, a wallet.AccountID) (reconcile.Sweepable, error) {
	return withStore(ctx, l, func(s *Store) (reconcile.Sweepable, error) { return s.Sweepable(ctx, a) })
}

// MarkUnread is Store.MarkUnread.
func (l *LazyStore) MarkUnread(ctx context.Context, a wallet.AccountID, unread time.Duration, most int) (int, error) {
	return withStore(ctx, l, func(s *Store) (int, error) { return s.MarkUnread(ctx, a, unread, most) })
}

// Unpushed is Store.Unpushed.
func (l *LazyStore) Unpushed(ctx context.Context, most int) ([]push.Change, error) {
	return withStore(ctx, l, func(s *Store) ([]push.Change, error) { return s.Unpushed(ctx, most) })
}

// Pushed is Store.Pushed.
func (l *LazyStore) Pushed(ctx context.Context, position int64) error {
	return lazily(ctx, l, func(s *Store) error { return s.Pushed(ctx, position) })
}

// Heard is Store.Heard.
func (l *LazyStore) Heard(ctx context.Context, a wallet.AccountID, patience time.Duration) (reconcile.Heard, error) {
	return withStore(ctx, l, func(s *Store) (reconcile.Heard, error) { return s.Heard(ctx, a, patience) })
}

// Inbox is Store.Inbox, with no second try.
func (l *LazyStore) Inbox(ctx context.Context, a wallet.AccountID, since, until time.Time, each func(refresh.Recorded) error) error {
	s, err := l.open(ctx, false)
	if err != nil {
		return err
	}
	return s.Inbox(ctx, a, since, until, each)
}

// Import is Store.Import.
func (l *LazyStore) Import(ctx context.Context, a wallet.AccountID, ids []wallet.ChargePermissionID) (int, error) {
	return withStore(ctx, l, func(s *Store) (int, error) { return s.Import(ctx, a, ids) })
}

// Imported is Store.Imported.
func (l *LazyStore) Imported(ctx context.Context, a wallet.AccountID, ids []wallet.ChargePermissionID) (reconcile.Imported, error) {
	return withStore(ctx, l, func(s *Store) (reconcile.Imported, error) { return s.Imported(ctx, a, ids) })
}

// ImportOf is Store.ImportOf.
func (l *LazyStore) ImportOf(ctx context.Context, a wallet.AccountID) (reconcile.Import, error) {
	return withStore(ctx, l, func(s *Store) (reconcile.Import, error) { return s.ImportOf(ctx, a) })
}

// OtherCalls is Store.OtherCalls.
func (l *LazyStore) OtherCalls(ctx context.Context, a wallet.AccountID) (float64, error) {
	return withStore(ctx, l, func(s *Store) (float64, error) { return s.OtherCalls(ctx, a) })
}

// page is a page of a list, and where it ends.
type page struct {
	rows []view.Row
	next view.Cursor
}

// Search is Store.Search.
func (l *LazyStore) Search(ctx context.Context, masked bool, q view.Query) ([]view.Row, view.Cursor, error) {
	p, err := withStore(ctx, l, func(s *Store) (p page, err error) {
		p.rows, p.next, err = s.Search(ctx, masked, q)
		return p, err
	})
	return p.rows, p.next, err
}

// List is Store.List.
func (l *LazyStore) List(ctx context.Context, masked bool, q view.ListQuery) ([]view.Row, view.Cursor, error) {
	p, err := withStore(ctx, l, func(s *Store) (p page, err error) {
		p.rows, p.next, err = s.List(ctx, masked, q)
		return p, err
	})
	return p.rows, p.next, err
}

// Record is Store.Record.
func (l *LazyStore) Record(ctx context.Context, masked bool, a wallet.AccountID, id wallet.ChargePermissionID, before int64) (r view.Record, found bool, err error) {
	err = lazily(ctx, l, func(s *Store) (err error) {
		r, found, err = s.Record(ctx, masked, a, id, before)
		return err
	})
	return r, found, err
}

// Overview is Store.Overview.
func (l *LazyStore) Overview(ctx context.Context, from time.Time, patience time.Duration) (view.Overview, error) {
	return withStore(ctx, l, func(s *Store) (view.Overview, error) { return s.Overview(ctx, from, patience) })
}

// CountHours is Store.CountHours.
func (l *LazyStore) CountHours(ctx context.Context, a wallet.AccountID) error {
	return lazily(ctx, l, func(s *Store) error { return s.CountHours(ctx, a) })
}
