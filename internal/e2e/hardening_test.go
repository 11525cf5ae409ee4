package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"walletsync/internal/local/stack"
	"walletsync/internal/local/twin"
)

// forgedRequests returns requests that SNS did not sign, for the IPN endpoint.
func forgedRequests(ipnURL string) []*http.Request {
	forged := `{"Type":"Notification","MessageId":"11111111-1111-1111-1111-111111111111","TopicArn":"arn:aws:sns:eu-west-1:111122223333:x","Message":"{}",
		"Timestamp":"2026-11-24T00:00:00.000Z","SignatureVersion":"2","Signature":"AAAA","SigningCertURL":"https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-%s.pem"}`
	var requests []*http.Request
	for _, k := range []struct{ url, body string }{
		{ipnURL[:strings.LastIndex(ipnURL, "/")] + "/guess-" + rand.Text(), `{}`},
		{ipnURL, `not JSON at all`},
		{ipnURL, strings.Repeat("[", 200_000)},
		{ipnURL, fmt.Sprintf(forged, strings.Repeat("a", 32))},
		{ipnURL, fmt.Sprintf(forged, rand.Text())},
		{ipnURL, strings.Replace(fmt.Sprintf(forged, "x"), "sns.eu-west-1.amazonaws.com", "sns.evil.example", 1)},
	} {
		q, err := http.NewRequest(http.MethodPost, k.url, strings.NewReader(k.body))
		if err != nil {
			panic(err) // the URLs are ours
		}
		q.Header.Set("Content-Type", "text/plain; charset=UTF-8")
		requests = append(requests, q)
	}
	return requests
}

// TestAFloodOfForgedMessagesLosesNoNotification sends forged requests during a burst
// of true notifications, ten times as many as the worker processes in a second. All
// forged requests are refused, no accepted notification is lost, and the flood causes
// no calls to Amazon.
func TestAFloodOfForgedMessagesLosesNoNotification(t *testing.T) {
	t.Parallel()
	w := try(t, stack.Options{})
	ids := w.known(10)
	made := w.book.len()
	flood, stop := context.WithCancel(t.Context())
	defer stop()
	var crowd sync.WaitGroup
	var mu sync.Mutex
	answers := map[int]int{}
	for range 12 {
		crowd.Go(func() {
			for flood.Err() == nil {
				for _, q := range forgedRequests(w.IPNURL) {
					got, err := http.DefaultClient.Do(q.WithContext(flood))
					if err != nil {
						continue // the flood ended, or no connection was available
					}
					_, _ = io.Copy(io.Discard, got.Body)
					got.Body.Close()
					mu.Lock()
					answers[got.StatusCode]++
					mu.Unlock()
				}
			}
		})
	}
	for range 10 {
		w.move(ids, twin.Notify{Times: 10})
	}
	w.until("the notifications to be accepted, given up or refused", func() (bool, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		return w.Twin.Idle(ctx) == nil, nil
	})
	stop()
	crowd.Wait()
	for status, n := range answers {
		if status < 400 || status == http.StatusInternalServerError {
			t.Errorf("%d forged requests were answered %d", n, status)
		}
	}
	t.Logf("strangers by status: %v; notifications: %+v", answers, w.Twin.Stats().IPNs)
	// After the flood, a change is stored at once.
	w.move(ids, twin.Notify{})
	w.settle()
	w.check()
	if n := w.Twin.Stats().IPNs; n.Refused > 0 || n.GivenUp > 0 {
		t.Errorf("%d true notifications were refused and %d given up", n.Refused, n.GivenUp)
	}
	if calls := w.book.len() - made; calls > 400 {
		t.Errorf("%d calls for 11 changes of 10 charge permissions, 1,010 notifications", calls)
	}
}

