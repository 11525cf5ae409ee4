package storetest

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"walletsync/internal/amazonpay"
	"walletsync/internal/refresh"
	"walletsync/internal/wallet"
)

// Scenarios plays each scenario in dir with a fresh subject: commands, each followed
// by its result. Every store must give the same text.
//
//	amazon ID key=value …         Amazon Pay's truth from now on: city, card, state, type
//	follow ACCOUNT TYPE …         the setting changes
//	notify ID MESSAGE [age=1s] [object=CHARGE] [account=known] [inferred]
//	                              a notification lies in the queue; inferred: it does not name its charge permission
//	claim WORKER [force] [limit=n] [woken]
//	                              the first trip, with all that lies in the queue
//	now WORKER ID [age=-1s] [priority=10] [account=known]
//	                              the first trip of refresh.Now; age: the age of the request's time; without it there is none
//	repeat WORKER                 the first trip once more, as its answer was lost
//	fetch WORKER [lag=3s] [fail=500|429|404|403|reset] [after=3s] [nodate]
//	                              Amazon Pay is asked; lag: a replica that is so far behind; after: its Retry-After
//	commit WORKER                 the second trip
//	sweep unread=1m limit=n       the reconciler marks the longest unread
//	import ID … [account=known]   an operator imports ids; prints their states
//	announce ID … [account=known] the merchant's server announces ids
//	reconcile                     the reconciler decides on a wake-up
//	erase ID … [cause=retention]  what is stored of the person is erased
//	complete ID [age=-1s]         the buyer returns from an update, which is completed; age: as of now
//	wait 5s
//	show                          every row, and what is stored
//	history                       the changes in their order
//	quota                         what is left of the share
//
// ID is a number: S1 stands for S01-0000000-0000001. Times count from the
// scenario's start. Settings are the defaults with a margin of 5 s, a lease of
// 35 s, and a share of 4 calls at once and one every two seconds.
func Scenarios(t *testing.T, dir string, fresh func(testing.TB, *Clock) Subject) {
	datadriven.Walk(t, dir, func(t *testing.T, path string) {
		clock := NewClock()
		s := &story{clock: clock, start: clock.Now(), subject: fresh(t, clock), settings: refresh.Defaults(),
			amazon: map[wallet.ChargePermissionID][]version{}, workers: map[string]*worker{}, follow: map[wallet.AccountID]wallet.Followed{}}
		s.settings.Limit = 10
		for _, a := range Accounts() { // undoes the settings of the scenario before
			s.follow[a.ID] = a.Follow
			if err := s.subject.Follow(t.Context(), a.ID, a.Follow); err != nil {
				t.Fatal(err)
			}
		}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			out, err := s.do(t.Context(), d)
			if err != nil {
				d.Fatalf(t, "%s: %v", d.Cmd, err)
			}
			return out
		})
	})
}

// story is the state of one scenario.
type story struct {
	clock    *Clock
	start    time.Time
	subject  Subject
	settings refresh.Settings
	amazon   map[wallet.ChargePermissionID][]version
	queue    []wallet.Notification
	wakes    []wallet.Wake
	workers  map[string]*worker
	follow   map[wallet.AccountID]wallet.Followed
	leases   uint64
}

// version is what Amazon Pay returns from a moment on.
type version struct {
	from                    time.Time
	city, card, state, kind string
}

type worker struct {
	lease    refresh.Lease
	request  refresh.ClaimRequest // of the first trip
	claims   []refresh.Claim
	results  []refresh.Result
	closings []refresh.Closing
	woken    []wallet.Wake
	force    bool
	accounts []wallet.AccountID
}

