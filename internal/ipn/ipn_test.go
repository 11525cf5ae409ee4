package ipn

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"walletsync/internal/sns"
	"walletsync/internal/wallet"
)

const (
	topic      = "arn:aws:sns:eu-west-1:123456789012:ours"
	unexpected = "arn:aws:sns:eu-west-1:999999999999:unexpected"
	relay      = "arn:aws:sns:eu-west-1:123456789012:second"
	good       = `{"MerchantID":"M1","ObjectType":"CHARGE_PERMISSION","ObjectId":"S01-0000000-0000001","ChargePermissionId":"S01-0000000-0000001","NotificationType":"STATE_CHANGE","NotificationId":"n1","NotificationVersion":"V2"}`
	lower      = `{"merchantID":"M1","objectType":"CHARGE_PERMISSION","objectId":"S01-0000000-0000001","chargePermissionId":"S01-0000000-0000001","notificationType":"ATTRIBUTE_CHANGE","notificationId":"n1","notificationVersion":"V2"}`
	charge     = `{"MerchantID":"M1","ObjectType":"CHARGE","ObjectId":"S01-0000000-0000001-C056351","NotificationType":"STATE_CHANGE","NotificationId":"n2","NotificationVersion":"V2"}`
	unknown    = `{"MerchantID":"M1","ObjectType":"SOMETHING_NEW","ObjectId":"x","ChargePermissionId":"S01-0000000-0000001","NotificationType":"NEW","NotificationId":"n3","NotificationVersion":"V2"}`
	old        = `{"NotificationReferenceId":"r","NotificationData":"<xml/>"}`
	stranger   = `{"MerchantID":"M9","ObjectType":"CHARGE_PERMISSION","ObjectId":"S01-0000000-0000001","NotificationVersion":"V2"}`
)

var (
	arrival   = time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
	published = arrival.Add(-time.Second)
	accounts  = Accounts{{ID: "main", MerchantID: "M1", Topics: []string{topic}}, {ID: "second", MerchantID: "M1", Topics: []string{relay}}}
)

// opener returns what it is given.
type opener struct {
	message sns.Message
	err     error
	confirm error
}

func (o opener) Open(context.Context, []byte) (sns.Message, error) { return o.message, o.err }
func (o opener) Confirm(context.Context, sns.Message) error        { return o.confirm }

type queued struct {
	sent []Message
	err  error
}

func (q *queued) Send(_ context.Context, m Message) error {
	if q.err == nil {
		q.sent = append(q.sent, m)
	}
	return q.err
}

type pathSecrets struct{ err error }

func (p pathSecrets) DoorSecrets(_ context.Context, a wallet.AccountID, _ bool) ([]string, error) {
	return []string{"secret-of-" + string(a), "previous"}, p.err
}

func message(body string) sns.Message {
	return sns.Message{Type: sns.Notification, ID: "m1", TopicARN: topic, Body: body, Timestamp: published}
}

// failing returns an error of package sns, got from a real opener.
func failing(t *testing.T, envelope string) error {
	t.Helper()
	_, err := sns.NewOpener(sns.Options{HTTPClient: &http.Client{Transport: down{}}}).Open(t.Context(), []byte(envelope))
	if err == nil {
		t.Fatal("it opened")
	}
	return err
}

type down struct{}

func (down) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("no network") }

const unfetched = `{"Type":"Notification","MessageId":"m","TopicArn":"` + topic + `","Message":"{}","Timestamp":"2026-02-03T04:05:06.000Z",
	"SignatureVersion":"2","Signature":"AAAA","SigningCertURL":"https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0.pem"}`

