package pages

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"
)

var update = flag.Bool("update", false, "rewrite the golden files")

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func pages(t testing.TB, csp map[string][]string) *Pages {
	t.Helper()
	p, err := New(Options{CSP: csp, Random: zeros{}, Failed: func(_ *http.Request, err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const script = "https://static-eu.payments-amazon.com/checkout.js"

func checkout(payload string) Checkout {
	return Checkout{
		ScriptURL: script, MerchantID: "A1EXAMPLE", PublicKeyID: "SANDBOX-EXAMPLE", LedgerCurrency: "EUR", CheckoutLanguage: "de_DE",
		ProductType: "PayAndShip", Placement: "Other", Sandbox: true, PayloadJSON: payload, Signature: "c2lnbmF0dXJl+/==", Algorithm: "AMZN-PAY-RSASSA-PSS-V2",
	}
}

const payload = `{"chargePermissionId":"B01-0000000-0000000","webCheckoutDetails":{"checkoutResultReturnUrl":"https://update.example.com/return?state=abc"}}`

// shop is the merchant page that the pages of these tests link to.
const (
	shop = "https://shop.example.com/account"
	here = "/update?token=abc"
)

// show writes the page of v in a language.
func show(p *Pages, language string, v any) *httptest.ResponseRecorder {
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, here, nil)
	switch v := v.(type) {
	case Ready:
		v.Language = language
		p.Ready(w, r, v)
	case Result:
		v.Language = language
		p.Result(w, r, v)
	case Problem:
		v.Language = language
		p.Problem(w, r, v)
	}
	return w
}

// every returns each page in each of its forms.
func every() map[string]any {
	all := map[string]any{
		"ready-address":        Ready{Update: Address, Checkout: checkout(payload), RetryURL: here, MerchantURL: shop},
		"ready-payment-method": Ready{Update: PaymentMethod, Checkout: checkout(payload), RetryURL: here, MerchantURL: shop, MerchantName: "Bücher & Mehr"},
		"ready-both-failed":    Ready{Update: Both, Failed: true, Checkout: checkout(payload), RetryURL: here},
		"success-address":      Result{Update: Address, Outcome: Success, City: "Zürich", PostalCode: "8001", MerchantURL: shop},
		"success-payment":      Result{Update: PaymentMethod, Outcome: Success, Descriptors: []string{"Visa ****1111 (Amazon Pay)"}, MerchantURL: shop},
		"success-both":         Result{Update: Both, Outcome: Success, Descriptors: []string{"Visa ****1111 (Amazon Pay)", "Amazon-Guthaben"}, City: "渋谷区", PostalCode: "150-0002", MerchantURL: shop, MerchantName: "青空書店"},
		"success-bare":         Result{Update: Both, Outcome: Success},
		"pending":              Result{Update: Both, Outcome: Pending, MerchantURL: shop},
		"failed":               Result{Update: Both, Outcome: Failed, AgainURL: here, MerchantURL: shop},
		"failed-bare":          Result{Update: Both, Outcome: Failed},
		"checking":             Result{Update: Both, Outcome: Checking, MerchantURL: shop},
	}
	for kind := range statuses {
		all["problem-"+string(kind)] = Problem{Kind: kind, AgainURL: here, MerchantURL: shop}
	}
	return all
}

func TestPagesMatchTheirGoldenFiles(t *testing.T) {
	p := pages(t, nil)
	files, err := filepath.Glob(filepath.Join("testdata", "*.html"))
	if err != nil || len(files) != 2*len(every()) && !*update {
		t.Errorf("%d golden files for %d pages in two languages: %v", len(files), len(every()), err)
	}
	for name, v := range every() {
		for _, language := range []string{"en", "ja"} {
			name := name + "." + language
			t.Run(name, func(t *testing.T) {
				got := show(p, language, v).Body.Bytes()
				// Style and script are files of their own; here they would hide the rest.
				got = withoutText(got, "<style", "</style>")
				got = withoutText(got, `<script nonce=`, "</script>")
				file := filepath.Join("testdata", name+".html")
				if *update {
					if err := os.WriteFile(file, got, 0o600); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(want), string(got)); diff != "" {
					t.Errorf("%s (-update rewrites it): %s", file, diff)
				}
			})
		}
	}
}

// withoutText empties the element that begins with open.
func withoutText(page []byte, open, end string) []byte {
	i := bytes.Index(page, []byte(open))
	if i < 0 {
		return page
	}
	from := i + bytes.IndexByte(page[i:], '>') + 1
	to := from + bytes.Index(page[from:], []byte(end))
	return append(page[:from:from], page[to:]...)
}

// document is a page as an independent HTML parser reads it.
type document struct {
	Elements []string            // in order, with their attributes' names
	Text     string              // what a reader may see
	Links    []string            // targets
	Blocks   map[string]string   // text of scripts and styles by id or element
	Nonces   map[string][]string // by element
}

func parse(t testing.TB, page string) document {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	d := document{Blocks: map[string]string{}, Nonces: map[string][]string{}}
	for n := range root.Descendants() {
		switch n.Type {
		case html.ElementNode:
			element, id := n.Data, n.Data
			for _, a := range n.Attr {
				element += " " + a.Key
				switch a.Key {
				case "href", "src", "action":
					d.Links = append(d.Links, a.Val)
				case "nonce":
					d.Nonces[n.Data] = append(d.Nonces[n.Data], a.Val)
				case "id":
					id = a.Val
				}
			}
			d.Elements = append(d.Elements, element)
			if (n.Data == "script" || n.Data == "style") && n.FirstChild != nil {
				d.Blocks[id] = n.FirstChild.Data
			}
		case html.TextNode:
			if n.Parent.Data != "script" && n.Parent.Data != "style" {
				d.Text += n.Data
			}
		}
	}
	return d
}

func TestExternalDataIsEscaped(t *testing.T) {
	p := pages(t, nil)
	plain := Result{Update: Both, Outcome: Success, Descriptors: []string{"x"}, City: "x", PostalCode: "x", MerchantURL: shop, MerchantName: "x"}
	want := parse(t, show(p, "en", plain).Body.String()).Elements
	for name, hostile := range map[string]string{
		"element":       `<script>alert(1)</script>`,
		"attribute":     `" onmouseover="alert(1)`,
		"single quote":  `' autofocus onfocus='alert(1)`,
		"end of main":   `</dd></dl></main></body></html>`,
		"comment":       `<!-- `,
		"template":      `{{.Data}}`,
		"entity":        `&lt;b&gt; &amp;`,
		"right to left": "שלום ‮gnitset‬ مرحبا",
		"long line":     strings.Repeat("W", 200),
		"CJK":           "東京都千代田区霞が関一丁目",
	} {
		t.Run(name, func(t *testing.T) {
			v := plain
			v.Descriptors, v.City, v.PostalCode, v.MerchantName = []string{hostile}, hostile, hostile, hostile
			got := parse(t, show(p, "en", v).Body.String())
			if diff := cmp.Diff(want, got.Elements); diff != "" {
				t.Errorf("the text became markup: %s", diff)
			}
			if n := strings.Count(got.Text, hostile); n != 4 {
				t.Errorf("%q is read %d times, not 4, in %q", hostile, n, got.Text)
			}
		})
	}
}

func TestLinksNeverRunScript(t *testing.T) {
	p := pages(t, nil)
	const evil = "javascript:alert(1)"
	for name, v := range map[string]any{
		"ready":   Ready{RetryURL: evil, MerchantURL: evil},
		"result":  Result{Outcome: Failed, AgainURL: evil, MerchantURL: evil},
		"problem": Problem{Kind: LinkExpired, AgainURL: evil, MerchantURL: evil},
	} {
		links := parse(t, show(p, "en", v).Body.String()).Links
		if len(links) == 0 {
			t.Errorf("%s has no link", name)
		}
		for _, link := range links {
			if strings.HasPrefix(link, "javascript:") {
				t.Errorf("%s leads to %s", name, link)
			}
		}
	}
}

// received parses the checkout parameters as the page's script does.
func received(t testing.TB, page string) Checkout {
	t.Helper()
	var got Checkout
	if err := json.Unmarshal([]byte(parse(t, page).Blocks["checkout"]), &got); err != nil {
		t.Fatal(err)
	}
	return got
}

// hostile are payloads that a page without correct escaping would change.
var hostile = map[string]string{
	"end of script":     `{"a":"</script><script>alert(1)</script>"}`,
	"comment":           `{"a":"<!--<script>"}`,
	"quotes":            `{"a":"it's \"quoted\""}`,
	"backslashes":       `{"a":"\\u003c\\n"}`,
	"ampersands":        `{"a":"?a=1&amp;b=2&#39;"}`,
	"line separators":   "{\"a\":\"\u2028\u2029\u0085\"}",
	"emoji":             `{"a":"👩‍👩‍👧‍👦🇯🇵"}`,
	"CJK":               `{"a":"東京都渋谷区神南１丁目 髙﨑"}`,
	"composed and not":  "{\"a\":\"é e\u0301\"}",
	"byte order mark":   "\ufeff{\"a\":\"\ufeff\"}",
	"white space":       "{ \"a\" :\t\"\u00a0\u3000\"\r\n}",
	"numbers":           `{"a":1.0,"b":1e2,"c":12345678901234567890}`,
	"template":          "{\"a\":\"{{.}}${x}`\"}",
	"plus and percent":  `{"a":"+ %2B %"}`,
	"NUL and delete":    "{\"a\":\"\u0000\u007f\"}",
	"order of the keys": `{"b":1,"a":2,"b":3}`,
}

func TestPayloadEqualsTheSignedBytes(t *testing.T) {
	p := pages(t, nil)
	for name, payload := range hostile {
		t.Run(name, func(t *testing.T) {
			want := checkout(payload)
			if diff := cmp.Diff(want, received(t, show(p, "en", Ready{Checkout: want}).Body.String())); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func FuzzPayloadEqualsTheSignedBytes(f *testing.F) {
	p := pages(f, nil)
	plain := parse(f, show(p, "en", Ready{Checkout: checkout("{}")}).Body.String()).Elements
	for _, payload := range hostile {
		f.Add(payload)
	}
	f.Fuzz(func(t *testing.T, payload string) {
		want := strings.ToValidUTF8(payload, "\ufffd") // what is signed is UTF-8
		page := show(p, "en", Ready{Checkout: checkout(want)}).Body.String()
		if got := received(t, page).PayloadJSON; got != want {
			t.Errorf("got %q, signed %q", got, want)
		}
		if diff := cmp.Diff(plain, parse(t, page).Elements); diff != "" {
			t.Errorf("the payload became markup: %s", diff)
		}
	})
}

func TestPagesDoNotShowTheChargePermission(t *testing.T) {
	d := parse(t, show(pages(t, nil), "en", every()["ready-address"]).Body.String())
	if strings.Contains(d.Text, "B01-") {
		t.Errorf("shown: %s", d.Text)
	}
}

func policy(t *testing.T, w *httptest.ResponseRecorder) map[string][]string {
	t.Helper()
	got := map[string][]string{}
	for part := range strings.SplitSeq(w.Header().Get("Content-Security-Policy"), "; ") {
		f := strings.Fields(part)
		if got[f[0]] != nil {
			t.Errorf("%s twice: browsers apply only the first", f[0])
		}
		got[f[0]] = f[1:]
	}
	return got
}

const nonce = "'nonce-AAAAAAAAAAAAAAAAAAAAAAAA'"

func TestPolicyAllowsOnlyAmazonsScript(t *testing.T) {
	p := pages(t, map[string][]string{"form-action": {"http://127.0.0.1:8443"}, "font-src": {"https://fonts.example.com"}})
	v := every()["ready-address"].(Ready)
	v.Checkout.ScriptURL = "https://twin.example.com:8443/checkout.js?x=1"
	v.RedirectOrigins = []string{"https://shop.example.com"}
	want := map[string][]string{
		"default-src":     {"'none'"},
		"base-uri":        {"'none'"},
		"frame-ancestors": {"'none'"},
		"script-src":      {"https://*.payments-amazon.com", "https://twin.example.com:8443", nonce},
		"style-src":       {nonce},
		"connect-src": {
			"https://*.amazon.com", "https://*.amazon.co.uk", "https://*.amazon.co.jp", "https://*.amazon.jp", "https://*.amazon.it",
			"https://*.amazon.fr", "https://*.amazon.es", "https://*.amazon.de",
			"https://*.amazonpay.com", "https://*.amazonpay.co.uk", "https://*.amazonpay.co.jp", "https://*.amazonpay.jp", "https://*.amazonpay.it",
			"https://*.amazonpay.fr", "https://*.amazonpay.es", "https://*.amazonpay.de",
			"https://mws.amazonservices.com", "https://mws.amazonservices.co.uk", "https://mws.amazonservices.co.jp", "https://mws.amazonservices.jp",
			"https://mws.amazonservices.it", "https://mws.amazonservices.fr", "https://mws.amazonservices.es", "https://mws.amazonservices.de",
			"https://*.payments-amazon.com",
		},
		"frame-src": {
			"https://*.amazon.com", "https://*.amazon.co.uk", "https://*.amazon.co.jp", "https://*.amazon.jp", "https://*.amazon.it",
			"https://*.amazon.fr", "https://*.amazon.es", "https://*.amazon.de",
			"https://*.payments-amazon.com", "https://*.payments-amazon.co.uk", "https://*.payments-amazon.co.jp", "https://*.payments-amazon.jp",
			"https://*.payments-amazon.it", "https://*.payments-amazon.fr", "https://*.payments-amazon.es", "https://*.payments-amazon.de",
		},
		"form-action": {
			"'self'", "https://*.amazon.com", "https://*.amazon.co.uk", "https://*.amazon.co.jp", "https://*.amazon.jp", "https://*.amazon.it",
			"https://*.amazon.fr", "https://*.amazon.es", "https://*.amazon.de", "https://shop.example.com", "http://127.0.0.1:8443",
		},
		"font-src": {"https://fonts.example.com"},
	}
	if diff := cmp.Diff(want, policy(t, show(p, "en", v))); diff != "" {
		t.Error(diff)
	}
	strict := map[string][]string{
		"default-src": {"'none'"}, "base-uri": {"'none'"}, "frame-ancestors": {"'none'"}, "form-action": {"'none'"},
		"script-src": {nonce}, "style-src": {nonce},
	}
	for _, name := range []string{"success-both", "problem-not_found"} {
		if diff := cmp.Diff(strict, policy(t, show(p, "en", every()[name]))); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// The form's targets, as listed in Amazon's documentation.
func TestPolicyCoversAmazonsCheckoutHosts(t *testing.T) {
	for _, host := range []string{
		"apay-us.amazon.com", "payments.amazon.de", "payments.amazon.co.uk", "payments.amazon.fr", "payments.amazon.it", "payments.amazon.es",
		"payments.amazon.co.jp",
	} {
		covered := false
		for _, s := range policy(t, show(pages(t, nil), "en", Ready{}))["form-action"] {
			covered = covered || strings.HasSuffix("https://"+host, strings.TrimPrefix(s, "https://*"))
		}
		if !covered {
			t.Errorf("no form may be posted to %s", host)
		}
	}
}

func TestInvalidScriptOriginIsNotAllowed(t *testing.T) {
	for _, url := range []string{"", "/checkout.js", "javascript:alert(1)", "data:text/javascript,1", "https://", "ftp://a.example/x", "::"} {
		got := policy(t, show(pages(t, nil), "en", Ready{Checkout: Checkout{ScriptURL: url}}))["script-src"]
		if diff := cmp.Diff([]string{"https://*.payments-amazon.com", nonce}, got); diff != "" {
			t.Errorf("%q: %s", url, diff)
		}
	}
}

func TestEveryPageHasSecurityHeaders(t *testing.T) {
	p := pages(t, nil)
	for name, v := range every() {
		w := show(p, "en", v)
		d := parse(t, w.Body.String())
		// Every script and style that a browser would run has the nonce.
		for _, e := range d.Elements {
			if (strings.HasPrefix(e, "script") || strings.HasPrefix(e, "style")) && e != "script nonce" && e != "style nonce" && e != "script id type" {
				t.Errorf("%s has %q without a nonce", name, e)
			}
			if strings.Contains(e, " on") || strings.Contains(e, " style") {
				t.Errorf("%s has an inline handler or style: %q", name, e)
			}
		}
		for _, link := range d.Links {
			if link != "" && link != here && link != shop {
				t.Errorf("%s takes or links %s", name, link)
			}
		}
		referrer := "no-referrer"
		if _, ok := v.(Ready); ok {
			referrer = "strict-origin" // Amazon's form must say whose it is
		}
		for header, want := range map[string]string{
			"Referrer-Policy": referrer, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Content-Type": "text/html; charset=utf-8",
		} {
			if got := w.Header().Get(header); got != want {
				t.Errorf("%s: %s is %q, not %q", name, header, got, want)
			}
		}
	}
}

func TestStatusDefaultsToThatOfTheKind(t *testing.T) {
	p := pages(t, nil)
	for _, c := range []struct {
		v    Problem
		want int
	}{
		{Problem{Kind: LinkExpired}, http.StatusGone},
		{Problem{Kind: LinkInvalid}, http.StatusForbidden},
		{Problem{Kind: NotFound}, http.StatusNotFound},
		{Problem{Kind: Unavailable}, http.StatusServiceUnavailable},
		{Problem{Kind: Unavailable, Status: http.StatusTooManyRequests}, http.StatusTooManyRequests},
		{Problem{Kind: "unheard of"}, http.StatusServiceUnavailable},
	} {
		if got := show(p, "en", c.v).Code; got != c.want {
			t.Errorf("%+v: %d, not %d", c.v, got, c.want)
		}
	}
}

// Every page has a link, or its text names the next step.
func TestEveryPageHasANextStep(t *testing.T) {
	p := pages(t, nil)
	for language, text := range translations {
		for name, v := range map[string]any{
			"success": Result{Outcome: Success}, "pending": Result{Outcome: Pending}, "failed": Result{Outcome: Failed}, "checking": Result{Outcome: Checking},
			"unknown": Result{}, "unavailable": Problem{}, "ready": Ready{},
		} {
			d := parse(t, show(p, language, v).Body.String())
			if len(d.Links) == 0 && !strings.Contains(d.Text, text.Close) && !strings.Contains(d.Text, text.StartOver) {
				t.Errorf("%s in %s has no next step", name, language)
			}
		}
		for kind := range statuses {
			if body := text.Problems[kind].Body; !mentions(language, body) {
				t.Errorf("%s in %s does not name the next step: %s", kind, language, body)
			}
		}
	}
	for kind, want := range map[Kind]int{LinkExpired: 2, LinkInvalid: 2, Done: 2, NotFound: 2, Unavailable: 2, Closed: 1, NotFollowed: 1} {
		if got := len(parse(t, show(p, "en", Problem{Kind: kind, AgainURL: here, MerchantURL: shop}).Body.String()).Links); got != want {
			t.Errorf("%s has %d links, not %d", kind, got, want)
		}
	}
}

// mentions reports whether a text sends the buyer to the shop, or asks for a retry.
func mentions(language, text string) bool {
	for _, word := range map[string][]string{
		"en": {"the shop", "try again"}, "de": {"Shop", "erneut"}, "fr": {"la boutique", "réessayer"},
		"it": {"negozio", "Riprova"}, "es": {"la tienda", "Inténtalo"}, "ja": {"ショップ", "お試しください"},
	}[language] {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}

func TestEveryLanguageHasEveryText(t *testing.T) {
	if len(translations) != len(languages) {
		t.Errorf("%d translations for %d languages", len(translations), len(languages))
	}
	said := map[string]map[string]string{}
	for _, language := range languages {
		if translations[language] == nil {
			t.Fatalf("no %s", language)
		}
		said[language] = map[string]string{}
		walk(reflect.ValueOf(translations[language]).Elem(), "", said[language])
	}
	if n := len(said["en"]); n < 40 {
		t.Errorf("%d texts were found", n)
	}
	for _, language := range languages {
		for key, english := range said["en"] {
			text, ok := said[language][key]
			switch {
			case !ok || strings.TrimSpace(text) == "":
				t.Errorf("%s has no text for %s", language, key)
			case language != "en" && text == english:
				t.Errorf("%s is not translated: %s", key, text)
			case strings.Contains(english, "%s") != strings.Contains(text, "%s"):
				t.Errorf("%s in %s has no %%s: %s", key, language, text)
			}
		}
		if len(said[language]) != len(said["en"]) {
			t.Errorf("%s has %d texts, English %d", language, len(said[language]), len(said["en"]))
		}
		for kind := range statuses {
			if translations[language].Problems[kind] == (passage{}) {
				t.Errorf("%s has no text for %s", language, kind)
			}
		}
	}
}

func walk(v reflect.Value, path string, said map[string]string) {
	switch v.Kind() {
	case reflect.String:
		said[path] = v.String()
	case reflect.Struct:
		for i := range v.NumField() {
			walk(v.Field(i), path+"."+v.Type().Field(i).Name, said)
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			walk(v.MapIndex(k), path+"."+k.String(), said)
		}
	}
}

func TestFailureMessageIsAmazonsWording(t *testing.T) {
	const words = "The update for your address or payment method failed. Please try again."
	for name, v := range map[string]any{"ready": Ready{Failed: true}, "result": Result{Outcome: Failed}} {
		if d := parse(t, show(pages(t, nil), "en", v).Body.String()); !strings.Contains(d.Text, words) {
			t.Errorf("%s shows %s", name, d.Text)
		}
	}
}

func TestLanguageOfThePage(t *testing.T) {
	p := pages(t, nil)
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Accept-Language", "fr-CH, de;q=0.7")
	p.Problem(w, r, Problem{Kind: NotFound})
	if !strings.Contains(w.Body.String(), `<html lang="fr">`) || !strings.Contains(w.Body.String(), "Page introuvable") {
		t.Error(w.Body)
	}
	w = httptest.NewRecorder()
	p.Problem(w, r, Problem{Kind: NotFound, Language: "ja_JP"})
	if !strings.Contains(w.Body.String(), `<html lang="ja">`) || !strings.Contains(w.Body.String(), "<title>ページが見つかりません</title>") {
		t.Error(w.Body)
	}
}

func TestInvalidSettingIsRefused(t *testing.T) {
	if _, err := New(Options{CSP: map[string][]string{"img-src": {"a; script-src *"}}}); err == nil {
		t.Error("no error")
	}
}
