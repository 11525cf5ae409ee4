package oidc

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"walletsync/internal/console/view"
	"walletsync/internal/local/issuer"
)

func TestASignInReturnsToTheRequestedPage(t *testing.T) {
	w := newWorld(t)
	for who, want := range map[*issuer.Person]string{
		&masked:   "GET /console/page?a=1 by u-masked as masked",
		&clerk:    "GET /console/page?a=1 by u-clerk as read",
		&engineer: "GET /console/page?a=1 by u-engineer as act",
	} {
		b := w.browser()
		if a := b.signIn(*who); a.StatusCode != http.StatusOK || a.body != want {
			t.Errorf("%s: %d %s", who.Name, a.StatusCode, a.body)
		}
	}
}

func TestTheConsolesHomeHasTwoSpellings(t *testing.T) {
	b := newWorld(t).browser()
	b.signIn(clerk)
	for _, path := range []string{"/console", "/console/"} {
		if a := b.get(path); a.body != "GET /console/ by u-clerk as read" {
			t.Errorf("%s: %d %s", path, a.StatusCode, a.body)
		}
	}
}

func TestTheSessionCookieIsForThisHostAndNoScript(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	at := b.choose(b.begin("/console/"), clerk)
	b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	a := b.get(at)
	cookies := map[string]*http.Cookie{}
	for _, c := range a.Cookies() {
		cookies[c.Name] = c
		if strings.Contains(c.Value, "Carla") || !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.Domain != "" {
			t.Errorf("%+v", c)
		}
	}
	c := cookies["__Host-console-session"]
	if c == nil || len(cookies) != 3 {
		t.Fatalf("%d %v", a.StatusCode, cookies)
	}
	if c := cookies["__Secure-console-id-token"]; c == nil || c.Path != prefix+signedOut {
		t.Errorf("the id token's: %+v", c)
	}
	if c := cookies["__Host-console-known"]; c == nil || c.Path != "/" {
		t.Errorf("that of a known browser: %+v", c)
	}
	if c.Name != "__Host-console-session" || !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.MaxAge != 3600 {
		t.Errorf("%+v", c)
	}
	if strings.Contains(c.Value, "Carla") || strings.Contains(c.Value, clerk.Subject) {
		t.Errorf("the cookie shows whose it is: %s", c.Value)
	}
}

// http is for this machine alone, and browsers keep the prefix for https.
func TestOverHTTPTheCookieHasAnotherName(t *testing.T) {
	g := gate{Options: Options{PublicURL: "http://127.0.0.1:8080"}}
	if got := g.cookieName("session"); got != "console-session" {
		t.Error(got)
	}
}

func TestTheSignInUsesCodeFlowWithPKCEStateAndNonce(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	q := b.begin("/console/charge-permissions/B01-1234567-1234567").Query()
	for name, want := range map[string]string{"response_type": "code", "client_id": clientID, "redirect_uri": w.gate.PublicURL + "/console/callback",
		"scope": "openid profile", "code_challenge_method": "S256", "prompt": ""} {
		if got := q.Get(name); got != want {
			t.Errorf("%s is %q, not %q", name, got, want)
		}
	}
	second := b.begin("/console/").Query()
	for _, name := range []string{"state", "nonce", "code_challenge"} {
		if len(q.Get(name)) < 26 || q.Get(name) == second.Get(name) {
			t.Errorf("%s: %q, then %q", name, q.Get(name), second.Get(name))
		}
	}
	if strings.Contains(fmt.Sprint(q), "B01-1234567") {
		t.Error("the page that is wanted shows in what the issuer is sent")
	}
}

func TestTwoTabsSignInAtOnce(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	first, second := b.begin("/console/one"), b.begin("/console/two")
	if a := b.get(b.choose(second, clerk)); a.body != "GET /console/two by u-clerk as read" {
		t.Errorf("the second: %d %s", a.StatusCode, a.body)
	}
	if a := b.get(b.choose(first, clerk)); a.body != "GET /console/one by u-clerk as read" {
		t.Errorf("the first: %d %s", a.StatusCode, a.body)
	}
}