func (s *story) do(ctx context.Context, d *datadriven.TestData) (string, error) {
	var words []string
	options := map[string]string{}
	for _, a := range d.CmdArgs {
		if len(a.Vals) > 0 {
			options[a.Key] = a.Vals[0]
		} else {
			words = append(words, a.Key)
		}
	}
	word := func(i int) string {
		if i < len(words) {
			return words[i]
		}
		return ""
	}
	span := func(name string) (time.Duration, error) {
		if options[name] == "" {
			return 0, nil
		}
		return time.ParseDuration(options[name])
	}
	account := wallet.AccountID(cmp.Or(options["account"], "main"))
	switch d.Cmd {
	case "amazon":
		s.change(permission(word(0)), options)
		return "", nil
	case "follow":
		f := wallet.Followed{Types: words[1:], KnownOnly: word(0) == "known"}
		s.follow[wallet.AccountID(word(0))] = f
		return "", s.subject.Follow(ctx, wallet.AccountID(word(0)), f)
	case "notify":
		age, err := span("age")
		object := cmp.Or(options["object"], wallet.ObjectChargePermission)
		s.queue = append(s.queue, wallet.Notification{Account: account, MessageID: word(1), NotificationID: word(1), ObjectType: object,
			ObjectID: word(0), ChargePermission: permission(word(0)), Inferred: slices.Contains(words, "inferred"), Type: "STATE_CHANGE", Published: s.clock.Now().Add(-age), Arrived: s.clock.Now()})
		return "", err
	case "claim":
		w := &worker{force: slices.Contains(words, "force"), accounts: []wallet.AccountID{"main"}}
		if slices.Contains(words, "woken") {
			w.woken, s.wakes = s.wakes, nil
		}
		for _, n := range s.queue {
			if !slices.Contains(w.accounts, n.Account) {
				w.accounts = append(w.accounts, n.Account)
			}
		}
		slices.Sort(w.accounts)
		s.workers[word(0)] = w
		limit := s.settings.Limit
		if options["limit"] != "" {
			var err error
			if limit, err = strconv.Atoi(options["limit"]); err != nil {
				return "", err
			}
		}
		return s.claim(ctx, w, limit)
	case "now":
		want := wallet.Want{Account: account, ChargePermission: permission(word(1)), Priority: wallet.PriorityReturn}
		if options["age"] != "" {
			age, err := span("age")
			if err != nil {
				return "", err
			}
			want.At = s.clock.Now().Add(-age)
		}
		if options["priority"] != "" {
			n, err := strconv.Atoi(options["priority"])
			if err != nil {
				return "", err
			}
			want.Priority = wallet.Priority(n)
		}
		w := &worker{accounts: []wallet.AccountID{account}}
		s.workers[word(0)] = w
		return s.ask(ctx, w, refresh.ClaimRequest{Want: &want, Settings: s.settings})
	case "repeat":
		w := s.workers[word(0)]
		return s.send(ctx, w, w.request)
	case "fetch":
		lag, err := span("lag")
		if err != nil {
			return "", err
		}
		after, err := span("after")
		if err != nil {
			return "", err
		}
		return s.fetch(s.workers[word(0)], lag, after, options["fail"], slices.Contains(words, "nodate"))
	case "commit":
		return s.commit(ctx, s.workers[word(0)])
	case "wait":
		d, err := time.ParseDuration(word(0))
		s.clock.Advance(d)
		return "", err
	case "show":
		return s.show(ctx)
	case "sweep":
		unread, err := span("unread")
		if err != nil {
			return "", err
		}
		limit, err := strconv.Atoi(options["limit"])
		if err != nil {
			return "", err
		}
		n, err := s.subject.Store.MarkUnread(ctx, account, unread, limit)
		return fmt.Sprintf("%d marked\n", n), err
	case "erase":
		return "", s.subject.Store.Erase(ctx, account, permissions(words), wallet.Cause(cmp.Or(options["cause"], string(wallet.CauseErasure))))
	case "complete":
		at, err := span("age")
		if err != nil {
			return "", err
		}
		return "", s.subject.Completed(ctx, account, permission(word(0)), s.clock.Now().Add(-at))
	case "import":
		some := permissions(words)
		n, err := s.subject.Store.Import(ctx, account, some)
		if err != nil {
			return "", err
		}
		of, err := s.subject.Store.Imported(ctx, account, some)
		return fmt.Sprintf("%d marked; %d read, %d not followed, %d gone, %d failing, %d waiting\n", n, of.Read, of.NotFollowed, of.Gone, of.Failing, of.Waiting), err
	case "announce":
		announced, wakes, err := s.subject.Store.Announce(ctx, account, permissions(words))
		var b strings.Builder
		for _, a := range announced {
			fmt.Fprintf(&b, "%s: %s\n", short(a.ChargePermission), a.Status)
		}
		s.wakeUps(&b, wakes)
		return b.String(), err
	case "reconcile":
		backlog, wakes, err := s.subject.Store.Backlog(ctx, account)
		var b strings.Builder
		if backlog.Oldest > 0 {
			fmt.Fprintf(&b, "the longest wanted for %v\n", backlog.Oldest)
		}
		s.wakeUps(&b, wakes)
		return b.String(), err
	case "history":
		return s.history(ctx)
	case "quota":
		return s.quota(ctx, account)
	}
	return "", errors.New("no such command")
}

