// Package pay gives each account its signed client of the Amazon Pay API: built
// when first used, of the account's settings and the private key in Secrets
// Manager. It stands apart from package config because functions that do not
// call Amazon Pay must not link its client.
package pay

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"walletsync/internal/amazonpay"
	"walletsync/internal/config"
	"walletsync/internal/telemetry"
	"walletsync/internal/wallet"
)

// Keys gives the accounts' private keys; *config.Secrets does.
type Keys interface {
	Key(ctx context.Context, arn string, again bool) (config.Secret, error)
	PreviousKey(ctx context.Context, arn string) (config.Secret, bool, error)
}

// Options are what the clients of all accounts have in common.
type Options struct {
	Accounts   []config.Account
	Keys       Keys
	HTTPClient *http.Client
	Timeout    time.Duration // of one attempt
	Metrics    *telemetry.Metrics
	Now        func() time.Time
}

// Clients are the accounts' clients. They are safe for concurrent use.
type Clients struct {
	byAccount map[wallet.AccountID]*Client
}

// New returns the clients of the accounts, none of them built yet.
func New(o Options) *Clients {
	c := &Clients{map[wallet.AccountID]*Client{}}
	for _, a := range o.Accounts {
		c.byAccount[a.ID] = &Client{account: a, options: o, refused: map[string]time.Time{}}
	}
	return c
}

// Client returns an account's client.
func (c *Clients) Client(account wallet.AccountID) (*Client, error) {
	client, ok := c.byAccount[account]
	if !ok {
		return nil, fmt.Errorf("account %q is not configured", account)
	}
	return client, nil
}

// refusedFor is how long a key that Amazon Pay refused is not tried again while
// there is another.
const refusedFor = 5 * time.Minute

// Client calls the Amazon Pay API for one account, one attempt a call. When
// Amazon Pay refuses the key, it makes the call once more with another: the
// current one as Secrets Manager has it by then, or the one before it. So a key
// can be rotated in Secrets Manager and in Seller Central one after the other.
type Client struct {
	account config.Account
	options Options

	mu      sync.Mutex
	current string // the text of the current key as of the last look
	use     *keyed
	refused map[string]time.Time // texts of keys, and when
}

// keyed is a client with the key that it signs with.
type keyed struct {
	client *amazonpay.Client
	key    string
}

// GetChargePermission returns the charge permission as it now stands at Amazon.
// Its errors are those of package amazonpay, or of reading the key.
func (c *Client) GetChargePermission(ctx context.Context, id string) (*amazonpay.ChargePermission, error) {
	return call(ctx, c, func(a *amazonpay.Client) (*amazonpay.ChargePermission, error) {
		return a.GetChargePermission(ctx, id)
	})
}

// GetCheckoutSession returns the Checkout Session as it now stands at Amazon.
func (c *Client) GetCheckoutSession(ctx context.Context, id string) (*amazonpay.CheckoutSession, error) {
	return call(ctx, c, func(a *amazonpay.Client) (*amazonpay.CheckoutSession, error) {
		return a.GetCheckoutSession(ctx, id)
	})
}

// CompleteCheckoutSession completes the Checkout Session of an update.
func (c *Client) CompleteCheckoutSession(ctx context.Context, id, idempotencyKey string) (*amazonpay.CheckoutSession, error) {
	return call(ctx, c, func(a *amazonpay.Client) (*amazonpay.CheckoutSession, error) {
		return a.CompleteCheckoutSession(ctx, id, idempotencyKey)
	})
}

// SignPayload returns the signature that checkout.js needs beside a button's
// payload. Amazon Pay is not asked, so a key that it has ceased to accept is
// not noticed.
func (c *Client) SignPayload(ctx context.Context, payload []byte) (signature string, err error) {
	k, err := c.keyed(ctx)
	if err != nil {
		return "", err
	}
	return k.client.SignPayload(payload)
}

// call makes a call, and once more with another key if the one in use was
// refused.
func call[T any](ctx context.Context, c *Client, do func(*amazonpay.Client) (*T, error)) (*T, error) {
	k, err := c.keyed(ctx)
	if err != nil {
		return nil, err
	}
	got, err := counted(c, k, do)
	if !keyRefused(err) {
		return got, err
	}
	if other := c.other(ctx, k); other != nil {
		if got, err = counted(c, other, do); keyRefused(err) {
			c.refuse(other)
		}
	}
	if keyRefused(err) { // and there is no other: a rotation alone is no alarm
		c.options.Metrics.Count(telemetry.KeyRefused, 1, telemetry.Labels{Account: string(c.account.ID)})
	}
	return got, err
}

