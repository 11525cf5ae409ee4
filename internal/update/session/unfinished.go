package session

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"

	"walletsync/internal/wallet"
)

// UnfinishedStore finds what was left open.
type UnfinishedStore interface {
	CompleterStore
	// Open returns attempts without a clear outcome that nobody works on.
	Open(ctx context.Context, a wallet.AccountID, most int) ([]Open, error)
	// Begin is that of a return.
	Begin(ctx context.Context, id ID, checkoutSession string, held Held, d time.Duration) (Begun, error)
	// Left returns what a read is owed to.
	Left(ctx context.Context, a wallet.AccountID, most int) ([]Left, error)
	// WantLeft wants that read, and ends the session if it expired.
	WantLeft(ctx context.Context, l Left) error
	// NoteStored notes of the completions of the last day when their change was
	// stored, whoever stored it.
	NoteStored(ctx context.Context, a wallet.AccountID) error
}

// Open names an attempt.
type Open struct {
	Session         ID
	CheckoutSession string
}

// Unfinished is the reconciler's duty to end what was left open: returns without
// a clear outcome, sessions that nobody has returned from, completions with no
// read since.
type Unfinished struct {
	Store     UnfinishedStore
	Completer *Completer
	NewHeld   func() Held
	// Most is how many of each kind a run takes for an account.
	Most int
}

// leastTime is the time without which no further attempt is begun: a call, and
// storing what came of it.
const leastTime = 2 * settleTime

// holdOne is how long one attempt is held: two calls, and storing.
const holdOne = 30 * time.Second

// Name is that of the reconciler's duty.
func (u *Unfinished) Name() string { return "updates" }

// Do does what is due for an account. It goes on after an error: what failed is
// due again at the next run. What it marks wanted needs a wake-up, which is for
// who calls to send. The calls to Amazon Pay come last, and take the time that ctx
// leaves.
func (u *Unfinished) Do(ctx context.Context, a wallet.AccountID) error {
	var failed []error
	left, err := u.Store.Left(ctx, a, u.Most)
	failed = append(failed, err)
	for _, l := range left {
		err := u.Store.WantLeft(ctx, l)
		failed = append(failed, err)
		if err == nil {
			zerolog.Ctx(ctx).Info().Str("update_session", l.Session.String()).Bool("expired", l.Expired).Msg("a read was owed to it")
		}
	}
	failed = append(failed, u.Store.NoteStored(ctx, a))
	open, err := u.Store.Open(ctx, a, u.Most)
	failed = append(failed, err)
	for i, o := range open {
		if end, bounded := ctx.Deadline(); i > 0 && bounded && time.Until(end) < leastTime {
			break
		}
		failed = append(failed, u.finish(ctx, o))
	}
	return errors.Join(failed...)
}

// finish makes one try to bring an attempt to its outcome.
func (u *Unfinished) finish(ctx context.Context, o Open) error {
	held := u.NewHeld()
	b, err := u.Store.Begin(ctx, o.Session, o.CheckoutSession, held, holdOne)
	if err != nil || !b.Ours {
		return err // the buyer came back, and holds it
	}
	_, _, err = u.Completer.Finish(ctx, b.Attempt, held, 0)
	return err
}