func permission(short string) wallet.ChargePermissionID {
	return wallet.ChargePermissionID(fmt.Sprintf("S01-0000000-%07s", strings.TrimPrefix(short, "S")))
}

func permissions(words []string) []wallet.ChargePermissionID {
	all := make([]wallet.ChargePermissionID, len(words))
	for i, w := range words {
		all[i] = permission(w)
	}
	return all
}

func short(id wallet.ChargePermissionID) string {
	return "S" + strings.TrimLeft(string(id)[len(id)-7:], "0")
}

func (s *story) change(id wallet.ChargePermissionID, options map[string]string) {
	v := version{kind: "PaymentMethodOnFile", state: wallet.Chargeable, card: "Visa", city: "Exampleton"}
	if was := s.amazon[id]; len(was) > 0 {
		v = was[len(was)-1]
	}
	v.from = s.clock.Now()
	for k, val := range options {
		switch k {
		case "city":
			v.city = val
		case "card":
			v.card = val
		case "state":
			v.state = val
		case "type":
			v.kind = val
		}
	}
	s.amazon[id] = append(s.amazon[id], v)
}

func (s *story) claim(ctx context.Context, w *worker, limit int) (string, error) {
	var asks []refresh.Ask
	for _, n := range s.queue {
		asks = append(asks, refresh.AskOf(n, s.settings))
	}
	s.queue = nil
	settings := s.settings
	settings.Limit = limit
	return s.ask(ctx, w, refresh.ClaimRequest{Asks: asks, Woken: w.woken, Force: w.force, Settings: settings})
}

// ask makes the first trip with a new lease.
func (s *story) ask(ctx context.Context, w *worker, q refresh.ClaimRequest) (string, error) {
	s.leases++
	binary.BigEndian.PutUint64(w.lease[8:], s.leases)
	q.Lease, q.Accounts = w.lease, w.accounts
	w.request = q
	return s.send(ctx, w, q)
}

// send makes the first trip and returns its result as text.
func (s *story) send(ctx context.Context, w *worker, q refresh.ClaimRequest) (string, error) {
	got, err := s.subject.Store.Claim(ctx, q)
	if err != nil {
		return "", err
	}
	w.claims = got.Claims
	var b strings.Builder
	if got.Covered {
		fmt.Fprintln(&b, "covered")
	}
	if got.Stored != nil {
		fmt.Fprintln(&b, "stored:", summary(got.Stored))
	}
	for _, o := range []string{"duplicate", "wanted", "covered", "confirming", "not_followed", "unknown", "recorded", "unmatched"} {
		if n := got.Outcomes[o]; n > 0 {
			fmt.Fprintf(&b, "%d %s\n", n, o)
		}
	}
	for _, c := range got.Claims {
		fmt.Fprintf(&b, "claimed %s, priority %d", short(c.ID), c.Priority)
		if c.Stored == nil {
			fmt.Fprint(&b, ", never read")
		}
		if len(c.Recent) > 0 {
			slices.Sort(c.Recent)
			fmt.Fprintf(&b, ", recent %v", c.Recent)
		}
		fmt.Fprintln(&b)
	}
	s.wakeUps(&b, got.Wakes)
	return b.String(), nil
}

