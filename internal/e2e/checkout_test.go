package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"walletsync/internal/amazonpay"
	"walletsync/internal/local/demo/shop"
	"walletsync/internal/local/stack"
	"walletsync/internal/local/twin"
)

// merchant is the demo shop on the stack's database, with a replacement for update-start
// and checkout-return that has no update sessions: it signs payloads and completes
// returns. It tests the twin's side alone.
type merchant struct {
	t      *testing.T
	stack  *stack.Stack
	client *amazonpay.Client
	url    string // the shop's
	self   string // the replacement's
	script string
	// payload changes the payload before it is signed, signed after that.
	payload, signed func(map[string]any)
}

func newMerchant(t *testing.T, s *stack.Stack) *merchant {
	t.Helper()
	pem, err := os.ReadFile(s.PrivateKeyFile)
	if err != nil {
		t.Fatal(err)
	}
	key, err := amazonpay.ParsePrivateKey(pem)
	if err != nil {
		t.Fatal(err)
	}
	m := &merchant{t: t, stack: s, script: s.CheckoutScriptURL}
	if m.client, err = amazonpay.New(amazonpay.Config{Region: amazonpay.EU, PublicKeyID: s.PublicKeyID, PrivateKey: key, HTTPClient: amazonsHosts(t, s)}); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /update-sessions", m.start)
	mux.HandleFunc("GET /return", m.back)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	m.url, m.self = server.URL+"/shop/", server.URL
	h, err := (&shop.Shop{URL: m.url, DB: s.DB, UpdateSessions: server.URL + "/update-sessions", Key: "k", StatusURL: s.StatusURL, Poll: 50 * time.Millisecond}).Handler()
	if err != nil {
		t.Fatal(err)
	}
	mux.Handle("/shop/", h)
	return m
}

func (m *merchant) start(w http.ResponseWriter, r *http.Request) {
	var asked struct{ ChargePermissionID string }
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		m.t.Error(err)
	}
	p := map[string]any{
		"webCheckoutDetails":          map[string]any{"checkoutResultReturnUrl": m.self + "/return?s=a-b_c"},
		"storeId":                     "amzn1.application-oa2-client.0123456789abcdef0123456789abcdef",
		"chargePermissionId":          asked.ChargePermissionID,
		"chargePermissionType":        "PaymentMethodOnFile",
		"paymentMethodOnFileMetadata": map[string]any{"setupOnly": true},
		"paymentDetails":              map[string]any{"paymentIntent": "Confirm", "canHandlePendingAuthorization": false},
		"merchantMetadata":            map[string]any{"merchantStoreName": "Example Store"},
		"deliverySpecifications":      map[string]any{"specialRestrictions": []string{"RestrictPackstations"}},
	}
	if m.payload != nil {
		m.payload(p)
	}
	payload, err := amazonpay.MarshalPayload(p)
	if err != nil {
		m.t.Error(err)
		return
	}
	signature, err := m.client.SignPayload(payload)
	if err != nil {
		m.t.Error(err)
		return
	}
	checkout := map[string]any{"scriptUrl": m.script, "merchantId": m.stack.MerchantID, "publicKeyId": m.stack.PublicKeyID, "ledgerCurrency": "EUR",
		"checkoutLanguage": "de_DE", "productType": "PayAndShip", "placement": "Other", "sandbox": true,
		"payloadJSON": string(payload), "signature": signature, "algorithm": amazonpay.PSSV2}
	if m.signed != nil {
		m.signed(checkout)
	}
	w.WriteHeader(http.StatusCreated)
	if err := json.NewEncoder(w).Encode(map[string]any{"updateSessionId": "u1", "url": m.url, "checkout": checkout}); err != nil {
		m.t.Error(err)
	}
}

func (m *merchant) back(w http.ResponseWriter, r *http.Request) {
	if got := r.URL.Query().Get("s"); got != "a-b_c" {
		m.t.Errorf("the return URL's own parameter is %q", got)
	}
	id := r.URL.Query().Get("amazonCheckoutSessionId")
	status := "success"
	if _, err := m.client.CompleteCheckoutSession(r.Context(), id, strings.ReplaceAll(id, "-", "")); err != nil {
		status = "failed"
	}
	http.Redirect(w, r, m.url+"?status="+status, http.StatusSeeOther)
}

const walker = "S01-1000001-1000001"

