package ipn_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"walletsync/internal/awslambda"
	"walletsync/internal/ipn"
	"walletsync/internal/sns"
	"walletsync/internal/telemetry"
	"walletsync/internal/wallet"
)

const (
	pinned     = "arn:aws:sns:eu-west-1:123456789012:pinned"
	unpinned   = "arn:aws:sns:eu-west-1:999999999999:unpinned"
	path       = "/ipn/main/the-secret-of-main"
	snsHost    = "https://sns.eu-west-1.amazonaws.com"
	permission = "S01-0000000-0000001"

	// person stands for what a buyer's data would be, wherever a stranger could
	// have put it. It must never show in a log or metric.
	person = "Jane Roe"
)

// clock is the functions'; the certificate ran out a week before.
var (
	clock    = time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
	lapsed   = clock.AddDate(0, 0, -7)
	issued   = clock.AddDate(-1, 0, 0)
	sentThen = lapsed.Add(-time.Hour) // while the certificate was valid
)

// amazon signs as SNS does, and serves the certificate.
type amazon struct {
	key         *rsa.PrivateKey
	certificate []byte
}

var signer = sync.OnceValue(func() amazon {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "sns.amazonaws.com"}, NotBefore: issued, NotAfter: lapsed}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return amazon{key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
})

// RoundTrip is SNS's host: three certificates' files, and confirmations.
func (a amazon) RoundTrip(q *http.Request) (*http.Response, error) {
	answer := func(status int, body []byte) (*http.Response, error) {
		return &http.Response{StatusCode: status, Body: io.NopCloser(bytes.NewReader(body)), Header: http.Header{}}, nil
	}
	switch {
	case q.URL.Path == "/good.pem":
		return answer(http.StatusOK, a.certificate)
	case q.URL.Path == "/missing.pem":
		return answer(http.StatusNotFound, nil)
	case q.URL.Query().Get("Token") == "run-out":
		return answer(http.StatusBadRequest, nil)
	case q.URL.Query().Get("Action") == "ConfirmSubscription":
		return answer(http.StatusOK, nil)
	}
	return nil, errors.New("connection refused")
}

// envelope is what SNS delivers. Changes are made before it is signed.
type envelope map[string]string

func notification(message string) envelope {
	return envelope{"Type": "Notification", "MessageId": "m1", "TopicArn": pinned, "Message": message, "Subject": person,
		"Timestamp": sentThen.Format("2006-01-02T15:04:05.000Z"), "SignatureVersion": "2", "SigningCertURL": snsHost + "/good.pem"}
}

func (e envelope) with(name, value string) envelope {
	e[name] = value
	return e
}

func (e envelope) signed() envelope {
	var text strings.Builder
	for _, name := range []string{"Message", "MessageId", "SubscribeURL", "Subject", "Timestamp", "Token", "TopicArn", "Type"} {
		if v, ok := e[name]; ok && (name != "Subject" || e["Type"] == "Notification") {
			text.WriteString(name + "\n" + v + "\n")
		}
	}
	digest := sha256.Sum256([]byte(text.String()))
	signature, err := rsa.SignPKCS1v15(nil, signer().key, crypto.SHA256, digest[:])
	if err != nil {
		panic(err)
	}
	return e.with("Signature", base64.StdEncoding.EncodeToString(signature))
}

