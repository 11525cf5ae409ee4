package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"walletsync/internal/amazonpay/merchant"
	"walletsync/internal/config"
	"walletsync/internal/reconcile"
)

// reply is what one of our endpoints answered.
type reply struct {
	status      int
	contentType string
	policy      bool // it has a Content-Security-Policy, as our pages have
	body        string
}

// request sends one request to an endpoint of ours. Its error does not contain the
// URL, whose path may be secret.
func (d *Doctor) request(ctx context.Context, method, target string, header http.Header, body string) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader([]byte(body)))
	if err != nil {
		return reply{}, errors.New("the URL cannot be used")
	}
	q.Header = header
	got, err := d.Web.Do(q)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err
		}
		return reply{}, err
	}
	defer got.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(got.Body, 1<<10)) // a part is enough
	return reply{got.StatusCode, got.Header.Get("Content-Type"), got.Header.Get("Content-Security-Policy") != "", strings.TrimSpace(string(text))}, nil
}

// pages checks that buyers and the merchant's server reach our endpoints.
func (d *Doctor) pages(ctx context.Context, r *report) {
	const page, start, origins = "return page", "update sessions", "return origins"
	public := d.Config.Return.PublicURL
	u, err := url.Parse(public)
	switch {
	case public == "" || err != nil || r.failed("settings", "") && d.wrong("PUBLIC_URL"):
		r.skip(page, "", "PUBLIC_URL comes first")
		r.skip(start, "", "PUBLIC_URL comes first")
	case d.Before:
		r.skip(page, "", "nothing is deployed yet")
		r.skip(start, "", "nothing is deployed yet")
	default:
		got, err := d.request(ctx, http.MethodGet, public+"/return", http.Header{}, "")
		found, remedy := judgePage(got, err)
		if remedy != "" {
			r.bad(page, "", found, remedy)
			r.skip(start, "", "the return page comes first")
			break
		}
		how := "over https"
		if u.Scheme != "https" {
			how = "on this machine, where http serves"
		}
		r.good(page, "", "reached %s", how)
		d.start(ctx, r, start)
	}
	switch n := len(d.Config.Return.ReturnOrigins); {
	case d.wrong("RETURN_ORIGINS"):
		r.skip(origins, "", "the setting comes first")
	case n == 0:
		r.good(origins, "", "none: startUrl and returnTo are refused, and walletsync's own pages are shown")
	default:
		r.good(origins, "", "%s", strings.Join(d.Config.Return.ReturnOrigins, ", "))
	}
	for _, a := range d.Config.Accounts() {
		if a.Environment == merchant.Live {
			r.skip("javascript origin", a.ID, "only Seller Central knows: list there the origin of "+public+", and of each page of yours with a button")
		}
	}
}

// wrong reports whether a setting has a problem.
func (d *Doctor) wrong(variable string) bool {
	for _, p := range d.Problems {
		if p.Variable == variable {
			return true
		}
	}
	return false
}

// judgePage judges the answer to a request of the return page without a token, which
// a page of ours refuses. Remedy is empty if it did.
func judgePage(got reply, err error) (found, remedy string) {
	const wired = "let PUBLIC_URL name the HTTP API (or the domain in front of it) with the routes GET /update and GET /return, without a stage that it does not have"
	switch {
	case err != nil:
		return plain(err), "set PUBLIC_URL to where the HTTP API is reached from outside: look at its name in DNS, its certificate, and what stands in front of it"
	case got.status >= 500:
		return fmt.Sprintf("it answers %d", got.status), "look into checkout-return's log: it does not start, or fails"
	case got.status >= 300 && got.status < 400:
		return fmt.Sprintf("it answers %d, a redirect", got.status), "set PUBLIC_URL to where it leads: buyers must come back to one host, with their query untouched"
	case !got.policy || !strings.HasPrefix(got.contentType, "text/html"):
		return fmt.Sprintf("something else answers there, with %d", got.status), wired
	}
	return "", ""
}

// start checks that update-start accepts our bearer key, by an incomplete request.
func (d *Doctor) start(ctx context.Context, r *report, check string) {
	header := http.Header{"Content-Type": {"application/json"}}
	if !d.Config.Start.IAM {
		keys, err := d.Bearer(ctx, false)
		if err != nil {
			r.skip(check, "", "the bearer key comes first")
			return
		}
		header.Set("Authorization", "Bearer "+keys[0])
	}
	got, err := d.request(ctx, http.MethodPost, d.Config.Return.PublicURL+"/update-sessions", header, "{}")
	found, remedy := judgeStart(got, err, d.Config.Start.IAM)
	if remedy != "" {
		r.bad(check, "", found, remedy)
		return
	}
	r.good(check, "", "%s", found)
}

// judgeStart judges the answer to an empty request for an update session.
func judgeStart(got reply, err error, iam bool) (found, remedy string) {
	const wired = "let the HTTP API have the route POST /update-sessions, to update-start"
	switch {
	case err != nil:
		return plain(err), wired
	case iam && got.status == http.StatusForbidden:
		return "asks for IAM credentials", ""
	case iam:
		return fmt.Sprintf("it answers %d to a caller without credentials", got.status), "set the route's authorization to AWS_IAM: with AUTH=iam, update-start trusts every caller that comes through"
	case got.status == http.StatusUnauthorized:
		return "it refuses the bearer key", "give update-start the same BEARER_SECRET_ARN as here; a key that has just been rotated is known after five minutes"
	case got.status >= 500:
		return fmt.Sprintf("it answers %d", got.status), "look into update-start's log: it does not start, or fails"
	case got.status != http.StatusBadRequest || !strings.HasPrefix(got.contentType, "application/problem+json"):
		return fmt.Sprintf("something else answers there, with %d", got.status), wired
	}
	return "takes the bearer key", ""
}

