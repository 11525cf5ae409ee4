// Package storetest compares every refresh.Store with Model, the rules of the two
// round trips in plain Go. Postgres must decide the same as the model, step by step,
// for any sequence of calls (Run). The simulator uses the model as its store.
package storetest

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"walletsync/internal/reconcile"
	"walletsync/internal/refresh"
	"walletsync/internal/wallet"
)

// Key names a charge permission of an account.
type Key struct {
	Account wallet.AccountID
	ID      wallet.ChargePermissionID
}

func (k Key) compare(o Key) int {
	return cmp.Or(cmp.Compare(k.Account, o.Account), cmp.Compare(k.ID, o.ID))
}

// Row is the refresh state of one charge permission.
type Row struct {
	Key
	Wanted, Done, Claimed int64
	Since                 time.Time
	Priority              wallet.Priority
	NotBefore             time.Time
	Lease                 refresh.Lease
	LeaseUntil            time.Time
	NotifiedAt            time.Time
	NotifiedBy            string
	ReadAt                time.Time
	Attempts, Confirms    int
	Gone                  bool
	LastError             string
	ErasedAt              time.Time // the erasure marker
}

// ErasureLease is the lease that an erasure sets when it takes one over.
var ErasureLease = refresh.Lease{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// Due reports whether the row may be claimed at now.
func (r Row) Due(now time.Time) bool { return r.Wanted > r.Done && !r.dueAt().After(now) }

func (r Row) dueAt() time.Time { return later(r.NotBefore, r.LeaseUntil) }

// Permission is a stored charge permission.
type Permission struct {
	Key
	Type     string
	Followed bool
	State    *wallet.ChargePermission // nil if not followed
	ReadAt   time.Time
	StoredAt time.Time
}

// Change is one row of the history.
type Change struct {
	Position int64
	Key
	Facet         wallet.Facet
	Before, After string // JSON; empty for nothing
	Cause         wallet.Cause
	MessageID     string
	ReadAt        time.Time
	StoredAt      time.Time
}

// Bucket is the token bucket of Get Charge Permission.
type Bucket struct {
	Burst, PerSecond float64
	Tokens           float64
	RefilledAt       time.Time
	Granted          int64
	ClosedUntil      time.Time
	ClosedFor        float64
	WakeAt           time.Time
	Refused          []string // different ids refused in a row
}

// State is all that a store knows, in key order; the history in its own.
type State struct {
	Rows          []Row
	Permissions   []Permission
	Changes       []Change
	Notifications map[string]string // outcome by message id
	Buckets       map[wallet.AccountID]Bucket
}

// Account is an account of the model.
type Account struct {
	ID     wallet.AccountID
	Follow wallet.Followed
	Quota  wallet.Quota // of Get Charge Permission, the share taken
}

// Model is a refresh.Store in memory. Each call is one transaction.
type Model struct {
	// Now is the store's clock.
	Now func() time.Time

	mu          sync.Mutex
	accounts    map[wallet.AccountID]Account
	buckets     map[wallet.AccountID]*Bucket
	inbox       map[string]string
	rows        map[Key]*Row
	permissions map[Key]*Permission
	changes     []Change
}

// NewModel returns a store with full buckets and nothing else.
func NewModel(now func() time.Time, accounts ...Account) *Model {
	m := &Model{
		Now: now, accounts: map[wallet.AccountID]Account{}, buckets: map[wallet.AccountID]*Bucket{},
		inbox: map[string]string{}, rows: map[Key]*Row{}, permissions: map[Key]*Permission{},
	}
	for _, a := range accounts {
		m.accounts[a.ID] = a
		m.buckets[a.ID] = &Bucket{Burst: a.Quota.Burst, PerSecond: a.Quota.PerSecond, Tokens: a.Quota.Burst, RefilledAt: now()}
	}
	return m
}

// Follow changes what an account follows.
func (m *Model) Follow(id wallet.AccountID, f wallet.Followed) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := m.accounts[id]
	a.Follow = f
	m.accounts[id] = a
}

