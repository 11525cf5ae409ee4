// Package oidc signs users and programs in to the console. Users sign in at the
// merchant's OpenID Connect issuer, by the code flow with PKCE, state and nonce
// (OpenID Connect Core 1.0, section 3.1; RFC 7636), and keep a sealed cookie.
// Programs send an access token of the same issuer (RFC 6750). A claim decides on
// the role; without one, access is denied.
//
// The server stores no session: the cookie holds it, and expires soon. It only
// counts failed sign-ins, in the process. Tokens, names and subjects are never
// logged.
package oidc

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/oauth2"

	"walletsync/internal/console"
	"walletsync/internal/console/view"
	"walletsync/internal/html"
	"walletsync/internal/telemetry"
)

// Options are the settings of the sign-in. All are required but Audience, Hosts,
// CognitoLogoutURL and Metrics.
type Options struct {
	// PublicURL precedes /console, and has no slash at the end. Where it is https,
	// cookies are for this host alone.
	PublicURL string
	Issuer    string // its URL, as in its tokens
	ClientID  string
	// Audience is the audience of access tokens; if it is empty, they are refused.
	// It must differ from ClientID, or id tokens would be accepted.
	Audience string
	// Hosts are hosts besides the issuer's own that its metadata may name.
	Hosts  []string
	Scopes []string // openid among them
	// CognitoLogoutURL is the logout endpoint of Amazon Cognito, which takes
	// logout_uri. Without it the end_session_endpoint of the metadata is used
	// (OpenID Connect RP-Initiated Logout 1.0).
	CognitoLogoutURL string
	Roles            Roles
	// Lifetime is how long a session lasts. A role that was taken away at the issuer
	// stays usable for so long.
	Lifetime time.Duration
	// ClientSecrets returns the valid ones, in the order in which to try them. With
	// refetch the ones returned before were refused.
	ClientSecrets func(ctx context.Context, refetch bool) ([]string, error)
	// CookieKeys returns the valid secrets that seal cookies; the first one seals.
	// With refetch the ones returned before did not match.
	CookieKeys func(ctx context.Context, refetch bool) ([]string, error)
	Client     *http.Client
	Now        func() time.Time
	Metrics    *telemetry.Metrics
}

// gate protects the console.
type gate struct {
	Options
	issuer      *issuerClient
	pages       *pageWriter
	redemptions redemptions
}

func newGate(o Options) (*gate, error) {
	for name, missing := range map[string]bool{
		"PublicURL": o.PublicURL == "", "Issuer": o.Issuer == "", "ClientID": o.ClientID == "", "Scopes": len(o.Scopes) == 0, "Roles": o.Roles.Claim == "" || len(o.Roles.Values) == 0,
		"Lifetime": o.Lifetime <= 0, "ClientSecrets": o.ClientSecrets == nil, "CookieKeys": o.CookieKeys == nil, "Client": o.Client == nil, "Now": o.Now == nil,
		"an Audience other than ClientID": o.Audience == o.ClientID,
	} {
		if missing {
			return nil, fmt.Errorf("oidc: %s is not set", name)
		}
	}
	pages, err := newPageWriter(o.PublicURL, nil)
	return &gate{Options: o, issuer: newIssuerClient(o), pages: pages}, err
}

// New returns the handler of all paths below /console. It passes requests of
// signed-in users and programs to the console, with their view.Identity in the
// context. It makes no call before the first request.
func New(o Options, console http.Handler) (http.Handler, error) {
	g, err := newGate(o)
	if err != nil {
		return nil, err
	}
	return g.handler(console), nil
}

const (
	// signInWithin is how long a user may take at the issuer.
	signInWithin = 15 * time.Minute
	// maxForm bounds a form, in bytes.
	maxForm = 64 << 10
	// maxNext bounds the address to which a sign-in returns, in bytes.
	maxNext = 1000
	// maxIDToken bounds an id token that is sent to the issuer's sign-out, in bytes: it
	// must fit into a cookie when sealed, and into an address. A larger one is left
	// out.
	maxIDToken = 2500
	// knownFor is how long a browser is known after a sign-in.
	knownFor = 30 * 24 * time.Hour
	// maxCode bounds an authorization code, in bytes. Those of Microsoft Entra ID
	// are the longest known, with more than a thousand.
	maxCode = 4 << 10
)

