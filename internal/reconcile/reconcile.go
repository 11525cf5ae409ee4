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

	"walletsync/internal/wallet"
)

// Duty is one thing that the reconciler sees to.
type Duty interface {
	// Name says in a word which it is; it is told with its errors.
	Name() string
	// Do does it for one account. What it could not do is left to the next run.
	Do(context.Context, wallet.AccountID) error
}

// Reconciler does its duties for each account.
type Reconciler struct {
	Accounts []wallet.AccountID
	// Duties are done in this order. Wake comes after all that mark something
	// wanted, which needs a wake-up; Hours is the last, as nothing waits for it.
	Duties []Duty
}

// Run does every duty once for every account. One that fails keeps no other
// from being done; the error tells of all that failed.
func (r *Reconciler) Run(ctx context.Context) error {
	var failed []error
	for _, a := range r.Accounts {
		for _, d := range r.Duties {
			if err := d.Do(ctx, a); err != nil {
				failed = append(failed, fmt.Errorf("%s of account %s: %w", d.Name(), a, err))
			}
		}
	}
	return errors.Join(failed...)
}