// Claim is the first round trip.
func (m *Model) Claim(_ context.Context, q refresh.ClaimRequest) (refresh.Claimed, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.Now()
	out := refresh.Claimed{Outcomes: m.want(q, now)}
	if q.Want != nil {
		if m.buckets[q.Want.Account] == nil {
			return refresh.Claimed{}, fmt.Errorf("account %s is not there", q.Want.Account)
		}
		out.Covered = m.ask(q, now)
	} else {
		for _, a := range q.Accounts {
			m.claim(a, q, now)
		}
	}
	for _, r := range m.sorted() {
		if r.Lease == q.Lease {
			out.Claims = append(out.Claims, m.claimOf(r, q.Margin, now))
		} else if q.Want != nil && r.Key == (Key{q.Want.Account, q.Want.ChargePermission}) {
			out.Stored = m.claimOf(r, q.Margin, now).Stored
		}
	}
	if len(out.Claims) == 0 {
		out.Wakes = m.wakes(q.Accounts, q.Woken, q.Force, now)
	}
	return out, nil
}

// want records the notifications and raises wanted for what they ask.
func (m *Model) want(q refresh.ClaimRequest, now time.Time) map[string]int {
	outcomes := map[string]int{"duplicate": 0}
	type group struct {
		newest   time.Time
		by       string
		reasons  int64
		priority wallet.Priority
		delay    time.Duration
	}
	groups := map[Key]*group{}
	var fresh []refresh.Ask
	known := map[Key]bool{}
	for _, a := range q.Asks { // before any row is made
		if _, ok := m.inbox[a.MessageID]; ok {
			outcomes["duplicate"]++
			continue
		}
		if a.ChargePermission == "" {
			m.inbox[a.MessageID] = "recorded"
			outcomes["recorded"]++
			continue
		}
		k := Key{a.Account, a.ChargePermission}
		if a.Inferred && !m.storedOrPending(k) {
			m.inbox[a.MessageID] = "unmatched"
			outcomes["unmatched"]++
			continue
		}
		known[k] = m.rows[k] != nil
		fresh = append(fresh, a)
	}
	for k, was := range known {
		if !was && !m.accounts[k.Account].Follow.KnownOnly {
			m.rows[k] = &Row{Key: k, Priority: 99}
		}
	}
	for _, a := range fresh {
		k := Key{a.Account, a.ChargePermission}
		r, p := m.rows[k], m.permissions[k]
		outcome := "wanted"
		switch {
		case r == nil:
			outcome = "unknown"
		case p != nil && !m.accounts[k.Account].Follow.Follows(p.Type):
			outcome = "not_followed"
		case !r.ReadAt.IsZero() && !a.Published.Add(q.Margin).After(r.ReadAt):
			outcome = "covered"
		case r.Wanted > r.Done && r.Priority == wallet.PriorityConfirm && !a.Published.After(later(r.NotifiedAt, r.ReadAt)),
			r.Wanted > r.Done && r.LeaseUntil.After(now) && !a.Published.After(r.NotifiedAt):
			outcome = "confirming"
		}
		m.inbox[a.MessageID] = outcome
		outcomes[outcome]++
		if r == nil {
			continue
		}
		g := groups[k]
		if g == nil {
			g = &group{newest: a.Published, by: a.MessageID}
			groups[k] = g
		}
		if a.Published.After(g.newest) || a.Published.Equal(g.newest) && a.MessageID < g.by {
			g.newest, g.by = a.Published, a.MessageID
		}
		if outcome != "wanted" {
			continue
		}
		priority := a.Priority
		if priority == wallet.PriorityNotification && p == nil {
			priority = wallet.PriorityUnknown
		}
		if g.reasons == 0 {
			g.priority, g.delay = priority, a.Delay
		}
		g.reasons++
		g.priority, g.delay = min(g.priority, priority), min(g.delay, a.Delay)
	}
	for k, g := range groups {
		r := m.rows[k]
		if r.NotifiedAt.Before(g.newest) {
			r.NotifiedAt, r.NotifiedBy = g.newest, g.by
		}
		if g.reasons == 0 {
			continue
		}
		r.raise(g.reasons, g.priority, now, g.delay)
	}
	return outcomes
}

// storedOrPending reports whether an inferred charge permission counts: a read
// of it is stored, or pending.
func (m *Model) storedOrPending(k Key) bool {
	r := m.rows[k]
	return r != nil && (r.Wanted > r.Done || m.permissions[k] != nil)
}

