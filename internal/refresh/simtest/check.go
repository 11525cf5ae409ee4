package simtest

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"walletsync/internal/refresh"
	"walletsync/internal/refresh/storetest"
	"walletsync/internal/wallet"
)

// checker checks the invariants of the design from outside: it compares the store's
// state before and after each transaction with Amazon's state, the queue and its own
// records. It does not depend on how the store keeps them.
type checker struct {
	w    *world
	last storetest.State
	// claims are the claims granted and not yet called for, by lease: one call each.
	claims map[call]bool
	// confirms counts the confirmations since the last new reason.
	confirms map[storetest.Key]int
	// recorded is the version of the last change row of a facet.
	recorded map[side]int
	// owed is true while only the reconciler may find the pending requests, because
	// a wake-up may be lost and no message replaces it. Then no message needs to be
	// in the queue.
	owed bool
	// lost is set for good when a wake-up may have been lost and no message replaces
	// it: its time has passed, and comes again when the clock jumps back.
	lost bool
	// erasures has the time of each erasure, by the store's clock, until the buyer's
	// own update lifts it.
	erasures map[storetest.Key]time.Time
	// repeated is true while a first trip that was made twice is checked.
	repeated bool
	// slack is how long a worker took to send a wake-up after it was decided.
	slack time.Duration
	// refused are the different ids that Amazon refused in a row.
	refused map[wallet.AccountID]map[wallet.ChargePermissionID]bool
}

type call struct {
	lease refresh.Lease
	key   storetest.Key
}

type side struct {
	storetest.Key
	facet wallet.Facet
}

func newChecker(w *world) checker {
	return checker{w: w, last: w.model.Snapshot(), claims: map[call]bool{}, confirms: map[storetest.Key]int{}, recorded: map[side]int{},
		erasures: map[storetest.Key]time.Time{}, refused: map[wallet.AccountID]map[wallet.ChargePermissionID]bool{}}
}

func row(s storetest.State, k storetest.Key) storetest.Row {
	for _, r := range s.Rows {
		if r.Key == k {
			return r
		}
	}
	return storetest.Row{Key: k}
}

func stored(s storetest.State, k storetest.Key) storetest.Permission {
	for _, p := range s.Permissions {
		if p.Key == k {
			return p
		}
	}
	return storetest.Permission{}
}