// The console's paths below PublicURL that the gate answers.
const (
	home      = "/console/"
	callback  = "/console/callback"
	you       = "/console/you"
	signOut   = "/console/sign-out"
	signedOut = "/console/signed-out"
	signInNew = "/console/sign-in"
)

// RedirectURL is the redirect URI that must be registered for the client.
func RedirectURL(publicURL string) string { return publicURL + callback }

// session is the content of the session cookie.
type session struct {
	Subject string `json:"s"`
	Name    string `json:"n,omitempty"`
	Role    string `json:"r"`
	CSRF    string `json:"c"`
}

// signInState is sealed into the state parameter while the user is at the issuer.
type signInState struct {
	Verifier string `json:"v"`
	Nonce    string `json:"n"`
	Next     string `json:"p,omitempty"` // path and query below PublicURL
}

func (g *gate) handler(console http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+callback, g.callback)
	mux.HandleFunc("GET "+signInNew, func(w http.ResponseWriter, q *http.Request) { g.begin(w, q, "", true) })
	mux.HandleFunc("GET "+signedOut, func(w http.ResponseWriter, q *http.Request) {
		g.pages.signedOut(w, q, g.issuer.signOutURL(q.Context(), g.PublicURL+signedOut, g.idToken(q)))
	})
	mux.Handle("GET "+you, g.guard(http.HandlerFunc(g.you)))
	mux.Handle("POST "+signOut, g.guard(http.HandlerFunc(g.signOut)))
	mux.Handle(home, g.guard(console))
	// Both spellings show the same page: /console/{proxy+} of an HTTP API does not
	// include /console.
	mux.Handle("/console", g.guard(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		q = q.Clone(q.Context())
		q.URL.Path, q.URL.RawPath = home, ""
		console.ServeHTTP(w, q)
	})))

	// Browsers send the origin of a request. The token in forms is for old ones that
	// do not.
	cross := http.NewCrossOriginProtection()
	if u, err := url.Parse(g.PublicURL); err == nil {
		_ = cross.AddTrustedOrigin(u.Scheme + "://" + u.Host) // a malformed one is never trusted
	}
	cross.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) { g.refuse(w, q, CrossOrigin, nil) }))
	return html.Below(g.PublicURL, cross.Handler(mux))
}

// guard passes on the requests of signed-in users, with their identity.
func (g *gate) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		// The strictest headers, unless a page sets its own: no answer may be cached,
		// framed or run scripts.
		html.Guard(w.Header(), html.Strict())
		if values := q.Header.Values("Authorization"); len(values) > 0 {
			// The cookie is ignored then, so forms need no token.
			g.byToken(w, q, values, next)
			return
		}
		g.byCookie(w, q, next)
	})
}

func (g *gate) byToken(w http.ResponseWriter, q *http.Request, values []string, next http.Handler) {
	scheme, token, _ := strings.Cut(values[0], " ")
	if len(values) != 1 || !strings.EqualFold(scheme, "Bearer") || token == "" {
		g.refuse(w, q, TokenRefused, errors.New("the header Authorization is not a single bearer token"))
		return
	}
	claims, err := g.issuer.bearer(q.Context(), token)
	if _, away := errors.AsType[unavailableError](err); away {
		g.refuse(w, q, Unavailable, err)
		return
	}
	if err != nil {
		g.refuse(w, q, TokenRefused, err)
		return
	}
	id := view.Identity{Subject: text(claims, "sub"), Name: nameOf(claims), Role: g.Roles.of(claims)}
	if id.Role == 0 {
		g.refuse(w, q, NoRole, g.Roles.leftOut(claims))
		return
	}
	next.ServeHTTP(w, q.WithContext(view.WithIdentity(q.Context(), id)))
}

