package update

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"walletsync/internal/amazonpay"
	"walletsync/internal/update/pages"
	"walletsync/internal/update/session"
	"walletsync/internal/wallet"
)

const asked = `{"chargePermissionId":"S01-0000000-0000001","update":"both"}`

// problemOf reads a problem's code and fields.
func problemOf(t *testing.T, got *httptest.ResponseRecorder) (code string, fields []string) {
	t.Helper()
	var p problem
	if err := json.Unmarshal(got.Body.Bytes(), &p); err != nil || got.Header().Get("Content-Type") != "application/problem+json" || p.Status != got.Code {
		t.Fatalf("%d %v: %s", got.Code, got.Header(), got.Body)
	}
	for _, f := range p.Errors {
		fields = append(fields, f.Field)
	}
	return p.Code, fields
}

func answerOf(t *testing.T, got *httptest.ResponseRecorder) SessionAnswer {
	t.Helper()
	var a SessionAnswer
	if err := json.Unmarshal(got.Body.Bytes(), &a); err != nil || got.Code != http.StatusCreated {
		t.Fatalf("%d: %s", got.Code, got.Body)
	}
	return a
}

func TestAnswerHasAllParametersOfInitCheckout(t *testing.T) {
	w := newWorld()
	got := w.post(t, `{"chargePermissionId":"S01-0000000-0000001","update":"both","locale":"de-AT","startUrl":"https://shop.example/account",
		"returnTo":"https://shop.example/done","scopes":["name","billingAddress"],"merchantMetadata":{"noteToBuyer":"Grüße <b> & Co"},
		"deliverySpecifications":{"specialRestrictions":["RestrictPOBoxes"],"addressRestrictions":{"type":"Allowed","restrictions":{"DE":{},"US":{"statesOrRegions":["WA"],"zipCodes":["981*"]}}}}}`)
	a := answerOf(t, got)
	if !a.ExpiresAt.Equal(noon.Add(30*time.Minute)) || a.UpdateSessionID != some.String() || got.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%+v", a)
	}
	state := seal(t, w.start.Site.Tokens, State, some, noon.Add(30*time.Minute+24*time.Hour))
	payload := `{"webCheckoutDetails":{"checkoutResultReturnUrl":"https://pay.example/return?t=` + state + `"},"storeId":"amzn1.application-oa2-client.0",` +
		`"chargePermissionId":"S01-0000000-0000001","chargePermissionType":"PaymentMethodOnFile","paymentMethodOnFileMetadata":{"setupOnly":true},` +
		`"paymentDetails":{"paymentIntent":"Confirm","canHandlePendingAuthorization":false},` +
		`"deliverySpecifications":{"specialRestrictions":["RestrictPOBoxes"],"addressRestrictions":{"type":"Allowed","restrictions":{"DE":{},"US":{"statesOrRegions":["WA"],"zipCodes":["981*"]}}}},` +
		`"scopes":["name","billingAddress"],"merchantMetadata":{"noteToBuyer":"Grüße <b> & Co"}}`
	want := pages.Checkout{
		ScriptURL: "https://static-eu.payments-amazon.com/checkout.js", MerchantID: "A1MERCHANT", PublicKeyID: "SANDBOX-KEY", LedgerCurrency: "EUR",
		CheckoutLanguage: "de_DE", ProductType: "PayAndShip", Placement: "Other", Sandbox: true,
		PayloadJSON: payload, Signature: "signature", Algorithm: "AMZN-PAY-RSASSA-PSS-V2",
	}
	if d := cmp.Diff(want, a.Checkout); d != "" {
		t.Error(d)
	}
	if len(w.signed) != 1 || string(w.signed[0]) != a.Checkout.PayloadJSON {
		t.Errorf("signed: %s", w.signed)
	}
	s := w.store.sessions[some]
	if s.ChargePermission != one || s.Account != "main" || s.StartURL == "" || s.ReturnTo == "" || !s.ExpiresAt.Equal(noon.Add(24*time.Hour+30*time.Minute)) {
		t.Errorf("%+v", s)
	}
	// The members have the documented names.
	var raw struct{ Checkout map[string]any }
	if err := json.Unmarshal(got.Body.Bytes(), &raw); err != nil || len(raw.Checkout) != 11 || raw.Checkout["payloadJSON"] != payload {
		t.Errorf("%v %v", raw, err)
	}
}

