// Package reconcile does on a schedule what no message asks for: it finds what
// a lost wake-up, a worker that died or a lost notification left open, and marks
// it wanted or sends a wake-up. It fetches nothing itself; the worker does, in
// the order of the refresh and out of the same share of the quota. And it erases
// and forgets what has been kept for long enough.
//
// Each duty is a file with a type, which declares what it needs of the store.
// Every duty is safe to repeat, and to run twice at once.
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

// Duty is one thing that the reconciler sees to.
type Duty interface {
	// Name says in a word which it is; it is told with its errors.
	Name() string
	// Do does it for one account. What it could not do is left to the next run.
	Do(context.Context, wallet.AccountID) error
}

// Reconciler does its duties for each account, within the time of one run.
type Reconciler struct {
	Accounts []wallet.AccountID
	// Wake sends the wake-ups that are needed. It is done for all accounts before
	// anything else, and once more after everything, since the duties mark things
	// wanted: nothing that takes long keeps a worker from being woken.
	Wake Duty
	// Duties need the store alone, and are done in this order.
	Duties []Duty
	// Calls call Amazon Pay, which may be slow or silent. They are done for each
	// account after the Duties of all.
	Calls []Duty
	// Every is how often a run begins. By Now each run begins with another account
	// than the run before.
	Every time.Duration
	Now   func() time.Time
}

const (
	// wakeTime is how long the wake-ups of all accounts may take, each of the two
	// times. It is kept at the end of a run.
	wakeTime = 10 * time.Second
	// leastTurn is the least time that an account gets at a time, if there is so
	// much: a call to Amazon Pay of API_TIMEOUT's default, and storing what came of
	// it. Where that is more than an equal part, the last accounts of the order may
	// get none in a run; they come first in a later one.
	leastTurn = 13 * time.Second
)

// Run does every duty once for every account. One that fails keeps no other from
// being done; the error tells of all that failed.
//
// The run's time is that of ctx, and is shared fairly: of what is left each
// account that has not had its turn may use an equal part. What one does not use
// is there for those after it.
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
			one, done := fraction(turn, 2, 0) // a slow one leaves time to the others
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

// inTurn returns the accounts in the order of this run.
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

// fraction returns a context that ends when one of n equal parts of what ctx
// leaves is used, and not before least is. Without a deadline there is nothing to
// divide.
func fraction(ctx context.Context, n int, least time.Duration) (context.Context, context.CancelFunc) {
	end, bounded := ctx.Deadline()
	if !bounded {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, max(least, time.Until(end)/time.Duration(n)))
}

// do does one duty. One whose time is up before it begins is not begun.
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
