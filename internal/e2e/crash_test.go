package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"walletsync/internal/local/fault/wire"
	"walletsync/internal/local/stack"
	"walletsync/internal/local/twin"
)

// Patterns of the two round trips for the proxy.
var (
	trip1 = wire.SQL("walletsync trip 1")
	trip2 = wire.SQL("walletsync trip 2")
)

// caught is a batch that a test holds at some point.
type caught struct {
	reached func(context.Context) error
	release func()
}

// atTrip holds the next matching trip and then applies an action.
func (w *trial) atTrip(at wire.Point, match wire.Match, then wire.Action) caught {
	h := w.wire.Hold(at, match)
	return caught{
		func(ctx context.Context) error { _, err := h.Reached(ctx); return err },
		func() { h.Release(then) },
	}
}

// atCall holds the calls of a batch, before the twin applies them or before it answers.
func (w *trial) atCall(answer bool) caught {
	h := w.Twin.Hold(twin.GetChargePermission, "", answer)
	return caught{func(ctx context.Context) error { _, err := h.Next(ctx); return err }, h.Close}
}

func (w *trial) wait(c caught) {
	w.tb.Helper()
	ctx, cancel := context.WithTimeout(w.ctx(), trialTimeout)
	defer cancel()
	if err := c.reached(ctx); err != nil {
		w.tb.Fatal(err)
	}
}

// TestAKilledWorkerLosesAndRepeatsNothing kills every process of the worker during a
// batch: changes of known charge permissions, and a first read.
func TestAKilledWorkerLosesAndRepeatsNothing(t *testing.T) {
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
		{"between them, before the call to Amazon", func() caught { return w.atCall(false) }},
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

// TestAWorkerWithAnExpiredClaimStoresNothing holds a worker until its lease has ended
// and another worker has stored a newer state.
func TestAWorkerWithAnExpiredClaimStoresNothing(t *testing.T) {
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

// TestALostCommitAnswerLosesAndRepeatsNothing cuts the connection when a round trip is
// sent, and after its commit before the answer. After one cut the worker retries;
// after two its batch is redelivered.
func TestALostCommitAnswerLosesAndRepeatsNothing(t *testing.T) {
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

// TestPostgresStoppingDuringABatchLosesNothing ends the server as a crash would,
// during a batch, and starts it again after the worker has failed.
func TestPostgresStoppingDuringABatchLosesNothing(t *testing.T) {
	t.Parallel()
	w := try(t, stack.Options{})
	ids := w.known(4)
	for _, c := range []struct {
		name string
		at   func() caught
	}{
		{"before the first round trip", func() caught { return w.atTrip(wire.Requested, trip1, wire.Pass) }},
		{"during the call to Amazon", func() caught { return w.atCall(true) }},
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
			w.until("the batch to be redelivered", func() (bool, error) { return w.Queue.Stats().Received > received, nil })
			if err := w.Postgres.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.settle()
			w.check()
		})
	}
}

// TestTemporaryRefusalsByAmazonLoseNothing makes calls fail with each kind of error,
// before and after Amazon applies them.
func TestTemporaryRefusalsByAmazonLoseNothing(t *testing.T) {
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
		t.Errorf("these faults did not happen: %+v", left)
	}
	if n := w.count(`select count(*) from walletsync.api_quota where closed_why = 'Amazon Pay throttles' and closed_until > '-infinity'`); n != 1 {
		t.Error("a 429 did not pause the calls")
	}
	w.check()
}

