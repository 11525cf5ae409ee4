package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"walletsync/internal/ipn"
	"walletsync/internal/local/apidoc"
	"walletsync/internal/local/stack"
	"walletsync/internal/local/twin"
	"walletsync/internal/queue"
)

// api is the console's API for programs. Each request and answer must match the API's
// description.
type api struct {
	t           *testing.T
	s           *stack.Stack
	token       string
	description *apidoc.Checker
}

func newAPI(t *testing.T, s *stack.Stack, token string) *api {
	t.Helper()
	a := &api{t: t, s: s, token: token}
	status, body := askConsole(t, s, http.MethodGet, "/console/openapi.json", token)
	var err error
	if a.description, err = apidoc.NewChecker([]byte(body)); status != http.StatusOK || err != nil {
		t.Fatalf("%d %v", status, err)
	}
	return a
}

// ask makes a request to a path of the description, with its parameters replaced in
// order, and returns the members of the answer.
func (a *api) ask(want int, method, path string, members map[string]string, parameters ...string) map[string]any {
	a.t.Helper()
	at := path
	for i := 0; i+1 < len(parameters); i += 2 {
		at = strings.Replace(at, "{"+parameters[i]+"}", parameters[i+1], 1)
	}
	body, err := json.Marshal(members)
	if err != nil {
		a.t.Fatal(err)
	}
	q, err := http.NewRequestWithContext(a.t.Context(), method, a.s.PublicURL+"/console"+at, strings.NewReader(string(body)))
	if err != nil {
		a.t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+a.token)
	q.Header.Set("Accept", "application/json")
	if members != nil {
		q.Header.Set("Content-Type", "application/json")
	}
	status, header, text := answered(a.t, q)
	if status != want {
		a.t.Fatalf("%s %s: %d %s", method, at, status, text)
	}
	var v map[string]any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		a.t.Fatalf("%s %s: %s, %v", method, at, header.Get("Content-Type"), err)
	}
	described := httptest.NewRequest(method, at, nil)
	described.Header = q.Header
	if err := a.description.Answer(a.t.Context(), described, status, header, []byte(text)); err != nil {
		a.t.Errorf("%s %s: %v", method, at, err)
	}
	if err := a.description.Request(a.t.Context(), described, body); err != nil && want < http.StatusBadRequest {
		a.t.Errorf("%s %s: %v", method, at, err)
	}
	return v
}

// buyer creates a buyer for the test and waits until the console shows it.
func (a *api) buyer(id string) string {
	a.t.Helper()
	if _, err := a.s.Twin.Change(id, []byte(`{"buyer":{"name":"Theodora"},"shippingAddress":{"city":"Berlin"}}`), twin.Notify{}); err != nil {
		a.t.Fatal(err)
	}
	until(a.t, "the new buyer to be read, and confirmed", func() (bool, error) {
		var n int
		err := a.s.DB.QueryRow(context.Background(), `select count(*) from walletsync.charge_permissions c join walletsync.refreshes r using (account, id)
			where c.id = $1 and r.wanted = r.done and c.stored_at < clock_timestamp() - $2::interval`, id, marginOfShared).Scan(&n)
		return n == 1, err
	})
	return id
}

