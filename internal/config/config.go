// Package config reads the settings of a merchant: the environment of the functions,
// and their secrets in AWS Secrets Manager. It reads and checks the environment once,
// at the start, without the network, and reports all problems together. It reads
// secrets when they are first needed.
//
// The structs contain only values that may be printed. A Secret prints as
// "[hidden]".
//
// The struct fields document the settings: a comment that begins with the name of
// a variable is its row in functions/README.md, as far as its first paragraph
// goes. A last sentence "Default: …" is needed where the field's value does not
// show the default. A variable that several functions read is documented once.
package config

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"walletsync/internal/amazonpay/merchant"
	"walletsync/internal/wallet"
)

// Function holds the settings of every function.
type Function struct {
	Name string // AWS_LAMBDA_FUNCTION_NAME, which Lambda sets
	// LOG_LEVEL: `debug`, `info`, `warn` or `error`.
	LogLevel zerolog.Level
}

// Receiver is the configuration of ipn-receiver.
type Receiver struct {
	Function
	// ACCOUNTS: the merchant accounts, a JSON array; the next table has the members.
	Accounts []Account
	// QUEUE_URL: URL of the queue that the worker reads.
	QueueURL string
	Trust    Trust
}

// Worker is the configuration of ipn-worker.
type Worker struct {
	Function
	Accounts []Account
	Refreshing
	// DEAD_LETTER_QUEUE_URL: URL of the dead-letter queue of `QUEUE_URL`.
	DeadLetterQueueURL string
	// DATABASE_CONNECTIONS: how many connections to the database all functions
	// together may have open, a number or a sum such as `28+5`. The doctor compares
	// it with the server's limit. Default: unknown.
	Connections int
	// FETCH_LIMIT: how many charge permissions are claimed and fetched at once. A
	// backlog drains at no more than this many a second.
	FetchLimit int
}

// Migrator is the configuration of migrator.
type Migrator struct {
	Function
	Accounts       []Account
	DatabaseSecret string // ARN
	DatabaseIAM    DatabaseIAM
	Trust          Trust
}

// Reconciler is the configuration of reconciler.
type Reconciler struct {
	Function
	Accounts       []Account
	QueueURL       string
	DatabaseSecret string // ARN
	DatabaseIAM    DatabaseIAM
	Trust          Trust
	APITimeout     time.Duration // of one call to Amazon Pay
	// SWEEP_DAYS: every open charge permission is read at least once in this many
	// days. May be a fraction.
	Sweep time.Duration
	// RETENTION_DAYS: how many days personal data is kept of charge permissions that
	// are closed, unknown to Amazon Pay, no longer followed, or of an account that is
	// no longer in `ACCOUNTS`. `0`: for ever.
	Retention time.Duration
	// INBOX_DAYS: how many days notifications are kept, at least 15.
	Inbox time.Duration
	// UPDATE_DAYS: how many days update sessions and their returns are kept after
	// they end, at least 15.
	Updates time.Duration
	// ACCESS_DAYS: how many days the console's access log is kept.
	Accesses time.Duration
	// RECONCILE_INTERVAL: rate of the function's schedule. Both must be the same.
	Every time.Duration
	// NOTIFICATION_GRACE_PERIOD: how long the notification of a completed update may take.
	// When two are missing, the reconciler reports that notifications have stopped.
	GracePeriod time.Duration
}

// Push is the configuration of feed-push.
type Push struct {
	Function
	DatabaseSecret string // ARN
	DatabaseIAM    DatabaseIAM
	// FEED_TARGET_ARN: ARN of an SNS topic or an EventBridge bus.
	Target string
}

// CLI is the configuration of the command line.
type CLI struct {
	Function
	Accounts       []Account
	QueueURL       string
	DatabaseSecret string // ARN
	DatabaseIAM    DatabaseIAM
	FetchLimit     int // the worker's: charge permissions claimed and fetched at once
}

