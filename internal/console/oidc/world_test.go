package oidc

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"walletsync/internal/console/view"
	"walletsync/internal/local/issuer"
)

// The people of these tests.
var (
	masked   = issuer.Person{Subject: "u-masked", Name: "Mia Masked", Roles: []string{"console-masked"}}
	clerk    = issuer.Person{Subject: "u-clerk", Name: "Carla Clerk", Roles: []string{"staff", "console-read"}}
	engineer = issuer.Person{Subject: "u-engineer", Name: "Emil Engineer", Roles: []string{"console-act", "console-masked"}}
	stranger = issuer.Person{Subject: "u-stranger", Name: "Sam Stranger", Roles: []string{"staff"}}
	program  = issuer.Person{Subject: "console", Roles: []string{"console-read"}}
)

const (
	clientID = "console"
	audience = "https://console.example/api"
)

// clock is what time it is to everyone.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// secrets are the valid ones.
type secrets struct {
	mu  sync.Mutex
	all []string
	err error
}

func (s *secrets) get(context.Context, bool) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all, s.err
}

func (s *secrets) set(err error, all ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all, s.err = all, err
}

// world is an issuer and a console behind the gate.
type world struct {
	t      *testing.T
	clock  *clock
	issuer *issuer.Issuer
	// atIssuer is asked before the issuer answers a request; true: it has.
	atIssuer   func(w http.ResponseWriter, q *http.Request) bool
	issuerURL  string
	gate       *gate
	console    *httptest.Server
	cookieKeys *secrets
	clientKeys *secrets
	strict     func(*issuer.Options)
}

// prefix is where the console stands below its host, as by an API mapping.
const prefix = "/base"

func newWorld(t *testing.T, change ...func(*Options)) *world {
	t.Helper()
	return newStrictWorld(t, nil, change...)
}

// newStrictWorld is newWorld with an issuer that is strict, or does otherwise, in
// some way.
func newStrictWorld(t *testing.T, strict func(*issuer.Options), change ...func(*Options)) *world {
	t.Helper()
	w := &world{t: t, clock: &clock{at: time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)},
		strict: strict, cookieKeys: &secrets{all: []string{"a-cookie-key-of-the-tests"}}, clientKeys: &secrets{all: []string{"client-secret"}}}

	console := httptest.NewUnstartedServer(nil)
	publicURL := "https://" + console.Listener.Addr().String() + prefix
	at := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, q *http.Request) {
		if w.atIssuer == nil || !w.atIssuer(rw, q) {
			w.issuer.Handler().ServeHTTP(rw, q)
		}
	}))
	t.Cleanup(at.Close)
	w.issuerURL = at.URL
	w.issuer = w.newIssuer(at.URL, publicURL)

	o := Options{PublicURL: publicURL, Issuer: at.URL, ClientID: clientID, Audience: audience, Scopes: []string{"openid", "profile"},
		ClientSecrets: w.clientKeys.get, CookieKeys: w.cookieKeys.get, Lifetime: time.Hour, Client: &http.Client{}, Now: w.clock.Now,
		Roles: Roles{Claim: "roles", Values: map[string]view.Role{"console-masked": view.RoleMasked, "console-read": view.RoleRead, "console-act": view.RoleAct}}}
	for _, c := range change {
		c(&o)
	}
	var err error
	if w.gate, err = newGate(o); err != nil {
		t.Fatal(err)
	}
	w.gate.pages.failed = func(_ *http.Request, err error) { t.Error(err) }
	mux := http.NewServeMux()
	mux.HandleFunc("/console/", func(rw http.ResponseWriter, q *http.Request) {
		id, ok := view.IdentityOf(q.Context())
		if !ok {
			t.Error("a request came through without an identity")
		}
		_, _ = io.WriteString(rw, q.Method+" "+q.URL.RequestURI()+" by "+id.Subject+" as "+id.Role.String())
	})
	mux.HandleFunc("POST /console/act", func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, "done") })
	console.Config.Handler = w.gate.handler(mux)
	console.StartTLS()
	t.Cleanup(console.Close)
	w.console = console
	return w
}

func TestEverySettingOfTheSignInIsRequired(t *testing.T) {
	full := newWorld(t).gate.Options
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Options]()) {
		o := full
		reflect.ValueOf(&o).Elem().FieldByIndex(f.Index).SetZero()
		_, err := New(o, http.NotFoundHandler())
		if optional := slices.Contains([]string{"Audience", "Hosts", "CognitoLogoutURL", "Metrics"}, f.Name); optional != (err == nil) {
			t.Errorf("without %s: %v", f.Name, err)
		}
	}
	o := full
	o.Audience = o.ClientID
	if _, err := New(o, http.NotFoundHandler()); err == nil {
		t.Error("id tokens would be access tokens")
	}
}

