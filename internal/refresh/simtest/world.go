package simtest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"walletsync/internal/amazonpay"
	"walletsync/internal/ipn"
	"walletsync/internal/refresh"
	"walletsync/internal/refresh/storetest"
	"walletsync/internal/wallet"
)

// fault is a kind of trouble. A schedule has some kinds and not others, so that
// each also happens where no other hides what it does.
type fault int

const (
	drops fault = iota
	duplicates
	lags
	dateless
	callErrors
	databaseErrors
	crashes
	sendErrors
	ackErrors
	jumps
	bogus
	slowness // leases and visibility time-outs run out
	allFaults
)

// world is one schedule: everything that there is, and its clocks.
type world struct {
	*choices
	story *strings.Builder // nil: no trace

	now      time.Duration // true time, which is Amazon's, since epoch
	offset   time.Duration // of the store's clock from Amazon's
	forward  int           // jumps of the store's clock
	faults   [allFaults]bool
	calm     bool // faults have stopped
	lagging  bool // reads lag all the same
	erasing  bool // people are erased
	refusing bool // most calls are refused for their object

	settings    refresh.Settings
	quota       wallet.Quota
	ipnAccounts ipn.Accounts
	known       map[wallet.AccountID]bool // follows known ids only
	model       *storetest.Model
	permissions []*permission
	notes       []*note
	wants       []*note // what was wanted at once, and speaks of a moment
	mail        []*note // copies that SNS has yet to deliver
	queue       []*message
	dead        []string // bodies in the dead-letter queue
	bogusBodies []string
	procs       []*proc
	desk        int // the reconciler's, the last of procs
	accounts    []wallet.AccountID
	changes     int // that the buyers may still make

	leases   uint64
	messages int
	steps    int
	seen     []*message
	options  []option
	checker  checker
	coverage *Coverage
}

// option is something that can happen next.
type option struct {
	weight int
	do     action
	wait   *waiting
	i      int
}

type action int

const (
	goOn action = iota
	take
	deliver
	buy
	comeBack
	pass
	crash
	runOut
	jump
	bother
	runReconciler
	erase
)

// violation is a broken invariant.
type violation string

func (w *world) fail(format string, args ...any) {
	panic(violation(fmt.Sprintf(format, args...)))
}

func (w *world) tracing() bool { return w.story != nil }

// trace adds a line to the trace.
func (w *world) trace(format string, args ...any) {
	if w.story != nil {
		fmt.Fprintf(w.story, "%9.3f  ", w.now.Seconds())
		fmt.Fprintf(w.story, format, args...)
		w.story.WriteByte('\n')
	}
}

func (w *world) saw(what string) { w.coverage.count(what) }

func (w *world) enabled(f fault) bool { return !w.calm && w.faults[f] }

func (w *world) amazonTime(t time.Duration) time.Time { return epoch.Add(t) }
func (w *world) storeTime() time.Time                 { return epoch.Add(w.now + w.offset) }

// newWorld chooses what kind of schedule it will be.
func newWorld(c *choices, coverage *Coverage, story *strings.Builder) *world {
	w := &world{choices: c, coverage: coverage, story: story, known: map[wallet.AccountID]bool{}}
	for f := range w.faults {
		w.faults[f] = w.below(2) == 1
	}
	if w.faults[dateless] {
		w.faults[jumps] = false // without either clock nothing bounds how old a read is
	}
	w.offset = []time.Duration{0, -3 * time.Hour, 5 * time.Hour}[w.below(3)]
	crowd := w.oneIn(8)
	accounts := []storetest.Account{{ID: "main", Follow: wallet.DefaultFollowed()}}
	if w.oneIn(4) {
		accounts = append(accounts, storetest.Account{ID: "second", Follow: wallet.DefaultFollowed()})
		if w.oneIn(3) {
			accounts[1].Follow.KnownOnly = true
			w.known["second"] = true
		}
	}
	w.quota = wallet.Quota{Call: wallet.GetChargePermission, Burst: float64([]int{4, 1, 10}[w.below(3)]), PerSecond: []float64{2, 0.5, 0.25}[w.below(3)]}
	for i := range accounts {
		accounts[i].Quota = w.quota
		w.accounts = append(w.accounts, accounts[i].ID)
		w.ipnAccounts = append(w.ipnAccounts, ipn.Account{ID: accounts[i].ID, MerchantID: "M"})
	}
	w.settings = refresh.Defaults()
	w.settings.Limit = []int{10, 3, 2}[w.below(3)]
	w.model = storetest.NewModel(w.storeTime, accounts...)
	n := 1 + w.below(3)
	if crowd {
		n += 7
	}
	for i := range n {
		p := &permission{name: fmt.Sprintf("S%d", i+1), kind: "PaymentMethodOnFile"}
		p.Account = accounts[w.below(len(accounts))].ID
		p.ID = wallet.ChargePermissionID(fmt.Sprintf("S01-0000000-%07d", i+1))
		if w.oneIn(10) {
			p.kind = "OneTime"
		}
		if w.below(2) == 0 { // there was one before anybody looked
			p.versions = []version{{from: -time.Hour, city: "Exampleton", card: "Visa", state: wallet.Chargeable, balance: "500.00"}}
			p.unheard = true
		}
		w.permissions = append(w.permissions, p)
	}
	w.erasing = w.oneIn(3)
	w.refusing = w.oneIn(6)
	w.desk = 1 + w.below(3)
	w.procs = make([]*proc, w.desk+1)
	w.changes = 1 + w.below(4)
	w.steps = 20 + w.below(60)
	if crowd {
		w.changes += 12
		w.steps += 60
	}
	w.checker = newChecker(w)
	if w.tracing() {
		w.tellSetting()
	}
	return w
}

