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

// asks says what the notifications ask for. Message ids come out distinct.
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

// AskOf says what a notification asks for. Those of charges, refunds and
// chargebacks wait behind the buyers' changes.
func AskOf(n wallet.Notification, s Settings) Ask {
	if n.ObjectType != wallet.ObjectChargePermission {
		return Ask{Notification: n, Priority: wallet.PriorityOther, Delay: s.ConfirmAfter()}
	}
	return Ask{Notification: n, Priority: wallet.PriorityNotification}
}

// accounts returns the accounts that a batch concerns, in key order.
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

// Decide says what to make of Amazon's answer to a claim, or of the error in
// place of one, and whether the account's calls must rest. Jitter is in [0, 1).
func Decide(c Claim, got *amazonpay.ChargePermission, err error, follow wallet.Followed, s Settings, jitter float64) (Result, *Closing) {
	if err != nil {
		return refused(c, err, s, jitter)
	}
	return answered(c, got, follow, jitter), nil
}

// answered says what to make of Amazon's answer to a claim.
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

// contradictsRecent reports whether a change undoes something stored less than the
// margin ago: the read may come from a replica that lags behind the one before it.
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

// refused says what to make of an error in place of an answer, and whether the
// account's calls must rest.
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

// Refusals are what a batch's calls of one account say of the account: which ids
// were refused, and whether any call was answered, which shows that the key is
// good.
type Refusals struct {
	Account  wallet.AccountID
	IDs      []string // distinct, in key order
	Answered bool
}

// RefusalsOf returns the refusals of each account, in key order. Those that say
// nothing are left out.
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

// The back-off after a failure: doubled each time, between half and all of it.
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

// refreshed says what came of a want whose claim had this result; settled is
// nil if the fence dropped it.
func refreshed(r Result, settled *Settled) wallet.Refreshed {
	out := wallet.Refreshed{Kind: string(r.Kind), State: r.Stored, HasAddress: r.HasAddress}
	if settled == nil {
		return out // another has taken over, after us: what it reads is newer
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
// shorter waits: someone is looking at a page.
const (
	tries    = 4
	firstTry = 250 * time.Millisecond
)

// between returns how long Now waits after its try n, 1 for the first: doubled
// each time, between half and all of it; jitter is in [0, 1).
func between(n int, jitter float64) time.Duration {
	d := firstTry << (n - 1)
	return d/2 + time.Duration(jitter*float64(d/2))
}

// clip keeps an error fit for a column.
func clip(s string) string {
	const most = 500
	s = clean(s)
	if len(s) > most {
		return fmt.Sprintf("%s… (%d bytes)", strings.ToValidUTF8(s[:most], ""), len(s))
	}
	return s
}
