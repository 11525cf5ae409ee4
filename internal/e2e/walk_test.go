package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/google/uuid"

	"walletsync/internal/local/stack"
	"walletsync/internal/local/twin"
	"walletsync/internal/update"
)

// TestABuyerWalksFromTheShopAndBack goes from the shop through the update page, or with
// the shop's own button, to Amazon's page and back, with the real binaries.
func TestABuyerWalksFromTheShopAndBack(t *testing.T) {
	s := running(t)
	const id = "S01-1000001-1000001"
	for _, c := range []struct {
		name   string
		button string   // on the shop's page
		page   string   // the button that opens Amazon's page
		steps  []string // the buyer's clicks on Amazon's page
		shows  string
		state  string
	}{
		{"through the update page", `button[value="both"]:not(.quiet)`, "#go", []string{"#address-1", "#card-1", "#continue"}, "Your details are updated", "completed"},
		{"by the shop's own button", ".quiet", "#own:enabled", []string{"#address-1", "#card-1", "#continue"}, "Your details are updated", "completed"},
		{"cancel", `button[value="address"]`, "#go", []string{"#cancel"}, "failed. Please try again", "failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			settled(t, s, id)
			ctx := browser(t, "light")
			do(t, ctx, chromedp.Navigate(s.ShopURL))
			do(t, ctx, chromedp.Click("#"+id+" "+c.button))
			do(t, ctx, chromedp.WaitVisible(c.page))
			if at := do(t, ctx, chromedp.Evaluate[string](`location.href`)); strings.Contains(at, id) && c.page == "#go" {
				t.Errorf("the charge permission's id is in %s", at)
			}
			do(t, ctx, chromedp.Click(c.page))
			for _, step := range c.steps {
				do(t, ctx, chromedp.Click(step))
			}
			do(t, ctx, chromedp.WaitVisible("#returned"))
			if got := do(t, ctx, chromedp.Text("#returned")); !strings.Contains(got, c.shows) {
				t.Errorf("the shop shows %q", got)
			}
			got := column(t, s, `select state from walletsync.update_sessions where charge_permission = $1 order by created_at desc limit 1`, id)
			if got != c.state {
				t.Errorf("the session is %s", got)
			}
		})
	}
}

// visit is a buyer with a browser and a wallet that no other test uses. Of two addresses
// and two cards, the one in Sampleton and the card 0007 are in use.
type visit struct {
	t   *testing.T
	s   *stack.Stack
	ctx context.Context
	id  string
}

// record is the state of an update and its wallet in the database.
type record struct {
	session  string // state, with the reason
	attempts string // outcomes, in the order of the returns
	changes  string // facets that changed since the start
	wallet   string // city and card
}

// untouched is the unchanged wallet.
const untouched = "Sampleton 0007"

// untried is a session without a return.
var untried = record{"started", "", "", untouched}

func (v visit) begins(update, more string) begun { return begin(v.t, v.s, v.id, update, more) }

// tab is another tab of the same browser.
func (v visit) tab() visit {
	v.ctx = tab(v.t, v.ctx)
	return v
}

func (v visit) opens(url string) {
	v.t.Helper()
	do(v.t, v.ctx, chromedp.Navigate(url))
}

func (v visit) clicks(buttons ...string) {
	v.t.Helper()
	for _, b := range buttons {
		do(v.t, v.ctx, chromedp.Click(b))
	}
}

// back presses the browser's back button until the URL contains to. The browser may
// load that page again or take it from its cache.
func (v visit) back(to string) {
	v.t.Helper()
	do(v.t, v.ctx, chromedp.Evaluate[bool](`history.back(), true`))
	until(v.t, "the page before, "+to, func() (bool, error) {
		at, err := chromedp.Run(v.ctx, chromedp.Location())
		return err == nil && strings.Contains(at, to), nil // an error means that the page is changing
	})
}

// reads waits until the page shows all texts and returns the page's text.
func (v visit) reads(texts ...string) (page string) {
	v.t.Helper()
	err := stack.Until(v.ctx, eventTimeout, "the page to show the texts", func() (bool, error) {
		got, err := chromedp.Run(v.ctx, chromedp.Evaluate[string](`document.querySelector("main")?.innerText ?? ""`))
		if err != nil {
			return false, nil // the page is changing
		}
		page = got
		for _, text := range texts {
			if !strings.Contains(page, text) {
				return false, nil
			}
		}
		return true, nil
	})
	if err != nil {
		v.t.Errorf("the page shows %q, not all of %q: %v", page, texts, err)
	}
	return page
}