func (w *world) tellSetting() {
	var names []string
	for _, p := range w.permissions {
		name := p.name
		if p.Account != "main" {
			name += " of " + string(p.Account)
		}
		if p.kind != "PaymentMethodOnFile" {
			name += " " + p.kind
		}
		names = append(names, name)
	}
	fmt.Fprintf(w.story, "%s; %d workers, at most %d calls each; %v tokens, %v a second; the store's clock is %v from Amazon's\n",
		strings.Join(names, ", "), w.desk, w.settings.Limit, w.quota.Burst, w.quota.PerSecond, w.offset)
}

// run plays the schedule, and then lets the world come to rest.
func (w *world) run() {
	defer func() {
		for _, p := range w.procs {
			if p != nil {
				p.kill()
			}
		}
	}()
	for range w.steps {
		if w.over() {
			break
		}
		w.step()
	}
	w.lagging = w.faults[lags] && w.below(2) == 1
	w.calm = true
	w.trace("the faults stop")
	w.rest()
	w.checker.atRest()
	for range 12 { // the reconciler's schedule, for an hour
		w.now += every
		w.startReconciler()
		w.rest()
		if !w.checker.waiting() && w.checker.healed() {
			break
		}
	}
	w.checker.owed = false
	w.checker.afterSweep()
}

// step lets one thing happen.
func (w *world) step() {
	o := w.options[:0]
	free := -1
	active := 0
	for slot, p := range w.procs {
		if p == nil {
			if free < 0 && slot < w.desk {
				free = slot
			}
			continue
		}
		active++
		for _, t := range p.waits {
			o = append(o, option{weight: max(1, 24/len(p.waits)), do: goOn, wait: t})
		}
	}
	if free >= 0 && len(w.visible()) > 0 {
		o = append(o, option{weight: 20, do: take, i: free})
	}
	for i, n := range w.mail {
		if n.published <= w.now {
			o = append(o, option{weight: max(1, 16/len(w.mail)), do: deliver, i: i})
		}
	}
	if w.changes > 0 {
		o = append(o, option{weight: 12, do: buy})
		if free >= 0 {
			o = append(o, option{weight: 4, do: comeBack, i: free})
		}
	}
	o = append(o, option{weight: 16, do: pass})
	if active > 0 && w.enabled(crashes) {
		o = append(o, option{weight: 3, do: crash}, option{weight: 1, do: runOut})
	}
	if w.enabled(jumps) {
		o = append(o, option{weight: 3, do: jump})
	}
	if w.enabled(bogus) {
		o = append(o, option{weight: 2, do: bother})
	}
	if w.procs[w.desk] == nil {
		o = append(o, option{weight: 2, do: runReconciler})
	}
	if w.erasing {
		o = append(o, option{weight: 2, do: erase})
	}
	w.options = o

	total := 0
	for _, x := range o {
		total += x.weight
	}
	n := w.below(total)
	for _, x := range o {
		if n -= x.weight; n < 0 {
			w.do(x)
			break
		}
	}
	w.checker.step()
}

