package oidc

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/op"

	"walletsync/internal/console/view"
)

// The issuer of this test is not ours: the example provider of
// github.com/zitadel/oidc, which is certified as an OpenID Provider.

// registered adds to the example's storage the page to come back to after
// signing out, which its clients cannot register.
type registered struct {
	*storage.Storage
	signedOut string
}

func (r registered) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	c, err := r.Storage.GetClientByClientID(ctx, id)
	return client{c, r.signedOut}, err
}

type client struct {
	op.Client
	signedOut string
}

func (c client) PostLogoutRedirectURIs() []string { return []string{c.signedOut} }

// newIndependentWorld is a console at the example provider. The role is in a
// claim that only the provider's own scope brings.
func newIndependentWorld(t *testing.T) *world {
	t.Helper()
	logger := slog.Default()
	t.Cleanup(func() { slog.SetDefault(logger) }) // the example sets it for the whole process
	provider := httptest.NewUnstartedServer(nil)
	issuerURL := "http://" + provider.Listener.Addr().String()
	w := newWorld(t, func(o *Options) {
		o.Issuer, o.Now, o.Scopes = issuerURL, time.Now, []string{"openid", "profile", storage.CustomScope}
		// The registry of the example's clients is one for all storages.
		storage.RegisterClients(storage.WebClient(clientID, "client-secret", RedirectURL(o.PublicURL)))
		store := registered{storage.NewStorage(storage.NewUserStore(issuerURL)), o.PublicURL + signedOut}
		provider.Config.Handler = exampleop.SetupServer(issuerURL, store, slog.New(slog.DiscardHandler), false)
	})
	provider.Start()
	t.Cleanup(provider.Close)
	w.issuerURL = issuerURL
	w.gate.Now = time.Now
	w.gate.Roles = Roles{Claim: "/" + storage.CustomClaim + "/client", Values: map[string]view.Role{clientID: view.RoleRead}}
	return w
}

var authRequest = regexp.MustCompile(`name="id" value="([^"]+)"`)

// signInThere begins a sign-in and goes through the provider's own pages. It
// returns where the provider sends the browser.
func (b *browser) signInThere(password string) answered {
	b.w.t.Helper()
	a := b.get("/console/page?a=1")
	to, err := a.Location()
	if err != nil || !strings.HasPrefix(to.String(), b.w.issuerURL) {
		b.w.t.Fatalf("%d to %v: %s", a.StatusCode, to, a.body)
	}
	a = b.get(to.String())
	found := authRequest.FindStringSubmatch(a.body)
	if found == nil {
		b.w.t.Fatalf("the provider's page: %d %s", a.StatusCode, a.body)
	}
	return b.do(http.MethodPost, b.w.issuerURL+"/login/username", url.Values{"id": {found[1]}, "username": {"test-user@127.0.0.1"}, "password": {password}})
}

func TestPeopleSignInAndOutAtAnIndependentIssuer(t *testing.T) {
	w := newIndependentWorld(t)
	b := w.browser()
	if a := b.signInThere("wrong"); a.StatusCode != http.StatusOK || a.Header.Get("Location") != "" {
		t.Errorf("a wrong password: %d %s", a.StatusCode, a.body)
	}
	a := b.signInThere("verysecure")
	back, err := a.Location()
	if err != nil || !strings.HasPrefix(back.String(), w.gate.PublicURL+callback) {
		t.Fatalf("%d to %v: %s", a.StatusCode, back, a.body)
	}
	if a := b.get(back.String()); a.StatusCode != http.StatusOK || a.body != "GET /console/page?a=1 by id1 as read" {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	// It keeps the claims of the scope profile for its userinfo endpoint (OpenID
	// Connect Core 1.0, section 5.4), so the console shows no name.
	if a := b.get("/console/you"); !strings.Contains(a.body, `<dd id="role">Read</dd>`) {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	link := b.signOut()
	if !strings.HasPrefix(link, w.issuerURL) || !strings.Contains(link, "id_token_hint=") {
		t.Fatalf("the issuer's sign-out: %q", link)
	}
	if a := b.get(link); a.Header.Get("Location") != w.gate.PublicURL+signedOut {
		t.Errorf("the issuer's sign-out: %d %s", a.StatusCode, a.body)
	}
	// The hint is one that this provider verifies.
	if a := b.get(replace(link, "id_token_hint", "a.b.c")); a.StatusCode != http.StatusBadRequest {
		t.Errorf("with another hint: %d %s", a.StatusCode, a.body)
	}
}

// PKCE is the provider's to hold to: a code without its verifier is worth nothing.
func TestAnIndependentIssuerHoldsTheCodeToItsVerifier(t *testing.T) {
	w := newIndependentWorld(t)
	thief, victim := w.browser(), w.browser()
	stolen, err := victim.signInThere("verysecure").Location()
	if err != nil {
		t.Fatal(err)
	}
	own, err := thief.signInThere("verysecure").Location()
	if err != nil {
		t.Fatal(err)
	}
	if a := thief.get(replace(own.String(), "code", stolen.Query().Get("code"))); a.StatusCode != http.StatusForbidden || thief.cookieOf("session") != nil {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
}

func TestWithoutItsRoleClaimAnIndependentIssuersPeopleAreRefused(t *testing.T) {
	w := newIndependentWorld(t)
	w.gate.Roles.Claim = "roles"
	b := w.browser()
	back, err := b.signInThere("verysecure").Location()
	if err != nil {
		t.Fatal(err)
	}
	a := b.get(back.String())
	if a.StatusCode != http.StatusForbidden || !strings.Contains(a.body, "You have no access") {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	if a := b.get(a.issuerLink()); a.Header.Get("Location") != w.gate.PublicURL+signedOut {
		t.Errorf("the way to sign in as somebody else: %d %s", a.StatusCode, a.body)
	}
}