// sqsClient returns a client for the stack's SQS.
func sqsClient(s *stack.Stack) *sqs.Client {
	at, _, _ := strings.Cut(s.QueueURL, "/000000000000/")
	return sqs.New(sqs.Options{Region: "eu-west-1", BaseEndpoint: &at, Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")})
}

func TestAProgramUsesTheConsoleAPI(t *testing.T) {
	s := running(t)
	a := newAPI(t, s, accessToken(t, s))
	const ofOne = "/charge-permissions/{account}/{id}"
	id := a.buyer("S01-7000001-7000001")
	of := []string{"account", "main", "id", id}

	if v := a.ask(http.StatusOK, http.MethodPost, "/search", map[string]string{"q": id}); len(v["rows"].([]any)) != 1 {
		t.Errorf("search: %v", v)
	}
	for _, filter := range []string{"not_chargeable", "updated_today", "update_pending", "waiting", "stale", "failing"} {
		a.ask(http.StatusOK, http.MethodGet, "/lists/{filter}", nil, "filter", filter)
	}
	a.ask(http.StatusOK, http.MethodGet, "/overview", nil)
	a.ask(http.StatusOK, http.MethodGet, "/you", nil)
	before := a.ask(http.StatusOK, http.MethodGet, ofOne, nil, of...)
	if before["shipping_address"] == nil || len(before["timeline"].([]any)) == 0 {
		t.Errorf("record: %v", before)
	}
	a.ask(http.StatusNotFound, http.MethodGet, ofOne, nil, "account", "main", "id", "S01-9999998-9999997")

	// Amazon has a change without a notification.
	if _, err := s.Twin.Act(id, "address", twin.Notify{Silent: true}); err != nil {
		t.Fatal(err)
	}
	if v := a.ask(http.StatusOK, http.MethodPost, ofOne+"/refresh", nil, of...); v["outcome"] != "read" || fmt.Sprint(v["changed"]) != "[shipping_address]" {
		t.Errorf("refresh: %v", v)
	}
	link := a.ask(http.StatusCreated, http.MethodPost, ofOne+"/update-links", map[string]string{"update": "address"}, of...)
	if status, _, page := get(t, link["url"].(string)); status != http.StatusOK || !strings.Contains(page, "initCheckout") {
		t.Errorf("the link opens %d", status)
	}

	a.ask(http.StatusUnprocessableEntity, http.MethodPost, ofOne+"/export", map[string]string{"confirm": "yes"}, of...)
	a.ask(http.StatusOK, http.MethodPost, ofOne+"/export", map[string]string{"confirm": id}, of...)
	what := []string{}
	for _, line := range a.ask(http.StatusOK, http.MethodGet, ofOne+"/accesses", nil, of...)["accesses"].([]any) {
		what = append(what, line.(map[string]any)["what"].(string))
	}
	if want := []string{"exported", "linked", "refreshed", "opened"}; len(what) < 4 || !slices.Equal(what[:4], want) {
		t.Errorf("the access log: %v", what)
	}
}

func TestAProgramRedrivesDeadLetterMessages(t *testing.T) {
	s := running(t)
	a := newAPI(t, s, accessToken(t, s))
	purgeDeadLetters(t, s) // other tests leave messages
	const id = "S01-1000003-1000003"
	message := func(messageID string) string {
		return ipn.Message{V: 1, Kind: ipn.KindIPN, Account: "main", MessageID: messageID, NotificationID: messageID, ObjectType: "CHARGE_PERMISSION", ObjectID: id,
			ChargePermission: id, Type: "STATE_CHANGE", Published: time.Now().UTC(), Arrived: time.Now().UTC()}.Encode()
	}
	dead := &queue.Queue{Client: sqsClient(s), DeadLetterURL: s.DeadLetterQueueURL}
	for _, m := range []string{"dead-1", "dead-2", "dead-3"} {
		if err := dead.DeadLetter(t.Context(), message(m), "unknown_account", "main"); err != nil {
			t.Fatal(err)
		}
	}
	v := a.ask(http.StatusOK, http.MethodGet, "/failures", nil)
	messages := v["dead_letters"].([]any)
	if len(messages) != 3 {
		t.Fatalf("%v", v)
	}
	one := messages[0].(map[string]any)
	if one["reason"] != "unknown_account" || one["charge_permission_id"] != id {
		t.Errorf("%v", one)
	}
	if v = a.ask(http.StatusOK, http.MethodPost, "/failures/retry", map[string]string{"id": one["id"].(string)}); v["retried"] != 1.0 || len(v["dead_letters"].([]any)) != 2 {
		t.Errorf("one: %v", v)
	}
	if v = a.ask(http.StatusOK, http.MethodPost, "/failures/retry", map[string]string{"all": "1"}); v["retried"] != 2.0 || len(v["dead_letters"].([]any)) != 0 {
		t.Errorf("all: %v", v)
	}
	until(t, "the notifications to be processed", func() (bool, error) {
		var n int
		err := s.DB.QueryRow(context.Background(), `select count(*) from walletsync.notifications where message_id like 'dead-%'`).Scan(&n)
		return n == 3, err
	})
}

func TestAProgramErasesAPerson(t *testing.T) {
	s := running(t)
	a := newAPI(t, s, accessToken(t, s))
	const ofOne = "/charge-permissions/{account}/{id}"
	id := a.buyer("S01-7000002-7000002")
	of := []string{"account", "main", "id", id}
	a.ask(http.StatusUnprocessableEntity, http.MethodPost, ofOne+"/erase", map[string]string{"confirm": ""}, of...)
	if v := a.ask(http.StatusOK, http.MethodGet, ofOne, nil, of...); v["buyer"].(map[string]any)["name"] == nil {
		t.Fatalf("no personal data to erase: %v", v)
	}
	a.ask(http.StatusOK, http.MethodPost, ofOne+"/erase", map[string]string{"confirm": id}, of...)
	v := a.ask(http.StatusOK, http.MethodGet, ofOne, nil, of...)
	if buyer, _ := v["buyer"].(map[string]any); buyer["name"] != nil || buyer["email"] != nil {
		t.Errorf("after the erasure: %v", v)
	}
}
