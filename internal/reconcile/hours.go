package reconcile

import (
	"context"

	"walletsync/internal/wallet"
)

// Hours is the duty to count hourly figures for the console's overview. It counts
// the current hour and recounts the one before. It runs after all others, because
// nothing depends on it.
type Hours struct {
	Store HoursStore
}

// HoursStore is what Hours needs of the store.
type HoursStore interface {
	// CountHours counts the hours since the last run.
	CountHours(context.Context, wallet.AccountID) error
}

// Name returns the duty's name.
func (h *Hours) Name() string { return "hourly figures" }

// Do counts the hours.
func (h *Hours) Do(ctx context.Context, account wallet.AccountID) error {
	return h.Store.CountHours(ctx, account)
}

var _ Duty = (*Hours)(nil)
