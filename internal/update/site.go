package update

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"walletsync/internal/update/pages"
	"walletsync/internal/update/session"
)

// Site is where the pages of both functions stand, and whom they belong to.
type Site struct {
	PublicURL     string   // without a slash at the end
	ReturnOrigins []string // that buyers may be sent to
	MerchantName  string
	MerchantURL   string
	Pages         Pages
	Tokens        Tokens
}

func (s Site) linkURL(ctx context.Context, id session.ID, expires time.Time) (string, error) {
	t, err := s.Tokens.Seal(ctx, Link, id, expires)
	return s.PublicURL + "/update?t=" + t, err
}

func (s Site) returnURL(ctx context.Context, id session.ID, expires time.Time) (string, error) {
	t, err := s.Tokens.Seal(ctx, State, id, expires)
	return s.PublicURL + "/return?t=" + t, err
}

// errQuery means that a parameter is not there once, or the query is malformed.
var errQuery = errors.New("the query is not as issued")

// oneValue returns a parameter's only value.
func oneValue(rawQuery, name string) (string, error) {
	values, err := url.ParseQuery(rawQuery)
	if err != nil || len(values[name]) != 1 || values[name][0] == "" {
		return "", errQuery
	}
	return values[name][0], nil
}

// problem shows what keeps a buyer from an update. The way on is the start of
// the flow on the merchant's site, if the session names it.
func (s Site) problem(w http.ResponseWriter, q *http.Request, kind pages.Kind, u session.Session, again string) {
	s.Pages.Problem(w, q, pages.Problem{
		Language: u.Locale, Kind: kind, AgainURL: cmp.Or(again, s.own(u.StartURL)),
		MerchantName: s.MerchantName, MerchantURL: s.wayOut(u),
	})
}

// wayOut is where a buyer can go on whatever has happened.
func (s Site) wayOut(u session.Session) string {
	return cmp.Or(s.MerchantURL, s.own(u.StartURL), s.own(u.ReturnTo))
}

// own returns a page of the merchant's own. It is looked at again: its origin
// may have left the list since the session was made.
func (s Site) own(page string) string {
	if page == "" || !allowed(page, s.ReturnOrigins) {
		return ""
	}
	return page
}

// with returns a page of the merchant's own with the outcome in its query, and
// nothing if there is no such page.
func (s Site) with(page, status string, id session.ID) string {
	if page = s.own(page); page == "" {
		return ""
	}
	u, err := url.Parse(page)
	if err != nil {
		return ""
	}
	query := u.Query()
	query.Set("status", status)
	query.Set("updateSessionId", id.String())
	u.RawQuery = query.Encode()
	return u.String()
}

// redirect sends the buyer on. The token of this URL goes nowhere with them.
func redirect(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusSeeOther)
}
