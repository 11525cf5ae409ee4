package doctor

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"
	"time"

	"walletsync/internal/amazonpay"
	"walletsync/internal/amazonpay/merchant"
	"walletsync/internal/config"
	"walletsync/internal/telemetry"
)

// skewAllowed is how far this machine's clock may be from Amazon's. Amazon Pay
// does not document what it allows; a minute is well within what others of
// Amazon's services do (15 minutes: IAM User Guide, "Signature Version 4").
const skewAllowed = time.Minute

// unknownID is the id of a charge permission that no merchant has. Amazon checks the
// signature before it looks it up, so a 404 means that the key is good.
func unknownID(e merchant.Environment) string {
	if e == merchant.Live {
		return "B00-0000000-0000000"
	}
	return "S00-0000000-0000000"
}

// amazon checks an account's key, and that Amazon Pay accepts it.
func (d *Doctor) amazon(ctx context.Context, r *report, a config.Account) {
	const key, request, clock = "key", "signed request", "clock"
	skip := func(reason string) {
		r.skip(request, a.ID, reason)
		r.skip(clock, a.ID, "Amazon Pay was not asked")
	}
	if a.KeySecret == "" {
		r.skip(key, a.ID, "privateKeySecretArn is missing")
		skip("there is no key")
		return
	}
	pem, err := d.Keys.Key(ctx, a.KeySecret, true)
	if err != nil {
		r.bad(key, a.ID, plain(err), readable)
		skip("there is no key")
		return
	}
	private, err := amazonpay.ParsePrivateKey([]byte(pem.Reveal()))
	if err != nil {
		r.bad(key, a.ID, plain(err), `put the PEM file that Seller Central gave you into the secret, whole: jq -Rs '{privateKey: .}' private.pem writes {"privateKey":"-----BEGIN PRIVATE KEY-----\n…"}`)
		skip("the key cannot be used")
		return
	}
	bound := "a key for either environment"
	if e, ok := merchant.KeyEnvironment(a.PublicKeyID); ok {
		bound = "a key for " + string(e)
	}
	r.good(key, a.ID, "RSA of %d bits; %s", private.N.BitLen(), bound)
	if r.failed("account", a.ID) {
		skip("the account's settings come first")
		return
	}
	answer, err := d.ask(ctx, a, private)
	d.clock(r, a, answer)
	if found, remedy := judgeAnswer(answer, err); remedy != "" {
		if r.failed(clock, a.ID) {
			r.bad(request, a.ID, found, "set the clock first: Amazon refuses signatures of another time")
			return
		}
		if (amazonpay.KeyRefused(err) || amazonpay.ObjectRefused(err)) && d.previousServes(ctx, a) {
			found += "; the key before it is accepted"
			remedy = "key and key id must change together: set the publicKeyId that belongs to the new key, or put the key before it back into the secret"
		}
		r.bad(request, a.ID, found, remedy)
		return
	}
	r.good(request, a.ID, "accepted: %s answers 404 for one that does not exist", a.Region.Host())
}

// ask makes one signed call.
func (d *Doctor) ask(ctx context.Context, a config.Account, private *rsa.PrivateKey) (amazonpay.Response, error) {
	client, err := amazonpay.New(amazonpay.Config{
		Region: a.Region, Environment: a.Environment, PublicKeyID: a.PublicKeyID, PrivateKey: private,
		Algorithm: a.Algorithm, HTTPClient: d.Amazon, Timeout: timeout,
		UserAgent: telemetry.UserAgent(), Now: d.Now,
	})
	if err != nil {
		return amazonpay.Response{}, err
	}
	p, err := client.GetChargePermission(ctx, unknownID(a.Environment))
	if err == nil {
		return p.Response, nil
	}
	if e, ok := errors.AsType[*amazonpay.Error](err); ok {
		return e.Response, err
	}
	return amazonpay.Response{}, err
}

// previousServes reports whether Amazon Pay accepts the key that the current one
// replaced.
func (d *Doctor) previousServes(ctx context.Context, a config.Account) bool {
	pem, ok, err := d.Keys.PreviousKey(ctx, a.KeySecret)
	if err != nil || !ok {
		return false
	}
	private, err := amazonpay.ParsePrivateKey([]byte(pem.Reveal()))
	if err != nil {
		return false
	}
	answer, err := d.ask(ctx, a, private)
	_, remedy := judgeAnswer(answer, err)
	return remedy == ""
}

// judgeAnswer judges an answer to the signed request. Remedy is empty if the
// signature was accepted.
func judgeAnswer(r amazonpay.Response, err error) (found, remedy string) {
	code := amazonpay.ReasonCode(err)
	if code == "" {
		code = fmt.Sprintf("status %d", r.StatusCode)
	}
	_, throttled := amazonpay.Throttled(err)
	switch {
	case err == nil, amazonpay.NotFound(err):
		return "", ""
	case r.StatusCode == 0 && amazonpay.Misconfigured(err):
		return plain(err), "Amazon's certificate is not trusted from here: behind a proxy that opens TLS, name its certificate by TLS_CA_FILE"
	case r.StatusCode == 0:
		return plain(err), "let this machine, and the functions, reach Amazon Pay's API over https: look at DNS, firewall, proxy (HTTPS_PROXY), and in a VPC at the NAT gateway"
	case throttled:
		return code, "the merchant account's quota is used up just now: run this again in a minute; if it stays, look at who else uses it, and lower the account's share"
	case code == "InvalidRequestSignature":
		return code, "Amazon knows the publicKeyId, but this private key is not its other half (or this machine's clock is wrong): put the key into the secret that was made with that publicKeyId"
	case code == "InvalidAccountStatus":
		return code, "the merchant account is not active for Amazon Pay: look in Seller Central, and ask Amazon Pay's merchant support"
	case r.StatusCode == http.StatusUnauthorized, r.StatusCode == http.StatusForbidden:
		return code, "Amazon does not know the publicKeyId here: copy it from Seller Central of this region and environment, or correct the account's region and environment"
	case r.StatusCode >= http.StatusInternalServerError:
		return code, "Amazon Pay has trouble of its own: run this again in a few minutes"
	}
	return code, "Amazon Pay does not take the request: look up the code in its documentation (\"Error handling\"), and compare region, environment, publicKeyId and algorithm with Seller Central"
}

// clock compares this machine's clock with Amazon's.
func (d *Doctor) clock(r *report, a config.Account, answer amazonpay.Response) {
	const check = "clock"
	if answer.Date.IsZero() {
		r.skip(check, a.ID, "Amazon's answer has no date")
		return
	}
	skew := d.Now().Sub(answer.Date).Truncate(time.Second) // Date has whole seconds
	if skew.Abs() > skewAllowed {
		way := "ahead of"
		if skew < 0 {
			way = "behind"
		}
		r.bad(check, a.ID, fmt.Sprintf("this machine is %s %s Amazon", span(skew.Abs().Round(time.Minute)), way),
			"set the clock by NTP: signatures carry the time. Lambda's clocks are AWS's; if the functions are at fault, report it to AWS")
		return
	}
	r.good(check, a.ID, "within a minute of Amazon's")
}
