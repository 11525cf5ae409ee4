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

// Site holds the settings that the pages of both functions share.
type Site struct {
	PublicURL     string   // without a slash at the end
	ReturnOrigins []string // the origins that buyers may be sent to
	MerchantName  string
	MerchantURL   string
	Pages         Pages
	Tokens        Tokens
}

func (s Site) linkURL(ctx context.Context, id session.ID, expires time.Time) (string, error) {
	t, err := s.Tokens.Seal(ctx, Link, id, expires)
	return s.PublicURL + "/update?" + tokenParam + "=" + t, err
}

// The query parameters of a return. Amazon appends that of the Checkout Session to
// our URL ("Update buyer address or payment method"). The others are ours.
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
// none. It ignores other parameters, even malformed ones, because mail programs and
// trackers add some.
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

// problem shows a problem page. It links to the start of the flow on the merchant's
// site, if the session has it.
func (s Site) problem(w http.ResponseWriter, q *http.Request, kind pages.Kind, u session.Session, retryURL string) {
	s.Pages.Problem(w, q, pages.Problem{
		Language: u.Locale, Kind: kind, AgainURL: cmp.Or(retryURL, s.own(u.StartURL)),
		MerchantName: s.MerchantName, MerchantURL: s.wayOut(u),
	})
}

// wayOut returns the merchant's page that a buyer can always go to.
func (s Site) wayOut(u session.Session) string {
	return cmp.Or(s.MerchantURL, s.own(u.StartURL), s.own(u.ReturnTo))
}

// own returns a page of the merchant's own, or nothing if its origin is not allowed.
// The origin may have left the list since the session was created.
func (s Site) own(page string) string {
	if page == "" || !allowed(page, s.ReturnOrigins) {
		return ""
	}
	return page
}

// with returns a page of the merchant's own with the outcome appended to its query,
// or nothing if there is no such page.
func (s Site) with(page, status string, id session.ID) string {
	if page = s.own(page); page == "" {
		return ""
	}
	return appendQuery(page, "status="+status+"&updateSessionId="+id.String())
}

// appendQuery returns a URL with more parameters at the end of its query. The other
// bytes stay the same, because applications parse queries differently.
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

// ascii percent-encodes the characters of a URL that are not ASCII, so that a header
// can contain it. Browsers do the same before they send a request.
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

// originOf returns the origin of a URL that allowed has accepted, in the form that
// browsers use.
func originOf(page string) string {
	u, err := url.Parse(page)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + strings.ToLower(u.Host)
}

// redirectOrigins returns the merchant's origins that a return of this session may
// redirect to.
func (s Site) redirectOrigins(u session.Session) (origins []string) {
	for _, page := range []string{u.StartURL, u.ReturnTo} {
		if page = s.own(page); page != "" && !slices.Contains(origins, originOf(page)) {
			origins = append(origins, originOf(page))
		}
	}
	return origins
}

// redirect redirects the buyer. The headers keep the token in this page's URL out of
// the next request.
func redirect(w http.ResponseWriter, to string) {
	w.Header().Set("Location", ascii(to))
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusSeeOther)
}
