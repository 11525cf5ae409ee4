// Package privacy is about the people behind the charge permissions: which of
// them belong to one person, and how what is stored of a person is erased.
//
// An erasure blanks the person's data wherever it is stored and leaves a
// tombstone, so that no later read stores any, until the buyer completes an
// update. What it erases it writes to the erasure log first, by id: a restore of
// the database brings the data back, and the command restored erases it again by
// that log.
package privacy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"walletsync/internal/wallet"
)

// Permission is a charge permission of an account.
type Permission struct {
	Account wallet.AccountID
	ID      wallet.ChargePermissionID
}

// Compare orders by key.
func (p Permission) Compare(o Permission) int {
	return cmp.Or(cmp.Compare(p.Account, o.Account), cmp.Compare(p.ID, o.ID))
}

// Finder tells what belongs to one person.
type Finder interface {
	// OfOnePerson returns the charge permissions that carry the same buyer id as
	// the one given, itself among them, in key order; none if it is not known. An
	// empty account stands for every one that knows it. At is the store's time.
	OfOnePerson(ctx context.Context, account wallet.AccountID, id wallet.ChargePermissionID) (all []Permission, at time.Time, err error)
}

// Store is what erasing needs of the store.
type Store interface {
	Finder
	// Erase blanks the personal data of charge permissions of one account, and
	// sees to it that none is stored again. It may be repeated, and those that
	// nobody has heard of yet are erased for when somebody does.
	Erase(ctx context.Context, account wallet.AccountID, ids []wallet.ChargePermissionID, cause wallet.Cause) error
}

// Log is where erasures are written down, out of a restore's reach.
type Log interface {
	// Write returns when the erasures are in the log.
	Write(context.Context, []Erasure) error
}

// Eraser erases.
type Eraser struct {
	Store Store
	Log   Log
}

// Page is how many charge permissions are erased in one transaction: the feed
// waits for no more.
const Page = 100

// Erase erases what is stored of charge permissions. At is the store's time from
// before. Each page is written to the log before it is erased: a log that names
// too much repeats an erasure, one that names too little loses it at a restore.
func (e *Eraser) Erase(ctx context.Context, account wallet.AccountID, ids []wallet.ChargePermissionID, at time.Time, cause wallet.Cause) error {
	for some := range slices.Chunk(ids, Page) {
		lines := make([]Erasure, len(some))
		for i, id := range some {
			lines[i] = Erasure{Account: account, ChargePermission: id, At: at, Cause: cause}
		}
		if err := e.Log.Write(ctx, lines); err != nil {
			return fmt.Errorf("erasure log (nothing is erased that is not in it): %w", err)
		}
		if err := e.Store.Erase(ctx, account, some, cause); err != nil {
			return fmt.Errorf("erase: %w", err)
		}
	}
	return nil
}

// ErrUnknown means that nobody has heard of the charge permission.
var ErrUnknown = errors.New("walletsync does not know this charge permission")

// Request erases, because somebody asked for it, a charge permission, or all of
// the person behind it. It returns what it erased. An empty account stands for
// the only one that knows it.
func (e *Eraser) Request(ctx context.Context, account wallet.AccountID, id wallet.ChargePermissionID, whole bool) ([]Permission, error) {
	all, at, err := Find(ctx, e.Store, account, id, whole)
	if err != nil {
		return nil, err
	}
	if err := e.Erase(ctx, all[0].Account, ids(all), at, wallet.CauseErasure); err != nil {
		return nil, err
	}
	return all, nil
}

func ids(all []Permission) []wallet.ChargePermissionID {
	out := make([]wallet.ChargePermissionID, len(all))
	for i, p := range all {
		out[i] = p.ID
	}
	return out
}

// Exporter tells what is stored.
type Exporter interface {
	// ExportPerson returns all that is stored of charge permissions of one
	// account, as a JSON document.
	ExportPerson(ctx context.Context, account wallet.AccountID, ids []wallet.ChargePermissionID) ([]byte, error)
}

// Export returns all that is stored of charge permissions, which are of one
// account, as Find and FindBuyer return them.
func Export(ctx context.Context, e Exporter, all []Permission) ([]byte, error) {
	return e.ExportPerson(ctx, all[0].Account, ids(all))
}

// Buyers tells what belongs to a buyer whose id is known.
type Buyers interface {
	// OfBuyer returns the charge permissions that carry a buyer id, in key order.
	// An empty account stands for every one that knows it. At is the store's time.
	OfBuyer(ctx context.Context, account wallet.AccountID, buyer string) (all []Permission, at time.Time, err error)
}

// FindBuyer returns the charge permissions of a buyer, which are of one account;
// an empty one stands for the only one that knows the buyer.
func FindBuyer(ctx context.Context, b Buyers, account wallet.AccountID, buyer string) ([]Permission, error) {
	all, _, err := b.OfBuyer(ctx, account, buyer)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the buyer: %w", err)
	case len(all) == 0:
		return nil, errors.New("walletsync knows no charge permission of this buyer; what was erased carries no buyer id")
	case all[0].Account != all[len(all)-1].Account:
		return nil, fmt.Errorf("the accounts %s and %s know this buyer: name one", all[0].Account, all[len(all)-1].Account)
	}
	return all, nil
}

// Find returns a charge permission, or all of the person behind it, which are of
// one account; an empty one stands for the only one that knows it. At is the
// store's time. The error is ErrUnknown if there is none.
func Find(ctx context.Context, f Finder, account wallet.AccountID, id wallet.ChargePermissionID, whole bool) ([]Permission, time.Time, error) {
	all, at, err := f.OfOnePerson(ctx, account, id)
	switch {
	case err != nil:
		return nil, at, fmt.Errorf("charge permission %s: %w", id, err)
	case len(all) == 0:
		return nil, at, fmt.Errorf("charge permission %s: %w", id, ErrUnknown)
	case all[0].Account != all[len(all)-1].Account:
		return nil, at, fmt.Errorf("charge permission %s: the accounts %s and %s know it: name one", id, all[0].Account, all[len(all)-1].Account)
	case !whole:
		all = []Permission{{all[0].Account, id}}
	}
	return all, at, nil
}
