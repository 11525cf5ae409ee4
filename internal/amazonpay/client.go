package amazonpay

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// Config says whose API is called and how. Region, PublicKeyID, PrivateKey and
// (unless the key id names it) Environment are needed; the zero value of
// everything else is fit for use.
type Config struct {
	Region Region

	// Environment must agree with the public key id where that begins with
	// LIVE or SANDBOX, and may then be left out. Such a key chooses the
	// environment, and the URL does not name it.
	Environment Environment

	// PublicKeyID is what Seller Central shows for the key pair.
	PublicKeyID string

	// PrivateKey signs every request; see ParsePrivateKey.
	PrivateKey *rsa.PrivateKey

	// Algorithm is PSSV2 if empty.
	Algorithm Algorithm

	// HTTPClient makes the requests; nil means NewHTTPClient(nil, 32). Only its
	// transport and time-out are used: redirects and cookies are refused.
	HTTPClient *http.Client

	// AttemptTimeout bounds one attempt, from connecting to the response's
	// last byte; 0 means 8 s. The caller's context bounds all of them.
	AttemptTimeout time.Duration

	// Retry decides what follows when attempt n (1 for the first) has failed
	// with err: how long to wait before the next, or a negative duration to
	// give up, whereupon the call returns err. A wait that would outlast the
	// context's deadline also gives up, without waiting; once the context has
	// ended, Retry is not asked.
	//
	// nil tries up to three times more when Temporary(err) holds. It waits a
	// random time of up to 1, 2 and 4 s ("full jitter"), plus what Amazon's
	// Retry-After asked for. NoRetry makes one attempt only.
	//
	// Every attempt is signed anew. Completing a Checkout Session repeats its
	// idempotency key, so that Amazon acts once.
	//
	// Whatever Retry says, net/http itself repeats a request, as it is, when a
	// kept connection turns out to have been closed by the server before it
	// answered.
	Retry func(n int, err error) time.Duration

	// UserAgent is sent with each request, unsigned; empty means "walletsync".
	UserAgent string

	// Now tells the time for signatures and durations; nil means time.Now.
	Now func() time.Time

	// Rand gives the salts of signatures and the jitter of the default Retry;
	// nil means crypto/rand.Reader. It must be safe for concurrent use.
	Rand io.Reader
}

// Client calls the Amazon Pay API for one merchant account in one environment.
// It is safe for concurrent use.
type Client struct {
	region      Region
	environment Environment
	baseURL     string // scheme, host and the path that every call begins with
	signer      signer
	http        *http.Client
	timeout     time.Duration
	retry       func(n int, err error) time.Duration
	userAgent   string
	now         func() time.Time
}

// maxResponse bounds a response's body, in bytes. Charge Permissions have
// about 3 kB.
const maxResponse = 1 << 20

// plain reports whether s has 1 to most letters, digits and others given.
func plain(s string, most int, others string) bool {
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(others, r) {
			return false
		}
	}
	return s != "" && len(s) <= most
}

