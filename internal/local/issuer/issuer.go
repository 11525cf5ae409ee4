// Package issuer is a small OpenID Connect issuer for laptops and tests: the
// code flow with PKCE for people, client credentials for programs, signed id and
// access tokens, keys that rotate. It asks for no password: every visitor picks
// who they are.
//
// It holds its client to what a strict issuer asks (OpenID Connect Core 1.0,
// RFC 7636, RFC 9700): the redirect URI registered, a challenge by S256, a code
// good once and for a minute, the client's secret by HTTP Basic. What some
// issuers ask for besides, or do otherwise, is a field of Options each.
//
// Not modelled: consent, sessions of its own, refresh tokens, userinfo.
package issuer

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

//go:embed issuer.html
var files embed.FS

// Person is a user who can sign in.
type Person struct {
	Subject string
	Name    string
	Roles   []string // the claim roles
}

// Options of an issuer.
type Options struct {
	URL          string // as its tokens name it, without a slash at the end
	ClientID     string
	ClientSecret string
	RedirectURL  string
	SignedOutURL string // where a sign-out may lead back to
	Audience     string // of access tokens
	People       []Person
	// Program is the client itself, as its own access tokens name it.
	Program Person
	Now     func() time.Time // nil: time.Now

	// Prompts are the values of prompt that it supports and lists in its metadata.
	// Any other is refused.
	Prompts []string
	SignOut SignOut
	// CognitoTokens makes tokens as Amazon Cognito does: token_use in each, and in
	// access tokens client_id, which is Audience, instead of aud ("Understanding the
	// access token", Amazon Cognito Developer Guide).
	CognitoTokens bool
	// RoleClaim names the claim with the roles; empty: roles.
	RoleClaim string
	// RoleLimit, if it is not 0, leaves the roles of those who have more out of
	// tokens, as Microsoft Entra ID does with groups: the claim is then named in
	// _claim_names (OpenID Connect Core 1.0, section 5.6.2).
	RoleLimit int
}

// SignOut is what the end of a session at the issuer takes.
type SignOut int

const (
	// SignOutByClient takes client_id and post_logout_redirect_uri (OpenID Connect
	// RP-Initiated Logout 1.0, section 2).
	SignOutByClient SignOut = iota
	// SignOutByHint takes id_token_hint too, as Okta does.
	SignOutByHint
	// SignOutByLogoutURI takes client_id and logout_uri, and nothing of the standard,
	// as Amazon Cognito does ("Logout endpoint", Amazon Cognito Developer Guide).
	SignOutByLogoutURI
)

// Issuer is the issuer; Handler serves it. It is safe for concurrent use.
type Issuer struct {
	o    Options
	page *template.Template

	mu    sync.Mutex
	keys  []jose.JSONWebKey // the one that signs first
	codes map[string]grant
	fails int // requests to answer with 500
	calls map[string]int
}

// grant is what a code is good for.
type grant struct {
	person    Person
	nonce     string
	challenge string
	ends      time.Time
}

const signOutPath = "/sign-out"

const (
	codeLife  = time.Minute
	tokenLife = 5 * time.Minute
)

// New returns an issuer with one key.
func New(o Options) (*Issuer, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	page, err := template.ParseFS(files, "issuer.html")
	if err != nil {
		return nil, err
	}
	i := &Issuer{o: o, page: page, codes: map[string]grant{}, calls: map[string]int{}}
	return i, i.Rotate()
}

// Rotate makes a new key that signs from now on. The one before it stays
// published.
func (i *Issuer) Rotate() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = append([]jose.JSONWebKey{{Key: key, KeyID: rand.Text()[:8], Algorithm: string(jose.ES256), Use: "sig"}}, i.keys...)
	return nil
}

// Withdraw publishes the key that signs alone.
func (i *Issuer) Withdraw() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = i.keys[:1]
}

// Fail has the next n requests answered with 500; 0 ends it.
func (i *Issuer) Fail(n int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.fails = n
}

// Calls is how many requests a path had.
func (i *Issuer) Calls(path string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.calls[path]
}