func TestEndpointAnswersByPathTopicAndSignature(t *testing.T) {
	forged := failing(t, strings.Replace(unfetched, "sns.eu-west-1.amazonaws.com", "sns.eu-west-1.amazonaws.com.example.com", 1))
	for _, c := range []struct {
		name    string
		path    string
		body    string
		open    opener
		queue   error
		secrets error
		status  int
		kind    string // of the message queued, if any
		reason  string // in the answer, or of the message
	}{
		{name: "a notification", open: opener{message: message(good)}, status: 200, kind: KindIPN},
		{name: "lower-case members", open: opener{message: message(lower)}, status: 200, kind: KindIPN},
		{name: "of a charge", open: opener{message: message(charge)}, status: 200, kind: KindIPN},
		{name: "of types not known yet", open: opener{message: message(unknown)}, status: 200, kind: KindIPN},
		{name: "old version", open: opener{message: message(old)}, status: 200, kind: KindIPN},
		{name: "the previous path secret", path: "/ipn/main/previous", open: opener{message: message(good)}, status: 200, kind: KindIPN},
		{name: "replay of an old message", open: opener{message: sns.Message{Type: sns.Notification, ID: "m", TopicARN: topic, Body: good, Timestamp: arrival.AddDate(-1, 0, 0)}}, status: 200, kind: KindIPN},
		{name: "wrong path secret", path: "/ipn/main/wrong", status: 403, reason: "path"},
		{name: "the secret of another account", path: "/ipn/main/secret-of-second", status: 403, reason: "path"},
		{name: "no such account", path: "/ipn/none/secret-of-main", status: 403, reason: "path"},
		{name: "another path", path: "/", status: 404},
		{name: "path secret unavailable", secrets: errors.New("down"), status: 503, reason: "door_secret_unavailable"},
		{name: "not an envelope", open: opener{err: failing(t, `hello`)}, status: 400, reason: "malformed"},
		{name: "unexpected certificate host", open: opener{err: forged}, status: 403, reason: "certificate_url"},
		{name: "certificate server down", open: opener{err: failing(t, unfetched)}, status: 503, reason: "certificate_unavailable"},
		{name: "oversized body", body: strings.Repeat("x", maxBody+1), status: 413, reason: "too_large"},
		{name: "queue refusing", open: opener{message: message(good)}, queue: errors.New("down"), status: 503, reason: "queue"},
		{name: "wrong merchant", open: opener{message: message(stranger)}, status: 200, kind: KindUnreadable, reason: ReasonWrongMerchant},
		{name: "not JSON", open: opener{message: message("hello")}, status: 200, kind: KindUnreadable, reason: ReasonUnreadable},
		{name: "no charge permission in it", open: opener{message: message(`{"MerchantID":"M1","NotificationVersion":"V2","ObjectId":"x"}`)}, status: 200, kind: KindUnreadable, reason: ReasonNamesNothing},
		{name: "unpinned topic", open: opener{message: sns.Message{Type: sns.Notification, ID: "m", TopicARN: unexpected, Body: good, Timestamp: published}}, status: 200, kind: KindUnreadable, reason: ReasonForeignTopic},
		{name: "diverted, and the queue refuses", open: opener{message: message("hello")}, queue: errors.New("down"), status: 503, reason: "queue"},
		{name: "subscription", open: opener{message: sns.Message{Type: sns.SubscriptionConfirmation, TopicARN: topic}}, status: 200},
		{name: "subscription that cannot be confirmed", open: opener{message: sns.Message{Type: sns.SubscriptionConfirmation, TopicARN: topic}, confirm: errors.New("refused")}, status: 403},
		{name: "subscription of an unexpected topic", open: opener{message: sns.Message{Type: sns.SubscriptionConfirmation, TopicARN: unexpected, Timestamp: published}}, status: 200, kind: KindUnreadable, reason: ReasonForeignTopic},
		{name: "end of a subscription", open: opener{message: sns.Message{Type: sns.UnsubscribeConfirmation, TopicARN: topic}}, status: 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := &queued{err: c.queue}
			r := &Receiver{Accounts: accounts, Opener: c.open, PathSecrets: pathSecrets{c.secrets}, Queue: q, Now: func() time.Time { return arrival }}
			if c.path == "" {
				c.path = "/ipn/main/secret-of-main"
			}
			w := httptest.NewRecorder()
			r.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, c.path, strings.NewReader(c.body)))
			if w.Code != c.status {
				t.Errorf("answered %d %s", w.Code, w.Body)
			}
			if c.kind == "" {
				if len(q.sent) > 0 {
					t.Errorf("queued %+v", q.sent)
				}
				if !strings.Contains(w.Body.String(), c.reason) {
					t.Errorf("answered %q, want %q", w.Body, c.reason)
				}
				return
			}
			if len(q.sent) != 1 || q.sent[0].Kind != c.kind || q.sent[0].Reason != c.reason {
				t.Fatalf("queued %+v", q.sent)
			}
			if _, err := decode(q.sent[0].Encode()); c.kind == KindIPN && err != nil {
				t.Errorf("our own message does not decode: %v", err)
			}
		})
	}
}