// The defaults of the optional settings.
const (
	DefaultMargin     = 5 * time.Second
	DefaultFetchLimit = 20
	DefaultAPITimeout = 8 * time.Second
	DefaultLease      = 35 * time.Second
	DefaultShare      = 0.5
	// DefaultSweepDays repairs the effects of a lost notification well before the
	// next parcel of a monthly subscription. Half of the quota that Amazon Pay
	// documents is sufficient for 300,000 charge permissions (sandbox: 75,000).
	DefaultSweepDays = 7
	DefaultEvery     = 5 * time.Minute
	// DefaultGracePeriod is longer than the retries of SNS's default policy: 3
	// retries, 20 s apart, with 15 s for each answer ("Amazon SNS message delivery
	// retries").
	DefaultGracePeriod = 5 * time.Minute
	// DefaultRetentionDays is when Amazon's API stops returning the buyer of a
	// closed charge permission ("Charge Permission" in the API reference).
	DefaultRetentionDays = 30
	// DefaultInboxDays is longer than the 14 days for which the queue and the
	// dead-letter queue keep messages.
	DefaultInboxDays = 90
	// DefaultUpdateDays equals DefaultInboxDays. The changes stay in the change
	// feed.
	DefaultUpdateDays = 90
	// DefaultAccessDays is how far back the access log reaches.
	DefaultAccessDays = 365
	DefaultAlgorithm  = merchant.PSSV2
)

// LoadReceiver reads the configuration of ipn-receiver; getenv is os.Getenv.
// Its error is Problems.
func LoadReceiver(getenv func(string) string) (Receiver, error) {
	r := reader{getenv: getenv}
	c := Receiver{
		Function: r.function("ipn-receiver"),
		Accounts: r.accounts(ipnPathSecretArn),
		QueueURL: r.url("QUEUE_URL", "the URL of the queue that the worker reads"),
		Trust:    r.trust(),
	}
	return c, r.err()
}

// LoadWorker reads the configuration of ipn-worker; getenv is os.Getenv. Its
// error is Problems.
func LoadWorker(getenv func(string) string) (Worker, error) {
	r := reader{getenv: getenv}
	c := Worker{
		Function:           r.function("ipn-worker"),
		Accounts:           r.accounts(privateKeySecretArn),
		Refreshing:         r.refreshing(),
		DeadLetterQueueURL: r.url("DEAD_LETTER_QUEUE_URL", deadLetterRemedy),
		Connections:        r.sum("DATABASE_CONNECTIONS"),
		FetchLimit:         r.fetchLimit(),
	}
	return c, r.err()
}

// LoadMigrator reads the configuration of migrator; getenv is os.Getenv. Its
// error is Problems. The migrator can report the error with the rest of the
// configuration.
func LoadMigrator(getenv func(string) string) (Migrator, error) {
	r := reader{getenv: getenv}
	c := Migrator{
		Function:       r.function("migrator"),
		Accounts:       r.accounts(noSecret),
		DatabaseSecret: r.secretARN("DATABASE_SECRET_ARN", databaseRemedy),
		DatabaseIAM:    r.databaseIAM(),
		Trust:          r.trust(),
	}
	return c, r.err()
}

// LoadReconciler reads the configuration of reconciler; getenv is os.Getenv. Its
// error is Problems.
func LoadReconciler(getenv func(string) string) (Reconciler, error) {
	r := reader{getenv: getenv}
	c := Reconciler{
		Function:       r.function("reconciler"),
		Accounts:       r.accounts(privateKeySecretArn),
		QueueURL:       r.url("QUEUE_URL", queueRemedy),
		DatabaseSecret: r.secretARN("DATABASE_SECRET_ARN", databaseRemedy),
		DatabaseIAM:    r.databaseIAM(),
		Trust:          r.trust(),
		APITimeout:     r.apiTimeout(),
		Sweep:          r.days("SWEEP_DAYS", DefaultSweepDays, 365),
		Retention:      r.wholeDays("RETENTION_DAYS", DefaultRetentionDays, 0, 3650),
		Inbox:          r.wholeDays("INBOX_DAYS", DefaultInboxDays, 15, 3650),
		Updates:        r.wholeDays("UPDATE_DAYS", DefaultUpdateDays, 15, 3650),
		Accesses:       r.wholeDays("ACCESS_DAYS", DefaultAccessDays, 1, 3650),
		Every:          r.duration("RECONCILE_INTERVAL", DefaultEvery, time.Second, time.Hour),
		GracePeriod:    r.gracePeriod(),
	}
	return c, r.err()
}

