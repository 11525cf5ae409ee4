package refresh

import (
	"context"
	"fmt"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"walletsync/internal/amazonpay"
	"walletsync/internal/deadline"
	"walletsync/internal/telemetry"
	"walletsync/internal/wallet"
)

// Runner carries out the refresh requests of batches, and those of Now.
type Runner struct {
	Store Store
	// API returns the client of an account. It may fetch a secret, and fail.
	API func(context.Context, wallet.AccountID) (API, error)
	// Follow returns which charge permissions an account keeps in step.
	Follow func(wallet.AccountID) wallet.Followed
	Waker  Waker
	// NewLease returns a fresh random token.
	NewLease func() Lease
	// Jitter returns a number in [0, 1).
	Jitter func() float64
	// Wait waits between the tries of Now. It returns false if ctx ends before d is
	// over. If it is nil, the clock is used.
	Wait     func(ctx context.Context, d time.Duration) bool
	Settings Settings
	Metrics  *telemetry.Metrics
}

// Refresh records the requests of the batch, claims what is due, fetches and stores
// it.
//
// After an error the outcome is unknown: the whole batch must be delivered again.
// If redeliver is true, every request is committed, but the wake-up for the rest may
// be lost: one message of each account must be delivered again, so that its batch
// decides on the wake-up once more.
func (r *Runner) Refresh(ctx context.Context, b wallet.Batch) (redeliver bool, err error) {
	accs := accounts(b)
	if len(accs) == 0 {
		return false, nil
	}
	got, err := r.round(ctx, ClaimRequest{
		Asks: asks(b.Notifications, r.Settings), Accounts: accs, Woken: b.Woken, Force: b.Redelivered,
	})
	if err != nil {
		return false, err
	}
	r.Metrics.Value(telemetry.BatchSize, telemetry.Number, float64(len(b.Notifications)+len(b.Woken)), telemetry.Labels{})
	for outcome, n := range got.claimed.Outcomes {
		r.count(telemetry.Notifications, n, outcome)
	}
	r.count(telemetry.Covered, got.claimed.Outcomes["covered"], string(wallet.CauseIPN))
	return got.redeliver, nil
}

// Now reads one charge permission at once, for a caller that waits. It takes over
// the lease of another worker, and ignores the time when it was due. It retries
// temporary failures while ctx allows, with one token each.
//
// After an error the outcome is unknown: the caller may call again. Otherwise the
// request is settled, or stays pending at its priority for the worker: without a
// token, after failures, or when ctx ends first.
func (r *Runner) Now(ctx context.Context, w wallet.Want) (wallet.Refreshed, error) {
	var out wallet.Refreshed
	for n := 1; ; n++ {
		got, err := r.round(ctx, ClaimRequest{Want: &w, Accounts: []wallet.AccountID{w.Account}})
		switch {
		case err != nil && n == 1:
			return out, fmt.Errorf("refresh %s: %w", w.ChargePermission, err)
		case err != nil:
			zerolog.Ctx(ctx).Error().Err(err).Msg("retry of a read failed; the refresh stays pending")
			return out, nil
		case got.claimed.Covered:
			r.count(telemetry.Covered, 1, string(wallet.CauseOf(w.Priority)))
			return wallet.Refreshed{Settled: true, State: got.claimed.Stored}, nil
		case len(got.results) == 0:
			return wallet.Refreshed{State: got.claimed.Stored}, nil
		}
		res := got.results[0]
		out = refreshed(res, got.settled(res))
		if !res.Temporary || n == tries || !r.wait(ctx, between(n, r.Jitter())) {
			return out, nil
		}
	}
}

