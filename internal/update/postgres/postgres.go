// Package postgres stores update sessions and attempts, and takes tokens for the calls
// that complete them.
package postgres

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"walletsync/internal/pg"
	"walletsync/internal/update/session"
	"walletsync/internal/wallet"
)

// Statements are the SQL statements of the package.
//
//go:embed sql/*.sql
var Statements embed.FS

var (
	sqlPermissions  = pg.Statement(Statements, "permissions")
	sqlCreate       = pg.Statement(Statements, "create")
	sqlSession      = pg.Statement(Statements, "session")
	sqlLock         = pg.Statement(Statements, "lock")
	sqlAttempt      = pg.Statement(Statements, "attempt")
	sqlHold         = pg.Statement(Statements, "hold")
	sqlAttemptOf    = pg.Statement(Statements, "attempt_of")
	sqlSettle       = pg.Statement(Statements, "settle")
	sqlCancel       = pg.Statement(Statements, "cancel")
	sqlStored       = pg.Statement(Statements, "stored")
	sqlShow         = pg.Statement(Statements, "show")
	sqlTake         = pg.Statement(Statements, "take")
	sqlReturn       = pg.Statement(Statements, "return")
	sqlOpen         = pg.Statement(Statements, "open")
	sqlLeft         = pg.Statement(Statements, "left")
	sqlExpire       = pg.Statement(Statements, "expire")
	sqlUnidentified = pg.Statement(Statements, "unidentified")
	sqlForget       = pg.Statement(Statements, "forget")
	sqlLiftErasure  = pg.Statement(Statements, "lift_erasure")
)

// Refreshes queues statements of the refresh in a transaction of an update.
// refresh/postgres implements it.
type Refreshes interface {
	// QueueRequest queues a refresh request.
	QueueRequest(b *pgx.Batch, w wallet.Want)
	// QueueCallOutcomes queues the outcomes of an account's calls. It must come last
	// in a transaction, and in key order. It calls paused with true if calls pause
	// because several ids in a row were refused.
	QueueCallOutcomes(b *pgx.Batch, o wallet.CallOutcomes, paused func(bool))
}

// Store implements the stores of packages update and session.
type Store struct {
	db        *pg.DB
	refreshes Refreshes
}

// New returns the store in a database. It queues the statements of refreshes in its own
// transactions.
func New(db *pg.DB, refreshes Refreshes) *Store { return &Store{db, refreshes} }

// Permissions returns the stored charge permission, once for each account that has
// it.
func (s *Store) Permissions(ctx context.Context, id wallet.ChargePermissionID) (out []session.Permission, err error) {
	err = s.db.RoundTrip(ctx, func(b *pgx.Batch) {
		pg.Collect(b, &out, func(row pgx.CollectableRow) (p session.Permission, err error) {
			err = row.Scan(&p.Account, &p.Type, &p.Followed, &p.Gone, &p.State, &p.HasAddress, &p.Erased)
			return p, err
		}, sqlPermissions, id)
	})
	if err != nil {
		return nil, fmt.Errorf("stored charge permission: %w", err)
	}
	return out, nil
}

// CreateSession stores a new update session as started.
func (s *Store) CreateSession(ctx context.Context, u session.Session) error {
	details, err := json.Marshal(u.Details)
	if err != nil {
		return fmt.Errorf("update session: %w", err)
	}
	err = s.db.RoundTrip(ctx, func(b *pgx.Batch) {
		b.Queue(sqlCreate, u.ID.String(), u.Account, u.ChargePermission, u.Update, u.ProductType, u.Locale,
			u.StartURL, u.ReturnTo, string(details), u.ExpiresAt, s.db.Now())
	})
	if err != nil {
		return fmt.Errorf("store update session %s: %w", u.ID, err)
	}
	return nil
}

// Session returns an update session, or false if there is none.
func (s *Store) Session(ctx context.Context, id session.ID) (out session.Session, found bool, err error) {
	err = s.db.RoundTrip(ctx, func(b *pgx.Batch) { queueSession(b, id, &out, &found) })
	if err != nil {
		return session.Session{}, false, fmt.Errorf("update session %s: %w", id, err)
	}
	return out, found, nil
}