// raise merges new reasons into a row.
func (r *Row) raise(reasons int64, priority wallet.Priority, now time.Time, delay time.Duration) {
	at := now.Add(delay)
	switch {
	case r.Wanted == r.Done:
		r.Since, r.Priority, r.NotBefore = now, priority, at
	case r.Attempts > 0: // a back-off stays
		r.Priority = min(r.Priority, priority)
	default:
		r.Priority, r.NotBefore = min(r.Priority, priority), earlier(r.NotBefore, at)
	}
	r.Wanted += reasons
	r.Confirms = 0
}

// ask raises wanted for what is wanted at once, and claims it if there is a
// token. It reports whether it was covered.
func (m *Model) ask(q refresh.ClaimRequest, now time.Time) (covered bool) {
	if r := m.rows[Key{q.Want.Account, q.Want.ChargePermission}]; r != nil && r.Lease == q.Lease {
		return false // the trip is repeated
	}
	r, covered := m.raise(*q.Want, q.Margin, now)
	if covered {
		return true
	}
	b := m.buckets[r.Account]
	b.refill(now)
	if !b.ClosedUntil.After(now) && b.Tokens >= 1 {
		b.Tokens--
		r.Lease, r.LeaseUntil, r.Claimed = q.Lease, now.Add(q.Settings.Lease), r.Wanted
	}
	return false
}

// raise raises wanted for a reason that is no notification, unless it is covered.
func (m *Model) raise(w wallet.Want, margin time.Duration, now time.Time) (r *Row, covered bool) {
	k := Key{w.Account, w.ChargePermission}
	if m.rows[k] == nil {
		m.rows[k] = &Row{Key: k, Priority: 99}
	}
	r = m.rows[k]
	if !w.At.IsZero() && !r.ReadAt.IsZero() && !w.At.Add(margin).After(r.ReadAt) {
		return r, true
	}
	if r.NotifiedAt.Before(w.At) {
		r.NotifiedAt, r.NotifiedBy = w.At, ""
	}
	r.raise(1, w.Priority, now, 0)
	return r, false
}

func (m *Model) claim(a wallet.AccountID, q refresh.ClaimRequest, now time.Time) {
	var due []*Row
	for _, r := range m.sorted() {
		if r.Account != a {
			continue
		}
		if r.Lease == q.Lease { // the trip is repeated
			return
		}
		if r.Due(now) {
			due = append(due, r)
		}
	}
	byAge := func(x, y *Row) int { return cmp.Or(x.Since.Compare(y.Since), cmp.Compare(x.ID, y.ID)) }
	byPriority := func(x, y *Row) int {
		if x.Priority == wallet.PriorityUnknown && y.Priority == wallet.PriorityUnknown {
			return cmp.Or(y.Since.Compare(x.Since), cmp.Compare(x.ID, y.ID)) // the newest first
		}
		return cmp.Or(cmp.Compare(x.Priority, y.Priority), byAge(x, y))
	}
	slices.SortFunc(due, byPriority)
	candidates := slices.Clone(due[:min(len(due), q.Limit)])
	slices.SortFunc(due, byAge)
	for _, r := range due[:min(len(due), q.Limit/10+1)] {
		if !slices.Contains(candidates, r) {
			candidates = append(candidates, r)
		}
	}
	b := m.buckets[a]
	if len(candidates) == 0 || b == nil {
		return
	}
	b.refill(now)
	n := 0
	if !b.ClosedUntil.After(now) {
		n = min(q.Limit, len(candidates), int(math.Floor(b.Tokens)))
	}
	oldest := int((b.Granted+int64(n))/10 - b.Granted/10)
	b.Tokens -= float64(n)
	b.Granted += int64(n)
	slices.SortFunc(candidates, byAge)
	slices.SortFunc(candidates[min(oldest, len(candidates)):], byPriority)
	for _, r := range candidates[:n] {
		r.Lease, r.LeaseUntil, r.Claimed = q.Lease, now.Add(q.Settings.Lease), r.Wanted
	}
}

func (b *Bucket) refill(now time.Time) {
	now = later(b.RefilledAt, now)
	b.Tokens = min(b.Burst, b.Tokens+b.PerSecond*now.Sub(b.RefilledAt).Seconds())
	b.RefilledAt = now
}

