package reconcile

import (
	"context"

	"walletsync/internal/wallet"
)

// Hours is the duty to the console's overview: it counts what happened in the
// hour that is open, and anew in the one before it. It comes after all others,
// as nothing waits for it.
type Hours struct {
	Store HoursStore
}

// HoursStore is what Hours needs of the store.
type HoursStore interface {
	// CountHours counts the hours since the last run.
	CountHours(context.Context, wallet.AccountID) error
}

// Name is that of the duty.
func (h *Hours) Name() string { return "hourly figures" }

// Do counts.
func (h *Hours) Do(ctx context.Context, account wallet.AccountID) error {
	return h.Store.CountHours(ctx, account)
}

var _ Duty = (*Hours)(nil)
