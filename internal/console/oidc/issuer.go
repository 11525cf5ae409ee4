package oidc

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

const (
	// keepFor is how long the issuer's metadata and keys are used before they are
	// fetched again, so that keys that it has withdrawn become invalid.
	keepFor = 10 * time.Minute
	// fetchInterval is the shortest time between two fetches of one URL. Without it
	// each token with an unknown key would cost a call, and issuers limit those.
	fetchInterval = 10 * time.Second
	// skew is how far the issuer's clock may be behind or ahead of ours.
	skew = time.Minute
)

// issuerClient calls the OpenID Connect provider at which users sign in. Its metadata
// (OpenID Connect Discovery 1.0) and keys are fetched when they are first needed,
// by https from its own host and the allowed ones only; http is for loopback.
//
// It is safe for concurrent use.
type issuerClient struct {
	o         Options
	transport *transport
	client    *http.Client

	mu   sync.Mutex
	kept *provider
}

// provider is the issuer's metadata.
type provider struct {
	Authorize  string   `json:"authorization_endpoint"`
	Token      string   `json:"token_endpoint"`
	Keys       string   `json:"jwks_uri"`
	EndSession string   `json:"end_session_endpoint"`
	Methods    []string `json:"token_endpoint_auth_methods_supported"`
	NamesSelf  bool     `json:"authorization_response_iss_parameter_supported"`
	// Prompts is defined in section 4 of "Initiating User Registration via OpenID
	// Connect 1.0".
	Prompts []string `json:"prompt_values_supported"`

	keys oidc.KeySet
	at   time.Time
}

// algorithms are the accepted signatures: those with a public key.
var algorithms = []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA}

// unavailableError means that the issuer is unavailable for now.
type unavailableError struct{ cause error }

func (e unavailableError) Error() string { return "issuer unavailable: " + e.cause.Error() }
func (e unavailableError) Unwrap() error { return e.cause }