// notifications checks that an account's notifications arrive.
func (d *Doctor) notifications(ctx context.Context, r *report, a config.Account, migrated bool) {
	const secret, endpoint, topic, come = "ipn secret", "ipn endpoint", "topic", "notifications"
	var words []string
	if a.IPNPathSecret == "" {
		r.skip(secret, a.ID, "ipnPathSecretArn is missing")
	} else {
		words = r.secret(secret, a.ID, func() ([]string, error) { return d.PathSecrets(ctx, a.ID, true) })
	}
	switch {
	case len(words) == 0:
		r.skip(endpoint, a.ID, "there is no secret for its path")
	case d.Before:
		r.skip(endpoint, a.ID, "nothing is deployed yet")
	case r.failed("return page", "") || d.Config.Return.PublicURL == "" || d.wrong("PUBLIC_URL"):
		r.skip(endpoint, a.ID, "the return page comes first")
	default:
		got, err := d.request(ctx, http.MethodPost, d.Config.Return.PublicURL+"/ipn/"+string(a.ID)+"/"+words[0], http.Header{"Content-Type": {"text/plain; charset=UTF-8"}}, "{}")
		if found, remedy := judgeIPN(got, err); remedy != "" {
			r.bad(endpoint, a.ID, found, remedy)
		} else {
			r.good(endpoint, a.ID, "its path opens, and what SNS did not sign is refused")
		}
	}
	if d.Before {
		r.skip(topic, a.ID, "known from the first message")
		r.skip(come, a.ID, "nothing is deployed yet")
		return
	}
	if len(a.Topics) == 0 {
		r.bad(topic, a.ID, "none is pinned", `set the IPN URL in Seller Central, take the topic's ARN from ipn-receiver's log ("accepted from a topic that is not pinned"), and add it to the account's topics`)
	} else {
		r.good(topic, a.ID, "pinned: %s", strings.Join(a.Topics, ", "))
	}
	if !migrated {
		r.skip(come, a.ID, "the database was not checked")
		return
	}
	heard, err := d.Databases.Heard(ctx, a.ID, d.Config.Reconciler.GracePeriod)
	if err != nil {
		r.bad(come, a.ID, plain(err), "run this again; if it stays, look at the database's log")
		return
	}
	if found, remedy := judgeHeard(heard, d.Now()); remedy != "" {
		r.bad(come, a.ID, found, remedy)
	} else {
		r.good(come, a.ID, "%s", found)
	}
}

// judgeIPN judges the answer to an unsigned message on an account's IPN path.
func judgeIPN(got reply, err error) (found, remedy string) {
	switch {
	case err != nil:
		return plain(err), "let the HTTP API be reached from the internet: SNS delivers from there"
	case got.status == http.StatusBadRequest:
		return "", ""
	case got.status == http.StatusForbidden && got.body == "path":
		return "it refuses the path's secret", "give ipn-receiver the same account and ipnPathSecretArn as here; a secret that has just been rotated is known after five minutes"
	case got.status == http.StatusServiceUnavailable:
		return "it answers 503", "look into ipn-receiver's log: it cannot read the account's ipnPathSecretArn"
	case got.status >= 500:
		return fmt.Sprintf("it answers %d", got.status), "look into ipn-receiver's log: it does not start, or fails"
	}
	return fmt.Sprintf("something else answers there, with %d", got.status),
		"let the HTTP API have the route POST /ipn/{account}/{secret}, to ipn-receiver; a firewall in front of it must let SNS's text/plain through"
}

// judgeHeard judges whether an account's notifications arrive.
func judgeHeard(h reconcile.Heard, now time.Time) (found, remedy string) {
	const trigger = `set the IPN URL in Seller Central (Integration Settings, of this environment; functions/RUNBOOK.md, "The IPN endpoint"), then walk an update or make a charge there: its notification should be here within a minute`
	last := "none has ever come"
	if !h.Last.IsZero() {
		last = "the last came " + ago(now.Sub(h.Last))
	}
	switch h.Verdict() {
	case reconcile.Untested:
		return last, trigger
	case reconcile.Dead:
		return fmt.Sprintf("%s; %d that were due since did not", last, h.Missing()), "look at the IPN URL in Seller Central (Integration Settings, of this environment), at firewalls in front of it, at ipn-receiver's 4xx answers, and whether topics names the ARN that Amazon Pay sends from"
	case reconcile.Doubtful:
		return last + "; one that was due since did not: the next one shows whether they have stopped", ""
	}
	return "the subscription is confirmed; " + last, ""
}

func ago(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return "just now"
	case d < 48*time.Hour:
		return span(d.Round(time.Minute)) + " ago"
	}
	return fmt.Sprintf("%d days ago", int(d.Hours()/24))
}