// seal seals a session as the gate would, or otherwise.
func (w *world) seal(t *testing.T, change func(*seals), p purpose, s any, expires time.Duration) string {
	t.Helper()
	k := w.gate.seals()
	if change != nil {
		change(&k)
	}
	text, err := k.seal(context.Background(), p, "", s, w.clock.Now().Add(expires))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestAccessNeedsAValidSession(t *testing.T) {
	w := newWorld(t)
	good := session{Subject: "u-engineer", Role: "act", CSRF: "token"}
	of := func(change func(*seals)) string { return w.seal(t, change, sessionPurpose, good, time.Hour) }
	valid := of(nil)
	for name, cookie := range map[string]string{
		"none":                       "",
		"made up":                    "AAAA",
		"another issuer's":           of(func(k *seals) { k.party = "https://issuer.example " + clientID }),
		"another client's":           of(func(k *seals) { k.party = w.issuerURL + " other" }),
		"expired":                    w.seal(t, nil, sessionPurpose, good, 0),
		"sealed by another key":      of(func(k *seals) { k.secrets = (&secrets{all: []string{"another-key-altogether"}}).get }),
		"of another purpose":         w.seal(t, nil, statePurpose, good, time.Hour),
		"cut off":                    valid[:len(valid)-4],
		"a bit changed":              valid[:20] + flip(valid[20:21]) + valid[21:],
		"spelt otherwise":            valid + "=",
		"with a role that is none":   w.seal(t, nil, sessionPurpose, session{Subject: "u", Role: "owner", CSRF: "token"}, time.Hour),
		"without a role":             w.seal(t, nil, sessionPurpose, session{Subject: "u", CSRF: "token"}, time.Hour),
		"without a token for forms":  w.seal(t, nil, sessionPurpose, session{Subject: "u", Role: "act"}, time.Hour),
		"there twice":                valid + "; __Host-console-session=" + valid,
		"larger than browsers keep":  strings.Repeat("A", 20_000),
		"something else that we own": w.seal(t, nil, sessionPurpose, []int{1}, time.Hour),
	} {
		t.Run(name, func(t *testing.T) {
			b := w.browser()
			cookies := []string{}
			if cookie != "" {
				cookies = []string{"Cookie", w.gate.cookieName("session") + "=" + cookie}
			}
			// A page leads to the issuer, and shows nothing.
			a := b.get("/console/page", cookies...)
			if to := a.Header.Get("Location"); a.StatusCode != http.StatusSeeOther || !strings.HasPrefix(to, w.issuerURL+"/authorize?") || a.body != "" {
				t.Errorf("a page: %d %s %s", a.StatusCode, to, a.body)
			}
			// A program, a script and a form get a problem.
			if a := b.get("/console/page", append(cookies, "Accept", "application/json")...); a.StatusCode != http.StatusUnauthorized || a.problem() != "signed_out" || a.Header.Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("JSON: %d %s", a.StatusCode, a.body)
			}
			if a := b.get("/console/page", append(cookies, "Sec-Fetch-Mode", "cors", "Sec-Fetch-Site", "same-origin")...); a.StatusCode != http.StatusUnauthorized {
				t.Errorf("a script: %d %s", a.StatusCode, a.body)
			}
			if a := b.do(http.MethodPost, "/console/act", url.Values{"csrf": {"token"}}, cookies...); a.StatusCode != http.StatusUnauthorized || !strings.Contains(a.body, `id="on" href="/base/console/"`) {
				t.Errorf("a form: %d %s", a.StatusCode, a.body)
			}
		})
	}
	if a := w.browser().do(http.MethodPost, "/console/act", url.Values{"csrf": {"token"}}, "Cookie", w.gate.cookieName("session")+"="+valid); a.body != "done" {
		t.Errorf("the one that holds: %d %s", a.StatusCode, a.body)
	}
}

func flip(s string) string {
	if s == "A" {
		return "B"
	}
	return "A"
}

func TestASessionExpires(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.signIn(clerk)
	w.clock.pass(time.Hour - time.Second)
	if a := b.get("/console/"); a.StatusCode != http.StatusOK {
		t.Fatalf("a second before: %d", a.StatusCode)
	}
	w.clock.pass(time.Second)
	if a := b.get("/console/"); a.StatusCode != http.StatusSeeOther {
		t.Errorf("at its end: %d %s", a.StatusCode, a.body)
	}
}

func TestARotationOfTheCookieKeyEndsNoSession(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.signIn(clerk)
	w.cookieKeys.set(nil, "the-new-cookie-key", "a-cookie-key-of-the-tests")
	if a := b.get("/console/"); a.StatusCode != http.StatusOK {
		t.Errorf("after a rotation: %d", a.StatusCode)
	}
	w.cookieKeys.set(nil, "the-newest-cookie-key", "the-new-cookie-key")
	if a := b.get("/console/"); a.StatusCode != http.StatusSeeOther {
		t.Errorf("after two: %d", a.StatusCode)
	}
}