// claimed checks the first trip.
func (c *checker) claimed(q refresh.ClaimRequest, got refresh.Claimed) {
	before, now := c.take(), c.w.storeTime()
	after := c.last
	var live []refresh.Ask // not known before
	for _, a := range q.Asks {
		outcome, ok := after.Notifications[a.MessageID]
		if !ok {
			c.w.fail("notification %s is not recorded", a.MessageID)
		}
		if was, known := before.Notifications[a.MessageID]; known {
			c.w.saw("duplicate")
			if was != outcome {
				c.w.fail("the duplicate of %s changed its outcome from %s to %s", a.MessageID, was, outcome)
			}
			continue
		}
		c.w.saw(outcome)
		live = append(live, a)
	}
	if len(after.Changes) != len(before.Changes) {
		c.w.fail("a first trip wrote history")
	}
	granted := map[wallet.AccountID]int{}
	for _, r := range after.Rows {
		was := row(before, r.Key)
		c.merged(q, r, was, live, now)
		if r.Done != was.Done || r.Attempts != was.Attempts || !r.ReadAt.Equal(was.ReadAt) || r.Gone != was.Gone || r.LastError != was.LastError {
			c.w.fail("a first trip settled %s", r.ID)
		}
		if a, b := stored(before, r.Key), stored(after, r.Key); c.version(a) != c.version(b) || a.Type != b.Type {
			c.w.fail("a first trip stored %s", r.ID)
		}
		if r.Lease == was.Lease {
			if !r.LeaseUntil.Equal(was.LeaseUntil) || r.Claimed != was.Claimed {
				c.w.fail("the lease of %s was changed without holding it", r.ID)
			}
			continue
		}
		switch {
		case r.Lease != q.Lease:
			c.w.fail("a first trip gave %s the lease of another", r.ID)
		case q.Want != nil && r.ID != q.Want.ChargePermission:
			c.w.fail("%s was claimed, and another was to be read at once", r.ID)
		case was.LeaseUntil.After(now) && q.Want == nil:
			c.w.fail("%s was claimed while another holds it", r.ID)
		case r.NotBefore.After(now) && q.Want == nil:
			c.w.fail("%s was claimed before its time", r.ID)
		case r.Wanted <= r.Done:
			c.w.fail("%s was claimed and nothing is wanted of it", r.ID)
		case r.Claimed != r.Wanted:
			c.w.fail("the claim of %s counts %d of %d reasons", r.ID, r.Claimed, r.Wanted)
		case !r.LeaseUntil.Equal(now.Add(q.Settings.Lease)):
			c.w.fail("the lease of %s ends at the wrong time", r.ID)
		}
		switch {
		case was.LeaseUntil.After(now):
			c.w.saw("takeover of a live lease")
		case was.Lease != (refresh.Lease{}):
			c.w.saw("takeover of a lease that ran out")
		}
		granted[r.Account]++
		c.claims[call{q.Lease, r.Key}] = true
	}
	claims := 0
	for a, b := range after.Buckets {
		counted := granted[a]
		if q.Want != nil {
			counted = 0 // it has no turn
		}
		c.quota(a, before.Buckets[a], b, granted[a], counted, now)
		if q.Want != nil {
			c.atOnce(a, q, got, before.Buckets[a], b, granted[a], now)
		} else if slices.Contains(q.Accounts, a) {
			c.fair(a, q, before, before.Buckets[a], b, granted[a], now)
		} else if granted[a] > 0 {
			c.w.fail("a claim of an account that was not asked for")
		}
		claims += granted[a]
	}
	if claims != len(got.Claims) {
		c.w.fail("%d claims were granted and %d returned", claims, len(got.Claims))
	}
	if claims == 0 && len(got.Wakes) == 0 {
		c.w.saw("nothing claimed, no wake-up needed")
	}
	c.steady(before)
}

