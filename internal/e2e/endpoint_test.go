package e2e

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"walletsync/internal/local/aws/sqs"
	"walletsync/internal/local/fault/wire"
	"walletsync/internal/local/stack"
	"walletsync/internal/local/twin"
)

// outage is a stack whose Postgres can be unreachable and whose twin has its own
// clock.
type outage struct {
	*stack.Stack
	database *wire.Proxy
	ahead    atomic.Int64 // offset of the twin's clock, nanoseconds
	restore  func()

	mu     sync.Mutex
	output bytes.Buffer
}

// The buyer of these tests. No log may contain this data.
const (
	buyer = "Ida Example"
	email = "ida@buyer.example"
	city1 = "Dayold"
)

var person = fmt.Sprintf(`{"buyer":{"name":%q,"email":%q},"shippingAddress":{"name":%q,"addressLine1":"7 Quiet Lane","city":%q,"phoneNumber":"0800555123"},
	"paymentPreferences":[{"paymentDescriptor":"Visa ****9876 (Amazon Pay)"}]}`, buyer, email, buyer, city1)

func (o *outage) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.output.Write(p)
}

func (o *outage) now() time.Time { return time.Now().Add(time.Duration(o.ahead.Load())) }

// at sets the twin's clock ahead and makes the queues check their messages.
func (o *outage) at(t *testing.T, ahead time.Duration) {
	t.Helper()
	o.ahead.Store(int64(ahead))
	for _, q := range []*sqs.Queue{o.Queue, o.DLQ} {
		if err := q.SetSettings(q.Settings()); err != nil {
			t.Fatal(err)
		}
	}
}

// withoutPostgres starts a stack whose worker cannot reach Postgres until
// restore is called.
func withoutPostgres(t *testing.T, ahead time.Duration) *outage {
	t.Helper()
	ownStacks.take(t)
	o := &outage{}
	o.ahead.Store(int64(ahead))
	var err error
	o.Stack, err = stack.Start(context.Background(), stack.Options{Dir: t.TempDir(), PostgresInMemory: true, NoSeed: true, Now: o.now, Output: o,
		DatabaseURL: func(url string) (_ string, err error) {
			if o.database, err = wire.Listen(url); err != nil {
				return "", err
			}
			o.restore = o.database.On(wire.Opened, nil, wire.Do(wire.Cut))
			return o.database.URL(), nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		o.Close()
		_ = o.database.Close()
		o.checkOutput(t)
	})
	return o
}

// checkOutput checks that the output of the functions and the twin contains neither
// personal data nor secrets.
func (o *outage) checkOutput(t *testing.T) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	output := o.output.String()
	for _, line := range []string{`"outcome":"read"`, `"outcome":"not_committed"`, `"APILatency"`} {
		if !strings.Contains(output, line) && !t.Failed() {
			t.Errorf("no line has %s, so this test does not see all output", line)
		}
	}
	for _, secret := range []string{buyer, email, "Quiet Lane", city1, "0800555123", "****9876", "local-path-secret", "PRIVATE KEY"} {
		for line := range strings.Lines(output) {
			if strings.Contains(line, secret) {
				t.Errorf("%s is in a line: %s", secret, line)
			}
		}
	}
}

// failed waits until the worker has failed on the message n times and logged it.
func (o *outage) failed(t *testing.T, n int) {
	t.Helper()
	until(t, "the worker to fail", func() (bool, error) {
		o.mu.Lock()
		failures := strings.Count(o.output.String(), `"outcome":"not_committed"`)
		o.mu.Unlock()
		messages := o.Queue.Messages()
		return len(messages) == 1 && messages[0].Receives >= n && failures >= n, nil
	})
}

// processed waits until the buyer's new address is stored.
func (o *outage) processed(t *testing.T, id string) {
	t.Helper()
	until(t, "the row", func() (bool, error) {
		c, err := city(t, o.Stack, id)()
		return c == city1, err
	})
}

func TestAMessageThatWaitedADayForPostgresIsProcessed(t *testing.T) {
	t.Parallel()
	const day, id = 25 * time.Hour, "S01-3000001-3000001"
	o := withoutPostgres(t, -day)
	if s := o.Queue.Settings(); time.Duration(s.MaxReceives)*s.VisibilityTimeout < day {
		t.Fatalf("after %v the queue gives up a message", time.Duration(s.MaxReceives)*s.VisibilityTimeout)
	}
	if _, err := o.Twin.Change(id, []byte(person), twin.Notify{}); err != nil {
		t.Fatal(err)
	}
	const times = 25
	for n := range times {
		o.at(t, -day+time.Duration(n)*time.Hour)
		o.failed(t, n+1)
	}
	o.restore()
	o.at(t, 0)
	o.processed(t, id)
	var waited time.Duration
	if err := o.DB.QueryRow(t.Context(), `select processed_at - published_at from walletsync.notifications`).Scan(&waited); err != nil {
		t.Fatal(err)
	}
	if waited < 24*time.Hour || waited > day+time.Hour {
		t.Errorf("the message waited %v", waited)
	}
	if dead := o.DLQ.Messages(); len(dead) > 0 {
		t.Errorf("dead-letter messages: %+v", dead)
	}
}