// finds checks the state in the database.
func (v visit) finds(b begun, want record) {
	v.t.Helper()
	if got := v.record(b); got != want {
		v.t.Errorf("the database has %+v, want %+v", got, want)
	}
}

func (v visit) record(b begun) record {
	v.t.Helper()
	of := func(sql string) string { return column(v.t, v.s, sql, b.UpdateSessionID, v.id) }
	return record{
		session: of(`select state || coalesce(' ' || reason, '') from walletsync.update_sessions where id = $1::uuid and charge_permission = $2`),
		attempts: of(`select string_agg(coalesce(a.outcome, 'open'), ' ' order by a.returned_at) from walletsync.update_attempts a
			join walletsync.update_sessions s on s.id = a.update_session where s.id = $1::uuid and s.charge_permission = $2`),
		changes: of(`select string_agg(h.facet, ' ' order by h.facet) from walletsync.charge_permission_changes h
			join walletsync.update_sessions s on s.id = $1::uuid where h.charge_permission = $2 and h.stored_at > s.created_at`),
		wallet: of(`select concat_ws(' ', nullif(shipping_city, ''), substring(payment_descriptors[1] from '[0-9]{4}'))
			from walletsync.charge_permissions where id = $2 and $1::uuid is not null`),
	}
}

// returnURL returns the URL to which Amazon sends the buyer of an update session.
func returnURL(t *testing.T, b begun, checkoutSession string) string {
	t.Helper()
	var payload struct {
		WebCheckoutDetails struct{ CheckoutResultReturnURL string }
	}
	if err := json.Unmarshal([]byte(b.Checkout.PayloadJSON), &payload); err != nil {
		t.Fatal(err)
	}
	return payload.WebCheckoutDetails.CheckoutResultReturnURL + "&amazonCheckoutSessionId=" + checkoutSession
}

// oldLink returns a link for an update session that expired a second ago.
func oldLink(t *testing.T, s *stack.Stack, b begun) string {
	t.Helper()
	q := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(`{"SecretId":"walletsync-link"}`))
	q.Header.Set("X-Amz-Target", "secretsmanager.GetSecretValue")
	q.Header.Set("Content-Type", "application/x-amz-json-1.1")
	w := httptest.NewRecorder()
	s.Secrets.ServeHTTP(w, q)
	var kept struct{ SecretString string }
	var link struct{ LinkSecret string }
	if err := json.Unmarshal(w.Body.Bytes(), &kept); err != nil {
		t.Fatal(w.Body, err)
	}
	if err := json.Unmarshal([]byte(kept.SecretString), &link); err != nil || link.LinkSecret == "" {
		t.Fatal("the stack's secret is unavailable", err)
	}
	id, err := uuid.Parse(b.UpdateSessionID)
	if err != nil {
		t.Fatal(err)
	}
	tokens := update.Tokens{Secrets: func(context.Context, bool) ([]string, error) { return []string{link.LinkSecret}, nil }}
	token, err := tokens.Seal(t.Context(), update.Link, id, time.Now().Add(-time.Second))
	if err != nil {
		t.Fatal(err)
	}
	return s.PublicURL + "/update?t=" + token
}

// tampered returns a URL with one bit of its token flipped.
func tampered(url string) string {
	at := strings.Index(url, "?t=") + 3 + 60 // within the seal
	c := byte('A')
	if url[at] == c {
		c = 'B'
	}
	return url[:at] + string(c) + url[at+1:]
}

const failedMessage = "The update for your address or payment method failed. Please try again."