func (w *world) do(x option) {
	switch x.do {
	case goOn:
		w.goOn(x.wait)
	case take:
		w.start(x.i, w.receive(w.visible(), 1+w.below(10)))
	case deliver:
		w.deliver(x.i)
	case buy:
		w.changes--
		w.change(w.permissions[w.below(len(w.permissions))])
	case comeBack:
		w.changes--
		p := w.permissions[w.below(len(w.permissions))]
		want := wallet.Want{Account: p.Account, ChargePermission: p.ID, Priority: wallet.PriorityRefresh}
		how := w.below(4)
		if how == 0 {
			w.change(p)
		}
		if how <= 1 && len(p.versions) > 0 { // a return that is complete, now or some time ago
			done := w.amazonTime(max(0, p.versions[p.newest()].from))
			want.Priority, want.At = wallet.PriorityReturn, done.Truncate(time.Second).Add(time.Second)
		}
		if how == 0 { // and just now: its outcome is stored before it is read
			w.trace("the buyer of %s has completed an update", p.name)
			w.model.Completed(p.Account, p.ID, want.At)
			w.checker.completed(p, want.At)
		}
		w.saw("refresh now")
		w.startNow(x.i, want)
	case pass:
		w.pass()
	case crash, runOut:
		var busy []*proc
		for _, p := range w.procs {
			if p != nil {
				busy = append(busy, p)
			}
		}
		p := busy[w.below(len(busy))]
		if x.do == crash {
			w.saw("crash at " + p.waits[0].at.String())
			w.trace("worker %d crashes before %v", p.slot+1, p.waits[0].at)
			w.checker.unfinished(p)
			p.kill()
			return
		}
		if at := p.waits[0].at; !p.ended && (at == atCall || at == atAnswer) {
			w.saw("invocation out of time")
			w.trace("worker %d has no time left", p.slot+1)
			p.ended = true
			p.cancel()
		}
	case jump:
		by := []time.Duration{2 * time.Second, -2 * time.Second, 10 * time.Second, -10 * time.Second, 40 * time.Second, -40 * time.Second, 10 * time.Minute}[w.below(7)]
		if by > 0 {
			if w.forward == 2 { // see the package's doc
				return
			}
			w.forward++
		}
		w.offset += by
		w.checker.owed = w.checker.owed || by < 0 && w.checker.lost
		w.saw("clock jump")
		w.trace("the store's clock jumps by %v", by)
	case bother:
		w.bother()
	case runReconciler:
		w.startReconciler()
	case erase:
		p := w.permissions[w.below(len(w.permissions))]
		w.trace("the person of %s is erased", p.name)
		_ = w.model.Erase(context.Background(), p.Account, []wallet.ChargePermissionID{p.ID}, wallet.CauseErasure)
		w.checker.erased(p)
	}
}

func (w *world) deliver(i int) {
	n := w.mail[i]
	w.mail = append(w.mail[:i], w.mail[i+1:]...)
	w.enqueue(&message{body: n.body, note: n}, 0)
	if w.tracing() {
		w.trace("the queue gets %s as %s", n.id, w.queue[len(w.queue)-1].id)
	}
}

func (w *world) bother() {
	body := []string{`{`, `{"v":1,"kind":"wake","account":"unknown"}`, `{"v":2}`}[w.below(3)]
	w.bogusBodies = append(w.bogusBodies, body)
	w.enqueue(&message{body: body, bogus: true}, 0)
	w.trace("the queue gets a message that cannot be processed")
}

// pass lets time go by.
func (w *world) pass() {
	by := []time.Duration{250 * time.Millisecond, time.Second, 40 * time.Millisecond, 2500 * time.Millisecond, 0, 7 * time.Second}[w.below(6)]
	if w.enabled(slowness) && w.oneIn(5) {
		by = []time.Duration{36 * time.Second, visibility + time.Second, 12 * time.Minute}[w.below(3)]
	}
	if by == 0 {
		by = max(w.next()-w.now, time.Second)
	}
	w.now += by
	w.trace("%v go by", by)
}

// next is when a message or a notification comes next; 0 if none will.
func (w *world) next() time.Duration {
	var next time.Duration
	earliest := func(t time.Duration) {
		if t > w.now && (next == 0 || t < next) {
			next = t
		}
	}
	for _, m := range w.queue {
		earliest(m.visible)
	}
	for _, n := range w.mail {
		earliest(n.published)
	}
	return next
}

