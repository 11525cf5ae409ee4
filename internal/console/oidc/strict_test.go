package oidc

import (
	"bytes"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"walletsync/internal/console/view"
	"walletsync/internal/local/issuer"
)

// signOut signs out at the console, and returns where the issuer's own sign-out
// is, empty if the page has no way there.
func (b *browser) signOut() string {
	b.w.t.Helper()
	a := b.do(http.MethodPost, "/console/sign-out", url.Values{"csrf": {b.csrf()}})
	if a.StatusCode != http.StatusOK || !strings.Contains(a.body, "You are signed out") || b.cookieOf("session") != nil {
		b.w.t.Fatalf("sign-out: %d %s", a.StatusCode, a.body)
	}
	return a.issuerLink()
}

// issuerLink is where a page leads to end the session at the issuer.
func (a answered) issuerLink() string {
	_, rest, _ := strings.Cut(a.body, `id="issuer" href="`)
	link, _, _ := strings.Cut(rest, `"`)
	return html.UnescapeString(link)
}

func TestTheSignOutAtTheIssuerHasItsParameters(t *testing.T) {
	cognito := func(o *Options) { o.CognitoLogoutURL = o.Issuer + "/sign-out" }
	for name, c := range map[string]struct {
		kind   issuer.SignOut
		change []func(*Options)
	}{
		"by the client":            {issuer.SignOutByClient, nil},
		"by the id token, as Okta": {issuer.SignOutByHint, nil},
		"by logout_uri, Cognito":   {issuer.SignOutByLogoutURI, []func(*Options){cognito}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newStrictWorld(t, func(o *issuer.Options) { o.SignOut = c.kind }, c.change...)
			b := w.browser()
			b.signIn(clerk)
			link := b.signOut()
			if a := b.get(link); a.Header.Get("Location") != w.gate.PublicURL+"/console/signed-out" {
				t.Errorf("%s: %d %s", link, a.StatusCode, a.body)
			}
		})
	}
}

// A browser keeps 4,096 bytes in a cookie; Microsoft Entra ID's tokens are larger,
// and it does without the hint.
func TestAnIDTokenThatIsTooLargeForACookieIsNotKept(t *testing.T) {
	w := newStrictWorld(t, func(o *issuer.Options) { o.SignOut = issuer.SignOutByHint })
	b := w.browser()
	b.signIn(clerk)
	if link := b.signOut(); !strings.Contains(link, "id_token_hint=") {
		t.Fatalf("a small one: %s", link)
	}
	large := clerk
	for i := range 200 {
		large.Roles = append(large.Roles, fmt.Sprintf("00000000-0000-4000-8000-%012d", i))
	}
	to := b.begin("/console/page")
	back, _ := url.Parse(w.gate.PublicURL + callback)
	back.RawQuery = url.Values{"state": {to.Query().Get("state")}, "iss": {w.issuerURL},
		"code": {w.issuer.Code(large, to.Query().Get("nonce"), to.Query().Get("code_challenge"))}}.Encode()
	if a := b.get(back.String()); a.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	for _, c := range b.client.Jar.Cookies(back) {
		if len(c.Name)+len(c.Value) > 4000 {
			t.Errorf("%s has %d bytes", c.Name, len(c.Value))
		}
	}
	// Neither it nor that of the sign-in before.
	if link := b.signOut(); link == "" || strings.Contains(link, "id_token_hint") {
		t.Errorf("%s", link)
	}
}

func TestTheAccountIsSelectedByAPromptThatTheIssuerSupports(t *testing.T) {
	for want, supported := range map[string][]string{
		"select_account": {"none", "login", "select_account"},
		"login":          {"none", "login", "consent"},
		"":               nil,
	} {
		w := newStrictWorld(t, func(o *issuer.Options) { o.Prompts = supported })
		b := w.browser()
		to := b.begin("/console/sign-in")
		if got := to.Query().Get("prompt"); got != want {
			t.Errorf("of %v: %q, not %q", supported, got, want)
		}
		if a := b.get(b.choose(to, clerk)); a.StatusCode != http.StatusOK { // the issuer takes it
			t.Errorf("of %v: %d %s", supported, a.StatusCode, a.body)
		}
		if got := b.begin("/console/sign-in?").Query().Get("prompt"); got != want {
			t.Errorf("once more: %q", got)
		}
		if got := w.browser().begin("/console/").Query().Get("prompt"); got != "" {
			t.Errorf("an ordinary sign-in has prompt %q", got)
		}
	}
}

// Where no prompt is supported, the issuer lets the same person in again. So the
// page that says that they have no role leads to the issuer's sign-out.
func TestUsersWithoutARoleCanSignOutAtTheIssuer(t *testing.T) {
	w := newStrictWorld(t, func(o *issuer.Options) { o.SignOut = issuer.SignOutByHint })
	b := w.browser()
	link := b.signIn(stranger).issuerLink()
	if a := b.get(link); a.Header.Get("Location") != w.gate.PublicURL+"/console/signed-out" {
		t.Errorf("%q: %d %s", link, a.StatusCode, a.body)
	}
}

