package reconcile

import (
	"context"
	"math"
	"time"

	"github.com/rs/zerolog"

	"walletsync/internal/telemetry"
	"walletsync/internal/wallet"
)

// Sweep is the duty to what lost notifications left behind: it marks wanted, at
// the lowest of the everyday priorities, what has gone unread for long, so that
// everything that is followed and not closed is read once in a set period.
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
	// MarkUnread marks what has been unread for so long, the longest unread
	// first and at most so many, and returns how many it marked.
	MarkUnread(ctx context.Context, account wallet.AccountID, unread time.Duration, most int) (int, error)
}

// Sweepable is what there is to sweep in an account.
type Sweepable struct {
	Total     int     // charge permissions that are followed and not closed
	Waiting   int     // of them, marked by an earlier run and not read yet
	PerSecond float64 // tokens that the account's share gains
}

// Name is that of the duty.
func (s *Sweep) Name() string { return "sweep" }

// Do marks what a quarter of the share can fetch until the next run.
func (s *Sweep) Do(ctx context.Context, account wallet.AccountID) error {
	there, err := s.Store.Sweepable(ctx, account)
	if err != nil {
		return err
	}
	p := plan(there, s.Period, s.Every)
	marked := 0
	if p.most > 0 {
		if marked, err = s.Store.MarkUnread(ctx, account, p.unread, p.most); err != nil {
			return err
		}
	}
	labels := telemetry.Labels{Account: string(account)}
	s.Metrics.Count(telemetry.Swept, marked, labels)
	s.Metrics.Value(telemetry.SweepPeriod, telemetry.Seconds, p.shortest.Seconds(), labels)
	log := zerolog.Ctx(ctx).Info()
	if p.shortest > s.Period {
		log = zerolog.Ctx(ctx).Error().Int("needed_days", days(p.shortest)).Str("remedy",
			"raise the account's share of the quota, have Amazon Pay raise the quota, or set SWEEP_DAYS to needed_days or more; until then what a lost notification left behind may stay for needed_days")
	}
	log.Str("account", string(account)).Int("charge_permissions", there.Total).Int("waiting", there.Waiting).Int("marked", marked).
		Str("shortest_period", p.shortest.Round(time.Second).String()).Str("set_period", s.Period.String()).Msg("sweep")
	return nil
}

// part is how much of an account's share the sweep may use.
const part = 0.25

// sweep is how a run sweeps.
type sweep struct {
	shortest time.Duration // the period that the share allows
	unread   time.Duration // mark what has been unread for longer
	most     int           // and no more than that
}

// plan decides how a run sweeps. Marking starts when what is left of the period
// is what reading everything takes: a charge permission that reaches that age
// has at most all the others before it, so it is read within the period, and
// none that notifications keep fresh costs a call. What earlier runs marked and
// nobody has read yet counts against the run.
func plan(there Sweepable, period, every time.Duration) sweep {
	takes := Shortest(there, every)
	return sweep{
		shortest: takes,
		unread:   max(0, period-takes),
		most:     max(0, perRun(there, every)-there.Waiting),
	}
}

// perRun is how many whole calls a run may ask for.
func perRun(there Sweepable, every time.Duration) int {
	return max(1, int(there.PerSecond*part*every.Seconds()))
}

// Shortest is the shortest period in which the sweep can read everything once,
// when it runs that often.
func Shortest(there Sweepable, every time.Duration) time.Duration {
	each := perRun(there, every)
	return time.Duration((there.Total+each-1)/each) * every
}

// days rounds up to whole days.
func days(d time.Duration) int { return int(math.Ceil(d.Hours() / 24)) }

var _ Duty = (*Sweep)(nil)