// restLimit is how long the world may take to come to rest: a few of the longest
// back-offs and pauses.
const restLimit = 3 * time.Hour

// rest goes on without faults until nothing is left to happen.
func (w *world) rest() {
	until := w.now + restLimit
	for w.now < until {
		w.checker.step()
		if w.restStep() {
			continue
		}
		next := w.next()
		if next == 0 {
			return
		}
		w.now = next
	}
	w.fail("the world does not come to rest within %v", restLimit)
}

func (w *world) restStep() bool {
	for slot, p := range w.procs {
		if p != nil {
			w.goOn(p.waits[0])
			return true
		}
		if seen := w.visible(); slot < w.desk && len(seen) > 0 {
			w.start(slot, w.receive(seen, 10))
			return true
		}
	}
	for i, n := range w.mail {
		if n.published <= w.now {
			w.deliver(i)
			return true
		}
	}
	return false
}

// goOn ends a wait, well or not.
func (w *world) goOn(t *waiting) {
	p := t.p
	switch t.at {
	case atClaim:
		w.firstTrip(t)
	case atCall:
		w.call(t)
		return
	case atAnswer:
		w.answer(t)
	case atCommit:
		w.secondTrip(t)
	case atWake:
		w.wake(t)
	case atDeadLetter:
		lost := w.enabled(sendErrors) && w.oneIn(3)
		if lost {
			t.err = errReset
			w.saw("dead-letter message not sent")
		}
		if !lost || w.below(2) == 1 {
			w.dead = append(w.dead, t.body)
			w.saw("dead-letter message")
		}
		w.trace("worker %d: a dead-letter message: %s", p.slot+1, outcome(t.err))
	case atDuty:
		w.trip(t)
	case atPause:
		w.saw("another try")
		if !w.calm && w.now < t.asked+t.delay {
			w.now = t.asked + t.delay
		}
	case atReturn:
		if p.desk {
			w.trace("the reconciler is done, %s", outcome(p.err))
			p.cancel()
			w.procs[p.slot] = nil
			return
		}
		if p.want != nil {
			if p.err != nil {
				w.checker.unfinished(p)
			}
			w.trace("worker %d has answered its caller: settled %v, %s", p.slot+1, p.refreshed.Settled, outcome(p.err))
			p.cancel()
			w.procs[p.slot] = nil
			return
		}
		w.trace("worker %d is done, %d messages to be redelivered", p.slot+1, len(t.failed))
		w.acknowledge(p, t.failed)
		p.cancel()
		w.procs[p.slot] = nil
		return
	}
	p.jitter = 0
	if t.at == atAnswer || t.at == atClaim {
		p.jitter = float64(w.tame(4)) / 4
	}
	p.resume(t)
}

// tame is below, and 0 when the faults have stopped.
func (w *world) tame(n int) int {
	if w.calm {
		return 0
	}
	return w.below(n)
}

func outcome(err error) string {
	if err != nil {
		return err.Error()
	}
	return "done"
}

// database chooses whether a trip is committed, and whether the worker learns.
func (w *world) database(p *proc) (applied bool, err error) {
	if !w.enabled(databaseErrors) || !w.oneIn(6) {
		return true, nil
	}
	if w.below(2) == 1 {
		w.saw("committed, answer lost")
		return true, errReset
	}
	w.saw("not committed")
	return false, errReset
}

func (w *world) firstTrip(t *waiting) {
	p := t.p
	applied, err := w.database(p)
	if w.tracing() {
		defer func() {
			w.trace("worker %d: the first trip of %s: %s, %s", p.slot+1, ids(p.took), w.describeClaimed(t), outcome(err))
		}()
	}
	if applied {
		t.claimed, _ = w.model.Claim(p.ctx, t.claim)
		if err != nil && w.below(2) == 1 { // as a store does whose connection broke
			w.saw("first trip repeated")
			t.claim.Force, w.checker.repeated, err = true, true, nil
			t.claimed, _ = w.model.Claim(p.ctx, t.claim)
		}
		w.checker.claimed(t.claim, t.claimed)
		w.checker.repeated = false
	}
	if t.err = err; err == nil && len(t.claimed.Claims) > 0 {
		p.keyless = w.enabled(callErrors) && w.oneIn(20)
		for _, c := range t.claimed.Claims {
			if p.keyless {
				w.saw("no key")
				p.rests = append(p.rests, c.Account)
			}
		}
	}
}