func queueSession(b *pgx.Batch, id session.ID, out *session.Session, found *bool) {
	*out, *found = session.Session{}, false
	b.Queue(sqlSession, id.String()).Query(func(rows pgx.Rows) error {
		all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (u session.Session, err error) {
			var details []byte
			if err := row.Scan(&u.ID, &u.Account, &u.ChargePermission, &u.Update, &u.ProductType, &u.Locale, &u.StartURL, &u.ReturnTo,
				&details, &u.CreatedAt, &u.ExpiresAt, &u.State, &u.Closed, &u.Erased, &u.CheckoutSessions, &u.ReadsRequested); err != nil {
				return u, err
			}
			return u, json.Unmarshal(details, &u.Details)
		})
		if err == nil && len(all) == 1 {
			*out, *found = all[0], true
		}
		return err
	})
}

// Begin stores that the buyer came back with a Checkout Session and leases the
// attempt to held, unless it has its outcome, is leased, or belongs to another
// session. Repeated with the same token it keeps the lease. It stores no
// new attempt after the session's end or beyond session.MaxCheckoutSessions.
func (s *Store) Begin(ctx context.Context, id session.ID, checkoutSession string, held session.Lease, d time.Duration) (session.Begun, error) {
	var out session.Begun
	var token string
	err := s.db.RoundTrip(ctx, func(b *pgx.Batch) {
		out, token = session.Begun{}, ""
		b.Queue(sqlLock, id.String())
		b.Queue(sqlAttempt, id.String(), checkoutSession, session.MaxCheckoutSessions, s.db.Now())
		b.Queue(sqlHold, id.String(), checkoutSession, held.String(), d.Seconds(), s.db.Now())
		queueSession(b, id, &out.Session, &out.Found)
		s.queueAttempt(b, nil, checkoutSession, id, &out.Attempt, &token)
	})
	if err != nil {
		return session.Begun{}, fmt.Errorf("lease checkout session %s: %w", checkoutSession, err)
	}
	out.Refused = out.Found && out.Attempt.CheckoutSession == ""
	out.Foreign = out.Found && !out.Refused && out.Attempt.Session != id
	out.Deferred = out.Found && !out.Refused && !out.Foreign && out.Attempt.Outcome == "" && token == ""
	out.Ours = out.Found && !out.Refused && !out.Foreign && token == held.String()
	return out, nil
}

func (s *Store) queueAttempt(b *pgx.Batch, a *wallet.AccountID, checkoutSession string, of session.ID, out *session.Attempt, token *string) {
	b.Queue(sqlAttemptOf, a, checkoutSession, of.String(), s.db.Now()).Query(func(rows pgx.Rows) error {
		all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t session.Attempt, err error) {
			var completed *time.Time
			err = row.Scan(&t.Account, &t.ChargePermission, &t.Session, &t.CheckoutSession, &t.ReturnedAt, &t.Outcome,
				&completed, &t.Key, &t.Failures, token, &t.Overdue)
			if completed != nil {
				t.CompletedAt = *completed
			}
			return t, err
		})
		if err == nil && len(all) == 1 {
			*out = all[0]
		}
		return err
	})
}

// Attempt returns an attempt as it stands.
func (s *Store) Attempt(ctx context.Context, a wallet.AccountID, checkoutSession string) (out session.Attempt, err error) {
	var token string
	err = s.db.RoundTrip(ctx, func(b *pgx.Batch) {
		out = session.Attempt{}
		s.queueAttempt(b, &a, checkoutSession, session.ID{}, &out, &token)
	})
	if err == nil && out.CheckoutSession == "" {
		err = errors.New("not found")
	}
	if err != nil {
		return session.Attempt{}, fmt.Errorf("checkout session %s: %w", checkoutSession, err)
	}
	return out, nil
}

// Cancel stores that the buyer came back without a Checkout Session.
func (s *Store) Cancel(ctx context.Context, id session.ID, reason string) (state session.State, err error) {
	err = s.db.RoundTrip(ctx, func(b *pgx.Batch) {
		b.Queue(sqlCancel, id.String(), reason, s.db.Now()).QueryRow(func(row pgx.Row) error { return row.Scan(&state) })
	})
	if err != nil {
		return "", fmt.Errorf("cancel update session %s: %w", id, err)
	}
	return state, nil
}

