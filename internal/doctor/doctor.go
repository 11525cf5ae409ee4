// Package doctor checks a configuration, before a deploy and after: the settings,
// the keys, Amazon Pay, the queue, the database, the pages and whether
// notifications arrive. Each check becomes a line that is good, bad with the
// remedy, or skipped with the reason.
//
// It changes nothing. For each account it asks Amazon Pay for a charge permission
// that does not exist, and it sends one invalid request to each of our endpoints,
// which count it as refused. Its lines have no secret and no personal data.
package doctor

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"walletsync/internal/amazonpay/merchant"
	"walletsync/internal/config"
	"walletsync/internal/reconcile"
	"walletsync/internal/wallet"
)

// State is the outcome of a check.
type State string

// The states.
const (
	Good    State = "good"
	Bad     State = "bad"
	Skipped State = "skipped" // what it needs is missing, or cannot be seen from here
)

// Line is the outcome of one check.
type Line struct {
	Check   string           `json:"check"`             // its name, which stays the same between releases
	Account wallet.AccountID `json:"account,omitempty"` // if it is one account's
	State   State            `json:"state"`
	Found   string           `json:"found"`
	Remedy  string           `json:"remedy,omitempty"`
}

// Keys gives the accounts' private keys; *config.Secrets does.
type Keys interface {
	Key(ctx context.Context, arn string, refetch bool) (config.Secret, error)
	PreviousKey(ctx context.Context, arn string) (config.Secret, bool, error)
}

// Words returns the valid values of a secret, the current one first.
type Words func(ctx context.Context, refetch bool) ([]string, error)

// Queues returns a queue's attributes, as SQS's GetQueueAttributes names them.
type Queues interface {
	Attributes(ctx context.Context, url string) (map[string]string, error)
}

// Databases looks at a database.
type Databases interface {
	// Look connects to the database at url, trusting the certificate authorities
	// ca besides, and describes it. Its error is an *Unreachable if it could not
	// connect.
	Look(ctx context.Context, url config.Secret, ca string) (Database, error)
	// Sweepable and Heard are the reconciler's, for the database that the functions
	// use.
	Sweepable(context.Context, wallet.AccountID) (reconcile.Sweepable, error)
	Heard(ctx context.Context, account wallet.AccountID, gracePeriod time.Duration) (reconcile.Heard, error)
}

// Doctor checks one configuration.
type Doctor struct {
	Config   config.Deployment
	Problems config.Problems // what is wrong with it
	// Before is true before the first deploy: what a deploy makes is skipped.
	Before bool

	Keys        Keys
	PathSecrets func(ctx context.Context, account wallet.AccountID, refetch bool) ([]string, error)
	Links       Words
	Bearer      Words
	Database    func(ctx context.Context) (config.Database, error)
	Databases   Databases
	Queues      Queues
	Amazon      *http.Client // reaches Amazon Pay as the functions do
	Web         *http.Client // reaches our own pages as a buyer does; must not follow redirects
	Now         func() time.Time
	// RDSBundle is the date of RDS's certificate authorities that are built in.
	RDSBundle time.Time
}

// timeout is the limit of one request.
const timeout = 10 * time.Second

// report gathers lines.
type report struct{ lines []Line }

func (r *report) good(check string, a wallet.AccountID, found string, args ...any) {
	r.lines = append(r.lines, Line{check, a, Good, fmt.Sprintf(found, args...), ""})
}

func (r *report) bad(check string, a wallet.AccountID, found, remedy string) {
	r.lines = append(r.lines, Line{check, a, Bad, found, remedy})
}

func (r *report) skip(check string, a wallet.AccountID, reason string) {
	r.lines = append(r.lines, Line{check, a, Skipped, reason, ""})
}

// failed reports whether a line of the check is bad.
func (r *report) failed(check string, a wallet.AccountID) bool {
	return slices.ContainsFunc(r.lines, func(l Line) bool { return l.Check == check && l.Account == a && l.State == Bad })
}

// Run makes the checks, in an order in which each needs those before it.
func (d *Doctor) Run(ctx context.Context) []Line {
	var r report
	d.settings(&r)
	for _, a := range d.Config.Accounts() {
		d.account(&r, a)
		d.amazon(ctx, &r, a)
	}
	d.words(ctx, &r)
	migrated := d.database(ctx, &r)
	d.queue(ctx, &r)
	d.pages(ctx, &r)
	for _, a := range d.Config.Accounts() {
		d.notifications(ctx, &r, a, migrated)
		d.sweep(ctx, &r, a, migrated)
	}
	return r.lines
}

// CountBad returns how many lines are bad.
func CountBad(lines []Line) (n int) {
	for _, l := range lines {
		if l.State == Bad {
			n++
		}
	}
	return n
}

// ofDeploy are the settings whose values a deploy makes.
var ofDeploy = []string{"QUEUE_URL", "DEAD_LETTER_QUEUE_URL", "LINK_SECRET_ARN", "BEARER_SECRET_ARN", "PUBLIC_URL"}