// wakeUps notes wake-ups and writes them to b.
func (s *story) wakeUps(b *strings.Builder, wakes []refresh.Wake) {
	for _, k := range wakes {
		s.wakes = append(s.wakes, wallet.Wake{Account: k.Account, At: k.At})
		fmt.Fprintf(b, "wake-up in %v\n", k.Delay)
	}
}

func (s *story) fetch(w *worker, lag, after time.Duration, fail string, nodate bool) (string, error) {
	var b strings.Builder
	for _, c := range w.claims {
		response := amazonpay.Response{RequestID: "request", Date: s.clock.Now().Truncate(time.Second)}
		if nodate {
			response.Date = time.Time{}
		}
		got, err := s.read(c.ID, s.clock.Now().Add(-lag), response, fail, after)
		r, closing := refresh.Decide(c, got, err, s.follow[c.Account], s.settings, 0)
		w.results = append(w.results, r)
		fmt.Fprintf(&b, "%s: %s", short(c.ID), r.Kind)
		if r.ContradictsRecent {
			fmt.Fprint(&b, ", contradicts recent")
		}
		for _, ch := range r.Changes {
			fmt.Fprintf(&b, ", %s", ch.Facet)
		}
		if r.Backoff > 0 {
			fmt.Fprintf(&b, ", again in %v", r.Backoff)
		}
		if closing != nil {
			w.closings = append(w.closings, *closing)
			fmt.Fprint(&b, ", calls rest")
		}
		fmt.Fprintln(&b)
	}
	return b.String(), nil
}

// read is what Amazon's replica of a moment answers.
func (s *story) read(id wallet.ChargePermissionID, at time.Time, response amazonpay.Response, fail string, after time.Duration) (*amazonpay.ChargePermission, error) {
	var now *version
	for i, v := range s.amazon[id] {
		if !v.from.After(at) {
			now = &s.amazon[id][i]
		}
	}
	if now == nil && fail == "" {
		fail = "404"
	}
	switch fail {
	case "":
	case "reset":
		return nil, errors.New("connection reset")
	case "no-key":
		return nil, amazonpay.NotCalled(errors.New("secret unavailable"))
	default:
		status, err := strconv.Atoi(fail)
		if err != nil {
			return nil, err
		}
		reason := map[int]string{401: "UnauthorizedAccess", 404: "ResourceNotFound", 429: "TooManyRequests", 403: "InvalidRequestSignature", 500: "InternalServerError"}[status]
		response.StatusCode = status
		return nil, &amazonpay.Error{StatusCode: status, ReasonCode: reason, RetryAfter: after, Response: response}
	}
	body := fmt.Sprintf(`{"chargePermissionId": %q, "chargePermissionType": %q, "statusDetails": {"state": %q},
		"shippingAddress": {"city": %q}, "paymentPreferences": [{"paymentDescriptor": %q}]}`, id, now.kind, now.state, now.city, now.card)
	got := &amazonpay.ChargePermission{Raw: json.RawMessage(body)}
	if err := json.Unmarshal([]byte(body), got); err != nil {
		return nil, err
	}
	got.Response = response
	return got, nil
}