// merged checks how the reasons of a batch were merged into a row: the higher
// priority and the earlier time win, a back-off after a failure stays, and no
// reason is lost or counted twice.
func (c *checker) merged(q refresh.ClaimRequest, r, was storetest.Row, live []refresh.Ask, now time.Time) {
	reasons, soonest, highest := int64(0), time.Duration(math.MaxInt64), wallet.Priority(math.MaxInt16)
	newest := was.NotifiedAt
	for _, a := range live {
		if a.Account != r.Account || a.ChargePermission != r.ID {
			continue
		}
		if a.Published.After(newest) {
			newest = a.Published
		}
		switch c.last.Notifications[a.MessageID] {
		case "wanted":
			reasons++
			soonest = min(soonest, a.Delay)
			priority := a.Priority
			if priority == wallet.PriorityNotification && stored(c.last, r.Key).Type == "" {
				priority = wallet.PriorityUnknown
			}
			highest = min(highest, priority)
			if !was.ReadAt.IsZero() && !a.Published.Add(q.Margin).After(was.ReadAt) {
				c.w.fail("%s asks for a read that %s has had", a.MessageID, r.ID)
			}
		case "confirming":
			switch {
			case was.Wanted == was.Done:
				c.w.fail("%s is left to a read of %s that is not requested", a.MessageID, r.ID)
			case was.Priority == wallet.PriorityConfirm && (!a.Published.After(was.NotifiedAt) || !a.Published.After(was.ReadAt)):
				c.w.saw("left to a confirmation")
			case was.LeaseUntil.After(now) && !a.Published.After(was.NotifiedAt):
				c.w.saw("left to a read under way")
			default:
				c.w.fail("%s is left to a read of %s that is not under way, or is older", a.MessageID, r.ID)
			}
		case "recorded":
			c.w.fail("%s is recorded without a request", a.MessageID)
		}
	}
	if w := q.Want; w != nil && w.Account == r.Account && w.ChargePermission == r.ID {
		if w.At.IsZero() || was.ReadAt.IsZero() || w.At.Add(q.Margin).After(was.ReadAt) {
			reasons, soonest, highest = reasons+1, 0, min(highest, w.Priority)
			if c.repeated && r.Lease != q.Lease { // without a claim there is no record of the first request
				reasons++
			}
			if w.At.After(newest) {
				newest = w.At
			}
		} else {
			c.w.saw("covered at once")
		}
	}
	if r.Wanted != was.Wanted+reasons {
		c.w.fail("%d new reasons raised wanted of %s from %d to %d", reasons, r.ID, was.Wanted, r.Wanted)
	}
	if !r.NotifiedAt.Equal(newest) {
		c.w.fail("the newest notification of %s is of another time", r.ID)
	}
	if reasons == 0 {
		if was.Wanted > was.Done && (r.Priority != was.Priority || !r.NotBefore.Equal(was.NotBefore) || !r.Since.Equal(was.Since)) {
			c.w.fail("%s was put elsewhere in the order without a reason", r.ID)
		}
		return
	}
	c.confirms[r.Key] = 0
	at := now.Add(soonest)
	switch {
	case was.Wanted == was.Done:
		if r.Priority != highest || !r.NotBefore.Equal(at) || !r.Since.Equal(now) {
			c.w.fail("%s is newly wanted, at priority %d, due in %v", r.ID, r.Priority, r.NotBefore.Sub(now))
		}
		return
	case was.Attempts > 0:
		c.w.saw("back-off kept")
		at = was.NotBefore
	case was.NotBefore.Before(at):
		at = was.NotBefore
	}
	c.w.saw("merged")
	if !r.NotBefore.Equal(at) || !r.Since.Equal(was.Since) || r.Priority != min(was.Priority, highest) {
		c.w.fail("%s was wanted at priority %d, due in %v after %d failures, and is at %d, due in %v", r.ID,
			was.Priority, was.NotBefore.Sub(now), was.Attempts, r.Priority, r.NotBefore.Sub(now))
	}
}

// quota checks that the bucket gave what it had, once for each claim; granted is
// below zero where tokens were returned.
func (c *checker) quota(a wallet.AccountID, was, is storetest.Bucket, granted, counted int, now time.Time) {
	had := was.Tokens
	if past := is.RefilledAt.Sub(was.RefilledAt); past < 0 || is.RefilledAt.After(now) && past > 0 {
		c.w.fail("the quota of %s was refilled for a time that has not passed", a)
	} else {
		had = min(is.Burst, had+is.PerSecond*past.Seconds())
	}
	if math.Abs(min(is.Burst, had-float64(granted))-is.Tokens) > 1e-6 {
		c.w.fail("the quota of %s had %.3f tokens, %d were granted, and %.3f are left", a, had, granted, is.Tokens)
	}
	if is.Tokens < -1e-9 {
		c.w.fail("the quota of %s is overdrawn: %.3f", a, is.Tokens)
	}
	if granted > 0 && was.ClosedUntil.After(now) {
		c.w.fail("calls of %s were granted while its bucket is closed", a)
	}
	if is.Granted != was.Granted+int64(counted) {
		c.w.fail("the quota of %s counts %d grants more, and %d were made", a, is.Granted-was.Granted, counted)
	}
}

// atOnce checks that what is wanted at once is claimed if there is a token.
func (c *checker) atOnce(a wallet.AccountID, q refresh.ClaimRequest, got refresh.Claimed, was, is storetest.Bucket, granted int, now time.Time) {
	if a != q.Want.Account {
		if granted > 0 {
			c.w.fail("a claim of an account that was not asked for")
		}
		return
	}
	p := c.w.permission(storetest.Key{Account: a, ID: q.Want.ChargePermission})
	switch can := is.Tokens+float64(granted) >= 1 && !was.ClosedUntil.After(now) && !got.Covered; {
	case can != (granted == 1) && math.Abs(is.Tokens+float64(granted)-1) > 1e-6:
		c.w.fail("%s is wanted at once, and %d claims were granted with %.2f tokens left", p.name, granted, is.Tokens)
	case got.Covered && c.version(stored(c.last, p.Key)) < p.at(q.Want.At.Sub(epoch)) && p.kind != "OneTime":
		c.w.fail("what is wanted of %s at once is covered by a read that is older", p.name)
	}
	if !got.Covered && !q.Want.At.IsZero() {
		c.w.wants = append(c.w.wants, &note{id: "the return", p: p, published: q.Want.At.Sub(epoch)})
	}
}