// Unidentified stores that the buyer came back and that the Checkout Session is
// not known, and requests a read of the charge permission.
func (s *Store) Unidentified(ctx context.Context, u session.Session) error {
	err := s.db.RoundTrip(ctx, func(b *pgx.Batch) {
		s.refreshes.QueueRequest(b, wallet.Want{Account: u.Account, ChargePermission: u.ChargePermission, Priority: wallet.PriorityReturn})
		b.Queue(sqlUnidentified, u.ID.String(), session.MaxCheckoutSessions, s.db.Now())
	})
	if err != nil {
		return fmt.Errorf("request a read for update session %s: %w", u.ID, err)
	}
	return nil
}

// Settle stores the outcome of an attempt and ends its lease.
//
// A completion requests a refresh in the same transaction, so that a crash right
// after it loses nothing, and lifts an earlier erasure. An attempt that ended
// without a clear outcome requests one at the sweep's priority. The request comes
// before the check of the lease, because refreshes is locked first. At worst there
// is one read too many.
func (s *Store) Settle(ctx context.Context, q session.Settlement) (ours bool, err error) {
	err = s.db.RoundTrip(ctx, func(b *pgx.Batch) {
		ours = false
		switch {
		case q.Outcome == session.OutcomeCompleted:
			b.Queue(sqlLiftErasure, q.Account, q.ChargePermission, q.CheckoutSession)
			s.refreshes.QueueRequest(b, wallet.Want{Account: q.Account, ChargePermission: q.ChargePermission, Priority: wallet.PriorityReturn, At: q.CompletedAt})
		case q.Reason == session.ReasonUnclear:
			s.refreshes.QueueRequest(b, wallet.Want{Account: q.Account, ChargePermission: q.ChargePermission, Priority: wallet.PrioritySweep})
		}
		b.Queue(sqlLock, q.Session.String())
		b.Queue(sqlSettle, q.Account, q.CheckoutSession, q.Lease.String(), pg.NullIfEmpty(q.Outcome), pg.NullIfEmpty(q.Reason), pg.NullIfZero(q.CompletedAt),
			pg.NullIfEmpty(q.RequestID), q.Key, q.Failures, pg.NullIfEmpty(q.Error), q.Again.Seconds(), s.db.Now()).
			Exec(func(tag pgconn.CommandTag) error {
				ours = tag.RowsAffected() == 1
				return nil
			})
		for _, c := range slices.Sorted(slices.Values(q.Answered)) { // the quota rows come last, in key order
			s.refreshes.QueueCallOutcomes(b, wallet.CallOutcomes{Account: q.Account, Call: c, Answered: true}, func(bool) {})
		}
	})
	if err != nil {
		return false, err
	}
	return ours, nil
}

// Show returns what a buyer may see of a completed attempt, and stores that it has
// been shown.
func (s *Store) Show(ctx context.Context, a session.Attempt) (out session.Shown, err error) {
	err = s.db.RoundTrip(ctx, func(b *pgx.Batch) {
		out = session.Shown{}
		b.Queue(sqlStored, a.Account, a.CheckoutSession, s.db.Now())
		b.Queue(sqlShow, a.Account, a.CheckoutSession, s.db.Now()).QueryRow(func(row pgx.Row) error {
			var changes []byte
			if err := row.Scan(&out.Any, &out.Settled, &changes); err != nil {
				return err
			}
			if changes == nil {
				return nil
			}
			return json.Unmarshal(changes, &out.New)
		})
	})
	if err != nil {
		return session.Shown{}, fmt.Errorf("changes of checkout session %s: %w", a.CheckoutSession, err)
	}
	return out, nil
}

// Take takes a token for one call. If none is available, wait is the time until the
// next one.
func (s *Store) Take(ctx context.Context, a wallet.AccountID, c wallet.Call) (ok bool, wait time.Duration, err error) {
	err = s.db.RoundTrip(ctx, func(b *pgx.Batch) {
		b.Queue(sqlTake, a, c, s.db.Now()).QueryRow(func(row pgx.Row) error {
			var seconds float64
			err := row.Scan(&ok, &seconds)
			wait = time.Duration(seconds * float64(time.Second))
			return err
		})
	})
	if err != nil {
		return false, 0, fmt.Errorf("token of account %s for %s: %w", a, c, err)
	}
	return ok, wait, nil
}

// Rest pauses calls of kind c for d. If d is zero, each pause in a row is longer
// than the one before.
func (s *Store) Rest(ctx context.Context, a wallet.AccountID, c wallet.Call, d time.Duration, why string) error {
	return s.db.RoundTrip(ctx, func(b *pgx.Batch) {
		s.refreshes.QueueCallOutcomes(b, wallet.CallOutcomes{Account: a, Call: c, Pause: &d, Reason: why}, func(bool) {})
	})
}