func (m *Model) claimOf(r *Row, margin time.Duration, now time.Time) refresh.Claim {
	c := refresh.Claim{Account: r.Account, ID: r.ID, Priority: r.Priority, Attempts: r.Attempts, Message: r.NotifiedBy, Notified: r.NotifiedAt,
		Erased: !r.ErasedAt.IsZero()}
	for _, h := range m.changes {
		if h.Key == r.Key && h.StoredAt.After(now.Add(-margin)) && !slices.Contains(c.Recent, h.Facet) {
			c.Recent = append(c.Recent, h.Facet)
		}
	}
	slices.Sort(c.Recent)
	if p := m.permissions[r.Key]; p != nil && p.State != nil {
		state := *p.State
		c.Stored = &state
	}
	return c
}

// wakes decides on a wake-up for each account, at whole seconds from now.
func (m *Model) wakes(accounts []wallet.AccountID, woken []wallet.Wake, force bool, now time.Time) []refresh.Wake {
	var out []refresh.Wake
	for _, a := range accounts {
		b := m.buckets[a]
		var due time.Time
		waiting := false
		for _, r := range m.rows {
			if r.Account == a && r.Wanted > r.Done && (!waiting || r.dueAt().Before(due)) {
				due, waiting = r.dueAt(), true
			}
		}
		if b == nil {
			continue
		}
		treated := slices.ContainsFunc(woken, func(w wallet.Wake) bool {
			return w.Account == a && w.At.Equal(b.WakeAt)
		})
		if !waiting {
			if force || treated { // none is under way, and none is needed
				b.WakeAt = time.Time{}
			}
			continue
		}
		var token time.Time
		if b.Tokens < 1 {
			token = b.RefilledAt.Add(time.Duration((1 - b.Tokens) / b.PerSecond * float64(time.Second)))
		}
		wait := later(later(due, b.ClosedUntil), token).Sub(now)
		seconds := max(1, min(900, int(math.Ceil(wait.Seconds()))))
		at := now.Add(time.Duration(seconds) * time.Second)
		if force || !b.WakeAt.After(now) || treated || at.Before(b.WakeAt) {
			b.WakeAt = at
			out = append(out, refresh.Wake{Account: a, At: at, Delay: time.Duration(seconds) * time.Second})
		}
	}
	return out
}

// Commit is the second round trip.
func (m *Model) Commit(_ context.Context, q refresh.CommitRequest) (refresh.Committed, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.Now()
	var out refresh.Committed
	results := slices.Clone(q.Results)
	slices.SortFunc(results, func(a, b refresh.Result) int { return Key{a.Account, a.ID}.compare(Key{b.Account, b.ID}) })
	for _, res := range results {
		r := m.rows[Key{res.Account, res.ID}]
		if r == nil || r.Lease != q.Lease { // the fence
			continue
		}
		out.Settled = append(out.Settled, m.settle(r, res, q, now))
	}
	for _, c := range q.Closings {
		m.buckets[c.Account].close(c.For, now)
	}
	for _, r := range q.Refusals {
		if m.buckets[r.Account].refused(r, now) {
			out.Refused = append(out.Refused, r.Account)
		}
	}
	out.Wakes = m.wakes(q.Accounts, q.Woken, q.Force, now)
	for _, a := range q.Accounts {
		out.Backlogs = append(out.Backlogs, m.backlog(a, now))
	}
	return out, nil
}

// Backlog is the reconciler's duty to lost wake-ups.
func (m *Model) Backlog(_ context.Context, a wallet.AccountID) (refresh.Backlog, []refresh.Wake, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.Now()
	wakes := m.wakes([]wallet.AccountID{a}, nil, false, now)
	return m.backlog(a, now), wakes, nil
}

func (m *Model) backlog(a wallet.AccountID, now time.Time) refresh.Backlog {
	b := *m.buckets[a]
	b.refill(now)
	out := refresh.Backlog{Account: a, Tokens: b.Tokens}
	for _, r := range m.rows {
		if r.Account == a && r.Wanted > r.Done {
			out.Oldest = max(out.Oldest, now.Sub(r.Since))
		}
	}
	return out
}

