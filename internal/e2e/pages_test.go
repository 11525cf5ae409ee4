package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"

	"walletsync/internal/update/pages"
)

const leaves = `
	const target = new URL("PATH", document.currentScript.src).href;
	window.amazon = {Pay: {initCheckout(c) {
		const form = document.createElement("form");
		form.method = "post";
		form.action = target;
		const field = document.createElement("input");
		field.type = "hidden"; field.name = "payload"; field.value = c.createCheckoutSessionConfig.payloadJSON;
		form.append(field); document.body.append(form); form.submit();
	}}};`

// scripts replace Amazon's script: one works, and one for each failure.
var scripts = map[string]string{
	// Records the arguments, and the payload as bytes.
	"records.js": `window.amazon = {Pay: {initCheckout(c) {
		window.called = {config: c, bytes: Array.from(new TextEncoder().encode(c.createCheckoutSessionConfig.payloadJSON))};
	}}};`,
	// These leave the page with a posted form, like the real script.
	"leaves.js":        strings.Replace(leaves, "PATH", "/checkout/initiate", 1),
	"strays.js":        strings.Replace(leaves, "PATH", "/checkout/strays", 1),
	"returns.js":       strings.Replace(leaves, "PATH", "/checkout/returns", 1),
	"throws-string.js": `window.amazon = {Pay: {initCheckout() { throw "Missing required parameter: placement"; }}};`,
	"throws-error.js":  `window.amazon = {Pay: {initCheckout() { throw new Error("broken"); }}};`,
	"rejects.js":       `window.amazon = {Pay: {initCheckout() { return Promise.reject("not now"); }}};`,
	"nothing.js":       `window.amazon = {Pay: {initCheckout() {}}};`,
	"empty.js":         ``,
	"broken.js":        `this is no JavaScript`,
}

// buyersPages serves the pages, and Amazon's script and checkout host from another
// origin.
type buyersPages struct {
	url     string
	amazon  string
	mended  atomic.Bool // missing.js is available again
	posted  chan *http.Request
	payload atomic.Value
}

func serve(t *testing.T) *buyersPages {
	t.Helper()
	b := &buyersPages{posted: make(chan *http.Request, 1)}
	b.payload.Store("{}")
	amazon := http.NewServeMux()
	amazon.HandleFunc("GET /{script}", func(w http.ResponseWriter, r *http.Request) {
		source, ok := scripts[r.PathValue("script")]
		if r.PathValue("script") == "missing.js" && b.mended.Load() {
			source, ok = scripts["records.js"], true
		}
		if r.PathValue("script") == "hangs.js" {
			<-r.Context().Done()
		}
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/javascript")
		_, _ = w.Write([]byte(source))
	})
	amazon.HandleFunc("POST /checkout/initiate", func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		b.posted <- r
		_, _ = w.Write([]byte("<h1 id=hosted>hosted</h1>"))
	})
	amazon.HandleFunc("POST /checkout/returns", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, b.url+"/return", http.StatusFound)
	})
	amazon.HandleFunc("POST /checkout/strays", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
	})
	a := httptest.NewServer(amazon)
	t.Cleanup(a.Close)
	b.amazon = a.URL

	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("<h1 id=shop>the shop</h1>"))
	}))
	t.Cleanup(shop.Close)

	open := newPages(t, map[string][]string{"form-action": {a.URL}})
	narrow := newPages(t, nil)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /update", func(w http.ResponseWriter, r *http.Request) {
		v := ready(a.URL+"/"+r.FormValue("script"), b.payload.Load().(string))
		if r.FormValue("script") == "unreachable" {
			v.Checkout.ScriptURL = "http://127.0.0.1:1/checkout.js"
		}
		v.RetryURL = r.URL.String()
		if r.FormValue("returnTo") == "shop" {
			v.RedirectOrigins = []string{shop.URL}
		}
		if r.FormValue("policy") == "narrow" {
			narrow.Ready(w, r, v)
			return
		}
		open.Ready(w, r, v)
	})
	mux.HandleFunc("GET /return", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, shop.URL+"/done", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /show/{page}", func(w http.ResponseWriter, r *http.Request) {
		switch v := everyPage(a.URL, r.FormValue("language"))[r.PathValue("page")].(type) {
		case pages.Ready:
			open.Ready(w, r, v)
		case pages.Result:
			open.Result(w, r, v)
		case pages.Problem:
			open.Problem(w, r, v)
		}
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	b.url = s.URL
	return b
}

