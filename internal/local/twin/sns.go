package twin

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	crand "crypto/rand"
	"crypto/rsa"
	"crypto/sha1" // signature version 1 of SNS is SHA-1
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
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// SNS says how notifications are signed and delivered. The zero value is SNS's
// default.
type SNS struct {
	// RetryAfter is the time between attempts. 0: 20 s, SNS's default policy
	// ("Amazon SNS message delivery retries").
	RetryAfter time.Duration
	// Client delivers; nil: one that waits 15 s for an answer, as SNS does.
	Client *http.Client
}

const (
	maxRetries      = 3  // SNS's default policy
	maxDeliveries   = 64 // POSTs under way at once
	deliveryTimeout = 15 * time.Second
	certificatePath = "/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
	snsTime         = "2006-01-02T15:04:05.000Z"
)

func (s SNS) client() *http.Client {
	if s.Client != nil {
		return s.Client
	}
	return &http.Client{
		Timeout:       deliveryTimeout,
		Transport:     &http.Transport{MaxIdleConnsPerHost: maxDeliveries},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Notify says how a notification is sent; the zero value is the usual way.
type Notify struct {
	Account    string        // merchant id, also with /environment; empty: the object's, or the first
	Silent     bool          // a change without a notification
	Type       string        // NotificationType
	ObjectType string        // empty: CHARGE_PERMISSION
	ObjectID   string        // empty: the charge permission's, with a suffix for other objects
	Times      int           // different notifications of one moment; 0: one
	Delay      time.Duration // before the first attempt
	Age        time.Duration // how long ago it was published: its signed Timestamp is so much earlier
	Topic      string        // ARN; empty: the account's
	Version    string        // signature version, 1 or 2; empty: the two in turn
}

const maxTimes = 10000

// certificateAge is how old the certificate of SNS is when the twin starts; no
// message may be older.
const certificateAge = 24 * time.Hour

func (n Notify) check() error {
	switch {
	case n.Times < 0 || n.Times > maxTimes:
		return fmt.Errorf("times is 1 to %d", maxTimes)
	case n.Version != "" && n.Version != "1" && n.Version != "2":
		return fmt.Errorf("signature version %q is neither 1 nor 2", clip(n.Version, 10))
	case n.Delay < 0 || n.Delay > time.Hour:
		return errors.New("delay is 0 to 1h")
	case n.Age < 0 || n.Age >= certificateAge:
		return fmt.Errorf("age is 0 to less than %s", certificateAge)
	}
	return nil
}

// notify publishes the notifications of a charge permission.
func (t *Twin) notify(id string, n Notify) ([]string, error) {
	t.mu.Lock()
	p := t.permissions[id]
	owner := t.accounts[0]
	if p != nil {
		owner = p.account
	}
	t.mu.Unlock()
	n.ObjectType, n.Type, n.Topic = cmp.Or(n.ObjectType, "CHARGE_PERMISSION"), cmp.Or(n.Type, "STATE_CHANGE"), cmp.Or(n.Topic, owner.TopicARN)
	if n.ObjectID == "" {
		n.ObjectID = id
		if n.ObjectType != "CHARGE_PERMISSION" {
			n.ObjectID += "-C056351"
		}
	}
	var sent []string
	published := t.now().Add(-n.Age)
	for range max(1, n.Times) {
		message, err := json.Marshal(map[string]string{"MerchantID": owner.MerchantID, "ObjectType": n.ObjectType, "ObjectId": n.ObjectID,
			"ChargePermissionId": id, "NotificationType": n.Type, "NotificationId": t.uuid(), "NotificationVersion": "V2"})
		if err != nil {
			return sent, err
		}
		got, err := t.publish(string(message), id, n, published)
		if err != nil {
			return sent, err
		}
		sent = append(sent, got)
	}
	return sent, nil
}

// Publish has SNS deliver a message, any text, and returns its message id. The
// charge permission's id is for faults, which choose notifications by it.
func (t *Twin) Publish(message, id string, n Notify) (messageID string, err error) {
	if err := n.check(); err != nil {
		return "", err
	}
	return t.publish(message, id, n, t.now().Add(-n.Age))
}

func (t *Twin) publish(message, id string, n Notify, at time.Time) (messageID string, err error) {
	owner, err := t.accountNamed(n.Account)
	if err != nil {
		return "", err
	}
	e, err := t.signer.envelope("Notification", cmp.Or(n.Topic, owner.TopicARN), t.uuid(), message, "", at, n.Version)
	if err != nil {
		return "", err
	}
	endpoint, subscription := t.endpointOf(owner.TopicARN)
	d := &notification{id: id, envelope: e, endpoint: endpoint, subscription: subscription}
	t.count(func(s *Stats) { s.IPNs.Published++ })
	t.pend(1)
	f := t.ipnFault(id)
	switch {
	case f.Drop:
		t.finish(func(s *IPNStats) { s.Dropped++ })
		return e.MessageID, nil
	case endpoint == "":
		t.finish(func(s *IPNStats) { s.Unsubscribed++ })
		return e.MessageID, nil
	}
	d.delay = n.Delay + time.Duration(f.Delay)
	if f.Reorder > 0 {
		t.mu.Lock()
		t.held = append(t.held, d)
		var all []*notification
		if len(t.held) >= f.Reorder {
			all, t.held = t.held, nil
		}
		t.mu.Unlock()
		t.deliverReversed(all)
		return e.MessageID, nil
	}
	t.deliver(d)
	for range f.Duplicates {
		t.count(func(s *Stats) { s.IPNs.Copies++ })
		t.pend(1)
		t.deliver(d)
	}
	return e.MessageID, nil
}

// notification is a message on its way.
type notification struct {
	id           string
	envelope     envelope
	endpoint     string
	subscription string // ARN
	delay        time.Duration
}

func (t *Twin) deliverReversed(all []*notification) {
	for _, d := range slices.Backward(all) {
		t.deliver(d)
	}
}

// deliver tries until the endpoint takes it, refuses it, or SNS gives up.
func (t *Twin) deliver(d *notification) {
	t.task(func(ctx context.Context) {
		if !t.wait(ctx, d.delay) {
			t.finish(func(s *IPNStats) { s.Dropped++ })
			return
		}
		after := cmp.Or(t.options.SNS.RetryAfter, 20*time.Second)
		for attempt := 0; ; attempt++ {
			t.count(func(s *Stats) { s.IPNs.Attempts++ })
			status := t.post(ctx, d.endpoint, d.envelope, d.subscription)
			switch {
			case status >= 200 && status < 300:
				t.log.Info().Int("status", status).Str("messageId", d.envelope.MessageID).Msg("notification taken")
				t.finish(func(s *IPNStats) { s.Delivered++ })
				return
			case status >= 400 && status < 500 && status != http.StatusTooManyRequests:
				t.log.Warn().Int("status", status).Str("messageId", d.envelope.MessageID).Msg("notification refused")
				t.finish(func(s *IPNStats) { s.Refused++ })
				return
			case attempt == maxRetries:
				t.finish(func(s *IPNStats) { s.GivenUp++ })
				return
			}
			if !t.wait(ctx, after) {
				t.finish(func(s *IPNStats) { s.Dropped++ })
				return
			}
		}
	})
}

// post delivers once and returns the status, 0 without an answer.
func (t *Twin) post(ctx context.Context, endpoint string, e envelope, subscription string) int {
	select {
	case t.slots <- struct{}{}:
		defer func() { <-t.slots }()
	case <-ctx.Done():
		return 0
	}
	body, err := json.Marshal(e)
	if err != nil {
		return 0
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, bytes.NewReader(body))
	if err != nil {
		return 0
	}
	q.Header.Set("Content-Type", "text/plain; charset=UTF-8")
	q.Header.Set("User-Agent", "Amazon Simple Notification Service Agent")
	q.Header.Set("x-amz-sns-message-type", e.Type)
	q.Header.Set("x-amz-sns-message-id", e.MessageID)
	q.Header.Set("x-amz-sns-topic-arn", e.TopicARN)
	if subscription != "" {
		q.Header.Set("x-amz-sns-subscription-arn", subscription)
	}
	got, err := t.client.Do(q)
	if err != nil {
		return 0
	}
	defer got.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(got.Body, 64<<10))
	return got.StatusCode
}

// pend and finish keep count of what is under way.
func (t *Twin) pend(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pending == 0 {
		t.idle = make(chan struct{})
	}
	t.pending += n
}

func (t *Twin) finish(f func(*IPNStats)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(&t.stats.IPNs)
	if t.pending--; t.pending == 0 {
		close(t.idle)
	}
}

// Idle waits until no notification is under way.
func (t *Twin) Idle(ctx context.Context) error {
	for {
		t.mu.Lock()
		idle := t.idle
		t.mu.Unlock()
		select {
		case <-idle:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// subscription is the endpoint of a topic.
type subscription struct {
	endpoint  string
	arn       string
	token     string
	confirmed bool
}

func (t *Twin) subscribe(topic, endpoint string, confirmed bool) error {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("the endpoint is not an http or https URL")
	}
	s := &subscription{endpoint: endpoint, arn: topic + ":" + t.uuid(), token: strings.ReplaceAll(t.uuid()+t.uuid(), "-", ""), confirmed: confirmed}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.subscriptions[topic] = s
	return nil
}

// Subscribe makes endpoint the topic's only one, and sends it the subscription
// confirmation.
func (t *Twin) Subscribe(topic, endpoint string) error {
	if err := t.subscribe(topic, endpoint, false); err != nil {
		return err
	}
	return t.confirm(topic)
}

// Subscribed reports whether the topic's endpoint has confirmed.
func (t *Twin) Subscribed(topic string) bool {
	endpoint, _ := t.endpointOf(topic)
	return endpoint != ""
}

func (t *Twin) endpointOf(topic string) (endpoint, arn string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.subscriptions[topic]; s != nil && s.confirmed {
		return s.endpoint, s.arn
	}
	return "", ""
}

// confirm sends the SubscriptionConfirmation of a topic.
func (t *Twin) confirm(topic string) error {
	t.mu.Lock()
	s := t.subscriptions[topic]
	t.mu.Unlock()
	t.count(func(s *Stats) { s.SubscriptionConfirmations++ })
	return t.announce(s, "", topic, "SubscriptionConfirmation",
		"You have chosen to subscribe to the topic "+topic+".\nTo confirm the subscription, visit the SubscribeURL included in this message.")
}

// Unsubscribe ends the topic's subscription, and SNS informs the endpoint of it
// once.
func (t *Twin) Unsubscribe(topic string) error {
	t.mu.Lock()
	s := t.subscriptions[topic]
	delete(t.subscriptions, topic)
	t.mu.Unlock()
	if s == nil {
		return errors.New("the topic has no subscription")
	}
	return t.announce(s, s.arn, topic, "UnsubscribeConfirmation",
		"You have chosen to deactivate subscription "+s.arn+".\nTo cancel this operation and restore the subscription, visit the SubscribeURL included in this message.")
}

// announce sends a subscription's endpoint a message about the subscription.
// One that is not confirmed has no ARN yet.
func (t *Twin) announce(s *subscription, arn, topic, kind, message string) error {
	e, err := t.signer.envelope(kind, topic, t.uuid(), message, s.token, t.now(), "")
	if err != nil {
		return err
	}
	t.task(func(ctx context.Context) {
		for range 4 {
			if status := t.post(ctx, s.endpoint, e, arn); status >= 200 && status < 500 || !t.wait(ctx, time.Second) {
				return
			}
		}
	})
	return nil
}

// envelope is what SNS delivers ("HTTP/HTTPS notification JSON format").
type envelope struct {
	Type             string
	MessageID        string `json:"MessageId"`
	Token            string `json:",omitempty"`
	TopicARN         string `json:"TopicArn"`
	Message          string
	SubscribeURL     string `json:",omitempty"`
	Timestamp        string
	SignatureVersion string
	Signature        string
	SigningCertURL   string
	UnsubscribeURL   string `json:",omitempty"`
}

// snsKey is the key of all twins of a process, as making one takes longer than
// most tests: there is only one SNS.
var snsKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(crand.Reader, 2048) })

// snsSigner signs as SNS does, with a certificate of its own.
type snsSigner struct {
	key         *rsa.PrivateKey
	certificate []byte       // PEM
	signed      atomic.Int64 // messages without a chosen version
}

func newSNSSigner(now time.Time) (*snsSigner, error) {
	key, err := snsKey()
	if err != nil {
		return nil, fmt.Errorf("make the key of SNS: %w", err)
	}
	// SNS serves the leaf alone, under this name.
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "sns.amazonaws.com"},
		NotBefore: now.Add(-certificateAge), NotAfter: now.Add(365 * 24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(crand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("make the certificate of SNS: %w", err)
	}
	return &snsSigner{key: key, certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}, nil
}

// envelope returns the signed message.
func (s *snsSigner) envelope(kind, topic, id, message, token string, now time.Time, version string) (envelope, error) {
	region, err := parseTopic(topic)
	if err != nil {
		return envelope{}, err
	}
	if version == "" { // in turn
		version = []string{"1", "2"}[s.signed.Add(1)%2]
	}
	host := "https://sns." + region + ".amazonaws.com"
	e := envelope{Type: kind, MessageID: id, TopicARN: topic, Message: message, Timestamp: now.UTC().Format(snsTime),
		SignatureVersion: version, SigningCertURL: host + certificatePath}
	if kind == "Notification" {
		e.UnsubscribeURL = host + "/?Action=Unsubscribe&SubscriptionArn=" + url.QueryEscape(topic)
	} else {
		e.Token = token
		e.SubscribeURL = host + "/?Action=ConfirmSubscription&TopicArn=" + url.QueryEscape(topic) + "&Token=" + token
	}
	e.Signature, err = s.sign(e)
	return e, err
}

func (s *snsSigner) sign(e envelope) (string, error) {
	var b strings.Builder
	line := func(k, v string) { b.WriteString(k + "\n" + v + "\n") }
	line("Message", e.Message)
	line("MessageId", e.MessageID)
	if e.Type != "Notification" {
		line("SubscribeURL", e.SubscribeURL)
	}
	line("Timestamp", e.Timestamp)
	if e.Type != "Notification" {
		line("Token", e.Token)
	}
	line("TopicArn", e.TopicARN)
	line("Type", e.Type)
	kind, sum := crypto.SHA256, sha256.Sum256([]byte(b.String()))
	digest := sum[:]
	if e.SignatureVersion == "1" {
		old := sha1.Sum([]byte(b.String())) // as above
		kind, digest = crypto.SHA1, old[:]
	}
	signature, err := rsa.SignPKCS1v15(nil, s.key, kind, digest)
	if err != nil {
		return "", fmt.Errorf("sign as SNS: %w", err)
	}
	return base64.StdEncoding.EncodeToString(signature), nil
}

var topicARN = regexp.MustCompile(`^arn:aws:sns:([a-z]{2}(?:-[a-z]+)+-[0-9]):[0-9]{12}:[A-Za-z0-9_-]{1,256}$`)

// parseTopic returns the region of a topic's ARN.
func parseTopic(arn string) (region string, err error) {
	m := topicARN.FindStringSubmatch(arn)
	if m == nil {
		return "", fmt.Errorf("%q is not the ARN of an SNS topic", clip(arn, 100))
	}
	return m[1], nil
}

// serveSNS is SNS's host: the certificate, and the confirmation of
// subscriptions.
func (t *Twin) serveSNS(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == certificatePath:
		o := t.perform(r, GetSigningCertificate, "", func() answer {
			return answer{status: http.StatusOK, body: t.signer.certificate, header: http.Header{"Content-Type": {"application/x-pem-file"}}}
		})
		t.send(w, r, o)
	case r.URL.Query().Get("Action") == "ConfirmSubscription":
		o := t.perform(r, ConfirmSubscription, "", func() answer {
			return t.confirmSubscription(r.URL.Query().Get("TopicArn"), r.URL.Query().Get("Token"))
		})
		t.send(w, r, o)
	default:
		http.NotFound(w, r)
	}
}

func (t *Twin) confirmSubscription(topic, token string) answer {
	xml := http.Header{"Content-Type": {"text/xml"}}
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.subscriptions[topic]
	if s == nil || s.token != token {
		return answer{status: http.StatusBadRequest, header: xml,
			body: []byte(`<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>Sender</Type><Code>InvalidParameter</Code><Message>Invalid parameter: Token</Message></Error></ErrorResponse>`)}
	}
	s.confirmed = true
	return answer{status: http.StatusOK, header: xml,
		body: []byte(`<ConfirmSubscriptionResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><ConfirmSubscriptionResult><SubscriptionArn>` + s.arn + `</SubscriptionArn></ConfirmSubscriptionResult></ConfirmSubscriptionResponse>`)}
}