// subscribed makes take the only subscriber of the account's topic and returns a
// client for SNS.
func subscribed(t *testing.T, s *stack.Stack, take func(envelope string)) *http.Client {
	t.Helper()
	sns := amazonsHosts(t, s)
	endpoint := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		var e struct{ Type, SubscribeURL string }
		if err != nil || json.Unmarshal(body, &e) != nil {
			t.Errorf("SNS delivered %q", body)
		}
		if e.Type == "Notification" {
			take(string(body))
			return
		}
		if err := download(sns, e.SubscribeURL, nil); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(endpoint.Close)
	if err := s.Twin.Subscribe(s.TopicARN, endpoint.URL); err != nil {
		t.Fatal(err)
	}
	until(t, "the subscription", func() (bool, error) { return s.Twin.Subscribed(s.TopicARN), nil })
	return sns
}

// relay subscribes the queue to the account's topic, without the receiver.
func (o *outage) relay(t *testing.T) *http.Client {
	t.Helper()
	return subscribed(t, o.Stack, func(envelope string) {
		if _, err := o.Queue.Send(sqs.SendInput{Body: envelope}); err != nil {
			t.Error(err)
		}
	})
}

func download(c *http.Client, url string, into io.Writer) error {
	got, err := c.Get(url)
	if err != nil {
		return err
	}
	defer got.Body.Close()
	if into == nil {
		into = io.Discard
	}
	_, err = io.Copy(into, got.Body)
	return err
}

// signingCertificate fetches the certificate of an envelope.
func (o *outage) signingCertificate(t *testing.T, sns *http.Client, body string) *x509.Certificate {
	t.Helper()
	var e struct{ SigningCertURL string }
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := download(sns, e.SigningCertURL, &file); err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(file.Bytes())
	if block == nil {
		t.Fatalf("%s is %q", e.SigningCertURL, file.Bytes())
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestARedrivenMessageWithAnExpiredCertificateIsProcessed(t *testing.T) {
	t.Parallel()
	const day, id = 24 * time.Hour, "S01-3000002-3000002"
	o := withoutPostgres(t, -368*day) // the certificate of SNS is created now, for 365 days
	sns := o.relay(t)
	settings := o.Queue.Settings()
	settings.MaxReceives = 1 // as after a long outage
	if err := o.Queue.SetSettings(settings); err != nil {
		t.Fatal(err)
	}
	o.at(t, -4*day)
	if _, err := o.Twin.Change(id, []byte(person), twin.Notify{}); err != nil {
		t.Fatal(err)
	}
	o.failed(t, 1)
	o.at(t, -4*day+time.Hour)
	until(t, "the dead-letter message", func() (bool, error) { return len(o.DLQ.Messages()) == 1, nil })

	c := o.signingCertificate(t, sns, o.DLQ.Messages()[0].Body)
	if now := time.Now(); now.Before(c.NotAfter) || now.Add(-4*day).After(c.NotAfter) {
		t.Fatalf("the certificate is valid until %v: it must have expired after the message was sent", c.NotAfter)
	}
	// The next worker has not cached the certificate.
	o.Worker.Kill()
	until(t, "the worker to end", func() (bool, error) { return o.Worker.Stats().Running == 0, nil })
	o.restore()
	settings.MaxReceives = 1000
	if err := o.Queue.SetSettings(settings); err != nil {
		t.Fatal(err)
	}
	o.at(t, 0)
	if moved, err := o.DLQ.Redrive(o.Queue); err != nil || moved != 1 {
		t.Fatalf("moved %d, %v", moved, err)
	}
	o.processed(t, id)
}

// TestAnInvalidRelayedMessageIsDeadLettered covers messages that reach the queue
// without the receiver.
func TestAnInvalidRelayedMessageIsDeadLettered(t *testing.T) {
	s := running(t)
	ours := `{"MerchantID":"` + s.MerchantID + `","ObjectId":"S01-1000001-1000001","NotificationVersion":"V2"}`
	signed := make(chan string, 1)
	subscribed(t, s, func(envelope string) { signed <- envelope })
	t.Cleanup(func() { // restore the receiver's subscription
		if err := s.Twin.Subscribe(s.TopicARN, s.IPNURL); err != nil {
			t.Error(err)
		}
		if err := stack.Until(context.Background(), eventTimeout, "the subscription", func() (bool, error) { return s.Twin.Subscribed(s.TopicARN), nil }); err != nil {
			t.Error(err)
		}
	})
	sign := func(message, topic string) string {
		if _, err := s.Twin.Publish(message, "", twin.Notify{Topic: topic}); err != nil {
			t.Fatal(err)
		}
		return <-signed
	}
	for _, c := range []struct {
		reason string
		body   func() string
	}{
		{"wrong_merchant", func() string { return sign(strings.Replace(ours, s.MerchantID, "A9OTHER", 1), s.TopicARN) }},
		{"foreign_topic", func() string { return sign(ours, "arn:aws:sns:eu-west-1:999999999999:relayed") }},
		{"raw_delivery", func() string { return ours }},
		{"forged", func() string { return strings.Replace(sign(ours, s.TopicARN), "S01-1000001", "S01-1000002", 1) }},
	} {
		t.Run(c.reason, func(t *testing.T) {
			body := c.body()
			if _, err := s.Queue.Send(sqs.SendInput{Body: body}); err != nil {
				t.Fatal(err)
			}
			until(t, "the dead-letter message", func() (bool, error) {
				for _, m := range s.DLQ.Messages() {
					if m.Body == body {
						if got := m.Attributes["reason"].StringValue; got != c.reason {
							return false, fmt.Errorf("the reason is %q", got)
						}
						return true, nil
					}
				}
				return false, nil
			})
		})
	}
}