func TestUsersWithoutARoleAreRefused(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	a := b.signIn(stranger)
	if a.StatusCode != http.StatusForbidden || !strings.Contains(a.body, "You have no access") || !strings.Contains(a.body, `href="/base/console/sign-in"`) {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	if b.cookieOf("session") != nil {
		t.Error("there is a session all the same")
	}
}

func TestAFormWithoutItsSessionsTokenIsRefused(t *testing.T) {
	w := newWorld(t)
	b, other := w.browser(), w.browser()
	b.signIn(engineer)
	other.signIn(engineer)
	for name, form := range map[string]url.Values{
		"none":              {},
		"empty":             {"csrf": {""}},
		"another session's": {"csrf": {other.csrf()}},
		"in the query":      nil,
	} {
		path := "/console/act"
		if form == nil {
			path, form = path+"?csrf="+b.csrf(), url.Values{}
		}
		a := b.do(http.MethodPost, path, form)
		if a.StatusCode != http.StatusForbidden || a.body == "done" || !strings.Contains(a.body, "This page has expired") {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.body)
		}
	}
	// JSON cannot carry it, so a cookie writes by no JSON.
	q, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, w.gate.PublicURL+"/console/act", strings.NewReader(`{"csrf":"`+b.csrf()+`"}`))
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Accept", "application/json")
	r, err := b.client.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusForbidden || r.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("JSON: %d", r.StatusCode)
	}
	if a := b.do(http.MethodPost, "/console/act", url.Values{"csrf": {b.csrf()}, "much": {strings.Repeat("a", maxForm)}}); a.StatusCode != http.StatusForbidden {
		t.Errorf("a form that is too large: %d", a.StatusCode)
	}
	if a := b.do(http.MethodPost, "/console/act", url.Values{"csrf": {b.csrf()}}); a.body != "done" {
		t.Errorf("with the token: %d %s", a.StatusCode, a.body)
	}
}

// The token is one lock, what the browser says of the sender is the other: each
// holds alone.
func TestAFormOfAnotherSiteIsRefusedEvenWithTheToken(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.signIn(engineer)
	for name, headers := range map[string][]string{
		"another site":            {"Sec-Fetch-Site", "cross-site"},
		"another host of ours":    {"Sec-Fetch-Site", "same-site"},
		"an old browser":          {"Origin", "https://evil.example"},
		"a page without a origin": {"Origin", "null"},
	} {
		a := b.do(http.MethodPost, "/console/act", url.Values{"csrf": {b.csrf()}}, headers...)
		if a.StatusCode != http.StatusForbidden || a.body == "done" {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.body)
		}
	}
	for name, headers := range map[string][]string{
		"our own page": {"Sec-Fetch-Site", "same-origin"},
		"our own page behind a proxy that changes the host": {"Origin", w.console.URL},
	} {
		if a := b.do(http.MethodPost, "/console/act", url.Values{"csrf": {b.csrf()}}, headers...); a.body != "done" {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.body)
		}
	}
}

func TestNoAnswerMayBeFramedOrKept(t *testing.T) {
	w := newWorld(t)
	out, in := w.browser(), w.browser()
	in.signIn(engineer)
	for name, a := range map[string]answered{
		"page":        in.get("/console/"),
		"own page":    in.get("/console/you"),
		"JSON":        in.get("/console/you", "Accept", "application/json"),
		"to sign in":  out.get("/console/"),
		"signed out":  out.get("/console/signed-out"),
		"a problem":   in.do(http.MethodPost, "/console/act", url.Values{}),
		"in JSON":     out.get("/console/", "Accept", "application/json"),
		"a bad state": out.get("/console/callback?state=a&code=b"),
	} {
		policy := a.Header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "frame-ancestors 'none'") || !strings.Contains(policy, "default-src 'none'") || a.Header.Get("Cache-Control") != "no-store" ||
			a.Header.Get("Strict-Transport-Security") == "" || a.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", name, a.Header)
		}
	}
}

