package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"walletsync/internal/local/pg/pgtest"
	"walletsync/internal/local/stack"
	"walletsync/internal/local/twin"
)

func TestMain(m *testing.M) {
	flag.Parse()
	oneByOne := false // for debugging
	flag.Visit(func(f *flag.Flag) { oneByOne = oneByOne || f.Name == "test.parallel" && f.Value.String() == "1" })
	if !oneByOne {
		// Tests mostly wait, so more can run than there are processors. turns limits
		// those that use costly resources.
		_ = flag.Set("test.parallel", "100")
	}
	code := pgtest.Run(m)
	closeBrowsers()
	if err := closeStacks(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// turns limits how many tests use a costly resource at once. A test keeps its turn
// until it ends and shares it with its subtests.
type turns struct {
	free chan struct{}
	mu   sync.Mutex
	has  map[string]bool // by the test's name
}

func newTurns(atOnce int) *turns {
	return &turns{free: make(chan struct{}, atOnce), has: map[string]bool{}}
}

// take waits for the test's turn.
func (u *turns) take(tb testing.TB) {
	tb.Helper()
	name := tb.Name()
	u.mu.Lock()
	alreadyHas := slices.ContainsFunc(ancestry(name), func(n string) bool { return u.has[n] })
	u.mu.Unlock()
	if alreadyHas {
		return
	}
	u.free <- struct{}{}
	u.mu.Lock()
	u.has[name] = true
	u.mu.Unlock()
	tb.Cleanup(func() {
		u.mu.Lock()
		delete(u.has, name)
		u.mu.Unlock()
		<-u.free
	})
}

// ancestry returns a test's name and the names of its parent tests.
func ancestry(name string) []string {
	names := []string{name}
	for i, c := range name {
		if c == '/' {
			names = append(names, name[:i])
		}
	}
	return names
}

// Resources used in turns: own stacks and browsers.
var (
	ownStacks = newTurns(4)
	browsing  = newTurns(3)
)

// lent is a stack that one test uses at a time.
type lent struct {
	stack *stack.Stack
	book  book
	err   error
}

// lending has the stacks that running lends. They start on demand.
var lending = newLending(3)

type stacksToLend struct {
	free chan *lent
	all  []*lent
	mu   sync.Mutex
	to   map[string]*lent // by the test's name
}

func newLending(stacks int) *stacksToLend {
	l := &stacksToLend{free: make(chan *lent, stacks), to: map[string]*lent{}}
	for range stacks {
		l.all = append(l.all, &lent{})
		l.free <- l.all[len(l.all)-1]
	}
	return l
}

// closeStacks fails if a statement left a warning in a server's log.
func closeStacks() error {
	var all sync.WaitGroup
	var errs []error
	for _, l := range lending.all {
		if l.stack != nil {
			errs = append(errs, warned(l.stack))
			all.Go(l.stack.Close)
		}
	}
	all.Wait()
	return errors.Join(errs...)
}

// warned returns an error if a statement left a warning in the server's log. In
// production each use would log it.
func warned(s *stack.Stack) error {
	warnings, err := s.Postgres.Warnings()
	if err != nil || len(warnings) == 0 {
		return err
	}
	return fmt.Errorf("%d different statements left a warning in the server's log, the first: %.1000s", len(warnings), warnings[0])
}

// marginOfShared is the READ_LAG_MARGIN of the shared stacks. A change that follows
// another one within the margin is withheld and stored later.
const marginOfShared = time.Second

// running lends the test a stack with the twin's first buyers. No other test uses
// the stack, its faults or its dead-letter messages until the test ends. The test
// runs in parallel; see the package's documentation.
func running(t *testing.T) *stack.Stack {
	t.Helper()
	return borrow(t).stack
}

// borrow is like running, and returns the stack with its logs.
func borrow(t *testing.T) *lent {
	t.Helper()
	lending.mu.Lock()
	for _, name := range ancestry(t.Name()) {
		if l := lending.to[name]; l != nil {
			lending.mu.Unlock()
			return l
		}
	}
	lending.mu.Unlock()
	t.Parallel()
	l := <-lending.free
	if l.stack == nil && l.err == nil {
		l.start()
	}
	lending.mu.Lock()
	lending.to[t.Name()] = l
	lending.mu.Unlock()
	t.Cleanup(func() {
		if t.Failed() && l.stack != nil {
			t.Log("the last troubles:\n" + l.book.troubles() + "what is wanted:\n" + wanted(l.stack))
		}
		lending.mu.Lock()
		delete(lending.to, t.Name())
		lending.mu.Unlock()
		lending.free <- l
	})
	if l.err != nil {
		t.Fatal(l.err)
	}
	return l
}

func (l *lent) start() {
	dir, err := os.MkdirTemp("", "walletsync-e2e-")
	if err != nil {
		l.err = err
		return
	}
	l.stack, l.err = stack.Start(context.Background(), stack.Options{Dir: dir, Output: &l.book, Margin: marginOfShared, PostgresInMemory: true})
}

// wanted returns the open refresh requests, for the message of a failed test.
func wanted(s *stack.Stack) string {
	var rows string
	err := s.DB.QueryRow(context.Background(), `select coalesce(string_agg(to_jsonb(r)::text, E'\n'), 'nothing')
		from walletsync.refreshes r where wanted > done or lease is not null`).Scan(&rows)
	if err != nil {
		return err.Error()
	}
	return rows
}

// amazonsHosts returns a client that reaches the twin under Amazon's hostnames.
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

// eventTimeout limits how long a test waits for an event. It is longer than a busy
// machine needs.
const eventTimeout = 90 * time.Second

func until(t *testing.T, what string, done func() (bool, error)) {
	t.Helper()
	if err := stack.Until(t.Context(), eventTimeout, what, done); err != nil {
		t.Fatal(err)
	}
}

func post(t *testing.T, url, body string) (int, string) {
	t.Helper()
	got, err := http.Post(url, "application/json", strings.NewReader(body)) // a URL of the stack
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
		where charge_permission = $1 and facet = 'shipping_address' and after ->> 'city' = 'Farville'`, id).Scan(&changes); err != nil {
		t.Fatal(err)
	}
	if changes != 1 {
		t.Errorf("%d change rows", changes)
	}
}

func TestTheIPNEndpointRefusesMessagesThatSNSDidNotSign(t *testing.T) {
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
		{"an unexpected certificate", s.IPNURL, fmt.Sprintf(`{"Type":"Notification","MessageId":"m","TopicArn":%q,"Message":"{}","Timestamp":"2026-01-01T00:00:00.000Z",
			"SignatureVersion":"2","Signature":"AAAA","SigningCertURL":"https://sns.eu-west-1.amazonaws.com.example.com/x.pem"}`, s.TopicARN), http.StatusForbidden},
	} {
		t.Run(c.name, func(t *testing.T) {
			if status, body := post(t, c.url, c.body); status != c.want {
				t.Errorf("%d %s", status, body)
			}
		})
	}
}

func TestInvalidNotificationsAreDeadLettered(t *testing.T) {
	s := running(t)
	for _, c := range []struct{ reason, url, body string }{
		{"unreadable", "/notifications?raw=true", `not JSON`},
		{"names_nothing", "/notifications", `{}`},
		{"wrong_merchant", "/notifications", `{"MerchantID":"ANOTHER","ObjectType":"CHARGE_PERMISSION","ObjectId":"S01-1000001-1000001","NotificationVersion":"V2"}`},
		{"foreign_topic", "/notifications?topic=arn:aws:sns:eu-west-1:999999999999:foreign", `{"MerchantID":"` + s.MerchantID + `","ObjectId":"S01-1000001-1000001","NotificationVersion":"V2"}`},
	} {
		t.Run(c.reason, func(t *testing.T) {
			if status, body := post(t, s.ControlURL+c.url, c.body); status != http.StatusAccepted {
				t.Fatal(status, body)
			}
			until(t, "the dead-letter message", func() (bool, error) {
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

// TestNotificationsOfEveryVersionAreProcessed: the object decides, not the version.
func TestNotificationsOfEveryVersionAreProcessed(t *testing.T) {
	s := running(t)
	const id = "S01-1000007-1000007"
	for i, version := range []string{`,"NotificationVersion":"v2"`, `,"NotificationVersion":"V3"`, ``} {
		want := fmt.Sprintf("Versiontown %d", i)
		if _, err := s.Twin.Change(id, fmt.Appendf(nil, `{"shippingAddress":{"city":%q}}`, want), twin.Notify{Silent: true}); err != nil {
			t.Fatal(err)
		}
		message := `{"MerchantID":"` + s.MerchantID + `","ObjectType":"CHARGE_PERMISSION","ObjectId":"` + id + `"` + version + `}`
		if status, body := post(t, s.ControlURL+"/notifications", message); status != http.StatusAccepted {
			t.Fatal(status, body)
		}
		until(t, "the row to change", func() (bool, error) {
			c, err := city(t, s, id)()
			return c == want, err
		})
	}
}

func TestOldVersionsAreOnlyRecorded(t *testing.T) {
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
	until(t, "the worker to end", func() (bool, error) { return s.Worker.Stats().Running == 0, nil })
	// The worker recovers when the lease and the visibility time-out end. A second
	// notification of the same state must be recorded before that, and the fetch
	// follows the end of the lease.
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

func TestStackJSONHasEveryAddress(t *testing.T) {
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
