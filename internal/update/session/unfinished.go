package session

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"

	"walletsync/internal/wallet"
)

// UnfinishedStore finds updates that buyers left open.
type UnfinishedStore interface {
	CompleterStore
	// Open returns attempts without an outcome that are not leased.
	Open(ctx context.Context, a wallet.AccountID, limit int) ([]Open, error)
	// Begin leases an attempt, see update.ReturnStore.
	Begin(ctx context.Context, id ID, checkoutSession string, held Lease, d time.Duration) (Begun, error)
	// Left returns the updates that are due for a refresh.
	Left(ctx context.Context, a wallet.AccountID, limit int) ([]Left, error)
	// WantLeft requests that refresh, and ends the session if it expired.
	WantLeft(ctx context.Context, l Left) error
	// NoteStored stores, for the completions of the last day, when their change was
	// stored.
	NoteStored(ctx context.Context, a wallet.AccountID) error
}

// Open identifies an attempt without an outcome.
type Open struct {
	Session         ID
	CheckoutSession string
}

// Unfinished is the reconciler's duty for updates that buyers left open: returns
// without an outcome, sessions without a return, and completions with no read since.
type Unfinished struct {
	Store     UnfinishedStore
	Completer *Completer
	NewLease  func() Lease
	// Limit limits the updates of each kind in one run for an account.
	Limit int
}

// leastTime is the time that must be left to begin another attempt: for one call and
// for storing its result.
const leastTime = 2 * settleTime

// holdOne is the lease of one attempt. Two calls and storing the result fit.
const holdOne = 30 * time.Second

// Name returns the name of the duty.
func (u *Unfinished) Name() string { return "updates" }

// Do processes the unfinished updates of an account. It continues after an error,
// because the next run retries. The caller must send a wake-up for the refreshes
// that Do requests. The calls to Amazon Pay come last and use the time that is left
// until the deadline of ctx.
func (u *Unfinished) Do(ctx context.Context, a wallet.AccountID) error {
	var failed []error
	left, err := u.Store.Left(ctx, a, u.Limit)
	failed = append(failed, err)
	for _, l := range left {
		err := u.Store.WantLeft(ctx, l)
		failed = append(failed, err)
		if err == nil {
			zerolog.Ctx(ctx).Info().Str("update_session", l.Session.String()).Bool("expired", l.Expired).Msg("scheduled refresh for unfinished update")
		}
	}
	failed = append(failed, u.Store.NoteStored(ctx, a))
	open, err := u.Store.Open(ctx, a, u.Limit)
	failed = append(failed, err)
	for i, o := range open {
		if end, bounded := ctx.Deadline(); i > 0 && bounded && time.Until(end) < leastTime {
			break
		}
		failed = append(failed, u.finish(ctx, o))
	}
	return errors.Join(failed...)
}

// finish tries once to bring an attempt to its outcome.
func (u *Unfinished) finish(ctx context.Context, o Open) error {
	held := u.NewLease()
	b, err := u.Store.Begin(ctx, o.Session, o.CheckoutSession, held, holdOne)
	if err != nil || !b.Ours {
		return err // another request has the lease, because the buyer came back
	}
	_, _, err = u.Completer.Finish(ctx, b.Attempt, held, 0)
	return err
}
