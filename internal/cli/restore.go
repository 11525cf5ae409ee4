package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"walletsync/internal/privacy"
	"walletsync/internal/wallet"
)

// RestoreStore is what AfterRestore needs of the database.
type RestoreStore interface {
	// Restored raises the change feed's counter above every position ever given
	// out, ends all leases, so that no fetch from before stores anything, and
	// forgets the pending wake-ups. It returns the feed's position and how many
	// leases ended.
	Restored(context.Context) (position int64, leases int, err error)
	// Accounts returns the accounts in the database, and how many charge
	// permissions MarkAll has to look at. It renews the planner's statistics of
	// the accounts.
	Accounts(context.Context) (accounts []wallet.AccountID, total int, err error)
	// Standing returns those erasures of an account after which no update was
	// completed.
	Standing(ctx context.Context, account wallet.AccountID, erasures []privacy.Erasure) ([]privacy.Erasure, error)
	// Erase is that of privacy.Store.
	Erase(ctx context.Context, account wallet.AccountID, ids []wallet.ChargePermissionID, cause wallet.Cause) error
	// MarkAll looks at the next charge permissions of an account in key order. For
	// those that are followed and not closed, or were never read, it requests a
	// refresh at the sweep's priority, unless Amazon Pay does not know them. It
	// returns how many it looked at, fewer than limit at the end, the last one, and
	// how many requests are new.
	MarkAll(ctx context.Context, account wallet.AccountID, after wallet.ChargePermissionID, limit int) (seen int, last wallet.ChargePermissionID, requested int, err error)
}

// Restoration is what AfterRestore did.
type Restoration struct {
	Position  int64 // of the change feed; later changes come after it
	Leases    int   // ended
	Erased    int   // charge permissions
	Updated   int   // charge permissions of the erasure log that were updated since
	Requested int   // refreshes
}

const markPage = 1000 // rows locked at once

// AfterRestore repairs a database that was restored from a backup, or lost commits
// by a failover. It may be repeated.
//
// A restore takes back what must not go back: the change feed would give out
// positions that its readers have passed; a fetch from before could still store
// its answer; people erased since the backup are in it; and the notifications
// since then are lost, so everything that is not closed has to be read.
func AfterRestore(ctx context.Context, store RestoreStore, erasures []privacy.Erasure, report func(step string, done, total int)) (Restoration, error) {
	var r Restoration
	var err error
	report("raising the feed's counter, ending leases", 0, 0)
	if r.Position, r.Leases, err = store.Restored(ctx); err != nil {
		return r, fmt.Errorf("raise the feed's counter: %w", err)
	}
	accounts, total, err := store.Accounts(ctx)
	if err != nil {
		return r, fmt.Errorf("accounts: %w", err)
	}
	erasures = latestErasures(erasures)
	erased := 0
	for _, a := range accounts {
		// An account that is not in the database has nothing to erase.
		own := slices.DeleteFunc(slices.Clone(erasures), func(e privacy.Erasure) bool { return e.Account != a })
		for page := range slices.Chunk(own, privacy.Page) {
			if err := r.erase(ctx, store, a, page); err != nil {
				return r, fmt.Errorf("erase in account %s: %w", a, err)
			}
			erased += len(page)
			report("erasing", erased, len(erasures))
		}
	}
	seen := 0
	for _, a := range accounts {
		var after wallet.ChargePermissionID
		for {
			n, last, requested, err := store.MarkAll(ctx, a, after, markPage)
			if err != nil {
				return r, fmt.Errorf("request refreshes in account %s, after %q: %w", a, after, err)
			}
			r.Requested += requested
			seen += n
			report("requesting refreshes", seen, max(seen, total))
			if n < markPage {
				break
			}
			after = last
		}
	}
	return r, nil
}

func (r *Restoration) erase(ctx context.Context, store RestoreStore, account wallet.AccountID, page []privacy.Erasure) error {
	standing, err := store.Standing(ctx, account, page)
	if err != nil {
		return err
	}
	causes := map[wallet.Cause][]wallet.ChargePermissionID{}
	for _, e := range standing {
		causes[e.Cause] = append(causes[e.Cause], e.ChargePermission)
	}
	for cause, ids := range causes {
		if err := store.Erase(ctx, account, ids, cause); err != nil {
			return err
		}
	}
	r.Erased += len(standing)
	r.Updated += len(page) - len(standing)
	return nil
}

// latestErasures returns the last erasure of each charge permission, in key order.
func latestErasures(all []privacy.Erasure) []privacy.Erasure {
	key := func(e privacy.Erasure) privacy.Permission {
		return privacy.Permission{Account: e.Account, ID: e.ChargePermission}
	}
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b privacy.Erasure) int { return cmp.Or(key(a).Compare(key(b)), b.At.Compare(a.At)) })
	return slices.CompactFunc(all, func(a, b privacy.Erasure) bool { return key(a) == key(b) })
}