// Sweepable is what the reconciler's sweep asks first.
func (m *Model) Sweepable(_ context.Context, a wallet.AccountID) (out reconcile.Sweepable, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.permissions {
		if p.Account == a && p.sweepable() {
			out.Total++
		}
	}
	for _, r := range m.rows {
		if r.Account == a && r.Wanted > r.Done && r.Priority == wallet.PrioritySweep {
			out.Waiting++
		}
	}
	out.PerSecond = m.buckets[a].PerSecond
	return out, nil
}

func (p *Permission) sweepable() bool { return p.Followed && p.State.State.State != wallet.Closed }

// MarkUnread is the reconciler's sweep: the longest unread, but for what is
// wanted already and what is gone.
func (m *Model) MarkUnread(_ context.Context, a wallet.AccountID, unread time.Duration, limit int) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.Now()
	var longest []*Permission
	for _, p := range m.permissions {
		r := m.rows[p.Key]
		if p.Account == a && p.sweepable() && !p.StoredAt.After(now.Add(-unread)) && r.Wanted == r.Done && !r.Gone {
			longest = append(longest, p)
		}
	}
	slices.SortFunc(longest, func(x, y *Permission) int { return cmp.Or(x.StoredAt.Compare(y.StoredAt), cmp.Compare(x.ID, y.ID)) })
	longest = longest[:min(len(longest), limit)]
	for _, p := range longest {
		m.rows[p.Key].raise(1, wallet.PrioritySweep, now, 0)
	}
	return len(longest), nil
}

// Erase blanks the stored data of the people behind charge permissions, and leaves
// an erasure marker.
func (m *Model) Erase(_ context.Context, a wallet.AccountID, ids []wallet.ChargePermissionID, cause wallet.Cause) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.buckets[a] == nil {
		return fmt.Errorf("account %s is not there", a)
	}
	now := m.Now()
	for _, id := range slices.Sorted(slices.Values(ids)) {
		k := Key{a, id}
		if m.rows[k] == nil {
			m.rows[k] = &Row{Key: k, Priority: 99}
		}
		r, p := m.rows[k], m.permissions[k]
		if p != nil {
			if p.State != nil {
				state := p.State.WithoutPerson()
				p.State = &state
			}
			for i, ch := range m.changes {
				if ch.Key == k {
					m.changes[i] = ch.withoutPerson()
				}
			}
			if r.ErasedAt.IsZero() {
				m.record(Change{Key: k, Facet: wallet.FacetErased, Cause: cause, StoredAt: now})
			}
		}
		r.ErasedAt, r.LastError = now, ""
		if r.Lease != (refresh.Lease{}) {
			r.Lease = ErasureLease // the lease is taken over
		}
	}
	return nil
}

// withoutPerson returns a change with only its impersonal data.
func (c Change) withoutPerson() Change {
	if slices.Contains(wallet.ImpersonalFacets(), c.Facet) {
		return c
	}
	var members map[wallet.Facet]json.RawMessage
	if c.Facet == wallet.FacetFirstRead && c.After != "" && json.Unmarshal([]byte(c.After), &members) == nil {
		maps.DeleteFunc(members, func(f wallet.Facet, _ json.RawMessage) bool { return !slices.Contains(wallet.ImpersonalFacets(), f) })
	}
	c.Before, c.After = "", ""
	if len(members) > 0 {
		b, _ := json.Marshal(members)
		c.After = compact(b)
	}
	return c
}

// Completed is a buyer's update, returned from and completed now: what was erased
// may be stored again, and a read is wanted. At is as of a Want.
func (m *Model) Completed(a wallet.AccountID, id wallet.ChargePermissionID, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.Now()
	if r := m.rows[Key{a, id}]; r != nil && !r.ErasedAt.IsZero() && !r.ErasedAt.After(now) {
		r.ErasedAt, r.ReadAt = time.Time{}, time.Time{}
	}
	m.raise(wallet.Want{Account: a, ChargePermission: id, Priority: wallet.PriorityReturn, At: at}, 0, now)
}

// Import marks what is not known yet.
func (m *Model) Import(_ context.Context, a wallet.AccountID, ids []wallet.ChargePermissionID) (marked int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range ids {
		k := Key{a, id}
		if m.rows[k] != nil {
			continue
		}
		m.rows[k] = &Row{Key: k}
		m.rows[k].raise(1, wallet.PriorityImport, m.Now(), 0)
		marked++
	}
	return marked, nil
}

