package shop_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"walletsync/internal/amazonpay/merchant"
	"walletsync/internal/local/demo/shop"
	"walletsync/internal/local/pg/pgtest"
	"walletsync/internal/pg/migrate"
	"walletsync/internal/wallet"
	"walletsync/migrations"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const buyer = "S01-1000001-1000001"

// database returns one with buyers in it.
func database(t *testing.T) *pgxpool.Pool {
	t.Helper()
	to := pgtest.New(t, func(ctx context.Context, url string) error {
		_, err := migrate.Run(ctx, url, "", []migrate.Account{{ID: "main", MerchantID: "M1", Environment: merchant.Sandbox, Region: "EU", LedgerCurrency: "EUR",
			Follow: wallet.DefaultFollowed(), Quotas: wallet.SandboxQuotas(), Share: 1}})
		return err
	}, "shop-"+migrations.Hash())
	db, err := pgxpool.New(t.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	if _, err := db.Exec(t.Context(), `
		insert into walletsync.charge_permissions (account, id, type, followed, state, buyer_name, shipping_line1, shipping_city, shipping_postal_code, payment_descriptors, stored_at, changed_at)
		values ('main', 'S01-1000001-1000001', 'PaymentMethodOnFile', true, 'Chargeable', 'Erika <b>Beispiel</b>', 'Musterstraße 12', 'Musterstadt', '12345', '{"Visa ****1111"}', now(), now()),
		       ('main', 'S01-1000002-1000002', 'PaymentMethodOnFile', true, 'Closed', null, null, null, null, '{}', now(), now()),
		       ('main', 'S01-1000003-1000003', 'Recurring', true, 'Chargeable', 'Recurring Buyer', null, null, null, '{}', now(), now()),
		       ('main', 'S01-1000008-1000008', 'OneTime', false, null, 'One-time Buyer', null, null, null, '{}', now(), now())`); err != nil {
		t.Fatal(err)
	}
	return db
}

// updateStart returns a given answer and keeps the requests.
type updateStart struct {
	status        int
	answer        string
	authorization string
	asked         map[string]any
}

func (u *updateStart) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u.authorization = r.Header.Get("Authorization")
	u.asked = nil
	_ = json.NewDecoder(r.Body).Decode(&u.asked) // nothing, if it is not JSON
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(u.status)
	_, _ = io.WriteString(w, u.answer)
}

const payload = `{"storeId":"x & y","note":"</script><b>"}`

func good() *updateStart {
	checkout, err := json.Marshal(map[string]any{"scriptUrl": "https://static-eu.payments-amazon.com/checkout.js", "merchantId": "M1", "publicKeyId": "SANDBOX-K",
		"ledgerCurrency": "EUR", "checkoutLanguage": "de_DE", "productType": "PayAndShip", "placement": "Other", "sandbox": true,
		"payloadJSON": payload, "signature": "c2ln", "algorithm": "AMZN-PAY-RSASSA-PSS-V2"})
	if err != nil {
		panic(err) // strings
	}
	return &updateStart{status: http.StatusCreated, answer: `{"updateSessionId":"u1","url":"https://updates.example/update?t=x","expiresAt":"2026-01-01T00:00:00Z","checkout":` + string(checkout) + `}`}
}

func open(t *testing.T, u *updateStart) string {
	t.Helper()
	return opened(t, u, database(t))
}

func opened(t *testing.T, u *updateStart, db *pgxpool.Pool) string {
	t.Helper()
	functions := httptest.NewServer(u)
	t.Cleanup(functions.Close)
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	s := &shop.Shop{URL: server.URL + "/shop/", DB: db, UpdateSessions: functions.URL + "/update-sessions", Key: "the-key", StatusURL: server.URL + "/", Poll: 10 * time.Millisecond}
	h, err := s.Handler()
	if err != nil {
		t.Fatal(err)
	}
	mux.Handle("/shop/", h)
	return s.URL
}

func get(t *testing.T, at string) (int, string, http.Header) {
	t.Helper()
	got, err := http.Get(at)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	b, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return got.StatusCode, string(b), got.Header
}

