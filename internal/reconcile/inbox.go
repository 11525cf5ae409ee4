package reconcile

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"walletsync/internal/wallet"
)

// Inbox is the duty to forget old notifications. They are kept for people to look
// at, and to recognise one that comes twice; one that comes when it is forgotten
// is covered by what was read since.
type Inbox struct {
	Store InboxStore
	// Keep is how long after they were processed.
	Keep time.Duration
}

// InboxStore is what Inbox needs of the store.
type InboxStore interface {
	// Forget deletes notifications that were processed so long ago, the oldest
	// first and at most so many, and returns how many.
	Forget(ctx context.Context, account wallet.AccountID, processed time.Duration, most int) (int, error)
}

// mostForgotten is how many notifications a run forgets; by the default schedule
// 1,440,000 a day.
const mostForgotten = 5000

// Name is that of the duty.
func (i *Inbox) Name() string { return "inbox" }

// Do forgets what is old. More than a run may forget is left to the next.
func (i *Inbox) Do(ctx context.Context, account wallet.AccountID) error {
	n, err := i.Store.Forget(ctx, account, i.Keep, mostForgotten)
	if err == nil && n > 0 {
		zerolog.Ctx(ctx).Info().Str("account", string(account)).Int("forgotten", n).Msg("inbox")
	}
	return err
}

// Updates is the duty to forget old update sessions and their attempts.
type Updates struct {
	Store UpdatesStore
	// Keep is how long after they ended.
	Keep time.Duration
}

// UpdatesStore is what Updates needs of the store.
type UpdatesStore interface {
	// ForgetUpdates deletes update sessions that ended so long ago, with their
	// attempts, the oldest first and at most limit, and returns how many.
	ForgetUpdates(ctx context.Context, account wallet.AccountID, ended time.Duration, limit int) (int, error)
}

// Name is that of the duty.
func (u *Updates) Name() string { return "retention of updates" }

// Do forgets what is old. More than a run may forget is left to the next.
func (u *Updates) Do(ctx context.Context, account wallet.AccountID) error {
	n, err := u.Store.ForgetUpdates(ctx, account, u.Keep, mostForgotten)
	if err == nil && n > 0 {
		zerolog.Ctx(ctx).Info().Str("account", string(account)).Int("forgotten", n).Msg("update sessions")
	}
	return err
}

// Accesses is the duty to forget old lines of the console's access log.
type Accesses struct {
	Store AccessStore
	// Keep is how long after they were written.
	Keep time.Duration
}

// AccessStore is what Accesses needs of the store.
type AccessStore interface {
	// ForgetAccesses deletes lines that were written so long ago, the oldest
	// first and at most so many, and returns how many.
	ForgetAccesses(ctx context.Context, written time.Duration, most int) (int, error)
}

// Name is that of the duty.
func (a *Accesses) Name() string { return "access log" }

// Do forgets what is old, of whatever account. More than a run may forget is
// left to the next.
func (a *Accesses) Do(ctx context.Context, _ wallet.AccountID) error {
	n, err := a.Store.ForgetAccesses(ctx, a.Keep, mostForgotten)
	if err == nil && n > 0 {
		zerolog.Ctx(ctx).Info().Int("forgotten", n).Msg("access log")
	}
	return err
}

var (
	_ Duty = (*Inbox)(nil)
	_ Duty = (*Updates)(nil)
	_ Duty = (*Accesses)(nil)
)
