package twin

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

//go:embed pages
var pages embed.FS

var hosted = template.Must(template.ParseFS(pages, "pages/hosted.html"))

// checkoutHandler is a region's checkout.js and the pages of the checkout
// hosts. Every visitor with the id of a session is its buyer: there is no sign-in.
func (t *Twin) checkoutHandler(region string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /checkout.js", t.serveScript(region))
	mux.HandleFunc("POST /checkout/initiate", t.serveInitiate)
	mux.HandleFunc("GET /checkout/{id}", t.serveHosted)
	mux.HandleFunc("POST /checkout/{id}", t.serveChoice)
	mux.HandleFunc("GET /checkout/style.css", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, pages, "pages/hosted.css")
	})
	// The button's page is another site by nature; the hosted page is not.
	own := http.NewCrossOriginProtection()
	own.AddInsecureBypassPattern("POST /checkout/initiate")
	return own.Handler(mux)
}

// serveScript serves the script, with what it knows of its region.
func (t *Twin) serveScript(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		o := t.perform(r, CheckoutScript, "", func() answer { return answer{status: http.StatusOK} })
		if o.answer.status == http.StatusOK {
			o.answer = script(name, o.script)
		}
		t.send(w, r, o)
	}
}

func script(name, fault string) answer {
	source, err := pages.ReadFile("pages/checkout.js")
	if err != nil {
		return errorAnswer(http.StatusInternalServerError, "InternalServerError", err.Error())
	}
	of := regions[name]
	config, err := json.Marshal(struct {
		region
		ScriptHost string `json:"scriptHost"`
		Fault      string `json:"fault,omitempty"`
	}{of, of.scriptHost, fault})
	if err != nil {
		return errorAnswer(http.StatusInternalServerError, "InternalServerError", err.Error())
	}
	return answer{status: http.StatusOK, body: fmt.Appendf(bytes.TrimSpace(source), "(%s);\n", config),
		header: http.Header{"Content-Type": {"text/javascript; charset=utf-8"}, "Cache-Control": {"no-store"}}}
}

// page returns a page as an answer. It has no form-action: browsers hold
// redirects to it, and the return URL can be anywhere.
func page(status int, name string, data any) answer {
	var b bytes.Buffer
	if err := hosted.ExecuteTemplate(&b, name, data); err != nil {
		return errorAnswer(http.StatusInternalServerError, "InternalServerError", err.Error())
	}
	return answer{status: status, body: b.Bytes(), header: http.Header{
		"Content-Type":            {"text/html; charset=utf-8"},
		"Cache-Control":           {"no-store"},
		"Content-Security-Policy": {"default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'"},
		"Referrer-Policy":         {"same-origin"},
		"X-Content-Type-Options":  {"nosniff"},
	}}
}

func redirect(to string) answer {
	return answer{status: http.StatusSeeOther, header: http.Header{"Location": {to}, "Content-Type": {"text/plain"}, "Referrer-Policy": {"no-referrer"}}}
}

// serveInitiate takes the form that checkout.js posts.
func (t *Twin) serveInitiate(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxPayload)
	err := r.ParseForm()
	b := buttonOf(r.PostForm)
	t.send(w, r, t.perform(r, InitiateCheckout, "", func() answer {
		if err != nil {
			return refusedPage(refuseButton(http.StatusBadRequest, "", "InvalidRequestFormat", "the form cannot be read: %v", err), b)
		}
		s, err := t.initiate(b)
		var refused *ButtonError
		switch {
		case errors.As(err, &refused):
			return refusedPage(refused, b)
		case err != nil:
			return errorAnswer(http.StatusInternalServerError, "InternalServerError", err.Error())
		}
		return redirect("/checkout/" + s.id)
	}))
}

func refusedPage(refused *ButtonError, b Button) answer {
	origin := ""
	if u, err := url.Parse(b.Origin); err == nil && (u.Scheme == "https" || u.Scheme == "http") {
		origin = b.Origin
	}
	return page(refused.Status, "refused", map[string]any{"Problems": refused.Problems, "StringToSign": refused.StringToSign, "Payload": b.PayloadJSON, "Origin": origin})
}