func TestSettingsOfThePayload(t *testing.T) {
	w := newWorld()
	w.start.SetupOnly, w.start.CancelURL = false, true
	w.start.Accounts[0].ScriptURL, w.start.Accounts[0].PublicKeyID = "https://mirror.example/checkout.js", "LIVE-KEY"
	c := answerOf(t, w.post(t, asked)).Checkout
	var p payload
	if err := json.Unmarshal([]byte(c.PayloadJSON), &p); err != nil {
		t.Fatal(err)
	}
	if p.PaymentMethodOnFileMetadata.SetupOnly || p.WebCheckoutDetails.CheckoutCancelURL != cancelURL(p.WebCheckoutDetails.CheckoutResultReturnURL) {
		t.Errorf("%+v", p)
	}
	if c.ScriptURL != "https://mirror.example/checkout.js" || c.Sandbox {
		t.Errorf("%+v", c)
	}
}

func TestNoURLHoldsAChargePermission(t *testing.T) {
	w := newWorld()
	got := w.post(t, asked)
	a := answerOf(t, got)
	var p payload
	if err := json.Unmarshal([]byte(a.Checkout.PayloadJSON), &p); err != nil {
		t.Fatal(err)
	}
	for _, u := range []string{a.URL, got.Header().Get("Location"), p.WebCheckoutDetails.CheckoutResultReturnURL} {
		where, err := url.Parse(u)
		if err != nil || where.Scheme != "https" || where.Host != "pay.example" {
			t.Fatal(u, err)
		}
		raw, err := tokenEncoding.DecodeString(where.Query().Get("t"))
		if err != nil || strings.Contains(string(raw), string(one)) || strings.Contains(u, "0000001") || len(where.Query()) != 1 {
			t.Errorf("%s, %v", u, err)
		}
	}
	if strings.Contains(w.log.String(), string(one)) {
		t.Error(w.log.String())
	}
}

// Invariant 5: an update is started only by the merchant's authenticated call.
func TestStartNeedsTheMerchantsKey(t *testing.T) {
	for _, c := range []struct {
		name, header string
		want         int
	}{
		{"the current key", "Bearer the-current-key-1", http.StatusCreated},
		{"the previous key", "bearer the-previous-key", http.StatusCreated},
		{"none", "", http.StatusUnauthorized},
		{"an empty key", "Bearer ", http.StatusUnauthorized},
		{"another", "Bearer the-current-key-2", http.StatusUnauthorized},
		{"half of it", "Bearer the-current", http.StatusUnauthorized},
		{"another scheme", "Basic the-current-key-1", http.StatusUnauthorized},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			got := w.post(t, asked, "Authorization", c.header)
			if got.Code != c.want || (c.want == http.StatusCreated) != (len(w.store.sessions) == 1) {
				t.Errorf("%d, %d sessions", got.Code, len(w.store.sessions))
			}
			if c.want == http.StatusUnauthorized {
				if code, _ := problemOf(t, got); code != "unauthorized" || got.Header().Get("WWW-Authenticate") != "Bearer" {
					t.Error(code, got.Header())
				}
			}
		})
	}
}

func TestRotatedBearerKeyIsReadAgain(t *testing.T) {
	w := newWorld()
	w.start.BearerKeys = func(_ context.Context, again bool) ([]string, error) {
		if again {
			return []string{"the-newest-key-3"}, nil
		}
		return []string{"the-current-key-1"}, nil
	}
	if got := w.post(t, asked, "Authorization", "Bearer the-newest-key-3"); got.Code != http.StatusCreated {
		t.Error(got.Code)
	}
	w.start.BearerKeys = func(context.Context, bool) ([]string, error) { return nil, errDown }
	if got := w.post(t, asked); got.Code != http.StatusServiceUnavailable || got.Header().Get("Retry-After") == "" {
		t.Error(got.Code, got.Header())
	}
}

func TestIAMNeedsTheAuthorizer(t *testing.T) {
	for caller, want := range map[string]int{"arn:aws:iam::123456789012:user/shop": http.StatusCreated, "": http.StatusUnauthorized} {
		w := newWorld()
		w.start.BearerKeys, w.start.Caller = nil, func(*http.Request) string { return caller }
		if got := w.post(t, asked, "Authorization", ""); got.Code != want {
			t.Errorf("%q: %d", caller, got.Code)
		}
		w.start.Caller = nil
		if got := w.post(t, asked); got.Code != http.StatusUnauthorized {
			t.Errorf("without the authorizer: %d", got.Code)
		}
	}
}

