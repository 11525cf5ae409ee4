// Package payclient builds the signed client of the Amazon Pay API for each account,
// when it is first used, from the account's settings and the private key in Secrets
// Manager. Functions that do not call Amazon Pay must not link it, so that they never
// have a key.
package payclient

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

// Keys reads the accounts' private keys. *config.Secrets implements it.
type Keys interface {
	Key(ctx context.Context, arn string, refetch bool) (config.Secret, error)
}

// Options are the common settings of the clients of all accounts.
type Options struct {
	Accounts   []config.Account
	Keys       Keys
	HTTPClient *http.Client
	Timeout    time.Duration // of one call
	Metrics    *telemetry.Metrics
	Now        func() time.Time
}

// Clients are the accounts' clients. They are safe for concurrent use.
type Clients struct {
	byAccount map[wallet.AccountID]*Client
}

// New returns the clients of the accounts. They are built at their first use.
func New(o Options) *Clients {
	c := &Clients{map[wallet.AccountID]*Client{}}
	for _, a := range o.Accounts {
		c.byAccount[a.ID] = &Client{account: a, options: o}
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

// Client calls the Amazon Pay API for one account. It signs with the current key in
// Secrets Manager, the only one that belongs to the configured public key id. A call
// is not retried, with one exception: if Amazon Pay refuses the key, Client reads the
// key again, and repeats the call once if the key has changed.
type Client struct {
	account config.Account
	options Options

	mu  sync.Mutex
	use *keyed // the key of the last read
}

// keyed is a client with its signing key.
type keyed struct {
	client *amazonpay.Client
	key    string
}

// GetChargePermission returns the current charge permission. Its errors are those of
// package amazonpay, or of reading the key.
func (c *Client) GetChargePermission(ctx context.Context, id string) (*amazonpay.ChargePermission, error) {
	return call(ctx, c, func(a *amazonpay.Client) (*amazonpay.ChargePermission, error) {
		return a.GetChargePermission(ctx, id)
	})
}

// GetCheckoutSession returns the current Checkout Session.
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

// SignPayload returns the signature of a button's payload for checkout.js. It does not
// call Amazon Pay, so it cannot detect that Amazon Pay no longer accepts the key.
func (c *Client) SignPayload(ctx context.Context, payload []byte) (signature string, err error) {
	k, err := c.keyed(ctx, false)
	if err != nil {
		return "", err
	}
	return k.client.SignPayload(payload)
}

// call makes a call, and repeats it once if the key was refused and has changed. An
// error before the call is marked as amazonpay.NotCalled.
func call[T any](ctx context.Context, c *Client, do func(*amazonpay.Client) (*T, error)) (*T, error) {
	k, err := c.keyed(ctx, false)
	if err != nil {
		if ctx.Err() == nil {
			c.count(telemetry.KeyRefused)
		}
		return nil, amazonpay.NotCalled(err)
	}
	got, err := counted(c, k, do)
	if !amazonpay.KeyRefused(err) {
		return got, err
	}
	// If the key cannot be read or parsed, report the refusal.
	if changed, failed := c.keyed(ctx, true); failed == nil && changed != k {
		got, err = counted(c, changed, do)
	}
	if amazonpay.KeyRefused(err) {
		c.count(telemetry.KeyRefused)
	}
	return got, err
}

func (c *Client) count(m telemetry.Metric) {
	c.options.Metrics.Count(m, 1, telemetry.Labels{Account: string(c.account.ID)})
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

// code returns Amazon's reason code, or a substitute if there is none.
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

// alarming returns the metric of the alarm for an error. It returns false for normal
// errors, such as that of a buyer who cancels. call counts refused keys, because a
// refusal counts only if the key has not changed.
func alarming(err error) (telemetry.Metric, bool) {
	_, throttled := amazonpay.Throttled(err)
	e, answered := errors.AsType[*amazonpay.Error](err)
	switch {
	case amazonpay.KeyRefused(err):
		return "", false
	case throttled:
		return telemetry.APIThrottled, true
	case amazonpay.Temporary(err), !answered:
		return telemetry.APIFailed, true
	case amazonpay.ObjectRefused(err), e.StatusCode == http.StatusBadRequest && e.ReasonCode != "CheckoutSessionCanceled", e.StatusCode == http.StatusMethodNotAllowed:
		return telemetry.APIRefused, true
	}
	return "", false
}

// keyed returns the client with the current key. With refetch it reads the key again,
// because the cached one was refused.
func (c *Client) keyed(ctx context.Context, refetch bool) (*keyed, error) {
	key, err := c.options.Keys.Key(ctx, c.account.KeySecret, refetch)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.use != nil && c.use.key == key.Reveal() {
		return c.use, nil
	}
	k, err := c.build(key)
	if err != nil {
		return nil, err
	}
	c.use = k
	return k, nil
}

// build returns a client that signs with the key.
func (c *Client) build(key config.Secret) (*keyed, error) {
	private, err := amazonpay.ParsePrivateKey([]byte(key.Reveal()))
	if err != nil {
		return nil, fmt.Errorf("account %s: secret %s: %w", c.account.ID, c.account.KeySecret, err)
	}
	client, err := amazonpay.New(amazonpay.Config{
		Region:      c.account.Region,
		Environment: c.account.Environment,
		PublicKeyID: c.account.PublicKeyID,
		PrivateKey:  private,
		Algorithm:   c.account.Algorithm,
		HTTPClient:  c.options.HTTPClient,
		Timeout:     c.options.Timeout,
		UserAgent:   telemetry.UserAgent(),
		Now:         c.options.Now,
	})
	if err != nil {
		return nil, fmt.Errorf("account %s: %w", c.account.ID, err)
	}
	return &keyed{client, key.Reveal()}, nil
}
