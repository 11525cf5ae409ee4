// Package pages writes the pages that a buyer sees during an update: the update
// page with its one button, the result page, and a page for each problem. The
// caller decides what to show. The pages are in the buyer's language, and each
// has a link or a text with the next step. They never show a charge permission,
// and at most the city and the postcode of an address.
//
// The parameters of Amazon's script follow the documentation of
// amazon.Pay.initCheckout. The script is the only external resource of a page.
package pages

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"slices"

	"walletsync/internal/html"
)

//go:embed ready.html result.html problem.html ready.js
var files embed.FS

// Options are the settings of the pages.
type Options struct {
	// CSP adds sources to the Content Security Policy of the update page, by
	// directive. Use it if Amazon's script needs more sources, or for a checkout
	// page that is not Amazon's.
	CSP map[string][]string
	// Random makes the nonces: crypto/rand if nil.
	Random io.Reader
	// Failed is called if a page could not be written. May be nil.
	Failed func(r *http.Request, err error)
}

// Pages writes the buyer's pages.
type Pages struct {
	site      *html.Site
	languages *html.Languages
	csp       html.Policy
	failed    func(*http.Request, error)
}

// New returns the pages, or an error if an option is invalid.
func New(o Options) (*Pages, error) {
	p := &Pages{csp: o.CSP, failed: o.Failed}
	if err := p.csp.Validate(); err != nil {
		return nil, err
	}
	var err error
	if p.languages, err = html.NewLanguages(languages...); err != nil {
		return nil, err
	}
	script, err := files.ReadFile("ready.js")
	if err != nil {
		return nil, err
	}
	funcs := template.FuncMap{"script": func() template.JS { return template.JS(script) }} // #nosec G203 -- ours, embedded
	if p.site, err = html.New(o.Random, funcs, files, "ready.html", "result.html", "problem.html"); err != nil {
		return nil, err
	}
	return p, nil
}

// The kinds of update.
const (
	Address       = "address"
	PaymentMethod = "payment_method"
	Both          = "both"
)

// Ready is the update page, from which the buyer goes to Amazon Pay.
type Ready struct {
	// Language is en, de, fr, it, es or ja, or a locale of these. If it is
	// anything else, Accept-Language decides.
	Language string
	// Update is address, payment_method or both.
	Update string
	// Failed is true if the buyer comes from an update that failed.
	Failed   bool
	Checkout Checkout
	// RedirectOrigins are the origins of the merchant's pages that the buyer may
	// be sent to after the return.
	RedirectOrigins []string
	// RetryURL reloads this page. If empty, the URL that it was loaded from.
	RetryURL string
	// MerchantName is the shop's name for buyers, MerchantURL its address. Both
	// may be empty.
	MerchantName string
	MerchantURL  string
}

// Checkout holds the parameters of amazon.Pay.initCheckout. PayloadJSON must
// reach it byte for byte, because it is signed.
type Checkout struct {
	ScriptURL        string `json:"scriptUrl"`
	MerchantID       string `json:"merchantId"`
	PublicKeyID      string `json:"publicKeyId"`
	LedgerCurrency   string `json:"ledgerCurrency"`
	CheckoutLanguage string `json:"checkoutLanguage"`
	ProductType      string `json:"productType"`
	Placement        string `json:"placement"`
	Sandbox          bool   `json:"sandbox"`
	PayloadJSON      string `json:"payloadJSON"`
	Signature        string `json:"signature"`
	Algorithm        string `json:"algorithm"`
}

// Outcome is how an update ended, as far as known.
type Outcome string

// The outcomes.
const (
	Success  Outcome = "success"
	Pending  Outcome = "pending"  // completed; the change is not stored yet
	Failed   Outcome = "failed"   // cancelled, declined or expired
	Checking Outcome = "checking" // no clear outcome yet
)

// Result is the page that shows the buyer the outcome of the update.
type Result struct {
	Language string
	Update   string
	Outcome  Outcome
	// Descriptors are the payment methods after a success, as Amazon describes
	// them. City and PostalCode are the only parts of the address that are shown.
	// Each may be empty.
	Descriptors []string
	City        string
	PostalCode  string
	// AgainURL starts the update again.
	AgainURL     string
	MerchantName string
	MerchantURL  string
}

// Kind is a kind of problem that prevents an update.
type Kind string

// The problems.
const (
	LinkExpired Kind = "link_expired"
	LinkInvalid Kind = "link_invalid" // tampered with, incomplete, or of another session
	Done        Kind = "done"         // the link's update is completed already
	Closed      Kind = "closed"       // the buyer must set up a new Saved Wallet
	NotFollowed Kind = "not_followed"
	NotFound    Kind = "not_found"
	UsedUp      Kind = "used_up"     // the link has reached its limit of attempts
	Unavailable Kind = "unavailable" // temporary; the buyer may retry
)

// statuses are the HTTP status codes of the problems.
var statuses = map[Kind]int{
	LinkExpired: http.StatusGone,
	LinkInvalid: http.StatusForbidden,
	Done:        http.StatusConflict,
	Closed:      http.StatusConflict,
	NotFollowed: http.StatusConflict,
	NotFound:    http.StatusNotFound,
	UsedUp:      http.StatusGone,
	Unavailable: http.StatusServiceUnavailable,
}

