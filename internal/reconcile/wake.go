package reconcile

import (
	"context"

	"walletsync/internal/refresh"
	"walletsync/internal/telemetry"
	"walletsync/internal/wallet"
)

// Wake is the duty to what is wanted and nobody is going to fetch: its wake-up
// was lost, or the worker that held its lease died. It decides on a wake-up as
// each batch does at its end; one whose time has passed counts as none.
type Wake struct {
	Store   WakeStore
	Waker   refresh.Waker
	Metrics *telemetry.Metrics
}

// WakeStore is what Wake needs of the store.
type WakeStore interface {
	// Backlog decides on an account's wake-up, and tells what waits.
	Backlog(context.Context, wallet.AccountID) (refresh.Backlog, []refresh.Wake, error)
}

// Name is that of the duty.
func (w *Wake) Name() string { return "wake-up" }

// Do sends the wake-up that is needed, if one is. It fails if it cannot: the
// next run decides anew once the time of this one has passed.
func (w *Wake) Do(ctx context.Context, account wallet.AccountID) error {
	backlog, wakes, err := w.Store.Backlog(ctx, account)
	if err != nil {
		return err
	}
	backlog.Tell(w.Metrics)
	for _, k := range wakes {
		if err := w.Waker.Wake(ctx, k.Account, k.At, k.Delay); err != nil {
			return err
		}
		w.Metrics.Count(telemetry.WakeUps, 1, telemetry.Labels{Reason: "reconciler"})
	}
	return nil
}

var _ Duty = (*Wake)(nil)