// New returns a client, or an error that says which setting is wrong.
func New(c Config) (*Client, error) {
	host := c.Region.Host()
	if host == "" {
		return nil, fmt.Errorf("amazonpay: region %q is none of NA, EU and JP", clip(string(c.Region), 40))
	}
	// An opaque text; these are the characters that fit into the header.
	if !plain(c.PublicKeyID, 128, "._~+/-") {
		return nil, errors.New("amazonpay: the public key id is empty or malformed")
	}
	environment, bound := KeyEnvironment(c.PublicKeyID)
	if !bound {
		environment = c.Environment
	}
	switch {
	case environment != Live && environment != Sandbox:
		return nil, fmt.Errorf("amazonpay: environment %q is neither live nor sandbox", clip(string(environment), 40))
	case c.Environment != "" && c.Environment != environment:
		return nil, fmt.Errorf("amazonpay: the public key id is for %s, the environment is %q", environment, clip(string(c.Environment), 40))
	}
	if err := checkKey(c.PrivateKey); err != nil {
		return nil, fmt.Errorf("amazonpay: private key: %w", err)
	}
	algorithm := cmp.Or(c.Algorithm, PSSV2)
	if algorithm.saltLength() == 0 {
		return nil, fmt.Errorf("amazonpay: algorithm %q is neither %s nor %s", clip(string(algorithm), 40), PSSV2, PSS)
	}
	if c.AttemptTimeout < 0 {
		return nil, errors.New("amazonpay: the attempt's time-out is negative")
	}
	if c.UserAgent != "" && !plain(c.UserAgent, 256, " ._~+/;:,()-") {
		return nil, errors.New("amazonpay: the user agent is too long, or has characters other than letters, digits, spaces and ._~+/;:,()-")
	}

	random := c.Rand
	if random == nil {
		random = rand.Reader
	}
	client := &Client{
		region:      c.Region,
		environment: environment,
		baseURL:     "https://" + host + "/v2/",
		signer:      signer{key: c.PrivateKey, keyID: c.PublicKeyID, algorithm: algorithm, rand: random},
		timeout:     cmp.Or(c.AttemptTimeout, 8*time.Second),
		retry:       c.Retry,
		userAgent:   cmp.Or(c.UserAgent, "walletsync"),
		now:         c.Now,
	}
	if !bound {
		client.baseURL = "https://" + host + "/" + string(environment) + "/v2/"
	}
	if client.now == nil {
		client.now = time.Now
	}
	if client.retry == nil {
		client.retry = backoff{rand: random}.retry
	}
	// A client of its own, because the caller's may serve others too.
	client.http = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	if c.HTTPClient != nil {
		client.http.Transport, client.http.Timeout = c.HTTPClient.Transport, c.HTTPClient.Timeout
	}
	if client.http.Transport == nil {
		client.http.Transport = NewHTTPClient(nil, defaultInFlight).Transport
	}
	return client, nil
}

// Region returns the region that the client calls.
func (c *Client) Region() Region { return c.region }

// Environment returns the environment that the client calls: the key's where
// that is bound to one.
func (c *Client) Environment() Environment { return c.environment }

// Algorithm returns the algorithm of the client's signatures. checkout.js must
// be given its name beside a button signature, unless it is PSS.
func (c *Client) Algorithm() Algorithm { return c.signer.algorithm }

