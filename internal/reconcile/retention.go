package reconcile

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"walletsync/internal/person"
	"walletsync/internal/telemetry"
	"walletsync/internal/wallet"
)

// Retention is the duty to erase the personal data of what has been closed for
// long enough.
type Retention struct {
	Store  RetentionStore
	Eraser *person.Eraser
	// After is how long after closing; 0: never.
	After   time.Duration
	Metrics *telemetry.Metrics
}

// RetentionStore is what Retention needs of the store.
type RetentionStore interface {
	// ToErase returns closed charge permissions of which personal data is stored
	// and in which nothing has changed for so long, the longest first and at most
	// so many. At is the store's time.
	ToErase(ctx context.Context, account wallet.AccountID, closed time.Duration, most int) (ids []wallet.ChargePermissionID, at time.Time, err error)
}

// mostErased is how many charge permissions a run erases: a few seconds of the
// database's time. By the default schedule that is 144,000 a day.
const mostErased = 500

// Name is that of the duty.
func (r *Retention) Name() string { return "retention" }

// Do erases what is due. More than a run may erase is left to the next.
func (r *Retention) Do(ctx context.Context, account wallet.AccountID) error {
	if r.After == 0 {
		return nil
	}
	ids, at, err := r.Store.ToErase(ctx, account, r.After, mostErased)
	if err != nil || len(ids) == 0 {
		return err
	}
	if err := r.Eraser.Erase(ctx, account, ids, at, wallet.CauseRetention); err != nil {
		return err
	}
	r.Metrics.Count(telemetry.Erased, len(ids), telemetry.Labels{Account: string(account)})
	zerolog.Ctx(ctx).Info().Str("account", string(account)).Int("erased", len(ids)).Msg("retention")
	return nil
}

var _ Duty = (*Retention)(nil)