func (g *gate) byCookie(w http.ResponseWriter, q *http.Request, next http.Handler) {
	id, err := g.signedIn(q)
	reads := q.Method == http.MethodGet || q.Method == http.MethodHead
	switch {
	case err == nil:
	case !errors.Is(err, errForged) && !errors.Is(err, errExpired):
		g.refuse(w, q, Unavailable, err)
		return
	case reads && !console.WantsJSON(q) && navigates(q):
		g.begin(w, q, q.URL.RequestURI(), false)
		return
	default:
		g.refuse(w, q, SignedOut, err)
		return
	}
	if !reads {
		q.Body = http.MaxBytesReader(w, q.Body, maxForm)
		if err := q.ParseForm(); err != nil {
			g.refuse(w, q, FormRefused, err)
			return
		}
		if !same(q.PostForm.Get("csrf"), id.CSRF) {
			g.refuse(w, q, FormRefused, errors.New("the form's token is not the session's"))
			return
		}
	}
	next.ServeHTTP(w, q.WithContext(view.WithIdentity(q.Context(), id)))
}

// navigates reports whether a browser loads a page. A script gets an error instead of
// the sign-in.
func navigates(q *http.Request) bool {
	mode := q.Header.Get("Sec-Fetch-Mode")
	return mode == "" || mode == "navigate"
}

// signedIn returns the user of the session cookie. The error is errForged,
// errExpired, or one of reading the secrets.
func (g *gate) signedIn(q *http.Request) (view.Identity, error) {
	text := g.cookie(q, "session")
	if text == "" {
		return view.Identity{}, errForged
	}
	var s session
	if err := g.seals().open(q.Context(), sessionPurpose, "", text, &s); err != nil {
		return view.Identity{}, err
	}
	role, ok := view.ParseRole(s.Role)
	if !ok || s.CSRF == "" {
		return view.Identity{}, errForged
	}
	return view.Identity{Subject: s.Subject, Name: s.Name, Role: role, CSRF: s.CSRF}, nil
}

// begin sends the browser to the issuer. The sign-in returns to next. With
// selectAccount the issuer asks which user signs in.
func (g *gate) begin(w http.ResponseWriter, q *http.Request, next string, selectAccount bool) {
	ctx := q.Context()
	// The state is valid with this cookie only, so that a link of another user's
	// sign-in signs in no one. All tabs of a browser share it.
	browser := g.cookie(q, "browser")
	if !browserForm(browser) {
		browser = rand.Text()
	}
	if len(next) > maxNext {
		next = ""
	}
	u := signInState{Verifier: oauth2.GenerateVerifier(), Nonce: rand.Text(), Next: next}
	state, err := g.seals().seal(ctx, statePurpose, browser, u, g.Now().Add(signInWithin))
	var to string
	if err == nil {
		to, err = g.issuer.signInURL(ctx, state, u.Nonce, u.Verifier, selectAccount)
	}
	if err != nil {
		g.refuse(w, q, Unavailable, err)
		return
	}
	g.setCookie(w, "browser", browser, signInWithin)
	redirect(w, to)
}

// browserForm reports whether s has the form of rand.Text's values.
func browserForm(s string) bool {
	return len(s) == 26 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}