func TestSigningOutForgetsTheSession(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.signIn(clerk)
	page := b.get("/console/you")
	if !strings.Contains(page.body, "Carla Clerk") || !strings.Contains(page.body, `action="/base/console/sign-out"`) || !strings.Contains(page.body, b.csrf()) {
		t.Fatalf("%s", page.body)
	}
	if a := b.do(http.MethodPost, "/console/sign-out", url.Values{}); a.StatusCode != http.StatusForbidden || b.cookieOf("session") == nil {
		t.Errorf("without the token: %d", a.StatusCode)
	}
	a := b.do(http.MethodPost, "/console/sign-out", url.Values{"csrf": {b.csrf()}})
	if a.StatusCode != http.StatusOK || !strings.Contains(a.body, "You are signed out") || b.cookieOf("session") != nil {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	// The way to end the issuer's session too is one that it takes.
	_, rest, _ := strings.Cut(a.body, `id="issuer" href="`)
	link, _, _ := strings.Cut(rest, `"`)
	if a := b.get(strings.ReplaceAll(link, "&amp;", "&")); a.Header.Get("Location") != w.gate.PublicURL+"/console/signed-out" {
		t.Errorf("the issuer's sign-out: %d %s", a.StatusCode, a.body)
	}
}

func TestSignInsThatCannotContinue(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		walk func(b *browser) answered
		code int
		says string
	}{
		"cancelled at the issuer": {func(b *browser) answered { return b.get(b.choose(b.begin("/console/"), issuer.Person{})) }, http.StatusForbidden, "was cancelled"},
		"begun in another browser": {func(b *browser) answered {
			return b.get(b.choose(w.browser().begin("/console/"), engineer))
		}, http.StatusForbidden, "started in another browser"},
		"too late": {func(b *browser) answered {
			at := b.choose(b.begin("/console/"), engineer)
			w.clock.pass(signInWithin)
			return b.get(at)
		}, http.StatusForbidden, "took too long"},
		"no state":  {func(b *browser) answered { return b.get("/console/callback?code=a") }, http.StatusForbidden, "cannot continue"},
		"malformed": {func(b *browser) answered { return b.get("/console/callback?state=%zz") }, http.StatusForbidden, "cannot continue"},
		"another's answer": {func(b *browser) answered {
			return b.get(replace(b.choose(b.begin("/console/"), engineer), "iss", "https://issuer.example"))
		}, http.StatusForbidden, "failed"},
		"an answer without issuer": {func(b *browser) answered { return b.get(replace(b.choose(b.begin("/console/"), engineer), "iss", "")) }, http.StatusForbidden, "failed"},
		"a code that is none": {func(b *browser) answered {
			return b.get(replace(b.choose(b.begin("/console/"), engineer), "code", "made-up"))
		}, http.StatusForbidden, "failed"},
		"no code": {func(b *browser) answered { return b.get(replace(b.choose(b.begin("/console/"), engineer), "code", "")) }, http.StatusForbidden, "failed"},
		"a code without end": {func(b *browser) answered {
			return b.get(replace(b.choose(b.begin("/console/"), engineer), "code", strings.Repeat("a", 5000)))
		}, http.StatusForbidden, "failed"},
		"the issuer refuses": {func(b *browser) answered {
			return b.get(replace(b.choose(b.begin("/console/"), engineer), "error", "invalid_scope"))
		}, http.StatusForbidden, "failed"},
		"the issuer cannot": {func(b *browser) answered {
			return b.get(replace(b.choose(b.begin("/console/"), engineer), "error", "server_error"))
		}, http.StatusServiceUnavailable, "right now"},
		"another's code": {func(b *browser) answered {
			other := w.browser()
			stolen, _ := url.Parse(other.choose(other.begin("/console/"), engineer))
			return b.get(replace(b.choose(b.begin("/console/"), clerk), "code", stolen.Query().Get("code")))
		}, http.StatusForbidden, "failed"},
	} {
		t.Run(name, func(t *testing.T) {
			b := w.browser()
			a := c.walk(b)
			if a.StatusCode != c.code || !strings.Contains(a.body, c.says) || !strings.Contains(a.body, `<a class="button" id="on" href="/base/console/`) {
				t.Errorf("%d %s", a.StatusCode, a.body)
			}
			if b.cookieOf("session") != nil {
				t.Error("there is a session all the same")
			}
			if strings.Contains(a.body, "invalid_scope") {
				t.Error("the page repeats what it was sent")
			}
		})
	}
}

// replace sets a parameter of an address, or leaves it out.
func replace(at, name, value string) string {
	u, _ := url.Parse(at)
	q := u.Query()
	if q.Set(name, value); value == "" {
		q.Del(name)
	}
	u.RawQuery = q.Encode()
	return u.String()
}