func ids(took []*message) string {
	if len(took) == 0 {
		return "someone who waits"
	}
	var out []string
	for _, m := range took {
		out = append(out, m.id)
	}
	return strings.Join(out, " ")
}

func (w *world) describeClaimed(t *waiting) string {
	var out []string
	for _, a := range t.claim.Asks {
		out = append(out, fmt.Sprintf("%s %s", a.MessageID, w.checker.last.Notifications[a.MessageID]))
	}
	if q := t.claim.Want; q != nil {
		out = append(out, fmt.Sprintf("%s is wanted at once", w.permission(storetest.Key{Account: q.Account, ID: q.ChargePermission}).name))
	}
	for _, c := range t.claimed.Claims {
		s := fmt.Sprintf("claimed %s at priority %d", w.permission(storetest.Key{Account: c.Account, ID: c.ID}).name, c.Priority)
		if len(c.Recent) > 0 {
			s += fmt.Sprintf(" (%v recent)", c.Recent)
		}
		out = append(out, s)
	}
	for _, k := range t.claimed.Wakes {
		out = append(out, fmt.Sprintf("wake-up in %v", k.Delay))
	}
	if len(out) == 0 {
		return "nothing"
	}
	return strings.Join(out, ", ")
}

func (w *world) permission(k storetest.Key) *permission {
	for _, p := range w.permissions {
		if p.Key == k {
			return p
		}
	}
	w.fail("there is no %s of %s", k.ID, k.Account)
	return nil
}

// call lets Amazon read, from a replica that may lag by the margin.
func (w *world) call(t *waiting) {
	c := t.p.claims[t.call]
	w.checker.called(t.p, c)
	p := w.permission(storetest.Key{Account: c.Account, ID: c.ID})
	var lag time.Duration
	switch {
	case w.enabled(lags):
		lag = []time.Duration{0, w.settings.Margin, 3 * time.Second, time.Second}[w.below(4)]
	case w.lagging:
		lag = w.settings.Margin
	}
	t.version = p.at(w.now - lag)
	if t.version < p.at(w.now) {
		w.saw("stale read")
	}
	t.dated = -1
	if w.tame(3) == 2 {
		t.dated = w.now // written before it was on its way for a while
	}
	if w.enabled(callErrors) && w.oneIn(4) {
		t.trouble = 1 + trouble(w.below(int(troubles)-1))
	}
	if w.enabled(callErrors) && w.refusing && w.below(4) > 0 {
		t.trouble = objectRefused
	}
	t.dateless = w.enabled(dateless) && w.below(2) == 1
	t.at = atAnswer
	if w.tracing() {
		w.trace("Amazon reads version %d of %s for worker %d", t.version, p.name, t.p.slot+1)
	}
}

// answer lets Amazon's answer arrive, or something else.
func (w *world) answer(t *waiting) {
	c := t.p.claims[t.call]
	p := w.permission(storetest.Key{Account: c.Account, ID: c.ID})
	r := amazonpay.Response{StatusCode: 200, RequestID: "r", Duration: w.now - t.asked}
	dated := w.now
	if t.dated >= 0 {
		dated = t.dated
	}
	if !t.dateless {
		r.Date = w.amazonTime(dated).Truncate(time.Second)
	} else {
		w.saw("answer without Date")
	}
	switch {
	case t.p.ended:
		t.err = context.Canceled
	case r.Duration > w.settings.Timeout:
		t.err = errTimedOut
		w.saw("call timed out")
	default:
		t.got, t.err = w.result(t, p, r)
		switch o := t.p.outcomeOf(t.account); t.trouble {
		case throttled, throttledFor, refused:
			t.p.rests = append(t.p.rests, t.account)
		case objectRefused:
			o.refused[t.id] = true
		case noTrouble:
			o.answered = true
		case serverError, timedOut, lost, nonsense, troubles:
		}
	}
	if w.tracing() {
		w.trace("worker %d: the answer of %s: %s", t.p.slot+1, p.name, outcome(t.err))
	}
}