func newIssuerClient(o Options) *issuerClient {
	t := &transport{base: o.Client.Transport, now: o.Now, hosts: slices.Clone(o.Hosts), fetched: map[string]fetch{}}
	if t.base == nil {
		t.base = http.DefaultTransport
	}
	if u, err := url.Parse(o.Issuer); err == nil {
		t.hosts = append(t.hosts, u.Host)
	}
	return &issuerClient{o: o, transport: t, client: &http.Client{
		Transport: t, Timeout: cmp.Or(o.Client.Timeout, 5*time.Second),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// provider returns the issuer's metadata. If they are older than keepFor and
// cannot be fetched again, they stay in use.
func (i *issuerClient) provider(ctx context.Context) (*provider, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := i.o.Now()
	if i.kept != nil && now.Sub(i.kept.at) < keepFor {
		return i.kept, nil
	}
	p, err := i.discover(ctx)
	switch {
	case err == nil:
		p.at, i.kept = now, p
	case i.kept == nil:
		return nil, unavailableError{fmt.Errorf("metadata of %s: %w", i.o.Issuer, err)}
	}
	return i.kept, nil
}

func (i *issuerClient) discover(ctx context.Context) (*provider, error) {
	// All callers that wait share this call, so it does not end with the context
	// of the first one; the client has a time-out.
	ctx = oidc.ClientContext(context.WithoutCancel(ctx), i.client)
	found, err := oidc.NewProvider(ctx, i.o.Issuer)
	if err != nil {
		return nil, err
	}
	p := &provider{}
	if err := found.Claims(p); err != nil {
		return nil, err
	}
	for name, s := range map[string]string{"authorization_endpoint": p.Authorize, "token_endpoint": p.Token, "jwks_uri": p.Keys, "end_session_endpoint": p.EndSession} {
		u, err := url.Parse(s)
		if (err != nil || !i.transport.allowed(u)) && (s != "" || name != "end_session_endpoint") {
			return nil, fmt.Errorf("its %s is not an https URL of its own host: add the host to OIDC_HOSTS if it belongs to the issuer", name)
		}
	}
	i.transport.forget() // the new key set is empty
	p.keys = oidc.NewRemoteKeySet(ctx, p.Keys)
	return p, nil
}

func (i *issuerClient) oauth(p *provider, secret string) *oauth2.Config {
	// The default is client_secret_basic (OpenID Connect Discovery 1.0, section 3).
	style := oauth2.AuthStyleInHeader
	if len(p.Methods) > 0 && !slices.Contains(p.Methods, "client_secret_basic") {
		style = oauth2.AuthStyleInParams
	}
	return &oauth2.Config{ClientID: i.o.ClientID, ClientSecret: secret, RedirectURL: RedirectURL(i.o.PublicURL), Scopes: i.o.Scopes,
		Endpoint: oauth2.Endpoint{AuthURL: p.Authorize, TokenURL: p.Token, AuthStyle: style}}
}

// signInURL returns the address at which the user signs in.
func (i *issuerClient) signInURL(ctx context.Context, state, nonce, verifier string, selectAccount bool) (string, error) {
	p, err := i.provider(ctx)
	if err != nil {
		return "", err
	}
	options := []oauth2.AuthCodeOption{oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)}
	if selectAccount {
		// With either value the issuer asks which user signs in. Issuers refuse values
		// that they do not list.
		for _, prompt := range []string{"select_account", "login"} {
			if slices.Contains(p.Prompts, prompt) {
				options = append(options, oauth2.SetAuthURLParam("prompt", prompt))
				break
			}
		}
	}
	return i.oauth(p, "").AuthCodeURL(state, options...), nil
}

// signOutURL returns the address at which the browser ends its session at the issuer,
// or an empty text if the issuer has none. idToken may be empty.
func (i *issuerClient) signOutURL(ctx context.Context, back, idToken string) string {
	endpoint, parameters := i.o.CognitoLogoutURL, url.Values{"client_id": {i.o.ClientID}}
	if endpoint != "" {
		// "Logout endpoint", Amazon Cognito Developer Guide: client_id, and logout_uri
		// as it is registered with the app client.
		parameters.Set("logout_uri", back)
	} else {
		p, err := i.provider(ctx)
		if err != nil || p.EndSession == "" {
			return ""
		}
		// OpenID Connect RP-Initiated Logout 1.0, section 2. Okta refuses a request
		// without the hint ("The Purpose of id_token_hint in the /logout API", Okta
		// Help Center).
		endpoint = p.EndSession
		parameters.Set("post_logout_redirect_uri", back)
		if idToken != "" {
			parameters.Set("id_token_hint", idToken)
		}
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		return ""
	}
	query := u.Query()
	for name := range parameters {
		query.Set(name, parameters.Get(name))
	}
	u.RawQuery = query.Encode()
	return u.String()
}

// named reports whether the parameter iss of an authorization response is that of
// this issuer (RFC 9207).
func (i *issuerClient) named(ctx context.Context, iss string) bool {
	if iss != "" {
		return iss == i.o.Issuer
	}
	p, err := i.provider(ctx)
	return err != nil || !p.NamesSelf
}

// redeem exchanges an authorization code for an id token, and returns the token and
// its claims. Any error but an unavailableError is a refusal.
func (i *issuerClient) redeem(ctx context.Context, code, verifier, nonce string) (raw string, all map[string]any, err error) {
	p, err := i.provider(ctx)
	if err != nil {
		return "", nil, err
	}
	token, err := i.exchange(ctx, p, code, verifier)
	if err != nil {
		return "", nil, err
	}
	if raw, _ = token.Extra("id_token").(string); raw == "" {
		return "", nil, errors.New("the issuer returned no id token")
	}
	id, err := i.verify(ctx, p, raw, i.o.ClientID)
	if err != nil {
		return "", nil, err
	}
	// OpenID Connect Core 1.0, section 3.1.3.7, steps 4, 5 and 11.
	var claims struct {
		AuthorizedParty string `json:"azp"`
	}
	if err := id.Claims(&claims); err != nil {
		return "", nil, err
	}
	switch {
	case len(id.Audience) > 1 && claims.AuthorizedParty == "", claims.AuthorizedParty != "" && claims.AuthorizedParty != i.o.ClientID:
		return "", nil, errors.New("the id token was issued to another client")
	case !same(id.Nonce, nonce):
		return "", nil, errors.New("the id token is for another sign-in")
	}
	all, err = claimsOf(id)
	return raw, all, err
}

// exchange exchanges the code. If the issuer refuses a secret, it may have been
// rotated since it was read.
func (i *issuerClient) exchange(ctx context.Context, p *provider, code, verifier string) (*oauth2.Token, error) {
	tried := map[string]bool{}
	var last error
	for _, refetch := range []bool{false, true} {
		secrets, err := i.o.ClientSecrets(ctx, refetch)
		if err != nil {
			return nil, unavailableError{err}
		}
		for _, secret := range secrets {
			if tried[secret] {
				continue
			}
			tried[secret] = true
			token, err := i.oauth(p, secret).Exchange(oidc.ClientContext(ctx, i.client), code, oauth2.VerifierOption(verifier))
			refused, answered := errors.AsType[*oauth2.RetrieveError](err)
			switch {
			case err == nil:
				return token, nil
			case !answered || refused.Response != nil && refused.Response.StatusCode >= http.StatusInternalServerError:
				return nil, unavailableError{describe(err)}
			}
			if last = describe(err); refused.ErrorCode != "invalid_client" && (refused.Response == nil || refused.Response.StatusCode != http.StatusUnauthorized) {
				return nil, last
			}
		}
	}
	return nil, unavailableError{fmt.Errorf("%w: check clientSecret in CONSOLE_SECRET_ARN and OIDC_CLIENT_ID", last)}
}

// describe leaves the issuer's answer out of an error, since it may contain a token
// or personal data.
func describe(err error) error {
	refused, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		return err
	}
	status := 0
	if refused.Response != nil {
		status = refused.Response.StatusCode
	}
	return fmt.Errorf("exchange code: the issuer answered %d %s", status, word(refused.ErrorCode))
}

// word returns an error code of the form of RFC 6749, and "error" for anything else,
// which may not be fit for a log.
func word(code string) string {
	for _, c := range code {
		if (c < 'a' || c > 'z') && c != '_' {
			return "error"
		}
	}
	if code == "" || len(code) > 40 {
		return "error"
	}
	return code
}

// bearer returns the claims of an access token. Any error but an unavailableError is
// a refusal.
func (i *issuerClient) bearer(ctx context.Context, raw string) (map[string]any, error) {
	if i.o.Audience == "" {
		return nil, errors.New("access tokens are refused: API_AUDIENCE is not set")
	}
	p, err := i.provider(ctx)
	if err != nil {
		return nil, err
	}
	token, err := i.verify(ctx, p, raw, "")
	if err != nil {
		return nil, err
	}
	claims, err := claimsOf(token)
	if err != nil {
		return nil, err
	}
	return claims, accessTokenFor(i.o.Audience, token.Audience, claims)
}

// accessTokenFor returns why a token is not an access token for the API. It must
// name the audience (RFC 9068, section 4). Amazon Cognito's access tokens have no
// aud: then token_use must be access, and client_id the audience. A token whose
// token_use is another word, such as an id token's, is refused for any audience
// ("Verifying JSON web tokens", Amazon Cognito Developer Guide).
func accessTokenFor(audience string, named []string, claims map[string]any) error {
	use, hasUse := claims["token_use"]
	_, hasAudience := claims["aud"]
	switch {
	case hasUse && use != "access":
		return errors.New("its token_use is not access")
	case hasAudience && !slices.Contains(named, audience):
		return errors.New("its audience is not API_AUDIENCE")
	case !hasAudience && (!hasUse || text(claims, "client_id") != audience):
		return errors.New("it has neither an audience nor token_use with API_AUDIENCE as its client_id")
	}
	return nil
}

// verify checks a token's signature, issuer and times, and its audience unless
// that is empty.
func (i *issuerClient) verify(ctx context.Context, p *provider, raw, audience string) (*oidc.IDToken, error) {
	keys := &keySet{KeySet: p.keys}
	token, err := oidc.NewVerifier(i.o.Issuer, keys, &oidc.Config{
		ClientID: audience, SkipClientIDCheck: audience == "", SupportedSigningAlgs: algorithms,
		// The library allows five minutes before a token becomes valid, and none
		// after it expires.
		Now: func() time.Time { return i.o.Now().Add(-skew) },
	}).Verify(ctx, raw)
	if unavailable, ok := errors.AsType[unavailableError](keys.err); ok {
		return nil, unavailable
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("token: %w", err)
	case token.Subject == "" || len(token.Subject) > 255: // OpenID Connect Core 1.0, section 2
		return nil, errors.New("the token has no subject of 1 to 255 characters")
	}
	return token, nil
}

// keySet remembers the error of fetching the keys, which the verifier's error does
// not wrap.
type keySet struct {
	oidc.KeySet
	err error
}

func (k *keySet) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	payload, err := k.KeySet.VerifySignature(ctx, jwt)
	k.err = err
	return payload, err
}

