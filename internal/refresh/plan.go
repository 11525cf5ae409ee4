package refresh

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"walletsync/internal/amazonpay"
	"walletsync/internal/wallet"
)

// asks returns the refresh requests of notifications, with distinct message ids.
func asks(ns []wallet.Notification, s Settings) []Ask {
	seen := make(map[string]bool, len(ns))
	out := make([]Ask, 0, len(ns))
	for _, n := range ns {
		if seen[n.MessageID] {
			continue
		}
		seen[n.MessageID] = true
		out = append(out, AskOf(n, s))
	}
	return out
}

// AskOf returns the refresh request of a notification. Those of charges, refunds
// and chargebacks have a lower priority than buyers' changes.
func AskOf(n wallet.Notification, s Settings) Ask {
	if n.ObjectType != wallet.ObjectChargePermission {
		return Ask{Notification: n, Priority: wallet.PriorityOther, Delay: s.ConfirmAfter()}
	}
	return Ask{Notification: n, Priority: wallet.PriorityNotification}
}

// accounts returns the accounts of a batch, in key order.
func accounts(b wallet.Batch) []wallet.AccountID {
	var out []wallet.AccountID
	for _, n := range b.Notifications {
		out = append(out, n.Account)
	}
	for _, w := range b.Woken {
		out = append(out, w.Account)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Decide returns the result of Amazon's answer to a claim, or of an error, and the
// pause of the account's calls if they need one. Jitter is in [0, 1).
func Decide(c Claim, got *amazonpay.ChargePermission, err error, follow wallet.Followed, s Settings, jitter float64) (Result, *Closing) {
	if err != nil {
		return refused(c, err, s, jitter)
	}
	return answered(c, got, follow, jitter), nil
}

// answered returns the result of Amazon's answer to a claim.
func answered(c Claim, got *amazonpay.ChargePermission, follow wallet.Followed, jitter float64) Result {
	r := Result{Claim: c, Kind: Read, RequestID: clean(got.Response.RequestID), ReadAt: readAt(got.Response)}
	state, unreadable, err := permissionOf(c.ID, got)
	if err != nil {
		return failed(c, err, jitter)
	}
	if r.Raw, err = rawOf(got.Raw); err != nil {
		return failed(c, err, jitter)
	}
	state = wallet.Merge(c.Stored, state, unreadable)
	if !follow.Follows(state.Type) {
		r.Kind, r.Raw = NotFollowed, nil
		r.State = wallet.ChargePermission{ID: c.ID, Type: state.Type}
		return r
	}
	r.HasAddress = state.Shipping != (wallet.Address{}) || slices.Contains(unreadable, wallet.MemberShipping)
	if c.Erased {
		state, r.Raw = state.WithoutPerson(), nil
	}
	r.State = state
	r.Changes = wallet.Diff(c.Stored, &r.State)
	r.ContradictsRecent = contradictsRecent(c, r.Changes)
	if r.Unreadable = got.Unreadable; len(r.Unreadable) > 0 {
		r.Error = clip("Amazon Pay sent members of an unknown form, which keep what was stored before: " + strings.Join(r.Unreadable, ", "))
	}
	return r
}

// contradictsRecent reports whether a change is in a facet stored less than the
// margin ago: the read may be from a replica that lags behind the one before.
func contradictsRecent(c Claim, changes []wallet.Change) bool {
	if c.Stored == nil {
		return false
	}
	for _, ch := range changes {
		if slices.Contains(c.Recent, ch.Facet) || slices.Contains(c.Recent, wallet.FacetFirstRead) {
			return true
		}
	}
	return false
}

// refused returns the result of an error, and the pause of the account's calls if
// they need one.
func refused(c Claim, err error, s Settings, jitter float64) (Result, *Closing) {
	if amazonpay.WasNotCalled(err) {
		return Result{Claim: c, Kind: NotCalled, Error: clip(err.Error())},
			&Closing{Account: c.Account, For: s.OwnPause, Why: clip(err.Error())}
	}
	if after, throttled := amazonpay.Throttled(err); throttled {
		return failed(c, err, jitter), &Closing{Account: c.Account, For: after, Why: wallet.ReasonThrottled}
	}
	if amazonpay.NotFound(err) {
		answer := responseOf(err)
		return Result{Claim: c, Kind: Gone, RequestID: clean(answer.RequestID), ReadAt: readAt(answer), Error: clip(err.Error())}, nil
	}
	if amazonpay.Misconfigured(err) {
		return Result{Claim: c, Kind: Deferred, Error: clip(err.Error())},
			&Closing{Account: c.Account, For: s.Pause, Why: wallet.ReasonKeyRefused}
	}
	r := failed(c, err, jitter)
	r.Temporary = amazonpay.Temporary(err)
	r.Refused = amazonpay.ObjectRefused(err)
	return r, nil
}

func left(c Claim, err error) Result {
	return Result{Claim: c, Kind: Left, Error: clip(err.Error())}
}

func failed(c Claim, err error, jitter float64) Result {
	return Result{Claim: c, Kind: Failed, Error: clip(err.Error()), Backoff: backoff(c.Attempts, jitter)}
}

// Refusals sums up a batch's calls of one account: the refused ids, and whether any
// call was answered, which shows that the key works.
type Refusals struct {
	Account  wallet.AccountID
	IDs      []string // distinct, in key order
	Answered bool
}

// RefusalsOf returns the refusals of each account, in key order. Accounts without
// an answered or refused call are left out.
func RefusalsOf(results []Result) []Refusals {
	of := map[wallet.AccountID]*Refusals{}
	for _, r := range results {
		answered := r.Kind == Read || r.Kind == Gone || r.Kind == NotFollowed
		if !answered && !r.Refused {
			continue
		}
		if of[r.Account] == nil {
			of[r.Account] = &Refusals{Account: r.Account}
		}
		of[r.Account].Answered = of[r.Account].Answered || answered
		if r.Refused {
			of[r.Account].IDs = append(of[r.Account].IDs, string(r.ID))
		}
	}
	var out []Refusals
	for _, a := range slices.Sorted(maps.Keys(of)) {
		slices.Sort(of[a].IDs)
		out = append(out, *of[a])
	}
	return out
}

// The back-off after a failure doubles each time; jitter takes off at most half.
const (
	firstBackoff = 2 * time.Second
	MostBackoff  = 15 * time.Minute
)

// backoff returns how long to wait after a failure that followed n others;
// jitter is in [0, 1).
func backoff(n int, jitter float64) time.Duration {
	d := time.Duration(math.Min(float64(MostBackoff), float64(firstBackoff)*math.Pow(2, float64(min(n, 30)))))
	return d/2 + time.Duration(jitter*float64(d/2))
}

// refreshed returns the outcome of a request whose claim had this result; settled
// is nil if the fence dropped it.
func refreshed(r Result, settled *Settled) wallet.Refreshed {
	out := wallet.Refreshed{Kind: string(r.Kind), State: r.Stored, HasAddress: r.HasAddress}
	if settled == nil {
		return out // another worker took over after us, so its read is newer
	}
	out.Confirm = settled.Confirm
	switch {
	case settled.Stored:
		out.Settled, out.Changes, out.State = true, r.Changes, &r.State
	case r.Kind == Gone:
		out.Settled = !settled.Early
	case r.Kind == NotFollowed:
		out.Settled, out.State = true, nil
	}
	return out
}

// Now tries a call as often as the default policy of package amazonpay, with
// shorter waits, because a buyer or clerk waits for the page.
const (
	tries    = 4
	firstTry = 250 * time.Millisecond
)

// between returns how long Now waits after its try n, 1 for the first. It doubles
// each time; jitter, in [0, 1), takes off at most half.
func between(n int, jitter float64) time.Duration {
	d := firstTry << (n - 1)
	return d/2 + time.Duration(jitter*float64(d/2))
}

// clip shortens an error for a column.
func clip(s string) string {
	const limit = 500
	s = clean(s)
	if len(s) > limit {
		return fmt.Sprintf("%s… (%d bytes)", strings.ToValidUTF8(s[:limit], ""), len(s))
	}
	return s
}
