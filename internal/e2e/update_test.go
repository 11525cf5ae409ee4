package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"walletsync/internal/local/stack"
	"walletsync/internal/local/twin"
	"walletsync/internal/update/session"
)

// begun is the answer to POST /update-sessions.
type begun struct {
	UpdateSessionID string    `json:"updateSessionId"`
	URL             string    `json:"url"`
	ExpiresAt       time.Time `json:"expiresAt"`
	Checkout        twin.Button
}

// ask sends a request to update-start with the merchant's key.
func ask(t testing.TB, s *stack.Stack, body string) (int, http.Header, string) {
	t.Helper()
	key, err := os.ReadFile(s.BearerKeyFile)
	if err != nil {
		t.Fatal(err)
	}
	q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.UpdateSessionsURL, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+string(key))
	q.Header.Set("Content-Type", "application/json")
	return answered(t, q)
}

// answered makes a request without following redirects.
func answered(t testing.TB, q *http.Request) (int, http.Header, string) {
	t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	got, err := client.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return got.StatusCode, got.Header, string(text)
}

func get(t testing.TB, url string) (int, http.Header, string) {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return answered(t, q)
}

// begin creates an update session.
func begin(t testing.TB, s *stack.Stack, id, update, more string) begun {
	t.Helper()
	status, _, body := ask(t, s, `{"chargePermissionId":"`+id+`","update":"`+update+`"`+more+`}`)
	var b begun
	if err := json.Unmarshal([]byte(body), &b); status != http.StatusCreated || err != nil {
		t.Fatal(status, body, err)
	}
	return b
}

