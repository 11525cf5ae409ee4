package oidc

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	// keepFor is how long the issuer's description and keys are used before they
	// are read again, so that a key that it has withdrawn stops being good.
	keepFor = 10 * time.Minute
	// againAfter is how soon they may be read again: whoever knocks with a token
	// of an unknown key must not be able to spend calls.
	againAfter = 10 * time.Second
	// skew is how far the issuer's clock may be behind or ahead of ours.
	skew = time.Minute
	// maxAnswer bounds an answer of the issuer, in bytes.
	maxAnswer = 1 << 20
	// maxToken bounds a token, in bytes; API Gateway's headers have 10 kB in all.
	maxToken = 16 << 10
)

// Issuer is the OpenID Connect provider that people sign in at. What it says of
// itself (OpenID Connect Discovery 1.0) and its keys are read when they are
// first needed, from its own host and the allowed ones alone, by https; http
// serves on this machine.
//
// It is safe for concurrent use.
type Issuer struct {
	o      IssuerOptions
	client *http.Client

	mu     sync.Mutex
	kept   *provider
	failed time.Time // of the last read that failed, if none succeeded since
	err    error
}

// IssuerOptions are an issuer's settings.
type IssuerOptions struct {
	URL      string // as its tokens name it
	ClientID string
	// Audience is what access tokens must be for; empty: none are taken. It is
	// another than ClientID, or a token that says who signed in would do.
	Audience string
	// Hosts are the hosts besides URL's own that its description may name.
	Hosts  []string
	Scopes []string // openid among them
	// CognitoLogoutURL is the logout endpoint of Amazon Cognito, which takes
	// logout_uri; empty: the end_session_endpoint of the description is used, as
	// OpenID Connect RP-Initiated Logout 1.0 has it.
	CognitoLogoutURL string
	RedirectURL      string
	// ClientSecrets are the valid ones, the one to try first at the front. Again
	// says that the ones told before were refused.
	ClientSecrets func(ctx context.Context, again bool) ([]string, error)
	Client        *http.Client
	Now           func() time.Time
}

// provider is what the issuer says of itself.
type provider struct {
	Authorize  string   `json:"authorization_endpoint"`
	Token      string   `json:"token_endpoint"`
	Keys       string   `json:"jwks_uri"`
	EndSession string   `json:"end_session_endpoint"`
	Algorithms []string `json:"id_token_signing_alg_values_supported"`
	Methods    []string `json:"token_endpoint_auth_methods_supported"`
	NamesSelf  bool     `json:"authorization_response_iss_parameter_supported"`
	// Prompts is defined in section 4 of "Initiating User Registration via OpenID
	// Connect 1.0".
	Prompts []string `json:"prompt_values_supported"`

	keys oidc.KeySet
	at   time.Time
}

// algorithms are the signatures that are taken: those with a public key.
var algorithms = []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA}

// unavailableError means that the issuer cannot be asked, which may pass.
type unavailableError struct{ cause error }

func (e unavailableError) Error() string { return "the issuer cannot be asked: " + e.cause.Error() }
func (e unavailableError) Unwrap() error { return e.cause }

