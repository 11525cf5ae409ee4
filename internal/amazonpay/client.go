package amazonpay

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"

	"walletsync/internal/amazonpay/merchant"
)

// Config is the account and environment of a client, and how it connects. Region, PublicKeyID, PrivateKey,
// HTTPClient and (unless the key id names it) Environment are required.
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

	// HTTPClient makes the requests; see NewHTTPClient. Only its transport and
	// time-out are used: redirects and cookies are refused.
	HTTPClient *http.Client

	// Timeout bounds a call, from connecting to the response's last byte, as the
	// caller's context does; 0 means 8 s.
	Timeout time.Duration

	// UserAgent is sent with each request, unsigned; empty means "walletsync".
	UserAgent string

	// Now returns the time for signatures and durations; nil means time.Now.
	Now func() time.Time
}

// Client calls the Amazon Pay API for one merchant account in one environment.
// It is safe for concurrent use.
type Client struct {
	region    Region
	baseURL   string // scheme, host and the path that every call begins with
	signer    signer
	http      *http.Client
	timeout   time.Duration
	userAgent string
	now       func() time.Time
}

// maxResponse bounds a response's body, in bytes. Charge Permissions have
// about 3 kB.
const maxResponse = 1 << 20

// plain reports whether s has 1 to limit characters, each a-z, A-Z, 0-9 or in others.
func plain(s string, limit int, others string) bool {
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(others, r) {
			return false
		}
	}
	return s != "" && len(s) <= limit
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
	environment, bound := merchant.KeyEnvironment(c.PublicKeyID)
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
	if algorithm.SaltLength() == 0 {
		return nil, fmt.Errorf("amazonpay: algorithm %q is neither %s nor %s", clip(string(algorithm), 40), PSSV2, PSS)
	}
	if c.HTTPClient == nil || c.HTTPClient.Transport == nil {
		return nil, errors.New("amazonpay: the HTTP client or its transport is missing")
	}
	if c.Timeout < 0 {
		return nil, errors.New("amazonpay: the time-out is negative")
	}
	if c.UserAgent != "" && !plain(c.UserAgent, 256, " ._~+/;:,()-") {
		return nil, errors.New("amazonpay: the user agent is too long, or has characters other than letters, digits, spaces and ._~+/;:,()-")
	}

	client := &Client{
		region:    c.Region,
		baseURL:   "https://" + host + "/v2/",
		signer:    signer{key: c.PrivateKey, keyID: c.PublicKeyID, algorithm: algorithm},
		timeout:   cmp.Or(c.Timeout, 8*time.Second),
		userAgent: cmp.Or(c.UserAgent, "walletsync"),
		now:       c.Now,
		// A client of its own, because the caller's may serve others too.
		http: &http.Client{
			Transport:     c.HTTPClient.Transport,
			Timeout:       c.HTTPClient.Timeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	if !bound {
		client.baseURL = "https://" + host + "/" + string(environment) + "/v2/"
	}
	if client.now == nil {
		client.now = time.Now
	}
	return client, nil
}

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
// already cancelled: GetCheckoutSession returns which. After an error that is
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
// payload does not change. checkout.js must also be given the algorithm, unless
// it is PSS. No request is sent.
func (c *Client) SignPayload(payload []byte) (signature string, err error) {
	signature, err = c.signer.sign(payload)
	if err != nil {
		return "", fmt.Errorf("amazonpay: sign payload: %w", err)
	}
	return signature, nil
}

// call is one call of the API.
type call struct {
	name           string // for errors
	method         string
	kind, id       string // chargePermissions, B01-0000000-0000000
	action         string // what follows the id in the path
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
	if err := c.send(ctx, req); err != nil {
		return fmt.Errorf("amazonpay: %s %s: %w", req.name, req.id, err)
	}
	return nil
}

// send makes one signed request. Its error is an *Error if there was an
// answer, and a *transportError otherwise.
func (c *Client) send(ctx context.Context, req call) error {
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
		// The status is enough if the body is broken or too large.
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

// request returns the request of a call, signed at the given time.
func (c *Client) request(ctx context.Context, req call, now time.Time) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, req.method, c.baseURL+req.kind+"/"+req.id+req.action, bytes.NewReader(req.body))
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
		// Makes net/http, without sending the header, retry the request
		// when a kept connection turns out to have been closed.
		r.Header["Idempotency-Key"] = []string{}
	}
	signed = append(signed, header{"x-amz-pay-region", strings.ToLower(string(c.region))})
	authorization, err := c.signer.authorization(canonicalRequest(req.method, r.URL.EscapedPath(), signed, req.body), signed)
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