// walks has every outcome of an update. In each, the last page says what happened and
// what to do, and the database agrees.
var walks = []struct {
	name string
	walk func(v visit) (begun, record)
}{
	{"change of card", func(v visit) (begun, record) {
		b := v.begins("payment_method", "")
		v.opens(b.URL)
		v.reads("Update your payment method", "Continue to Amazon Pay to choose", "Back to Example Shop")
		v.clicks("#go", "#card-1", "#continue")
		v.reads("Your payment method has been updated", "You do not need to do anything else", "****7007", "Back to Example Shop")
		return b, record{"completed", "completed", "payment_method", "Sampleton 7007"}
	}},
	{"change of address", func(v visit) (begun, record) {
		b := v.begins("address", "")
		v.opens(b.URL)
		v.clicks("#go", "#address-1", "#continue")
		if page := v.reads("Your shipping address has been updated", "Fictionbury", "Back to Example Shop"); strings.Contains(page, "Specimen") || strings.Contains(page, "Anyone") {
			v.t.Errorf("the page shows more of the address than city and postcode: %q", page)
		}
		return b, record{"completed", "completed", "shipping_address", "Fictionbury 0007"}
	}},
	{"change of both", func(v visit) (begun, record) {
		b := v.begins("both", "")
		v.opens(b.URL)
		v.clicks("#go", "#address-1", "#card-1", "#continue")
		v.reads("Your shipping address and payment method are up to date", "Fictionbury", "****7007", "Back to Example Shop")
		return b, record{"completed", "completed", "payment_method shipping_address", "Fictionbury 7007"}
	}},
	{"PayOnly to PayAndShip", func(v visit) (begun, record) {
		settled(v.t, v.s, v.id)
		// Without a notification, because a read in flight would undo the next statement.
		if _, err := v.s.Twin.Change(v.id, []byte(`{"shippingAddress":null}`), twin.Notify{Silent: true}); err != nil {
			v.t.Fatal(err)
		}
		// A stored address would be kept, so remove it: this wallet never had one.
		if _, err := v.s.DB.Exec(v.t.Context(), `update walletsync.charge_permissions set shipping_name = null, shipping_line1 = null, shipping_line2 = null,
			shipping_line3 = null, shipping_city = null, shipping_county = null, shipping_district = null, shipping_state_or_region = null,
			shipping_postal_code = null, shipping_country_code = null, shipping_phone = null where id = $1`, v.id); err != nil {
			v.t.Fatal(err)
		}
		if b := v.begins("payment_method", ""); b.Checkout.ProductType != "PayOnly" {
			v.t.Errorf("a wallet without an address is updated as %s", b.Checkout.ProductType)
		}
		b := v.begins("payment_method", `,"productType":"PayAndShip"`)
		v.opens(b.URL)
		v.clicks("#go", "#address-1", "#card-1", "#continue")
		v.reads("Your payment method has been updated", "Fictionbury", "****7007", "Back to Example Shop")
		return b, record{"completed", "completed", "payment_method shipping_address", "Fictionbury 7007"}
	}},
	{"cancel", func(v visit) (begun, record) {
		b := v.begins("payment_method", "")
		v.opens(b.URL)
		v.clicks("#go", "#cancel")
		v.reads(failedMessage, "Continue to Amazon Pay", "Back to Example Shop")
		v.finds(b, record{"failed BuyerCanceled", "failed", "", untouched})
		// The page's link continues the update.
		v.clicks("#go", "#card-1", "#continue")
		v.reads("Your payment method has been updated", "****7007")
		return b, record{"completed", "failed completed", "payment_method", "Sampleton 7007"}
	}},
	{"failing card", func(v visit) (begun, record) {
		b := v.begins("both", "")
		v.opens(b.URL)
		v.clicks("#go", "#address-1", "#card-2", "#continue")
		v.reads(failedMessage, "Continue to Amazon Pay", "Back to Example Shop")
		return b, record{"failed Declined", "failed", "", untouched}
	}},
	{"forbidden address", func(v visit) (begun, record) {
		b := v.begins("address", `,"deliverySpecifications":{"specialRestrictions":["RestrictPOBoxes"]}`)
		v.opens(b.URL)
		v.clicks("#go", "#address-2", "#continue", "#problem")
		v.finds(b, untried)
		v.clicks("#address-1", "#continue")
		v.reads("Your shipping address has been updated", "Fictionbury", "Back to Example Shop")
		return b, record{"completed", "completed", "shipping_address", "Fictionbury 0007"}
	}},
	{"reload of the return page", func(v visit) (begun, record) {
		b := v.begins("payment_method", "")
		v.opens(b.URL)
		v.clicks("#go", "#card-1", "#continue")
		v.reads("Your payment method has been updated", "****7007")
		do(v.t, v.ctx, chromedp.Reload())
		if page := v.reads("Your payment method has been updated", "Back to Example Shop"); strings.Contains(page, "7007") {
			v.t.Errorf("the change is shown again: %q", page)
		}
		return b, record{"completed", "completed", "payment_method", "Sampleton 7007"}
	}},
	{"back button", func(v visit) (begun, record) {
		b := v.begins("payment_method", "")
		v.opens(b.URL)
		v.clicks("#go", "#card-1", "#continue")
		v.reads("Your payment method has been updated")
		v.back("/checkout/") // Amazon's page
		v.back("/update?")
		v.reads("This update has already been completed", "please start a new update from the shop", "Back to Example Shop")
		return b, record{"completed", "completed", "payment_method", "Sampleton 7007"}
	}},
	{"two tabs", func(v visit) (begun, record) {
		b := v.begins("both", "")
		other := v.tab()
		for _, tab := range []visit{v, other} {
			tab.opens(b.URL)
			tab.clicks("#go", "#card-1")
		}
		v.clicks("#continue")
		v.reads("Your shipping address and payment method are up to date", "****7007")
		other.clicks("#cancel")
		other.reads("Your update was not completed", "Please start the update again from the shop", "Back to Example Shop")
		return b, record{"completed", "completed failed", "payment_method", "Sampleton 7007"}
	}},
	{"expired link", func(v visit) (begun, record) {
		b := v.begins("both", "")
		v.opens(oldLink(v.t, v.s, b))
		v.reads("This link has expired", "Please start the update again from the shop", "Back to Example Shop")
		return b, untried
	}},
	{"tampered token", func(v visit) (begun, record) {
		b := v.begins("both", "")
		w, err := v.s.Twin.Walk(b.Checkout, twin.Choice{CardEnding: "7007"})
		if err != nil {
			v.t.Fatal(err)
		}
		for _, url := range []string{b.URL, w.ReturnURL} {
			v.opens(tampered(url))
			v.reads("This link does not work", "Please start the update again from the shop", "Back to Example Shop")
		}
		return b, untried
	}},
	{"token of another session", func(v visit) (begun, record) {
		first, w := walk(v.t, v.s, v.id, "payment_method", twin.Choice{CardEnding: "7007"})
		v.opens(w.ReturnURL)
		v.reads("Your payment method has been updated")
		v.finds(first, record{"completed", "completed", "payment_method", "Sampleton 7007"})
		// The first update's return does not count for the second one, and a used link
		// does not restart the first.
		second := v.begins("payment_method", "")
		for _, url := range []string{returnURL(v.t, second, w.CheckoutSessionID), strings.Replace(second.URL, "/update?", "/return?", 1)} {
			v.opens(url)
			v.reads("This link does not work", "Please start the update again from the shop", "Back to Example Shop")
		}
		return second, record{"started", "", "", "Sampleton 7007"}
	}},
	{"session id of another buyer", func(v visit) (begun, record) {
		b := v.begins("payment_method", "")
		_, theirs := walk(v.t, v.s, "S01-1000002-1000002", "payment_method", twin.Choice{})
		v.opens(returnURL(v.t, b, theirs.CheckoutSessionID))
		v.reads(failedMessage, "Continue to Amazon Pay", "Back to Example Shop")
		return b, record{"failed other_charge_permission", "failed", "", untouched}
	}},
	{"script blocked", func(v visit) (begun, record) {
		faulty(v.t, v.s, twin.CallFault{Call: twin.CheckoutScript, Connection: "reset"})
		b := v.begins("payment_method", "")
		v.opens(b.URL)
		v.clicks("#go")
		v.reads("Amazon Pay could not be loaded. Please check your connection, turn off any ad blocker for this page, and try again.", "Try again", "Back to Example Shop")
		v.finds(b, untried)
		_ = v.s.Twin.SetFaults(twin.Faults{})
		v.clicks("#go", "#card-1", "#continue")
		v.reads("Your payment method has been updated")
		return b, record{"completed", "completed", "payment_method", "Sampleton 7007"}
	}},
	{"script that throws", func(v visit) (begun, record) {
		faulty(v.t, v.s, twin.CallFault{Call: twin.CheckoutScript, Next: 1, Script: "throws"})
		b := v.begins("payment_method", "")
		v.opens(b.URL)
		v.clicks("#go")
		v.reads("Amazon Pay could not be opened. Please try again.", "Open this page again", "Back to Example Shop")
		v.finds(b, untried)
		v.clicks("#reload", "#go", "#card-1", "#continue")
		v.reads("Your payment method has been updated")
		return b, record{"completed", "completed", "payment_method", "Sampleton 7007"}
	}},
	{"Complete answered 500", func(v visit) (begun, record) {
		faulty(v.t, v.s, twin.CallFault{Call: twin.CompleteCheckoutSession, Next: 1, Status: http.StatusInternalServerError})
		b := v.begins("payment_method", "")
		v.opens(b.URL)
		v.clicks("#go", "#card-1", "#continue")
		v.reads("Your payment method has been updated", "****7007", "Back to Example Shop")
		return b, record{"completed", "completed", "payment_method", "Sampleton 7007"}
	}},
	{"Complete done and its answer lost", func(v visit) (begun, record) {
		faulty(v.t, v.s, twin.CallFault{Call: twin.CompleteCheckoutSession, Next: 1, Applied: true, Connection: "reset"})
		b := v.begins("payment_method", "")
		v.opens(b.URL)
		v.clicks("#go", "#card-1", "#continue")
		v.reads("Your payment method has been updated", "Back to Example Shop")
		return b, record{"completed", "completed", "payment_method", "Sampleton 7007"}
	}},
	{"Complete never answered, until the reconciler asks", func(v visit) (begun, record) {
		faulty(v.t, v.s, twin.CallFault{Call: twin.CompleteCheckoutSession, Status: http.StatusInternalServerError},
			twin.CallFault{Call: twin.GetCheckoutSession, Status: http.StatusInternalServerError})
		b := v.begins("payment_method", "")
		v.opens(b.URL)
		v.clicks("#go", "#card-1", "#continue")
		v.reads("We are checking your update", "you can close this page", "Check again now", "Back to Example Shop")
		v.finds(b, record{"returned", "open", "", untouched})
		_ = v.s.Twin.SetFaults(twin.Faults{})
		if _, err := v.s.DB.Exec(v.t.Context(), `update walletsync.update_attempts set not_before = now() where update_session = $1::uuid`, b.UpdateSessionID); err != nil {
			v.t.Fatal(err)
		}
		reconcile(v.t, v.s)
		until(v.t, "the row to change", func() (bool, error) { return v.record(b).wallet == "Sampleton 7007", nil })
		do(v.t, v.ctx, chromedp.Reload()) // as the page suggests
		v.reads("Your payment method has been updated", "Back to Example Shop")
		return b, record{"completed", "completed", "payment_method", "Sampleton 7007"}
	}},
	{"JavaScript off", func(v visit) (begun, record) {
		do(v.t, v.ctx, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
			_, err := cdp.Call(ctx, target, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
			return err
		}))
		b := v.begins("both", "")
		v.opens(b.URL)
		v.reads("This page needs JavaScript to open Amazon Pay. Please turn on JavaScript", "Open this page again", "Back to Example Shop")
		return b, untried
	}},
}