// Problem is the page that shows the buyer a problem and the next step.
type Problem struct {
	Language string
	Kind     Kind
	// Status is the HTTP status code. If 0, the kind's default.
	Status int
	// AgainURL starts the update again. If it is empty, Unavailable links to the
	// page's own URL.
	AgainURL     string
	MerchantName string
	MerchantURL  string
}

// shown is the data of the templates: the caller's values and the texts.
type shown[T any] struct {
	V    T
	Text *texts
	passage
}

// Ready writes the update page.
func (p *Pages) Ready(w http.ResponseWriter, r *http.Request, v Ready) {
	language, t := p.texts(r, v.Language)
	// Amazon checks the origin of the page that posts to it. Under no-referrer
	// browsers would send "Origin: null". With strict-origin they send the origin
	// and nothing else, so the token in this page's URL is not sent (Fetch
	// standard, "append a request Origin header").
	w.Header().Set("Referrer-Policy", "strict-origin")
	// If Amazon's script opens a window, the two may still communicate.
	w.Header().Set("Cross-Origin-Opener-Policy", "same-origin-allow-popups")
	p.write(w, r, http.StatusOK, "ready.html", html.View{
		Language: language, Title: t.Ready.of(v.Update).Title,
		Data: shown[Ready]{v, t, t.Ready.of(v.Update)},
	}, checkoutPolicy(v.Checkout.ScriptURL, v.RedirectOrigins).With(p.csp))
}

// Result writes the result page.
func (p *Pages) Result(w http.ResponseWriter, r *http.Request, v Result) {
	language, t := p.texts(r, v.Language)
	text, ok := map[Outcome]passage{Success: t.Success.of(v.Update), Pending: t.Pending, Failed: t.Failed}[v.Outcome]
	if !ok {
		v.Outcome, text = Checking, t.Checking
	}
	p.write(w, r, http.StatusOK, "result.html", html.View{
		Language: language, Title: text.Title, Data: shown[Result]{v, t, text},
	}, html.Strict())
}

// Problem writes the page of a problem. An unknown kind counts as Unavailable.
func (p *Pages) Problem(w http.ResponseWriter, r *http.Request, v Problem) {
	language, t := p.texts(r, v.Language)
	if _, ok := statuses[v.Kind]; !ok {
		v.Kind = Unavailable
	}
	if v.Status == 0 {
		v.Status = statuses[v.Kind]
	}
	if v.Kind == Closed || v.Kind == NotFollowed {
		v.AgainURL = "" // a new update would end at the same problem
	}
	text := t.Problems[v.Kind]
	p.write(w, r, v.Status, "problem.html", html.View{
		Language: language, Title: text.Title, Data: shown[Problem]{v, t, text},
	}, html.Strict())
}

func (p *Pages) texts(r *http.Request, language string) (string, *texts) {
	chosen := p.languages.Choose(language, r.Header.Get("Accept-Language"))
	return chosen, translations[chosen]
}

func (p *Pages) write(w http.ResponseWriter, r *http.Request, status int, page string, v html.View, policy html.Policy) {
	if err := p.site.Write(w, status, page, v, policy); err != nil && p.failed != nil {
		p.failed(r, err)
	}
}

// topLevels are the top-level domains of the hosts that Amazon's script and pages
// use. One list covers all regions, as in Amazon's plugin for Magento
// (etc/csp_whitelist.xml).
var topLevels = []string{"com", "co.uk", "co.jp", "jp", "it", "fr", "es", "de"}

// under returns the hosts below a domain, in each top-level domain.
func under(domain string) []string {
	sources := make([]string, len(topLevels))
	for i, t := range topLevels {
		sources[i] = "https://*." + domain + "." + t
	}
	return sources
}

// checkoutPolicy allows the sources that Amazon's script needs, and the script's
// own origin. The script needs no image.
//
// The script posts a form to apay-us.amazon.com or to a host such as
// payments.amazon.de. Chromium applies the policy to a form's redirects too.
// Amazon may redirect the buyer to sign in on another of its hosts, or straight
// back to us; our last redirect leads to one of redirects, the merchant's origins.
func checkoutPolicy(scriptURL string, redirects []string) html.Policy {
	const scripts = "https://*.payments-amazon.com"
	script := html.Policy{}
	if u, err := url.Parse(scriptURL); err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http") {
		script["script-src"] = []string{fmt.Sprintf("%s://%s", u.Scheme, u.Host)}
	}
	services := make([]string, len(topLevels))
	for i, t := range topLevels {
		services[i] = "https://mws.amazonservices." + t
	}
	return html.Strict().With(html.Policy{
		"script-src":  {scripts},
		"connect-src": slices.Concat(under("amazon"), under("amazonpay"), services, []string{scripts}),
		"frame-src":   slices.Concat(under("amazon"), under("payments-amazon")),
		"form-action": slices.Concat([]string{"'self'"}, under("amazon"), redirects),
	}).With(script)
}