// settings reports the problems of the environment. Those of an account are
// reported with the account.
func (d *Doctor) settings(r *report) {
	for _, p := range d.Problems {
		if _, _, of := d.accountOf(p); of {
			continue
		}
		if d.Before && p.Unset() && slices.Contains(ofDeploy, p.Variable) {
			r.skip("settings", "", p.Variable+": the deploy makes it")
			continue
		}
		r.bad("settings", "", p.Variable+": "+p.Wrong, p.Remedy)
	}
	if !r.failed("settings", "") {
		r.good("settings", "", "%s", count(len(d.Config.Accounts()), "account"))
	}
}

// accountOf returns the account and its member that the problem is about.
func (d *Doctor) accountOf(p config.Problem) (id wallet.AccountID, member string, ok bool) {
	for i, a := range d.Config.Accounts() {
		if member, ok := strings.CutPrefix(p.Variable, fmt.Sprintf("ACCOUNTS[%d].", i)); ok {
			return a.ID, member, true
		}
	}
	return "", "", false
}

// account checks that an account's settings are consistent.
func (d *Doctor) account(r *report, a config.Account) {
	const check = "account"
	for _, p := range d.Problems {
		id, member, of := d.accountOf(p)
		switch {
		case !of || id != a.ID:
		case d.Before && p.Unset() && member == "ipnPathSecretArn":
			r.skip(check, a.ID, member+": the deploy makes it")
		default:
			r.bad(check, a.ID, member+": "+p.Wrong, p.Remedy)
		}
	}
	const storeID = "amzn1.application-oa2-client."
	if a.StoreID != "" && !strings.HasPrefix(a.StoreID, storeID) {
		r.bad(check, a.ID, "storeId: it does not begin with "+storeID, "copy the store id from Seller Central; it is neither the merchant id nor the public key id")
	}
	if r.failed(check, a.ID) {
		return
	}
	note := ""
	if a.Region == merchant.JP {
		note = "; Amazon's notice says that its update page is not supported in Japan at present"
	}
	r.good(check, a.ID, "%s, %s, %s, %s%s", a.Environment, a.Region, a.LedgerCurrency, a.Algorithm, note)
}

// words checks the secrets that the deploy makes.
func (d *Doctor) words(ctx context.Context, r *report) {
	for _, w := range []struct {
		check, arn string
		read       Words
	}{
		{"link secret", d.Config.Start.LinkSecret, d.Links},
		{"bearer key", d.Config.Start.BearerSecret, d.Bearer},
	} {
		switch {
		case w.check == "bearer key" && d.Config.Start.IAM:
			r.skip(w.check, "", "AUTH is iam: none is asked for")
			continue
		case w.arn == "":
			r.skip(w.check, "", "its setting is missing")
			continue
		}
		r.secret(w.check, "", func() ([]string, error) { return w.read(ctx, true) })
	}
}

// secret checks that a secret can be read, and returns its valid values.
func (r *report) secret(check string, a wallet.AccountID, read func() ([]string, error)) []string {
	words, err := read()
	switch {
	case err != nil:
		r.bad(check, a, plain(err), readable)
	case len(words) > 1:
		r.good(check, a, "the current one and the one before it are valid")
	default:
		r.good(check, a, "the current one is valid; there is none before it")
	}
	return words
}

const readable = "put the value there in that form, and let these credentials read it (secretsmanager:GetSecretValue; kms:Decrypt with a key of your own)"

// sweep checks that the share of the quota allows the configured period.
func (d *Doctor) sweep(ctx context.Context, r *report, a config.Account, migrated bool) {
	const check = "sweep"
	if !migrated {
		r.skip(check, a.ID, "the database was not checked")
		return
	}
	s, err := d.Databases.Sweepable(ctx, a.ID)
	if err != nil {
		r.bad(check, a.ID, plain(err), "invoke the migrator, which copies the accounts there")
		return
	}
	needs := reconcile.Shortest(s, d.Config.Reconciler.Every)
	found := fmt.Sprintf("%s open, %.4g calls a second: all can be read once in %s, and are to be in %s",
		count(s.Total, "charge permission"), s.PerSecond, span(needs), span(d.Config.Reconciler.Sweep))
	if needs > d.Config.Reconciler.Sweep {
		r.bad(check, a.ID, found, fmt.Sprintf("raise the account's share, have Amazon Pay raise the quota (then set quotas), or set SWEEP_DAYS to %.2g or more", up(needs)))
		return
	}
	r.good(check, a.ID, "%s", found)
}

// up is days, rounded up for two digits.
func up(d time.Duration) float64 { return d.Hours() / 24 * 1.05 }

// span writes a duration for people.
func span(d time.Duration) string {
	switch {
	case d >= 72*time.Hour:
		return fmt.Sprintf("%.4g days", d.Hours()/24)
	case d >= 2*time.Hour:
		return fmt.Sprintf("%.4g hours", d.Hours())
	case d >= 2*time.Minute:
		return fmt.Sprintf("%.4g minutes", d.Minutes())
	}
	return fmt.Sprintf("%.4g s", d.Seconds())
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// sdk is the AWS SDK's prefix of the service's message.
var sdk = regexp.MustCompile(`operation error [^,]*, https response error StatusCode: [0-9]+, RequestID: [^,]*, (HostID: [^,]*, )?`)

// plain is an error as one short line.
func plain(err error) string {
	s := sdk.ReplaceAllString(strings.Join(strings.Fields(err.Error()), " "), "")
	if len(s) > 300 {
		s = strings.ToValidUTF8(s[:300], "") + "…"
	}
	return s
}