func column(t testing.TB, s *stack.Stack, sql string, args ...any) (out string) {
	t.Helper()
	if err := s.DB.QueryRow(t.Context(), "select coalesce(("+sql+")::text, '')", args...).Scan(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

func sessionState(t testing.TB, s *stack.Stack, b begun) string {
	t.Helper()
	return column(t, s, `select state || coalesce(' ' || reason, '') from walletsync.update_sessions where id = $1::uuid`, b.UpdateSessionID)
}

func TestAnUpdateFromStartToNotification(t *testing.T) {
	s := running(t)
	const id = "S01-1000001-1000001"
	settled(t, s, id)
	b := begin(t, s, id, "payment_method", "")
	status, header, _ := get(t, b.URL)
	if status != http.StatusOK || !strings.Contains(header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
		t.Fatal(status, header)
	}
	// The worker may be faster than the return, which is fine. This test is about the
	// return, so there is no notification.
	if err := s.Twin.SetFaults(twin.Faults{IPNs: []twin.IPNFault{{ID: id, Drop: true}}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Twin.SetFaults(twin.Faults{}) })
	walked, err := s.Twin.Walk(b.Checkout, twin.Choice{CardEnding: anotherCard(t, s, id)})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(walked.ReturnURL, id) {
		t.Error("the charge permission's id is in the return URL")
	}
	status, _, page := get(t, walked.ReturnURL)
	if status != http.StatusOK || !strings.Contains(page, "****") {
		t.Errorf("%d: the new card is not shown:\n%s", status, page)
	}
	if got := sessionState(t, s, b); got != "completed" {
		t.Error(got)
	}
	if got := column(t, s, `select cause from walletsync.charge_permission_changes where charge_permission = $1 and facet = 'payment_method' order by position desc limit 1`, id); got != "return" {
		t.Errorf("the change's cause is %q", got)
	}
	// On reload the page reports success again, without the details.
	if status, _, page := get(t, walked.ReturnURL); status != http.StatusOK || strings.Contains(page, "****") {
		t.Errorf("%d on reload:\n%s", status, page)
	}
	if calls := s.Twin.Stats().Calls[twin.CompleteCheckoutSession]["200"]; calls < 1 {
		t.Errorf("%d completions", calls)
	}
	if status, _, _ := get(t, b.URL); status != http.StatusConflict {
		t.Errorf("a used link: %d", status)
	}
}

// anotherCard returns the last digits of the first buyer's unused card.
func anotherCard(t testing.TB, s *stack.Stack, id string) string {
	t.Helper()
	if strings.Contains(column(t, s, `select payment_descriptors[1] from walletsync.charge_permissions where id = $1`, id), "1111") {
		return "4444"
	}
	return "1111"
}

func TestCancelReturnsToTheStart(t *testing.T) {
	s := running(t)
	b := begin(t, s, "S01-1000002-1000002", "address", `,"returnTo":"`+s.ShopURL+`x"`)
	walked, err := s.Twin.Walk(b.Checkout, twin.Choice{Cancel: true})
	if err != nil {
		t.Fatal(err)
	}
	status, header, _ := get(t, walked.ReturnURL)
	want := s.ShopURL + "x?" + url.Values{"status": {"failed"}, "updateSessionId": {b.UpdateSessionID}}.Encode()
	if status != http.StatusSeeOther || header.Get("Location") != want {
		t.Errorf("%d to %q, want %q", status, header.Get("Location"), want)
	}
	if got := sessionState(t, s, b); got != "failed BuyerCanceled" {
		t.Error(got)
	}
	// Without a merchant's page the update page reports the cancellation.
	b = begin(t, s, "S01-1000002-1000002", "address", "")
	if walked, err = s.Twin.Walk(b.Checkout, twin.Choice{Cancel: true}); err != nil {
		t.Fatal(err)
	}
	_, header, _ = get(t, walked.ReturnURL)
	status, _, page := get(t, header.Get("Location"))
	if status != http.StatusOK || !strings.Contains(page, "The update for your address or payment method failed. Please try again.") {
		t.Errorf("%d: %s", status, page)
	}
}

// walk creates an update session and makes the buyer's choices on Amazon's page.
func walk(t testing.TB, s *stack.Stack, id, update string, c twin.Choice) (begun, twin.Walked) {
	t.Helper()
	b := begin(t, s, id, update, "")
	w, err := s.Twin.Walk(b.Checkout, c)
	if err != nil {
		t.Fatal(err)
	}
	return b, w
}

// faulty sets faults of the twin until the test ends.
func faulty(t *testing.T, s *stack.Stack, f ...twin.CallFault) {
	t.Helper()
	if err := s.Twin.SetFaults(twin.Faults{Calls: f}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Twin.SetFaults(twin.Faults{}) })
}

// anotherAddress returns an address of S01-1000002-1000002's buyer that is not in use,
// and its city. Amazon's page lists the address in use first.
func anotherAddress(t testing.TB, s *stack.Stack) (*int, string) {
	t.Helper()
	second := 1
	if column(t, s, `select shipping_city from walletsync.charge_permissions where id = 'S01-1000002-1000002'`) == "Sampleton" {
		return &second, "Fictionbury"
	}
	return &second, "Sampleton"
}

func TestAnAddressChangeIsShownStoredAndReportedOnce(t *testing.T) {
	s := running(t)
	const id = "S01-1000002-1000002"
	settled(t, s, id)
	to, town := anotherAddress(t, s)
	b, w := walk(t, s, id, "both", twin.Choice{Address: to})
	if status, _, page := get(t, w.ReturnURL); status != http.StatusOK || !strings.Contains(page, town) || strings.Contains(page, "Jo Sample") {
		t.Errorf("%d:\n%s", status, page)
	}
	if _, _, page := get(t, w.ReturnURL); strings.Contains(page, town) {
		t.Error("the address is shown again on reload")
	}
	settled(t, s, id)
	// The notification of the same change also arrived.
	if n := column(t, s, `select count(*) from walletsync.charge_permission_changes h join walletsync.update_sessions u on u.id = $1::uuid
		where h.charge_permission = $2 and h.facet = 'shipping_address' and h.stored_at > u.created_at`, b.UpdateSessionID, id); n != "1" {
		t.Errorf("%s change rows", n)
	}
	// Amazon's notification may be faster than the return's own read.
	if got := column(t, s, `select shown_at >= greatest(a.stored_at, a.ended_at) and a.stored_at > u.created_at
		from walletsync.update_attempts a join walletsync.update_sessions u on u.id = a.update_session
		where a.checkout_session = $1`, w.CheckoutSessionID); got != "true" {
		t.Errorf("the attempt's times: %s", got)
	}
}

func TestFailedCardReturnsToTheStart(t *testing.T) {
	s := running(t)
	for ending, reason := range map[string]string{"3064": "failed BuyerCanceled", "3434": "failed Declined"} {
		b, w := walk(t, s, "S01-1000001-1000001", "payment_method", twin.Choice{CardEnding: ending})
		status, header, _ := get(t, w.ReturnURL)
		if status != http.StatusSeeOther || !strings.HasPrefix(header.Get("Location"), s.PublicURL+"/update?t=") {
			t.Errorf("%s: %d to %s", ending, status, header.Get("Location"))
		}
		if got := sessionState(t, s, b); got != reason {
			t.Errorf("%s: %s", ending, got)
		}
	}
}

func TestACompletionWithALostAnswerIsDoneOnce(t *testing.T) {
	s := running(t)
	const id = "S01-1000001-1000001"
	settled(t, s, id)
	b, w := walk(t, s, id, "payment_method", twin.Choice{CardEnding: anotherCard(t, s, id)})
	faulty(t, s, twin.CallFault{Call: twin.CompleteCheckoutSession, Next: 1, Applied: true, Status: http.StatusInternalServerError})
	if status, _, page := get(t, w.ReturnURL); status != http.StatusOK || !strings.Contains(page, "****") {
		t.Errorf("%d:\n%s", status, page)
	}
	if got := sessionState(t, s, b); got != "completed" {
		t.Error(got)
	}
}

func TestConcurrentReturnsCompleteOnce(t *testing.T) {
	s := running(t)
	const id = "S01-1000001-1000001"
	settled(t, s, id)
	_, w := walk(t, s, id, "payment_method", twin.Choice{CardEnding: anotherCard(t, s, id)})
	before := s.Twin.Stats().Calls[twin.CompleteCheckoutSession]["200"]
	var both sync.WaitGroup
	for range 3 {
		both.Go(func() {
			if status, _, _ := get(t, w.ReturnURL); status != http.StatusOK {
				t.Errorf("%d", status)
			}
		})
	}
	both.Wait()
	if n := s.Twin.Stats().Calls[twin.CompleteCheckoutSession]["200"] - before; n != 1 {
		t.Errorf("%d completions", n)
	}
}

func TestAnotherBuyersReturnIsRefused(t *testing.T) {
	s := running(t)
	const mine, theirs = "S01-1000001-1000001", "S01-1000002-1000002"
	b, w := walk(t, s, mine, "payment_method", twin.Choice{})
	othersSession, stolen := walk(t, s, theirs, "payment_method", twin.Choice{})

	// Another buyer's checkout session with my own state token.
	status, header, _ := get(t, strings.Replace(w.ReturnURL, w.CheckoutSessionID, stolen.CheckoutSessionID, 1))
	if status != http.StatusSeeOther || !strings.HasPrefix(header.Get("Location"), s.PublicURL+"/update?t=") || sessionState(t, s, b) != "failed other_charge_permission" {
		t.Errorf("%d to %q: %s", status, header.Get("Location"), sessionState(t, s, b))
	}
	// The same checkout session with its own token: it stays with the first return.
	if status, _, _ := get(t, stolen.ReturnURL); status != http.StatusForbidden || sessionState(t, s, othersSession) != "started" {
		t.Errorf("%d: %s", status, sessionState(t, s, othersSession))
	}
	// My own still completes.
	if status, _, _ := get(t, w.ReturnURL); status != http.StatusOK || sessionState(t, s, b) != "completed" {
		t.Errorf("%d: %s", status, sessionState(t, s, b))
	}
	// A changed token, and no token.
	for _, bad := range []string{strings.Replace(w.ReturnURL, "?t=A", "?t=B", 1), s.PublicURL + "/return?amazonCheckoutSessionId=" + w.CheckoutSessionID, s.PublicURL + "/update?t=x"} {
		if status, _, page := get(t, bad); status != http.StatusForbidden || !strings.Contains(page, s.ShopURL) {
			t.Errorf("%s: %d", bad, status)
		}
	}
}

// A client with a valid link may invent ids of Checkout Sessions.
func TestInventedCheckoutSessionsCostALimitedNumberOfCalls(t *testing.T) {
	s := running(t)
	b := begin(t, s, "S01-1000001-1000001", "payment_method", "")
	calls := func() (n int) {
		for _, of := range []twin.Call{twin.CompleteCheckoutSession, twin.GetCheckoutSession} {
			for _, answered := range s.Twin.Stats().Calls[of] {
				n += answered
			}
		}
		return n
	}
	before, refused := calls(), 0
	for n := range 3 * session.MaxCheckoutSessions {
		status, header, page := get(t, returnURL(t, b, fmt.Sprintf("%s%012d", b.UpdateSessionID[:24], n)))
		switch {
		case status == http.StatusGone && strings.Contains(page, "has been used too often") && strings.Contains(page, s.ShopURL):
			refused++
		case status != http.StatusSeeOther || !strings.HasPrefix(header.Get("Location"), s.PublicURL+"/update?t="):
			t.Errorf("%d: %d to %q", n, status, header.Get("Location"))
		}
	}
	if n := calls() - before; n != session.MaxCheckoutSessions || refused != 2*session.MaxCheckoutSessions {
		t.Errorf("%d calls, %d refused", n, refused)
	}
	if rows := column(t, s, `select count(*) from walletsync.update_attempts where update_session = $1::uuid`, b.UpdateSessionID); rows != "10" {
		t.Errorf("%s rows", rows)
	}
	if status, _, page := get(t, b.URL); status != http.StatusGone || !strings.Contains(page, s.ShopURL) {
		t.Errorf("the link: %d", status)
	}
}

func TestAReturnWithoutACheckoutSessionIsChecked(t *testing.T) {
	s := running(t)
	const id = "S01-1000002-1000002"
	settled(t, s, id)
	b := begin(t, s, id, "payment_method", "")
	before := column(t, s, `select done from walletsync.refreshes where id = $1`, id)
	to, _, _ := strings.Cut(returnURL(t, b, ""), "&")
	if status, _, page := get(t, to+"&utm_source=mail;x=%zz"); status != http.StatusOK || !strings.Contains(page, "We are checking your update") {
		t.Errorf("%d: %s", status, page)
	}
	if got := sessionState(t, s, b); got != "started" {
		t.Errorf("the session is %s", got)
	}
	settled(t, s, id)
	if after := column(t, s, `select done from walletsync.refreshes where id = $1`, id); after == before {
		t.Error("nothing was read")
	}
}

func TestTheReconcilerFinishesOpenUpdates(t *testing.T) {
	s := running(t)
	const id = "S01-1000002-1000002"
	settled(t, s, id)
	to, town := anotherAddress(t, s)
	b, w := walk(t, s, id, "address", twin.Choice{Address: to})
	faulty(t, s, twin.CallFault{Call: twin.CompleteCheckoutSession, Status: http.StatusInternalServerError},
		twin.CallFault{Call: twin.GetCheckoutSession, Status: http.StatusInternalServerError})
	if status, _, _ := get(t, w.ReturnURL); status != http.StatusOK || sessionState(t, s, b) != "returned" {
		t.Errorf("%d: %s", status, sessionState(t, s, b))
	}
	_ = s.Twin.SetFaults(twin.Faults{})
	until(t, "the reconciler to complete the update", func() (bool, error) { // a scheduled run may hold the attempt's claim
		if _, err := s.DB.Exec(t.Context(), `update walletsync.update_attempts set not_before = now() where checkout_session = $1`, w.CheckoutSessionID); err != nil {
			return false, err
		}
		reconcile(t, s)
		got := sessionState(t, s, b)
		return got == "completed", errors.New(got)
	})
	until(t, "the row to change", func() (bool, error) {
		c, err := city(t, s, id)()
		return c == town, err
	})

	// Another buyer closes the tab on Amazon's page.
	left := begin(t, s, id, "address", "")
	if _, err := s.DB.Exec(t.Context(), `update walletsync.update_sessions set expires_at = now() where id = $1::uuid`, left.UpdateSessionID); err != nil {
		t.Fatal(err)
	}
	wanted := column(t, s, `select wanted from walletsync.refreshes where id = $1`, id)
	until(t, "the reconciler to end the session", func() (bool, error) {
		reconcile(t, s)
		got := sessionState(t, s, left)
		return got == "expired", errors.New(got)
	})
	if now := column(t, s, `select wanted from walletsync.refreshes where id = $1`, id); now == wanted {
		t.Error("no refresh was requested")
	}
	settled(t, s, id)
}

func TestRefusedRequestsSayWhy(t *testing.T) {
	s := running(t)
	for _, c := range []struct {
		name, body string
		status     int
		says       string
	}{
		{"a member that is not as documented", `{"chargePermissionId":"S01-1000001-1000001","update":"all"}`, http.StatusBadRequest, `"field":"update"`},
		{"unknown to Amazon", `{"chargePermissionId":"S01-9999999-9999999","update":"both"}`, http.StatusNotFound, `"code":"unknown_charge_permission"`},
		{"a store name of 51 characters", `{"chargePermissionId":"S01-1000001-1000001","update":"both","merchantMetadata":{"merchantStoreName":"` + strings.Repeat("ü", 51) + `"}}`,
			http.StatusBadRequest, `"field":"merchantMetadata.merchantStoreName"`},
		{"an origin that is not listed", `{"chargePermissionId":"S01-1000001-1000001","update":"both","returnTo":"https://evil.example"}`, http.StatusBadRequest, `"field":"returnTo"`},
	} {
		status, header, body := ask(t, s, c.body)
		if status != c.status || !strings.Contains(body, c.says) || header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %s", c.name, status, body)
		}
	}
	if got, err := http.Post(s.UpdateSessionsURL, "application/json", strings.NewReader(`{}`)); err != nil || got.StatusCode != http.StatusUnauthorized {
		t.Errorf("without the key: %v %v", got, err)
	} else {
		_ = got.Body.Close()
	}
}

// BenchmarkReturn measures the p95 of GET /return without an injected delay, through the
// gateway, the real binary and Postgres. The budget excludes Amazon Pay's answer times.
// The measurement includes the twin's, so it is on the safe side.
func BenchmarkReturn(b *testing.B) {
	s, err := stack.Start(b.Context(), stack.Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.Close)
	const id = "S01-1000001-1000001"
	var took []time.Duration
	one := func(cards ...string) {
		for _, ending := range cards {
			_, w := walk(b, s, id, "payment_method", twin.Choice{CardEnding: ending})
			start := time.Now()
			if status, _, _ := get(b, w.ReturnURL); status != http.StatusOK {
				b.Fatal(status)
			}
			took = append(took, time.Since(start))
		}
	}
	one("4444", "1111") // opens connections
	took = nil
	for b.Loop() {
		one("4444", "1111")
	}
	slices.Sort(took)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	report(b, "GET /return, the twin's answers included",
		budget{"p95 of " + strconv.Itoa(len(took)), ms(took[len(took)*95/100]), 50, "ms"},
		budget{"p50", ms(took[len(took)/2]), 0, "ms"})
}