func TestRefusedUpdatesHaveAReason(t *testing.T) {
	stored := session.Permission{Account: "main", Type: paymentMethodOnFile, Followed: true, State: wallet.Chargeable}
	for _, c := range []struct {
		name   string
		change func(*session.Permission)
		status int
		code   string
	}{
		{"closed", func(p *session.Permission) { p.State = wallet.Closed }, http.StatusConflict, "closed"},
		{"not followed", func(p *session.Permission) { p.Followed, p.Type = false, "OneTime" }, http.StatusConflict, "not_followed"},
		{"gone", func(p *session.Permission) { p.Gone = true }, http.StatusNotFound, "unknown_charge_permission"},
		{"of another type", func(p *session.Permission) { p.Type = "Recurring" }, http.StatusConflict, "not_updatable"},
		{"of an account that is not configured any more", func(p *session.Permission) { p.Account = "old" }, http.StatusConflict, "other_account"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			p := stored
			c.change(&p)
			w.store.permissions = []session.Permission{p}
			got := w.post(t, asked)
			if code, _ := problemOf(t, got); got.Code != c.status || code != c.code || len(w.store.sessions) != 0 {
				t.Errorf("%d %s", got.Code, code)
			}
		})
	}
	w := newWorld()
	if !strings.Contains(w.postClosed(t), "new Saved Wallet") {
		t.Error("the answer for a closed charge permission does not name the buyer's next step")
	}
}

func TestLinkOpensTheUpdatePage(t *testing.T) {
	w := newWorld()
	w.start.LinkLifetime = 24 * time.Hour
	got, err := w.start.NewLink(t.Context(), "main", one, pages.Both)
	if err != nil {
		t.Fatal(err)
	}
	stored := w.store.sessions[got.ID]
	if got.Expires != noon.Add(24*time.Hour) || stored.ChargePermission != one || stored.Account != "main" || stored.Update != pages.Both ||
		stored.State != session.Started || stored.ExpiresAt != got.Expires.Add(session.AmazonsDay) {
		t.Errorf("%+v, %+v", got, stored)
	}
	if len(w.signed) != 0 {
		t.Error("the payload was signed before the buyer opened the link")
	}
	if strings.Contains(got.URL, string(one)) {
		t.Error("the link contains the charge permission")
	}
	w.now = noon.Add(24*time.Hour - time.Second)
	w.get(t.Context(), strings.TrimPrefix(got.URL, w.start.Site.PublicURL))
	if len(w.shown.ready) != 1 || w.shown.ready[0].Update != pages.Both || len(w.signed) != 1 {
		t.Errorf("%+v", w.shown)
	}
}

func TestNewLinkReturnsTheReasonOfARefusal(t *testing.T) {
	stored := session.Permission{Account: "main", Type: paymentMethodOnFile, Followed: true, State: wallet.Closed}
	w := newWorld()
	w.store.permissions = []session.Permission{stored}
	_, err := w.start.NewLink(t.Context(), "main", one, pages.Both)
	if refused, ok := errors.AsType[RefusedError](err); !ok || refused.Code != "closed" || len(w.store.sessions) != 0 {
		t.Error(err)
	}
	w.store.down = errors.New("no database")
	if _, err = w.start.NewLink(t.Context(), "main", one, pages.Both); !errors.Is(err, w.store.down) {
		t.Errorf("not an error of the database: %v", err)
	}
	if refused, ok := errors.AsType[RefusedError](err); ok {
		t.Errorf("a temporary error is a refusal: %s", refused.Code)
	}
}

func (w *world) postClosed(t *testing.T) string {
	w.store.permissions[0].State = wallet.Closed
	return w.post(t, asked).Body.String()
}