// TestEveryOutcomeOfAnUpdate runs walks with Chromium, the real functions, the twin and
// Postgres.
func TestEveryOutcomeOfAnUpdate(t *testing.T) {
	s := running(t)
	ids := wallets(t, s, len(walks))
	begunBy, ended := make([]begun, len(walks)), make([]record, len(walks))
	for i, w := range walks {
		t.Run(w.name, func(t *testing.T) {
			v := visit{t, s, browser(t, "light"), ids[i]}
			begunBy[i], ended[i] = w.walk(v)
			v.finds(begunBy[i], ended[i])
		})
	}
	// The notifications have arrived, too, and caused no changes.
	for i, w := range walks {
		if begunBy[i].UpdateSessionID == "" {
			continue // failed already, or not selected
		}
		t.Run(w.name+", and the notification", func(t *testing.T) {
			settled(t, s, ids[i])
			visit{t: t, s: s, id: ids[i]}.finds(begunBy[i], ended[i])
		})
	}
}

// wallets creates n wallets that were stored a while ago, so that no change is withheld
// as a lagging read.
func wallets(t *testing.T, s *stack.Stack, n int) (ids []string) {
	t.Helper()
	for i := range n {
		id := fmt.Sprintf("S01-3000000-%07d", i)
		if _, err := s.Twin.Change(id, []byte(`{"shippingAddress":{"name":"Anyone Example","addressLine1":"1 Example Road","city":"Sampleton","postalCode":"ZZ99 7AA","countryCode":"GB"},
			"paymentPreferences":[{"paymentDescriptor":"Visa ****0007 (Amazon Pay)"}]}`), twin.Notify{}); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	until(t, "the wallets' rows", func() (bool, error) {
		var all bool
		err := s.DB.QueryRow(t.Context(), `select count(*) = $2 from walletsync.charge_permissions c join walletsync.refreshes r using (account, id)
			where c.id = any($1) and r.wanted = r.done and c.stored_at < clock_timestamp() - interval '1 second'`, ids, n).Scan(&all)
		return all, err
	})
	return ids
}