func TestCognitosAccessTokensAreAcceptedByTheirClient(t *testing.T) {
	const app = "program-client"
	w := newStrictWorld(t, func(o *issuer.Options) { o.CognitoTokens, o.Audience = true, app }, func(o *Options) { o.Audience = app })
	good, err := w.issuer.AccessToken(engineer)
	if err != nil {
		t.Fatal(err)
	}
	show := func(token string) answered {
		return w.browser().get("/console/you", "Authorization", "Bearer "+token, "Accept", "application/json")
	}
	if a := show(good); a.StatusCode != http.StatusOK {
		t.Errorf("an access token: %d %s", a.StatusCode, a.body)
	}
	for name, change := range map[string]map[string]any{
		"an id token of that client":           {"token_use": "id", "aud": app, "client_id": nil},
		"an id token that names a client_id":   {"token_use": "id", "client_id": app},
		"an id token for the audience":         {"token_use": "id", "aud": app, "client_id": app},
		"of another client":                    {"token_use": "access", "client_id": "other"},
		"of the console's own client":          {"token_use": "access", "client_id": clientID},
		"of a client, and no use":              {"client_id": app},
		"of no client":                         {"token_use": "access"},
		"for another audience":                 {"token_use": "access", "client_id": app, "aud": "other"},
		"for no audience, by an empty list":    {"token_use": "access", "client_id": app, "aud": []string{}},
		"of a client that is no text":          {"token_use": "access", "client_id": []string{app}},
		"of a use that is no text":             {"token_use": []string{"access"}, "client_id": app},
		"for the audience, and of another use": {"token_use": "refresh", "aud": app},
	} {
		claims := map[string]any{"sub": "u-x", "roles": []string{"console-act"}}
		for k, v := range change {
			claims[k] = v
		}
		token, err := w.issuer.Sign(claims)
		if err != nil {
			t.Fatal(err)
		}
		if a := show(token); a.StatusCode != http.StatusUnauthorized || a.problem() != "token_refused" {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.body)
		}
	}
	// People sign in by id tokens as ever.
	if a := w.browser().signIn(clerk); a.StatusCode != http.StatusOK {
		t.Errorf("a sign-in: %d %s", a.StatusCode, a.body)
	}
}

func TestTheLogNamesTheClaimThatTheIssuerLeftOut(t *testing.T) {
	var log bytes.Buffer
	w := newStrictWorld(t, func(o *issuer.Options) { o.RoleClaim, o.RoleLimit = "groups", 1 })
	w.gate.Roles.Claim = "groups"
	w.console.Config.Handler = withLog(&log, w.console.Config.Handler)
	if a := w.browser().signIn(masked); a.StatusCode != http.StatusOK {
		t.Errorf("with few groups: %d %s", a.StatusCode, a.body)
	}
	if a := w.browser().signIn(clerk); a.StatusCode != http.StatusForbidden || !strings.Contains(a.body, "You have no access") {
		t.Errorf("with many: %d %s", a.StatusCode, a.body)
	}
	if got := log.String(); !strings.Contains(got, `left the claim \"groups\" out of the token`) || !strings.Contains(got, "ROLE_CLAIM") || strings.Contains(got, clerk.Subject) {
		t.Errorf("%s", got)
	}
}

func withLog(out *bytes.Buffer, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		next.ServeHTTP(w, q.WithContext(zerolog.New(zerolog.SyncWriter(out)).WithContext(q.Context())))
	})
}