// LoadPush reads the configuration of feed-push; getenv is os.Getenv. Its error
// is Problems.
func LoadPush(getenv func(string) string) (Push, error) {
	const remedy = "the ARN of an SNS topic or of an EventBridge bus, such as arn:aws:events:eu-west-1:111122223333:event-bus/shop"
	r := reader{getenv: getenv}
	c := Push{
		Function:       r.function("feed-push"),
		DatabaseSecret: r.secretARN("DATABASE_SECRET_ARN", databaseRemedy),
		DatabaseIAM:    r.databaseIAM(),
		Target:         r.needed("FEED_TARGET_ARN", remedy),
	}
	// Compile here, so that other functions' cold starts do not.
	bus := regexp.MustCompile(`^arn:(aws|aws-cn|aws-us-gov):events:[a-z0-9-]+:[0-9]{12}:event-bus/[A-Za-z0-9._/-]{1,256}$`)
	if c.Target != "" && !topicARN.MatchString(c.Target) && !bus.MatchString(c.Target) {
		r.add("FEED_TARGET_ARN", "it is not the ARN of a topic or a bus", "set "+remedy)
	}
	return c, r.err()
}

// LoadCLI reads the configuration of the command line from the environment of any
// function with a queue and a database; getenv is os.Getenv. Its error is
// Problems.
func LoadCLI(getenv func(string) string) (CLI, error) {
	r := reader{getenv: getenv}
	c := CLI{
		Function:       r.function("walletsync"),
		Accounts:       r.accounts(noSecret),
		QueueURL:       r.url("QUEUE_URL", queueRemedy),
		DatabaseSecret: r.secretARN("DATABASE_SECRET_ARN", databaseRemedy),
		DatabaseIAM:    r.databaseIAM(),
		FetchLimit:     r.fetchLimit(),
	}
	return c, r.err()
}

// The remedies for variables of several functions.
const (
	queueRemedy      = "the URL of the queue that the worker reads; wake-ups go there"
	deadLetterRemedy = "the URL of the queue's dead-letter queue"
	databaseRemedy   = `the ARN of a secret such as {"url":"postgres://user:password@host/database"}`
)

// Problem is one problem in the environment.
type Problem struct {
	Variable string
	Wrong    string
	Remedy   string
}

// Problems are all problems in the environment.
type Problems []Problem

// Error lists the problems, one per line.
func (p Problems) Error() string {
	var b strings.Builder
	b.WriteString("the configuration is invalid:")
	for _, one := range p {
		fmt.Fprintf(&b, "\n  %s: %s; %s", one.Variable, one.Wrong, one.Remedy)
	}
	return b.String()
}

// reader reads variables and collects their problems.
type reader struct {
	getenv   func(string) string
	problems Problems
}

func (r *reader) add(variable, wrong, remedy string) {
	r.problems = append(r.problems, Problem{variable, wrong, remedy})
}

func (r *reader) err() error {
	if len(r.problems) == 0 {
		return nil
	}
	return r.problems
}

func (r *reader) function(name string) Function {
	f := Function{Name: name, LogLevel: zerolog.InfoLevel}
	if s := r.getenv("AWS_LAMBDA_FUNCTION_NAME"); s != "" {
		f.Name = s
	}
	if s := r.getenv("LOG_LEVEL"); s != "" {
		level, err := zerolog.ParseLevel(strings.ToLower(s))
		if err != nil || level < zerolog.DebugLevel || level > zerolog.ErrorLevel {
			r.add("LOG_LEVEL", "it is not a level", "set debug, info, warn or error, or leave it out for info")
		} else {
			f.LogLevel = level
		}
	}
	return f
}

func (r *reader) needed(name, what string) string {
	s := r.getenv(name)
	if s == "" {
		r.add(name, unset, "set "+what)
	}
	return s
}

// secretARN reads the ARN of a secret. No error quotes the value, here or later,
// because a user may have set the secret itself by mistake.
func (r *reader) secretARN(name, what string) string {
	s := r.needed(name, what)
	if s != "" && !isSecretARN(s) {
		r.add(name, notSecretARN, "set "+what+" in Secrets Manager, not the secret itself")
		return ""
	}
	return s
}

const notSecretARN = "it is not the ARN of a secret"

// isSecretARN reports whether s is the ARN of a secret of Secrets Manager (Service
// Authorization Reference, "Resource types defined by AWS Secrets Manager").
func isSecretARN(s string) bool { return len(s) <= 2048 && secretARN.MatchString(s) }