func TestWhileNoTopicIsPinnedTheSecretPathIsEnough(t *testing.T) {
	q := &queued{}
	r := &Receiver{Accounts: Accounts{{ID: "main", MerchantID: "M1"}}, PathSecrets: pathSecrets{}, Queue: q, Now: time.Now,
		Opener: opener{message: sns.Message{Type: sns.Notification, ID: "m", TopicARN: unexpected, Body: good, Timestamp: published}}}
	if err := r.deliver(t.Context(), "main", "secret-of-main", strings.NewReader("{}")); err != nil || len(q.sent) != 1 || q.sent[0].Kind != KindIPN {
		t.Errorf("%v, %+v", err, q.sent)
	}
}

func TestDeliveriesWithoutAPathAreMatchedByTopic(t *testing.T) {
	q := &queued{}
	m := message(good)
	m.TopicARN = relay
	r := &Receiver{Accounts: accounts, PathSecrets: pathSecrets{}, Queue: q, Now: time.Now, Opener: opener{message: m}}
	if err := r.Record(t.Context(), nil); err != nil || len(q.sent) != 1 || q.sent[0].Account != "second" {
		t.Errorf("%v, %+v", err, q.sent)
	}
	r.Opener = opener{err: failing(t, `{}`)}
	if err := r.Record(t.Context(), nil); !Final(err) {
		t.Errorf("a forged record would be retried: %v", err)
	}
	r.Opener = opener{err: failing(t, unfetched)}
	if err := r.Record(t.Context(), nil); err == nil || Final(err) {
		t.Errorf("a record that cannot be verified now would be lost: %v", err)
	}
}

// TestATopicThatIsNotPinnedSpeaksForNoAccountWithoutThePathSecret: not even for
// one that has no topic pinned yet (invariant 4).
func TestATopicThatIsNotPinnedSpeaksForNoAccountWithoutThePathSecret(t *testing.T) {
	none := Accounts{{ID: "main", MerchantID: "M1"}, {ID: "second", MerchantID: "M1", Topics: []string{relay}}}
	q := &queued{}
	r := &Receiver{Accounts: none, PathSecrets: pathSecrets{}, Queue: q, Now: time.Now,
		Opener: opener{message: sns.Message{Type: sns.Notification, ID: "m", TopicARN: unexpected, Body: good, Timestamp: published}}}
	if err := r.Record(t.Context(), nil); err != nil || len(q.sent) != 1 || q.sent[0].Account != "" {
		t.Fatalf("%v, %+v", err, q.sent)
	}
	work := func(as Accounts) (refreshed []wallet.Notification, dead []string) {
		b, d := &refresher{}, &deadLetters{}
		w := &Worker{Accounts: as, Refresher: b, DeadLetters: d, Now: time.Now}
		if failed := w.Batch(t.Context(), []Delivery{{ID: "0", Body: q.sent[0].Encode()}}); failed != nil {
			t.Errorf("%v would be retried", failed)
		}
		return b.got.Notifications, d.reasons
	}
	if refreshed, dead := work(none); len(refreshed) > 0 || !slices.Equal(dead, []string{ReasonForeignTopic}) {
		t.Errorf("refreshed %+v, dead-letter messages %v", refreshed, dead)
	}
	none[0].Topics = []string{unexpected}
	if refreshed, dead := work(none); len(refreshed) != 1 || refreshed[0].Account != "main" || len(dead) > 0 {
		t.Errorf("once the topic is pinned: refreshed %+v, dead-letter messages %v", refreshed, dead)
	}
}

