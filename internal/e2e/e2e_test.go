package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"walletsync/internal/local/stack"
	"walletsync/internal/local/twin"
)

// shared is the stack that the tests of this package have in common.
var shared struct {
	once  sync.Once
	stack *stack.Stack
	book  book
	err   error
}

func TestMain(m *testing.M) {
	code := m.Run()
	closeBrowsers()
	if shared.stack != nil {
		if warnings, err := shared.stack.Postgres.Warnings(); err != nil || len(warnings) > 0 {
			fmt.Fprintf(os.Stderr, "%d different statements left a warning in the server's log: %v %.1000q\n", len(warnings), err, warnings)
			code = max(code, 1)
		}
		shared.stack.Close()
	}
	os.Exit(code)
}

// marginOfShared is the margin of the shared stack: a change of what changed
// less than that ago is held, and shown later.
const marginOfShared = time.Second

func running(t *testing.T) *stack.Stack {
	t.Helper()
	shared.once.Do(func() {
		dir, err := os.MkdirTemp("", "walletsync-e2e-")
		if err != nil {
			shared.err = err
			return
		}
		shared.stack, shared.err = stack.Start(context.Background(), stack.Options{Dir: dir, Output: &shared.book, Margin: marginOfShared})
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log("the last troubles:\n" + shared.book.troubles() + "what is wanted:\n" + wanted(shared.stack))
		}
	})
	return shared.stack
}

// wanted tells what a stack is about to read, for a test that has failed.
func wanted(s *stack.Stack) string {
	var rows string
	err := s.DB.QueryRow(context.Background(), `select coalesce(string_agg(to_jsonb(r)::text, E'\n'), 'nothing')
		from walletsync.refreshes r where wanted > done or lease is not null`).Scan(&rows)
	if err != nil {
		return err.Error()
	}
	return rows
}