// TestUnknownAnswerFormatsLoseNothing makes Amazon Pay answer in unknown formats:
// unreadable members keep their stored values, all others are stored.
func TestUnknownAnswerFormatsLoseNothing(t *testing.T) {
	t.Parallel()
	w := try(t, stack.Options{})
	ids := w.known(2)
	const get = twin.GetChargePermission
	faults, err := twin.ParseFaults([]byte(fmt.Sprintf(`{"calls":[
		{"call":%q,"id":%q,"patch":{"limits":{"amountLimit":{"amount":"1,000.00"}},"buyer":{"primeMembershipTypes":{"a":1},"phoneNumber":5},
			"merchantMetadata":"none","paymentMethodOnFileMetadata":{"setupOnly":"yes"},"expirationTimestamp":"soon"}},
		{"call":%q,"id":%q,"patch":{"limits":{"amountLimit":{"amount":500}},"shippingAddress":{"city":["a","b"]}}}]}`, get, ids[0], get, ids[1])))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Twin.SetFaults(faults); err != nil {
		t.Fatal(err)
	}
	limits := w.count(`select count(*) from walletsync.charge_permissions where limit_amount = 500 and limit_currency = 'EUR' and shipping_city is not null`)
	w.move(ids, twin.Notify{})
	w.settle()
	if n := w.count(`select count(*) from walletsync.charge_permissions where limit_amount = 500 and limit_currency = 'EUR' and shipping_city is not null`); n != limits {
		t.Errorf("%d limits and addresses are left of %d", n, limits)
	}
	for facet, want := range map[string]int{"limit": 0, "buyer": 0, "expiry": 0, "payment_method": 2, "shipping_address": 1} {
		if n := w.count(`select count(*) from walletsync.charge_permission_changes where facet = $1`, facet); n != want {
			t.Errorf("%d changes of %s, want %d", n, facet, want)
		}
	}
	if n := w.count(`select count(*) from walletsync.charge_permissions where id = $1 and raw #>> '{limits,amountLimit,amount}' = '1,000.00'`, ids[0]); n != 1 {
		t.Error("raw does not hold what was sent")
	}
	for id, names := range map[string]string{ids[0]: "%buyer.phoneNumber, expirationTimestamp, limits.amountLimit.amount", ids[1]: "%shippingAddress.city"} {
		if n := w.count(`select count(*) from back_office.freshness where charge_permission_id = $1 and last_error like $2`, id, names); n != 1 {
			t.Errorf("the view does not show the unreadable members of %s", id)
		}
	}
	if err := w.Twin.SetFaults(twin.Faults{}); err != nil {
		t.Fatal(err)
	}
	w.yesterday()
	w.move(ids, twin.Notify{})
	w.settle()
	w.check()
}

// TestARefusedObjectDoesNotAffectOthers makes Amazon Pay refuse one object as another
// merchant's, and then several objects one after the other.
func TestARefusedObjectDoesNotAffectOthers(t *testing.T) {
	t.Parallel()
	w := try(t, stack.Options{})
	ids := w.known(4)
	refuse := func(ids ...string) {
		t.Helper()
		var f twin.Faults
		for _, id := range ids {
			f.Calls = append(f.Calls, twin.CallFault{Call: twin.GetChargePermission, ID: id, Status: 401})
		}
		if err := w.Twin.SetFaults(f); err != nil {
			t.Fatal(err)
		}
	}
	failing := func(ids ...string) func() (bool, error) {
		return func() (bool, error) {
			var n int
			err := w.DB.QueryRow(w.ctx(), `select count(*) from walletsync.refreshes where id = any ($1) and attempts > 0 and not_before > now() - interval '1 minute'
				and last_error like '%UnauthorizedAccess%'`, ids).Scan(&n)
			return n == len(ids), err
		}
	}
	paused := func() int {
		return w.count(`select count(*) from walletsync.api_quota where closed_until > '-infinity' and call = 'get_charge_permission'`)
	}
	refuse(ids[0])
	w.move(ids[:1], twin.Notify{})
	w.until("the refused one to show as failing", failing(ids[0]))
	w.move(ids[1:2], twin.Notify{})
	w.until("the other to be stored", func() (bool, error) {
		return w.count(`select count(*) from walletsync.refreshes where id = $1 and wanted = done`, ids[1]) == 1, nil
	})
	if paused() != 0 {
		t.Error("one refused object pauses the account's calls")
	}
	refuse(ids[0], ids[2], ids[3])
	w.move(ids[2:], twin.Notify{})
	w.until("several refusals in a row to pause the calls", func() (bool, error) { return paused() == 1, nil })
	w.until("all of them to show as failing", failing(ids[2], ids[3]))
}