func TestWhatANotificationNamesDecides(t *testing.T) {
	const id = "S01-0000000-0000001"
	for _, c := range []struct {
		name, body string
		want       wallet.ChargePermissionID
		inferred   bool
		object     string
		reason     string
	}{
		{"of version 2", good, id, false, "CHARGE_PERMISSION", ""},
		{"types in lower case", `{"MerchantID":"M1","ObjectType":"charge_permission","ObjectId":"` + id + `"}`, id, false, "CHARGE_PERMISSION", ""},
		{"the old kind's data beside an id", `{"MerchantID":"M1","ObjectType":"CHARGE_PERMISSION","ObjectId":"` + id + `","NotificationData":"<xml/>"}`, id, false, "CHARGE_PERMISSION", ""},
		{"members of other types", `{"MerchantID":"M1","ObjectType":"REFUND","ObjectId":7,"ChargePermissionId":"` + id + `","NotificationId":[],"NotificationVersion":2}`, id, false, "REFUND", ""},
		{"a charge, named", `{"MerchantID":"M1","ObjectType":"CHARGE","ObjectId":"S03-0000000-0000009-C000001","ChargePermissionId":"` + id + `"}`, id, false, "CHARGE", ""},
		{"a charge, not named", `{"MerchantID":"M1","ObjectType":"CHARGE","ObjectId":"` + id + `-C000001"}`, id, true, "CHARGE", ""},
		{"a refund, named by nonsense", `{"MerchantID":"M1","ObjectType":"Refund","ObjectId":"` + id + `-R000001","ChargePermissionId":"?"}`, id, true, "REFUND", ""},
		{"old", old, "", false, "OLD_VERSION", ""},
		{"old, with a version", `{"NotificationVersion":"V2","NotificationData":"<xml/>"}`, "", false, "OLD_VERSION", ""},
		{"nothing", `{}`, "", false, "", ReasonNamesNothing},
		{"a reference alone", `{"NotificationReferenceId":"r"}`, "", false, "", ReasonNamesNothing},
		{"an object of another form", `{"MerchantID":"M1","ObjectType":"NEW","ObjectId":"x"}`, "", false, "NEW", ReasonNamesNothing},
		{"an object of another form and merchant", `{"MerchantID":"M9","ObjectType":"NEW","ObjectId":"x"}`, "", false, "NEW", ReasonWrongMerchant},
		{"no merchant", `{"ObjectType":"CHARGE_PERMISSION","ObjectId":"` + id + `"}`, id, false, "CHARGE_PERMISSION", ReasonWrongMerchant},
		{"no object", `[]`, "", false, "", ReasonUnreadable},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, reason := parse(accounts[0], message(c.body), arrival)
			if n.ChargePermission != c.want || n.Inferred != c.inferred || n.ObjectType != c.object || reason != c.reason {
				t.Errorf("%+v, %q", n, reason)
			}
		})
	}
}

func TestAnOldVersionIsRecordedOnly(t *testing.T) {
	n, reason := parse(accounts[0], message(old), arrival)
	if reason != "" || n.ChargePermission != "" || n.ObjectType != oldKind {
		t.Errorf("%+v, %q", n, reason)
	}
}

// refresher takes batches.
type refresher struct {
	got   wallet.Batch
	retry bool
	err   error
}

func (r *refresher) Refresh(_ context.Context, b wallet.Batch) (bool, error) {
	r.got = b
	return r.retry, r.err
}

type deadLetters struct {
	reasons []string
	err     error
	silent  bool
}

func (d *deadLetters) DeadLetter(ctx context.Context, _, reason string, _ wallet.AccountID) error {
	if d.silent {
		ctx, cancel := context.WithTimeout(ctx, 8*time.Second)
		defer cancel()
		<-ctx.Done()
		return ctx.Err()
	}
	if d.err == nil {
		d.reasons = append(d.reasons, reason)
	}
	return d.err
}

func ours(id string) string {
	return MessageOf(wallet.Notification{Account: "main", MessageID: id, ObjectType: "CHARGE_PERMISSION", ObjectID: "S01-0000000-0000001",
		ChargePermission: "S01-0000000-0000001", Published: published, Arrived: arrival}).Encode()
}

func diverted(arn, body string) string {
	return divertedMessage("main", sns.Message{ID: "m", TopicARN: arn, Body: body, Timestamp: published}, ReasonForeignTopic, arrival).Encode()
}

const enveloped = `{"Type":"Notification","MessageId":"m"}`

func wake(account wallet.AccountID) string {
	return WakeMessage(wallet.Wake{Account: account, At: arrival}).Encode()
}