func claimsOf(t *oidc.IDToken) (map[string]any, error) {
	var raw json.RawMessage
	if err := t.Claims(&raw); err != nil {
		return nil, err
	}
	return decode(raw)
}

// transport calls the issuer's hosts only, and fetches a URL once in
// fetchInterval.
type transport struct {
	base  http.RoundTripper
	hosts []string
	now   func() time.Time

	mu      sync.Mutex
	fetched map[string]fetch // by URL: the metadata and the keys
}

// errRecent means that a URL was fetched less than fetchInterval ago.
var errRecent = errors.New("fetched a moment ago")

// fetch is the last fetch of a URL, and its error.
type fetch struct {
	at  time.Time
	err error
}

// allowed reports whether u is a URL of the issuer.
func (t *transport) allowed(u *url.URL) bool {
	return u.User == nil && slices.ContainsFunc(t.hosts, func(h string) bool { return strings.EqualFold(h, u.Host) }) &&
		(u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()))
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (t *transport) RoundTrip(q *http.Request) (*http.Response, error) {
	if !t.allowed(q.URL) {
		if q.Body != nil {
			_ = q.Body.Close() // as http.RoundTripper asks; nothing was read
		}
		return nil, fmt.Errorf("%s is not a host of the issuer: add it to OIDC_HOSTS if it is", q.URL.Host)
	}
	if q.Method != http.MethodGet {
		return t.base.RoundTrip(q)
	}
	key := q.URL.String()
	t.mu.Lock()
	last, ok := t.fetched[key]
	now := t.now()
	recent := ok && now.Sub(last.at) < fetchInterval
	t.mu.Unlock()
	switch {
	case recent && last.err != nil:
		return nil, last.err
	case recent:
		return nil, errRecent
	}
	r, err := t.base.RoundTrip(q)
	if err == nil && r.StatusCode != http.StatusOK {
		_ = r.Body.Close()
		err = fmt.Errorf("%s answered %d", q.URL.Redacted(), r.StatusCode)
	}
	if err != nil {
		r, err = nil, unavailableError{err}
	}
	t.mu.Lock()
	t.fetched[key] = fetch{at: now, err: err}
	t.mu.Unlock()
	return r, err
}

// forget allows all URLs to be fetched again.
func (t *transport) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.fetched)
}