func (w *world) result(t *waiting, p *permission, r amazonpay.Response) (*amazonpay.ChargePermission, error) {
	switch t.trouble {
	case throttled:
		w.saw("429")
		return nil, refusal(429, "TooManyRequests", 0, r)
	case throttledFor:
		w.saw("429")
		return nil, refusal(429, "TooManyRequests", 90*time.Second, r)
	case serverError:
		w.saw("500")
		return nil, refusal(500, "InternalServerError", 0, r)
	case timedOut:
		w.saw("call timed out")
		return nil, errTimedOut
	case lost:
		w.saw("call answered, answer lost")
		return nil, errReset
	case refused:
		w.saw("403")
		return nil, refusal(403, "InvalidRequestSignature", 0, r)
	case objectRefused:
		w.saw("401")
		return nil, refusal(401, "UnauthorizedAccess", 0, r)
	case nonsense:
		w.saw("answer of another charge permission")
		return &amazonpay.ChargePermission{ID: "S01-9999999-9999999", Raw: json.RawMessage(`{}`), Response: r}, nil
	case noTrouble, troubles:
	}
	if t.version < 0 {
		w.saw("404")
		return nil, refusal(404, "ResourceNotFound", 0, r)
	}
	return p.answer(t.version, r), nil
}

func (w *world) secondTrip(t *waiting) {
	p := t.p
	applied, err := w.database(p)
	if w.tracing() {
		defer func() { w.trace("worker %d: the second trip: %s, %s", p.slot+1, w.describeCommitted(t), outcome(err)) }()
	}
	for _, a := range p.rests {
		if !slices.ContainsFunc(t.commit.Closings, func(c refresh.Closing) bool { return c.Account == a }) {
			w.fail("calls of %s must pause, and they do not", a)
		}
	}
	for _, c := range t.commit.Closings {
		if !slices.Contains(p.rests, c.Account) {
			w.fail("calls of %s pause, and nothing asks for it", c.Account)
		}
	}
	for _, r := range t.commit.Results {
		if p.outcomeOf(r.Account).refused[r.ID] && r.Kind != refresh.Failed {
			w.fail("%s was refused, and is %s", r.ID, r.Kind)
		}
		if p.keyless != (r.Kind == refresh.NotCalled) {
			w.fail("%s is %s, and there is no key: %v", r.ID, r.Kind, p.keyless)
		}
	}
	if applied {
		t.settled, _ = w.model.Commit(p.ctx, t.commit)
		w.checker.committed(p, t.commit, t.settled)
	}
	p.rests, p.outcome = nil, map[wallet.AccountID]*outcomes{}
	if t.err = err; err != nil {
		w.checker.unfinished(p)
	}
}

func (w *world) describeCommitted(t *waiting) string {
	var out []string
	for _, r := range t.commit.Results {
		s := fmt.Sprintf("%s %s", w.permission(storetest.Key{Account: r.Account, ID: r.ID}).name, r.Kind)
		fenced := true
		for _, d := range t.settled.Settled {
			if d.Account != r.Account || d.ID != r.ID {
				continue
			}
			fenced = false
			if d.Stored {
				s += ", stored"
			}
			if d.Early {
				s += ", early"
			}
			if d.Withheld {
				s += ", withheld"
			}
			if d.Confirm {
				s += ", to be confirmed"
			}
		}
		if fenced {
			s += ", dropped by the fence"
		}
		out = append(out, s)
	}
	for _, k := range t.settled.Wakes {
		out = append(out, fmt.Sprintf("wake-up in %v", k.Delay))
	}
	return strings.Join(out, "; ")
}

func (w *world) wake(t *waiting) {
	sent := true
	if w.enabled(sendErrors) && w.oneIn(3) {
		t.err = errReset
		sent = w.below(2) == 1
		w.saw("wake-up not sent")
	}
	if t.err != nil {
		w.checker.unfinished(t.p)
	}
	if sent {
		w.saw("wake-up")
		// The delay counts from now, and was decided before the wake-ups that
		// were sent before this one. Both ends are the store's clock.
		decided := t.wake.Add(-t.delay)
		w.checker.slack = max(w.checker.slack, w.now-t.asked, w.storeTime().Sub(decided))
		w.enqueue(&message{body: wakeBody(t.account, t.wake)}, t.delay)
	}
	if w.tracing() {
		w.trace("worker %d: a wake-up in %v: sent %v, %s", t.p.slot+1, t.delay, sent, outcome(t.err))
	}
}