// atHome resets the walker's wallet to the twin's initial state. The hosted page lists
// the buyer's present choice first, and other tests change it.
func atHome(t *testing.T, s *stack.Stack) {
	t.Helper()
	if _, err := s.Twin.Change(walker, []byte(`{"paymentPreferences": [{"paymentDescriptor": "Visa ****1111 (Amazon Pay)"}],
		"shippingAddress": {"name": "Erika Beispiel", "addressLine1": "Musterstraße 12", "addressLine2": null, "addressLine3": null, "city": "Musterstadt",
			"county": null, "district": null, "stateOrRegion": null, "postalCode": "12345", "countryCode": "DE", "phoneNumber": "030 23125 001"}}`), twin.Notify{}); err != nil {
		t.Fatal(err)
	}
	until(t, "the walker's wallet to be reset", func() (bool, error) {
		var home bool
		err := s.DB.QueryRow(t.Context(), `select shipping_city = 'Musterstadt' and payment_descriptors = '{"Visa ****1111 (Amazon Pay)"}'
			from walletsync.charge_permissions where id = $1`, walker).Scan(&home)
		return home, err
	})
}

func own(id string) string { return "#" + id + " .quiet" }

// TestABuyerUpdatesOnTheHostedPage covers shop, script, hosted page, return, notification
// and row, in a browser.
func TestABuyerUpdatesOnTheHostedPage(t *testing.T) {
	s := running(t)
	atHome(t, s)
	m := newMerchant(t, s)
	for _, c := range []struct {
		name  string
		steps []string // elements to click
		shows string
		card  string // the row's card at the end; empty if unchanged
	}{
		{"address and card", []string{"#address-1", "#card-1", "#continue"}, "Your details are updated", "MasterCard ****4444"},
		{"a forbidden address, then another", []string{"#address-2", "#continue", "#problem", "#address-1", "#card-1", "#continue"}, "Your details are updated", "Visa ****1111"},
		{"cancel", []string{"#cancel"}, "failed. Please try again", ""},
		{"a card that is declined", []string{"#card-2", "#continue"}, "failed. Please try again", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx := browser(t, "light")
			do(t, ctx, chromedp.Navigate(m.url))
			before := do(t, ctx, chromedp.Text("#"+walker+" .card"))
			do(t, ctx, chromedp.Click(own(walker)))
			do(t, ctx, chromedp.Click("#own:enabled"))
			for _, step := range c.steps {
				do(t, ctx, chromedp.Click(step))
			}
			do(t, ctx, chromedp.WaitVisible("#returned"))
			if got := do(t, ctx, chromedp.Text("#returned")); !strings.Contains(got, c.shows) {
				t.Errorf("the shop shows %q", got)
			}
			want := c.card
			if want == "" {
				want = before
			}
			// The page is not reloaded: the notification updates the row.
			do(t, ctx, chromedp.Poll[bool](fmt.Sprintf(`document.querySelector("#%s .card").innerText.includes(%q)`, walker, strings.TrimSpace(want))))
		})
	}
}

// TestAmazonsHostnamesReachTheTwin uses Amazon's hostnames for the script and the form.
func TestAmazonsHostnamesReachTheTwin(t *testing.T) {
	s := running(t)
	m := newMerchant(t, s)
	m.script = "https://static-eu.payments-amazon.com/checkout.js"
	ctx := browser(t, "light", chromedp.ProxyServer(s.ProxyURL), chromedp.Flag("ignore-certificate-errors", true))
	do(t, ctx, chromedp.Navigate(m.url))
	do(t, ctx, chromedp.Click(own(walker)))
	do(t, ctx, chromedp.Click("#own:enabled"))
	do(t, ctx, chromedp.WaitVisible("#cards"))
	if at := do(t, ctx, chromedp.Location()); !strings.HasPrefix(at, "https://payments.amazon.de/checkout/") {
		t.Errorf("the hosted page is at %s", at)
	}
	do(t, ctx, chromedp.Click("#cancel"))
	do(t, ctx, chromedp.WaitVisible("#returned"))
}