// amazonsHosts returns a client that finds the twin at Amazon's own hosts.
func amazonsHosts(t *testing.T, s *stack.Stack) *http.Client {
	t.Helper()
	ca, err := os.ReadFile(s.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	proxy, err := url.Parse(s.ProxyURL)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: roots}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

const patience = 20 * time.Second

func until(t *testing.T, what string, done func() (bool, error)) {
	t.Helper()
	if err := stack.Until(t.Context(), patience, what, done); err != nil {
		t.Fatal(err)
	}
}

func post(t *testing.T, url, body string) (int, string) {
	t.Helper()
	got, err := http.Post(url, "application/json", strings.NewReader(body)) // of the stack
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	b, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return got.StatusCode, string(b)
}

func city(t *testing.T, s *stack.Stack, id string) func() (string, error) {
	return func() (c string, err error) {
		err = s.DB.QueryRow(t.Context(), `select coalesce(shipping_city, '') from walletsync.charge_permissions where id = $1`, id).Scan(&c)
		return c, err
	}
}

func TestAChangeAtAmazonReachesTheRow(t *testing.T) {
	s := running(t)
	const id = "S01-1000002-1000002"
	status, body := post(t, s.ControlURL+"/charge-permissions/"+id, `{"shippingAddress":{"city":"Farville"}}`)
	if status != http.StatusOK {
		t.Fatal(status, body)
	}
	until(t, "the row to change", func() (bool, error) {
		c, err := city(t, s, id)()
		return c == "Farville", err
	})
	until(t, "the confirmation", func() (bool, error) {
		var open bool
		err := s.DB.QueryRow(t.Context(), `select wanted > done from walletsync.refreshes where id = $1`, id).Scan(&open)
		return !open, err
	})
	var changes int
	if err := s.DB.QueryRow(t.Context(), `select count(*) from walletsync.charge_permission_changes
		where charge_permission = $1 and facet = 'address' and after ->> 'city' = 'Farville'`, id).Scan(&changes); err != nil {
		t.Fatal(err)
	}
	if changes != 1 {
		t.Errorf("%d change rows", changes)
	}
}

func TestTheDoorRefusesWhatSNSDidNotSign(t *testing.T) {
	s := running(t)
	for _, c := range []struct {
		name, url, body string
		want            int
	}{
		{"no envelope", s.IPNURL, `hello`, http.StatusBadRequest},
		{"wrong secret", s.IPNURL + "x", `{}`, http.StatusForbidden},
		{"another account", strings.Replace(s.IPNURL, "/main/", "/other/", 1), `{}`, http.StatusForbidden},
		{"not signed", s.IPNURL, fmt.Sprintf(`{"Type":"Notification","MessageId":"m","TopicArn":%q,"Message":"{}","Timestamp":"2026-01-01T00:00:00.000Z",
			"SignatureVersion":"2","Signature":"AAAA","SigningCertURL":"https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"}`, s.TopicARN), http.StatusForbidden},
		{"a foreign certificate", s.IPNURL, fmt.Sprintf(`{"Type":"Notification","MessageId":"m","TopicArn":%q,"Message":"{}","Timestamp":"2026-01-01T00:00:00.000Z",
			"SignatureVersion":"2","Signature":"AAAA","SigningCertURL":"https://sns.eu-west-1.amazonaws.com.example.com/x.pem"}`, s.TopicARN), http.StatusForbidden},
	} {
		t.Run(c.name, func(t *testing.T) {
			if status, body := post(t, c.url, c.body); status != c.want {
				t.Errorf("%d %s", status, body)
			}
		})
	}
}

func TestWhatCannotBeActedUponEndsInTheDeadLetterQueue(t *testing.T) {
	s := running(t)
	for _, c := range []struct{ reason, url, body string }{
		{"unreadable", "/notifications?raw=true", `not JSON`},
		{"wrong_merchant", "/notifications", `{"MerchantID":"ANOTHER","ObjectType":"CHARGE_PERMISSION","ObjectId":"S01-1000001-1000001","NotificationVersion":"V2"}`},
		{"foreign_topic", "/notifications?topic=arn:aws:sns:eu-west-1:999999999999:foreign", `{"MerchantID":"` + s.MerchantID + `","ObjectId":"S01-1000001-1000001","NotificationVersion":"V2"}`},
	} {
		t.Run(c.reason, func(t *testing.T) {
			if status, body := post(t, s.ControlURL+c.url, c.body); status != http.StatusAccepted {
				t.Fatal(status, body)
			}
			until(t, "the dead letter", func() (bool, error) {
				for _, m := range s.DLQ.Messages() {
					if m.Attributes["reason"].StringValue == c.reason {
						return true, nil
					}
				}
				return false, nil
			})
		})
	}
}

func TestOldVersionsAreRecordedAndDone(t *testing.T) {
	s := running(t)
	if status, body := post(t, s.ControlURL+"/notifications", `{"NotificationData":"<xml/>","NotificationReferenceId":"old"}`); status != http.StatusAccepted {
		t.Fatal(status, body)
	}
	until(t, "its record", func() (bool, error) {
		var n int
		err := s.DB.QueryRow(t.Context(), `select count(*) from walletsync.notifications where object_type = 'OLD_VERSION' and outcome = 'recorded'`).Scan(&n)
		return n == 1, err
	})
}

func TestAWorkerThatDiesLosesNothing(t *testing.T) {
	s := running(t)
	const id = "S01-1000003-1000003"
	hold := s.Twin.Hold(twin.GetChargePermission, id, false)
	defer hold.Close()
	if _, err := s.Twin.Change(id, []byte(`{"shippingAddress":{"city":"Aftercrash"}}`), twin.Notify{}); err != nil {
		t.Fatal(err)
	}
	if _, err := hold.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Worker.Kill()
	hold.Close()
	until(t, "the worker to be gone", func() (bool, error) { return s.Worker.Stats().Running == 0, nil })
	// The lease and the visibility time-out are the protocol's own way back;
	// a second notification of the same state must not need to wait for them
	// to be recorded, and the lease's end brings the fetch.
	if _, err := s.DB.Exec(t.Context(), `update walletsync.refreshes set lease_until = clock_timestamp() where id = $1 and lease is not null`, id); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Twin.Change(id, []byte(`{}`), twin.Notify{}); err != nil {
		t.Fatal(err)
	}
	until(t, "the row to change", func() (bool, error) {
		c, err := city(t, s, id)()
		return c == "Aftercrash", err
	})
}

func TestStackJSONSaysWhereEverythingIs(t *testing.T) {
	s := running(t)
	b, err := json.Marshal(s.Description)
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]string
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"statusUrl", "ipnUrl", "amazonPayUrl", "caFile", "controlUrl", "checkoutScriptUrl", "databaseUrl", "queueUrl",
		"deadLetterQueueUrl", "merchantId", "publicKeyId", "privateKeyFile", "topicArn"} {
		if all[name] == "" {
			t.Errorf("%s is missing", name)
		}
	}
}
