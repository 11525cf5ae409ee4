// Package pages is what a buyer sees of an update: the ready page with its one
// button, the result page, and a page for each problem. It decides nothing: it
// is told what to show, and shows it in the buyer's language, never without a
// way on. It never shows a charge permission, and of an address at most the
// city and the postcode.
//
// What Amazon's script needs is from the facts on amazon.Pay.initCheckout; the
// script itself is the only thing that a page takes from elsewhere.
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
	// CSP adds sources to the Content Security Policy of the ready page, by
	// directive: for what Amazon's script may come to need, or for a checkout
	// page that is not Amazon's.
	CSP map[string][]string
	// Random makes the nonces: crypto/rand if nil.
	Random io.Reader
	// Failed is told of a page that could not be written. May be nil.
	Failed func(r *http.Request, err error)
}

// Pages writes the buyer's pages.
type Pages struct {
	site      *html.Site
	languages *html.Languages
	csp       html.Policy
	failed    func(*http.Request, error)
}

// New returns the pages, or what is wrong with the options.
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

// What a buyer changes.
const (
	Address       = "address"
	PaymentMethod = "payment_method"
	Both          = "both"
)

// Ready is the page from which the buyer goes to Amazon.
type Ready struct {
	// Language is en, de, fr, it, es or ja, or a locale of these; else
	// Accept-Language decides.
	Language string
	// Update is address, payment_method or both.
	Update string
	// Failed says that the buyer comes from an update that failed.
	Failed   bool
	Checkout Checkout
	// RedirectOrigins are the origins of the merchant's pages that the buyer may
	// be sent to after the return.
	RedirectOrigins []string
	// RetryURL is this page again; empty: the URL that it was loaded from.
	RetryURL string
	// MerchantName is how the buyer knows the shop, MerchantURL where it is.
	// Both may be empty.
	MerchantName string
	MerchantURL  string
}

// Checkout is what amazon.Pay.initCheckout is called with. PayloadJSON reaches
// it byte for byte, or the signature would not hold.
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

// Outcome is how an update ended, as far as is known.
type Outcome string

// The outcomes.
const (
	Success  Outcome = "success"
	Pending  Outcome = "pending"  // completed; the change is on its way
	Failed   Outcome = "failed"   // cancelled, declined or expired
	Checking Outcome = "checking" // no clear outcome yet
)

// Result tells the buyer what became of the update.
type Result struct {
	Language string
	Update   string
	Outcome  Outcome
	// Descriptors are the payment methods after a success, as Amazon describes
	// them; City and PostalCode are all of the address that is shown. Each may
	// be empty.
	Descriptors []string
	City        string
	PostalCode  string
	// AgainURL starts the update again.
	AgainURL     string
	MerchantName string
	MerchantURL  string
}

// Kind is a problem that keeps the buyer from an update.
type Kind string

// The problems.
const (
	LinkExpired Kind = "link_expired"
	LinkInvalid Kind = "link_invalid" // tampered with, incomplete, or of another session
	Done        Kind = "done"         // the link's update is completed already
	Closed      Kind = "closed"       // the buyer must set up a new Saved Wallet
	NotFollowed Kind = "not_followed"
	NotFound    Kind = "not_found"
	UsedUp      Kind = "used_up"     // tried as often as one link allows
	Unavailable Kind = "unavailable" // worth another try
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

// Problem tells the buyer what stands in the way and what to do instead.
type Problem struct {
	Language string
	Kind     Kind
	// Status is the HTTP status code; 0: the kind's own.
	Status int
	// AgainURL starts the update again; Unavailable offers the page's own URL
	// where it is empty.
	AgainURL     string
	MerchantName string
	MerchantURL  string
}

// shown is what the templates see: what the caller said, and the texts.
type shown[T any] struct {
	V    T
	Text *texts
	passage
}

// Ready writes the ready page.
func (p *Pages) Ready(w http.ResponseWriter, r *http.Request, v Ready) {
	language, t := p.texts(r, v.Language)
	// Amazon checks the origin of the page that posts to it. Under no-referrer
	// browsers would say "Origin: null"; strict-origin gives the origin away
	// and nothing else, so the token in this page's URL stays here (Fetch
	// standard, "append a request Origin header").
	w.Header().Set("Referrer-Policy", "strict-origin")
	// Should Amazon's script ever open a window, it may still speak to it.
	w.Header().Set("Cross-Origin-Opener-Policy", "same-origin-allow-popups")
	p.write(w, r, http.StatusOK, "ready.html", html.View{
		Language: language, Title: t.Ready.of(v.Update).Title,
		Data: shown[Ready]{v, t, t.Ready.of(v.Update)},
	}, checkoutPolicy(v.Checkout.ScriptURL, v.RedirectOrigins).With(p.csp))
}

// Result writes the result page.
func (p *Pages) Result(w http.ResponseWriter, r *http.Request, v Result) {
	language, t := p.texts(r, v.Language)
	says, ok := map[Outcome]passage{Success: t.Success.of(v.Update), Pending: t.Pending, Failed: t.Failed}[v.Outcome]
	if !ok {
		v.Outcome, says = Checking, t.Checking
	}
	p.write(w, r, http.StatusOK, "result.html", html.View{
		Language: language, Title: says.Title, Data: shown[Result]{v, t, says},
	}, html.Strict())
}

// Problem writes the page of a problem; one of an unknown kind is Unavailable.
func (p *Pages) Problem(w http.ResponseWriter, r *http.Request, v Problem) {
	language, t := p.texts(r, v.Language)
	if _, ok := statuses[v.Kind]; !ok {
		v.Kind = Unavailable
	}
	if v.Status == 0 {
		v.Status = statuses[v.Kind]
	}
	if v.Kind == Closed || v.Kind == NotFollowed {
		v.AgainURL = "" // it would end here again
	}
	says := t.Problems[v.Kind]
	p.write(w, r, v.Status, "problem.html", html.View{
		Language: language, Title: says.Title, Data: shown[Problem]{v, t, says},
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
// use: one list for all regions, as Amazon's own plugin for Magento has it
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

// checkoutPolicy allows what Amazon's script needs, and the script's own origin.
// It needs no image.
//
// The form that the script posts may lead to apay-us.amazon.com or one of the
// hosts such as payments.amazon.de. Chromium holds the redirects of a form to the
// policy too: Amazon may send the buyer to sign in on another of its hosts first,
// or straight back to us, from where the last redirect leads to redirects, the
// merchant's origins.
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
