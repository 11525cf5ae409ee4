package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"walletsync/internal/local/aws/lambda"
	"walletsync/internal/local/stack"
	"walletsync/internal/local/twin"
)

// unhurried has long leases and visibility time-outs, so that they cause none of the
// counted calls.
func unhurried(margin time.Duration, concurrency int) stack.Options {
	return stack.Options{Margin: margin, Visibility: time.Minute, Source: lambda.QueueSource{Concurrency: concurrency},
		Environment: map[string]string{"LEASE": "35s", "API_TIMEOUT": "8s"}}
}

// TestALaggingReadIsCorrectedSoonAfterTheMargin: the cause of a change shows which
// read found it, without a clock. Lagging reads lag until each charge permission was
// read once.
func TestALaggingReadIsCorrectedSoonAfterTheMargin(t *testing.T) {
	t.Parallel()
	const lag = 3 * time.Second
	w := try(t, unhurried(lag+time.Second, 2))
	ids := w.known(4)
	for _, c := range []struct {
		name  string
		lags  bool
		cause string
	}{
		{"no lag: the first read shows it", false, "ipn"},
		{"the first read lags: the confirmation shows it", true, "confirm"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := w.in(t)
			made, changes := w.book.len(), w.count(`select n from walletsync.feed`)
			if c.lags {
				if err := w.Twin.SetFaults(twin.Faults{Reads: &twin.StaleReads{Lag: twin.Duration(time.Hour)}}); err != nil {
					t.Fatal(err)
				}
			}
			w.move(ids, twin.Notify{})
			if c.lags {
				w.until("each charge permission to be read once", func() (bool, error) { return w.book.len()-made >= len(ids), nil })
				if err := w.Twin.SetFaults(twin.Faults{}); err != nil {
					t.Fatal(err)
				}
			}
			w.until("the change to be stored", func() (bool, error) {
				return w.count(`select n from walletsync.feed`) >= changes+2*len(ids), nil
			})
			for _, facet := range []string{"shipping_address", "payment_method"} {
				if n := w.count(`select count(*) from walletsync.charge_permission_changes where position > $1 and facet = $2 and cause = $3`, changes, facet, c.cause); n != len(ids) {
					t.Errorf("%d of %d changes of %s have the cause %s", n, len(ids), facet, c.cause)
				}
			}
			w.settle()
			w.check()
			if calls := w.book.len() - made; calls != 2*len(ids) {
				t.Errorf("%d calls for %d changes", calls, len(ids))
			}
		})
	}
	t.Run("replicas that return older states", func(t *testing.T) {
		w := w.in(t)
		if err := w.Twin.SetFaults(twin.Faults{Reads: &twin.StaleReads{Lag: twin.Duration(lag), Replicas: 3}}); err != nil {
			t.Fatal(err)
		}
		w.move(ids, twin.Notify{Times: 2})
		w.settle()
		w.check()
	})
}

// TestAChangeDuringAReadIsReadNext: the first read has the state before the second
// change. The second change's notification arrives before that state is stored.
func TestAChangeDuringAReadIsReadNext(t *testing.T) {
	t.Parallel()
	w := try(t, unhurried(time.Second, 2))
	ids := w.known(1)
	reading := w.atCall(true)
	w.move(ids, twin.Notify{})
	w.wait(reading)
	w.move(ids, twin.Notify{})
	w.until("the second notification to be recorded", func() (bool, error) {
		return w.count(`select count(*) from walletsync.notifications`) == w.sent, nil
	})
	reading.release()
	w.settle()
	w.check()
	if n := w.count(`select count(*) from walletsync.charge_permission_changes where facet = 'shipping_address' and cause = 'ipn'`); n != 2 {
		t.Errorf("%d of 2 changes have a notification as cause; a confirmation comes too late", n)
	}
}