// Announce makes ids known, and requests those that were never read.
func (m *Model) Announce(_ context.Context, a wallet.AccountID, ids []wallet.ChargePermissionID) (out []wallet.Announcement, wakes []refresh.Wake, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.Now()
	for _, id := range ids {
		k := Key{a, id}
		status := m.announced(k)
		switch r := m.rows[k]; {
		case status == wallet.AnnouncementRequested && r == nil:
			m.rows[k] = &Row{Key: k}
			m.rows[k].raise(1, wallet.PriorityNotification, now, 0)
		case status == wallet.AnnouncementRequested:
			r.raise(1, wallet.PriorityNotification, now, 0)
		case status == wallet.AnnouncementPending && r.Priority > wallet.PriorityNotification && r.Priority != wallet.PriorityConfirm:
			confirms := r.Confirms
			r.raise(0, wallet.PriorityNotification, now, 0)
			r.Confirms = confirms
		}
		out = append(out, wallet.Announcement{ChargePermission: id, Status: status})
	}
	return out, m.wakes([]wallet.AccountID{a}, nil, false, now), nil
}

// announced is what an announcement of an id leads to.
func (m *Model) announced(k Key) wallet.AnnouncementStatus {
	r, p := m.rows[k], m.permissions[k]
	elsewhere := false
	for other := range m.permissions {
		elsewhere = elsewhere || other.ID == k.ID && other.Account != k.Account
	}
	switch {
	case p == nil && elsewhere:
		return wallet.AnnouncementOtherAccount
	case r != nil && !r.ErasedAt.IsZero():
		return wallet.AnnouncementErased
	case p != nil && p.Followed:
		return wallet.AnnouncementStored
	case p != nil:
		return wallet.AnnouncementNotFollowed
	case r == nil || r.Wanted == r.Done && !r.Gone:
		return wallet.AnnouncementRequested
	case r.Wanted == r.Done:
		return wallet.AnnouncementNotFound
	}
	return wallet.AnnouncementPending
}

// Imported returns the state of imported ids.
func (m *Model) Imported(_ context.Context, a wallet.AccountID, ids []wallet.ChargePermissionID) (out refresh.Imported, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range ids {
		r, p := m.rows[Key{a, id}], m.permissions[Key{a, id}]
		switch {
		case r == nil:
		case !r.ErasedAt.IsZero():
			out.Erased++
		case r.Gone:
			out.Gone++
		case p != nil && p.Followed:
			out.Read++
		case p != nil:
			out.NotFollowed++
		case r.Attempts > 0:
			out.Failing++
			out.Error = max(out.Error, r.LastError)
		default:
			out.Waiting++
		}
	}
	return out, nil
}

func (b *Bucket) close(wait time.Duration, now time.Time) {
	switch {
	case b.ClosedUntil.After(now):
	case b.ClosedUntil.After(now.Add(-time.Minute)):
		b.ClosedFor = min(60, 2*max(1, b.ClosedFor))
	default:
		b.ClosedFor = 1
	}
	b.ClosedUntil = later(b.ClosedUntil, now.Add(time.Duration(max(b.ClosedFor, wait.Seconds())*float64(time.Second))))
}

// refused notes which ids were refused in a row, and pauses the calls if they
// are several. It reports whether it did.
func (b *Bucket) refused(r refresh.Refusals, now time.Time) bool {
	if r.Answered { // the key is good
		b.Refused = nil
		return false
	}
	ids := append(slices.Clone(b.Refused), r.IDs...)
	slices.Sort(ids)
	ids = slices.Compact(ids)
	b.Refused = ids[:min(len(ids), wallet.MaxRefused)]
	if len(r.IDs) == 0 || len(b.Refused) < wallet.MaxRefused {
		return false
	}
	b.close(wallet.RefusedPause, now)
	return true
}

