package twin

import (
	"bytes"
	"crypto"
	crand "crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Buyers of Seed: with an address, of whom nothing is known, and one whose
// payment method has expired.
const (
	blankBuyer   = "S01-1000007-1000007"
	expiredBuyer = "S01-1000004-1000004"
	closedBuyer  = "S01-1000005-1000005"
)

// shop is a twin with its buyers, and a merchant that signs for it.
type shop struct {
	*Twin
	t     testing.TB
	now   time.Time
	pages http.Handler
	keys  int
}

func newShop(t testing.TB, change func(*Options)) *shop {
	t.Helper()
	s := &shop{t: t, now: time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)}
	o := Options{Seed: 1, Now: func() time.Time { return s.now }, Accounts: []Account{{
		StoreID: "amzn1.application-oa2-client.0123456789abcdef",
		Quotas:  map[Call]Quota{GetCheckoutSession: {100, 100}, CompleteCheckoutSession: {100, 100}, GetChargePermission: {100, 100}}}}}
	if change != nil {
		change(&o)
	}
	tw, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tw.Close() })
	if _, err := tw.Seed(); err != nil {
		t.Fatal(err)
	}
	s.Twin, s.pages = tw, tw.checkoutHandler("eu")
	return s
}

const returnURL = "https://merchant.example/return?s=a-b_c"

