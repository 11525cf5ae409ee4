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

// Retention is the duty of the reconciler to erase personal data that has been kept for long enough
// after its charge permission was closed, Amazon no longer knew it, its type was no
// longer followed, or its account left the configuration.
type Retention struct {
	Store  RetentionStore
	Eraser *Eraser
	// After is how long afterwards; 0: never.
	After   time.Duration
	Metrics *telemetry.Metrics
}

// RetentionStore is what Retention needs of the store.
type RetentionStore interface {
	// ToErase returns charge permissions whose personal data has been kept for so
	// long, in key order and at most limit: those of the account, and of accounts
	// that have left the configuration. At is the store's time.
	ToErase(ctx context.Context, account wallet.AccountID, kept time.Duration, limit int) (due []Permission, at time.Time, err error)
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
	due, at, err := r.Store.ToErase(ctx, account, r.After, mostErased)
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