// counted makes one call and counts it.
func counted[T any](c *Client, k *keyed, do func(*amazonpay.Client) (*T, error)) (*T, error) {
	account := string(c.account.ID)
	start := c.options.Now()
	got, err := do(k.client)
	c.options.Metrics.Time(telemetry.APILatency, c.options.Now().Sub(start), telemetry.Labels{Account: account})
	if err != nil {
		c.options.Metrics.Count(telemetry.APIErrors, 1, telemetry.Labels{Account: account, Reason: code(err)})
		if kind, ok := alarming(err); ok {
			c.options.Metrics.Count(kind, 1, telemetry.Labels{Account: account})
		}
	}
	return got, err
}

// code returns Amazon's reason code, or what stands for it.
func code(err error) string {
	e, answered := errors.AsType[*amazonpay.Error](err)
	switch {
	case answered && e.ReasonCode != "":
		return e.ReasonCode
	case answered:
		return "http_" + strconv.Itoa(e.StatusCode)
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	}
	return "connection"
}

// alarming returns the metric by which an alarm knows the error; false for what
// Amazon Pay answers in the course of things, as it does of a buyer who cancels.
// A key that was refused is counted when there is no other.
func alarming(err error) (telemetry.Metric, bool) {
	_, throttled := amazonpay.Throttled(err)
	e, answered := errors.AsType[*amazonpay.Error](err)
	switch {
	case keyRefused(err):
		return "", false
	case throttled:
		return telemetry.APIThrottled, true
	case amazonpay.Temporary(err), !answered:
		return telemetry.APIFailed, true
	case e.StatusCode == http.StatusBadRequest && e.ReasonCode != "CheckoutSessionCanceled", e.StatusCode == http.StatusMethodNotAllowed:
		return telemetry.APIRefused, true
	}
	return "", false
}

// keyRefused reports whether Amazon Pay answered that it does not accept the
// key or the signature made with it.
func keyRefused(err error) bool {
	_, answered := errors.AsType[*amazonpay.Error](err)
	return answered && amazonpay.Misconfigured(err)
}

// keyed returns the client with the key in use: the current one, unless it was
// refused and the one before it was not.
func (c *Client) keyed(ctx context.Context) (*keyed, error) {
	key, err := c.options.Keys.Key(ctx, c.account.KeySecret, false)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.use != nil && c.current == key.Reveal() {
		return c.use, nil
	}
	k, err := c.build(key)
	if err != nil {
		return nil, err
	}
	c.current, c.use = key.Reveal(), k
	return k, nil
}

// other returns a client with a key that was not refused lately, as the one of
// k has just been, and nil if there is none.
func (c *Client) other(ctx context.Context, k *keyed) *keyed {
	c.refuse(k)
	c.mu.Lock()
	use, tried := c.use, c.tried(c.use.key)
	c.mu.Unlock()
	if !tried {
		return use // another call has found it meanwhile
	}
	// A key that cannot be read or parsed is none: what is reported is the
	// refusal.
	if key, err := c.options.Keys.Key(ctx, c.account.KeySecret, true); err == nil {
		if next := c.turn(key, true); next != nil {
			return next
		}
	}
	if key, ok, err := c.options.Keys.PreviousKey(ctx, c.account.KeySecret); err == nil && ok {
		return c.turn(key, false)
	}
	return nil
}

// turn takes the key into use, unless it was refused lately.
func (c *Client) turn(key config.Secret, current bool) *keyed {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tried(key.Reveal()) {
		return nil
	}
	next, err := c.build(key)
	if err != nil {
		return nil
	}
	c.use = next
	if current {
		c.current = key.Reveal()
	}
	return next
}

func (c *Client) refuse(k *keyed) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refused[k.key] = c.options.Now()
}

// tried reports whether the key was refused lately; c.mu is held.
func (c *Client) tried(key string) bool {
	at, ok := c.refused[key]
	return ok && c.options.Now().Sub(at) < refusedFor
}

// build returns a client that signs with the key; c.mu is held.
func (c *Client) build(key config.Secret) (*keyed, error) {
	if c.use != nil && c.use.key == key.Reveal() {
		return c.use, nil
	}
	private, err := amazonpay.ParsePrivateKey([]byte(key.Reveal()))
	if err != nil {
		return nil, fmt.Errorf("account %s: secret %s: %w", c.account.ID, c.account.KeySecret, err)
	}
	region, err := amazonpay.ParseRegion(c.account.Region)
	if err != nil {
		return nil, fmt.Errorf("account %s: %w", c.account.ID, err)
	}
	client, err := amazonpay.New(amazonpay.Config{
		Region:         region,
		Environment:    amazonpay.Environment(c.account.Environment),
		PublicKeyID:    c.account.PublicKeyID,
		PrivateKey:     private,
		Algorithm:      amazonpay.Algorithm(c.account.Algorithm),
		HTTPClient:     c.options.HTTPClient,
		AttemptTimeout: c.options.Timeout,
		Retry:          amazonpay.NoRetry,
		UserAgent:      telemetry.UserAgent(),
		Now:            c.options.Now,
	})
	if err != nil {
		return nil, fmt.Errorf("account %s: %w", c.account.ID, err)
	}
	return &keyed{client, key.Reveal()}, nil
}
