package simtest

import (
	"context"
	"time"

	"walletsync/internal/reconcile"
	"walletsync/internal/refresh"
	"walletsync/internal/refresh/storetest"
	"walletsync/internal/wallet"
)

// every is how often the reconciler runs by the design's default. In a schedule
// it also runs in between.
const every = 5 * time.Minute

// startReconciler begins a run of the real reconciler's duties to lost
// notifications and lost wake-ups. What is unread is swept at once: the period
// is one that no quota allows.
func (w *world) startReconciler() {
	w.saw("reconciler")
	p, _ := w.newProc(w.desk)
	p.desk = true
	r := &reconcile.Reconciler{
		Accounts: w.accounts, Wake: &reconcile.Wake{Store: p, Waker: p}, Every: every, Now: func() time.Time { return epoch },
		Duties: []reconcile.Duty{&reconcile.Sweep{Store: p, Period: time.Second, Every: every}},
	}
	go func() {
		p.err = r.Run(p.ctx)
		p.parked <- &waiting{p: p, at: atReturn}
	}()
	p.await(1)
}

// duty parks for one trip of the reconciler to the store.
func (p *proc) duty(name string, do func()) error {
	if p.dead.Load() {
		return errCrashed
	}
	t := &waiting{at: atDuty, body: name, do: do}
	p.park(t)
	return t.err
}

// Sweepable is reconcile.SweepStore's.
func (p *proc) Sweepable(ctx context.Context, a wallet.AccountID) (out reconcile.Sweepable, err error) {
	err = p.duty("what there is to sweep", func() { out, _ = p.w.model.Sweepable(ctx, a) })
	return out, err
}

// MarkUnread is reconcile.SweepStore's.
func (p *proc) MarkUnread(ctx context.Context, a wallet.AccountID, unread time.Duration, limit int) (n int, err error) {
	err = p.duty("mark the unread", func() {
		if n, _ = p.w.model.MarkUnread(ctx, a, unread, limit); n > 0 {
			p.w.saw("sweep")
		}
		p.w.checker.marked(n, limit)
	})
	return n, err
}

// Backlog is reconcile.WakeStore's.
func (p *proc) Backlog(ctx context.Context, a wallet.AccountID) (b refresh.Backlog, wakes []refresh.Wake, err error) {
	err = p.duty("decide on a wake-up", func() {
		b, wakes, _ = p.w.model.Backlog(ctx, a)
		if len(wakes) > 0 {
			p.w.saw("wake-up of the reconciler")
		}
		p.w.checker.marked(0, 0)
	})
	return b, wakes, err
}

// trip ends the wait for a trip of the reconciler, committed or not.
func (w *world) trip(t *waiting) {
	applied, err := w.database(t.p)
	if applied {
		t.do()
	}
	if t.err = err; err != nil {
		w.checker.unfinished(t.p)
	}
	w.trace("the reconciler: %s, %s", t.body, outcome(err))
}

// marked checks what the reconciler did: up to limit charge permissions of which
// nothing was wanted are wanted now, behind all others.
func (c *checker) marked(n, limit int) {
	before, now := c.take(), c.w.storeTime()
	count := 0
	for _, r := range c.last.Rows {
		was := row(before, r.Key)
		if r == was {
			continue
		}
		count++
		if was.Wanted != was.Done || r.Wanted != was.Wanted+1 || r.Priority != wallet.PrioritySweep || !r.Since.Equal(now) || r.NotBefore.After(now) {
			c.w.fail("the sweep marked %s, of which %d were wanted and %d done, at priority %d", r.ID, r.Wanted, r.Done, r.Priority)
		}
		was.Wanted, was.Priority, was.Since, was.NotBefore, was.Confirms = r.Wanted, r.Priority, r.Since, r.NotBefore, 0
		if r != was {
			c.w.fail("the sweep did more to %s than to mark it", r.ID)
		}
		c.confirms[r.Key] = 0
	}
	if count != n || n > limit {
		c.w.fail("the sweep marked %d, says %d, and may %d", count, n, limit)
	}
	c.steady(before)
}

// healed reports whether the sweep has nothing more to find.
func (c *checker) healed() bool {
	for _, p := range c.w.permissions {
		if c.swept(p) && c.version(stored(c.last, p.Key)) != p.newest() {
			return false
		}
	}
	return true
}

// swept reports whether the sweep sees to a charge permission: it does to what
// is stored, followed, and not known to be gone.
func (c *checker) swept(p *permission) bool {
	have := stored(c.last, p.Key)
	return have != (storetest.Permission{}) && have.State != nil && !row(c.last, p.Key).Gone
}