// unfinished notes that an invocation could not finish. If no message of the
// queue stands for it, or one that another has taken and may acknowledge, it is
// the reconciler's.
func (c *checker) unfinished(p *proc) {
	if p.want != nil || p.desk || slices.ContainsFunc(p.took, func(m *message) bool { return m.holder != p }) {
		c.lose()
	}
}

// lose notes that a wake-up may be lost beyond the queue's help.
func (c *checker) lose() { c.owed, c.lost = true, true }

// fair checks that what was due was claimed as far as the tokens went, in its
// order, and that one token in ten went to the longest wanted.
func (c *checker) fair(a wallet.AccountID, q refresh.ClaimRequest, before storetest.State, was, is storetest.Bucket, granted int, now time.Time) {
	type due struct {
		storetest.Row
		got bool
	}
	var all []due
	for _, r := range c.last.Rows {
		if r.Account == a && r.Wanted > r.Done && !r.NotBefore.After(now) && !row(before, r.Key).LeaseUntil.After(now) {
			all = append(all, due{r, r.Lease == q.Lease})
		}
	}
	if len(all) == 0 {
		return
	}
	tokens := is.Tokens + float64(granted)
	most, least := min(len(all), q.Limit, int(tokens+1e-6)), min(len(all), q.Limit, int(tokens-1e-6)) // floats
	if was.ClosedUntil.After(now) {
		c.w.saw("bucket closed")
		most, least = 0, 0
	}
	if granted < least || granted > most {
		c.w.fail("%d of %d due were claimed, with %.2f tokens left", granted, len(all), is.Tokens)
	}
	if granted < len(all) {
		c.w.saw("out of tokens")
	}
	slices.SortFunc(all, func(x, y due) int { return cmp.Or(x.Since.Compare(y.Since), cmp.Compare(x.ID, y.ID)) })
	oldest := int((was.Granted+int64(granted))/10 - was.Granted/10)
	for _, d := range all[:min(oldest, len(all))] {
		if !d.got {
			c.w.fail("the token in ten that is the longest wanted's did not go to %s", d.ID)
		}
		c.w.saw("token for the longest wanted")
	}
	rest := all[min(oldest, len(all)):]
	slices.SortStableFunc(rest, func(x, y due) int {
		if x.Priority == wallet.PriorityUnknown && y.Priority == wallet.PriorityUnknown {
			return y.Since.Compare(x.Since) // of ids never read the newest first
		}
		return cmp.Compare(x.Priority, y.Priority)
	})
	for i := 1; i < len(rest); i++ {
		if rest[i].got && !rest[i-1].got {
			c.w.fail("%s, at priority %d, was claimed before %s, at priority %d", rest[i].ID, rest[i].Priority, rest[i-1].ID, rest[i-1].Priority)
		}
	}
}

// called checks that a call was granted, and is made once.
func (c *checker) called(p *proc, claim refresh.Claim) {
	k := call{p.lease, storetest.Key{Account: claim.Account, ID: claim.ID}}
	if !c.claims[k] {
		c.w.fail("a call for %s that no token was taken for", claim.ID)
	}
	delete(c.claims, k)
	c.w.saw("call")
}

