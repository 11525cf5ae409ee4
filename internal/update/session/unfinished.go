package session

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"walletsync/internal/wallet"
)

// UnfinishedStore finds what was left open.
type UnfinishedStore interface {
	CompleterStore
	// Open returns attempts without a clear outcome that nobody works on.
	Open(ctx context.Context, most int) ([]Open, error)
	// Begin is that of a return.
	Begin(ctx context.Context, id ID, checkoutSession string, held Held, d time.Duration) (Begun, error)
	// Left returns what a read is owed to.
	Left(ctx context.Context, most int) ([]Left, error)
	// WantLeft wants that read, and ends the session if it expired.
	WantLeft(ctx context.Context, l Left) error
	// NoteStored notes of the completions of the last day when their change was
	// stored, whoever stored it.
	NoteStored(ctx context.Context) error
}

// Open names an attempt.
type Open struct {
	Session         ID
	CheckoutSession string
}

// Unfinished ends what was left open: returns without a clear outcome, sessions
// that nobody has returned from, completions with no read since.
type Unfinished struct {
	Store     UnfinishedStore
	Completer *Completer
	NewHeld   func() Held
	// Most is how many of each kind a run takes.
	Most int
}

// holdOne is how long one attempt is held: two calls, and storing.
const holdOne = 30 * time.Second

// Run does what is due. It returns the accounts for which a read is wanted now,
// so that whoever fetches can be woken, and goes on after an error: what failed
// is due again at the next run.
func (u *Unfinished) Run(ctx context.Context) (wanted []wallet.AccountID, err error) {
	var all []error
	open, err := u.Store.Open(ctx, u.Most)
	all = append(all, err)
	for _, o := range open {
		if ctx.Err() != nil {
			break
		}
		held := u.NewHeld()
		b, err := u.Store.Begin(ctx, o.Session, o.CheckoutSession, held, holdOne)
		if err != nil || !b.Ours {
			all = append(all, err)
			continue
		}
		a, ours, err := u.Completer.Finish(ctx, b.Attempt, held, 0)
		all = append(all, err)
		if ours && (a.Outcome == OutcomeCompleted || a.Overdue) {
			wanted = append(wanted, a.Account)
		}
	}
	left, err := u.Store.Left(ctx, u.Most)
	all = append(all, err)
	for _, l := range left {
		if err := u.Store.WantLeft(ctx, l); err != nil {
			all = append(all, err)
			continue
		}
		zerolog.Ctx(ctx).Info().Str("update_session", l.Session.String()).Bool("expired", l.Expired).Msg("a read is owed to it")
		wanted = append(wanted, l.Account)
	}
	all = append(all, u.Store.NoteStored(ctx))
	slices.Sort(wanted)
	return slices.Compact(wanted), errors.Join(all...)
}
