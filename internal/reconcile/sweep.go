package reconcile

import (
	"context"
	"math"
	"time"

	"github.com/rs/zerolog"

	"walletsync/internal/telemetry"
	"walletsync/internal/wallet"
)

// Sweep is the duty to find changes whose notifications were lost. It requests a
// refresh, at the lowest of the everyday priorities, of charge permissions that
// have long been unread, so that each one that is followed and not closed is read
// once per period.
type Sweep struct {
	Store SweepStore
	// Period is how long a charge permission may go unread.
	Period time.Duration
	// Every is how often the reconciler runs.
	Every   time.Duration
	Metrics *telemetry.Metrics
}

// SweepStore is what Sweep needs of the store.
type SweepStore interface {
	Sweepable(context.Context, wallet.AccountID) (Sweepable, error)
	// MarkUnread requests a refresh of charge permissions that have been unread for
	// at least that long, the longest unread first and at most limit, and returns
	// how many it requested.
	MarkUnread(ctx context.Context, account wallet.AccountID, unread time.Duration, limit int) (int, error)
}

// Sweepable is the work of the sweep in an account.
type Sweepable struct {
	Total     int     // charge permissions that are followed and not closed
	Waiting   int     // of them, requested by an earlier run and not read yet
	PerSecond float64 // tokens that the account's share gains
}

// Name returns the duty's name.
func (s *Sweep) Name() string { return "sweep" }

// Do requests as many reads as a quarter of the share allows until the next run.
func (s *Sweep) Do(ctx context.Context, account wallet.AccountID) error {
	work, err := s.Store.Sweepable(ctx, account)
	if err != nil {
		return err
	}
	p := plan(work, s.Period, s.Every)
	marked := 0
	if p.limit > 0 {
		if marked, err = s.Store.MarkUnread(ctx, account, p.unread, p.limit); err != nil {
			return err
		}
	}
	labels := telemetry.Labels{Account: string(account)}
	s.Metrics.Count(telemetry.Swept, marked, labels)
	s.Metrics.Value(telemetry.SweepPeriod, telemetry.Seconds, p.shortest.Seconds(), labels)
	log := zerolog.Ctx(ctx).Info()
	if p.shortest > s.Period {
		log = zerolog.Ctx(ctx).Error().Int("needed_days", days(p.shortest)).Str("remedy",
			"raise the account's share of the quota, have Amazon Pay raise the quota, or set SWEEP_DAYS to needed_days or more; until then a change whose notification was lost may stay unread for needed_days")
	}
	log.Str("account", string(account)).Int("charge_permissions", work.Total).Int("waiting", work.Waiting).Int("marked", marked).
		Str("shortest_period", p.shortest.Round(time.Second).String()).Str("set_period", s.Period.String()).Msg("sweep")
	return nil
}

// part is the fraction of an account's share that the sweep may use.
const part = 0.25

// sweep is the plan of one run.
type sweep struct {
	shortest time.Duration // the period that the share allows
	unread   time.Duration // request reads of charge permissions unread for longer
	limit    int           // and at most so many
}

// plan decides how a run sweeps. A charge permission is requested when the rest of
// its period is as long as reading everything takes. At that age at most all the
// others are before it, so it is read within the period, and those that
// notifications keep fresh cost no call. Requests of earlier runs that are still
// unread count against the run.
func plan(work Sweepable, period, every time.Duration) sweep {
	takes := Shortest(work, every)
	return sweep{
		shortest: takes,
		unread:   max(0, period-takes),
		limit:    max(0, perRun(work, every)-work.Waiting),
	}
}

// perRun is the number of whole calls that a run may request.
func perRun(work Sweepable, every time.Duration) int {
	return max(1, int(work.PerSecond*part*every.Seconds()))
}

// Shortest is the shortest period in which the sweep can read everything once,
// with one run per interval every.
func Shortest(work Sweepable, every time.Duration) time.Duration {
	each := perRun(work, every)
	return time.Duration((work.Total+each-1)/each) * every
}

// days rounds up to whole days.
func days(d time.Duration) int { return int(math.Ceil(d.Hours() / 24)) }

var _ Duty = (*Sweep)(nil)