// committed checks the second trip: only the holder stores, it stores a state that
// Amazon had, and each difference is recorded once.
func (c *checker) committed(p *proc, q refresh.CommitRequest, got refresh.Committed) {
	before, now := c.take(), c.w.storeTime()
	after := c.last
	appended := after.Changes[min(len(before.Changes), len(after.Changes)):]
	recorded := 0
	returned := map[wallet.AccountID]int{}
	for _, r := range after.Rows {
		was := row(before, r.Key)
		i := slices.IndexFunc(q.Results, func(x refresh.Result) bool { return x.Account == r.Account && x.ID == r.ID })
		if i < 0 || was.Lease != q.Lease {
			if i >= 0 {
				c.w.saw("dropped by the fence")
			}
			if r != was {
				c.w.fail("%s was changed without its lease", r.ID)
			}
			if a, b := stored(before, r.Key), stored(after, r.Key); a.Type != b.Type || c.version(a) != c.version(b) || !a.ReadAt.Equal(b.ReadAt) {
				c.w.fail("%s was stored without its lease", r.ID)
			}
			continue
		}
		if r.Lease != (refresh.Lease{}) || r.LeaseUntil.After(now) {
			c.w.fail("the lease of %s is not free", r.ID)
		}
		c.settled(q, q.Results[i], r, was, now)
		if q.Results[i].Kind == refresh.NotCalled {
			returned[r.Account]++
		}
		recorded += c.history(r.Key, before, appended)
	}
	if recorded != len(appended) {
		c.w.fail("%d changes were appended, and %d belong to stored results", len(appended), recorded)
	}
	for a, b := range after.Buckets {
		was := before.Buckets[a]
		c.quota(a, was, b, -returned[a], 0, now)
		several := c.severalRefused(a, p.outcomeOf(a))
		if several != slices.Contains(got.Refused, a) {
			c.w.fail("several ids of %s in a row were refused: %v, and reported: %v", a, several, got.Refused)
		}
		closed := several || slices.ContainsFunc(q.Closings, func(x refresh.Closing) bool { return x.Account == a })
		if closed != b.ClosedUntil.After(was.ClosedUntil) && (!closed || !was.ClosedUntil.After(now)) {
			c.w.fail("the bucket of %s: closing %v, and it is closed until %v", a, closed, b.ClosedUntil)
		}
		if closed {
			c.w.saw("closing")
		}
	}
	for _, s := range got.Settled {
		if s.Early {
			c.w.saw("early")
		}
		if s.Withheld {
			c.w.saw("withheld")
		}
		if s.Confirm {
			c.w.saw("confirmation asked for")
		}
	}
	c.steady(before)
}

// severalRefused records the outcomes of an account's calls, and reports whether its
// calls must pause because several different ids in a row were refused.
func (c *checker) severalRefused(a wallet.AccountID, o *outcomes) bool {
	if o.answered {
		delete(c.refused, a)
		return false
	}
	if c.refused[a] == nil {
		c.refused[a] = map[wallet.ChargePermissionID]bool{}
	}
	maps.Copy(c.refused[a], o.refused)
	if len(o.refused) == 0 || len(c.refused[a]) < 3 {
		return false
	}
	c.w.saw("several ids in a row refused")
	return true
}