func TestTheBackButtonAfterASignInLeadsToTheConsole(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	at := b.choose(b.begin("/console/page"), clerk)
	b.get(at)
	w.clock.pass(signInWithin)
	if a := b.get(at); a.body != "GET /console/ by u-clerk as read" {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
}

// at the token endpoint, the issuer answers with this id token.
func (w *world) answers(idToken string) {
	w.atIssuer = func(rw http.ResponseWriter, q *http.Request) bool {
		if q.URL.Path != "/token" {
			return false
		}
		rw.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(rw).Encode(map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": idToken})
		return true
	}
}

func TestInvalidIDTokensAreRefused(t *testing.T) {
	w := newWorld(t)
	other := w.newIssuer(w.issuerURL, w.gate.PublicURL)
	for name, c := range map[string]struct {
		by     *issuer.Issuer
		change map[string]any
		in     bool
	}{
		"one that holds":            {w.issuer, nil, true},
		"of a minute ago":           {w.issuer, map[string]any{"exp": w.clock.Now().Add(-50 * time.Second).Unix()}, true}, // the clocks differ
		"to us and another":         {w.issuer, map[string]any{"aud": []string{clientID, "other"}, "azp": clientID}, true},
		"signed by another":         {other, nil, false},
		"of another issuer":         {w.issuer, map[string]any{"iss": "https://issuer.example"}, false},
		"for another client":        {w.issuer, map[string]any{"aud": "other"}, false},
		"for the API":               {w.issuer, map[string]any{"aud": audience}, false},
		"to another and us":         {w.issuer, map[string]any{"aud": []string{clientID, "other"}, "azp": "other"}, false},
		"to several, for no one":    {w.issuer, map[string]any{"aud": []string{clientID, "other"}}, false},
		"of another sign-in":        {w.issuer, map[string]any{"nonce": "other"}, false},
		"without a nonce":           {w.issuer, map[string]any{"nonce": nil}, false},
		"expired":                   {w.issuer, map[string]any{"exp": w.clock.Now().Add(-61 * time.Second).Unix()}, false},
		"without an end":            {w.issuer, map[string]any{"exp": nil}, false},
		"not good yet":              {w.issuer, map[string]any{"nbf": w.clock.Now().Add(10 * time.Minute).Unix()}, false},
		"without subject":           {w.issuer, map[string]any{"sub": nil}, false},
		"of a subject without end":  {w.issuer, map[string]any{"sub": strings.Repeat("a", 256)}, false},
		"with a claim from no type": {w.issuer, map[string]any{"azp": 1}, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := w.browser()
			to := b.begin("/console/")
			claims := map[string]any{"sub": "u-x", "name": "X", "roles": []string{"console-act"}, "aud": clientID, "nonce": to.Query().Get("nonce")}
			for k, v := range c.change {
				claims[k] = v
			}
			token, err := c.by.Sign(claims)
			if err != nil {
				t.Fatal(err)
			}
			back := b.choose(to, engineer)
			w.answers(token)
			defer func() { w.atIssuer = nil }()
			a := b.get(back)
			if in := a.StatusCode == http.StatusOK; in != c.in || !in && (a.StatusCode != http.StatusForbidden || b.cookieOf("session") != nil) {
				t.Errorf("%d %s", a.StatusCode, a.body)
			}
		})
	}
	t.Run("none at all", func(t *testing.T) {
		b := w.browser()
		back := b.choose(b.begin("/console/"), engineer)
		w.answers("")
		defer func() { w.atIssuer = nil }()
		if a := b.get(back); a.StatusCode != http.StatusForbidden {
			t.Errorf("%d %s", a.StatusCode, a.body)
		}
	})
}

func TestProgramsSendAnAccessToken(t *testing.T) {
	w := newWorld(t)
	other := w.newIssuer(w.issuerURL, w.gate.PublicURL)
	sign := func(i *issuer.Issuer, change map[string]any) string {
		claims := map[string]any{"sub": "reports", "roles": []string{"console-act"}, "aud": audience}
		for k, v := range change {
			claims[k] = v
		}
		token, err := i.Sign(claims)
		if err != nil {
			t.Fatal(err)
		}
		return "Bearer " + token
	}
	unsigned := "Bearer eyJhbGciOiJub25lIn0." + strings.Split(sign(w.issuer, nil), ".")[1] + "."
	// A verifier that takes the algorithm from the token would accept this one.
	hmac, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: []byte("client-secret-of-32-bytes-or-more")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	symmetric, err := hmac.Sign([]byte(fmt.Sprintf(`{"iss":%q,"sub":"x","aud":%q,"roles":["console-act"],"exp":%d}`, w.issuerURL, audience, w.clock.Now().Add(time.Hour).Unix())))
	if err != nil {
		t.Fatal(err)
	}
	compact, err := symmetric.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		authorization string
		status        int
		problem       string
	}{
		"one that holds":         {sign(w.issuer, nil), 200, ""},
		"to several":             {sign(w.issuer, map[string]any{"aud": []string{"other", audience}}), 200, ""},
		"the scheme's case":      {strings.Replace(sign(w.issuer, nil), "Bearer", "bearer", 1), 200, ""},
		"another issuer's":       {sign(other, nil), 401, "token_refused"},
		"naming another issuer":  {sign(w.issuer, map[string]any{"iss": "https://issuer.example"}), 401, "token_refused"},
		"expired":                {sign(w.issuer, map[string]any{"exp": w.clock.Now().Add(-2 * time.Minute).Unix()}), 401, "token_refused"},
		"for another service":    {sign(w.issuer, map[string]any{"aud": "https://other.example"}), 401, "token_refused"},
		"one of a sign-in":       {sign(w.issuer, map[string]any{"aud": clientID}), 401, "token_refused"},
		"without audience":       {sign(w.issuer, map[string]any{"aud": nil}), 401, "token_refused"},
		"unsigned":               {unsigned, 401, "token_refused"},
		"symmetric":              {"Bearer " + compact, 401, "token_refused"},
		"without a role":         {sign(w.issuer, map[string]any{"roles": []string{"staff"}}), 403, "no_role"},
		"a role of another type": {sign(w.issuer, map[string]any{"roles": map[string]any{"console-act": true}}), 403, "no_role"},
		"no token":               {"Bearer ", 401, "token_refused"},
		"garbage":                {"Bearer a.b.c", 401, "token_refused"},
		"without end":            {"Bearer " + strings.Repeat("a", 16<<10), 401, "token_refused"},
		"another scheme":         {"Basic YTpi", 401, "token_refused"},
		"empty":                  {"", 401, "token_refused"},
	} {
		t.Run(name, func(t *testing.T) {
			a := w.browser().get("/console/you", "Authorization", c.authorization, "Accept", "application/json")
			if a.StatusCode != c.status || a.problem() != c.problem {
				t.Errorf("%d %s", a.StatusCode, a.body)
			}
			if c.status == 401 && a.Header.Get("WWW-Authenticate") != `Bearer error="invalid_token"` {
				t.Errorf("WWW-Authenticate: %s", a.Header.Get("WWW-Authenticate"))
			}
			// Beside a session, a token that does not hold is no less refused.
			b := w.browser()
			b.signIn(engineer)
			if a := b.do(http.MethodPost, "/console/act", url.Values{"csrf": {b.csrf()}}, "Authorization", c.authorization); a.StatusCode != c.status {
				t.Errorf("beside a session: %d %s", a.StatusCode, a.body)
			}
		})
	}
	// No page sends a token by itself, so a write needs none of a form.
	if a := w.browser().do(http.MethodPost, "/console/act", url.Values{}, "Authorization", sign(w.issuer, nil)); a.body != "done" {
		t.Errorf("a write: %d %s", a.StatusCode, a.body)
	}
}

