package refresh

import (
	"context"
	"time"

	"walletsync/internal/wallet"
)

// ImportStore is what an import of known charge permission ids needs of the
// store. The ids of a call are distinct and in key order.
type ImportStore interface {
	// Import marks as wanted, behind everything else, those that the store does
	// not know, and returns how many they were. What it knows stays as it is.
	Import(context.Context, wallet.AccountID, []wallet.ChargePermissionID) (int, error)
	// Imported tells what has become of them.
	Imported(context.Context, wallet.AccountID, []wallet.ChargePermissionID) (Imported, error)
}

// Imported is what has become of ids that were imported; each counts once.
type Imported struct {
	Read        int // stored
	NotFollowed int // of a type that is not kept in step
	Gone        int // Amazon Pay does not know them (404)
	Failing     int // never read, and the last try failed; they stay wanted
	Waiting     int // never read, and not tried yet
	Erased      int // the person asked for it, or they were closed for long: no personal data is stored
	// Error is what one of the failing said.
	Error string
}

// Add adds what has become of others.
func (i *Imported) Add(o Imported) {
	i.Read += o.Read
	i.NotFollowed += o.NotFollowed
	i.Gone += o.Gone
	i.Failing += o.Failing
	i.Waiting += o.Waiting
	i.Erased += o.Erased
	if i.Error == "" {
		i.Error = o.Error
	}
}

// Import is how the import of an account stands.
type Import struct {
	Waiting int // wanted at import priority
	Stuck   int // of them, those that failed StuckAfter times or more; ten thousand are looked at
	Ahead   int // wanted at any other priority, which comes first
	// PerSecond is how many calls the account's share gains.
	PerSecond float64
	// Rest is how long calls rest, and Why.
	Rest time.Duration
	Why  string
}

// StuckAfter is after how many failures an import is not waited for.
const StuckAfter = 3

// Left is how long the rest of an import takes at the quota's rate, if others
// take so many calls a second and the worker makes at most so many. One call in
// ten goes to the longest wanted, so others never take all of them for long.
func (i Import) Left(others, most float64) time.Duration {
	if i.Waiting == 0 {
		return 0
	}
	seconds := float64(i.Waiting)/min(max(i.PerSecond-others, i.PerSecond/10), most) + float64(i.Ahead)/min(i.PerSecond, most)
	return i.Rest + time.Duration(seconds*float64(time.Second))
}