// settled checks the row of one result that passed the fence.
func (c *checker) settled(q refresh.CommitRequest, res refresh.Result, r, was storetest.Row, now time.Time) {
	raised := r.Wanted - was.Wanted
	if raised != 0 && raised != 1 {
		c.w.fail("a second trip moved wanted of %s by %d", r.ID, raised)
	}
	if !r.NotifiedAt.Equal(was.NotifiedAt) {
		c.w.fail("a second trip moved the newest notification of %s", r.ID)
	}
	switch res.Kind {
	case refresh.Failed:
		c.w.saw("failed")
		if raised != 0 || r.Done != was.Done || r.Attempts != was.Attempts+1 || !r.NotBefore.Equal(now.Add(res.Backoff)) ||
			res.Backoff <= 0 || r.Priority != was.Priority || !r.Since.Equal(was.Since) || r.LastError == "" {
			c.w.fail("a failure of %s was not left wanted with a back-off", r.ID)
		}
		// Doubled with each failure, up to a quarter of an hour, between half and all of it.
		if full := min(15*time.Minute, 2*time.Second<<min(was.Attempts, 20)); res.Backoff < full/2 || res.Backoff > full {
			c.w.fail("after %d failures the back-off is %v", was.Attempts, res.Backoff)
		}
		return
	case refresh.Left, refresh.NotCalled, refresh.Deferred:
		c.w.saw(string(res.Kind))
		attempts := was.Attempts
		if res.Kind == refresh.Deferred {
			attempts++ // shows as failing
		}
		if raised != 0 || r.Done != was.Done || r.Attempts != attempts || !r.NotBefore.Equal(was.NotBefore) || r.LastError == "" {
			c.w.fail("%s was not left as it was", r.ID)
		}
		return
	case refresh.Read, refresh.Gone, refresh.NotFollowed:
	}
	c.w.saw(string(res.Kind))
	if r.Attempts != 0 {
		c.w.fail("an answer left the failures of %s", r.ID)
	}
	if r.Done <= was.Done || r.Done < was.Claimed {
		c.w.fail("an answer for %s met nothing", r.ID)
	}
	if was.Wanted > was.Claimed {
		c.w.saw("wanted during the fetch")
	}
	if !r.Since.Equal(now) {
		c.w.fail("since of %s does not restart", r.ID)
	}
	switch {
	case raised == 1:
		c.confirms[r.Key]++
		if n := c.confirms[r.Key]; n > 3 {
			c.w.fail("%d confirmations of %s since the last new reason", n, r.ID)
		}
		if r.Priority != wallet.PriorityConfirm || r.NotBefore.Before(now.Add(q.Margin)) {
			c.w.fail("the confirmation of %s is at priority %d, in %v", r.ID, r.Priority, r.NotBefore.Sub(now))
		}
		if r.Done != r.Wanted-1 {
			c.w.fail("%d confirmations of %s at once", r.Wanted-r.Done, r.ID)
		}
	case r.Wanted == r.Done && c.confirms[r.Key] == 3:
		c.w.saw("confirmed three times")
		c.confirms[r.Key] = 0
	case r.Wanted == r.Done:
		c.confirms[r.Key] = 0
	}
}

// history checks that the changes of one charge permission in a transaction are
// the differences between what was stored and what is. It returns how many.
func (c *checker) history(k storetest.Key, before storetest.State, appended []storetest.Change) int {
	p := c.w.permission(k)
	is, was := stored(c.last, k), stored(before, k)
	n := c.version(is)
	if is.State != nil && (n < 0 || !p.matches(is.State, n)) {
		c.w.fail("%s is stored as Amazon never had it: %+v", k.ID, *is.State)
	}
	if bare(is.State) {
		c.w.saw("read without the person")
		if _, erased := c.erasures[k]; !erased && was.State != nil && !bare(was.State) {
			c.w.fail("%s is not erased, and read without the person", k.ID)
		}
	}
	if is.State == nil && is.Type != "" && (is.Type != p.kind || is.Type != "OneTime") {
		c.w.fail("%s is stored as a %s that is not followed", k.ID, is.Type)
	}
	want := map[wallet.Facet][2]string{}
	switch old := c.version(was); {
	case n < 0:
	case was.State == nil && bare(is.State):
		want[wallet.FacetFirstRead] = [2]string{"", fmt.Sprintf(`{"state":%s}`, p.facetsOf(n, true)[wallet.FacetState])}
	case was.State == nil:
		want[wallet.FacetFirstRead] = [2]string{"", p.versions[n].whole()}
	default:
		a, b := p.facetsOf(old, bare(was.State)), p.facetsOf(n, bare(is.State))
		for f := range p.versions[n].facets() {
			if a[f] != b[f] {
				want[f] = [2]string{a[f], b[f]}
			}
		}
	}
	count := 0
	for _, ch := range appended {
		if ch.Key != k {
			continue
		}
		count++
		w, ok := want[ch.Facet]
		if !ok {
			c.w.fail("a change of %s's %s without a difference, or recorded twice: %s -> %s", k.ID, ch.Facet, ch.Before, ch.After)
		}
		if w != [2]string{ch.Before, ch.After} {
			c.w.fail("a change of %s's %s is recorded as %s -> %s, and was %s -> %s", k.ID, ch.Facet, ch.Before, ch.After, w[0], w[1])
		}
		delete(want, ch.Facet)
		// A read never undoes a change that a newer read recorded. (After a jump of
		// the store's clock the store may not know which facets are recent.)
		if last := c.recorded[side{k, ch.Facet}]; n < last && c.w.forward == 0 {
			c.w.fail("%s of %s went back from version %d to %d", ch.Facet, k.ID, last, n)
		}
		c.recorded[side{k, ch.Facet}] = n
		if ch.Facet == wallet.FacetFirstRead {
			for f := range p.versions[n].facets() {
				c.recorded[side{k, f}] = n
			}
		}
	}
	for f := range want {
		c.w.fail("a change of %s's %s is not recorded", k.ID, f)
	}
	if count > 0 {
		c.w.saw("changes")
	}
	return count
}