func newPages(t *testing.T, csp map[string][]string) *pages.Pages {
	t.Helper()
	p, err := pages.New(pages.Options{CSP: csp, Failed: func(_ *http.Request, err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func ready(script, payload string) pages.Ready {
	return pages.Ready{Language: "en", Update: pages.Both, MerchantURL: "https://shop.example.com/", Checkout: pages.Checkout{
		ScriptURL: script, MerchantID: "A1EXAMPLE", PublicKeyID: "SANDBOX-EXAMPLE", LedgerCurrency: "EUR", CheckoutLanguage: "de_DE", ProductType: "PayAndShip",
		Placement: "Other", Sandbox: true, PayloadJSON: payload, Signature: "c2lnbmF0dXJl+/==", Algorithm: "AMZN-PAY-RSASSA-PSS-V2",
	}}
}

// everyPage returns each page in each of its visible variants.
func everyPage(amazon, language string) map[string]any {
	const shop = "https://shop.example.com/"
	address := ready(amazon+"/records.js", "{}")
	address.Language, address.Update, address.RetryURL = language, pages.Address, "/"
	failed := address
	failed.Update, failed.Failed = pages.Both, true
	blocked := address
	blocked.Checkout.ScriptURL = amazon + "/missing.js"
	byName := map[string]any{
		"ready":         address,
		"ready-failed":  failed,
		"ready-blocked": blocked,
		"result-success": pages.Result{Language: language, Update: pages.Both, Outcome: pages.Success, MerchantURL: shop, MerchantName: "Blumen Müller",
			Descriptors: []string{"Visa ****1111 (Amazon Pay)"}, City: "渋谷区", PostalCode: "150-0002"},
		"result-long": pages.Result{Language: language, Update: pages.Both, Outcome: pages.Success, MerchantURL: shop,
			Descriptors: []string{strings.Repeat("W", 200), "بطاقة ****1111 שלום"}, City: strings.Repeat("Llanfair", 25), PostalCode: "1"},
		"result-bare":     pages.Result{Language: language, Update: pages.Address, Outcome: pages.Success},
		"result-pending":  pages.Result{Language: language, Outcome: pages.Pending, MerchantURL: shop},
		"result-failed":   pages.Result{Language: language, Outcome: pages.Failed, AgainURL: "/", MerchantURL: shop},
		"result-checking": pages.Result{Language: language, Outcome: pages.Checking, MerchantURL: shop},
	}
	for _, kind := range []pages.Kind{pages.LinkExpired, pages.LinkInvalid, pages.Done, pages.Closed, pages.NotFollowed, pages.NotFound, pages.UsedUp, pages.Unavailable} {
		byName["problem-"+string(kind)] = pages.Problem{Language: language, Kind: kind, AgainURL: "/", MerchantURL: shop}
	}
	return byName
}

// press opens the update page with one of the scripts and clicks its button.
func (b *buyersPages) press(t *testing.T, ctx context.Context, script string) {
	t.Helper()
	url := b.url + "/update?token=secret&script=" + script
	if script == "hangs.js" { // Navigate would wait for it
		do(t, ctx, chromedp.Evaluate[bool](fmt.Sprintf(`location.href = %q, true`, url)))
	} else {
		do(t, ctx, chromedp.Navigate(url))
	}
	do(t, ctx, chromedp.WaitVisible("#go"))
	do(t, ctx, chromedp.Click("#go"))
}

func TestTheButtonSendsExactlyTheSignedPayload(t *testing.T) {
	t.Parallel()
	b := serve(t)
	ctx := browser(t, "light")
	for name, payload := range map[string]string{
		"plain":           `{"chargePermissionId":"B01-0000000-0000000"}`,
		"end of script":   `{"a":"</script><script>document.title='run'</script><!--"}`,
		"quotes":          `{"a":"it's \"quoted\" &amp; &quot;"}`,
		"backslashes":     `{"a":"\\u003c\\n"}`,
		"line separators": "{\"a\":\"\u2028\u2029\u0085\"}",
		"emoji":           `{"a":"👩‍👩‍👧‍👦🇯🇵"}`,
		"CJK":             `{"a":"東京都渋谷区神南１丁目 髙﨑"}`,
		"composed or not": "{\"a\":\"é e\u0301\"}",
		"white space":     "{ \"a\" :\t\"\u00a0\u3000\"\r\n}",
		"control":         "{\"a\":\"\u0000\u007f\ufeff\"}",
		"numbers":         `{"b":1.0,"a":12345678901234567890,"b":1e2}`,
	} {
		t.Run(name, func(t *testing.T) {
			b.payload.Store(payload)
			b.press(t, ctx, "records.js")
			var called struct {
				Config any
				Bytes  []int
			}
			if err := json.Unmarshal([]byte(do(t, ctx, chromedp.Poll[string](`window.called && JSON.stringify(window.called)`))), &called); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(called.Bytes))
			for i, c := range called.Bytes {
				got[i] = byte(c)
			}
			if diff := cmp.Diff([]byte(payload), got); diff != "" {
				t.Errorf("the payload's bytes: %s", diff)
			}
			want := map[string]any{
				"merchantId": "A1EXAMPLE", "ledgerCurrency": "EUR", "sandbox": true, "checkoutLanguage": "de_DE", "productType": "PayAndShip", "placement": "Other",
				"createCheckoutSessionConfig": map[string]any{
					"payloadJSON": payload, "signature": "c2lnbmF0dXJl+/==", "publicKeyId": "SANDBOX-EXAMPLE", "algorithm": "AMZN-PAY-RSASSA-PSS-V2",
				},
			}
			if diff := cmp.Diff(want, called.Config); diff != "" {
				t.Error(diff)
			}
			if title := do(t, ctx, chromedp.Title()); title == "run" {
				t.Error("the payload was executed")
			}
		})
	}
}

func TestAmazonsFormNamesTheShopAndNothingMore(t *testing.T) {
	t.Parallel()
	b := serve(t)
	const payload = `{"a":"</script>東京"}`
	b.payload.Store(payload)
	ctx := browser(t, "light")
	b.press(t, ctx, "leaves.js")
	posted := <-b.posted
	if got := posted.Header.Get("Origin"); got != b.url {
		t.Errorf("Origin is %q, not the page's %s", got, b.url)
	}
	if got := posted.Header.Get("Referer"); got != b.url+"/" {
		t.Errorf("Referer is %q: it must not carry the token", got)
	}
	if got := posted.PostForm.Get("payload"); got != payload {
		t.Errorf("payload %q", got)
	}
	do(t, ctx, chromedp.WaitVisible("#hosted"))
}

// Amazon may redirect to the return URL at once, and that redirects to the merchant's
// page. Chromium applies the policy of the form's page to each of these redirects.
func TestTheFormCanLeadToTheMerchantsPage(t *testing.T) {
	b := serve(t)
	ctx := browser(t, "light")
	b.press(t, ctx, "returns.js&returnTo=shop")
	do(t, ctx, chromedp.WaitVisible("#shop"))
}

// The browser may show the cached page or load it again.
func TestThePageWorksAfterTheBackButton(t *testing.T) {
	t.Parallel()
	b := serve(t)
	ctx := browser(t, "light")
	b.press(t, ctx, "leaves.js")
	<-b.posted
	do(t, ctx, chromedp.WaitVisible("#hosted"))
	do(t, ctx, chromedp.Evaluate[bool](`history.back(), true`))
	until(t, "the page to work again", func() (bool, error) {
		works, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`(() => {
			const go = document.getElementById("go");
			if (!go || go.hidden || go.getAttribute("aria-disabled") === "true") return false;
			go.click();
			return true;
		})()`))
		return works && err == nil, nil // an error means that the page is changing
	})
	<-b.posted
}

// A working page causes no browser messages, and its Content-Security-Policy none
// either.
func TestTheBrowserLogsNothing(t *testing.T) {
	t.Parallel()
	b := serve(t)
	ctx := browser(t, "light")
	logged := make(chan string, 100)
	if err := chromedp.Listen(ctx, func(event any) {
		switch e := event.(type) {
		case *log.EventEntryAdded:
			if !strings.HasPrefix(e.Entry.Text, "Failed to load resource: the server responded with a status of") { // an error page of the server
				logged <- e.Entry.Text
			}
		case *runtime.EventExceptionThrown:
			logged <- e.ExceptionDetails.Text
		case *runtime.EventConsoleAPICalled:
			logged <- fmt.Sprint("console.", e.Type)
		}
	}); err != nil {
		t.Fatal(err)
	}
	for name := range everyPage(b.amazon, "en") {
		if name == "ready-blocked" {
			continue // messages are expected there
		}
		do(t, ctx, chromedp.Navigate(b.url+"/show/"+name+"?language=en"))
	}
	b.press(t, ctx, "records.js")
	do(t, ctx, chromedp.Poll[bool](`!!window.called`))
	for len(logged) > 0 {
		t.Error(<-logged)
	}
}

func TestThePageReportsThatAmazonPayDoesNotOpen(t *testing.T) {
	t.Parallel()
	const (
		blocked = "Amazon Pay could not be loaded."
		refused = "Amazon Pay could not be opened."
		stuck   = "Amazon Pay has not opened."
	)
	b := serve(t)
	ctx := browser(t, "light")
	for _, c := range []struct{ name, script, says string }{
		{"script is blocked", "unreachable", blocked},
		{"script is not there", "missing.js", blocked},
		{"script does not come", "hangs.js", blocked},
		{"script defines nothing", "empty.js", blocked},
		{"script is broken", "broken.js", blocked},
		{"throws a string", "throws-string.js", refused},
		{"throws an error", "throws-error.js", refused},
		{"rejects", "rejects.js", refused},
		{"does nothing", "nothing.js", stuck},
		{"form is stopped by the policy", "leaves.js&policy=narrow", refused},
		{"form is redirected out of the policy", "strays.js", refused},
		{"form is redirected to a page that is not the session's", "returns.js", refused},
	} {
		t.Run(c.name, func(t *testing.T) {
			b.press(t, ctx, c.script)
			said := do(t, ctx, chromedp.Poll[string](`document.getElementById("trouble").textContent`))
			if !strings.HasPrefix(said, c.says) {
				t.Errorf("the page says %q, not %q", said, c.says)
			}
			do(t, ctx, chromedp.WaitVisible("#trouble"))
			do(t, ctx, chromedp.WaitVisible("#reload"))
			if got := do(t, ctx, chromedp.Text("#go")); got != "Try again" {
				t.Errorf("the button says %q", got)
			}
			if got := do(t, ctx, chromedp.Evaluate[string](`document.getElementById("go").getAttribute("aria-disabled") + document.getElementById("progress").textContent`)); got != "false" {
				t.Errorf("the button does not work again: %s", got)
			}
			if strings.Contains(said, "placement") {
				t.Error("the page shows text for the merchant")
			}
		})
	}
}

func TestRetryReloadsAmazonsScript(t *testing.T) {
	t.Parallel()
	b := serve(t)
	ctx := browser(t, "light")
	do(t, ctx, chromedp.Navigate(b.url+"/update?script=missing.js"))
	// The page reports the failure before a click.
	do(t, ctx, chromedp.Poll[string](`document.getElementById("trouble").textContent`))
	b.mended.Store(true)
	// Use the keyboard, as some buyers do.
	do(t, ctx, chromedp.Focus("#go"))
	do(t, ctx, chromedp.KeyEvent("\r"))
	do(t, ctx, chromedp.Poll[bool](`!!window.called`))
	if said := do(t, ctx, chromedp.Evaluate[string](`document.getElementById("trouble").textContent`)); said != "" {
		t.Errorf("the page still says %q", said)
	}
}

func TestASecondClickOpensNothingTwice(t *testing.T) {
	t.Parallel()
	b := serve(t)
	ctx := browser(t, "light")
	b.press(t, ctx, "records.js")
	do(t, ctx, chromedp.Poll[bool](`!!window.called`))
	do(t, ctx, chromedp.Evaluate[bool](`delete window.called`))
	do(t, ctx, chromedp.Click("#go"))
	if do(t, ctx, chromedp.Evaluate[bool](`new Promise((done) => setTimeout(() => done(!!window.called), 100))`, chromedp.EvalAwaitPromise)) {
		t.Error("a double click opens Amazon Pay twice")
	}
}

func TestWithoutJavaScriptThePageSaysWhatToDo(t *testing.T) {
	t.Parallel()
	b := serve(t)
	ctx := browser(t, "light")
	do(t, ctx, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	}))
	do(t, ctx, chromedp.Navigate(b.url+"/show/ready?language=en"))
	text := do(t, ctx, chromedp.Text("main"))
	for _, part := range []string{"This page needs JavaScript", "Open this page again", "Back to the shop"} {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in %q", part, text)
		}
	}
	if n := strings.Count(text, "Continue to Amazon Pay"); n != 1 { // the sentence, and no button
		t.Errorf("the page shows a button that does nothing: %q", text)
	}
	screenshot(t, ctx, "pages-en-desktop-light-noscript")
}

// TestPagesAreAccessible runs axe-core on each page, checks that no page scrolls sideways
// on the narrowest screen of WCAG 2.2 (1.4.10: 320 CSS pixels, or 1280 at a zoom of
// 400 %), and keeps pictures.
func TestPagesAreAccessible(t *testing.T) {
	t.Parallel()
	axe := axeCore(t)
	b := serve(t)
	for _, scheme := range []string{"light", "dark"} {
		for _, language := range []string{"en", "ja"} {
			t.Run(scheme+" "+language, func(t *testing.T) {
				ctx := browser(t, scheme)
				all := everyPage(b.amazon, language)
				names := make([]string, 0, len(all))
				for name := range all {
					names = append(names, name)
				}
				slices.Sort(names)
				for _, name := range names {
					do(t, ctx, chromedp.EmulateViewport(1200, 900))
					do(t, ctx, chromedp.Navigate(b.url+"/show/"+name+"?language="+language))
					if name == "ready-blocked" {
						do(t, ctx, chromedp.WaitVisible("#trouble"))
					}
					inspect(t, ctx, axe, name, func(device string) string { return fmt.Sprintf("pages-%s-%s-%s-%s", language, device, scheme, name) })
				}
			})
		}
	}
}