// callback ends a sign-in when the browser returns from the issuer.
func (g *gate) callback(w http.ResponseWriter, q *http.Request) {
	ctx := q.Context()
	html.Guard(w.Header(), html.Strict())
	query, err := url.ParseQuery(q.URL.RawQuery)
	var u signInState
	if err == nil {
		err = g.seals().open(ctx, statePurpose, g.cookie(q, "browser"), query.Get("state"), &u)
	} else {
		err = errForged
	}
	switch {
	case errors.Is(err, errForged), errors.Is(err, errExpired):
		g.stale(w, q, err)
		return
	case err != nil:
		g.refuse(w, q, Unavailable, err)
		return
	}
	code, refusal := query.Get("code"), query.Get("error")
	switch {
	case !g.issuer.named(ctx, query.Get("iss")):
		g.refuse(w, q, SignInRefused, errors.New("the answer is from another issuer"))
		return
	case refusal == "access_denied":
		g.refuse(w, q, SignInCancelled, nil)
		return
	case refusal == "temporarily_unavailable" || refusal == "server_error":
		g.refuse(w, q, Unavailable, errors.New("issuer: "+refusal))
		return
	case refusal != "":
		g.refuse(w, q, SignInRefused, errors.New("issuer: "+word(refusal)))
		return
	case code == "" || len(code) > maxCode:
		g.refuse(w, q, SignInRefused, errors.New("the issuer sent no code"))
		return
	}
	browser, known := g.lane(q)
	done, err := g.redemptions.begin(g.Now(), u.Nonce, browser, known)
	switch {
	case errors.Is(err, errRedeemed):
		g.stale(w, q, err)
		return
	case err != nil:
		w.Header().Set("Retry-After", "60")
		g.refuse(w, q, SignInLimited, err)
		return
	}
	raw, claims, err := g.issuer.redeem(ctx, code, u.Verifier, u.Nonce)
	if err == nil {
		done()
	}
	if _, away := errors.AsType[unavailableError](err); away {
		g.refuse(w, q, Unavailable, err)
		return
	}
	if err != nil {
		g.refuse(w, q, SignInRefused, err)
		return
	}
	if len(raw) > maxIDToken {
		raw = ""
	}
	role := g.Roles.of(claims)
	if role == 0 {
		// Signing out at the issuer allows another user to sign in, where the issuer
		// does not ask while its own session lasts.
		g.refuseWith(w, q, NoRole, g.Roles.leftOut(claims), g.issuer.signOutURL(ctx, g.PublicURL+signedOut, raw))
		return
	}
	s := session{Subject: text(claims, "sub"), Name: nameOf(claims), Role: role.String(), CSRF: rand.Text()}
	cookie, err := g.seals().seal(ctx, sessionPurpose, "", s, g.Now().Add(g.Lifetime))
	hint, seen := "", ""
	if err == nil && raw != "" {
		hint, err = g.seals().seal(ctx, idTokenPurpose, "", raw, g.Now().Add(g.Lifetime))
	}
	if err == nil && !known {
		seen, err = g.seals().seal(ctx, knownPurpose, "", rand.Text(), g.Now().Add(knownFor))
	}
	if err != nil {
		g.refuse(w, q, Unavailable, err)
		return
	}
	zerolog.Ctx(ctx).Info().Stringer("role", role).Msg("signed in")
	g.Metrics.Count(telemetry.SignedIn, 1, telemetry.Labels{Reason: role.String()})
	g.setCookie(w, "session", cookie, g.Lifetime)
	if hint != "" {
		g.setCookie(w, idTokenCookie, hint, g.Lifetime)
	} else {
		g.setCookie(w, idTokenCookie, "", -time.Second) // of the user before
	}
	if seen != "" {
		g.setCookie(w, "known", seen, knownFor)
	}
	redirect(w, g.PublicURL+g.next(u.Next))
}

// stale answers a sign-in that cannot continue. It may have succeeded already, in
// another tab or before the back button.
func (g *gate) stale(w http.ResponseWriter, q *http.Request, cause error) {
	if _, err := g.signedIn(q); err == nil {
		redirect(w, g.PublicURL+home)
		return
	}
	g.refuse(w, q, SignInStale, cause)
}

// lane returns the key by which a browser's failed sign-ins are counted. A known
// browser is one in which a user has signed in before.
func (g *gate) lane(q *http.Request) (browser string, known bool) {
	if g.seals().open(q.Context(), knownPurpose, "", g.cookie(q, "known"), &browser) == nil {
		return browser, true
	}
	return g.cookie(q, "browser"), false
}

// idToken returns the id token of the sign-in, empty if it is not kept.
func (g *gate) idToken(q *http.Request) (raw string) {
	if g.seals().open(q.Context(), idTokenPurpose, "", g.cookie(q, idTokenCookie), &raw) != nil {
		return "" // some issuers need none
	}
	return raw
}

