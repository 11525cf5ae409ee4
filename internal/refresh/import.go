package refresh

import (
	"context"
	"time"

	"walletsync/internal/wallet"
)

// ImportStore is the store that an import of charge permission ids needs. The ids
// of a call are distinct and in key order.
type ImportStore interface {
	// Import requests a refresh, at the lowest priority, of unknown ids, and returns
	// how many they were. Known ones stay as they are.
	Import(context.Context, wallet.AccountID, []wallet.ChargePermissionID) (int, error)
	// Imported returns the state of imported ids.
	Imported(context.Context, wallet.AccountID, []wallet.ChargePermissionID) (Imported, error)
}

// Imported counts imported ids by their state; each counts once.
type Imported struct {
	Read        int // stored
	NotFollowed int // of a type that is not kept in step
	Gone        int // Amazon Pay does not know them (404)
	Failing     int // never read, and the last try failed; they stay pending
	Waiting     int // never read, and not tried yet
	Erased      int // erased on request or by retention: no personal data is stored
	// Error is the error of one of the failing.
	Error string
}

// Add adds the counts of o.
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

// Import is the progress of an account's import.
type Import struct {
	Waiting int // pending at import priority
	Stuck   int // of them, those that failed StuckAfter times or more; ten thousand are counted at most
	Ahead   int // pending at any other priority, which comes first
	// PerSecond is the rate of calls of the account's share.
	PerSecond float64
	// Rest is the rest of the calls' pause, and Why its reason.
	Rest time.Duration
	Why  string
}

// StuckAfter is the number of failures after which an import does not wait for an id.
const StuckAfter = 3

// Left is how long the rest of an import takes at the quota's rate, if other
// requests take others calls a second and the worker makes at most limit. One call
// in ten goes to the oldest request, so others never take all calls for long.
func (i Import) Left(others, limit float64) time.Duration {
	if i.Waiting == 0 {
		return 0
	}
	seconds := float64(i.Waiting)/min(max(i.PerSecond-others, i.PerSecond/10), limit) + float64(i.Ahead)/min(i.PerSecond, limit)
	return i.Rest + time.Duration(seconds*float64(time.Second))
}