// payloadFor returns a good payload of a buyer after a change.
func payloadFor(id string, change func(map[string]any)) string {
	p := map[string]any{
		"webCheckoutDetails":          map[string]any{"checkoutResultReturnUrl": returnURL},
		"storeId":                     "amzn1.application-oa2-client.0123456789abcdef",
		"chargePermissionId":          id,
		"chargePermissionType":        "PaymentMethodOnFile",
		"paymentMethodOnFileMetadata": map[string]any{"setupOnly": true},
		"paymentDetails":              map[string]any{"paymentIntent": "Confirm", "canHandlePendingAuthorization": false},
	}
	if change != nil {
		change(p)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(p); err != nil {
		panic(err) // maps and strings
	}
	return strings.TrimSpace(b.String())
}

func (s *shop) sign(text string, alg algorithm) string {
	s.t.Helper()
	digest := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPSS(crand.Reader, s.accounts[0].privateKey, crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: alg.salt})
	if err != nil {
		s.t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(signature)
}

// button returns a button that initCheckout would post.
func (s *shop) button(payload string) Button {
	alg := algorithms()[1]
	return Button{MerchantID: DefaultMerchantID, LedgerCurrency: "EUR", Sandbox: true, CheckoutLanguage: "de_DE", ProductType: payAndShip,
		Placement: "Other", PayloadJSON: payload, Signature: s.sign(stringToSign(alg.name, payload), alg), PublicKeyID: s.accounts[0].PublicKeyID,
		Algorithm: alg.name, Origin: "https://merchant.example"}
}

func (s *shop) walk(b Button, c Choice) Walked {
	s.t.Helper()
	w, err := s.Walk(b, c)
	if err != nil {
		s.t.Fatal(err)
	}
	return w
}

// api makes a signed request, and returns the status, the reasonCode or the
// session's state, and the body.
func (s *shop) api(method, path, payload, key string) (int, string, map[string]any) {
	s.t.Helper()
	q := httptest.NewRequestWithContext(s.t.Context(), method, "https://pay-api.amazon.eu/v2/"+path, strings.NewReader(payload))
	headers := map[string]string{"accept": "application/json", "content-type": "application/json", "x-amz-pay-region": "eu",
		"x-amz-pay-host": "pay-api.amazon.eu", "x-amz-pay-date": s.now.Format("20060102T150405Z")}
	if key != "" {
		headers[idempotencyHeader] = key
	}
	for name, value := range headers {
		q.Header.Set(name, value)
	}
	a, err := arrive(q)
	if err != nil {
		s.t.Fatal(err)
	}
	a.auth.signedHeaders = sorted(headers)
	alg := algorithms()[1]
	c := readings(a)[0]
	q.Header.Set("Authorization", fmt.Sprintf("%s PublicKeyId=%s, SignedHeaders=%s, Signature=%s", alg.name, s.accounts[0].PublicKeyID,
		strings.Join(a.auth.signedHeaders, ";"), s.sign(stringToSign(alg.name, c.text()), alg)))
	q.Body = http.NoBody
	if payload != "" {
		q = q.Clone(q.Context())
		q.Body = httptest.NewRequestWithContext(s.t.Context(), method, "/", strings.NewReader(payload)).Body
	}
	w := httptest.NewRecorder()
	func() {
		defer func() {
			if recover() != nil {
				w.Code = 0 // the answer is lost
			}
		}()
		s.serveAPI(w, q)
	}()
	var body map[string]any
	_ = json.Unmarshal(w.Body.Bytes(), &body) // nothing, where the answer is lost
	said, _ := body["reasonCode"].(string)
	if status, ok := body["statusDetails"].(map[string]any); ok {
		said, _ = status["state"].(string)
		if reason, ok := status["reasonCode"].(string); ok {
			said += " " + reason
		}
	}
	return w.Code, said, body
}

func (s *shop) complete(id string) (int, string) {
	s.t.Helper()
	s.keys++
	status, said, _ := s.api(http.MethodPost, "checkoutSessions/"+id+"/complete", "{}", fmt.Sprint("key-", s.keys))
	return status, said
}

func (s *shop) look(id string) (int, string) {
	s.t.Helper()
	status, said, _ := s.api(http.MethodGet, "checkoutSessions/"+id, "", "")
	return status, said
}

func (s *shop) permission(id string) permission {
	s.t.Helper()
	p, err := s.permissionOf(s.accounts[0], id)
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

func number(n int) *int { return &n }

func TestACompletedSessionChangesTheChargePermission(t *testing.T) {
	s := newShop(t, nil)
	before := s.permission(known)
	w := s.walk(s.button(payloadFor(known, nil)), Choice{Address: number(1), Card: number(1)})
	if w.ReturnURL != returnURL+"&amazonCheckoutSessionId="+w.CheckoutSessionID {
		t.Errorf("the buyer is sent to %s", w.ReturnURL)
	}
	if !regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`).MatchString(w.CheckoutSessionID) {
		t.Errorf("the session's id is %s", w.CheckoutSessionID)
	}
	if status, said := s.look(w.CheckoutSessionID); status != 200 || said != "Open" {
		t.Errorf("before: %d %s", status, said)
	}
	if is := s.permission(known); *is.ShippingAddress != *before.ShippingAddress {
		t.Error("it took effect without Complete")
	}
	if status, said := s.complete(w.CheckoutSessionID); status != 200 || said != "Completed" {
		t.Fatalf("completed: %d %s", status, said)
	}
	is := s.permission(known)
	if is.ShippingAddress.City != "Beispielhausen" || is.PaymentPreferences[0].PaymentDescriptor != "MasterCard ****4444 (Amazon Pay)" {
		t.Errorf("now %+v %+v", is.ShippingAddress, is.PaymentPreferences)
	}
	if n := s.Stats().IPNs.Published; n != 1 {
		t.Errorf("%d notifications", n)
	}
	_, _, body := s.api(http.MethodGet, "checkoutSessions/"+w.CheckoutSessionID, "", "")
	if body["chargePermissionId"] != known {
		t.Errorf("it names %v", body["chargePermissionId"])
	}
	for _, name := range []string{"webCheckoutDetails", "productType", "recurringMetadata", "paymentDetails", "merchantMetadata",
		"paymentMethodOnFileMetadata", "buyer", "billingAddress", "shippingAddress", "storeId", "deliverySpecifications", "providerMetadata", "releaseEnvironment"} {
		if v, given := body[name]; v != nil || !given {
			t.Errorf("%s is %v once completed", name, v)
		}
	}
}

func TestHowASessionEnds(t *testing.T) {
	cancelTo := func(p map[string]any) {
		p["webCheckoutDetails"].(map[string]any)["checkoutCancelUrl"] = "https://merchant.example/cancel?a=1"
	}
	for _, c := range []struct {
		name     string
		payload  func(map[string]any)
		choice   Choice
		age      time.Duration
		complete string // status and reasonCode or state
		get      string
		back     string // what the return URL begins with
	}{
		{"confirmed", nil, Choice{}, 0, "200 Completed", "200 Completed", returnURL},
		{"cancelled", nil, Choice{Cancel: true}, 0, "422 CheckoutSessionCanceled", "200 Canceled BuyerCanceled", returnURL},
		{"cancelled, with a URL for it", cancelTo, Choice{Cancel: true}, 0, "422 CheckoutSessionCanceled", "200 Canceled BuyerCanceled", "https://merchant.example/cancel?a=1"},
		{"a card that is declined", nil, Choice{CardEnding: "3434"}, 0, "422 CheckoutSessionCanceled", "200 Canceled Declined", returnURL},
		{"a card that cancels", nil, Choice{CardEnding: "3064"}, 0, "422 CheckoutSessionCanceled", "200 Canceled BuyerCanceled", returnURL},
		{"a day later", nil, Choice{}, 24 * time.Hour, "422 CheckoutSessionCanceled", "200 Canceled Expired", returnURL},
		{"a moment before", nil, Choice{}, 24*time.Hour - time.Second, "200 Completed", "200 Completed", returnURL},
		{"after 30 days", nil, Choice{}, 30 * 24 * time.Hour, "404 ResourceNotFound", "404 ResourceNotFound", returnURL},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newShop(t, nil)
			w := s.walk(s.button(payloadFor(known, c.payload)), c.choice)
			if !strings.HasPrefix(w.ReturnURL, c.back) {
				t.Errorf("the buyer is sent to %s", w.ReturnURL)
			}
			if err := s.AgeCheckoutSession(w.CheckoutSessionID, c.age); err != nil {
				t.Fatal(err)
			}
			status, said := s.complete(w.CheckoutSessionID)
			if got := fmt.Sprint(status, " ", said); got != c.complete {
				t.Errorf("Complete: %s, want %s", got, c.complete)
			}
			status, said = s.look(w.CheckoutSessionID)
			if got := fmt.Sprint(status, " ", said); got != c.get {
				t.Errorf("Get: %s, want %s", got, c.get)
			}
			if is := s.permission(known); (is.StatusDetails.State != chargeable) || (s.Stats().IPNs.Published == 1) != (c.complete == "200 Completed") {
				t.Errorf("%d notifications, %+v", s.Stats().IPNs.Published, is.StatusDetails)
			}
		})
	}
}

func TestCompleteRefuses(t *testing.T) {
	for _, c := range []struct {
		name, payload string
		choose        bool
		before        func(s *shop, id string)
		want          string
	}{
		{"a session that the buyer has not confirmed", "{}", false, nil, "422 InvalidCheckoutSessionStatus"},
		{"one that is completed", "{}", true, func(s *shop, id string) { s.complete(id) }, "422 InvalidCheckoutSessionStatus"},
		{"a charge permission that was closed meanwhile", "{}", true, func(s *shop, _ string) {
			if _, err := s.Change(known, []byte(`{"statusDetails":{"state":"Closed"}}`), Notify{Silent: true}); err != nil {
				s.t.Fatal(err)
			}
		}, "422 InvalidChargePermissionStatus"},
		{"no payload", "", true, nil, "400 InvalidRequestFormat"},
		{"a list", "[]", true, nil, "400 InvalidRequestFormat"},
		{"a charge amount", `{"chargeAmount":{"amount":"1","currencyCode":"EUR"}}`, true, nil, "400 InvalidParameterCombination"},
		{"a field that it has not", `{"state":"Completed"}`, true, nil, "400 UnrecognizedField"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newShop(t, nil)
			made, err := s.initiate(s.button(payloadFor(known, nil)))
			if err != nil {
				t.Fatal(err)
			}
			if c.choose {
				if _, err := s.choose(made.id, Choice{}); err != nil {
					t.Fatal(err)
				}
			}
			if c.before != nil {
				c.before(s, made.id)
			}
			status, said, _ := s.api(http.MethodPost, "checkoutSessions/"+made.id+"/complete", c.payload, "the-key")
			if got := fmt.Sprint(status, " ", said); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

func TestASessionOfAnotherAccountIsUnknown(t *testing.T) {
	s := newShop(t, func(o *Options) {
		o.Accounts = append(o.Accounts, Account{MerchantID: "A9OTHER000000"})
	})
	w := s.walk(s.button(payloadFor(known, nil)), Choice{})
	s.accounts[0], s.accounts[1] = s.accounts[1], s.accounts[0] // the requests are now the other's
	if status, said := s.look(w.CheckoutSessionID); status != 404 {
		t.Errorf("Get: %d %s", status, said)
	}
	if status, said := s.complete(w.CheckoutSessionID); status != 404 {
		t.Errorf("Complete: %d %s", status, said)
	}
}

func TestCompleteIsDoneOnceForItsKey(t *testing.T) {
	s := newShop(t, nil)
	w := s.walk(s.button(payloadFor(known, nil)), Choice{Card: number(1)})
	path := "checkoutSessions/" + w.CheckoutSessionID + "/complete"
	for range 3 {
		if status, said, _ := s.api(http.MethodPost, path, "{}", "one-key"); status != 200 || said != "Completed" {
			t.Fatalf("%d %s", status, said)
		}
	}
	if n := s.Stats().IPNs.Published; n != 1 {
		t.Errorf("%d notifications", n)
	}
	if status, said, _ := s.api(http.MethodPost, path, "{ }", "one-key"); said != "DuplicateIdempotencyKey" {
		t.Errorf("another request by the same key: %d %s", status, said)
	}
	if status, said, _ := s.api(http.MethodPost, path, "{}", ""); said != "MissingHeader" {
		t.Errorf("no key: %d %s", status, said)
	}
}

func TestFaultsOfCompleteComeInBothForms(t *testing.T) {
	for _, c := range []struct {
		name   string
		fault  CallFault
		status int
		after  string
	}{
		{"500, not applied", CallFault{Status: 500}, 500, "200 Open"},
		{"500, applied and the answer lost", CallFault{Status: 500, Applied: true}, 500, "200 Completed"},
		{"reset, not applied", CallFault{Connection: "reset"}, 0, "200 Open"},
		{"reset, applied", CallFault{Connection: "reset", Applied: true}, 0, "200 Completed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newShop(t, nil)
			w := s.walk(s.button(payloadFor(known, nil)), Choice{})
			c.fault.Call, c.fault.Next = CompleteCheckoutSession, 1
			if err := s.SetFaults(Faults{Calls: []CallFault{c.fault}}); err != nil {
				t.Fatal(err)
			}
			path := "checkoutSessions/" + w.CheckoutSessionID + "/complete"
			if status, said, _ := s.api(http.MethodPost, path, "{}", "one-key"); status != c.status {
				t.Errorf("%d %s", status, said)
			}
			status, said := s.look(w.CheckoutSessionID)
			if got := fmt.Sprint(status, " ", said); got != c.after {
				t.Errorf("then %s, want %s", got, c.after)
			}
			if status, said, _ := s.api(http.MethodPost, path, "{}", "one-key"); status != 200 || said != "Completed" {
				t.Errorf("again: %d %s", status, said)
			}
			if n := s.Stats().IPNs.Published; n != 1 {
				t.Errorf("%d notifications", n)
			}
		})
	}
}

func TestTheDocumentedQuotasOfCheckoutSessions(t *testing.T) {
	s := newShop(t, func(o *Options) { o.Accounts[0].Quotas = nil })
	count := func(call func() (int, string)) (n int) {
		for range 60 {
			if status, _ := call(); status != http.StatusTooManyRequests {
				n++
			}
		}
		return n
	}
	if n := count(func() (int, string) { return s.complete("none") }); n != 2 {
		t.Errorf("Complete Checkout Session: %d at once in sandbox, documented are 2", n)
	}
	if n := count(func() (int, string) { return s.look("none") }); n != 10 {
		t.Errorf("Get Checkout Session: %d at once in sandbox, documented are 10", n)
	}
}

func TestANewPaymentMethodHeals(t *testing.T) {
	for _, c := range []struct {
		name, reasons string
		card          int
		refused       bool
		state         text
		left          int
	}{
		{"an expired one", `[{"reasonCode":"PaymentMethodExpired"}]`, 1, false, chargeable, 0},
		{"the expired one itself cannot be chosen", `[{"reasonCode":"PaymentMethodExpired"}]`, 0, true, nonChargeable, 1},
		{"MFA, by the same one", `[{"reasonCode":"MFAFailed"}]`, 0, false, chargeable, 0},
		{"but not a charge in progress", `[{"reasonCode":"ChargeInProgress"}]`, 1, false, nonChargeable, 1},
		{"of two reasons the one", `[{"reasonCode":"PaymentMethodDeleted"},{"reasonCode":"ChargeInProgress"}]`, 1, false, nonChargeable, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newShop(t, nil)
			if _, err := s.Change(expiredBuyer, []byte(`{"statusDetails":{"state":"NonChargeable","reasons":`+c.reasons+`}}`), Notify{Silent: true}); err != nil {
				t.Fatal(err)
			}
			w, err := s.Walk(s.button(payloadFor(expiredBuyer, nil)), Choice{Card: &c.card})
			if (err != nil) != c.refused {
				t.Fatal(err)
			}
			if !c.refused {
				if status, said := s.complete(w.CheckoutSessionID); status != 200 {
					t.Fatalf("%d %s", status, said)
				}
			}
			if is := s.permission(expiredBuyer).StatusDetails; is.State != c.state || len(is.Reasons) != c.left {
				t.Errorf("now %+v", is)
			}
		})
	}
}

func TestPayOnlyBecomesPayAndShip(t *testing.T) {
	s := newShop(t, nil)
	b := s.button(payloadFor(blankBuyer, nil))
	b.ProductType = payOnly
	if status, said := s.complete(s.walk(b, Choice{}).CheckoutSessionID); status != 200 {
		t.Fatalf("%d %s", status, said)
	}
	if is := s.permission(blankBuyer); is.ShippingAddress != nil || is.PaymentPreferences[0].PaymentDescriptor == "" {
		t.Errorf("PayOnly: %+v %+v", is.ShippingAddress, is.PaymentPreferences)
	}
	b.ProductType = payAndShip
	if status, said := s.complete(s.walk(b, Choice{}).CheckoutSessionID); status != 200 {
		t.Fatalf("%d %s", status, said)
	}
	if is := s.permission(blankBuyer); is.ShippingAddress == nil {
		t.Error("PayAndShip gave it no address")
	}
	b.ProductType = payOnly
	if _, err := s.Walk(b, Choice{}); err == nil {
		t.Error("PayOnly is accepted for a charge permission with an address")
	}
}

func TestScopesSayWhatTheMerchantSees(t *testing.T) {
	s := newShop(t, nil)
	for _, c := range []struct {
		name   string
		scopes []string
		sees   string
	}{
		{"default", nil, "name email shippingAddress"},
		{"some", []string{"email", "billingAddress"}, "email billingAddress"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := s.walk(s.button(payloadFor(known, func(p map[string]any) {
				if c.scopes != nil {
					p["scopes"] = c.scopes
				}
			})), Choice{})
			_, _, body := s.api(http.MethodGet, "checkoutSessions/"+w.CheckoutSessionID, "", "")
			var sees []string
			of, _ := body["buyer"].(map[string]any)
			for _, name := range []string{"name", "email"} {
				if of[name] != nil {
					sees = append(sees, name)
				}
			}
			for _, name := range []string{"shippingAddress", "billingAddress"} {
				if body[name] != nil {
					sees = append(sees, name)
				}
			}
			if got := strings.Join(sees, " "); got != c.sees {
				t.Errorf("sees %s, want %s", got, c.sees)
			}
		})
	}
}

// form posts a form to the checkout pages as a browser would.
func (s *shop) form(path string, v url.Values, site string) *httptest.ResponseRecorder {
	s.t.Helper()
	q := httptest.NewRequestWithContext(s.t.Context(), http.MethodPost, path, strings.NewReader(v.Encode()))
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	q.Header.Set("Sec-Fetch-Site", site)
	w := httptest.NewRecorder()
	s.pages.ServeHTTP(w, q)
	return w
}

func (s *shop) page(path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.pages.ServeHTTP(w, httptest.NewRequestWithContext(s.t.Context(), http.MethodGet, path, nil))
	return w
}

func values(b Button) url.Values {
	return url.Values{"merchantId": {b.MerchantID}, "ledgerCurrency": {b.LedgerCurrency}, "sandbox": {fmt.Sprint(b.Sandbox)},
		"checkoutLanguage": {b.CheckoutLanguage}, "productType": {b.ProductType}, "placement": {b.Placement}, "payloadJSON": {b.PayloadJSON},
		"signature": {b.Signature}, "publicKeyId": {b.PublicKeyID}, "algorithm": {b.Algorithm}, "origin": {b.Origin}}
}

func TestTheHostedPageIsWalkedByFormsAlone(t *testing.T) {
	s := newShop(t, nil)
	b := s.button(payloadFor(known, func(p map[string]any) {
		p["deliverySpecifications"] = map[string]any{"specialRestrictions": []string{restrictPackstations}}
	}))
	made := s.form("/checkout/initiate", values(b), "cross-site")
	at := made.Header().Get("Location")
	if made.Code != http.StatusSeeOther || !strings.HasPrefix(at, "/checkout/") {
		t.Fatalf("%d %s", made.Code, made.Body)
	}
	page := s.page(at).Body.String()
	for _, want := range []string{"This is not Amazon", "Musterstraße 12", "Beispielweg 7", "Packstation 101", "The shop does not deliver here",
		"MasterCard ****4444", "3434", "3064", `for="address-0"`, `for="card-1"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %s", want)
		}
	}
	if refused := s.form(at, url.Values{"do": {"confirm"}}, "cross-site"); refused.Code != http.StatusForbidden {
		t.Errorf("another site chooses: %d", refused.Code)
	}
	refused := s.form(at, url.Values{"do": {"confirm"}, "address": {"2"}, "card": {"1"}}, "same-origin")
	if refused.Code != http.StatusUnprocessableEntity || !strings.Contains(refused.Body.String(), "this shop does not deliver to Packstations.") {
		t.Errorf("the forbidden address: %d %s", refused.Code, refused.Body)
	}
	if !strings.Contains(refused.Body.String(), `value="1" checked>`) {
		t.Error("the choice is lost with the refusal")
	}
	done := s.form(at, url.Values{"do": {"confirm"}, "address": {"1"}, "card": {"1"}}, "same-origin")
	if want := returnURL + "&amazonCheckoutSessionId=" + strings.TrimPrefix(at, "/checkout/"); done.Code != http.StatusSeeOther || done.Header().Get("Location") != want {
		t.Errorf("%d to %s, want %s", done.Code, done.Header().Get("Location"), want)
	}
	for name, w := range map[string]*httptest.ResponseRecorder{"shown again": s.page(at), "chosen again": s.form(at, url.Values{"do": {"cancel"}}, "same-origin")} {
		if w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), `id="back"`) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	if w := s.page("/checkout/none"); w.Code != http.StatusNotFound {
		t.Errorf("no session: %d", w.Code)
	}
}