func (c *checker) version(p storetest.Permission) int {
	if p.State == nil {
		return -1
	}
	return c.w.permission(p.Key).versionOf(p.State)
}

// take updates the snapshot of the store, and returns the one before.
func (c *checker) take() storetest.State {
	before := c.last
	c.last = c.w.model.Snapshot()
	return before
}

// steady checks what must hold after any transaction.
func (c *checker) steady(before storetest.State) {
	s := c.last
	for i, ch := range s.Changes {
		if ch.Position != int64(i)+1 {
			c.w.fail("change %d of the feed has position %d", i+1, ch.Position)
		}
		if i < len(before.Changes) && ch != before.Changes[i] {
			c.w.fail("history was rewritten at position %d", ch.Position)
		}
	}
	for _, was := range before.Rows {
		r := row(s, was.Key)
		if r.Wanted < was.Wanted || r.Done < was.Done || r.Claimed < was.Claimed {
			c.w.fail("the counters of %s sank", r.ID)
		}
	}
	for _, r := range s.Rows {
		if r.Done > r.Wanted || r.Claimed > r.Wanted {
			c.w.fail("%s: wanted %d, done %d, claimed %d", r.ID, r.Wanted, r.Done, r.Claimed)
		}
	}
	for id, was := range before.Notifications {
		if s.Notifications[id] != was {
			c.w.fail("the outcome of %s went from %q to %q", id, was, s.Notifications[id])
		}
	}
	c.gone()
	c.met()
}

// met checks that each recorded notification has been met or is pending: the state
// at the time when it was published, or a newer one, is stored.
func (c *checker) met() {
	for _, n := range c.w.notes {
		if outcome, recorded := c.last.Notifications[n.id]; recorded {
			c.metOne(n, outcome)
		}
	}
	for _, n := range c.w.wants {
		c.metOne(n, "wanted at once")
	}
}

func (c *checker) metOne(n *note, outcome string) {
	r := row(c.last, n.p.Key)
	if r.Wanted > r.Done || n.p.kind == "OneTime" && stored(c.last, n.p.Key).Type == n.p.kind {
		return
	}
	if outcome == "unknown" && c.w.known[n.p.Account] {
		return
	}
	if have := c.version(stored(c.last, n.p.Key)); have < n.p.at(n.published) {
		c.w.fail("%s (%s) is lost: %s is not wanted, version %d is stored, and it was at %d when the notification was published",
			n.id, outcome, n.p.name, have, n.p.at(n.published))
	}
}

// acknowledged checks that a message that is deleted from the queue was processed.
func (w *world) acknowledged(m *message) {
	if m.bogus && !slices.Contains(w.dead, m.body) {
		w.fail("a message that cannot be processed is neither in the queue nor in the dead-letter queue")
	}
	if m.note == nil {
		return
	}
	if _, recorded := w.checker.last.Notifications[m.note.id]; !recorded {
		w.fail("%s was acknowledged, and is not recorded", m.note.id)
	}
}