// next returns the page to which a sign-in returns, by default the console's home.
// Although the path was sealed, one that browsers read as another host is refused.
func (g *gate) next(path string) string {
	if path != "/console" && !strings.HasPrefix(path, home) {
		return home
	}
	return path
}

func (g *gate) you(w http.ResponseWriter, q *http.Request) {
	id, _ := view.IdentityOf(q.Context())
	if console.WantsJSON(q) {
		console.WriteJSON(w, http.StatusOK, view.You{Subject: id.Subject, Name: id.Name, Role: id.Role.String()})
		return
	}
	g.pages.you(w, q, id)
}

func (g *gate) signOut(w http.ResponseWriter, q *http.Request) {
	g.setCookie(w, "session", "", -time.Second)
	zerolog.Ctx(q.Context()).Info().Msg("signed out")
	redirect(w, g.PublicURL+signedOut)
}

// refuse answers why access is denied.
func (g *gate) refuse(w http.ResponseWriter, q *http.Request, p Problem, cause error) {
	g.refuseWith(w, q, p, cause, "")
}

// refuseWith is refuse with a link to the issuer's sign-out, unless it is empty.
func (g *gate) refuseWith(w http.ResponseWriter, q *http.Request, p Problem, cause error, signOut string) {
	event := zerolog.Ctx(q.Context()).Warn()
	if p == Unavailable {
		event = zerolog.Ctx(q.Context()).Error()
		w.Header().Set("Retry-After", "10")
	}
	event.AnErr("cause", cause).Str("problem", string(p)).Msg("console access denied")
	g.Metrics.Count(telemetry.ConsoleRefused, 1, telemetry.Labels{Reason: string(p)})
	g.pages.refuse(w, q, p, signOut)
}

func (g *gate) seals() seals {
	return seals{secrets: g.CookieKeys, party: g.Issuer + " " + g.ClientID, now: g.Now}
}

// idTokenCookie contains the sealed id token. It is large, so browsers send it only
// to the page that needs it.
const idTokenCookie = "id-token"

// cookieName has a prefix by which browsers keep the cookie to this host (RFC
// 6265bis, section 4.1.3.2). The prefix __Host- needs the path /.
func (g *gate) cookieName(what string) string {
	switch {
	case !g.secure():
		return "console-" + what
	case what == idTokenCookie:
		return "__Secure-console-" + what
	}
	return "__Host-console-" + what
}

func (g *gate) cookiePath(what string) string {
	if what == idTokenCookie {
		return html.Path(g.PublicURL) + signedOut
	}
	return "/"
}

func (g *gate) secure() bool { return strings.HasPrefix(g.PublicURL, "https://") }

// cookie returns a cookie's value, or an empty text if it is missing or duplicate.
func (g *gate) cookie(q *http.Request, what string) string {
	all := q.CookiesNamed(g.cookieName(what))
	if len(all) != 1 {
		return ""
	}
	return all[0].Value
}

func (g *gate) setCookie(w http.ResponseWriter, what, value string, life time.Duration) {
	http.SetCookie(w, &http.Cookie{ // #nosec G124 -- Secure unless the console is on this machine
		Name: g.cookieName(what), Value: value, Path: g.cookiePath(what), MaxAge: int(life.Seconds()), HttpOnly: true, Secure: g.secure(),
		SameSite: http.SameSiteLaxMode, // Strict would not survive the way back from the issuer
	})
}

// redirect sends the browser to another address, without a referrer.
func redirect(w http.ResponseWriter, to string) {
	html.Guard(w.Header(), html.Strict())
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}

// same compares in constant time, for any lengths.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// text returns a claim that is a string.
func text(claims map[string]any, name string) string {
	s, _ := claims[name].(string)
	return s
}

// nameOf returns the user's name, short enough for a cookie (OpenID Connect Core
// 1.0, section 5.1).
func nameOf(claims map[string]any) string {
	for _, claim := range []string{"name", "preferred_username"} {
		if s := strings.Join(strings.Fields(text(claims, claim)), " "); s != "" {
			if r := []rune(s); len(r) > 80 {
				s = string(r[:79]) + "…"
			}
			return s
		}
	}
	return ""
}