func TestTheWorker(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		name      string
		bodies    []string
		receives  int
		open      opener
		refresher refresher
		dlq       error
		failed    []string
		reasons   []string // in the dead-letter queue
		want      int      // notifications refreshed
	}{
		{name: "all well", bodies: []string{ours("1"), ours("2")}, want: 2},
		{name: "nothing committed: all are retried", bodies: []string{ours("1"), ours("2")}, refresher: refresher{err: broken}, failed: []string{"0", "1"}, want: 2},
		{name: "wake-up unknown: one message is retried", bodies: []string{ours("1"), ours("2")}, refresher: refresher{retry: true}, failed: []string{"0"}, want: 2},
		{name: "wake-up unknown: one message of each account is retried", bodies: []string{ours("1"), wake("second"), ours("2")}, refresher: refresher{retry: true}, failed: []string{"0", "1"}, want: 2},
		{name: "delivered before", bodies: []string{ours("1")}, receives: 2, want: 1},
		{name: "waited a day for Postgres", bodies: []string{strings.Replace(ours("1"), "2026-02-03", "2026-02-02", 1)}, receives: 480, want: 1},
		{name: "bad ones fail alone", bodies: []string{"hello", ours("1")}, reasons: []string{ReasonUnknownKind}, want: 1},
		{name: "a newer release's message", bodies: []string{strings.Replace(ours("1"), `"v":1`, `"v":2`, 1)}, reasons: []string{ReasonUnknownKind}},
		{name: "an account that is gone", bodies: []string{strings.Replace(ours("1"), `"main"`, `"gone"`, 1)}, reasons: []string{ReasonUnknownAccount}},
		{name: "the dead-letter queue refuses: retried", bodies: []string{"hello"}, dlq: broken, failed: []string{"0"}},
		{name: "from a topic that is not pinned", bodies: []string{diverted(unexpected, good)}, reasons: []string{ReasonForeignTopic}},
		{name: "redriven after the topic was pinned", bodies: []string{diverted(topic, good)}, want: 1},
		{name: "redriven and still unreadable", bodies: []string{diverted(topic, "hello")}, reasons: []string{ReasonUnreadable}},
		{name: "an envelope that SNS put there", bodies: []string{enveloped}, open: opener{message: message(good)}, want: 1},
		{name: "an envelope that SNS did not sign", bodies: []string{enveloped}, open: opener{err: failing(t, `{}`)}, reasons: []string{ReasonForged}},
		{name: "an envelope whose certificate is unavailable", bodies: []string{enveloped, ours("1")}, open: opener{err: failing(t, unfetched)}, failed: []string{"0"}, want: 1},
		{name: "an envelope of an unexpected topic", bodies: []string{enveloped}, open: opener{message: sns.Message{TopicARN: unexpected}}, reasons: []string{ReasonForeignTopic}},
		{name: "a wake-up", bodies: []string{wake("main")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := &deadLetters{err: c.dlq}
			w := &Worker{Accounts: accounts, Opener: c.open, Refresher: &c.refresher, DeadLetters: d, Now: func() time.Time { return arrival }}
			var in []Delivery
			for i, b := range c.bodies {
				in = append(in, Delivery{ID: string(rune('0' + i)), Body: b, Receives: max(1, c.receives)})
			}
			if diff := cmp.Diff(c.failed, w.Batch(t.Context(), in)); diff != "" {
				t.Errorf("failed: %s", diff)
			}
			if diff := cmp.Diff(c.reasons, d.reasons); diff != "" {
				t.Errorf("dead-letter messages: %s", diff)
			}
			if got := len(c.refresher.got.Notifications); got != c.want {
				t.Errorf("%d notifications refreshed", got)
			}
			if c.refresher.got.Redelivered != (c.receives > 1) {
				t.Error("redelivered", c.refresher.got.Redelivered)
			}
		})
	}
}

// silent is an opener whose certificate host does not answer.
type silent struct{ opener }

func (silent) Open(ctx context.Context, _ []byte) (sns.Message, error) {
	<-ctx.Done()
	return sns.Message{}, ctx.Err()
}