// step checks, between two events, that a message arrives in time for every pending
// request.
func (c *checker) step() {
	w := c.w
	for _, p := range w.procs {
		if p != nil {
			return
		}
	}
	if c.owed && !c.waiting() {
		c.owed = false
		for _, b := range c.last.Buckets { // one that was lost counts as under way until its time
			c.owed = c.owed || b.WakeAt.After(w.storeTime())
		}
	}
	for a, b := range c.last.Buckets {
		var due time.Time
		waiting := false
		for _, r := range c.last.Rows {
			if r.Account != a || r.Wanted <= r.Done {
				continue
			}
			at := r.NotBefore
			if r.LeaseUntil.After(at) {
				at = r.LeaseUntil
			}
			if !waiting || at.Before(due) {
				due, waiting = at, true
			}
		}
		if !waiting || c.owed {
			continue
		}
		if b.ClosedUntil.After(due) {
			due = b.ClosedUntil
		}
		if token := b.RefilledAt.Add(time.Duration((1 - b.Tokens) / b.PerSecond * float64(time.Second))); b.Tokens < 1 && token.After(due) {
			due = token
		}
		need := max(w.now, due.Sub(epoch)-w.offset)
		come := time.Duration(-1)
		for _, m := range w.queue {
			if at := max(w.now, m.visible); come < 0 || at < come {
				come = at
			}
		}
		if come < 0 {
			w.fail("a request of %s is pending, and no message will come", a)
		}
		allowed := 2*time.Second + c.slack // whole seconds, rounded up
		if slices.ContainsFunc(w.queue, func(m *message) bool { return m.receives > 0 }) {
			allowed += visibility // the redelivery sends a wake-up that may have been lost
		}
		if late := come - need; late > allowed && w.forward == 0 {
			w.fail("a request of %s is due in %v, and no message comes for %v", a, need-w.now, come-w.now)
		}
	}
}

// atRest checks the world when no event is left and the reconciler has not run: the
// state of every notification is stored.
func (c *checker) atRest() {
	w := c.w
	c.nothingWanted()
	for _, n := range w.notes {
		if !n.acked {
			w.fail("%s is neither in the queue nor acknowledged", n.id)
		}
	}
	for _, p := range w.permissions {
		have := stored(c.last, p.Key)
		if r := row(c.last, p.Key); c.owed && r.Wanted > r.Done {
			continue
		}
		if p.unheard || len(p.versions) == 0 || w.known[p.Account] {
			continue
		}
		c.equal(p, have)
	}
	for _, body := range w.dead {
		if !slices.Contains(w.bogusBodies, body) {
			w.fail("the dead-letter queue holds %s", body)
		}
	}
	for _, body := range w.bogusBodies {
		if !slices.Contains(w.dead, body) {
			w.fail("the dead-letter queue does not hold %s", body)
		}
	}
}

func (c *checker) waiting() bool {
	return slices.ContainsFunc(c.last.Rows, func(r storetest.Row) bool { return r.Wanted > r.Done })
}

func (c *checker) nothingWanted() {
	for _, r := range c.last.Rows {
		if r.Wanted > r.Done && !c.owed {
			c.w.fail("%s stays wanted for ever", r.ID)
		}
	}
}

func (c *checker) equal(p *permission, have storetest.Permission) {
	if p.kind == "OneTime" {
		if have.Type != p.kind || have.State != nil {
			c.w.fail("%s is not followed, and stored as %+v", p.name, have)
		}
		return
	}
	if n := c.version(have); n != p.newest() {
		c.w.fail("all is quiet, and version %d of %s is stored, not %d", n, p.name, p.newest())
	}
	if _, erased := c.erasures[p.Key]; bare(have.State) != erased {
		c.w.fail("all is quiet, the person of %s is erased: %v, and what is stored is %+v", p.name, erased, *have.State)
	}
}

// afterSweep checks that the sweep has read changes whose notifications were lost.
func (c *checker) afterSweep() {
	c.nothingWanted()
	for _, p := range c.w.permissions {
		if c.swept(p) {
			c.equal(p, stored(c.last, p.Key))
		}
	}
}
