package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"walletsync/internal/local/aws/lambda"
	"walletsync/internal/local/fault/link"
	"walletsync/internal/local/fault/wire"
	"walletsync/internal/local/stack"
	"walletsync/internal/local/twin"
)

// The dependencies that become silent: they accept connections and never answer.
const (
	silentSecrets  = "Secrets Manager"
	silentPostgres = "Postgres"
	silentTrip     = "Postgres, connected" // an open connection becomes silent
	silentAmazon   = "Amazon"              // the API and SNS's certificate host
	silentQueue    = "SQS"
	silentBus      = "EventBridge"
	// Only for the reconciler: another function's batch would send its wake-up.
	silentWakeUp = "SQS, a wake-up is due"
)

// announced is the time-out of every function in this test, as Lambda announces it at
// an invocation. It is shorter than each function's own.
const announced = 10 * time.Second

// request is a row of the table: it sends a request and returns the answer.
type request struct {
	function, name string
	send           func(*testing.T) string
	// want has the expected answer by silent dependency. Dependencies without an entry
	// are skipped for this request.
	want map[string]string
}

// TestEveryFunctionAnswersWhileADependencyIsSilent checks invariant 8 of design.md §2:
// if any dependency is silent, a caller gets our own answer before Lambda ends the
// function, a batch reports its failures, and a scheduled run returns an error.
func TestEveryFunctionAnswersWhileADependencyIsSilent(t *testing.T) {
	t.Parallel()
	links := map[string]*link.Link{}
	w := try(t, stack.Options{
		Environment: map[string]string{"API_TIMEOUT": "8s", "LEASE": "35s"}, // the defaults, which are too long to help here
		Link: func(part stack.Part, address string) (string, error) {
			k, err := link.Listen(context.Background(), address)
			if err != nil {
				return "", err
			}
			t.Cleanup(func() { _ = k.Close() })
			links[string(part)] = k
			return k.Addr(), nil
		},
	})
	requests := silentRequests(t, w)
	functions := []*lambda.Function{w.Receiver, w.Worker, w.Start, w.Return, w.Console, w.Reconciler, w.Push, w.Migrator}
	for _, f := range functions {
		if err := f.SetTimeout(announced); err != nil {
			t.Fatal(err)
		}
	}
	dark := func(part stack.Part) func() func() {
		return func() func() {
			links[string(part)].Set(link.Dark)
			return func() { links[string(part)].Set(link.Up) }
		}
	}
	swallow := func(at wire.Point) func() func() {
		return func() func() {
			off := w.wire.On(at, nil, wire.Do(wire.BlackHole))
			return func() { off(); w.wire.CutAll() }
		}
	}
	var table strings.Builder
	for _, d := range []struct {
		name  string
		warm  bool // the functions have cached connections and secrets
		begin func() func()
	}{
		{silentTrip, true, swallow(wire.Requested)},
		{silentSecrets, false, dark(stack.SecretsPart)},
		{silentPostgres, false, swallow(wire.Opened)},
		{silentAmazon, false, dark(stack.Amazon)},
		{silentQueue, false, dark(stack.QueuePart)},
		{silentBus, false, dark(stack.BusPart)},
		{silentWakeUp, false, func() func() {
			oweWakeUp(t, w)
			return dark(stack.QueuePart)()
		}},
	} {
		if !d.warm {
			for _, f := range functions {
				w.until("no process of "+f.Name(), func() (bool, error) { return f.Kill() == 0, nil })
			}
		}
		end := d.begin()
		var all sync.WaitGroup
		var mu sync.Mutex
		var wrong []request
		ask := func(r request) (right bool, complaint string) {
			began := time.Now()
			got := r.send(t)
			took := time.Since(began).Round(100 * time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			fmt.Fprintf(&table, "| %s | %s | %s | %s | %s |\n", d.name, r.function, r.name, got, took)
			return regexp.MustCompile(r.want[d.name]).MatchString(got),
				fmt.Sprintf("%s is silent: %s, %s, answers %s after %s; it must be %s", d.name, r.function, r.name, got, took, r.want[d.name])
		}
		for _, r := range requests {
			if _, asked := r.want[d.name]; !asked {
				continue
			}
			all.Go(func() {
				if right, complaint := ask(r); !right {
					t.Log(complaint)
					mu.Lock()
					defer mu.Unlock()
					wrong = append(wrong, r)
				}
			})
		}
		all.Wait()
		// A slow machine may use up the time if all functions start at once. Alone, each
		// must answer in time.
		for _, r := range wrong {
			if right, complaint := ask(r); !right {
				t.Error(complaint)
			}
		}
		end()
	}
	t.Logf("\n| silent | function | request | answer | after |\n|---|---|---|---|---|\n%s", &table)
	for _, f := range functions {
		if n := f.Stats().Timeouts; n > 0 {
			t.Errorf("%s ran out of Lambda's time %d times", f.Name(), n)
		}
	}
}

// silentRequests prepares the rows of the table while Amazon and Postgres still
// answer.
func silentRequests(t *testing.T, w *trial) []request {
	t.Helper()
	known := w.known(1)[0]
	w.Queue.Hold() // only the table invokes the worker
	var envelope string
	got := make(chan string, 1)
	subscribed(t, w.Stack, func(e string) {
		select {
		case got <- e:
		default:
		}
	})
	w.change(known, `{}`, twin.Notify{})
	select {
	case envelope = <-got:
	case <-t.Context().Done():
		t.Fatal("SNS delivered nothing")
	}
	if status, body := post(t, w.IPNURL, envelope); status != http.StatusOK {
		t.Fatalf("the receiver answers %d %s", status, body)
	}
	w.until("the notification in the queue", func() (bool, error) { return len(w.Queue.Messages()) > 0, nil })
	notification := w.Queue.Messages()[0].Body

	walked := func() string {
		_, back := walk(t, w.Stack, known, "address", twin.Choice{})
		return back.ReturnURL
	}
	// A return that ended without an outcome: the reconciler asks Amazon.
	open, at := walk(t, w.Stack, known, "address", twin.Choice{})
	if _, err := w.DB.Exec(t.Context(), `insert into walletsync.update_attempts (account, checkout_session, update_session, returned_at)
		values ('main', $1, $2::uuid, clock_timestamp())`, at.CheckoutSessionID, open.UpdateSessionID); err != nil {
		t.Fatal(err)
	}
	returns := map[string]string{} // by dependency; each return needs its own session
	for _, d := range []string{silentTrip, silentSecrets, silentPostgres, silentAmazon, silentQueue} {
		returns[d] = walked()
	}
	if status, _, _ := get(t, walked()); status != http.StatusOK { // checkout-return is warm
		t.Fatalf("a return is answered with %d", status)
	}
	link := begin(t, w.Stack, known, "address", "").URL
	token := accessToken(t, w.Stack)
	ofKnown := "/console/charge-permissions/main/" + known
	if status, body := askConsole(t, w.Stack, http.MethodGet, ofKnown, token); status != http.StatusOK {
		t.Fatalf("the console answers %d %s", status, body)
	}
	// feed-push publishes changes that are stored after its first run.
	if _, err := w.Push.Invoke(t.Context(), []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	w.Secrets.Put("walletsync-database", `{"url":"`+w.wire.URL()+`"}`) // also used by the migrator
	key, err := os.ReadFile(w.BearerKeyFile)
	if err != nil {
		t.Fatal(err)
	}

	invoke := func(f *lambda.Function, payload any) func(*testing.T) string {
		return func(t *testing.T) string { return invoked(t, f, payload) }
	}
	start := func(id string) func(*testing.T) string {
		return func(t *testing.T) string {
			return sent(t, http.MethodPost, w.UpdateSessionsURL, `{"chargePermissionId":"`+id+`","update":"address"}`, "Authorization", "Bearer "+string(key))
		}
	}
	console := func(method, path, body string) func(*testing.T) string {
		return func(t *testing.T) string {
			return sent(t, method, w.PublicURL+path, body, "Authorization", "Bearer "+token, "Accept", "application/json")
		}
	}
	batch := func(bodies ...string) events.SQSEvent {
		var e events.SQSEvent
		for i, body := range bodies {
			e.Records = append(e.Records, events.SQSMessage{MessageId: fmt.Sprintf("m-%d", i), Body: body, EventSource: "aws:sqs"})
		}
		return e
	}
	unknown := w.buyers(2, twin.Notify{Silent: true})
	const (
		problem = `^503 application/problem\+json `
		page    = `^503 text/html .*<html`
	)
	return []request{
		{"ipn-receiver", "POST /ipn", func(t *testing.T) string { return sent(t, http.MethodPost, w.IPNURL, envelope) }, map[string]string{
			silentSecrets: `^503 text/plain door_secret_unavailable`, silentAmazon: `^503 text/plain certificate_unavailable`, silentQueue: `^503 text/plain queue`}},
		{"ipn-worker", "a notification", invoke(w.Worker, batch(notification)), map[string]string{
			silentSecrets: `^fails: m-0$`, silentPostgres: `^fails: m-0$`, silentTrip: `^fails: m-0$`, silentAmazon: `^fails: $`}},
		{"ipn-worker", "an SNS envelope and a message that cannot be read", invoke(w.Worker, batch(envelope, `{"kind":"?"}`)), map[string]string{
			silentAmazon: `^fails: m-0`, silentQueue: `m-1`}},
		{"update-start", "POST /update-sessions", start(known), map[string]string{
			silentSecrets: problem, silentPostgres: problem, silentTrip: problem}},
		{"update-start", "POST /update-sessions, never read", start(unknown[0]), map[string]string{silentAmazon: problem}},
		{"update-start", "POST /update-sessions, never read", start(unknown[1]), map[string]string{silentQueue: `^201 application/json`}},
		{"update-start", "GET /update", func(t *testing.T) string { return sent(t, http.MethodGet, link, "") }, map[string]string{
			silentSecrets: page, silentPostgres: page, silentTrip: page}},
		{"checkout-return", "GET /return", func(t *testing.T) string { return sent(t, http.MethodGet, returns[silentSecrets], "") }, map[string]string{silentSecrets: page}},
		{"checkout-return", "GET /return", func(t *testing.T) string { return sent(t, http.MethodGet, returns[silentPostgres], "") }, map[string]string{silentPostgres: page}},
		{"checkout-return", "GET /return", func(t *testing.T) string { return sent(t, http.MethodGet, returns[silentTrip], "") }, map[string]string{silentTrip: page}},
		{"checkout-return", "GET /return", func(t *testing.T) string { return sent(t, http.MethodGet, returns[silentAmazon], "") }, map[string]string{silentAmazon: `^200 text/html .*<html`}},
		{"checkout-return", "GET /return", func(t *testing.T) string { return sent(t, http.MethodGet, returns[silentQueue], "") }, map[string]string{silentQueue: `^200 text/html .*<html`}},
		{"console", "a record", console(http.MethodGet, ofKnown, ""), map[string]string{
			silentSecrets: problem, silentPostgres: problem, silentTrip: problem}},
		{"console", "a refresh", console(http.MethodPost, ofKnown+"/refresh", ""), map[string]string{
			silentSecrets: problem, silentPostgres: problem, silentAmazon: `^200 application/json`}},
		{"console", "the failures", console(http.MethodGet, "/console/failures", ""), map[string]string{silentQueue: `^(503 application/problem\+json|200 application/json) `}},
		{"console", "the sign-in page", func(t *testing.T) string { return sent(t, http.MethodGet, w.ConsoleURL, "", "Accept", "text/html") }, map[string]string{silentSecrets: page}},
		{"reconciler", "its schedule", invoke(w.Reconciler, map[string]string{}), map[string]string{
			silentSecrets: `^error .*account main`, silentPostgres: `^error .*account main`, silentTrip: `^error .*account main`, silentAmazon: `^null$`, silentWakeUp: `^error .*wake-up of account main`}},
		{"feed-push", "its schedule", invoke(w.Push, map[string]string{}), map[string]string{
			silentSecrets: `^error .*read the feed`, silentPostgres: `^error .*read the feed`, silentTrip: `^error .*read the feed`, silentBus: `^error .*publish the changes`}},
		{"migrator", "by hand", invoke(w.Migrator, map[string]string{}), map[string]string{
			silentSecrets: `^error .*secret`, silentPostgres: `^error `}},
	}
}

// oweWakeUp leaves a refresh request, due in an hour, without a wake-up.
func oweWakeUp(t *testing.T, w *trial) {
	t.Helper()
	id := w.buyers(1, twin.Notify{Silent: true})[0]
	if _, err := w.DB.Exec(t.Context(), `insert into walletsync.refreshes (account, id, wanted, since, not_before)
		values ('main', $1, 1, clock_timestamp(), clock_timestamp() + interval '1 hour')`, id); err != nil {
		t.Fatal(err)
	}
	if _, err := w.DB.Exec(t.Context(), `update walletsync.api_quota set wake_at = '-infinity' where account = 'main' and call = 'get_charge_permission'`); err != nil {
		t.Fatal(err)
	}
}

// invoked describes how an invocation ended: failures in the batch, the function's
// error, or how Lambda ended it.
func invoked(t *testing.T, f *lambda.Function, payload any) string {
	event, err := json.Marshal(payload)
	if err != nil {
		t.Error(err)
	}
	out, err := f.Invoke(t.Context(), event)
	if lambda.TimedOut(err) {
		return "Lambda's time-out"
	}
	if e, failed := errors.AsType[*lambda.FunctionError](err); failed {
		return "error " + short(e.Message)
	}
	if err != nil {
		return "not invoked: " + err.Error()
	}
	var answer *events.SQSEventResponse
	if err := json.Unmarshal(out, &answer); err != nil || answer == nil {
		return string(out)
	}
	var failed []string
	for _, m := range answer.BatchItemFailures {
		failed = append(failed, m.ItemIdentifier)
	}
	return "fails: " + strings.Join(failed, " ")
}

// sent describes the answer to a request: status, content type and its beginning.
func sent(t *testing.T, method, url, body string, header ...string) string {
	q, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return err.Error()
	}
	if body != "" {
		q.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		q.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	got, err := client.Do(q)
	if err != nil {
		return err.Error()
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		return err.Error()
	}
	kind, _, _ := strings.Cut(got.Header.Get("Content-Type"), ";")
	return fmt.Sprintf("%d %s %s", got.StatusCode, kind, short(string(text)))
}

// short returns the beginning of a text, for a line of a table.
func short(text string) string {
	text = strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", "/")
	if len(text) > 120 {
		text = strings.ToValidUTF8(text[:120], "") + "…"
	}
	return text
}