// settle is the verdict on one result whose lease still holds.
func (m *Model) settle(r *Row, res refresh.Result, q refresh.CommitRequest, now time.Time) refresh.Settled {
	if res.Kind == refresh.NotCalled { // it stays as it was, and its token is returned
		b := m.buckets[r.Account]
		b.Tokens = min(b.Burst, b.Tokens+1)
		r.LastError, r.Lease, r.LeaseUntil = res.Error, refresh.Lease{}, time.Time{}
		return refresh.Settled{Account: r.Account, ID: r.ID}
	}
	early := res.ReadAt.IsZero() || !r.NotifiedAt.IsZero() && res.ReadAt.Before(r.NotifiedAt.Add(q.Margin))
	withheld := res.ContradictsRecent && r.Confirms < refresh.MaxConfirms // else the clock that says what is recent is wrong
	unsure := res.Kind != refresh.NotFollowed && (early || withheld)
	answered := res.Kind == refresh.Read || res.Kind == refresh.Gone || res.Kind == refresh.NotFollowed
	t := refresh.Settled{Account: r.Account, ID: r.ID, Early: early, Withheld: withheld,
		Stored: res.Kind == refresh.Read && !withheld}
	t.Confirm = answered && unsure && r.Wanted == r.Claimed && r.Confirms < refresh.MaxConfirms
	sure := answered && !unsure
	enough := answered && unsure && r.Wanted == r.Claimed && !t.Confirm

	if t.Stored || res.Kind == refresh.NotFollowed {
		m.put(r.Key, res, now)
	}
	if t.Stored {
		for _, ch := range res.Changes {
			m.record(Change{
				Key: r.Key, Facet: ch.Facet, Before: compact(ch.Before), After: compact(ch.After),
				Cause: wallet.CauseOf(res.Priority), MessageID: res.Message, ReadAt: res.ReadAt, StoredAt: now,
			})
		}
		r.ReadAt = later(r.ReadAt, res.ReadAt)
	}

	switch {
	case !answered:
	case sure, t.Confirm, enough:
		r.Done = r.Wanted
	default:
		r.Done = r.Claimed
	}
	switch {
	case sure:
		r.Confirms = 0
	case t.Confirm:
		r.Wanted++
		r.Confirms++
		r.Priority, r.NotBefore = wallet.PriorityConfirm, now.Add(q.ConfirmAfter())
	}
	switch {
	case answered:
		r.Since, r.Attempts = now, 0
	case res.Kind == refresh.Failed:
		r.Attempts++
		r.NotBefore = now.Add(res.Backoff)
	case res.Kind == refresh.Deferred: // shows as failing, and is due when the pause ends
		r.Attempts++
	}
	if answered {
		r.Gone = res.Kind == refresh.Gone && (sure || enough || r.Gone)
		if res.Kind != refresh.Gone {
			r.LastError = ""
		}
	}
	if res.Error != "" {
		r.LastError = res.Error
	}
	r.Lease, r.LeaseUntil = refresh.Lease{}, time.Time{}
	return t
}

// record appends a change to the history.
func (m *Model) record(c Change) {
	c.Position = int64(len(m.changes)) + 1
	m.changes = append(m.changes, c)
}

func (m *Model) put(k Key, res refresh.Result, now time.Time) {
	p := &Permission{Key: k, Type: res.State.Type, Followed: res.Kind == refresh.Read, ReadAt: res.ReadAt, StoredAt: now}
	if was := m.permissions[k]; was != nil {
		p.ReadAt = later(was.ReadAt, p.ReadAt)
	}
	if p.Followed {
		state := res.State
		p.State = &state
	}
	m.permissions[k] = p
}

// Snapshot returns a copy of all that the model knows.
func (m *Model) Snapshot() State {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := State{Notifications: map[string]string{}, Buckets: map[wallet.AccountID]Bucket{}, Changes: slices.Clone(m.changes)}
	for _, r := range m.sorted() {
		s.Rows = append(s.Rows, *r)
		if p := m.permissions[r.Key]; p != nil {
			s.Permissions = append(s.Permissions, *p)
		}
	}
	for id, o := range m.inbox {
		s.Notifications[id] = o
	}
	for a, b := range m.buckets {
		s.Buckets[a] = *b
	}
	return s
}

func (m *Model) sorted() []*Row {
	rows := make([]*Row, 0, len(m.rows))
	for _, r := range m.rows {
		rows = append(rows, r)
	}
	slices.SortFunc(rows, func(a, b *Row) int { return a.compare(b.Key) })
	return rows
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// compact writes JSON as it compares: members sorted, no space.
func compact(raw json.RawMessage) string {
	if raw == nil {
		return ""
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return fmt.Sprintf("not JSON: %v", err)
	}
	b, _ := json.Marshal(v)
	return string(b)
}