func (e envelope) String() string {
	b, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// ipnOf is Amazon Pay's part of a notification.
func ipnOf(merchant, objectID string) string {
	return fmt.Sprintf(`{"MerchantID":%q,"ObjectType":"CHARGE_PERMISSION","ObjectId":%q,"NotificationType":"STATE_CHANGE","NotificationId":"n1","NotificationVersion":"V2","Buyer":%q}`, merchant, objectID, person)
}

func confirmation(topic, token string) envelope {
	e := notification("You have chosen to subscribe").with("Type", "SubscriptionConfirmation").with("TopicArn", topic).
		with("Token", token).with("SubscribeURL", snsHost+"/?Action=ConfirmSubscription")
	delete(e, "Subject")
	return e.signed()
}

// world is both functions, with everything outside of them in memory.
type world struct {
	receiver, worker awslambda.Handler
	logs, metrics    bytes.Buffer
	flush            func()

	doorDown, queueDown bool
	queue               []string
	refreshed           []wallet.Notification
	dead                []string // reasons
}

func (w *world) Send(_ context.Context, m ipn.Message) error {
	if w.queueDown {
		return errors.New("the queue refuses")
	}
	w.queue = append(w.queue, m.Encode())
	return nil
}

func (w *world) DoorSecrets(context.Context, wallet.AccountID, bool) ([]string, error) {
	if w.doorDown {
		return nil, errors.New("Secrets Manager refuses")
	}
	return []string{"the-secret-of-main"}, nil
}

func (w *world) Refresh(_ context.Context, b wallet.Batch) (bool, error) {
	w.refreshed = append(w.refreshed, b.Notifications...)
	return false, nil
}

func (w *world) DeadLetter(_ context.Context, _, reason string, _ wallet.AccountID) error {
	w.dead = append(w.dead, reason)
	return nil
}

func newWorld() *world {
	w := &world{}
	now := func() time.Time { return clock }
	metrics := telemetry.NewMetrics(&w.metrics, "test", now)
	accounts := ipn.Accounts{{ID: "main", MerchantID: "A1MERCHANT", Topics: []string{pinned}}}
	opener := sns.NewOpener(sns.Options{HTTPClient: &http.Client{Transport: signer()}, Now: now})
	receiver := &ipn.Receiver{Accounts: accounts, Opener: opener, PathSecrets: w, Queue: w, Metrics: metrics, Now: now}
	worker := &ipn.Worker{Accounts: accounts, Opener: opener, Refresher: w, DeadLetters: w, Metrics: metrics, Now: now}
	w.receiver = awslambda.HTTPOrSNS(receiver.Handler(), receiver.Record)
	w.worker = awslambda.Batch(worker.Batch)
	w.flush = metrics.Flush
	return w
}

func (w *world) context(t *testing.T) context.Context {
	return telemetry.NewLogger(&w.logs, "test", zerolog.DebugLevel, time.Now).WithContext(t.Context())
}

func encoded(t *testing.T, v any) json.RawMessage {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// post is a delivery through the HTTP API; it returns the status.
func (w *world) post(t *testing.T, path, body string, isBase64 bool) string {
	t.Helper()
	e := events.APIGatewayV2HTTPRequest{RawPath: path, Body: body, IsBase64Encoded: isBase64, Headers: map[string]string{"content-type": "text/plain; charset=UTF-8"}}
	e.RequestContext.HTTP.Method = http.MethodPost
	return w.answer(w.receiver(w.context(t), encoded(t, e)))
}

// invoke is a delivery by SNS to the function itself.
func (w *world) invoke(t *testing.T, envelope string) string {
	t.Helper()
	e := fmt.Sprintf(`{"Records":[{"EventSource":"aws:sns","Sns":%s}]}`, envelope)
	return w.answer(w.receiver(w.context(t), json.RawMessage(e)))
}

// answer is what the one who delivered learns.
func (w *world) answer(got any, err error) string {
	switch a, isHTTP := got.(events.APIGatewayV2HTTPResponse); {
	case err != nil:
		return "fails"
	case isHTTP:
		return fmt.Sprint(a.StatusCode)
	}
	return "done"
}

// work gives the worker a message, and returns whether it must come again.
func (w *world) work(t *testing.T, body string, receives int) string {
	t.Helper()
	got, err := w.worker(w.context(t), encoded(t, events.SQSEvent{Records: []events.SQSMessage{{MessageId: "1", Body: body,
		Attributes: map[string]string{"ApproximateReceiveCount": fmt.Sprint(receives)}}}}))
	if err != nil {
		return "fails"
	}
	if answer := got.(events.SQSEventResponse); len(answer.BatchItemFailures) > 0 {
		return "fails"
	}
	return "done"
}

// The inputs of the table in README.md, in its order. Each is given to the
// functions as Lambda would, signatures, certificates and all.
var inputs = []struct {
	name string
	give func(t *testing.T, w *world) string
}{
	{"a notification", overHTTP(notification(ipnOf("A1MERCHANT", permission)).signed().String())},
	{"the same in base64", func(t *testing.T, w *world) string {
		body := notification(ipnOf("A1MERCHANT", permission)).signed().String()
		return w.post(t, path, base64.StdEncoding.EncodeToString([]byte(body)), true)
	}},
	{"of an unknown charge permission", overHTTP(notification(ipnOf("A1MERCHANT", "S01-9999999-9999999")).signed().String())},
	{"of version v2", overHTTP(versioned(`"v2"`))},
	{"of version V3", overHTTP(versioned(`"V3"`))},
	{"of a version that is a number", overHTTP(versioned(`2`))},
	{"without a version", overHTTP(notification(strings.Replace(ipnOf("A1MERCHANT", permission), `"NotificationVersion":"V2",`, "", 1)).signed().String())},
	{"of a charge, without its charge permission's id", overHTTP(notification(strings.Replace(ipnOf("A1MERCHANT", permission+"-C056351"), "CHARGE_PERMISSION", "charge", 1)).signed().String())},
	{"of the old kind", overHTTP(notification(`{"NotificationReferenceId":"r","NotificationData":"<xml>` + person + `</xml>"}`).signed().String())},
	{"replay of an old message", overHTTP(notification(ipnOf("A1MERCHANT", permission)).with("Timestamp", issued.Add(time.Hour).Format("2006-01-02T15:04:05.000Z")).signed().String())},
	{"a subscription", overHTTP(confirmation(pinned, "token").String())},

	{"wrong path secret", func(t *testing.T, w *world) string { return w.post(t, "/ipn/main/wrong", person, false) }},
	{"no such account", func(t *testing.T, w *world) string { return w.post(t, "/ipn/none/the-secret-of-main", person, false) }},
	{"bad signature", overHTTP(notification(ipnOf("A1MERCHANT", permission)).signed().with("Message", ipnOf("A1MERCHANT", "S01-0000000-0000002")).String())},
	{"unknown signature version", overHTTP(notification(person).with("SignatureVersion", "3").signed().String())},
	{"unexpected certificate host", overHTTP(notification(person).with("SigningCertURL", "https://example.com/good.pem?of="+person).signed().String())},
	{"look-alike host: a longer one", overHTTP(notification(person).with("SigningCertURL", snsHost+".example.com/good.pem").signed().String())},
	{"look-alike host: a bucket", overHTTP(notification(person).with("SigningCertURL", "https://sns.s3-eu-west-1.amazonaws.com/good.pem").signed().String())},
	{"look-alike host: another region", overHTTP(notification(person).with("SigningCertURL", "https://sns.us-east-1.amazonaws.com/good.pem").signed().String())},
	{"look-alike host: before an @", overHTTP(notification(person).with("SigningCertURL", snsHost+"@example.com/good.pem").signed().String())},
	{"certificate not over TLS", overHTTP(notification(person).with("SigningCertURL", strings.Replace(snsHost, "https", "http", 1)+"/good.pem").signed().String())},
	{"certificate not valid at the time stamp", overHTTP(notification(ipnOf("A1MERCHANT", permission)).with("Timestamp", clock.Format(time.RFC3339)).signed().String())},
	{"a subscription whose token has run out", overHTTP(confirmation(pinned, "run-out").String())},
	{"another path", func(t *testing.T, w *world) string { return w.post(t, "/ipn/main", person, false) }},
	{"raw delivery", overHTTP(ipnOf("A1MERCHANT", permission))},
	{"malformed: the HTTP body is not base64", func(t *testing.T, w *world) string { return w.post(t, path, "%"+person, true) }},
	{"malformed: the envelope", overHTTP(`{"Type":"Notification","Message":"` + person)},
	{"malformed: a member of the envelope", overHTTP(notification(person).with("TopicArn", person).signed().String())},
	{"oversized body", overHTTP(`{"Message":"` + strings.Repeat(person, 100_000) + `"}`)},

	{"certificate server down", overHTTP(notification(ipnOf("A1MERCHANT", permission)).with("SigningCertURL", snsHost+"/down.pem").signed().String())},
	{"certificate missing", overHTTP(notification(ipnOf("A1MERCHANT", permission)).with("SigningCertURL", snsHost+"/missing.pem").signed().String())},
	{"path secret unavailable", func(t *testing.T, w *world) string {
		w.doorDown = true
		return w.post(t, path, notification(ipnOf("A1MERCHANT", permission)).signed().String(), false)
	}},
	{"queue refusing", func(t *testing.T, w *world) string {
		w.queueDown = true
		return w.post(t, path, notification(ipnOf("A1MERCHANT", permission)).signed().String(), false)
	}},
	{"queue refusing what is diverted", func(t *testing.T, w *world) string {
		w.queueDown = true
		return w.post(t, path, notification(person).signed().String(), false)
	}},

	{"wrong merchant", overHTTP(notification(ipnOf("A9OTHER", permission)).signed().String())},
	{"unpinned topic", overHTTP(notification(ipnOf("A1MERCHANT", permission)).with("TopicArn", unpinned).signed().String())},
	{"a subscription of an unpinned topic", overHTTP(confirmation(unpinned, "token").String())},
	{"malformed: the message", overHTTP(notification(`{"MerchantID":"` + person).signed().String())},
	{"no charge permission in the message", overHTTP(notification(ipnOf("A1MERCHANT", person)).signed().String())},
	{"nothing in the message", overHTTP(notification(`{}`).signed().String())},
	{"an envelope in the message", overHTTP(notification(notification(ipnOf("A1MERCHANT", permission)).signed().String()).signed().String())},

	{"to Lambda: a notification", byLambda(notification(ipnOf("A1MERCHANT", permission)).signed())},
	{"to Lambda: bad signature", byLambda(notification(person).signed().with("Message", "another"))},
	{"to Lambda: certificate server down", byLambda(notification(person).with("SigningCertURL", snsHost+"/down.pem").signed())},
	{"to Lambda: unpinned topic", byLambda(notification(ipnOf("A1MERCHANT", permission)).with("TopicArn", unpinned).signed())},
	{"to Lambda: not an event", func(t *testing.T, w *world) string {
		return w.answer(w.receiver(w.context(t), json.RawMessage(`{"Records":"`+person)))
	}},

	{"in the queue: SNS's envelope", inQueue(notification(ipnOf("A1MERCHANT", permission)).signed().String())},
	{"in the queue: bad signature", inQueue(notification(person).signed().with("Message", "another").String())},
	{"in the queue: raw delivery", inQueue(ipnOf("A1MERCHANT", permission))},
	{"in the queue: raw delivery of the old kind", inQueue(`{"NotificationReferenceId":"r","NotificationData":"<xml>` + person + `</xml>"}`)},
	{"in the queue: certificate missing", inQueue(withoutCertificate)},
	{"in the queue: certificate missing for an hour", inQueueAgain(withoutCertificate, 20)},
	{"in the queue: certificate server down for an hour", inQueueAgain(notification(ipnOf("A1MERCHANT", permission)).with("SigningCertURL", snsHost+"/down.pem").signed().String(), 20)},
	{"in the queue: certificate server down", inQueue(notification(ipnOf("A1MERCHANT", permission)).with("SigningCertURL", snsHost+"/down.pem").signed().String())},
	{"in the queue: wrong merchant", inQueue(notification(ipnOf("A9OTHER", permission)).signed().String())},
	{"in the queue: unpinned topic", inQueue(notification(ipnOf("A1MERCHANT", permission)).with("TopicArn", unpinned).signed().String())},
	{"in the queue: a subscription", inQueue(confirmation(pinned, "token").String())},
	{"in the queue: malformed", inQueue(`{"v":1,"kind":"` + person)},
	{"in the queue: a time that is none", inQueue(`{"v":1,"kind":"ipn","account":"main","messageId":"m","published":"` + person + `"}`)},
	{"in the queue: an account's name that is none", inQueue(`{"v":1,"kind":"ipn","account":"` + person + `","messageId":"m"}`)},
	{"in the queue: an account that is gone", inQueue(`{"v":1,"kind":"ipn","account":"gone","messageId":"m","published":"2026-02-03T04:05:06Z"}`)},
	{"in the queue: of a newer release", inQueue(`{"v":2,"kind":"ipn","account":"main"}`)},
	{"in the queue: redriven, with its topic pinned by now", inQueue(`{"v":1,"kind":"unreadable","account":"main","messageId":"m1","published":"2026-01-01T00:00:00Z","reason":"foreign_topic","topic":"` + pinned + `","body":` + string(mustJSON(ipnOf("A1MERCHANT", permission))) + `}`)},
	{"in the queue: redriven after its certificate ran out", inQueue(notification(ipnOf("A1MERCHANT", permission)).with("Timestamp", issued.Add(time.Hour).Format(time.RFC3339)).signed().String())},
}

var withoutCertificate = notification(ipnOf("A1MERCHANT", permission)).with("SigningCertURL", snsHost+"/missing.pem").signed().String()

// versioned is a notification whose NotificationVersion is the given JSON.
func versioned(version string) string {
	return notification(strings.Replace(ipnOf("A1MERCHANT", permission), `"V2"`, version, 1)).signed().String()
}

func mustJSON(s string) []byte {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return b
}

func overHTTP(body string) func(*testing.T, *world) string {
	return func(t *testing.T, w *world) string { t.Helper(); return w.post(t, path, body, false) }
}

func byLambda(e envelope) func(*testing.T, *world) string {
	return func(t *testing.T, w *world) string { t.Helper(); return w.invoke(t, e.String()) }
}

func inQueue(body string) func(*testing.T, *world) string {
	return inQueueAgain(body, 1)
}

func inQueueAgain(body string, receives int) func(*testing.T, *world) string {
	return func(t *testing.T, w *world) string { t.Helper(); return w.work(t, body, receives) }
}

// TestInputsAreAnsweredAsTheREADMESays holds the table and the code together:
// what README.md says of an input is what happens to it.
func TestInputsAreAnsweredAsTheREADMESays(t *testing.T) {
	var rows []string
	for _, in := range inputs {
		t.Run(in.name, func(t *testing.T) {
			w := newWorld()
			answer := in.give(t, w)
			for len(w.queue) > 0 {
				next := w.queue[0]
				w.queue = w.queue[1:]
				if got := w.work(t, next, 1); got != "done" {
					t.Errorf("what the receiver queued %s", got)
				}
			}
			w.flush()
			rows = append(rows, "| "+strings.Join([]string{in.name, answer, w.reason(t), w.becomes(answer)}, " | ")+" |")
			w.checkLines(t)
		})
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var written []string
	for line := range strings.Lines(string(readme)) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "| input") {
			written = append(written, line)
		}
	}
	if d := cmp.Diff(written, rows); d != "" {
		t.Errorf("README.md says otherwise (-README +code):\n%s", d)
	}
}

// becomes says what became of the message in the end.
func (w *world) becomes(answer string) string {
	switch {
	case len(w.dead) > 0:
		return "dead-letter queue"
	case len(w.refreshed) > 0 && w.refreshed[0].ChargePermission == "":
		return "recorded"
	case len(w.refreshed) > 0 && w.refreshed[0].Inferred:
		return "refreshed if stored"
	case len(w.refreshed) > 0:
		return "refreshed"
	case answer == "503" || answer == "fails":
		return "comes again"
	case answer == "200":
		return "confirmed"
	}
	return "refused"
}

// reason is what the last line names as one, the metrics' before the logs'; the
// worker's comes after the receiver's.
func (w *world) reason(t *testing.T) string {
	t.Helper()
	reason := "–"
	for line := range strings.Lines(w.logs.String()) {
		if _, after, named := strings.Cut(line, `"reason":"`); named {
			reason, _, _ = strings.Cut(after, `"`)
		}
	}
	for line := range strings.Lines(w.metrics.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		for _, name := range []telemetry.Metric{telemetry.Refused, telemetry.Unavailable, telemetry.Diverted, telemetry.DeadLettered, telemetry.Retried} {
			if m[string(name)] != nil {
				reason = fmt.Sprint(m["reason"])
			}
		}
	}
	if len(w.dead) > 0 && w.dead[0] != reason {
		t.Errorf("the dead letter says %s, the metric %s", w.dead[0], reason)
	}
	return reason
}

// checkLines holds logs and metrics to what they may say.
func (w *world) checkLines(t *testing.T) {
	t.Helper()
	all := w.logs.String() + w.metrics.String()
	for _, word := range []string{person, "Jane", "the-secret-of-main"} {
		if strings.Contains(all, word) {
			t.Errorf("a line names a person or a secret:\n%s", all)
		}
	}
	for line := range strings.Lines(w.logs.String()) {
		if name := repeated(t, line); name != "" {
			t.Errorf("a line has %s twice: %s", name, line)
		}
	}
}

// repeated returns a member of the object that is there twice: readers of logs
// keep one of the two.
func repeated(t *testing.T, line string) string {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(line))
	var names []string
	if _, err := d.Token(); err != nil {
		t.Fatal(err)
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(names, fmt.Sprint(name)) {
			return fmt.Sprint(name)
		}
		names = append(names, fmt.Sprint(name))
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			t.Fatal(err)
		}
	}
	return ""
}

