// Package restore puts the database right after it was restored from a backup, or
// after a failover that lost commits: the command restored.
//
// A restore turns back what must not go back. The feed's counter would give out
// positions that readers have passed. A fetch begun before it could store what it
// read. Who was erased since the backup is there again. And nobody knows what
// changed since. What the notifications of that time said is gone from the inbox,
// so everything that is not closed is read anew.
//
// All of it may be done again: after a crash, or to be sure.
package restore

import (
	"context"
	"fmt"
	"slices"

	"walletsync/internal/privacy"
	"walletsync/internal/wallet"
)

// Store is what the package needs of the database.
type Store interface {
	// Restored raises the feed's counter beyond whatever was given out, ends all
	// leases, so that no fetch begun before stores anything, and forgets the
	// wake-ups under way. It returns the feed's position and how many leases ended.
	Restored(context.Context) (position int64, leases int, err error)
	// Standing returns those erasures after which no update was completed, of one
	// account.
	Standing(ctx context.Context, account wallet.AccountID, all []privacy.Erasure) ([]privacy.Erasure, error)
	// Erase is that of privacy.Store.
	Erase(ctx context.Context, account wallet.AccountID, ids []wallet.ChargePermissionID, cause wallet.Cause) error
	// MarkAll marks wanted at the sweep's priority what is followed and not
	// closed, and what was never read, but for what Amazon Pay does not know: of
	// the next so many in key order after one.
	MarkAll(ctx context.Context, account wallet.AccountID, after wallet.ChargePermissionID, most int) (Marked, error)
	// Accounts returns those of the database, and how many charge permissions each
	// has that may have to be marked. It renews the planner's statistics of them.
	Accounts(context.Context) ([]Account, error)
}

// Account is an account of the database.
type Account struct {
	ID    wallet.AccountID
	Total int // charge permissions that it was ever told of
}

// Marked is what MarkAll did.
type Marked struct {
	Seen   int                       // so many were next; fewer than asked for: that is the end
	Last   wallet.ChargePermissionID // the last of them
	Marked int
}

// Step is how far the work has come.
type Step struct {
	Doing string
	Done  int
	Of    int
}

// Report is what was done.
type Report struct {
	Position int64 // of the feed: what is stored from now on comes after it
	Leases   int   // ended
	Erased   int   // charge permissions, by the erasure log
	Lifted   int   // of the log, but updated since by their buyers
	Marked   int   // wanted now, beside what was already
}

const markPage = 1000 // rows locked at once

// Run does it all. Erasures are those of the erasure log; progress is told of
// each step.
func Run(ctx context.Context, store Store, erasures []privacy.Erasure, progress func(Step)) (Report, error) {
	var r Report
	var err error
	progress(Step{Doing: "raising the feed's counter, ending the leases"})
	if r.Position, r.Leases, err = store.Restored(ctx); err != nil {
		return r, fmt.Errorf("raise the feed's counter: %w", err)
	}
	accounts, err := store.Accounts(ctx)
	if err != nil {
		return r, fmt.Errorf("accounts: %w", err)
	}
	if err := r.erase(ctx, store, accounts, latest(erasures), progress); err != nil {
		return r, err
	}
	return r, r.mark(ctx, store, accounts, progress)
}

// latest returns the last erasure of each charge permission, in key order.
func latest(all []privacy.Erasure) []privacy.Erasure {
	by := make(map[privacy.Permission]privacy.Erasure, len(all))
	for _, e := range all {
		k := privacy.Permission{Account: e.Account, ID: e.ChargePermission}
		if was, ok := by[k]; !ok || was.At.Before(e.At) {
			by[k] = e
		}
	}
	out := make([]privacy.Erasure, 0, len(by))
	for _, e := range by {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b privacy.Erasure) int {
		return privacy.Permission{Account: a.Account, ID: a.ChargePermission}.Compare(privacy.Permission{Account: b.Account, ID: b.ChargePermission})
	})
	return out
}

// erase erases by the log once more. An account that has left the database has
// nothing that could be erased.
func (r *Report) erase(ctx context.Context, store Store, accounts []Account, all []privacy.Erasure, progress func(Step)) error {
	done := 0
	for _, a := range accounts {
		own := slices.DeleteFunc(slices.Clone(all), func(e privacy.Erasure) bool { return e.Account != a.ID })
		for some := range slices.Chunk(own, privacy.Page) {
			standing, err := store.Standing(ctx, a.ID, some)
			if err != nil {
				return fmt.Errorf("erasures of account %s: %w", a.ID, err)
			}
			causes := map[wallet.Cause][]wallet.ChargePermissionID{}
			for _, e := range standing {
				causes[e.Cause] = append(causes[e.Cause], e.ChargePermission)
			}
			for cause, ids := range causes {
				if err := store.Erase(ctx, a.ID, ids, cause); err != nil {
					return fmt.Errorf("erase in account %s: %w", a.ID, err)
				}
			}
			r.Erased += len(standing)
			r.Lifted += len(some) - len(standing)
			done += len(some)
			progress(Step{"erasing by the log", done, len(all)})
		}
	}
	return nil
}

func (r *Report) mark(ctx context.Context, store Store, accounts []Account, progress func(Step)) error {
	total, seen := 0, 0
	for _, a := range accounts {
		total += a.Total
	}
	for _, a := range accounts {
		var after wallet.ChargePermissionID
		for {
			m, err := store.MarkAll(ctx, a.ID, after, markPage)
			if err != nil {
				return fmt.Errorf("mark what is not closed in account %s, after %q: %w", a.ID, after, err)
			}
			r.Marked += m.Marked
			seen += m.Seen
			progress(Step{"marking wanted what is not closed", seen, max(seen, total)})
			if m.Seen < markPage {
				break
			}
			after = m.Last
		}
	}
	return nil
}
