package update

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

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
	return s.PublicURL + "/update?" + tokenParam + "=" + t, err
}

// The query parameters of a return. The Checkout Session's is Amazon's, appended
// to our URL ("Update buyer address or payment method"); the others are ours.
const (
	tokenParam           = "t"
	cancelledParam       = "cancelled" // the URL is the checkoutCancelUrl
	checkoutSessionParam = "amazonCheckoutSessionId"
)

// returnURL is the checkoutResultReturnUrl of a session.
func (s Site) returnURL(ctx context.Context, id session.ID, expires time.Time) (string, error) {
	t, err := s.Tokens.Seal(ctx, State, id, expires)
	return s.PublicURL + "/return?" + tokenParam + "=" + t, err
}

// cancelURL is the checkoutCancelUrl that belongs to a returnURL.
func cancelURL(returnURL string) string { return returnURL + "&" + cancelledParam + "=1" }

// errQuery means that a parameter is missing, repeated or malformed.
var errQuery = errors.New("the query is not as issued")

// oneValue returns a parameter's only value, which is not empty.
func oneValue(rawQuery, name string) (string, error) {
	v, err := oneValueIfAny(rawQuery, name)
	if err == nil && v == "" {
		err = errQuery
	}
	return v, err
}

// oneValueIfAny returns a parameter's only value, and an empty one if there is
// none. The other parameters do not matter, nor whether they are well formed:
// mail programs and trackers add some.
func oneValueIfAny(rawQuery, name string) (string, error) {
	value, found := "", false
	for pair := range strings.SplitSeq(rawQuery, "&") {
		key, raw, _ := strings.Cut(pair, "=")
		if key, err := url.QueryUnescape(key); err != nil || key != name {
			continue
		}
		v, err := url.QueryUnescape(raw)
		if err != nil || found {
			return "", errQuery
		}
		value, found = v, true
	}
	return value, nil
}

// has reports whether the query has a parameter of this name.
func has(rawQuery, name string) bool {
	for pair := range strings.SplitSeq(rawQuery, "&") {
		key, _, _ := strings.Cut(pair, "=")
		if key, err := url.QueryUnescape(key); err == nil && key == name {
			return true
		}
	}
	return false
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

// with returns a page of the merchant's own with the outcome appended to its
// query, and nothing if there is no such page.
func (s Site) with(page, status string, id session.ID) string {
	if page = s.own(page); page == "" {
		return ""
	}
	return appendQuery(page, "status="+status+"&updateSessionId="+id.String())
}

// appendQuery returns a URL with more parameters at the end of its query. The
// rest stays as it is, byte for byte: applications differ in how they read a
// query, and only its owner knows what an equivalent one is.
func appendQuery(page, more string) string {
	page, fragment, hasFragment := strings.Cut(page, "#")
	switch _, query, hasQuery := strings.Cut(page, "?"); {
	case !hasQuery:
		page += "?"
	case query != "" && !strings.HasSuffix(query, "&"):
		page += "&"
	}
	page += more
	if hasFragment {
		page += "#" + fragment
	}
	return page
}

// ascii returns a URL as a header can carry it: what is beyond ASCII is
// percent-encoded, as a browser does before it sends a request.
func ascii(page string) string {
	if !strings.ContainsFunc(page, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return page
	}
	var b strings.Builder
	for _, c := range []byte(page) {
		if c < utf8.RuneSelf {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// originOf returns the origin of a URL that allowed has accepted, as browsers
// write it.
func originOf(page string) string {
	u, err := url.Parse(page)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + strings.ToLower(u.Host)
}

// redirectOrigins are the origins of the merchant's own that a return of this
// session may lead to.
func (s Site) redirectOrigins(u session.Session) (origins []string) {
	for _, page := range []string{u.StartURL, u.ReturnTo} {
		if page = s.own(page); page != "" && !slices.Contains(origins, originOf(page)) {
			origins = append(origins, originOf(page))
		}
	}
	return origins
}

// redirect sends the buyer on. The token of this URL goes nowhere with them.
func redirect(w http.ResponseWriter, to string) {
	w.Header().Set("Location", ascii(to))
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusSeeOther)
}
