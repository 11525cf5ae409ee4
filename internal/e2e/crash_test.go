package e2e

import (
	"context"
	"testing"
	"time"

	"walletsync/internal/local/pg/wire"
	"walletsync/internal/local/stack"
	"walletsync/internal/local/twin"
)

// The two round trips, as the proxy recognises them.
var (
	trip1 = wire.SQL("walletsync trip 1")
	trip2 = wire.SQL("walletsync trip 2")
)

// caught is a batch that waits somewhere on its way.
type caught struct {
	reached func(context.Context) error
	release func()
}

// atTrip catches the next such trip, and lets it go on or not.
func (w *trial) atTrip(at wire.Point, match wire.Match, then wire.Action) caught {
	h := w.wire.Hold(at, match)
	return caught{
		func(ctx context.Context) error { _, err := h.Reached(ctx); return err },
		func() { h.Release(then) },
	}
}

// atCall catches the calls of a batch, before they are applied or before they
// are answered.
func (w *trial) atCall(answer bool) caught {
	h := w.Twin.Hold(twin.GetChargePermission, "", answer)
	return caught{func(ctx context.Context) error { _, err := h.Next(ctx); return err }, h.Close}
}

func (w *trial) wait(c caught) {
	w.tb.Helper()
	ctx, cancel := context.WithTimeout(w.ctx(), tried)
	defer cancel()
	if err := c.reached(ctx); err != nil {
		w.tb.Fatal(err)
	}
}

// TestAKilledWorkerLosesNothingAndRepeatsNothing kills every process of the
// worker with a batch in its hands: known charge permissions that changed, and
// one never read.
func TestAKilledWorkerLosesNothingAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	w := try(t, stack.Options{})
	ids := w.known(4)
	for _, c := range []struct {
		name string
		at   func() caught
	}{
		{"before the first round trip", func() caught { return w.atTrip(wire.Requested, trip1, wire.Cut) }},
		{"before the first round trip, which still arrives", func() caught { return w.atTrip(wire.Requested, trip1, wire.Pass) }},
		{"after the first round trip", func() caught { return w.atTrip(wire.Answered, trip1, wire.Cut) }},
		{"between them, before Amazon was asked", func() caught { return w.atCall(false) }},
		{"between them, before Amazon's answer", func() caught { return w.atCall(true) }},
		{"before the second round trip", func() caught { return w.atTrip(wire.Requested, trip2, wire.Cut) }},
		{"before the second round trip, which still arrives", func() caught { return w.atTrip(wire.Requested, trip2, wire.Pass) }},
		{"after the second round trip", func() caught { return w.atTrip(wire.Answered, trip2, wire.Cut) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := w.in(t)
			at := c.at()
			w.gather(func() {
				w.move(ids, twin.Notify{})
				w.buyers(1, twin.Notify{})
			})
			w.wait(at)
			w.crash()
			at.release()
			w.settle()
			w.check()
		})
	}
}

// TestAWorkerThatComesTooLateStoresNothing holds a worker until its lease has
// ended and another one has stored what Amazon says by then.
func TestAWorkerThatComesTooLateStoresNothing(t *testing.T) {
	t.Parallel()
	w := try(t, stack.Options{Visibility: 20 * time.Second})
	ids := w.known(3)
	late := w.atTrip(wire.Requested, trip2, wire.Pass)
	w.gather(func() { w.move(ids, twin.Notify{}) })
	w.wait(late)
	w.move(ids, twin.Notify{})
	w.until("another worker to store the newer state", func() (bool, error) {
		var stored int
		err := w.DB.QueryRow(t.Context(), `select count(*) from walletsync.charge_permissions where shipping_city like 'Newtown-2-%'`).Scan(&stored)
		return stored == len(ids), err
	})
	late.release()
	w.settle()
	w.check()
}