func TestAHundredNotificationsOfOneBuyerNeedOneCall(t *testing.T) {
	t.Parallel()
	w := try(t, unhurried(time.Second, 10))
	ids := w.known(2)
	aged := twin.Notify{Times: 100, Age: w.margin + 2*time.Second}

	t.Run("over ten concurrent batches", func(t *testing.T) {
		w := w.in(t)
		made := w.book.len()
		w.gather(func() { w.move(ids[:1], aged) })
		w.settle()
		w.check()
		if calls := w.book.len() - made; calls != 1 {
			t.Errorf("%d calls", calls)
		}
	})
	t.Run("in one batch, and none when it is redelivered", func(t *testing.T) {
		w := w.in(t)
		made := w.book.len()
		w.gather(func() {
			w.move(ids[1:], aged)
			w.until("the notifications to be in the queue", func() (bool, error) { return w.Queue.Stats().Visible == 100, nil })
			var batch events.SQSEvent
			for _, m := range w.Queue.Messages() {
				batch.Records = append(batch.Records, events.SQSMessage{MessageId: m.ID, Body: m.Body, EventSource: "aws:sqs",
					Attributes: map[string]string{"ApproximateReceiveCount": "1"}})
			}
			event, err := json.Marshal(batch)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := w.Worker.Invoke(t.Context(), event)
			if err != nil || string(answer) != `{"batchItemFailures":[]}` {
				t.Fatalf("%s, %v", answer, err)
			}
			if calls := w.book.len() - made; calls != 1 {
				t.Errorf("%d calls", calls)
			}
			w.check()
		}) // now the queue delivers all of them
		w.settle()
		w.check()
		if calls := w.book.len() - made; calls != 1 {
			t.Errorf("%d calls after all", calls)
		}
	})
}

// TestTripledNotificationsCostFewCalls: each change has three notifications, each
// delivered twice, in any order.
func TestTripledNotificationsCostFewCalls(t *testing.T) {
	t.Parallel()
	w := try(t, unhurried(time.Second, 8))
	ids := w.known(100)
	mix := twin.Faults{Seed: 10, IPNs: []twin.IPNFault{{Probability: 0.5, Reorder: 7}, {Duplicates: 1, Delay: twin.Duration(30 * time.Millisecond)}}}
	for _, c := range []struct {
		name  string
		age   time.Duration
		limit float64 // calls per change; design.md, "Budgets"
		begin func(func())
	}{
		{"backlogged", w.margin + 2*time.Second, 1.05, w.gather},
		{"live", 0, 2.05, func(do func()) { do() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := w.in(t)
			if err := w.Twin.SetFaults(mix); err != nil {
				t.Fatal(err)
			}
			made := w.book.len()
			c.begin(func() {
				w.move(ids, twin.Notify{Times: 3, Age: c.age})
				if err := w.Twin.SetFaults(twin.Faults{}); err != nil { // releases delayed notifications
					t.Fatal(err)
				}
			})
			w.settle()
			w.check()
			calls := w.book.since(made)
			each := float64(len(calls)) / float64(len(ids))
			t.Logf("%d changes, %d notifications, %d calls: %.2f a change; at most %.2f are allowed", len(ids), 3*len(ids), len(calls), each, c.limit)
			if each > c.limit {
				t.Errorf("too many calls; of each charge permission: %v", perPermission(calls))
			}
		})
	}
}

// perPermission counts charge permissions by their number of calls.
func perPermission(calls []called) map[string]int {
	each := map[string]int{}
	for _, c := range calls {
		each[c.id]++
	}
	out := map[string]int{}
	for _, n := range each {
		out[fmt.Sprintf("%d calls", n)]++
	}
	return out
}

// spread formats quantiles of durations.
func spread(durations []time.Duration) string {
	if len(durations) == 0 {
		return "none"
	}
	slices.Sort(durations)
	at := func(q float64) time.Duration {
		return durations[int(q*float64(len(durations)-1))].Round(time.Millisecond)
	}
	return fmt.Sprintf("%d; p50 %s, p90 %s, p99 %s, most %s", len(durations), at(0.5), at(0.9), at(0.99), at(1))
}
