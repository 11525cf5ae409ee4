package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"walletsync/internal/local/stack"
	"walletsync/internal/local/twin"
)

// begun is what POST /update-sessions answers.
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

// answered makes a request without following where it leads.
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

// begin makes an update session.
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

func TestAnUpdateWalksTheWholeWay(t *testing.T) {
	s := running(t)
	const id = "S01-1000001-1000001"
	b := begin(t, s, id, "payment_method", "")
	status, header, page := get(t, b.URL)
	if status != http.StatusOK || !strings.Contains(header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
		t.Fatal(status, header)
	}
	walked, err := s.Twin.Walk(b.Checkout, twin.Choice{CardEnding: anotherCard(t, s, id)})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(walked.ReturnURL, id) {
		t.Error("the charge permission's id is in the return URL")
	}
	status, _, page = get(t, walked.ReturnURL)
	if status != http.StatusOK || !strings.Contains(page, "****") {
		t.Errorf("%d: the new card is not shown:\n%s", status, page)
	}
	if got := sessionState(t, s, b); got != "completed" {
		t.Error(got)
	}
	if got := column(t, s, `select cause from walletsync.charge_permission_changes where charge_permission = $1 and facet = 'payment_method' order by position desc limit 1`, id); got != "return" {
		t.Errorf("the change came by %q", got)
	}
	// On reload it is told once more that it worked, and not what.
	if status, _, page := get(t, walked.ReturnURL); status != http.StatusOK || strings.Contains(page, "****") {
		t.Errorf("%d on reload:\n%s", status, page)
	}
	if calls := s.Twin.Stats().Calls[twin.CompleteCheckoutSession]["200"]; calls < 1 {
		t.Errorf("%d completions", calls)
	}
	if status, _, _ := get(t, b.URL); status != http.StatusConflict {
		t.Errorf("a link that is used up: %d", status)
	}
}

// anotherCard is the ending of the first buyer's card that is not in use.
func anotherCard(t testing.TB, s *stack.Stack, id string) string {
	t.Helper()
	if strings.Contains(column(t, s, `select payment_descriptors[1] from walletsync.charge_permissions where id = $1`, id), "1111") {
		return "4444"
	}
	return "1111"
}

func TestACancelLeadsBackToTheStart(t *testing.T) {
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
	// Without a page of the merchant's the ready page says it.
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
