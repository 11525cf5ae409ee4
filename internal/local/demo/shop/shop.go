// Package shop is a merchant's website as small as it can be, for laptops and
// tests: it lists its buyers with the address and the card that Postgres has,
// and starts an update in both ways that a merchant has: by the update
// page, and by a button of its own. It is what a merchant would write: one
// HTTP request to update-start, with the key that only its server knows.
package shop

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"walletsync/internal/local/demo"
)

//go:embed page.html own.html style.css app.js own.js
var files embed.FS

// Shop serves the merchant's pages.
type Shop struct {
	// URL is where the shop is, ending in a slash; its path is the shop's.
	URL string
	// DB is the database that walletsync writes.
	DB *pgxpool.Pool
	// UpdateSessions is where update-start takes POST /update-sessions, and
	// Key is the bearer key for it.
	UpdateSessions, Key string
	// StatusURL is the stack's status page, to link to; may be empty.
	StatusURL string
	// Poll is how often the database is looked at while a page is open.
	Poll time.Duration
}

// Handler returns the shop's routes, all below the path of its URL.
func (s *Shop) Handler() (http.Handler, error) {
	at, err := url.Parse(s.URL)
	if err != nil || at.Host == "" || !strings.HasSuffix(at.Path, "/") {
		return nil, fmt.Errorf("the shop's URL %q is not an absolute one that ends in a slash", s.URL)
	}
	base := at.Path
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+base+"{$}", func(w http.ResponseWriter, r *http.Request) { s.index(w, r, http.StatusOK, "") })
	mux.HandleFunc("GET "+base+"events", s.events)
	mux.HandleFunc("POST "+base+"buyers/{id}/update", s.update)
	mux.HandleFunc("POST "+base+"buyers/{id}/own", s.own)
	mux.Handle("GET "+base+"assets/", http.StripPrefix(base+"assets/", http.FileServerFS(files)))
	return demo.Guard(fmt.Sprintf(policy, ""), mux), nil
}

// policy is without form-action: browsers hold redirects to it, and a button
// leads to wherever update-start or Amazon's script says.
const policy = "default-src 'none'; script-src 'self'%s; style-src 'self'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"

var page = template.Must(template.ParseFS(files, "page.html", "own.html"))

// returned are the messages for what update-start's return page appends.
var returned = map[string]struct{ Text, Class string }{
	"success": {"Thank you. Your details are updated.", "good"},
	"pending": {"Your update is on its way. We will have it in a moment.", "wait"},
	"failed":  {"The update for your address or payment method failed. Please try again.", "bad"},
}

func (s *Shop) index(w http.ResponseWriter, r *http.Request, status int, problem string) {
	buyers, err := s.buyers(r.Context())
	if err != nil {
		http.Error(w, "The database does not answer: "+err.Error(), http.StatusServiceUnavailable)
		return
	}
	demo.Render(w, status, page, "page.html", map[string]any{"Shop": s, "Buyers": buyers, "Returned": returned[r.URL.Query().Get("status")], "Problem": problem})
}

// update leads the buyer to the update page.
func (s *Shop) update(w http.ResponseWriter, r *http.Request) {
	started, err := s.start(r)
	if err != nil {
		s.index(w, r, http.StatusBadGateway, err.Error())
		return
	}
	http.Redirect(w, r, started.URL, http.StatusSeeOther)
}

// own shows a page with the merchant's own button, which runs Amazon's script.
func (s *Shop) own(w http.ResponseWriter, r *http.Request) {
	started, err := s.start(r)
	if err != nil {
		s.index(w, r, http.StatusBadGateway, err.Error())
		return
	}
	script, err := url.Parse(started.Checkout.ScriptURL)
	if err != nil || script.Host == "" {
		s.index(w, r, http.StatusBadGateway, "update-start named no script")
		return
	}
	w.Header().Set("Content-Security-Policy", fmt.Sprintf(policy, " "+script.Scheme+"://"+script.Host))
	demo.Render(w, http.StatusOK, page, "own.html", map[string]any{"Shop": s, "Checkout": started.Checkout, "Update": words[r.PostFormValue("update")]})
}

var words = map[string]string{"address": "address", "payment_method": "payment method", "both": "address and payment method"}

// Checkout is what update-start's answer gives to initCheckout.
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

type started struct {
	UpdateSessionID string   `json:"updateSessionId"`
	URL             string   `json:"url"`
	Checkout        Checkout `json:"checkout"`
}

// start asks update-start for an update session.
func (s *Shop) start(r *http.Request) (started, error) {
	body, err := json.Marshal(map[string]string{
		"chargePermissionId": r.PathValue("id"), "update": r.PostFormValue("update"), "startUrl": s.URL, "returnTo": s.URL})
	if err != nil {
		return started{}, err
	}
	q, err := http.NewRequestWithContext(r.Context(), http.MethodPost, s.UpdateSessions, bytes.NewReader(body))
	if err != nil {
		return started{}, err
	}
	q.Header.Set("Authorization", "Bearer "+s.Key)
	q.Header.Set("Content-Type", "application/json")
	got, err := (&http.Client{Timeout: 15 * time.Second}).Do(q)
	if err != nil {
		return started{}, errors.New("update-start does not answer")
	}
	defer got.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(got.Body, 1<<20))
	if err != nil {
		return started{}, fmt.Errorf("read update-start's answer: %w", err)
	}
	if got.StatusCode != http.StatusCreated {
		return started{}, fmt.Errorf("update-start refused (%d): %s", got.StatusCode, bytes.TrimSpace(answer))
	}
	var is started
	if err := json.Unmarshal(answer, &is); err != nil || is.URL == "" {
		return started{}, errors.New("update-start's answer has no url")
	}
	return is, nil
}

// events streams each buyer that changed, as the HTML that replaces it.
func (s *Shop) events(w http.ResponseWriter, r *http.Request) {
	demo.Stream(w, r, s.Poll, func(send demo.Sender) error {
		buyers, err := s.buyers(r.Context())
		if err != nil {
			return err
		}
		for _, b := range buyers {
			var html bytes.Buffer
			if err := page.ExecuteTemplate(&html, "what", b); err != nil {
				return err
			}
			if err := send("buyer", b.ID, html.String()); err != nil {
				return err
			}
		}
		return nil
	})
}

// Buyer is a buyer as the shop shows it.
type Buyer struct {
	ID, Name, State  string
	Address, Payment []string
}

// Closed reports whether the buyer must set up a new Saved Wallet.
func (b Buyer) Closed() bool { return b.State == "Closed" }

const sqlBuyers = `
select c.id, coalesce(c.buyer_name, ''), coalesce(c.state, ''),
       array_remove(array[nullif(nullif(c.shipping_name, c.buyer_name), ''), nullif(c.shipping_line1, ''), nullif(c.shipping_line2, ''), nullif(c.shipping_line3, ''),
             nullif(concat_ws(' ', nullif(c.shipping_postal_code, ''), nullif(c.shipping_city, ''), nullif(c.shipping_state_or_region, '')), ''),
             nullif(c.shipping_country_code, '')], null),
       c.payment_descriptors
from walletsync.charge_permissions c
where c.followed and c.type = 'PaymentMethodOnFile'
order by c.id limit 100`

func (s *Shop) buyers(ctx context.Context) ([]Buyer, error) {
	rows, err := s.DB.Query(ctx, sqlBuyers)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) (b Buyer, err error) {
		err = r.Scan(&b.ID, &b.Name, &b.State, &b.Address, &b.Payment)
		return b, err
	})
}