func TestChargePermissionNeverReadIsReadFirst(t *testing.T) {
	state := &wallet.ChargePermission{ID: one, Type: paymentMethodOnFile, State: wallet.State{State: wallet.Chargeable}}
	withAddress := *state
	withAddress.Shipping.City = "Exampleton"
	closed := *state
	closed.State.State = wallet.Closed
	for _, c := range []struct {
		name   string
		result wallet.Refreshed
		err    error
		status int
		want   string // code, or product type
	}{
		{"without an address", wallet.Refreshed{Kind: "read", State: state}, nil, http.StatusCreated, "PayOnly"},
		{"with an address", wallet.Refreshed{Kind: "read", State: &withAddress}, nil, http.StatusCreated, "PayAndShip"},
		{"closed", wallet.Refreshed{Kind: "read", State: &closed}, nil, http.StatusConflict, "closed"},
		{"unknown to Amazon", wallet.Refreshed{Kind: "gone"}, nil, http.StatusNotFound, "unknown_charge_permission"},
		{"not followed", wallet.Refreshed{Kind: "not_followed"}, nil, http.StatusConflict, "not_followed"},
		{"unavailable", wallet.Refreshed{Kind: "failed"}, nil, http.StatusServiceUnavailable, "unavailable"},
		{"no token", wallet.Refreshed{}, nil, http.StatusServiceUnavailable, "unavailable"},
		{"the database is down", wallet.Refreshed{}, errDown, http.StatusServiceUnavailable, "unavailable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			w.store.permissions, w.reader.result, w.reader.err = nil, c.result, c.err
			got := w.post(t, `{"chargePermissionId":"S01-0000000-0000001","update":"payment_method"}`)
			if d := cmp.Diff([]wallet.Want{{Account: "main", ChargePermission: one, Priority: wallet.PriorityReturn}}, w.reader.requests); d != "" {
				t.Error(d)
			}
			if got.Code != c.status {
				t.Fatalf("%d: %s", got.Code, got.Body)
			}
			if c.status == http.StatusCreated {
				if a := answerOf(t, got); a.Checkout.ProductType != c.want {
					t.Errorf("%s", a.Checkout.ProductType)
				}
				return
			}
			if code, _ := problemOf(t, got); code != c.want || (got.Code == http.StatusServiceUnavailable) != (got.Header().Get("Retry-After") != "") {
				t.Errorf("%s, %v", code, got.Header())
			}
		})
	}
	// An erased charge permission is read too, because its address is not stored.
	for hasAddress, want := range map[bool]string{true: "PayAndShip", false: "PayOnly"} {
		w := newWorld()
		w.store.permissions[0].Erased, w.store.permissions[0].HasAddress = true, false
		w.reader.result = wallet.Refreshed{Kind: "read", State: state, HasAddress: hasAddress}
		got := w.post(t, `{"chargePermissionId":"S01-0000000-0000001","update":"payment_method"}`)
		if got.Code != http.StatusCreated {
			t.Fatalf("%d: %s", got.Code, got.Body)
		}
		if a := answerOf(t, got); a.Checkout.ProductType != want {
			t.Errorf("%s, not %s", a.Checkout.ProductType, want)
		}
		w.reader.result = wallet.Refreshed{State: state} // the stored state, because there is no token
		if got := w.post(t, asked); got.Code != http.StatusServiceUnavailable {
			t.Errorf("erased and unreadable: %d", got.Code)
		}
	}
	// A charge permission whose type is followed only now is read too.
	w := newWorld()
	w.store.permissions, w.reader.result = []session.Permission{{Account: "main", Type: paymentMethodOnFile}}, wallet.Refreshed{Kind: "read", State: state}
	if got := w.post(t, asked); got.Code != http.StatusCreated || len(w.reader.requests) != 1 {
		t.Error(got.Code, w.reader.requests)
	}
}

func TestAccountIsTheNamedOneOrTheOwner(t *testing.T) {
	in := func(account wallet.AccountID) session.Permission {
		return session.Permission{Account: account, Type: paymentMethodOnFile, Followed: true, State: wallet.Chargeable, HasAddress: true}
	}
	for _, c := range []struct {
		name   string
		stored []session.Permission
		named  string
		want   string // account, or code
	}{
		{"one has it", []session.Permission{in("second")}, "", "second"},
		{"the one named has it", []session.Permission{in("main"), in("second")}, "second", "second"},
		{"two have it", []session.Permission{in("main"), in("second")}, "", "invalid_request"},
		{"another has it", []session.Permission{in("main")}, "second", "other_account"},
		{"one that is none", []session.Permission{in("main")}, "third", "invalid_request"},
		{"no account has it, and there are two", nil, "", "invalid_request"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			second := w.start.Accounts[0]
			second.ID = "second"
			w.start.Accounts = append(w.start.Accounts, second)
			w.store.permissions = c.stored
			body := asked
			if c.named != "" {
				body = strings.Replace(asked, "{", `{"account":"`+c.named+`",`, 1)
			}
			got := w.post(t, body)
			if got.Code == http.StatusCreated {
				if a := w.store.sessions[some].Account; string(a) != c.want {
					t.Errorf("%s", a)
				}
				return
			}
			code, fields := problemOf(t, got)
			if code != c.want || code == "invalid_request" && !cmp.Equal(fields, []string{"account"}) {
				t.Errorf("%s %v", code, fields)
			}
		})
	}
}