// Sign returns a token with these claims. What it needs besides is added where
// it is not there: iss, iat, exp; a claim that is nil is left out.
func (i *Issuer) Sign(claims map[string]any) (string, error) {
	now := i.o.Now()
	all := map[string]any{"iss": i.o.URL, "iat": now.Unix(), "exp": now.Add(tokenLife).Unix()}
	for name, v := range claims {
		if all[name] = v; v == nil {
			delete(all, name)
		}
	}
	key := i.published()[0]
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(all)
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// AccessToken returns one for a person.
func (i *Issuer) AccessToken(p Person) (string, error) {
	claims := i.claims(p)
	if i.o.CognitoTokens {
		claims["client_id"], claims["token_use"] = i.o.Audience, "access"
	} else {
		claims["aud"] = i.o.Audience
	}
	return i.Sign(claims)
}

// idToken returns the one of a sign-in.
func (i *Issuer) idToken(g grant) (string, error) {
	claims := i.claims(g.person)
	claims["aud"], claims["nonce"] = i.o.ClientID, g.nonce
	if i.o.CognitoTokens {
		claims["token_use"] = "id"
	}
	return i.Sign(claims)
}

// claims are those of a person in every token.
func (i *Issuer) claims(p Person) map[string]any {
	claims, name := map[string]any{"sub": p.Subject, "name": p.Name}, cmp.Or(i.o.RoleClaim, "roles")
	if i.o.RoleLimit > 0 && len(p.Roles) > i.o.RoleLimit {
		claims["_claim_names"] = map[string]string{name: "src1"}
		claims["_claim_sources"] = map[string]any{"src1": map[string]string{"endpoint": i.o.URL + "/groups"}}
		return claims
	}
	claims[name] = p.Roles
	return claims
}

// published are the keys, the one that signs first.
func (i *Issuer) published() []jose.JSONWebKey {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.keys)
}

// Code returns a code for a person, as their browser would bring it.
func (i *Issuer) Code(p Person, nonce, challenge string) string {
	code := rand.Text()
	i.mu.Lock()
	defer i.mu.Unlock()
	i.codes[code] = grant{p, nonce, challenge, i.o.Now().Add(codeLife)}
	return code
}

// Handler serves the issuer.
func (i *Issuer) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", i.describe)
	mux.HandleFunc("GET /keys", i.publish)
	mux.HandleFunc("GET /authorize", i.ask)
	mux.HandleFunc("POST /authorize", i.decide)
	mux.HandleFunc("POST /token", i.token)
	mux.HandleFunc("GET "+signOutPath, i.signOut)
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		i.mu.Lock()
		i.calls[q.URL.Path]++
		fail := i.fails > 0
		if fail {
			i.fails--
		}
		i.mu.Unlock()
		if fail {
			http.Error(w, "the issuer was set to fail", http.StatusInternalServerError)
			return
		}
		mux.ServeHTTP(w, q)
	})
}

// describe answers with the issuer's metadata (OpenID Connect Discovery 1.0,
// section 3).
func (i *Issuer) describe(w http.ResponseWriter, _ *http.Request) {
	metadata := map[string]any{
		"issuer": i.o.URL, "authorization_endpoint": i.o.URL + "/authorize", "token_endpoint": i.o.URL + "/token",
		"jwks_uri": i.o.URL + "/keys", "end_session_endpoint": i.o.URL + signOutPath,
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
		"grant_types_supported":                          []string{"authorization_code", "client_credentials"},
		"id_token_signing_alg_values_supported":          []string{string(jose.ES256)},
		"token_endpoint_auth_methods_supported":          []string{"client_secret_basic"},
		"code_challenge_methods_supported":               []string{"S256"},
		"authorization_response_iss_parameter_supported": true,
	}
	if len(i.o.Prompts) > 0 {
		// OpenID Connect, "Initiating User Registration via OpenID Connect 1.0",
		// section 4.
		metadata["prompt_values_supported"] = i.o.Prompts
	}
	sayJSON(w, http.StatusOK, metadata)
}

func (i *Issuer) publish(w http.ResponseWriter, _ *http.Request) {
	var set jose.JSONWebKeySet
	for _, k := range i.published() {
		set.Keys = append(set.Keys, k.Public())
	}
	sayJSON(w, http.StatusOK, set)
}

// asked is what a client asks of the authorization endpoint.
type asked struct{ State, Nonce, Challenge string }

// authorization reads it from parameters, or says what is wrong with them. None
// of it is sent back to a redirect URI that is not the client's.
func (i *Issuer) authorization(v url.Values) (asked, error) {
	for name, want := range map[string]string{"client_id": i.o.ClientID, "redirect_uri": i.o.RedirectURL, "response_type": "code", "code_challenge_method": "S256"} {
		if got := v.Get(name); got != want {
			return asked{}, fmt.Errorf("%s is %q, not %q", name, got, want)
		}
	}
	if !slices.Contains(strings.Fields(v.Get("scope")), "openid") {
		return asked{}, fmt.Errorf("scope does not name openid")
	}
	for _, prompt := range strings.Fields(v.Get("prompt")) {
		if !slices.Contains(i.o.Prompts, prompt) {
			return asked{}, fmt.Errorf("prompt %q is not supported", prompt)
		}
	}
	a := asked{v.Get("state"), v.Get("nonce"), v.Get("code_challenge")}
	if a.State == "" || a.Nonce == "" || len(a.Challenge) != base64.RawURLEncoding.EncodedLen(sha256.Size) {
		return asked{}, fmt.Errorf("state, nonce and a code_challenge by S256 are needed")
	}
	return a, nil
}