func TestARefusedButtonIsAPageThatSaysWhy(t *testing.T) {
	s := newShop(t, nil)
	b := s.button(payloadFor(known, nil))
	b.PayloadJSON = strings.Replace(b.PayloadJSON, "a-b_c", "a-b_d", 1)
	w := s.form("/checkout/initiate", values(b), "cross-site")
	if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "line 2 (SHA-256 of payloadJSON)") || !strings.Contains(w.Body.String(), "&#34;c&#34; became &#34;d&#34;") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if n := len(s.CheckoutSessions()); n != 0 {
		t.Errorf("%d sessions", n)
	}
}

func TestTheScriptKnowsItsRegionAndItsFaults(t *testing.T) {
	s := newShop(t, nil)
	if got := s.page("/checkout.js").Body.String(); !strings.Contains(got, `"currencies":["EUR","GBP"]`) || strings.Contains(got, `"fault"`) {
		t.Errorf("the EU's script ends %s", got[len(got)-400:])
	}
	if err := s.SetFaults(Faults{Calls: []CallFault{{Call: CheckoutScript, Script: "throws", Next: 1}, {Call: CheckoutScript, Status: 503, Next: 1}}}); err != nil {
		t.Fatal(err)
	}
	if got := s.page("/checkout.js").Body.String(); !strings.Contains(got, `"fault":"throws"`) {
		t.Errorf("it ends %s", got[len(got)-400:])
	}
	if got := s.page("/checkout.js"); got.Code != http.StatusServiceUnavailable {
		t.Errorf("%d", got.Code)
	}
}