func TestProductTypeFollowsTheRules(t *testing.T) {
	for _, c := range []struct {
		update, asked string
		hasAddress    bool
		want          string // empty if refused
	}{
		{"address", "", false, payAndShip},
		{"both", "", false, payAndShip},
		{"both", "", true, payAndShip},
		{"payment_method", "", true, payAndShip},
		{"payment_method", "", false, payOnly},
		{"payment_method", payAndShip, false, payAndShip},
		{"payment_method", payOnly, false, payOnly},
		{"payment_method", payOnly, true, ""},
		{"address", payAndShip, false, payAndShip},
		{"address", payOnly, false, ""},
		{"both", payOnly, true, ""},
	} {
		w := newWorld()
		w.store.permissions[0].HasAddress = c.hasAddress
		body := `{"chargePermissionId":"S01-0000000-0000001","update":"` + c.update + `"`
		if c.asked != "" {
			body += `,"productType":"` + c.asked + `"`
		}
		got := w.post(t, body+`}`)
		if c.want == "" {
			if code, fields := problemOf(t, got); code != "invalid_request" || !cmp.Equal(fields, []string{"productType"}) {
				t.Errorf("%+v: %s %v", c, code, fields)
			}
		} else if a := answerOf(t, got); a.Checkout.ProductType != c.want {
			t.Errorf("%+v: %s", c, a.Checkout.ProductType)
		}
	}
}

func TestDeliverySpecificationsNeedAnAddress(t *testing.T) {
	w := newWorld()
	w.store.permissions[0].HasAddress = false
	const body = `{"chargePermissionId":"S01-0000000-0000001","update":"payment_method","deliverySpecifications":{"specialRestrictions":["RestrictPOBoxes"]}}`
	if a := answerOf(t, w.post(t, body)); strings.Contains(a.Checkout.PayloadJSON, "deliverySpecifications") {
		t.Error(a.Checkout.PayloadJSON)
	}
}

func TestCheckoutLanguageBelongsToTheRegion(t *testing.T) {
	for _, c := range []struct {
		region       amazonpay.Region
		locale, want string
	}{
		{amazonpay.EU, "de_DE", "de_DE"}, {amazonpay.EU, "de-AT", "de_DE"}, {amazonpay.EU, "FR", "fr_FR"}, {amazonpay.EU, "en_US", "en_GB"},
		{amazonpay.EU, "", "en_GB"}, {amazonpay.EU, "ja_JP", "en_GB"}, {amazonpay.EU, "pl", "en_GB"}, {amazonpay.NA, "de_DE", "en_US"},
		{amazonpay.NA, "en-GB", "en_US"}, {amazonpay.JP, "en_US", "ja_JP"},
	} {
		if got := checkoutLanguage(c.region, c.locale); got != c.want {
			t.Errorf("%s %q: %s", c.region, c.locale, got)
		}
	}
}

func TestJapanIsAllowedWithAWarning(t *testing.T) {
	w := newWorld()
	w.start.Accounts[0].Region = amazonpay.JP
	if got := w.post(t, asked); got.Code != http.StatusCreated || !strings.Contains(w.log.String(), "not supported in Japan") {
		t.Error(got.Code, w.log.String())
	}
}

func TestNoSessionWhileTheDatabaseIsDown(t *testing.T) {
	w := newWorld()
	w.store.down = errDown
	if code, _ := problemOf(t, w.post(t, asked)); code != "unavailable" {
		t.Error(code)
	}
}

func TestBodyIsLimited(t *testing.T) {
	w := newWorld()
	if code, _ := problemOf(t, w.post(t, strings.Repeat(" ", maxBody+1))); code != "too_large" {
		t.Error(code)
	}
}