// post sends a form and follows no redirect.
func post(t *testing.T, at, update, site string) (int, string, http.Header) {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, at, strings.NewReader(url.Values{"update": {update}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	q.Header.Set("Sec-Fetch-Site", site)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	got, err := client.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	b, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return got.StatusCode, string(b), got.Header
}

func TestTheShopShowsWhatPostgresHas(t *testing.T) {
	at := open(t, good())
	_, page, _ := get(t, at)
	for _, want := range []string{"Erika &lt;b&gt;Beispiel&lt;/b&gt;", "Musterstraße 12", "12345 Musterstadt", "Visa ****1111", "Buyer unknown", "a new Saved Wallet is needed"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %s", want)
		}
	}
	for _, not := range []string{"Recurring Buyer", "One-time Buyer", "the-key"} {
		if strings.Contains(page, not) {
			t.Errorf("the page has %s", not)
		}
	}
}

func TestAButtonLeadsToTheReadyPage(t *testing.T) {
	u := good()
	at := open(t, u)
	for _, update := range []string{"address", "payment_method", "both"} {
		status, body, h := post(t, at+"buyers/"+buyer+"/update", update, "same-origin")
		if status != http.StatusSeeOther || h.Get("Location") != "https://updates.example/update?t=x" {
			t.Fatalf("%d to %s: %s", status, h.Get("Location"), body)
		}
		if u.authorization != "Bearer the-key" {
			t.Errorf("authorised by %q", u.authorization)
		}
		want := map[string]any{"chargePermissionId": buyer, "update": update, "startUrl": at, "returnTo": at}
		if fmt.Sprint(u.asked) != fmt.Sprint(want) {
			t.Errorf("asked %v, want %v", u.asked, want)
		}
	}
}

func TestTheShopsOwnButtonGetsWhatWasSigned(t *testing.T) {
	at := open(t, good())
	status, page, h := post(t, at+"buyers/"+buyer+"/own", "both", "same-origin")
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, page)
	}
	if policy := h.Get("Content-Security-Policy"); !strings.Contains(policy, "script-src 'self' https://static-eu.payments-amazon.com;") {
		t.Errorf("the policy is %s", policy)
	}
	_, rest, _ := strings.Cut(page, `<script id="checkout" type="application/json">`)
	text, _, _ := strings.Cut(rest, "</script>")
	var checkout shop.Checkout
	if err := json.Unmarshal([]byte(text), &checkout); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if checkout.PayloadJSON != payload {
		t.Errorf("the page passes on %s", checkout.PayloadJSON)
	}
}

func TestWhatUpdateStartRefusesIsShown(t *testing.T) {
	db := database(t)
	for name, c := range map[string]struct {
		u    *updateStart
		want string
	}{
		"closed":     {&updateStart{status: 409, answer: `{"error":"the charge permission is closed"}`}, "the charge permission is closed"},
		"no url":     {&updateStart{status: 201, answer: `{}`}, "no url"},
		"no JSON":    {&updateStart{status: 201, answer: `<html>`}, "no url"},
		"it is down": {&updateStart{status: 503}, "503"},
	} {
		t.Run(name, func(t *testing.T) {
			at := opened(t, c.u, db)
			for _, way := range []string{"update", "own"} {
				status, page, _ := post(t, at+"buyers/"+buyer+"/"+way, "both", "same-origin")
				if status != http.StatusBadGateway || !strings.Contains(page, c.want) || !strings.Contains(page, "Musterstraße") {
					t.Errorf("%s: %d %s", way, status, page)
				}
			}
		})
	}
}

func TestAReturnIsShown(t *testing.T) {
	at := open(t, good())
	for query, want := range map[string]string{
		"?status=success&updateSessionId=u1": "Your details are updated",
		"?status=pending":                    "on its way",
		"?status=failed":                     "failed. Please try again.",
	} {
		if _, page, _ := get(t, at+query); !strings.Contains(page, want) {
			t.Errorf("%s does not show %q", query, want)
		}
	}
	if _, page, _ := get(t, at+"?status=%3Cb%3E"); strings.Contains(page, `id="returned"`) {
		t.Error("an unknown status is shown")
	}
}

func TestAnotherSiteStartsNoUpdate(t *testing.T) {
	u := good()
	at := open(t, u)
	if status, _, _ := post(t, at+"buyers/"+buyer+"/update", "both", "cross-site"); status != http.StatusForbidden || u.asked != nil {
		t.Errorf("%d, asked %v", status, u.asked)
	}
}

func TestTheRowFollowsTheDatabase(t *testing.T) {
	db := database(t)
	at := opened(t, good(), db)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, at+"events", nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	if _, err := db.Exec(ctx, `update walletsync.charge_permissions set payment_descriptors = '{"MasterCard ****4444"}' where id = $1`, buyer); err != nil {
		t.Fatal(err)
	}
	var seen strings.Builder
	b := make([]byte, 4096)
	for !strings.Contains(seen.String(), "MasterCard ****4444") {
		n, err := got.Body.Read(b)
		if err != nil {
			t.Fatalf("%v after %s", err, seen.String())
		}
		seen.Write(b[:n])
	}
}

func TestAnAddressThatIsNone(t *testing.T) {
	for _, at := range []string{"", "/shop/", "http://127.0.0.1/shop"} {
		if _, err := (&shop.Shop{URL: at}).Handler(); err == nil {
			t.Errorf("%q is accepted", at)
		}
	}
}