// TestASilentCertificateHostFailsOnlyWhatNeedsIt within the time of the function.
func TestASilentCertificateHostFailsOnlyWhatNeedsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &refresher{}
		w := &Worker{Accounts: accounts, Opener: silent{}, Refresher: b, DeadLetters: &deadLetters{}, Now: time.Now}
		in := []Delivery{{ID: "wake", Body: wake("main")}}
		var want []string
		for i := range 30 {
			in = append(in, Delivery{ID: fmt.Sprint(i), Body: enveloped})
			want = append(want, fmt.Sprint(i))
		}
		start := time.Now()
		failed := w.Batch(t.Context(), append(in, Delivery{ID: "ours", Body: ours("1")}))
		if diff := cmp.Diff(want, failed); diff != "" {
			t.Errorf("failed: %s", diff)
		}
		if len(b.got.Woken) != 1 || len(b.got.Notifications) != 1 {
			t.Errorf("refreshed %+v", b.got)
		}
		if took := time.Since(start); took > verifyTimeout {
			t.Errorf("it took %v", took)
		}
	})
}

// TestASilentDeadLetterQueueFailsOnlyWhatNeedsIt: the queue's client gives up
// after seconds, for each message.
func TestASilentDeadLetterQueueFailsOnlyWhatNeedsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &refresher{}
		w := &Worker{Accounts: accounts, Refresher: b, DeadLetters: &deadLetters{silent: true}, Now: time.Now}
		in := []Delivery{{ID: "ours", Body: ours("1")}}
		var want []string
		for i := range 30 {
			in = append(in, Delivery{ID: fmt.Sprint(i), Body: "hello"})
			want = append(want, fmt.Sprint(i))
		}
		start := time.Now()
		if diff := cmp.Diff(want, w.Batch(t.Context(), in)); diff != "" {
			t.Errorf("failed: %s", diff)
		}
		if took := time.Since(start); took > deadLetterTimeout || len(b.got.Notifications) != 1 {
			t.Errorf("it took %v, and refreshed %+v", took, b.got)
		}
	})
}

func FuzzParseNotification(f *testing.F) {
	for _, s := range []string{good, lower, charge, unknown, old, stranger, `{"MerchantID":null}`, "\x00", `{}`, `{"Message":` + strconv.Quote(good) + `}`,
		`{"MerchantID":"M1","ObjectId":7,"ChargePermissionId":"S01-0000000-0000001","NotificationVersion":2}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		n, reason := parse(accounts[0], message(body), arrival)
		if reason != "" {
			return
		}
		again, err := decode(MessageOf(n).Encode())
		if err != nil {
			t.Fatalf("accepted by the receiver and refused by the worker: %v", err)
		}
		if d := cmp.Diff(n, again.notification()); d != "" {
			t.Error(d)
		}
	})
}

func FuzzDecodeQueueMessage(f *testing.F) {
	for _, s := range []string{ours("1"), diverted(topic, good), good, old, `{"v":1,"kind":"unreadable","account":"","messageId":"m","published":"2026-02-03T04:05:06Z"}`, `{"v":1,"kind":"wake","account":"main","at":"2026-02-03T04:05:06Z"}`, `{}`, enveloped} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		w := &Worker{Accounts: accounts, Opener: opener{err: failing(t, `{}`)}, Refresher: &refresher{}, DeadLetters: &deadLetters{}, Now: time.Now}
		if failed := w.Batch(t.Context(), []Delivery{{ID: "0", Body: body}}); failed != nil {
			t.Errorf("%v would be retried for ever", failed)
		}
	})
}

// FuzzEnvelope holds apart what SNS puts on the queue and what we do: a message
// of ours is never verified as SNS's, nor SNS's taken for ours unverified.
func FuzzEnvelope(f *testing.F) {
	for _, s := range []string{ours("1"), diverted(topic, good), WakeMessage(wallet.Wake{Account: "main", At: arrival}).Encode(), enveloped, unfetched,
		`{"type":"x","KIND":"ipn"}`, `{"Type":""}`, `[]`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		_, err := decode(body)
		if is := envelope(body); is && err == nil {
			t.Error("taken for both")
		}
		if err == nil {
			return
		}
		// Anything else must go to the dead-letter queue.
		b, d := &refresher{}, &deadLetters{}
		w := &Worker{Accounts: accounts, Opener: opener{err: failing(t, `{}`)}, Refresher: b, DeadLetters: d, Now: time.Now}
		w.Batch(t.Context(), []Delivery{{ID: "0", Body: body}})
		if len(d.reasons) != 1 || len(b.got.Notifications)+len(b.got.Woken) > 0 {
			t.Errorf("dead-letter messages %v, refreshed %+v", d.reasons, b.got)
		}
	})
}