// Refused stores that a Checkout Session was refused, and pauses the calls if several
// different ones in a row were refused.
func (s *Store) Refused(ctx context.Context, a wallet.AccountID, c wallet.Call, checkoutSession string) (paused bool, err error) {
	err = s.db.RoundTrip(ctx, func(b *pgx.Batch) {
		paused = false
		s.refreshes.QueueCallOutcomes(b, wallet.CallOutcomes{Account: a, Call: c, Refused: []string{checkoutSession}}, func(p bool) { paused = p })
	})
	return paused, err
}

// Return returns a token and pauses the calls. It does not reconnect after a broken
// connection, because a repetition could return two tokens.
func (s *Store) Return(ctx context.Context, a wallet.AccountID, c wallet.Call, d time.Duration, why string) error {
	err := s.db.RoundTripOnce(ctx, func(b *pgx.Batch) {
		b.Queue(sqlReturn, a, c)
		s.refreshes.QueueCallOutcomes(b, wallet.CallOutcomes{Account: a, Call: c, Pause: &d, Reason: why}, func(bool) {})
	})
	return err
}

// Open returns attempts without a clear outcome that no worker has leased.
func (s *Store) Open(ctx context.Context, a wallet.AccountID, limit int) (out []session.Open, err error) {
	err = s.db.RoundTrip(ctx, func(b *pgx.Batch) {
		pg.Collect(b, &out, func(row pgx.CollectableRow) (o session.Open, err error) {
			err = row.Scan(&o.Session, &o.CheckoutSession)
			return o, err
		}, sqlOpen, a, limit, s.db.Now())
	})
	if err != nil {
		return nil, fmt.Errorf("open attempts: %w", err)
	}
	return out, nil
}

// Left returns the unfinished updates that are due for a refresh.
func (s *Store) Left(ctx context.Context, a wallet.AccountID, limit int) (out []session.Left, err error) {
	err = s.db.RoundTrip(ctx, func(b *pgx.Batch) {
		pg.Collect(b, &out, func(row pgx.CollectableRow) (l session.Left, err error) {
			var completed *time.Time
			err = row.Scan(&l.Session, &l.Account, &l.ChargePermission, &l.Expired, &completed)
			if completed != nil {
				l.CompletedAt = *completed
			}
			return l, err
		}, sqlLeft, a, limit, s.db.Now())
	})
	if err != nil {
		return nil, fmt.Errorf("unfinished updates: %w", err)
	}
	return out, nil
}

// WantLeft requests the refresh that is due, and ends the session if it expired.
func (s *Store) WantLeft(ctx context.Context, l session.Left) error {
	err := s.db.RoundTrip(ctx, func(b *pgx.Batch) {
		if !l.Expired {
			s.refreshes.QueueRequest(b, wallet.Want{Account: l.Account, ChargePermission: l.ChargePermission, Priority: wallet.PriorityReturn, At: l.CompletedAt})
			return
		}
		s.refreshes.QueueRequest(b, wallet.Want{Account: l.Account, ChargePermission: l.ChargePermission, Priority: wallet.PrioritySweep})
		b.Queue(sqlExpire, l.Session.String(), s.db.Now())
	})
	if err != nil {
		return fmt.Errorf("unfinished update session %s: %w", l.Session, err)
	}
	return nil
}

// ForgetUpdates deletes update sessions that ended at least that long ago and accept
// no more returns, with their attempts. It deletes the oldest first, at most limit,
// and returns their number.
func (s *Store) ForgetUpdates(ctx context.Context, account wallet.AccountID, ended time.Duration, limit int) (forgotten int, err error) {
	err = s.db.RoundTrip(ctx, func(b *pgx.Batch) {
		pg.Affect(b, &forgotten, sqlForget, account, ended.Seconds(), limit, s.db.Now())
	})
	return forgotten, err
}

// NoteStored stores, for the completions of the last day, when their change was
// stored.
func (s *Store) NoteStored(ctx context.Context, a wallet.AccountID) error {
	err := s.db.RoundTrip(ctx, func(b *pgx.Batch) { b.Queue(sqlStored, a, nil, s.db.Now()) })
	if err != nil {
		return fmt.Errorf("note when changes were stored: %w", err)
	}
	return nil
}
