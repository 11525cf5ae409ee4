// Package reconcile runs duties on a schedule. They find work that a lost wake-up,
// a crashed worker or a lost notification left open, and request a refresh or send
// a wake-up. The package fetches nothing itself; the worker does, in the order of
// the refresh and from the same share of the quota. Other duties erase personal
// data and delete old rows when their retention period is over.
//
// Each duty is a file with a type, which declares its interface to the store.
// Every duty can be repeated safely, also concurrently.
package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"walletsync/internal/deadline"
	"walletsync/internal/wallet"
)

// Duty is one task of the reconciler.
type Duty interface {
	// Name is a short name for errors.
	Name() string
	// Do runs the duty for one account. The next run continues what is unfinished.
	Do(context.Context, wallet.AccountID) error
}

// Reconciler runs its duties for each account, within the time of one run.
type Reconciler struct {
	Accounts []wallet.AccountID
	// Wake sends the wake-ups that are needed. It runs for all accounts before all
	// other duties, so that no slow duty delays a worker, and again after them,
	// because they request refreshes.
	Wake Duty
	// Duties use only the store, and run in this order.
	Duties []Duty
	// Calls call Amazon Pay, which may be slow or not answer. They run for each
	// account after the Duties of all.
	Calls []Duty
	// Every is the interval between runs. With Now it decides the account that a
	// run begins with: each time another one.
	Every time.Duration
	Now   func() time.Time
}

const (
	// wakeTime limits how long the wake-ups of all accounts may take, each of the
	// two times. It is reserved at the end of a run.
	wakeTime = 10 * time.Second
	// leastTurn is the least time that an account gets per turn, if enough is left:
	// one call to Amazon Pay with the default of API_TIMEOUT, and one write of its
	// result. If that is more than an equal part, the last accounts of the order may
	// get none in this run; they are first in a later one.
	leastTurn = 13 * time.Second
)

// Run runs every duty once for every account. It continues after a failure and
// returns all errors joined.
//
// The time of ctx is shared fairly: each account that has not had its turn may use
// an equal part of the time that is left. Time that one does not use is left for
// the accounts after it.
func (r *Reconciler) Run(ctx context.Context) error {
	accounts := r.inTurn()
	working, cancel := deadline.Within(ctx, 0, wakeTime)
	defer cancel()
	failed := r.wake(working, accounts)
	storing, stop := fraction(working, 2, 0)
	defer stop()
	for i, a := range accounts {
		turn, end := fraction(storing, len(accounts)-i, leastTurn)
		for _, d := range r.Duties {
			one, done := fraction(turn, 2, 0) // a slow duty leaves time for the others
			failed = append(failed, do(one, d, a))
			done()
		}
		end()
	}
	for i, a := range accounts {
		turn, end := fraction(working, len(accounts)-i, leastTurn)
		for _, d := range r.Calls {
			failed = append(failed, do(turn, d, a))
		}
		end()
	}
	return errors.Join(append(failed, r.wake(ctx, accounts)...)...)
}

// inTurn returns the accounts in this run's order.
func (r *Reconciler) inTurn() []wallet.AccountID {
	n := int64(len(r.Accounts))
	if n < 2 || r.Every <= 0 {
		return r.Accounts
	}
	first := r.Now().UnixNano() / int64(r.Every) % n
	return slices.Concat(r.Accounts[first:], r.Accounts[:first])
}

// wake sends the wake-ups of all accounts.
func (r *Reconciler) wake(ctx context.Context, accounts []wallet.AccountID) (failed []error) {
	ctx, cancel := deadline.Within(ctx, wakeTime, 0)
	defer cancel()
	for i, a := range accounts {
		turn, end := fraction(ctx, len(accounts)-i, 0)
		failed = append(failed, do(turn, r.Wake, a))
		end()
	}
	return failed
}

// fraction returns a context with one n-th of the time that ctx has left, and at
// least the time least. If ctx has no deadline, the result has none.
func fraction(ctx context.Context, n int, least time.Duration) (context.Context, context.CancelFunc) {
	end, bounded := ctx.Deadline()
	if !bounded {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, max(least, time.Until(end)/time.Duration(n)))
}

// do runs one duty, unless ctx has already ended.
func do(ctx context.Context, d Duty, a wallet.AccountID) error {
	err := ctx.Err()
	if err == nil {
		err = d.Do(ctx, a)
	}
	if err != nil {
		return fmt.Errorf("%s of account %s: %w", d.Name(), a, err)
	}
	return nil
}