func TestWithoutAnAudienceAccessTokensAreRefused(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Audience = "" })
	token, err := w.issuer.AccessToken(engineer)
	if err != nil {
		t.Fatal(err)
	}
	if a := w.browser().get("/console/", "Authorization", "Bearer "+token); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
}

func TestTheIssuersKeysRotate(t *testing.T) {
	w := newWorld(t)
	old, err := w.issuer.AccessToken(engineer)
	if err != nil {
		t.Fatal(err)
	}
	show := func(token string) int {
		return w.browser().get("/console/", "Authorization", "Bearer "+token).StatusCode
	}
	if got := show(old); got != http.StatusOK {
		t.Fatalf("before: %d", got)
	}
	if err := w.issuer.Rotate(); err != nil {
		t.Fatal(err)
	}
	w.clock.pass(fetchInterval)
	renewed, err := w.issuer.Sign(map[string]any{"sub": "x", "roles": "console-read", "aud": audience, "exp": w.clock.Now().Add(time.Hour).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	// go-oidc hands a reading of the keys that has just ended to who comes in
	// that moment, so the first to show a new key may meet the old ones.
	a := show(renewed)
	for range 1000 {
		if a == http.StatusOK {
			break
		}
		runtime.Gosched()
		a = show(renewed)
	}
	if b := show(old); a != http.StatusOK || b != http.StatusOK {
		t.Errorf("after a rotation: the new one %d, the old one %d", a, b)
	}
	if err := w.issuer.Rotate(); err != nil {
		t.Fatal(err)
	}
	w.issuer.Withdraw()
	w.clock.pass(keepFor)
	if got := show(renewed); got != http.StatusUnauthorized {
		t.Errorf("after its key was withdrawn: %d", got)
	}
	if a := w.browser().signIn(engineer); a.StatusCode != http.StatusOK {
		t.Errorf("a sign-in after it: %d %s", a.StatusCode, a.body)
	}
}

func TestTheClientsSecretRotates(t *testing.T) {
	w := newWorld(t)
	w.clientKeys.set(nil, "the-new-secret", "client-secret")
	if a := w.browser().signIn(clerk); a.StatusCode != http.StatusOK {
		t.Errorf("where the issuer does not know it yet: %d %s", a.StatusCode, a.body)
	}
	w.issuer.SetSecret("the-new-secret")
	if a := w.browser().signIn(clerk); a.StatusCode != http.StatusOK {
		t.Errorf("where it does: %d %s", a.StatusCode, a.body)
	}
	w.clientKeys.set(nil, "none-that-is-known")
	if a := w.browser().signIn(clerk); a.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a wrong one: %d %s", a.StatusCode, a.body)
	}
}

func TestTokensOfUnknownKeysCostNoCalls(t *testing.T) {
	w := newWorld(t)
	other := w.newIssuer(w.issuerURL, w.gate.PublicURL)
	for range 20 {
		if err := other.Rotate(); err != nil {
			t.Fatal(err)
		}
		token, err := other.AccessToken(engineer)
		if err != nil {
			t.Fatal(err)
		}
		if a := w.browser().get("/console/", "Authorization", "Bearer "+token); a.StatusCode != http.StatusUnauthorized {
			t.Fatalf("%d %s", a.StatusCode, a.body)
		}
	}
	if a, b := w.issuer.Calls("/.well-known/openid-configuration"), w.issuer.Calls("/keys"); a != 1 || b != 1 {
		t.Errorf("the issuer was asked %d and %d times", a, b)
	}
}

func TestNoCallIsMadeBeforeTheFirstRequest(t *testing.T) {
	w := newWorld(t)
	if n := w.issuer.Calls("/.well-known/openid-configuration"); n != 0 {
		t.Errorf("asked %d times", n)
	}
}

func TestWhileTheIssuerIsUnavailableUsersCanRetry(t *testing.T) {
	w := newWorld(t)
	token, err := w.issuer.AccessToken(engineer)
	if err != nil {
		t.Fatal(err)
	}
	w.issuer.Fail(1)
	a := w.browser().get("/console/")
	if a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" || !strings.Contains(a.body, "Try again") {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	if a := w.browser().get("/console/", "Authorization", "Bearer "+token); a.StatusCode != http.StatusServiceUnavailable || a.problem() != "unavailable" {
		t.Errorf("a program: %d %s", a.StatusCode, a.body)
	}
	if n := w.issuer.Calls("/.well-known/openid-configuration"); n != 1 {
		t.Errorf("asked %d times within %v", n, fetchInterval)
	}
	w.clock.pass(fetchInterval)
	if a := w.browser().signIn(clerk); a.StatusCode != http.StatusOK {
		t.Errorf("when it is back: %d %s", a.StatusCode, a.body)
	}
	// What is known serves while it is away again.
	w.clock.pass(keepFor)
	w.issuer.Fail(1)
	token, err = w.issuer.AccessToken(engineer)
	if err != nil {
		t.Fatal(err)
	}
	if a := w.browser().get("/console/", "Authorization", "Bearer "+token); a.StatusCode != http.StatusOK {
		t.Errorf("with what is known: %d %s", a.StatusCode, a.body)
	}
}