// GetChargePermission returns the charge permission as it now stands at
// Amazon, as far as Amazon's replicas agree on what now is.
func (c *Client) GetChargePermission(ctx context.Context, id string) (*ChargePermission, error) {
	var p *ChargePermission
	err := c.call(ctx, call{
		name:   "get charge permission",
		method: http.MethodGet,
		kind:   "chargePermissions",
		id:     id,
		decode: func(body []byte, r Response) (err error) {
			p, err = decodeChargePermission(body, id, r)
			return err
		},
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// GetCheckoutSession returns the Checkout Session as it now stands.
func (c *Client) GetCheckoutSession(ctx context.Context, id string) (*CheckoutSession, error) {
	return c.checkoutSession(ctx, call{
		name:   "get checkout session",
		method: http.MethodGet,
		kind:   "checkoutSessions",
		id:     id,
	})
}

// CompleteCheckoutSession completes the Checkout Session of an update: one
// without a charge, so that its request is empty.
//
// The idempotency key (1 to 32 letters, digits, dashes and underscores; a UUID
// must lose its dashes) makes repeating the call safe: Amazon remembers it
// without end for the merchant account and gives the first answer again. Under
// another request it is refused as DuplicateIdempotencyKey.
//
// That the buyer cancelled is the error [ReasonCheckoutSessionCanceled]. One of
// [ReasonInvalidCheckoutSessionStatus] means that the session is completed or
// cancelled already: GetCheckoutSession tells which. After an error that is
// [Temporary] it is not known whether Amazon acted.
func (c *Client) CompleteCheckoutSession(ctx context.Context, id, idempotencyKey string) (*CheckoutSession, error) {
	return c.checkoutSession(ctx, call{
		name:           "complete checkout session",
		method:         http.MethodPost,
		kind:           "checkoutSessions",
		id:             id,
		action:         "/complete",
		body:           []byte("{}"),
		idempotencyKey: &idempotencyKey,
	})
}

func (c *Client) checkoutSession(ctx context.Context, req call) (*CheckoutSession, error) {
	var s *CheckoutSession
	req.decode = func(body []byte, r Response) (err error) {
		s, err = decodeCheckoutSession(body, req.id, r)
		return err
	}
	if err := c.call(ctx, req); err != nil {
		return nil, err
	}
	return s, nil
}

// SignPayload returns the signature that checkout.js needs beside the payload
// of a button. It is over the bytes given, so the page must pass exactly these;
// see [MarshalPayload]. It has no time stamp, and can be used as long as the
// payload does not change. The network is not asked.
func (c *Client) SignPayload(payload []byte) (signature string, err error) {
	signature, err = c.signer.sign(payload)
	if err != nil {
		return "", fmt.Errorf("amazonpay: sign payload: %w", err)
	}
	return signature, nil
}

// call is one call of the API, however many attempts it takes.
type call struct {
	name           string // for errors
	method         string
	kind, id       string // chargePermissions, B01-0000000-0000000
	action         string // what follows the id in the path
	query          url.Values
	body           []byte
	idempotencyKey *string // nil: none
	decode         func(body []byte, r Response) error
}

func (c *Client) call(ctx context.Context, req call) error {
	if !plain(req.id, 64, "_-") {
		return fmt.Errorf("amazonpay: %s: an id has 1 to 64 letters, digits, dashes and underscores", req.name)
	}
	// Amazon Pay API, "Idempotency".
	if req.idempotencyKey != nil && !plain(*req.idempotencyKey, 32, "_-") {
		return fmt.Errorf("amazonpay: %s %s: an idempotency key has 1 to 32 letters, digits, dashes and underscores", req.name, req.id)
	}
	for n := 1; ; n++ {
		err := c.attempt(ctx, req)
		if err == nil {
			return nil
		}
		err = fmt.Errorf("amazonpay: %s %s: %w", req.name, req.id, err)
		if ctx.Err() != nil {
			return err
		}
		wait := c.retry(n, err)
		if wait < 0 || !sleep(ctx, wait) {
			return err
		}
	}
}

// attempt makes one signed request. Its error is an *Error if there was an
// answer, and a *transportError otherwise.
func (c *Client) attempt(ctx context.Context, req call) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()

	start := c.now()
	// Amazon can have read the object no earlier than when the request got its
	// connection. The trace may be called again if the transport has to replace
	// a connection that the server had closed: the last one counts.
	var connected atomic.Int64
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(int64(c.now().Sub(start))) },
	})
	r, err := c.request(traced, req, start)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return &transportError{cause(err)}
	}
	defer resp.Body.Close()
	response := Response{
		StatusCode: resp.StatusCode,
		RequestID:  printable(resp.Header.Get("x-amz-pay-request-id"), 128),
		Duration:   max(0, c.now().Sub(start)-time.Duration(connected.Load())),
	}
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		response.Date = date.UTC()
	}

	// Read to the end, so that the connection can be used again.
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse+1))
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		// The status says enough, should the body be broken or too large.
		e := &Error{StatusCode: resp.StatusCode, Response: response}
		e.ReasonCode, e.Message = decodeError(body)
		e.RetryAfter = retryAfter(resp.Header.Get("Retry-After"), cmp.Or(response.Date, c.now()))
		return e
	}
	switch {
	case err != nil:
		err = &transportError{cause(err)}
	case len(body) > maxResponse:
		err = errTooLarge
	default:
		err = req.decode(body, response)
	}
	if err != nil {
		return &Error{StatusCode: resp.StatusCode, Response: response, Err: err}
	}
	return nil
}

// request returns the signed request of one attempt at the given time.
func (c *Client) request(ctx context.Context, req call, now time.Time) (*http.Request, error) {
	query := canonicalQuery(req.query)
	target := c.baseURL + req.kind + "/" + req.id + req.action
	if query != "" {
		target += "?" + query
	}
	r, err := http.NewRequestWithContext(ctx, req.method, target, bytes.NewReader(req.body))
	if err != nil {
		return nil, err
	}
	signed := []header{ // sorted by name
		{"accept", "application/json"},
		{"content-type", "application/json"},
		{"x-amz-pay-date", now.UTC().Format(dateFormat)},
		{"x-amz-pay-host", r.URL.Host},
	}
	if req.idempotencyKey != nil {
		signed = append(signed, header{"x-amz-pay-idempotency-key", *req.idempotencyKey})
		// Tells net/http, and no one else, that the request may be sent again
		// when a kept connection turns out to have been closed.
		r.Header["Idempotency-Key"] = []string{}
	}
	signed = append(signed, header{"x-amz-pay-region", string(c.region)})
	authorization, err := c.signer.authorization(canonicalRequest(req.method, r.URL.EscapedPath(), query, signed, req.body), signed)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	for _, h := range signed {
		r.Header.Set(h.name, h.value)
	}
	r.Header.Set("Authorization", authorization)
	r.Header.Set("User-Agent", c.userAgent)
	return r, nil
}