// TestAReplayedMessageCausesNoCall sends a processed message many times, as an
// attacker who has read it could.
func TestAReplayedMessageCausesNoCall(t *testing.T) {
	t.Parallel()
	w := try(t, stack.Options{})
	ids := w.known(1)
	// A message of the twin, as SNS sent it.
	var kept []byte
	thief := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		if err != nil {
			t.Error(err)
		}
		if q.Header.Get("x-amz-sns-message-type") == "Notification" {
			kept = body
		}
		forward, err := http.Post(w.IPNURL, q.Header.Get("Content-Type"), bytes.NewReader(body))
		if err != nil {
			t.Error(err)
			return
		}
		forward.Body.Close()
		rw.WriteHeader(forward.StatusCode)
	}))
	t.Cleanup(thief.Close)
	if err := w.Twin.Subscribe(w.TopicARN, thief.URL); err != nil {
		t.Fatal(err)
	}
	w.until("the subscription to be confirmed", func() (bool, error) { return w.Twin.Subscribed(w.TopicARN), nil })
	w.move(ids, twin.Notify{})
	w.settle()
	if kept == nil {
		t.Fatal("no message arrived")
	}
	made, seen := w.book.len(), w.count(`select n from walletsync.feed`)
	for range 200 {
		got, err := http.Post(w.IPNURL, "text/plain; charset=UTF-8", bytes.NewReader(kept))
		if err != nil {
			t.Fatal(err)
		}
		got.Body.Close()
		if got.StatusCode != http.StatusOK {
			t.Errorf("a replay was answered %d; SNS's own retries come in the same form", got.StatusCode)
		}
	}
	w.settle()
	w.check()
	if calls, changes := w.book.len()-made, w.count(`select n from walletsync.feed`)-seen; calls+changes > 0 {
		t.Errorf("200 replays led to %d calls and %d changes", calls, changes)
	}
}

func encode(name, value string) string { return `{"` + name + `":"` + value + `"}` }

// TestRotatingSecretsUnderLoadRefusesNoRequest: the merchant's server switches to the
// new bearer key later, and older links and IPN URLs stay valid.
func TestRotatingSecretsUnderLoadRefusesNoRequest(t *testing.T) {
	t.Parallel()
	w := try(t, stack.Options{})
	ids := w.known(3)
	key, err := os.ReadFile(w.BearerKeyFile)
	if err != nil {
		t.Fatal(err)
	}
	asks := func(key string) (b begun, status int) {
		t.Helper()
		q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.UpdateSessionsURL, strings.NewReader(`{"chargePermissionId":"`+ids[0]+`","update":"both"}`))
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Authorization", "Bearer "+key)
		status, _, body := answered(t, q)
		if err := json.Unmarshal([]byte(body), &b); err != nil {
			t.Fatalf("%d %s: %v", status, body, err)
		}
		return b, status
	}
	starts := func(key string) begun {
		t.Helper()
		b, status := asks(key)
		if status != http.StatusCreated {
			t.Fatalf("an update with a valid key is answered %d", status)
		}
		return b
	}
	old, fresh, pathSecret := string(key), rand.Text(), rand.Text()
	links := []begun{starts(old)}
	w.Secrets.Put("walletsync-bearer", encode("bearerKey", fresh))
	w.Secrets.Put("walletsync-link", encode("linkSecret", rand.Text()))
	w.Secrets.Put("walletsync-door", encode("ipnSecret", pathSecret))
	// A function that has just read its secrets accepts a new one seconds later. The
	// old one stays valid before and after that.
	w.until("the new key to be accepted", func() (bool, error) {
		links = append(links, starts(old))
		_, status := asks(fresh)
		return status == http.StatusCreated, nil
	})
	links = append(links, starts(fresh), starts(old))
	w.move(ids, twin.Notify{}) // through the old URL
	w.settle()
	url := w.IPNURL[:strings.LastIndex(w.IPNURL, "/")+1] + pathSecret
	w.until("the IPN endpoint to accept its new secret", func() (bool, error) {
		got, err := http.Post(url, "text/plain; charset=UTF-8", strings.NewReader("{}"))
		if err != nil {
			return false, err
		}
		got.Body.Close()
		return got.StatusCode == http.StatusBadRequest, nil // it read the body, so the path is accepted
	})
	if err := w.Twin.Subscribe(w.TopicARN, url); err != nil { // as the operator does in Seller Central
		t.Fatal(err)
	}
	w.until("the subscription to be confirmed", func() (bool, error) { return w.Twin.Subscribed(w.TopicARN), nil })
	w.move(ids, twin.Notify{})
	w.settle()
	w.kill(w.Start) // start instances that never read the old secrets
	for i, b := range links {
		if status, _, _ := get(t, b.URL); status != http.StatusOK {
			t.Errorf("link %d is answered %d after the rotation", i, status)
		}
	}
	if n := w.Twin.Stats().IPNs; n.Refused > 0 || n.GivenUp > 0 {
		t.Errorf("%d notifications were refused, %d given up", n.Refused, n.GivenUp)
	}
}