func TestUnavailableKeysAreNoRefusal(t *testing.T) {
	w := newWorld(t)
	w.atIssuer = func(rw http.ResponseWriter, q *http.Request) bool {
		if q.URL.Path == "/keys" {
			rw.WriteHeader(http.StatusBadGateway)
		}
		return q.URL.Path == "/keys"
	}
	token, err := w.issuer.AccessToken(engineer)
	if err != nil {
		t.Fatal(err)
	}
	if a := w.browser().get("/console/", "Authorization", "Bearer "+token); a.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
}

func TestUnreadableSecretsDenyAccess(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.signIn(clerk)
	back := b.choose(b.begin("/console/sign-in"), clerk)
	w.cookieKeys.set(errAway)
	for name, a := range map[string]answered{"a session": b.get("/console/"), "a sign-in": w.browser().get("/console/"), "its end": b.get(back)} {
		if a.StatusCode != http.StatusServiceUnavailable || strings.Contains(a.body, errAway.Error()) {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.body)
		}
	}
}

func TestOnlyTheIssuerIsCalled(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("another host was asked") }))
	t.Cleanup(elsewhere.Close)
	describe := func(w *world, change map[string]any) func(http.ResponseWriter, *http.Request) bool {
		return func(rw http.ResponseWriter, q *http.Request) bool {
			if q.URL.Path != "/.well-known/openid-configuration" {
				return false
			}
			all := map[string]any{"issuer": w.issuerURL, "authorization_endpoint": w.issuerURL + "/authorize", "token_endpoint": w.issuerURL + "/token", "jwks_uri": w.issuerURL + "/keys"}
			for k, v := range change {
				all[k] = v
			}
			_ = json.NewEncoder(rw).Encode(all)
			return true
		}
	}
	for name, change := range map[string]map[string]any{
		"another issuer":        {"issuer": elsewhere.URL},
		"keys elsewhere":        {"jwks_uri": elsewhere.URL + "/keys"},
		"tokens elsewhere":      {"token_endpoint": elsewhere.URL + "/token"},
		"people sent elsewhere": {"authorization_endpoint": elsewhere.URL + "/authorize"},
		"signed out elsewhere":  {"end_session_endpoint": elsewhere.URL + "/sign-out"},
		"no https":              {"jwks_uri": "http://issuer.example/keys"},
		"a script":              {"authorization_endpoint": "javascript:alert(1)"},
		"no keys":               {"jwks_uri": ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.atIssuer = describe(w, change)
			if a := w.browser().get("/console/"); a.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("%d %s", a.StatusCode, a.Header.Get("Location"))
			}
		})
	}
	t.Run("a redirect", func(t *testing.T) {
		w := newWorld(t)
		w.atIssuer = func(rw http.ResponseWriter, q *http.Request) bool {
			http.Redirect(rw, q, elsewhere.URL, http.StatusFound)
			return true
		}
		if a := w.browser().get("/console/"); a.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("%d %s", a.StatusCode, a.body)
		}
	})
	t.Run("a host that is allowed", func(t *testing.T) {
		other, _ := url.Parse("https://keys.example:8443/")
		w := newWorld(t, func(o *Options) { o.Hosts = []string{other.Host} })
		w.atIssuer = describe(w, map[string]any{"jwks_uri": "https://keys.example:8443/keys", "end_session_endpoint": nil})
		if a := w.browser().get("/console/"); a.StatusCode != http.StatusSeeOther {
			t.Errorf("%d %s", a.StatusCode, a.body)
		}
		if a := w.browser().get("/console/signed-out"); a.StatusCode != http.StatusOK || strings.Contains(a.body, `id="issuer"`) {
			t.Errorf("without a page of the issuer: %d %s", a.StatusCode, a.body)
		}
	})
}