// TestAnAnswerLostAtCommitLosesNothingAndRepeatsNothing cuts the connection when
// a round trip is sent, and when it is committed and its answer on the way: once,
// which the worker makes good itself, and twice, whereupon its batch comes again.
func TestAnAnswerLostAtCommitLosesNothingAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	w := try(t, stack.Options{})
	ids := w.known(4)
	for _, c := range []struct {
		name  string
		at    wire.Point
		trip  wire.Match
		times int
	}{
		{"the first is not applied", wire.Requested, trip1, 1},
		{"the first is applied", wire.Answered, trip1, 1},
		{"the second is not applied", wire.Requested, trip2, 1},
		{"the second is applied", wire.Answered, trip2, 1},
		{"the first is twice not applied", wire.Requested, trip1, 2},
		{"the first is twice applied", wire.Answered, trip1, 2},
		{"the second is twice not applied", wire.Requested, trip2, 2},
		{"the second is twice applied", wire.Answered, trip2, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := w.in(t)
			cut := make(chan struct{}, c.times)
			off := w.wire.On(c.at, c.trip, func(context.Context, wire.Trip) wire.Action {
				select {
				case cut <- struct{}{}:
					return wire.Cut
				default:
					return wire.Pass
				}
			})
			defer off()
			w.gather(func() {
				w.move(ids, twin.Notify{})
				w.buyers(1, twin.Notify{})
			})
			w.settle()
			if len(cut) != c.times {
				t.Errorf("%d of %d trips were cut", len(cut), c.times)
			}
			w.check()
		})
	}
}

// TestAPostgresThatStopsInMidBatchDelaysAndLosesNothing ends the server as its
// crash would, with a batch on its way, and starts it again when the worker has
// come to nothing with it.
func TestAPostgresThatStopsInMidBatchDelaysAndLosesNothing(t *testing.T) {
	t.Parallel()
	w := try(t, stack.Options{})
	ids := w.known(4)
	for _, c := range []struct {
		name string
		at   func() caught
	}{
		{"before the first round trip", func() caught { return w.atTrip(wire.Requested, trip1, wire.Pass) }},
		{"while Amazon is asked", func() caught { return w.atCall(true) }},
		{"before the second round trip", func() caught { return w.atTrip(wire.Requested, trip2, wire.Pass) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := w.in(t)
			at := c.at()
			w.gather(func() {
				w.move(ids, twin.Notify{})
				w.buyers(1, twin.Notify{})
			})
			w.wait(at)
			if err := w.Postgres.StopHard(); err != nil {
				t.Fatal(err)
			}
			received := w.Queue.Stats().Received
			at.release()
			w.until("a batch to come again", func() (bool, error) { return w.Queue.Stats().Received > received, nil })
			if err := w.Postgres.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.settle()
			w.check()
		})
	}
}

// TestAnAmazonThatRefusesForAWhileDelaysAndLosesNothing has each call fail in
// its own way and both forms.
func TestAnAmazonThatRefusesForAWhileDelaysAndLosesNothing(t *testing.T) {
	t.Parallel()
	w := try(t, stack.Options{})
	ids := w.known(8)
	const get = twin.GetChargePermission
	if err := w.Twin.SetFaults(twin.Faults{Calls: []twin.CallFault{
		{Call: get, ID: ids[0], Next: 2, Status: 429},
		{Call: get, ID: ids[1], Next: 1, Status: 429, RetryAfter: "2"},
		{Call: get, ID: ids[2], Next: 2, Status: 500},
		{Call: get, ID: ids[3], Next: 1, Status: 500, Applied: true},
		{Call: get, ID: ids[4], Next: 1, Status: 503, RetryAfter: "1"},
		{Call: get, ID: ids[5], Next: 1, Connection: "reset"},
		{Call: get, ID: ids[6], Next: 1, Connection: "reset", Applied: true},
		{Call: get, ID: ids[7], Next: 1, Connection: "silent"},
	}}); err != nil {
		t.Fatal(err)
	}
	w.gather(func() {
		w.move(ids, twin.Notify{})
		w.buyers(2, twin.Notify{})
	})
	w.settle()
	if left := w.Twin.Faults().Calls; len(left) > 0 {
		t.Errorf("these did not happen: %+v", left)
	}
	if n := w.count(`select count(*) from walletsync.api_quota where closed_why = 'Amazon Pay throttles' and closed_until > '-infinity'`); n != 1 {
		t.Error("a 429 did not close the bucket")
	}
	w.check()
}
