// Package status is the page that `make run` opens the stack with: every
// charge permission as the back-office would see it, its timeline, and buttons
// that change it at the twin as its buyer would. It reads Postgres alone; what
// it shows has come the whole way, from the twin's notification to the row.
package status

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"walletsync/internal/local/demo"
)

//go:embed page.html style.css app.js
var files embed.FS

// Page serves the status page.
type Page struct {
	// DB is the database that walletsync writes.
	DB *pgxpool.Pool
	// Act does at the twin what a buyer would: address, card or state.
	Act func(ctx context.Context, id, do string) error
	// Vitals are the figures of the page's head.
	Vitals func(ctx context.Context) []Vital
	// ShopURL is the demo merchant's page, to link to; may be empty.
	ShopURL string
	// Poll is how often the database is looked at while a page is open.
	Poll time.Duration
}

// Vital is one figure with its name.
type Vital struct {
	Name  string `json:"name"`
	Value int    `json:"value"`
	Bad   bool   `json:"bad"`
}

// Handler returns the page's routes.
func (p *Page) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.index)
	mux.HandleFunc("GET /events", p.events)
	mux.HandleFunc("POST /charge-permissions/{id}/{do}", p.act)
	mux.Handle("GET /assets/", http.StripPrefix("/assets/", http.FileServerFS(files)))
	return demo.Guard("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'", mux)
}

var page = template.Must(template.New("page.html").Funcs(template.FuncMap{
	"clock": func(t time.Time) string { return t.Local().Format("15:04:05") },
	"iso":   func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) },
}).ParseFS(files, "page.html"))

func (p *Page) index(w http.ResponseWriter, r *http.Request) {
	rows, err := p.rows(r.Context())
	if err != nil {
		http.Error(w, "The database does not answer: "+err.Error(), http.StatusServiceUnavailable)
		return
	}
	demo.Render(w, http.StatusOK, page, "page.html", map[string]any{"Rows": rows, "Vitals": p.Vitals(r.Context()), "ShopURL": p.ShopURL})
}

func (p *Page) act(w http.ResponseWriter, r *http.Request) {
	if err := p.Act(r.Context(), r.PathValue("id"), r.PathValue("do")); err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// events streams each row that changed, as the HTML that replaces it, and the
// vitals.
func (p *Page) events(w http.ResponseWriter, r *http.Request) {
	demo.Stream(w, r, p.Poll, func(send demo.Sender) error {
		rows, err := p.rows(r.Context())
		if err != nil {
			return err
		}
		for _, row := range rows {
			var b bytes.Buffer
			if err := page.ExecuteTemplate(&b, "row", row); err != nil {
				return err
			}
			if err := send("row", row.ID, b.String()); err != nil {
				return err
			}
		}
		vitals, err := json.Marshal(p.Vitals(r.Context()))
		if err != nil {
			return err
		}
		return send("vitals", "", string(vitals))
	})
}

// Row is a charge permission as the page shows it.
type Row struct {
	ID, State, Reason, Type    string
	Buyer                      string
	Address, Payment           []string
	Pending, Failing, Followed bool
	LastError                  string
	Timeline                   []Event
}

// Event is one change in a row's timeline.
type Event struct {
	At            time.Time
	What          string
	Cause         string
	Before, After string
}

// Chargeable reports whether the merchant can charge.
func (r Row) Chargeable() bool { return r.State == "Chargeable" }

const sqlRows = `
select c.id, c.type, c.followed, coalesce(c.state, 'unknown'),
       coalesce((select string_agg(x ->> 'code', ', ') from jsonb_array_elements(c.reasons) x), ''),
       coalesce(c.buyer_name, ''),
       array_remove(array[nullif(c.shipping_name, ''), nullif(c.shipping_line1, ''), nullif(c.shipping_line2, ''), nullif(c.shipping_line3, ''),
             nullif(concat_ws(' ', nullif(c.shipping_postal_code, ''), nullif(c.shipping_city, ''), nullif(c.shipping_state_or_region, '')), ''),
             nullif(c.shipping_country_code, '')], null),
       c.payment_descriptors, r.wanted > r.done, r.attempts > 0, coalesce(r.last_error, '')
from walletsync.charge_permissions c
join walletsync.refreshes r on r.account = c.account and r.id = c.id
order by c.account, c.id limit 200`

const sqlTimeline = `
select h.charge_permission, h.stored_at, h.facet, h.cause, h.before, h.after
from unnest($1::text[]) as i (id), lateral (
    select * from walletsync.charge_permission_changes h
    where h.charge_permission = i.id order by h.position desc limit 8) h
order by h.position desc`

func (p *Page) rows(ctx context.Context) ([]Row, error) {
	found, err := p.DB.Query(ctx, sqlRows)
	if err != nil {
		return nil, err
	}
	rows, err := pgx.CollectRows(found, func(r pgx.CollectableRow) (row Row, err error) {
		err = r.Scan(&row.ID, &row.Type, &row.Followed, &row.State, &row.Reason, &row.Buyer,
			&row.Address, &row.Payment, &row.Pending, &row.Failing, &row.LastError)
		return row, err
	})
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(rows))
	at := make(map[string]int, len(rows))
	for i, r := range rows {
		ids[i], at[r.ID] = r.ID, i
	}
	changes, err := p.DB.Query(ctx, sqlTimeline, ids)
	if err != nil {
		return nil, err
	}
	var (
		id, facet     string
		e             Event
		before, after []byte
	)
	_, err = pgx.ForEachRow(changes, []any{&id, &e.At, &facet, &e.Cause, &before, &after}, func() error {
		e.What = words[facet]
		if e.What == "" {
			e.What = facet
		}
		e.Before, e.After = brief(before), brief(after)
		if facet == "first_read" {
			e.Before, e.After = "", "first read"
		}
		rows[at[id]].Timeline = append(rows[at[id]].Timeline, e)
		return nil
	})
	return rows, err
}

var words = map[string]string{
	"address": "Address", "payment_method": "Payment method", "state": "State", "buyer": "Buyer",
	"billing_address": "Billing address", "limit": "Limit", "expiry": "Expiry", "first_read": "Known",
	"erased": "Erased",
}

// brief puts a facet's value in a line. The facets share no member names that
// mean different things, so one struct reads them all.
func brief(value []byte) string {
	if value == nil {
		return "nothing"
	}
	var v struct {
		Name, Line1, Line2, Line3, City string
		PostalCode                      string `json:"postal_code"`
		CountryCode                     string `json:"country_code"`
		Email, State                    string
		Descriptors, Reasons            []string
		Amount, Currency                string
		ExpiresAt                       string `json:"expires_at"`
	}
	if err := json.Unmarshal(value, &v); err != nil {
		return string(value)
	}
	parts := append([]string{v.Name, v.Line1, v.Line2, v.Line3, strings.TrimSpace(v.PostalCode + " " + v.City), v.CountryCode,
		v.Email, v.State, strings.TrimSpace(v.Amount + " " + v.Currency), v.ExpiresAt}, append(v.Descriptors, v.Reasons...)...)
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ", ")
}