func (w *world) newIssuer(issuerURL, publicURL string) *issuer.Issuer {
	w.t.Helper()
	o := issuer.Options{URL: issuerURL, ClientID: clientID, ClientSecret: "client-secret", RedirectURL: RedirectURL(publicURL),
		SignedOutURL: publicURL + signedOut, Audience: audience, People: []issuer.Person{masked, clerk, engineer, stranger}, Program: program, Now: w.clock.Now}
	if w.strict != nil {
		w.strict(&o)
	}
	i, err := issuer.New(o)
	if err != nil {
		w.t.Fatal(err)
	}
	return i
}

// answered is an answer that was read.
type answered struct {
	*http.Response
	body string
}

// browser is somebody's browser. It follows redirects but those from one host to
// the other, which tests take by hand.
type browser struct {
	w      *world
	client *http.Client
}

func (w *world) browser() *browser {
	w.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	c := w.console.Client()
	return &browser{w, &http.Client{Transport: c.Transport, Jar: jar, CheckRedirect: func(q *http.Request, via []*http.Request) error {
		if q.URL.Host != via[len(via)-1].URL.Host || len(via) > 5 {
			return http.ErrUseLastResponse
		}
		return nil
	}}}
}

func (b *browser) do(method, path string, form url.Values, headers ...string) answered {
	b.w.t.Helper()
	to := path
	if strings.HasPrefix(path, "/") {
		to = b.w.gate.PublicURL + path
	}
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	q, err := http.NewRequestWithContext(b.w.t.Context(), method, to, body)
	if err != nil {
		b.w.t.Fatal(err)
	}
	if form != nil {
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		q.Header.Set(headers[i], headers[i+1])
	}
	r, err := b.client.Do(q)
	if err != nil {
		b.w.t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		b.w.t.Fatal(err)
	}
	shown := string(text)
	if _, main, ok := strings.Cut(shown, "<body>"); ok {
		shown = main // without the style
	}
	return answered{r, shown}
}

func (b *browser) get(path string, headers ...string) answered {
	b.w.t.Helper()
	return b.do(http.MethodGet, path, nil, headers...)
}

// begin asks for a page and returns where the issuer is asked.
func (b *browser) begin(path string) *url.URL {
	b.w.t.Helper()
	a := b.get(path)
	to, err := a.Location()
	if err != nil || !strings.HasPrefix(to.String(), b.w.issuerURL+"/authorize?") {
		b.w.t.Fatalf("%s led to %v with %d, not to the issuer: %s", path, to, a.StatusCode, a.body)
	}
	return to
}

// choose picks somebody at the issuer, and returns where that leads back to.
func (b *browser) choose(at *url.URL, who issuer.Person) string {
	b.w.t.Helper()
	form := at.Query()
	form.Set("subject", who.Subject)
	a := b.do(http.MethodPost, b.w.issuerURL+"/authorize", form)
	to, err := a.Location()
	if err != nil {
		b.w.t.Fatalf("the issuer answered %d %s", a.StatusCode, a.body)
	}
	return to.String()
}

// signIn signs somebody in, and returns the page that they come to.
func (b *browser) signIn(who issuer.Person) answered {
	b.w.t.Helper()
	return b.get(b.choose(b.begin("/console/page?a=1"), who))
}

// cookieOf returns a cookie that the browser has.
func (b *browser) cookieOf(what string) *http.Cookie {
	at, _ := url.Parse(b.w.console.URL)
	for _, c := range b.client.Jar.Cookies(at) {
		if c.Name == b.w.gate.cookieName(what) {
			return c
		}
	}
	return nil
}

// csrf is the token of the browser's session.
func (b *browser) csrf() string {
	b.w.t.Helper()
	var s session
	if err := b.w.gate.seals().open(context.Background(), sessionPurpose, "", b.cookieOf("session").Value, &s); err != nil {
		b.w.t.Fatal(err)
	}
	return s.CSRF
}

// code returns the code of a problem that is answered in JSON.
func (a answered) problem() string {
	if a.Header.Get("Content-Type") != "application/problem+json" {
		return ""
	}
	_, rest, _ := strings.Cut(a.body, `"code":"`)
	code, _, _ := strings.Cut(rest, `"`)
	return code
}

var errAway = errors.New("away")