// TestTheScriptThrowsStrings: like Amazon's script, it throws strings, synchronously.
func TestTheScriptThrowsStrings(t *testing.T) {
	s := running(t)
	m := newMerchant(t, s)
	ctx := browser(t, "light")
	do(t, ctx, chromedp.Navigate(m.url))
	do(t, ctx, chromedp.Click(own(walker)))
	do(t, ctx, chromedp.WaitVisible("#own"))
	const good = `merchantId: "A3TWIN0000000", ledgerCurrency: "EUR", checkoutLanguage: "de_DE", productType: "PayAndShip", placement: "Other", sandbox: true,
		createCheckoutSessionConfig: {payloadJSON: "{}", signature: "c2ln", publicKeyId: "SANDBOX-X"}`
	for _, c := range []struct{ name, change, throws string }{
		{"no merchant", "merchantId: undefined", "merchantId is a required parameter"},
		{"no currency", "ledgerCurrency: ''", "ledgerCurrency is a required parameter"},
		{"no placement", "placement: undefined", "placement is a required parameter"},
		{"no such placement", "placement: 'Footer'", "placement 'Footer'"},
		{"no configuration", "createCheckoutSessionConfig: undefined", "createCheckoutSessionConfig is a required parameter"},
		{"no payload", "createCheckoutSessionConfig: {signature: 'x', publicKeyId: 'y'}", "createCheckoutSessionConfig.payloadJSON is a required parameter"},
		{"no signature", "createCheckoutSessionConfig: {payloadJSON: '{}', publicKeyId: 'y'}", "createCheckoutSessionConfig.signature is a required parameter"},
		{"the key id beside the configuration", "publicKeyId: 'y', createCheckoutSessionConfig: {payloadJSON: '{}', signature: 'x'}", "createCheckoutSessionConfig.publicKeyId is a required parameter"},
		{"a currency of another region", "ledgerCurrency: 'USD'", "ledgerCurrency 'USD'"},
		{"a language of another region", "checkoutLanguage: 'en_US'", "checkoutLanguage 'en_US'"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := do(t, ctx, chromedp.Evaluate[string](`(() => { try { amazon.Pay.initCheckout({`+good+`, `+c.change+`}); return "nothing thrown"; } catch (e) { return typeof e + ": " + e; } })()`))
			if !strings.HasPrefix(got, "string: "+c.throws) {
				t.Errorf("the script throws %q", got)
			}
		})
	}
}

// TestTheShopsButtonSurvivesItsScript: the page shows an alternative if the script cannot
// be loaded or throws.
func TestTheShopsButtonSurvivesItsScript(t *testing.T) {
	s := running(t)
	for _, c := range []struct{ name, fault, says string }{
		{"it cannot be loaded", `{"status":503}`, "could not be loaded"},
		{"it throws", `{"script":"throws"}`, "a fault that was asked for"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMerchant(t, s)
			fault := strings.Replace(c.fault, "{", `{"call":"CheckoutScript","next":1,`, 1)
			if status, body := post(t, s.ControlURL+"/faults", `{"calls":[`+fault+`]}`); status != http.StatusOK {
				t.Fatal(status, body)
			}
			ctx := browser(t, "light")
			do(t, ctx, chromedp.Navigate(m.url))
			do(t, ctx, chromedp.Click(own(walker)))
			do(t, ctx, chromedp.Click("#own:enabled"))
			do(t, ctx, chromedp.WaitVisible("#problem"))
			if got := do(t, ctx, chromedp.Text("#problem")); !strings.Contains(got, c.says) {
				t.Errorf("the page says %q", got)
			}
		})
	}
}

// TestPicturesOfShopAndHostedPage keeps pictures in light and dark, wide and narrow.
func TestPicturesOfShopAndHostedPage(t *testing.T) {
	s := running(t)
	for _, scheme := range []string{"light", "dark"} {
		t.Run(scheme, func(t *testing.T) {
			m := newMerchant(t, s)
			ctx := browser(t, scheme)
			picture := func(name string) {
				screenshot(t, ctx, name+"-"+scheme)
				do(t, ctx, chromedp.EmulateViewport(390, 844))
				if wide := do(t, ctx, chromedp.Evaluate[int](`document.documentElement.scrollWidth`)); wide > 390 {
					t.Errorf("%s is %d wide on a phone", name, wide)
				}
				screenshot(t, ctx, name+"-mobile-"+scheme)
				do(t, ctx, chromedp.EmulateViewport(1200, 900))
			}
			do(t, ctx, chromedp.Navigate(m.url+"?status=pending"))
			picture("shop")
			do(t, ctx, chromedp.Click(own(walker)))
			do(t, ctx, chromedp.WaitVisible("#own"))
			picture("shop-own")
			do(t, ctx, chromedp.Click("#own:enabled"))
			do(t, ctx, chromedp.Click("#address-2"))
			do(t, ctx, chromedp.Click("#continue"))
			do(t, ctx, chromedp.WaitVisible("#problem"))
			picture("hosted")
			m.signed = func(checkout map[string]any) {
				checkout["payloadJSON"] = strings.Replace(checkout["payloadJSON"].(string), "Confirm", "Konfirm", 1)
			}
			do(t, ctx, chromedp.Navigate(m.url))
			do(t, ctx, chromedp.Click(own(walker)))
			do(t, ctx, chromedp.Click("#own:enabled"))
			do(t, ctx, chromedp.WaitVisible("#problems"))
			if got := do(t, ctx, chromedp.Text("#problems")); !strings.Contains(got, `"C" became "K"`) {
				t.Errorf("the page says %q", got)
			}
			picture("hosted-refused")
		})
	}
}
