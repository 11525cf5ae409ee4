package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"walletsync/internal/local/stack"
	"walletsync/internal/local/twin"
)

// TestAnIncidentIsReplayed records notifications that are duplicated, late and out of
// order, and replays them on another stack.
func TestAnIncidentIsReplayed(t *testing.T) {
	t.Parallel()
	w := try(t, stack.Options{})
	if err := w.Twin.SetFaults(twin.Faults{Seed: 3, IPNs: []twin.IPNFault{
		{Probability: 0.3, Reorder: 4}, {Probability: 0.3, Duplicates: 2, Delay: twin.Duration(300 * time.Millisecond)}}}); err != nil {
		t.Fatal(err)
	}
	ids := w.buyers(6, twin.Notify{})
	for range 5 {
		w.move(ids, twin.Notify{Times: 2})
	}
	w.change(ids[0], `{}`, twin.Notify{ObjectType: "CHARGE"})
	if err := w.Twin.SetFaults(twin.Faults{}); err != nil { // sends the notifications that are still delayed
		t.Fatal(err)
	}
	w.settle()
	w.check()

	incident := w.cli("incident", "--since", "10m")
	if err := w.done(incident, trialTimeout); err != nil {
		t.Fatalf("%v: %s", err, incident.stderr.String())
	}
	trace := incident.out.String()
	if n := strings.Count(trace, "\n"); n != w.sent {
		t.Fatalf("%d of %d notifications are in the trace:\n%s", n, w.sent, trace)
	}
	for _, id := range ids {
		if strings.Contains(trace, id) {
			t.Errorf("%s is in the trace", id)
		}
	}

	replay := try(t, stack.Options{})
	got, err := http.Post(replay.ControlURL+"/trace?faster=5", "application/jsonl", strings.NewReader(trace))
	if err != nil {
		t.Fatal(err)
	}
	got.Body.Close()
	if got.StatusCode != http.StatusAccepted {
		t.Fatalf("the twin answers the trace with %d", got.StatusCode)
	}
	replay.sent = w.sent
	replay.until("all to be published again", func() (bool, error) { return replay.Twin.Stats().IPNs.Published == w.sent, nil })
	replay.settle()
	replay.check()
	if n := len(replay.Twin.List()); n != len(ids) {
		t.Errorf("%d of %d charge permissions took part", n, len(ids))
	}
}
