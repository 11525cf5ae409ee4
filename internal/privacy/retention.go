package privacy

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"walletsync/internal/telemetry"
	"walletsync/internal/wallet"
)

// Retention is the duty of the reconciler to erase personal data whose retention
// period is over. The period begins when the charge permission is closed, Amazon no
// longer knows it, its type is no longer followed, or its account leaves the
// configuration.
type Retention struct {
	Store  RetentionStore
	Eraser *Eraser
	// After is the length of the period; 0: data is never erased.
	After   time.Duration
	Metrics *telemetry.Metrics
}

// RetentionStore is the store that Retention needs.
type RetentionStore interface {
	// ToErase returns charge permissions whose personal data has been kept for at
	// least that long, in key order and at most limit: those of the account, and of
	// accounts that have left the configuration. At is the store's time.
	ToErase(ctx context.Context, account wallet.AccountID, kept time.Duration, limit int) (due []Permission, at time.Time, err error)
}

// eraseLimit is the number of charge permissions that a run erases: a few seconds
// of the database's time. By the default schedule that is 144,000 a day.
const eraseLimit = 500

// Name returns the duty's name.
func (r *Retention) Name() string { return "retention" }

// Do erases what is due. The next run continues beyond eraseLimit.
func (r *Retention) Do(ctx context.Context, account wallet.AccountID) error {
	if r.After == 0 {
		return nil
	}
	due, at, err := r.Store.ToErase(ctx, account, r.After, eraseLimit)
	if err != nil {
		return err
	}
	of := map[wallet.AccountID][]wallet.ChargePermissionID{}
	for _, p := range due {
		of[p.Account] = append(of[p.Account], p.ID)
	}
	for _, a := range slices.Sorted(maps.Keys(of)) {
		if err := r.Eraser.Erase(ctx, a, of[a], at, wallet.CauseRetention); err != nil {
			return err
		}
		r.Metrics.Count(telemetry.Erased, len(of[a]), telemetry.Labels{Account: string(a)})
		zerolog.Ctx(ctx).Info().Str("account", string(a)).Int("erased", len(of[a])).Msg("retention")
	}
	return nil
}
