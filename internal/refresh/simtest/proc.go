package simtest

import (
	"context"
	"encoding/binary"
	"sync/atomic"
	"time"

	"walletsync/internal/amazonpay"
	"walletsync/internal/ipn"
	"walletsync/internal/refresh"
	"walletsync/internal/wallet"
)

// point is an operation that a worker waits for.
type point int

const (
	atClaim  point = iota
	atCall         // the call is on its way to Amazon
	atAnswer       // Amazon has read; the answer is on its way back
	atCommit
	atWake
	atDeadLetter
	atDuty   // a trip of the reconciler
	atPause  // between two tries of refresh.Now
	atReturn // the batch is processed and not yet acknowledged
)

func (p point) String() string {
	return [...]string{"the first trip", "a call", "an answer", "the second trip", "a wake-up", "a dead-letter message", "a duty", "another try", "the end"}[p]
}

// proc is one invocation of the worker or of refresh.Now: the real ipn.Worker and
// refresh.Runner. Wherever they await something, their goroutine sends a waiting and
// parks. The schedule decides the outcome in its own goroutine, so only one of them
// runs at a time.
type proc struct {
	w       *world
	slot    int
	ctx     context.Context
	cancel  context.CancelFunc
	took    []*message
	parked  chan *waiting // from the worker's goroutines
	decided chan struct{} // a fetch that needs no answer any more has drawn its jitter
	waits   []*waiting    // parked now: either one, or calls in the order of their claims
	lease   refresh.Lease
	claims  []refresh.Claim
	rests   []wallet.AccountID             // whose calls must pause: Amazon asked for it, or they could not be made
	outcome map[wallet.AccountID]*outcomes // of the calls since the first trip
	unasked int                            // calls not begun, as the limit is reached
	jitter  float64
	keyless bool // the account's secret cannot be had
	ended   bool // its own time ran out
	dead    atomic.Bool

	desk      bool         // the reconciler
	want      *wallet.Want // of refresh.Now; nil: a batch
	refreshed wallet.Refreshed
	err       error
}

// outcomes sums up the calls of one account.
type outcomes struct {
	answered bool
	refused  map[wallet.ChargePermissionID]bool
}

func (p *proc) outcomeOf(a wallet.AccountID) *outcomes {
	if p.outcome[a] == nil {
		p.outcome[a] = &outcomes{refused: map[wallet.ChargePermissionID]bool{}}
	}
	return p.outcome[a]
}

// waiting is one await: what is asked, and what will be answered.
type waiting struct {
	p      *proc
	at     point
	resume chan struct{}

	claim    refresh.ClaimRequest
	claimed  refresh.Claimed
	commit   refresh.CommitRequest
	settled  refresh.Committed
	account  wallet.AccountID
	wake     time.Time
	delay    time.Duration
	body     string
	do       func()
	failed   []string
	err      error
	call     int // index of the claim
	id       wallet.ChargePermissionID
	asked    time.Duration // when the call began
	dated    time.Duration // when Amazon wrote the answer; 0: when it comes
	version  int           // what Amazon's replica saw, -1 for nothing
	trouble  trouble
	dateless bool
	got      *amazonpay.ChargePermission
}

func (w *world) newProc(slot int) (*proc, *refresh.Runner) {
	p := &proc{w: w, slot: slot, parked: make(chan *waiting, w.settings.Limit+2), decided: make(chan struct{}, 2*w.settings.Limit), outcome: map[wallet.AccountID]*outcomes{}}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	w.procs[slot] = p
	return p, &refresh.Runner{
		Store: p, Waker: p, Settings: w.settings,
		API:      p.api,
		Follow:   func(wallet.AccountID) wallet.Followed { return wallet.DefaultFollowed() },
		NewLease: p.newLease,
		Jitter:   p.draw,
		Wait:     p.pause,
	}
}

// start begins an invocation with a batch, and waits for its first await.
func (w *world) start(slot int, took []*message) {
	p, runner := w.newProc(slot)
	p.took = took
	deliveries := make([]ipn.Delivery, len(took))
	for i, m := range took {
		m.holder = p
		deliveries[i] = ipn.Delivery{ID: m.id, Body: m.body, Receives: m.receives}
	}
	worker := &ipn.Worker{Accounts: w.ipnAccounts, DeadLetters: p, Refresher: runner, Now: func() time.Time { return epoch }}
	go func() {
		failed := worker.Batch(p.ctx, deliveries)
		p.parked <- &waiting{p: p, at: atReturn, failed: failed}
	}()
	p.await(1)
}

// startNow begins a refresh.Now.
func (w *world) startNow(slot int, want wallet.Want) {
	p, runner := w.newProc(slot)
	p.want = &want
	go func() {
		p.refreshed, p.err = runner.Now(p.ctx, want)
		p.parked <- &waiting{p: p, at: atReturn}
	}()
	p.await(1)
}

// newLease is called before the first trip, by the one goroutine that there is.
func (p *proc) newLease() refresh.Lease {
	if p.dead.Load() {
		return refresh.Lease{}
	}
	p.w.leases++
	binary.BigEndian.PutUint64(p.lease[8:], p.w.leases)
	return p.lease
}