// NewIssuer returns the issuer. It does not use the network.
func NewIssuer(o IssuerOptions) *Issuer {
	t := &transport{base: o.Client.Transport, now: o.Now, hosts: slices.Clone(o.Hosts), kept: map[string]fetched{}}
	if t.base == nil {
		t.base = http.DefaultTransport
	}
	if u, err := url.Parse(o.URL); err == nil {
		t.hosts = append(t.hosts, u.Host)
	}
	return &Issuer{o: o, client: &http.Client{
		Transport: t, Timeout: cmp.Or(o.Client.Timeout, 5*time.Second),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// provider returns what the issuer says of itself. One that is older than
// keepFor stays in use while the issuer cannot be reached.
func (i *Issuer) provider(ctx context.Context) (*provider, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := i.o.Now()
	fresh := i.kept != nil && now.Sub(i.kept.at) < keepFor
	if justFailed := !i.failed.IsZero() && now.Sub(i.failed) < againAfter; !fresh && !justFailed {
		p, err := i.discover(ctx)
		if err == nil {
			p.at = now
			i.kept, i.failed, i.err = p, time.Time{}, nil
		} else {
			i.failed, i.err = now, unavailableError{fmt.Errorf("what %s says of itself: %w", i.o.URL, err)}
		}
	}
	if i.kept == nil {
		return nil, i.err
	}
	return i.kept, nil
}

func (i *Issuer) discover(ctx context.Context) (*provider, error) {
	// Everyone who waits shares this read, so it does not end with the context of
	// the one who came first; the client has a time-out.
	ctx = oidc.ClientContext(context.WithoutCancel(ctx), i.client)
	found, err := oidc.NewProvider(ctx, i.o.URL)
	if err != nil {
		return nil, err
	}
	p := &provider{}
	if err := found.Claims(p); err != nil {
		return nil, err
	}
	t := i.client.Transport.(*transport)
	for name, s := range map[string]string{"authorization_endpoint": p.Authorize, "token_endpoint": p.Token, "jwks_uri": p.Keys, "end_session_endpoint": p.EndSession} {
		u, err := url.Parse(s)
		if (err != nil || !t.allowed(u)) && (s != "" || name != "end_session_endpoint") {
			return nil, fmt.Errorf("its %s is no https URL of its own host: add the host to OIDC_HOSTS if it belongs to the issuer", name)
		}
	}
	if p.Algorithms = slices.DeleteFunc(p.Algorithms, func(a string) bool { return !slices.Contains(algorithms, a) }); len(p.Algorithms) == 0 {
		p.Algorithms = []string{oidc.RS256} // OpenID Connect Core 1.0, section 15.1
	}
	p.keys = oidc.NewRemoteKeySet(ctx, p.Keys)
	return p, nil
}

func (i *Issuer) oauth(p *provider, secret string) *oauth2.Config {
	// The default is client_secret_basic (OpenID Connect Discovery 1.0, section 3).
	style := oauth2.AuthStyleInHeader
	if len(p.Methods) > 0 && !slices.Contains(p.Methods, "client_secret_basic") {
		style = oauth2.AuthStyleInParams
	}
	return &oauth2.Config{ClientID: i.o.ClientID, ClientSecret: secret, RedirectURL: i.o.RedirectURL, Scopes: i.o.Scopes,
		Endpoint: oauth2.Endpoint{AuthURL: p.Authorize, TokenURL: p.Token, AuthStyle: style}}
}

// signInURL is where the browser goes to sign in.
func (i *Issuer) signInURL(ctx context.Context, state, nonce, verifier string, anew bool) (string, error) {
	p, err := i.provider(ctx)
	if err != nil {
		return "", err
	}
	options := []oauth2.AuthCodeOption{oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)}
	if anew {
		// Either asks who is signing in. Issuers refuse a value that they do not
		// list: then nothing is sent.
		for _, prompt := range []string{"select_account", "login"} {
			if slices.Contains(p.Prompts, prompt) {
				options = append(options, oauth2.SetAuthURLParam("prompt", prompt))
				break
			}
		}
	}
	return i.oauth(p, "").AuthCodeURL(state, options...), nil
}

// signOutURL is where the browser ends its session at the issuer itself, empty
// if there is no such place. IDToken is the one of the sign-in, if it is known.
func (i *Issuer) signOutURL(ctx context.Context, back, idToken string) string {
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

// named reports whether an answer of the authorization endpoint that names its
// issuer, or does not, may be this one's (RFC 9207).
func (i *Issuer) named(ctx context.Context, iss string) bool {
	if iss != "" {
		return iss == i.o.URL
	}
	p, err := i.provider(ctx)
	return err != nil || !p.NamesSelf
}

// redeem returns the id token of who signed in, and its claims, for the code that
// the browser brought. An unavailableError may pass; any other is a refusal.
func (i *Issuer) redeem(ctx context.Context, code, verifier, nonce string) (raw string, all map[string]any, err error) {
	p, err := i.provider(ctx)
	if err != nil {
		return "", nil, err
	}
	token, err := i.exchange(ctx, p, code, verifier)
	if err != nil {
		return "", nil, err
	}
	if raw, _ = token.Extra("id_token").(string); raw == "" {
		return "", nil, errors.New("the issuer gave no id token")
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
		return "", nil, errors.New("the id token is of another sign-in")
	}
	all, err = claimsOf(id)
	return raw, all, err
}

// exchange has the code exchanged. A secret that the issuer refuses may have
// been rotated since it was read.
func (i *Issuer) exchange(ctx context.Context, p *provider, code, verifier string) (*oauth2.Token, error) {
	tried := map[string]bool{}
	var last error
	for _, again := range []bool{false, true} {
		secrets, err := i.o.ClientSecrets(ctx, again)
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
	return nil, unavailableError{fmt.Errorf("%w: check clientSecret in CONSOLE_SECRET and OIDC_CLIENT_ID", last)}
}

// describe leaves out of an error what the issuer's answer says: it may hold a
// token, or somebody's data.
func describe(err error) error {
	refused, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		return err
	}
	status := 0
	if refused.Response != nil {
		status = refused.Response.StatusCode
	}
	return fmt.Errorf("the issuer answered the code with %d %s", status, word(refused.ErrorCode))
}

// word returns an error code as RFC 6749 has them, and "error" for anything
// else, which may say more than a log should.
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

// bearer returns the claims of who shows an access token. An unavailableError
// may pass; any other is a refusal.
func (i *Issuer) bearer(ctx context.Context, raw string) (map[string]any, error) {
	if i.o.Audience == "" {
		return nil, errors.New("no access tokens are taken: API_AUDIENCE is not set")
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

// accessTokenFor says why a token does not open the API to its bearer. It must
// name the audience (RFC 9068, section 4). Amazon Cognito's access tokens have no
// aud: then token_use must be access, and client_id the audience. A token whose
// token_use is another word, such as an id token's, is refused whomever it is for
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
		return errors.New("it has no audience, nor token_use and API_AUDIENCE as its client_id")
	}
	return nil
}

// verify checks a token's signature, issuer and times, and its audience unless
// that is empty.
func (i *Issuer) verify(ctx context.Context, p *provider, raw, audience string) (*oidc.IDToken, error) {
	if len(raw) > maxToken {
		return nil, errors.New("the token is too large")
	}
	keys := &askedKeys{KeySet: p.keys}
	token, err := oidc.NewVerifier(i.o.URL, keys, &oidc.Config{
		ClientID: audience, SkipClientIDCheck: audience == "", SupportedSigningAlgs: p.Algorithms,
		// The library allows a token that is not good yet five minutes, and one
		// that is not good any more none.
		Now: func() time.Time { return i.o.Now().Add(-skew) },
	}).Verify(ctx, raw)
	if away, ok := errors.AsType[unavailableError](keys.err); ok {
		return nil, away
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("the token: %w", err)
	case token.Subject == "" || len(token.Subject) > 255: // OpenID Connect Core 1.0, section 2
		return nil, errors.New("the token has no subject of 1 to 255 characters")
	}
	return token, nil
}

// askedKeys remembers why the keys could not be had: the verifier's own error
// does not wrap it.
type askedKeys struct {
	oidc.KeySet
	err error
}

func (k *askedKeys) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
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

// transport goes to the issuer's hosts alone. What it reads there it keeps for
// againAfter, whatever it was.
type transport struct {
	base  http.RoundTripper
	hosts []string
	now   func() time.Time

	mu   sync.Mutex
	kept map[string]fetched // by URL; the issuer's description names few
}

type fetched struct {
	at   time.Time
	body []byte
	err  error
}

// allowed reports whether u is a page of the issuer.
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
		return nil, fmt.Errorf("%s is no host of the issuer: add it to OIDC_HOSTS if it is", q.URL.Host)
	}
	if q.Method != http.MethodGet {
		return t.base.RoundTrip(q)
	}
	t.mu.Lock()
	f, ok := t.kept[q.URL.String()]
	t.mu.Unlock()
	if !ok || t.now().Sub(f.at) >= againAfter {
		f = t.fetch(q)
		t.mu.Lock()
		t.kept[q.URL.String()] = f
		t.mu.Unlock()
	}
	if f.err != nil {
		return nil, f.err
	}
	return &http.Response{StatusCode: http.StatusOK, Status: "200 OK", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(f.body)), ContentLength: int64(len(f.body)), Request: q}, nil
}

func (t *transport) fetch(q *http.Request) fetched {
	fail := func(err error) fetched { return fetched{at: t.now(), err: unavailableError{err}} }
	r, err := t.base.RoundTrip(q)
	if err != nil {
		return fail(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(io.LimitReader(r.Body, maxAnswer+1))
	switch {
	case err != nil:
		return fail(err)
	case r.StatusCode != http.StatusOK:
		return fail(fmt.Errorf("%s answered %d", q.URL.Redacted(), r.StatusCode))
	case len(body) > maxAnswer:
		return fail(fmt.Errorf("%s answered more than %d bytes", q.URL.Redacted(), maxAnswer))
	}
	return fetched{at: t.now(), body: body}
}