func (s *story) commit(ctx context.Context, w *worker) (string, error) {
	got, err := s.subject.Store.Commit(ctx, refresh.CommitRequest{
		Lease: w.lease, Results: w.results, Closings: w.closings, Refusals: refresh.RefusalsOf(w.results), Accounts: w.accounts,
		Woken: w.woken, Force: w.force, Settings: s.settings})
	if err != nil {
		return "", err
	}
	settled := map[wallet.ChargePermissionID]refresh.Settled{}
	for _, t := range got.Settled {
		settled[t.ID] = t
	}
	var b strings.Builder
	for _, r := range w.results {
		t, ok := settled[r.ID]
		what := []string{"not stored"}
		switch {
		case !ok:
			what = []string{"dropped by the fence"}
		case t.Stored:
			what = []string{"stored"}
		}
		if t.Early {
			what = append(what, "early")
		}
		if t.Confirm {
			what = append(what, "to be confirmed")
		}
		fmt.Fprintf(&b, "%s: %s\n", short(r.ID), strings.Join(what, ", "))
	}
	for _, a := range got.Refused {
		fmt.Fprintf(&b, "several ids in a row were refused: calls of %s pause\n", a)
	}
	s.wakeUps(&b, got.Wakes)
	return b.String(), nil
}

func (s *story) show(ctx context.Context) (string, error) {
	state, err := s.subject.Snapshot(ctx)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, r := range state.Rows {
		fmt.Fprintf(&b, "%s: wanted %d, done %d", short(r.ID), r.Wanted, r.Done)
		if r.Wanted > r.Done {
			fmt.Fprintf(&b, ", priority %d", r.Priority)
			if wait := r.NotBefore.Sub(s.clock.Now()); wait > 0 {
				fmt.Fprintf(&b, ", due in %v", wait)
			}
		}
		if wait := r.LeaseUntil.Sub(s.clock.Now()); r.Lease != (refresh.Lease{}) {
			fmt.Fprintf(&b, ", leased for %v", wait)
		}
		if r.Attempts > 0 {
			fmt.Fprintf(&b, ", %d failed", r.Attempts)
		}
		if r.Gone {
			fmt.Fprint(&b, ", gone")
		}
		if !r.ErasedAt.IsZero() {
			fmt.Fprint(&b, ", erased")
		}
		for _, p := range state.Permissions {
			if p.Key == r.Key && p.State != nil {
				fmt.Fprintf(&b, "; stored: %s", summary(p.State))
			} else if p.Key == r.Key {
				fmt.Fprintf(&b, "; not followed: %s", p.Type)
			}
		}
		fmt.Fprintln(&b)
	}
	return b.String(), nil
}

func summary(p *wallet.ChargePermission) string {
	return strings.Join([]string{p.Shipping.City, strings.Join(p.PaymentDescriptors, " "), p.State.State}, ", ")
}

func (s *story) quota(ctx context.Context, account wallet.AccountID) (string, error) {
	state, err := s.subject.Snapshot(ctx)
	if err != nil {
		return "", err
	}
	q := state.Buckets[account]
	var b strings.Builder
	fmt.Fprintf(&b, "%.6g tokens %v ago, %d granted\n", q.Tokens, s.clock.Now().Sub(q.RefilledAt), q.Granted)
	if wait := q.ClosedUntil.Sub(s.clock.Now()); wait > 0 {
		fmt.Fprintf(&b, "calls rest for %v\n", wait)
	}
	if wait := q.WakeAt.Sub(s.clock.Now()); wait > 0 {
		fmt.Fprintf(&b, "a wake-up is under way, in %v\n", wait)
	}
	return b.String(), nil
}

func (s *story) history(ctx context.Context) (string, error) {
	state, err := s.subject.Snapshot(ctx)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, c := range state.Changes {
		fmt.Fprintf(&b, "%d at %v: %s %s by %s", c.Position, c.StoredAt.Sub(s.start), short(c.ID), c.Facet, c.Cause)
		if c.Facet != wallet.FacetFirstRead && c.Facet != wallet.FacetErased {
			fmt.Fprintf(&b, ": %s -> %s", c.Before, c.After)
		}
		fmt.Fprintln(&b)
	}
	return b.String(), nil
}