// pause waits before another try.
func (p *proc) pause(_ context.Context, d time.Duration) bool {
	if p.dead.Load() {
		return false
	}
	t := &waiting{at: atPause, delay: d}
	p.park(t)
	return t.err == nil
}

// await takes over as many waits as the worker is bound to come to.
func (p *proc) await(n int) {
	for range n {
		t := <-p.parked
		t.asked = p.w.now
		if t.at == atPause {
			<-p.decided // it drew its length
		}
		p.waits = append(p.waits, t)
	}
	// Calls park in no order; their claims have one.
	for i := 1; i < len(p.waits); i++ {
		for j := i; j > 0 && p.waits[j].call < p.waits[j-1].call; j-- {
			p.waits[j], p.waits[j-1] = p.waits[j-1], p.waits[j]
		}
	}
}

// resume lets a wait end, and takes over the next: of the same kind, since only
// here is it known how many there will be.
func (p *proc) resume(t *waiting) {
	for i, o := range p.waits {
		if o == t {
			p.waits = append(p.waits[:i], p.waits[i+1:]...)
			break
		}
	}
	if t.at != atCall && t.at != atAnswer {
		if t.at == atClaim && t.err == nil && len(t.claimed.Claims) > 0 {
			p.claims = t.claimed.Claims
			if p.keyless {
				t.resume <- struct{}{}
				for range p.claims {
					<-p.decided
				}
				p.await(1)
				return
			}
			n := min(len(p.claims), p.w.settings.Limit)
			p.unasked = len(p.claims) - n
			t.resume <- struct{}{}
			p.await(n)
			return
		}
		t.resume <- struct{}{}
		p.await(1)
		return
	}
	t.resume <- struct{}{}
	if !p.ended {
		<-p.decided
	}
	switch {
	case p.unasked > 0:
		p.unasked--
		p.await(1)
	case len(p.waits) == 0:
		p.await(1)
	}
}

// kill ends an invocation where it waits. Its goroutines unwind without doing
// anything any more.
func (p *proc) kill() {
	p.dead.Store(true)
	p.cancel()
	returned := false
	for _, t := range p.waits {
		if t.at == atReturn {
			returned = true
			continue
		}
		t.err = errCrashed
		t.resume <- struct{}{}
	}
	if !returned {
		<-p.parked
	}
	p.waits = nil
	p.w.procs[p.slot] = nil
}

func (p *proc) park(t *waiting) {
	t.p, t.resume = p, make(chan struct{}, 1)
	p.parked <- t
	<-t.resume
}

// Claim is the worker's first trip.
func (p *proc) Claim(_ context.Context, q refresh.ClaimRequest) (refresh.Claimed, error) {
	if p.dead.Load() {
		return refresh.Claimed{}, errCrashed
	}
	t := &waiting{at: atClaim, claim: q}
	p.park(t)
	return t.claimed, t.err
}

// Commit is the worker's second trip.
func (p *proc) Commit(_ context.Context, q refresh.CommitRequest) (refresh.Committed, error) {
	if p.dead.Load() {
		return refresh.Committed{}, errCrashed
	}
	t := &waiting{at: atCommit, commit: q}
	p.park(t)
	return t.settled, t.err
}

// Wake sends a wake-up.
func (p *proc) Wake(_ context.Context, account wallet.AccountID, at time.Time, delay time.Duration) error {
	if p.dead.Load() {
		return errCrashed
	}
	t := &waiting{at: atWake, account: account, wake: at, delay: delay}
	p.park(t)
	return t.err
}

// DeadLetter puts a message on the dead-letter queue.
func (p *proc) DeadLetter(_ context.Context, body, _ string, _ wallet.AccountID) error {
	if p.dead.Load() {
		return errCrashed
	}
	t := &waiting{at: atDeadLetter, body: body}
	p.park(t)
	return t.err
}

// calls is the API of one account.
type calls struct {
	p       *proc
	account wallet.AccountID
}

func (p *proc) api(_ context.Context, account wallet.AccountID) (refresh.API, error) {
	if p.keyless && !p.dead.Load() {
		return nil, errTimedOut
	}
	return calls{p, account}, nil
}

// GetChargePermission asks Amazon.
func (c calls) GetChargePermission(_ context.Context, id string) (*amazonpay.ChargePermission, error) {
	if c.p.dead.Load() {
		return nil, errCrashed
	}
	t := &waiting{at: atCall, account: c.account, id: wallet.ChargePermissionID(id), call: -1}
	for i, claim := range c.p.claims {
		if claim.Account == t.account && claim.ID == t.id {
			t.call = i
		}
	}
	c.p.park(t)
	return t.got, t.err
}

// draw returns the worker's jitter. It is the last step of a fetch, so it signals to
// the schedule that the fetch is over.
func (p *proc) draw() float64 {
	if p.dead.Load() {
		return 0
	}
	j := p.jitter
	p.decided <- struct{}{}
	return j
}
