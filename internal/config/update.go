package config

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
	"time"

	"walletsync/internal/wallet"
)

// Refreshing holds the settings for reading charge permissions: the database, the
// queue for deferred refreshes, and limits.
type Refreshing struct {
	QueueURL string
	// DATABASE_SECRET_ARN: ARN of `{"url":"postgres://…"}`, or of a secret in RDS's own
	// form. If `url` leads to a pooler, add `directUrl` for migrations; if the server's
	// certificate is from a private authority, add `ca`. See
	// [how the database is reached](#how-the-database-is-reached).
	DatabaseSecret string
	DatabaseIAM    DatabaseIAM
	Trust          Trust
	// READ_LAG_MARGIN: how far Amazon Pay's answers may lag behind its notifications.
	Margin time.Duration
	// API_TIMEOUT: time-out of one call to Amazon Pay.
	APITimeout time.Duration
	// LEASE: how long a claim on a charge permission lasts. Must be longer than the
	// function's time-out and shorter than the queue's visibility time-out.
	Lease time.Duration
}

// Pages holds the settings of the buyers' pages.
type Pages struct {
	// PUBLIC_URL: the https URL that the paths `/update`, `/return` and `/console`
	// are below, at most 300 characters.
	//
	// It has no slash at the end.
	PublicURL string
	// RETURN_ORIGINS: origins of the merchant's own pages that `startUrl` and
	// `returnTo` may lead to, such as `https://shop.example`, separated by commas.
	ReturnOrigins []string
	// LINK_SECRET_ARN: ARN of `{"linkSecret":"…"}`, which seals links and return URLs.
	// The previous version stays valid.
	LinkSecret string
	// MERCHANT_NAME: the shop's name, as buyers know it.
	MerchantName string
	// MERCHANT_URL: the shop's page, to which the buyers' pages link.
	MerchantURL string
	// CSP_ADDITIONS: sources that the pages' Content-Security-Policy allows besides
	// Amazon's, by directive, such as `{"connect-src":["https://*.example.com"]}`.
	CSP map[string][]string
}

// Start is the configuration of update-start.
type Start struct {
	Function
	Accounts []Account
	Refreshing
	Pages
	// AUTH: with `iam`, API Gateway authenticates the caller and no bearer key is
	// needed. Default: `bearer`.
	IAM bool
	// BEARER_SECRET_ARN: ARN of `{"bearerKey":"…"}`. The previous version stays valid.
	// Not needed if `AUTH` is `iam`.
	BearerSecret string
	// LINK_LIFETIME: lifetime of a link to the update page.
	LinkLifetime time.Duration
	// SETUP_ONLY: value of `paymentMethodOnFileMetadata.setupOnly`; Amazon's sources
	// disagree on it.
	//
	// The English page of today says true; the older Japanese page says false in its
	// prose and SDK samples, and true in its JSON example.
	SetupOnly bool
	// CHECKOUT_CANCEL_URL: `true` gives Amazon a `checkoutCancelUrl`, so that buyers
	// who cancel on its pages come back at once.
	CancelURL bool
}

// Return is the configuration of checkout-return.
type Return struct {
	Function
	Accounts []Account
	Refreshing
	Pages
	// RETURN_TIMEOUT: how long a buyer waits for the outcome before a page says that
	// it is being checked, at most `15s` ([time-outs](#time-outs)).
	ReturnTimeout time.Duration
}

// MaxPublicURL is the greatest length of PUBLIC_URL, in characters. Amazon Pay limits a
// return URL to 512 ("WebCheckoutDetails" in its API reference). The rest is for the
// path, the token, and the Checkout Session's id that Amazon Pay appends.
const MaxPublicURL = 300

// The defaults of the optional settings.
const (
	DefaultLinkLifetime  = 30 * time.Minute
	DefaultReturnTimeout = 10 * time.Second
)

// LoadStart reads the configuration of update-start; getenv is os.Getenv. Its
// error is Problems.
func LoadStart(getenv func(string) string) (Start, error) {
	r := reader{getenv: getenv}
	c := Start{
		Function:     r.function("update-start"),
		Accounts:     r.accounts(privateKeySecretArn),
		Refreshing:   r.refreshing(),
		Pages:        r.pages(),
		LinkLifetime: r.duration("LINK_LIFETIME", DefaultLinkLifetime, time.Minute, 24*time.Hour),
		SetupOnly:    r.flag("SETUP_ONLY", true),
		CancelURL:    r.flag("CHECKOUT_CANCEL_URL", false),
	}
	switch auth := r.getenv("AUTH"); auth {
	case "", "bearer":
		c.BearerSecret = r.secretARN("BEARER_SECRET_ARN", `the ARN of a secret such as {"bearerKey":"…"}; the merchant's server shows that key`)
	case "iam":
		c.IAM = true
	default:
		r.add("AUTH", "it is neither bearer nor iam", "set one of them, or leave it out for bearer")
	}
	r.stores(c.Accounts)
	return c, r.err()
}

// stores reports the accounts without a store id, which cannot start an update.
func (r *reader) stores(accounts []Account) {
	for i, a := range accounts {
		if a.StoreID == "" {
			r.add(fmt.Sprintf("ACCOUNTS[%d].storeId", i), unset, "copy the store id (amzn1.application-oa2-client.…) from Seller Central; Amazon's update page needs it")
		}
	}
}