// serveHosted shows what the buyer can choose from.
func (t *Twin) serveHosted(w http.ResponseWriter, r *http.Request) {
	t.write(w, t.hostedPage(r.PathValue("id"), Choice{}, nil))
}

// serveChoice does what the buyer wants and leads back to the merchant.
func (t *Twin) serveChoice(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxPayload)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "the form cannot be read", http.StatusBadRequest)
		return
	}
	number := func(name string) *int {
		if n, err := strconv.Atoi(r.PostForm.Get(name)); err == nil {
			return &n
		}
		return nil
	}
	c := Choice{Cancel: r.PostForm.Get("do") == "cancel", Address: number("address"), Card: number("card")}
	to, err := t.choose(r.PathValue("id"), c)
	if err != nil {
		t.write(w, t.hostedPage(r.PathValue("id"), c, err))
		return
	}
	t.write(w, redirect(to))
}

// write writes an answer that no fault befalls.
func (t *Twin) write(w http.ResponseWriter, a answer) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // the client is gone if it fails
}

// option is one of the hosted page's choices.
type option struct {
	At     int
	Lines  []string
	Hint   string
	Chosen bool
}

// hostedPage is the page of a session after a choice that was refused, or
// before any.
func (t *Twin) hostedPage(id string, c Choice, refused error) answer {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.session(id)
	switch {
	case s == nil:
		return page(http.StatusNotFound, "over", map[string]any{"Problem": "There is no such checkout session, or no longer."})
	case s.state == completed:
		return page(http.StatusConflict, "over", map[string]any{"Problem": "This update is completed.", "Back": s.origin})
	case s.state == canceled:
		return page(http.StatusConflict, "over", map[string]any{"Problem": "This checkout session was canceled: " + s.reason + ".", "Back": s.backLink()})
	case s.confirmed:
		return page(http.StatusConflict, "over", map[string]any{"Problem": "You have chosen already.", "Back": s.backLink()})
	}
	status, problem := http.StatusOK, ""
	if refused != nil {
		status, problem = http.StatusUnprocessableEntity, sentence(refused.Error())
	}
	store := "the shop"
	if m := s.payload.MerchantMetadata; m != nil && m.MerchantStoreName != "" {
		store = string(m.MerchantStoreName)
	}
	return page(status, "choose", map[string]any{"ID": s.id, "Store": store, "ChargePermission": s.payload.ChargePermissionID,
		"Problem": problem, "Addresses": s.addressOptions(c.Address), "Cards": s.cardOptions(c.Card)})
}

// backLink leads on from a page that was opened again.
func (s *session) backLink() string {
	return withSession(string(s.payload.WebCheckoutDetails.CheckoutResultReturnURL), s.id)
}

func (s *session) addressOptions(chosen *int) []option {
	var all []option
	if s.product != payAndShip {
		return nil
	}
	for i, a := range s.addresses {
		o := option{At: i, Lines: a.lines(), Chosen: i == at(chosen)}
		if s.payload.DeliverySpecifications.forbids(a) != "" {
			o.Hint = "The shop does not deliver here"
		}
		all = append(all, o)
	}
	return all
}

func (s *session) cardOptions(chosen *int) []option {
	var all []option
	for i, c := range s.cards {
		o := option{At: i, Lines: []string{string(c.Descriptor)}, Chosen: i == at(chosen)}
		switch {
		case c.Invalid:
			o.Hint = "Can no longer be charged"
		case c.Ends != "":
			o.Hint = "Test card: the session ends as " + c.Ends
		}
		all = append(all, o)
	}
	return all
}

func at(chosen *int) int {
	if chosen == nil {
		return 0
	}
	return *chosen
}

// lines returns an address as on a label, the name first.
func (a address) lines() []string {
	all := []string{string(a.Name), string(a.AddressLine1), string(a.AddressLine2), string(a.AddressLine3),
		strings.TrimSpace(string(a.PostalCode + " " + a.City)), string(a.StateOrRegion), string(a.CountryCode)}
	return slices.DeleteFunc(all, func(s string) bool { return s == "" })
}

// sentence makes an error's text one for a page.
func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}