// TestMissingNotificationsAreReportedBeforeTheThirdUpdate: Amazon's notifications no
// longer arrive; two completed updates suffice to detect it.
func TestMissingNotificationsAreReportedBeforeTheThirdUpdate(t *testing.T) {
	t.Parallel()
	w := try(t, stack.Options{Environment: map[string]string{"NOTIFICATION_GRACE_PERIOD": "1s"}})
	ids := w.known(3)
	if _, err := w.DB.Exec(t.Context(), `update walletsync.notifications set processed_at = processed_at - interval '1 hour'`); err != nil {
		t.Fatal(err)
	}
	if err := w.Twin.SetFaults(twin.Faults{IPNs: []twin.IPNFault{{Drop: true}}}); err != nil {
		t.Fatal(err)
	}
	logged := func() string {
		if _, err := w.Reconciler.Invoke(t.Context(), []byte(`{}`)); err != nil {
			t.Fatal(err)
		}
		return w.book.last("notifications are missing")
	}
	for n, want := range []string{"doubtful", "dead"} {
		b := begin(t, w.Stack, ids[n], "payment_method", "")
		walked, err := w.Twin.Walk(b.Checkout, twin.Choice{})
		if err != nil {
			t.Fatal(err)
		}
		if status, _, page := get(t, walked.ReturnURL); status != http.StatusOK {
			t.Fatal(status, page)
		}
		w.until("the reconciler to find notifications "+want, func() (bool, error) {
			got := logged()
			return strings.Contains(got, `"verdict":"`+want+`"`), fmt.Errorf("the log has %s", got)
		})
	}
	if got := logged(); !strings.Contains(got, `"level":"error"`) || !strings.Contains(got, "Seller Central") {
		t.Errorf("the operator sees %s", got)
	}
	// Notifications arrive again, and their health is good.
	if err := w.Twin.SetFaults(twin.Faults{}); err != nil {
		t.Fatal(err)
	}
	w.move(ids[2:], twin.Notify{})
	w.settle()
	w.book.forget()
	if got := logged(); got != "" {
		t.Errorf("after notifications resumed the operator sees %s", got)
	}
}

// TestTheSweepFindsEveryChangeWithinThePeriod makes changes without notifications
// during one period of the sweep. Each is stored within a period.
func TestTheSweepFindsEveryChangeWithinThePeriod(t *testing.T) {
	t.Parallel()
	const (
		period = 15 * time.Second
		every  = time.Second
		slack  = 15 * time.Second // for a machine that is busy with other tests
	)
	w := try(t, stack.Options{ReconcileEvery: every, Environment: map[string]string{"SWEEP_DAYS": fmt.Sprintf("%.8f", period.Hours()/24)}})
	ids := w.buyers(40, twin.Notify{Age: time.Minute})
	w.until("all first reads", func() (bool, error) {
		return w.count(`select count(*) from walletsync.charge_permissions`) == len(ids), nil
	})
	w.yesterday()
	changed := map[string]time.Time{}
	tick := time.NewTicker(period / time.Duration(len(ids)))
	defer tick.Stop()
	for i, id := range ids {
		select {
		case <-tick.C:
		case <-t.Context().Done():
		}
		changed[id] = time.Now()
		w.change(id, fmt.Sprintf(`{"shippingAddress":{"city":"Silent-%d"}}`, i), twin.Notify{Silent: true})
	}
	w.until("every change to be stored", func() (bool, error) {
		n := w.count(`select count(*) from walletsync.charge_permissions where shipping_city like 'Silent-%'`)
		return n == len(ids), fmt.Errorf("%d of %d are", n, len(ids))
	})
	rows, err := w.DB.Query(t.Context(), `select charge_permission, stored_at, cause from walletsync.charge_permission_changes where after ->> 'city' like 'Silent-%'`)
	if err != nil {
		t.Fatal(err)
	}
	var lags []time.Duration
	var id, cause string
	var stored time.Time
	if _, err := pgx.ForEachRow(rows, []any{&id, &stored, &cause}, func() error {
		lag := stored.Sub(changed[id]) // both clocks are this machine's
		lags = append(lags, lag)
		if lag > period+2*every+slack || cause != "reconcile" && cause != "confirm" {
			t.Errorf("%s was corrected after %v, by %s", id, lag, cause)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(lags) != len(ids) {
		t.Errorf("%d changes were stored of %d", len(lags), len(ids))
	}
	t.Logf("by a sweep of %v: %s", period, spread(lags))
}