func TestASignInLeadsBackToNoOtherSite(t *testing.T) {
	g := gate{Options: Options{PublicURL: "https://console.example/base"}}
	for path, want := range map[string]string{
		"":                        "/console/",
		"/console":                "/console",
		"/console/a?b=c":          "/console/a?b=c",
		"//evil.example/console/": "/console/",
		"https://evil.example":    "/console/",
		"/other":                  "/console/",
		"/consoles":               "/console/",
	} {
		if got := g.next(path); got != want {
			t.Errorf("%q: %q", path, got)
		}
	}
}

func TestRolesComeFromTheClaim(t *testing.T) {
	values := map[string]view.Role{"m": view.RoleMasked, "r": view.RoleRead, "a": view.RoleAct}
	for name, c := range map[string]struct {
		claim, claims string
		want          view.Role
	}{
		"one":                  {"roles", `{"roles":"r"}`, view.RoleRead},
		"of several, the most": {"roles", `{"roles":["m","a","r","x"]}`, view.RoleAct},
		"none that is known":   {"roles", `{"roles":["x"]}`, 0},
		"no claim":             {"roles", `{"role":"a"}`, 0},
		"another type":         {"roles", `{"roles":{"a":true}}`, 0},
		"numbers":              {"roles", `{"roles":[1,null,{"a":1}]}`, 0},
		"words in one":         {"roles", `{"roles":"a r"}`, 0},
		"a name with a dot":    {"cognito:groups", `{"cognito:groups":["m"]}`, view.RoleMasked},
		"a URL":                {"https://example.com/roles", `{"https://example.com/roles":["m"]}`, view.RoleMasked},
		"inside":               {"/realm_access/roles", `{"realm_access":{"roles":["r"]}}`, view.RoleRead},
		"inside nothing":       {"/realm_access/roles", `{"realm_access":"roles"}`, 0},
		"escaped":              {"/a~1b/c~0d", `{"a/b":{"c~d":"r"}}`, view.RoleRead},
	} {
		var claims map[string]any
		if err := json.Unmarshal([]byte(c.claims), &claims); err != nil {
			t.Fatal(err)
		}
		if got := (Roles{c.claim, values}).of(claims); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestANameIsShortAndOneLine(t *testing.T) {
	for name, c := range map[string]struct{ claims, want string }{
		"name":           {`{"name":"Ada","preferred_username":"ada"}`, "Ada"},
		"user name":      {`{"preferred_username":"ada"}`, "ada"},
		"nothing":        {`{"name":7}`, ""},
		"lines":          {`{"name":" Ada\r\n\tLovelace "}`, "Ada Lovelace"},
		"long":           {`{"name":"` + strings.Repeat("あ", 200) + `"}`, strings.Repeat("あ", 79) + "…"},
		"empty, another": {`{"name":" ","preferred_username":"ada"}`, "ada"},
	} {
		claims, err := decode([]byte(c.claims))
		if err != nil {
			t.Fatal(err)
		}
		if got := nameOf(claims); got != c.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func FuzzOpen(f *testing.F) {
	k := seals{secrets: (&secrets{all: []string{"a-cookie-key-of-the-tests"}}).get, party: "issuer client", now: func() time.Time { return time.Unix(0, 0) }}
	good, err := k.seal(context.Background(), sessionPurpose, "binding", session{Subject: "u"}, time.Unix(1, 0))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add("")
	f.Add(good[:12])
	f.Fuzz(func(t *testing.T, text string) {
		var s session
		if err := k.open(context.Background(), sessionPurpose, "binding", text, &s); (err == nil) != (text == good) {
			t.Errorf("%q: %v", text, err)
		}
	})
}