// LoadReturn reads the configuration of checkout-return; getenv is os.Getenv.
// Its error is Problems.
func LoadReturn(getenv func(string) string) (Return, error) {
	r := reader{getenv: getenv}
	c := Return{
		Function:      r.function("checkout-return"),
		Accounts:      r.accounts(privateKeySecretArn),
		Refreshing:    r.refreshing(),
		Pages:         r.pages(),
		ReturnTimeout: r.duration("RETURN_TIMEOUT", DefaultReturnTimeout, time.Second, 15*time.Second),
	}
	return c, r.err()
}

func (r *reader) refreshing() Refreshing {
	c := Refreshing{
		QueueURL:       r.url("QUEUE_URL", queueRemedy),
		DatabaseSecret: r.secretARN("DATABASE_SECRET_ARN", databaseRemedy),
		DatabaseIAM:    r.databaseIAM(),
		Trust:          r.trust(),
		Margin:         r.duration("READ_LAG_MARGIN", DefaultMargin, 0, 10*time.Minute),
		APITimeout:     r.apiTimeout(),
		Lease:          r.duration("LEASE", DefaultLease, time.Second, 15*time.Minute),
	}
	if c.Lease <= c.APITimeout {
		r.add("LEASE", fmt.Sprintf("%s is not longer than API_TIMEOUT, %s", c.Lease, c.APITimeout),
			"a claim must outlive the call made under it: set it above the function's time-out and below the queue's visibility time-out")
	}
	return c
}

func (r *reader) pages() Pages {
	const origins = "a comma-separated list of origins such as https://shop.example"
	p := Pages{
		LinkSecret:   r.secretARN("LINK_SECRET_ARN", `the ARN of a secret such as {"linkSecret":"…"}`),
		MerchantName: r.getenv("MERCHANT_NAME"),
	}
	if s := r.needed("PUBLIC_URL", "the https URL at which /update, /return and /console are reached"); s != "" {
		if !secureBase(s) || !plainURL.MatchString(s) {
			r.add("PUBLIC_URL", "it is not a valid URL", "set an https URL without user, query and fragment; http is only allowed on loopback")
		}
		if p.PublicURL = strings.TrimRight(s, "/"); len(p.PublicURL) > MaxPublicURL {
			r.add("PUBLIC_URL", fmt.Sprintf("it has %d characters", len(p.PublicURL)), fmt.Sprintf("set a URL of at most %d characters; Amazon Pay limits the return URL, which begins with it", MaxPublicURL))
		}
	}
	if s := r.getenv("RETURN_ORIGINS"); s != "" {
		for _, one := range strings.Split(s, ",") {
			o, ok := origin(strings.TrimSpace(one))
			if !ok {
				r.add("RETURN_ORIGINS", "one of them is not the origin of a secure page", "set "+origins+", without a path; http is only allowed on loopback")
			}
			p.ReturnOrigins = append(p.ReturnOrigins, o)
		}
	}
	if p.MerchantURL = r.getenv("MERCHANT_URL"); p.MerchantURL != "" {
		if u, err := url.Parse(p.MerchantURL); err != nil || !secure(u) || u.User != nil {
			r.add("MERCHANT_URL", "it is not an https URL", "set the URL of the page that buyers know, or leave it out")
		}
	}
	if s := r.getenv("CSP_ADDITIONS"); s != "" {
		if err := json.Unmarshal([]byte(s), &p.CSP); err != nil {
			r.add("CSP_ADDITIONS", fmt.Sprintf("it cannot be read: %v", err), `set an object such as {"connect-src":["https://*.example.com"]}, or leave it out`)
		}
	}
	return p
}

// plainURL matches URLs that need no backslash in JSON and no escape in HTML.
var plainURL = regexp.MustCompile(`^[A-Za-z0-9:/._~\[\]-]+$`)

// secure reports whether u leads to a host by https, or by http to this machine.
func secure(u *url.URL) bool {
	return u.Hostname() != "" && (u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()))
}

// secureBase reports whether s is a secure URL without user, query and fragment.
func secureBase(s string) bool {
	u, err := url.Parse(s)
	return err == nil && secure(u) && u.User == nil && u.RawQuery == "" && u.Fragment == ""
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}

// origin returns s in the form that browsers use for an origin.
func origin(s string) (string, bool) {
	u, err := url.Parse(s)
	if err != nil || !secureBase(s) || strings.Trim(u.Path, "/") != "" {
		return "", false
	}
	return u.Scheme + "://" + strings.ToLower(u.Host), true
}

func (r *reader) flag(name string, standard bool) bool {
	switch s := strings.ToLower(r.getenv(name)); s {
	case "":
		return standard
	case "true", "on":
		return true
	case "false", "off":
		return false
	default:
		r.add(name, "it is neither on nor off", "set one of them, or leave it out")
		return standard
	}
}

// DatabaseURL returns a function that reads the database URL and the additional
// certificate authorities from the secret at arn. With refetch it reads them again,
// because the server refused the user or the password.
func (s *Secrets) DatabaseURL(arn string) func(ctx context.Context, refetch bool) (url, ca string, err error) {
	return func(ctx context.Context, refetch bool) (url, ca string, err error) {
		db, err := s.Database(ctx, arn, refetch)
		return db.URL.Reveal(), db.CA, err
	}
}

// IDs returns the ids of accounts.
func IDs(accounts []Account) []wallet.AccountID {
	ids := make([]wallet.AccountID, len(accounts))
	for i, a := range accounts {
		ids[i] = a.ID
	}
	return ids
}

// Followed returns a function that returns which charge permissions an account keeps
// in step.
func Followed(accounts []Account) func(wallet.AccountID) wallet.Followed {
	by := make(map[wallet.AccountID]wallet.Followed, len(accounts))
	for _, a := range accounts {
		by[a.ID] = a.Follow
	}
	return func(a wallet.AccountID) wallet.Followed { return by[a] }
}
