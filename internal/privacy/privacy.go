// Package privacy finds, exports and erases the personal data of the person behind
// a charge permission.
//
// An erasure blanks the person's data wherever it is stored and leaves an erasure
// marker, so that no later read stores any, until the buyer completes an update.
// It writes the ids to the erasure log first: a restore of the database brings the
// data back, and the command after-restore erases it again from that log.
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

// Compare orders by account and id.
func (p Permission) Compare(o Permission) int {
	return cmp.Or(cmp.Compare(p.Account, o.Account), cmp.Compare(p.ID, o.ID))
}

// Finder finds the charge permissions of one person.
type Finder interface {
	// OfOnePerson returns the charge permissions with the same buyer id as id,
	// itself among them, in key order; none if it is unknown. An empty account means
	// every account that has it. At is the store's time.
	OfOnePerson(ctx context.Context, account wallet.AccountID, id wallet.ChargePermissionID) (permissions []Permission, at time.Time, err error)
}

// Store is the store that an erasure needs.
type Store interface {
	Finder
	// Erase blanks the personal data of charge permissions of one account, and
	// prevents that any is stored again. It may be repeated. Unknown ids are marked
	// as erased, too, in case they are read later.
	Erase(ctx context.Context, account wallet.AccountID, ids []wallet.ChargePermissionID, cause wallet.Cause) error
}

// Log records erasures outside the database, so that a restore does not undo them.
type Log interface {
	// Write returns after the erasures are in the log.
	Write(context.Context, []Erasure) error
}

// Eraser logs and erases.
type Eraser struct {
	Store Store
	Log   Log
}

// Page limits the charge permissions that are erased in one transaction, because
// the feed waits for it.
const Page = 100

// Erase erases the personal data of charge permissions. At is the store's time
// before the erasure. Each page is written to the log before it is erased: an extra
// line in the log only repeats an erasure, a missing one loses it at a restore.
func (e *Eraser) Erase(ctx context.Context, account wallet.AccountID, ids []wallet.ChargePermissionID, at time.Time, cause wallet.Cause) error {
	for page := range slices.Chunk(ids, Page) {
		lines := make([]Erasure, len(page))
		for i, id := range page {
			lines[i] = Erasure{Account: account, ChargePermission: id, At: at, Cause: cause}
		}
		if err := e.Log.Write(ctx, lines); err != nil {
			return fmt.Errorf("erasure log (nothing is erased that is not in it): %w", err)
		}
		if err := e.Store.Erase(ctx, account, page, cause); err != nil {
			return fmt.Errorf("erase: %w", err)
		}
	}
	return nil
}

// ErrUnknown means that no account has the charge permission.
var ErrUnknown = errors.New("walletsync does not know this charge permission")

// Request erases a charge permission on request, or all of the person behind it if
// whole is true. It returns the erased ones. An empty account means the only
// account that has it.
func (e *Eraser) Request(ctx context.Context, account wallet.AccountID, id wallet.ChargePermissionID, whole bool) ([]Permission, error) {
	permissions, at, err := Find(ctx, e.Store, account, id, whole)
	if err != nil {
		return nil, err
	}
	if err := e.Erase(ctx, permissions[0].Account, ids(permissions), at, wallet.CauseErasure); err != nil {
		return nil, err
	}
	return permissions, nil
}

func ids(permissions []Permission) []wallet.ChargePermissionID {
	out := make([]wallet.ChargePermissionID, len(permissions))
	for i, p := range permissions {
		out[i] = p.ID
	}
	return out
}

// Exporter exports stored data.
type Exporter interface {
	// ExportPerson returns all stored data of charge permissions of one account, as
	// a JSON document.
	ExportPerson(ctx context.Context, account wallet.AccountID, ids []wallet.ChargePermissionID) ([]byte, error)
}

// Export returns all stored data of charge permissions. They must be of one
// account, as Find and FindBuyer return them.
func Export(ctx context.Context, e Exporter, permissions []Permission) ([]byte, error) {
	return e.ExportPerson(ctx, permissions[0].Account, ids(permissions))
}

// Buyers finds the charge permissions of a buyer id.
type Buyers interface {
	// OfBuyer returns the charge permissions with a buyer id, in key order. An empty
	// account means every account that has it. At is the store's time.
	OfBuyer(ctx context.Context, account wallet.AccountID, buyer string) (permissions []Permission, at time.Time, err error)
}

// FindBuyer returns the charge permissions of a buyer in one account; an empty
// account means the only one that has the buyer.
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

// Find returns a charge permission, or all of the person behind it if whole is
// true, of one account; an empty account means the only one that has it. At is the
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
