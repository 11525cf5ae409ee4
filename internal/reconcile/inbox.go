package reconcile

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"walletsync/internal/wallet"
)

// Inbox is the duty to delete old notifications. They are kept for display and to
// recognise duplicates. A duplicate of a deleted notification requests nothing,
// because a later read covers it.
type Inbox struct {
	Store InboxStore
	// Keep is how long they are kept after they were processed.
	Keep time.Duration
}

// InboxStore is what Inbox needs of the store.
type InboxStore interface {
	// Forget deletes notifications that were processed at least that long ago, the
	// oldest first and at most limit, and returns how many.
	Forget(ctx context.Context, account wallet.AccountID, processed time.Duration, limit int) (int, error)
}

// deleteLimit is the number of rows that a duty deletes in one run; by the default
// schedule 1,440,000 a day.
const deleteLimit = 5000

// Name returns the duty's name.
func (i *Inbox) Name() string { return "inbox" }

// Do deletes old notifications. The next run continues beyond deleteLimit.
func (i *Inbox) Do(ctx context.Context, account wallet.AccountID) error {
	n, err := i.Store.Forget(ctx, account, i.Keep, deleteLimit)
	if err == nil && n > 0 {
		zerolog.Ctx(ctx).Info().Str("account", string(account)).Int("forgotten", n).Msg("inbox")
	}
	return err
}

// Updates is the duty to delete old update sessions and their attempts.
type Updates struct {
	Store UpdatesStore
	// Keep is how long they are kept after they ended.
	Keep time.Duration
}

// UpdatesStore is what Updates needs of the store.
type UpdatesStore interface {
	// ForgetUpdates deletes update sessions that ended at least that long ago, with
	// their attempts, the oldest first and at most limit, and returns how many.
	ForgetUpdates(ctx context.Context, account wallet.AccountID, ended time.Duration, limit int) (int, error)
}

// Name returns the duty's name.
func (u *Updates) Name() string { return "retention of updates" }

// Do deletes old update sessions. The next run continues beyond deleteLimit.
func (u *Updates) Do(ctx context.Context, account wallet.AccountID) error {
	n, err := u.Store.ForgetUpdates(ctx, account, u.Keep, deleteLimit)
	if err == nil && n > 0 {
		zerolog.Ctx(ctx).Info().Str("account", string(account)).Int("forgotten", n).Msg("update sessions")
	}
	return err
}

// Accesses is the duty to delete old lines of the console's access log.
type Accesses struct {
	Store AccessStore
	// Keep is how long they are kept after they were written.
	Keep time.Duration
}

// AccessStore is what Accesses needs of the store.
type AccessStore interface {
	// ForgetAccesses deletes lines that were written at least that long ago, the
	// oldest first and at most limit, and returns how many.
	ForgetAccesses(ctx context.Context, written time.Duration, limit int) (int, error)
}

// Name returns the duty's name.
func (a *Accesses) Name() string { return "access log" }

// Do deletes old lines of all accounts. The next run continues beyond deleteLimit.
func (a *Accesses) Do(ctx context.Context, _ wallet.AccountID) error {
	n, err := a.Store.ForgetAccesses(ctx, a.Keep, deleteLimit)
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
