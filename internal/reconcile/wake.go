package reconcile

import (
	"context"

	"walletsync/internal/refresh"
	"walletsync/internal/telemetry"
	"walletsync/internal/wallet"
)

// Wake is the duty to send a wake-up for requested refreshes that no worker is
// going to fetch, because a wake-up was lost or a worker crashed with a lease. It
// decides as each batch does at its end; a wake-up whose time has passed counts as
// none.
type Wake struct {
	Store   WakeStore
	Waker   refresh.Waker
	Metrics *telemetry.Metrics
}

// WakeStore is what Wake needs of the store.
type WakeStore interface {
	// Backlog decides on an account's wake-up, and returns its backlog.
	Backlog(context.Context, wallet.AccountID) (refresh.Backlog, []refresh.Wake, error)
}

// Name returns the duty's name.
func (w *Wake) Name() string { return "wake-up" }

// Do sends a wake-up if one is needed. If it cannot, it returns an error, and the
// first run after the wake-up's time decides again.
func (w *Wake) Do(ctx context.Context, account wallet.AccountID) error {
	backlog, wakes, err := w.Store.Backlog(ctx, account)
	if err != nil {
		return err
	}
	backlog.Report(w.Metrics)
	for _, k := range wakes {
		if err := w.Waker.Wake(ctx, k.Account, k.At, k.Delay); err != nil {
			return err
		}
		w.Metrics.Count(telemetry.WakeUps, 1, telemetry.Labels{Reason: "reconciler"})
	}
	return nil
}

var _ Duty = (*Wake)(nil)