// ask shows who can sign in.
func (i *Issuer) ask(w http.ResponseWriter, q *http.Request) {
	if _, err := i.authorization(q.URL.Query()); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_ = i.page.Execute(w, struct {
		People []Person
		Query  url.Values
	}{i.o.People, q.URL.Query()}) // the browser is gone
}

// decide sends the browser back with a code, or with access_denied.
func (i *Issuer) decide(w http.ResponseWriter, q *http.Request) {
	if err := q.ParseForm(); err != nil {
		http.Error(w, "malformed", http.StatusBadRequest)
		return
	}
	a, err := i.authorization(q.PostForm)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	back := url.Values{"state": {a.State}, "iss": {i.o.URL}}
	if n := slices.IndexFunc(i.o.People, func(p Person) bool { return p.Subject == q.PostForm.Get("subject") }); n >= 0 {
		back.Set("code", i.Code(i.o.People[n], a.Nonce, a.Challenge))
	} else {
		back.Set("error", "access_denied")
	}
	http.Redirect(w, q, i.o.RedirectURL+"?"+back.Encode(), http.StatusSeeOther)
}

// token exchanges a code, or the client's own credentials (RFC 6749, sections
// 4.1.3 and 4.4).
func (i *Issuer) token(w http.ResponseWriter, q *http.Request) {
	refuse := func(status int, code string) { sayJSON(w, status, map[string]string{"error": code}) }
	if err := q.ParseForm(); err != nil {
		refuse(http.StatusBadRequest, "invalid_request")
		return
	}
	id, secret, _ := q.BasicAuth()
	if id != url.QueryEscape(i.o.ClientID) || secret != url.QueryEscape(i.secret()) {
		w.Header().Set("WWW-Authenticate", "Basic")
		refuse(http.StatusUnauthorized, "invalid_client")
		return
	}
	answer := map[string]any{"token_type": "Bearer", "expires_in": int(tokenLife.Seconds())}
	var err error
	switch q.PostForm.Get("grant_type") {
	case "authorization_code":
		g, ok := i.take(q.PostForm.Get("code"))
		challenge := sha256.Sum256([]byte(q.PostForm.Get("code_verifier")))
		if !ok || g.challenge != base64.RawURLEncoding.EncodeToString(challenge[:]) || q.PostForm.Get("redirect_uri") != i.o.RedirectURL {
			refuse(http.StatusBadRequest, "invalid_grant")
			return
		}
		if answer["id_token"], err = i.idToken(g); err == nil {
			answer["access_token"], err = i.AccessToken(g.person)
		}
	case "client_credentials":
		answer["access_token"], err = i.AccessToken(i.o.Program)
	default:
		refuse(http.StatusBadRequest, "unsupported_grant_type")
		return
	}
	if err != nil {
		refuse(http.StatusInternalServerError, "server_error")
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	sayJSON(w, http.StatusOK, answer)
}

func (i *Issuer) secret() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.o.ClientSecret
}

// SetSecret changes the client's secret.
func (i *Issuer) SetSecret(secret string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.o.ClientSecret = secret
}

// take returns what a code is good for, once.
func (i *Issuer) take(code string) (grant, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	g, ok := i.codes[code]
	delete(i.codes, code)
	return g, ok && i.o.Now().Before(g.ends)
}

func (i *Issuer) signOut(w http.ResponseWriter, q *http.Request) {
	given := q.URL.Query()
	back, other := "post_logout_redirect_uri", "logout_uri"
	if i.o.SignOut == SignOutByLogoutURI {
		back, other = other, back
	}
	switch {
	case given.Get("client_id") != i.o.ClientID || given.Get(back) != i.o.SignedOutURL || given.Has(other):
		http.Error(w, "that is no page of the client", http.StatusBadRequest)
	case i.o.SignOut == SignOutByHint && !i.issued(given.Get("id_token_hint")):
		http.Error(w, "id_token_hint is not an id token of the client", http.StatusBadRequest)
	default:
		http.Redirect(w, q, i.o.SignedOutURL, http.StatusSeeOther)
	}
}

// issued reports whether a text is an id token of the client, which may have
// expired (OpenID Connect RP-Initiated Logout 1.0, section 4).
func (i *Issuer) issued(token string) bool {
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return false
	}
	for _, key := range i.published() {
		payload, err := signed.Verify(key.Public())
		var claims struct {
			Audience string `json:"aud"`
		}
		if err == nil && json.Unmarshal(payload, &claims) == nil && claims.Audience == i.o.ClientID {
			return true
		}
	}
	return false
}

func sayJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client is gone
}