func TestAClaimIsLeftOutOnlyIfTheTokenSaysSo(t *testing.T) {
	for name, c := range map[string]struct {
		claim, claims string
		want          bool
	}{
		"named":                       {"groups", `{"_claim_names":{"groups":"src1"}}`, true},
		"by the implicit flow's flag": {"groups", `{"hasgroups":true}`, true},
		"inside":                      {"/realm/roles", `{"_claim_names":{"realm":"src1"}}`, true},
		"another is named":            {"roles", `{"_claim_names":{"groups":"src1"}}`, false},
		"another claim's flag":        {"roles", `{"hasgroups":true}`, false},
		"it is there":                 {"groups", `{"groups":["a"],"hasgroups":true}`, false},
		"nothing is said":             {"groups", `{}`, false},
		"of another type":             {"groups", `{"_claim_names":["groups"],"hasgroups":"true"}`, false},
	} {
		claims, err := decode([]byte(c.claims))
		if err != nil {
			t.Fatal(err)
		}
		r := Roles{Claim: c.claim, Values: map[string]view.Role{"a": view.RoleRead}}
		if got := r.leftOut(claims) != nil; got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// stale makes up a code for a sign-in that this browser begins.
func (b *browser) madeUp() answered {
	b.w.t.Helper()
	to := b.begin("/console/")
	return b.get(b.w.gate.PublicURL + callback + "?" + url.Values{"state": {to.Query().Get("state")}, "iss": {b.w.issuerURL}, "code": {"made-up"}}.Encode())
}

func TestASignInSendsTheIssuerOneCode(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	to := b.begin("/console/")
	for range 10 {
		b.get(w.gate.PublicURL + callback + "?" + url.Values{"state": {to.Query().Get("state")}, "iss": {w.issuerURL}, "code": {"made-up"}}.Encode())
	}
	if n := w.issuer.Calls("/token"); n != 1 {
		t.Errorf("the issuer was shown %d codes of one sign-in", n)
	}
	// Loaded again after it has ended well, the address leads to the console.
	at := b.choose(b.begin("/console/page"), clerk)
	b.get(at)
	if a := b.get(at); a.body != "GET /console/ by u-clerk as read" {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	if n := w.issuer.Calls("/token"); n != 2 {
		t.Errorf("the issuer was shown %d codes of two sign-ins", n)
	}
}

func TestAStrangerCannotExhaustTheIssuersTokenEndpoint(t *testing.T) {
	w := newWorld(t)
	known := w.browser()
	known.signIn(clerk)
	before := w.issuer.Calls("/token")

	// One browser.
	b := w.browser()
	var last answered
	for range 3 * failedByOne {
		last = b.madeUp()
	}
	if n := w.issuer.Calls("/token") - before; n != failedByOne {
		t.Errorf("one browser: the issuer was shown %d codes", n)
	}
	if last.StatusCode != http.StatusTooManyRequests || last.Header.Get("Retry-After") == "" || !strings.Contains(last.body, "Too many sign-ins") {
		t.Errorf("%d %s", last.StatusCode, last.body)
	}
	// As many browsers as they like.
	for range 2 * failedByAll {
		last = w.browser().madeUp()
	}
	if n := w.issuer.Calls("/token") - before; n != failedByAll || last.StatusCode != http.StatusTooManyRequests {
		t.Errorf("many browsers: the issuer was shown %d codes; %d", n, last.StatusCode)
	}
	// Who signed in here before still can.
	if a := known.get(known.choose(known.begin("/console/sign-in"), clerk)); a.StatusCode != http.StatusOK {
		t.Errorf("a known browser: %d %s", a.StatusCode, a.body)
	}
	// And everybody else after a while.
	w.clock.pass(failedWithin)
	if a := w.browser().signIn(clerk); a.StatusCode != http.StatusOK {
		t.Errorf("a minute later: %d %s", a.StatusCode, a.body)
	}
	w.clock.pass(oneWithin)
	if a := b.signIn(clerk); a.StatusCode != http.StatusOK {
		t.Errorf("the browser of the stranger: %d %s", a.StatusCode, a.body)
	}
}

func TestSignInsThatSucceedAreNotCounted(t *testing.T) {
	w := newWorld(t)
	for range failedByAll + 5 {
		if a := w.browser().signIn(clerk); a.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", a.StatusCode, a.body)
		}
	}
}

// What is counted does not grow without end.
func TestCountsOfFailedSignInsExpire(t *testing.T) {
	var r redemptions
	now := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	for i := range 10_000 {
		_, _ = r.begin(now, fmt.Sprint("nonce ", i), fmt.Sprint("browser ", i), false)
		now = now.Add(time.Second)
	}
	if limit := failedByAll * int(signInWithin/failedWithin+2); len(r.redeemed) > limit || len(r.browsers) > limit {
		t.Errorf("%d sign-ins and %d browsers are remembered, more than %d", len(r.redeemed), len(r.browsers), limit)
	}
}

// The runbook's way to end all sessions: a new key, twice, so that no session of
// the old one is good.
func TestAReplacedCookieKeyEndsAllSessions(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.signIn(clerk)
	back := b.choose(b.begin("/console/sign-in"), clerk)
	w.cookieKeys.set(nil, "the-new-cookie-key", "a-cookie-key-of-the-tests")
	if a := b.get("/console/you"); a.StatusCode != http.StatusOK || !strings.Contains(a.body, "Carla") {
		t.Errorf("while the old key is the previous one: %d %s", a.StatusCode, a.body)
	}
	w.cookieKeys.set(nil, "the-new-cookie-key", "the-new-cookie-key")
	if a := b.get("/console/you", "Accept", "application/json"); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("after it: %d %s", a.StatusCode, a.body)
	}
	if a := b.get(back); a.StatusCode != http.StatusForbidden {
		t.Errorf("a sign-in under way: %d %s", a.StatusCode, a.body)
	}
	if a := b.signIn(clerk); a.StatusCode != http.StatusOK {
		t.Errorf("second sign-in: %d %s", a.StatusCode, a.body)
	}
}