// Invariant 5: only a signed link that has not expired starts an update.
func TestUpdatePageNeedsAValidLink(t *testing.T) {
	for _, c := range []struct {
		name string
		url  func(*world, *testing.T, session.Session) string
		now  time.Duration
		want pages.Kind // empty: the update page
	}{
		{"a link", nil, 0, ""},
		{"a link of half an hour", nil, 30 * time.Minute, pages.LinkExpired},
		{"a state token", func(w *world, t *testing.T, s session.Session) string {
			return "/update?t=" + seal(t, w.start.Site.Tokens, State, s.ID, s.ExpiresAt)
		}, 0, pages.LinkInvalid},
		{"a forged one", func(_ *world, t *testing.T, s session.Session) string {
			return "/update?t=" + seal(t, tokens(noon, "an-unknown-secret-1"), Link, s.ID, s.ExpiresAt)
		}, 0, pages.LinkInvalid},
		{"none", func(*world, *testing.T, session.Session) string { return "/update" }, 0, pages.LinkInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			s := w.session(nil)
			to := "/update?t=" + seal(t, w.start.Site.Tokens, Link, s.ID, noon.Add(30*time.Minute))
			if c.url != nil {
				to = c.url(w, t, s)
			}
			w.now = noon.Add(c.now)
			w.get(t.Context(), to)
			switch {
			case c.want == "" && (len(w.shown.ready) != 1 || len(w.signed) != 1 || w.shown.ready[0].Checkout.PayloadJSON != string(w.signed[0])):
				t.Errorf("%+v", w.shown)
			case c.want != "" && (len(w.shown.ready) != 0 || len(w.shown.problem) != 1 || w.shown.problem[0].Kind != c.want || len(w.signed) != 0):
				t.Errorf("%+v", w.shown)
			}
		})
	}
}

func TestUpdatePageShowsWhyAnUpdateIsImpossible(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*session.Session)
		want   pages.Kind
	}{
		{"completed", func(s *session.Session) { s.State = session.Completed }, pages.Done},
		{"closed", func(s *session.Session) { s.Closed = true }, pages.Closed},
		{"ended by an erasure, with a link that is still good", func(s *session.Session) { s.State, s.ExpiresAt = session.Expired, noon }, pages.LinkExpired},
		{"an account that is gone", func(s *session.Session) { s.Account = "old" }, pages.NotFound},
	} {
		w := newWorld()
		s := w.session(c.change)
		w.get(t.Context(), "/update?t="+seal(t, w.start.Site.Tokens, Link, s.ID, noon.Add(time.Minute)))
		if len(w.shown.problem) != 1 || w.shown.problem[0].Kind != c.want || w.shown.problem[0].MerchantURL == "" {
			t.Errorf("%s: %+v", c.name, w.shown)
		}
	}
	w := newWorld()
	s := w.session(nil)
	to := "/update?t=" + seal(t, w.start.Site.Tokens, Link, s.ID, noon.Add(time.Minute))
	w.start.Signer = func(wallet.AccountID) (Signer, error) { return nil, errors.New("no key") }
	if w.get(t.Context(), to); len(w.shown.problem) != 1 || w.shown.problem[0].Kind != pages.Unavailable || w.shown.problem[0].AgainURL != "https://pay.example"+to {
		t.Errorf("%+v", w.shown)
	}
}

func TestIssuedLinkSurvivesARotationOfBothSecrets(t *testing.T) {
	w := newWorld()
	a := answerOf(t, w.post(t, asked))
	w.start.Site.Tokens.Secrets = func(context.Context, bool) ([]string, error) { return []string{"the-second-secret", secret}, nil }
	w.get(t.Context(), a.URL)
	if len(w.shown.ready) != 1 || len(w.signed) != 2 {
		t.Fatalf("%+v", w.shown)
	}
	// The page has a new signature, and a state token that survives the next rotation.
	var p payload
	if err := json.Unmarshal([]byte(w.shown.ready[0].Checkout.PayloadJSON), &p); err != nil {
		t.Fatal(err)
	}
	back, _ := url.Parse(p.WebCheckoutDetails.CheckoutResultReturnURL)
	if _, err := tokens(noon, "the-third-secret-3", "the-second-secret").Open(t.Context(), State, back.Query().Get("t")); err != nil {
		t.Error(err)
	}
}