func TestLogLineHasTheOutcomeOfADelivery(t *testing.T) {
	lines := func(w *world) (all []map[string]any) {
		for line := range strings.Lines(w.logs.String()) {
			var m map[string]any
			if err := json.Unmarshal([]byte(line), &m); err != nil {
				t.Fatal(err)
			}
			delete(m, "time")
			all = append(all, m)
		}
		return all
	}
	w := newWorld()
	overHTTP(notification(ipnOf("A1MERCHANT", permission)).signed().String())(t, w)
	overHTTP(notification(ipnOf("A1MERCHANT", permission)).signed().with("Message", "x").String())(t, w)
	w.work(t, w.queue[0], 1)
	common := map[string]any{"function": "test", "version": "dev", "account": "main", "duration": 0.0}
	want := []map[string]any{
		{"level": "info", "outcome": "queued", "message_id": "m1", "notification": "n1", "charge_permission": permission, "object_type": "CHARGE_PERMISSION", "message": "queued"},
		{"level": "warn", "outcome": "refused", "reason": "signature", "status": 403.0, "message": "refused", "error": "sns: signature: it does not verify: crypto/rsa: verification error"},
		{"level": "info", "outcome": "done", "messages": 1.0, "failed": 0.0, "message": "batch"},
	}
	for i := range want {
		for k, v := range common {
			want[i][k] = v
		}
	}
	delete(want[2], "account")
	if d := cmp.Diff(want, lines(w)); d != "" {
		t.Error(d)
	}
}

func TestDeliveriesAreCounted(t *testing.T) {
	w := newWorld()
	body := notification(ipnOf("A1MERCHANT", permission)).signed().String()
	w.post(t, path, body, false)
	w.post(t, path, body, false)
	w.post(t, path, notification(ipnOf("A9OTHER", permission)).signed().String(), false)
	w.post(t, path, notification(person).signed().with("Message", "x").String(), false)
	w.post(t, "/ipn/main/wrong", body, false)
	w.queueDown = true
	w.post(t, path, body, false)
	for _, m := range w.queue {
		w.work(t, m, 1)
	}
	w.flush()
	got := map[string]float64{}
	for line := range strings.Lines(w.metrics.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		reason, _ := m["reason"].(string)
		for name, value := range m {
			if n, isCount := value.(float64); isCount {
				got[strings.TrimSpace(name+" "+reason)] += n
			}
		}
	}
	// Received counts what arrived at the endpoint with the right path (5), and the
	// worker's messages (3).
	want := map[string]float64{"Received": 8, "Queued": 2, "Diverted wrong_merchant": 1, "DeadLettered wrong_merchant": 1,
		"Refused signature": 1, "Forged": 1, "Refused path": 1, "Unavailable queue": 1}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