var secretARN = regexp.MustCompile(`^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]+:secret:[A-Za-z0-9/_+=.@-]+$`)

func (r *reader) url(name, what string) string {
	s := r.needed(name, what)
	if s == "" {
		return ""
	}
	if u, err := url.Parse(s); err != nil || u.Host == "" || u.User != nil || (u.Scheme != "https" && u.Scheme != "http") {
		r.add(name, "it is not an http or https URL without user", "set "+what)
	}
	return s
}

// DatabaseIAM holds the settings of the sign-in to the database with IAM.
type DatabaseIAM struct {
	// DATABASE_AUTH: with `iam`, a URL without a password signs in to RDS with an
	// IAM token. Default: `password`.
	On bool
	// DATABASE_IAM_ENDPOINT: with `DATABASE_AUTH` `iam`, host and port of the database
	// in RDS, for which the token is signed, such as
	// `db.abc123.eu-west-1.rds.amazonaws.com:5432`. Needed if the URL leads there by a
	// CNAME or a tunnel. Default: the URL's host and port.
	Endpoint string
}

func (r *reader) databaseIAM() (d DatabaseIAM) {
	switch how := r.getenv("DATABASE_AUTH"); how {
	case "", "password":
	case "iam":
		d.On = true
	default:
		r.add("DATABASE_AUTH", "it is neither password nor iam", "set one of them, or leave it out for password")
	}
	const name = "DATABASE_IAM_ENDPOINT"
	d.Endpoint = r.getenv(name)
	if d.Endpoint == "" {
		return d
	}
	host, port, err := net.SplitHostPort(d.Endpoint)
	n, number := strconv.ParseUint(port, 10, 16)
	switch {
	case !d.On:
		r.add(name, "it is only used with DATABASE_AUTH=iam", "set DATABASE_AUTH to iam, or leave it out")
	case err != nil || number != nil || n == 0 || !hostName.MatchString(host):
		r.add(name, "it is not a host and a port", "set those of the database's endpoint in RDS, such as db.abc123.eu-west-1.rds.amazonaws.com:5432, or leave it out for those of the URL")
	}
	return d
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9.-]+$`)

func (r *reader) duration(name string, standard, lowest, highest time.Duration) time.Duration {
	s := r.getenv(name)
	if s == "" {
		return standard
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < lowest || d > highest {
		r.add(name, fmt.Sprintf("it is not a duration from %s to %s", lowest, highest),
			fmt.Sprintf("set one such as 1m30s, or leave it out for %s", standard))
		return standard
	}
	return d
}

func (r *reader) number(name string, standard, lowest, highest int) int {
	s := r.getenv(name)
	if s == "" {
		return standard
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < lowest || n > highest {
		r.add(name, fmt.Sprintf("it is not a whole number from %d to %d", lowest, highest),
			fmt.Sprintf("set one, or leave it out for %d", standard))
		return standard
	}
	return n
}

// sum reads a number or a sum such as 28+5, because CloudFormation cannot add. It is
// 0 if the variable is not set.
func (r *reader) sum(name string) (sum int) {
	s := r.getenv(name)
	if s == "" {
		return 0
	}
	for part := range strings.SplitSeq(s, "+") {
		n, err := strconv.ParseUint(part, 10, 16)
		if err != nil {
			r.add(name, "it is not a whole number or a sum", "set one such as 33 or 28+5, or leave it out")
			return 0
		}
		sum += int(n)
	}
	return sum
}

func (r *reader) apiTimeout() time.Duration {
	return r.duration("API_TIMEOUT", DefaultAPITimeout, 100*time.Millisecond, 5*time.Minute)
}

func (r *reader) fetchLimit() int { return r.number("FETCH_LIMIT", DefaultFetchLimit, 1, 200) }

func (r *reader) gracePeriod() time.Duration {
	return r.duration("NOTIFICATION_GRACE_PERIOD", DefaultGracePeriod, time.Second, 24*time.Hour)
}

// wholeDays reads a number of days.
func (r *reader) wholeDays(name string, standard, lowest, highest int) time.Duration {
	return time.Duration(r.number(name, standard, lowest, highest)) * 24 * time.Hour
}

// days reads a number of days, which may be a fraction.
func (r *reader) days(name string, standard, limit float64) time.Duration {
	days := standard
	if s := r.getenv(name); s != "" {
		var err error
		if days, err = strconv.ParseFloat(s, 64); err != nil || !(days > 0 && days <= limit) {
			r.add(name, fmt.Sprintf("it is not a number above 0 and at most %v", limit),
				fmt.Sprintf("set one, such as 7 or 0.5, or leave it out for %v", standard))
			days = standard
		}
	}
	return time.Duration(days * float64(24*time.Hour))
}

// trust returns the zero value if the file cannot be used, so that the error can still
// be reported.
func (r *reader) trust() Trust {
	const name = "TLS_CA_FILE"
	t := Trust{File: r.getenv(name)}
	if t.File == "" {
		return t
	}
	pem, err := os.ReadFile(t.File)
	switch {
	case err != nil:
		// An error of package os quotes the path, which may be the text of a file by
		// mistake.
		cause := err
		if e, ok := errors.AsType[*fs.PathError](err); ok {
			cause = e.Err
		}
		r.add(name, fmt.Sprintf("it cannot be read: %v", cause), "set the path of a PEM file, or leave it out")
		return Trust{}
	case !x509.NewCertPool().AppendCertsFromPEM(pem):
		r.add(name, "the file contains no certificate in PEM", "set the path of a PEM file, or leave it out")
		return Trust{}
	}
	return t
}

// Account is one merchant id in one environment. Nothing in it is secret.
type Account struct {
	ID             wallet.AccountID
	MerchantID     string
	Environment    merchant.Environment
	Region         merchant.Region
	PublicKeyID    string
	StoreID        string // may be empty
	LedgerCurrency string
	Algorithm      merchant.Algorithm
	Topics         []string // ARNs; empty if the topic is not pinned yet
	Share          float64  // of Amazon Pay's quota, in (0, 1]
	// Quotas are all quotas of the merchant account: those that Amazon Pay
	// documents, unless Amazon has granted others.
	Quotas        []wallet.Quota
	Follow        wallet.Followed
	KeySecret     string // ARN of the secret with the private key
	IPNPathSecret string // ARN of the IPN path secret
	// CheckoutScriptURL replaces the region's checkout.js, for example with a
	// mirror. If empty, Amazon's own.
	CheckoutScriptURL string
}

// secretNeeded is the secret of an account that a function needs. No function has
// both.
type secretNeeded int

const (
	noSecret secretNeeded = iota
	ipnPathSecretArn
	privateKeySecretArn
)

// accountJSON is an element of ACCOUNTS. The comments of its members are rows of
// functions/README.md.
type accountJSON struct {
	// A name of your choice, part of the IPN path: lower-case letters, digits and
	// dashes, at most 32, a letter first.
	ID string `json:"id"`
	// As in Seller Central.
	MerchantID string `json:"merchantId"`
	// `live` or `sandbox`.
	Environment string `json:"environment"`
	// `NA`, `EU` or `JP`, as in Seller Central.
	Region string `json:"region"`
	// Id of the key for Amazon Pay's API.
	PublicKeyID string `json:"publicKeyId"`
	// `amzn1.application-oa2-client.…`, from Seller Central.
	StoreID string `json:"storeId"`
	// `USD`, `EUR`, `GBP` or `JPY`, as the region has it.
	LedgerCurrency string `json:"ledgerCurrency"`
	// Algorithm of signatures; the other one is `AMZN-PAY-RSASSA-PSS`.
	Algorithm string `json:"algorithm"`
	// ARNs of the account's SNS topics. Until one is pinned here, the IPN path secret
	// alone decides, and an alarm asks for the pin. Deliveries without a path, by
	// Lambda or a relay topic, are accepted from pinned topics only.
	Topics []string `json:"topics"`
	// The part of Amazon Pay's quota that walletsync uses, above 0 and at most 1.
	Share *float64 `json:"share"`
	// Quotas that Amazon has granted, by call (`get_charge_permission`,
	// `get_checkout_session`, `complete_checkout_session`), each with `burst` and
	// `perSecond`. Default: as Amazon Pay documents.
	Quotas map[wallet.Call]struct {
		Burst     float64 `json:"burst"`
		PerSecond float64 `json:"perSecond"`
	} `json:"quotas"`
	// `types`: the types of charge permissions that are kept in step. `knownOnly`:
	// ids that were never announced, imported or updated cause no call.
	// Default: `{"types":["PaymentMethodOnFile","Recurring"],"knownOnly":false}`.
	Follow *struct {
		Types     []string `json:"types"`
		KnownOnly bool     `json:"knownOnly"`
	} `json:"follow"`
	// ARN of `{"privateKey":"-----BEGIN …"}`, the key that belongs to `publicKeyId`.
	KeySecret string `json:"privateKeySecretArn"`
	// ARN of `{"ipnSecret":"…"}`, the last part of the IPN URL.
	IPNPathSecret string `json:"ipnPathSecretArn"`
	// Another address of Amazon's script. Default: the region's.
	CheckoutScriptURL string `json:"checkoutScriptUrl"`
}

func (r *reader) accounts(secret secretNeeded) []Account {
	const name = "ACCOUNTS"
	s := r.needed(name, `a JSON array of the merchant accounts, such as [{"id":"main","merchantId":"…","environment":"sandbox","region":"EU",…}]`)
	if s == "" {
		return nil
	}
	d := json.NewDecoder(strings.NewReader(s))
	d.DisallowUnknownFields() // or misspelt settings would be ignored
	var elements []accountJSON
	if err := d.Decode(&elements); err != nil {
		r.add(name, fmt.Sprintf("it cannot be read: %v", err), "set a JSON array of accounts, with the members that functions/README.md lists")
		return nil
	}
	if d.More() {
		r.add(name, "something follows the array", "set one JSON array")
	}
	if len(elements) == 0 {
		r.add(name, "it lists no account", "list at least one")
	}
	accounts := make([]Account, len(elements))
	for i, a := range elements {
		accounts[i] = r.account(fmt.Sprintf("%s[%d]", name, i), a, secret)
	}
	r.distinct(name, accounts)
	return accounts
}

var (
	merchantID = regexp.MustCompile(`^[A-Za-z0-9]{1,64}$`)
	// The characters allowed in a parameter of an Authorization header.
	publicKeyID = regexp.MustCompile(`^[A-Za-z0-9._~+/-]{1,128}$`)
	// The partitions with SNS ("Amazon SNS endpoints and quotas").
	topicARN = regexp.MustCompile(`^arn:(aws|aws-cn|aws-us-gov):sns:[a-z]{2}(-[a-z]+)+-[0-9]{1,2}:[0-9]{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?$`)
)

func (r *reader) account(at string, a accountJSON, secret secretNeeded) Account {
	add := func(member, wrong, remedy string) { r.add(at+"."+member, wrong, remedy) }
	out := Account{
		MerchantID: a.MerchantID, PublicKeyID: a.PublicKeyID, StoreID: a.StoreID, LedgerCurrency: a.LedgerCurrency,
		Algorithm: DefaultAlgorithm, Topics: a.Topics, Share: DefaultShare, Follow: wallet.DefaultFollowed(),
		KeySecret: a.KeySecret, IPNPathSecret: a.IPNPathSecret,
	}
	var err error
	if out.ID, err = wallet.ParseAccountID(a.ID); err != nil {
		add("id", "it is not a name of 1 to 32 characters of a-z, 0-9 and - that begins with a-z", "choose one; it is part of the IPN path")
	}
	if !merchantID.MatchString(a.MerchantID) {
		add("merchantId", "it is not a merchant id", "copy it from Seller Central")
	}
	var ok bool
	if out.Environment, ok = merchant.ParseEnvironment(a.Environment); !ok {
		out.Environment = ""
		add("environment", "it is neither live nor sandbox", "set one of them")
	}
	if out.Region, ok = merchant.ParseRegion(a.Region); !ok {
		add("region", "it is not a region", "set NA, EU or JP")
	} else if known := out.Region.LedgerCurrencies(); !slices.Contains(known, a.LedgerCurrency) {
		add("ledgerCurrency", fmt.Sprintf("it is not a currency of %s", out.Region), "set "+strings.Join(known, " or "))
	}
	bound, isBound := merchant.KeyEnvironment(a.PublicKeyID)
	switch {
	case !publicKeyID.MatchString(a.PublicKeyID):
		add("publicKeyId", "it is not a public key id", "copy it from Seller Central")
	case isBound && out.Environment != "" && out.Environment != bound:
		add("publicKeyId", fmt.Sprintf("it is not a key of the environment %s", out.Environment), "use that environment's key, or correct the environment")
	}
	if a.Algorithm != "" {
		if out.Algorithm = merchant.Algorithm(a.Algorithm); out.Algorithm.SaltLength() == 0 {
			add("algorithm", "it is not known", fmt.Sprintf("set %s or %s, or leave it out for the first", merchant.PSSV2, merchant.PSS))
		}
	}
	for i, t := range a.Topics {
		if !topicARN.MatchString(t) {
			add(fmt.Sprintf("topics[%d]", i), "it is not the ARN of an SNS topic", "copy it from the alarm that asked for the pin")
		}
	}
	out.Quotas = wallet.SandboxQuotas()
	if out.Environment == merchant.Live {
		out.Quotas = wallet.LiveQuotas()
	}
	for call, q := range a.Quotas {
		i := slices.IndexFunc(out.Quotas, func(k wallet.Quota) bool { return k.Call == call })
		if i < 0 || !(q.Burst >= 1) || !(q.PerSecond > 0) {
			add("quotas", "one of them is not a quota",
				"name get_charge_permission, get_checkout_session or complete_checkout_session, each with burst (1 or more) and perSecond (above 0), or leave it out for what Amazon Pay documents")
			continue
		}
		out.Quotas[i].Burst, out.Quotas[i].PerSecond = q.Burst, q.PerSecond
	}
	if a.Share != nil {
		if out.Share = *a.Share; out.Share <= 0 || out.Share > 1 {
			add("share", fmt.Sprintf("%v is not above 0 and at most 1", out.Share), fmt.Sprintf("set the part of Amazon Pay's quota that walletsync may use, or leave it out for %v", DefaultShare))
		}
	}
	if a.Follow != nil {
		out.Follow.KnownOnly = a.Follow.KnownOnly
		if a.Follow.Types != nil {
			out.Follow.Types = a.Follow.Types
		}
		if slices.Contains(out.Follow.Types, "") {
			add("follow.types", "one of them is empty", "list types of charge permissions, such as PaymentMethodOnFile")
		}
	}
	if a.CheckoutScriptURL != "" {
		out.CheckoutScriptURL = a.CheckoutScriptURL
		if u, err := url.Parse(a.CheckoutScriptURL); err != nil || !secure(u) || !plainURL.MatchString(a.CheckoutScriptURL) {
			add("checkoutScriptUrl", "it is not the https URL of a script", "leave it out for Amazon's own")
		}
	}
	for _, member := range []struct {
		name string
		arn  *string
	}{{"privateKeySecretArn", &out.KeySecret}, {"ipnPathSecretArn", &out.IPNPathSecret}} {
		if *member.arn != "" && !isSecretARN(*member.arn) {
			add(member.name, notSecretARN, "set the ARN of a secret in Secrets Manager, not the secret itself")
			*member.arn = ""
		}
	}
	if secret == ipnPathSecretArn && a.IPNPathSecret == "" {
		add("ipnPathSecretArn", unset, `set the ARN of a secret such as {"ipnSecret":"…"}`)
	}
	if secret == privateKeySecretArn && a.KeySecret == "" {
		add("privateKeySecretArn", unset, `set the ARN of a secret such as {"privateKey":"-----BEGIN PRIVATE KEY-----…"}`)
	}
	return out
}

// distinct reports ids, merchant ids and topics that several accounts share.
func (r *reader) distinct(name string, accounts []Account) {
	type merchantKey struct {
		id          string
		environment merchant.Environment
	}
	ids, merchants, topics := map[wallet.AccountID]bool{}, map[merchantKey]bool{}, map[string]wallet.AccountID{}
	for i, a := range accounts {
		at := fmt.Sprintf("%s[%d]", name, i)
		if a.ID != "" && ids[a.ID] {
			r.add(at+".id", "duplicate value", "give each account a name of its own")
		}
		ids[a.ID] = true
		m := merchantKey{a.MerchantID, a.Environment}
		if a.MerchantID != "" && merchants[m] {
			r.add(at+".merchantId", fmt.Sprintf("duplicate value in %s", a.Environment), "list a merchant id once for each environment")
		}
		merchants[m] = true
		for j, t := range a.Topics {
			if other, taken := topics[t]; taken {
				r.add(fmt.Sprintf("%s.topics[%d]", at, j), fmt.Sprintf("it is a topic of %s already", other), "pin a topic to one account")
			}
			topics[t] = a.ID
		}
	}
}
