package oidc

import (
	"embed"
	"io"
	"net/http"

	"github.com/rs/zerolog"

	"walletsync/internal/console"
	"walletsync/internal/console/view"
	"walletsync/internal/html"
)

//go:embed sign-in.html you.html
var files embed.FS

// Problem is why access is denied.
type Problem string

// The problems.
const (
	SignedOut       Problem = "signed_out"        // no session, or it has ended
	SignInCancelled Problem = "sign_in_cancelled" // at the issuer
	SignInStale     Problem = "sign_in_stale"     // too late, or started in another browser
	SignInRefused   Problem = "sign_in_refused"   // the issuer's answer is invalid
	SignInLimited   Problem = "sign_in_limited"   // too many have failed recently
	NoRole          Problem = "no_role"
	FormRefused     Problem = "form_refused" // without the session's token
	CrossOrigin     Problem = "cross_origin" // sent by another site
	TokenRefused    Problem = "token_refused"
	Unavailable     Problem = "unavailable" // may pass
)

// statuses are the HTTP status codes and details of the problems.
var statuses = map[Problem]struct {
	code   int
	detail string
}{
	SignedOut:       {http.StatusUnauthorized, "Send an access token in the header Authorization: Bearer …."},
	SignInCancelled: {http.StatusForbidden, "The sign-in was cancelled at the issuer."},
	SignInStale:     {http.StatusForbidden, "The sign-in took too long, or was started in another browser."},
	SignInRefused:   {http.StatusForbidden, "The issuer's answer cannot be accepted. The log has the reason."},
	SignInLimited:   {http.StatusTooManyRequests, "Too many sign-ins have failed recently. Try again in a few minutes."},
	NoRole:          {http.StatusForbidden, "No value of the role claim gives a role here."},
	FormRefused:     {http.StatusForbidden, "A form needs its session's token."},
	CrossOrigin:     {http.StatusForbidden, "The request was sent by another site."},
	TokenRefused:    {http.StatusUnauthorized, "The access token cannot be accepted. The log has the reason."},
	Unavailable:     {http.StatusServiceUnavailable, "Sign-in is unavailable at the moment. Try again in a few seconds."},
}

// pageWriter writes the pages of the sign-in.
type pageWriter struct {
	site      *html.Site
	languages *html.Languages
	base      string
	failed    func(*http.Request, error) // logs that a page could not be written
}

// newPageWriter makes nonces from random, or from crypto/rand if it is nil.
func newPageWriter(publicURL string, random io.Reader) (*pageWriter, error) {
	p := &pageWriter{base: html.Path(publicURL), failed: func(q *http.Request, err error) {
		zerolog.Ctx(q.Context()).Error().Err(err).Msg("page could not be written")
	}}
	var err error
	if p.languages, err = html.NewLanguages(languages...); err != nil {
		return nil, err
	}
	p.site, err = html.New(random, nil, files, "sign-in.html", "you.html")
	return p, err
}

// card is what templates see of a page with one message.
type card struct {
	Text *texts
	Kind string
	passage
	On, OnText string
	Issuer     string // where the session at the issuer ends
}

// refuse answers why access is denied, in JSON for clients that prefer it. signOut is
// the issuer's sign-out, or empty.
func (p *pageWriter) refuse(w http.ResponseWriter, q *http.Request, why Problem, signOut string) {
	s := statuses[why]
	switch why {
	case SignedOut:
		w.Header().Set("WWW-Authenticate", "Bearer") // RFC 6750, section 3
	case TokenRefused:
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	}
	if console.WantsJSON(q) || len(q.Header.Values("Authorization")) > 0 {
		console.WriteProblem(w, s.code, string(why), s.detail)
		return
	}
	language, t := p.texts(q)
	c := card{Text: t, Kind: string(why), passage: t.Problems[why], On: p.base + home, Issuer: signOut}
	switch why {
	case NoRole:
		c.On, c.OnText = p.base+signInNew, t.SignInNew
	case SignedOut, SignInCancelled, SignInStale, SignInRefused, SignInLimited:
		c.OnText = t.SignIn
	case Unavailable:
		c.OnText = t.Again
	default:
		c.OnText = t.Console
	}
	p.write(w, q, s.code, "sign-in.html", html.View{Language: language, Title: c.Title, Data: c}, html.Strict())
}

// signedOut writes the page after signing out. issuer is the issuer's sign-out, or
// empty.
func (p *pageWriter) signedOut(w http.ResponseWriter, q *http.Request, issuer string) {
	language, t := p.texts(q)
	p.write(w, q, http.StatusOK, "sign-in.html", html.View{Language: language, Title: t.SignedOut.Title, Data: card{
		Text: t, Kind: "signed_out_now", passage: t.SignedOut, On: p.base + signInNew, OnText: t.SignIn, Issuer: issuer,
	}}, html.Strict())
}

// you writes the page of the signed-in user.
func (p *pageWriter) you(w http.ResponseWriter, q *http.Request, id view.Identity) {
	language, t := p.texts(q)
	p.write(w, q, http.StatusOK, "you.html", html.View{Language: language, Title: t.You, Data: struct {
		Text     *texts
		Identity view.Identity
		Role     passage
		Base     string
	}{t, id, t.Roles[id.Role], p.base}}, html.Strict().With(html.Policy{"form-action": {"'self'"}}))
}

func (p *pageWriter) texts(q *http.Request) (string, *texts) {
	chosen := p.languages.Choose("", q.Header.Get("Accept-Language"))
	return chosen, translations[chosen]
}

func (p *pageWriter) write(w http.ResponseWriter, q *http.Request, status int, page string, v html.View, policy html.Policy) {
	w.Header().Add("Vary", "Accept")
	if err := p.site.Write(w, status, page, v, policy); err != nil {
		p.failed(q, err)
	}
}