func TestTheControlAPIWalksAndAges(t *testing.T) {
	s := newShop(t, nil)
	h := s.controlHandler()
	call := func(method, path, body string) (int, map[string]any) {
		q := httptest.NewRequestWithContext(t.Context(), method, "http://127.0.0.1"+path, strings.NewReader(body))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, q)
		var got map[string]any
		_ = json.Unmarshal(w.Body.Bytes(), &got) // a list, for one call
		return w.Code, got
	}
	b := s.button(payloadFor(known, nil))
	body := func(choose string) string {
		checkout, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		return `{"checkout":` + string(checkout) + `,"choose":` + choose + `}`
	}
	status, got := call("POST", "/checkout-sessions", body(`{"card":1}`))
	id, _ := got["checkoutSessionId"].(string)
	if status != 200 || id == "" || got["returnUrl"] != returnURL+"&amazonCheckoutSessionId="+id {
		t.Fatalf("%d %v", status, got)
	}
	if status, got := call("GET", "/checkout-sessions/"+id, ""); status != 200 || got["confirmed"] != true || got["chargePermissionId"] != known {
		t.Errorf("%d %v", status, got)
	}
	if status, _ := call("POST", "/checkout-sessions/"+id+"/age?by=24h", ""); status != 200 {
		t.Errorf("age: %d", status)
	}
	if status, said := s.look(id); said != "Canceled Expired" {
		t.Errorf("%d %s", status, said)
	}
	if status, got := call("POST", "/checkout-sessions", body(`{"card":99}`)); status != 400 {
		t.Errorf("a card that there is not: %d %v", status, got)
	}
	if status, got := call("POST", "/checkout-sessions", body(`{"crd":1}`)); status != 400 {
		t.Errorf("a misspelt choice: %d %v", status, got)
	}
	b.Signature = flipAfter(b.Signature, "", 9)
	if status, got := call("POST", "/checkout-sessions", body(`{}`)); status != 403 || got["problems"] == nil {
		t.Errorf("%d %v", status, got)
	}
	if status, _ := call("GET", "/checkout-sessions/none", ""); status != 404 {
		t.Errorf("none: %d", status)
	}
	if all := s.CheckoutSessions(); len(all) != 2 {
		t.Errorf("%d sessions", len(all))
	}
}