// wait calls Wait, or waits by the clock.
func (r *Runner) wait(ctx context.Context, d time.Duration) bool {
	if r.Wait != nil {
		return r.Wait(ctx, d)
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// The calls of a round end afterCalls before the round's context does. That time is
// for the second trip, which stores the reads and frees the leases, and for
// wake-ups. If the context has ended nevertheless, the trip gets grace, which is
// less than the runtime keeps for the answer.
const (
	afterCalls = 2 * time.Second
	grace      = time.Second
)

// round is the outcome of one claim, its calls and its commit.
type round struct {
	claimed   Claimed
	results   []Result
	committed Committed
	// redeliver is true if every request is committed, but the wake-up for the rest
	// may be lost.
	redeliver bool
}

// settled returns the outcome of a result, nil if the fence dropped it.
func (r round) settled(of Result) *Settled {
	for i, s := range r.committed.Settled {
		if s.Account == of.Account && s.ID == of.ID {
			return &r.committed.Settled[i]
		}
	}
	return nil
}

// round makes the two round trips and the calls in between. After an error the
// outcome is unknown.
func (r *Runner) round(ctx context.Context, q ClaimRequest) (round, error) {
	var out round
	var err error
	q.Lease, q.Settings = r.NewLease(), r.Settings
	if out.claimed, err = r.Store.Claim(ctx, q); err != nil {
		return out, fmt.Errorf("claim: %w", err)
	}
	wakes := out.claimed.Wakes
	if len(out.claimed.Claims) > 0 {
		var closings []Closing
		calls, end := deadline.Within(ctx, 0, afterCalls)
		out.results, closings = r.fetch(calls, out.claimed.Claims)
		end()
		var cancel context.CancelFunc
		ctx, cancel = deadline.Grace(ctx, 0, grace)
		defer cancel()
		out.committed, err = r.Store.Commit(ctx, CommitRequest{
			Lease: q.Lease, Results: out.results, Closings: closings, Refusals: RefusalsOf(out.results), Accounts: q.Accounts,
			Woken: q.Woken, Force: q.Force, Settings: r.Settings,
		})
		if err != nil {
			zerolog.Ctx(ctx).Error().Err(err).Int("claims", len(out.results)).
				Msg("commit of reads failed; they are fetched again when their lease has ended")
			out.redeliver = true
			return out, nil
		}
		r.report(ctx, out)
		wakes = out.committed.Wakes
	}
	r.count(telemetry.WakeUps, len(wakes), "")
	for _, w := range wakes {
		if err := r.Waker.Wake(ctx, w.Account, w.At, w.Delay); err != nil {
			zerolog.Ctx(ctx).Error().Err(err).Str("account", string(w.Account)).
				Msg("send of a wake-up failed; a redelivery, or the reconciler, decides again")
			out.redeliver = true
		}
	}
	return out, nil
}

// fetch makes one call for each claim, at most Settings.Limit concurrently.
func (r *Runner) fetch(ctx context.Context, claims []Claim) ([]Result, []Closing) {
	results := make([]Result, len(claims))
	closings := make([]*Closing, len(claims))
	var g errgroup.Group
	g.SetLimit(r.Settings.Limit)
	for i, c := range claims {
		g.Go(func() error {
			results[i], closings[i] = r.fetchOne(ctx, c)
			return nil
		})
	}
	_ = g.Wait() // no function returns an error
	return results, worst(closings)
}

func (r *Runner) fetchOne(ctx context.Context, c Claim) (Result, *Closing) {
	started := time.Now()
	got, err := r.call(ctx, c)
	log := zerolog.Ctx(ctx).Info().Str("outcome", "read")
	switch {
	case err == nil && len(got.Unreadable) > 0:
		log = zerolog.Ctx(ctx).Warn().Str("outcome", "read").Strs("unreadable", got.Unreadable)
	case err == nil:
	case amazonpay.Misconfigured(err):
		log = zerolog.Ctx(ctx).Error().Str("outcome", "failed").Err(err).Str("remedy", wallet.RemedyRefused)
	case amazonpay.WasNotCalled(err):
		log = zerolog.Ctx(ctx).Error().Str("outcome", "not_called").Err(err).
			Str("remedy", "check that the functions' role may read the account's secret, that Secrets Manager can be reached, and that the secret holds the private key")
	default:
		log = zerolog.Ctx(ctx).Warn().Str("outcome", "failed").Err(err)
	}
	log.Str("account", string(c.Account)).Str("charge_permission", string(c.ID)).
		Str("cause", string(wallet.CauseOf(c.Priority))).Str("message_id", c.Message).
		Dur("duration", time.Since(started)).Msg("get charge permission")
	if err != nil && ctx.Err() != nil && !amazonpay.WasNotCalled(err) {
		return left(c, err), nil // the invocation ran out of time
	}
	return Decide(c, got, err, r.Follow(c.Account), r.Settings, r.Jitter())
}

// call makes one call, with a time-out.
func (r *Runner) call(ctx context.Context, c Claim) (*amazonpay.ChargePermission, error) {
	api, err := r.API(ctx, c.Account)
	if err != nil {
		return nil, amazonpay.NotCalled(fmt.Errorf("account %s: %w", c.Account, err))
	}
	ctx, cancel := context.WithTimeout(ctx, r.Settings.Timeout)
	defer cancel()
	return api.GetChargePermission(ctx, string(c.ID))
}

// worst returns the longest pause of each account.
func worst(all []*Closing) []Closing {
	var out []Closing
next:
	for _, c := range all {
		if c == nil {
			continue
		}
		for i := range out {
			if out[i].Account == c.Account {
				if c.For > out[i].For {
					out[i] = *c
				}
				continue next
			}
		}
		out = append(out, *c)
	}
	return out
}

// report writes the metrics of a round's claims.
func (r *Runner) report(ctx context.Context, done round) {
	now := time.Now()
	for _, res := range done.results {
		cause := string(wallet.CauseOf(res.Priority))
		if res.Kind != NotCalled {
			r.count(telemetry.Fetched, 1, cause)
		}
		r.count(telemetry.Results, 1, string(res.Kind))
		for _, name := range res.Unreadable {
			r.count(telemetry.Unreadable, 1, name)
		}
		s := done.settled(res)
		if s == nil {
			r.count(telemetry.FenceDropped, 1, cause)
			continue
		}
		if s.Confirm {
			r.count(telemetry.Confirmations, 1, cause)
		}
		if s.Withheld {
			r.count(telemetry.Held, 1, cause)
		}
		if !s.Stored {
			continue
		}
		// The start is Amazon's clock, the end is ours: the lag is only as exact as
		// the two agree. It is that of the newest notification; requests that were
		// delayed on purpose do not count.
		if p := res.Priority; !res.Notified.IsZero() && (p == wallet.PriorityNotification || p == wallet.PriorityUnknown) {
			r.Metrics.Time(telemetry.Lag, now.Sub(res.Notified), telemetry.Labels{})
		}
		if len(res.Changes) == 0 {
			r.count(telemetry.Unchanged, 1, cause)
		}
		for _, ch := range res.Changes {
			r.count(telemetry.Changes, 1, string(ch.Facet))
		}
	}
	for _, b := range done.committed.Backlogs {
		b.Report(r.Metrics)
	}
	for _, a := range done.committed.Refused {
		r.Metrics.Count(telemetry.KeyRefused, 1, telemetry.Labels{Account: string(a)})
		zerolog.Ctx(ctx).Error().Str("account", string(a)).Str("remedy", wallet.RemedyRefused).Msg("the account's calls pause: " + wallet.ReasonRefused)
	}
}

// Report writes the backlog's metrics.
func (b Backlog) Report(m *telemetry.Metrics) {
	labels := telemetry.Labels{Account: string(b.Account)}
	m.Value(telemetry.Tokens, telemetry.Number, b.Tokens, labels)
	m.Value(telemetry.OldestWanted, telemetry.Seconds, b.Oldest.Seconds(), labels)
}

func (r *Runner) count(name telemetry.Metric, n int, reason string) {
	r.Metrics.Count(name, n, telemetry.Labels{Reason: reason})
}
