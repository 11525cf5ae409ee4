// Package stack puts the whole of walletsync on one machine: real Postgres, the
// local queue and secrets, the functions' real binaries behind the Lambda
// Runtime API, and the twin of Amazon Pay and SNS. `make run` and the end-to-end
// tests start the same.
package stack

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/rs/zerolog"

	"walletsync/internal/console/oidc"
	"walletsync/internal/local/aws/bus"
	"walletsync/internal/local/aws/lambda"
	"walletsync/internal/local/aws/secrets"
	"walletsync/internal/local/aws/sqs"
	"walletsync/internal/local/demo/shop"
	"walletsync/internal/local/demo/status"
	"walletsync/internal/local/issuer"
	"walletsync/internal/local/pg"
	"walletsync/internal/local/twin"
)

// Options of a stack. The zero value, with a Dir, is what `make run` starts.
type Options struct {
	// Dir is where stack.json and what goes with it stand while the stack
	// runs; it is removed at the end.
	Dir string
	// Progress gets in a few words what is being done.
	Progress func(string)
	// Output gets the functions' and the twin's logs; nil discards them.
	Output io.Writer
	// Margin is how far Amazon's reads may lag; 0: a second.
	Margin time.Duration
	// Quota replaces the raised quota of Get Charge Permission, and is all
	// walletsync's own.
	Quota *twin.Quota
	// Visibility replaces the queue's visibility time-out.
	Visibility time.Duration
	// Source has the size and window of the worker's batches, and how many
	// there are at once; the stack gives it queue and function.
	Source lambda.QueueSource
	// Environment is added to that of every function.
	Environment map[string]string
	// DatabaseURL, if set, leads the functions to the database another way,
	// such as through a proxy; it is given the server's own.
	DatabaseURL func(url string) (string, error)
	// Link, if set, leads what reaches a part another way; it is given the
	// part's host and port.
	Link func(part Part, address string) (string, error)
	// PostgresDir is the folder in which Postgres's own is made; empty: the
	// system's for temporary files.
	PostgresDir string
	// PostgresInMemory is pg.Options.InMemory.
	PostgresInMemory bool
	// ReconcileEvery is how often the reconciler runs; 0: every ten seconds,
	// below 0: only when a test invokes it.
	ReconcileEvery time.Duration
	// StatusAddr is where the status page listens; empty: a free port.
	StatusAddr string
	// NoSeed leaves the twin without buyers.
	NoSeed bool
	// Now is the clock of the twin and of the queue; nil: time.Now. The
	// functions' and Postgres's stay what they are. A test that moves it has the
	// queue look by Queue.SetSettings.
	Now func() time.Time
}

// Part is what a Link leads to.
type Part string

// The parts of a stack with a link. The database has DatabaseURL.
const (
	HTTPAPI     Part = "door"    // the HTTP API, for SNS, buyers and the merchant
	QueuePart   Part = "queue"   // SQS, for the functions
	SecretsPart Part = "secrets" // Secrets Manager, for the functions
	Amazon      Part = "amazon"  // the proxy by which the functions reach Amazon's hosts
	BusPart     Part = "bus"     // EventBridge, for the push
)

// Description is stack.json: how scripts reach the stack.
type Description struct {
	StatusURL          string `json:"statusUrl"`
	IPNURL             string `json:"ipnUrl"`
	AmazonPayURL       string `json:"amazonPayUrl"`
	ProxyURL           string `json:"proxyUrl"`
	CAFile             string `json:"caFile"`
	ControlURL         string `json:"controlUrl"`
	CheckoutScriptURL  string `json:"checkoutScriptUrl"`
	PublicURL          string `json:"publicUrl"`         // what /update-sessions, /update and /return stand below
	UpdateSessionsURL  string `json:"updateSessionsUrl"` // for the merchant's server, with the key in BearerKeyFile
	BearerKeyFile      string `json:"bearerKeyFile"`
	ShopURL            string `json:"shopUrl"`
	ConsoleURL         string `json:"consoleUrl"`
	IssuerURL          string `json:"issuerUrl"`               // where people sign in to the console, and programs get access tokens
	ConsoleClientID    string `json:"consoleClientId"`         // of the issuer's client
	ConsoleSecretFile  string `json:"consoleClientSecretFile"` // of the same
	DatabaseURL        string `json:"databaseUrl"`
	QueueURL           string `json:"queueUrl"`
	DeadLetterQueueURL string `json:"deadLetterQueueUrl"`
	MerchantID         string `json:"merchantId"`
	PublicKeyID        string `json:"publicKeyId"`
	PrivateKeyFile     string `json:"privateKeyFile"`
	TopicARN           string `json:"topicArn"`
}

// Stack is a running one.
type Stack struct {
	Description
	Postgres *pg.Server
	Queue    *sqs.Queue
	DLQ      *sqs.Queue
	SQS      *sqs.Server
	Secrets  *secrets.Server
	Twin     *twin.Twin
	Receiver *lambda.Function
	Worker   *lambda.Function
	Migrator *lambda.Function
	Start    *lambda.Function
	Return   *lambda.Function
	Console  *lambda.Function
	Issuer   *issuer.Issuer
	// Reconciler runs by its schedule, and when it is invoked.
	Reconciler *lambda.Function
	// Push runs by the same schedule, and publishes changes to the Bus.
	Push *lambda.Function
	Bus  *bus.Server
	DB   *pgxpool.Pool

	bin         string
	environment map[string]string // of every function
	options     Options
	closing     sync.Mutex
	closers     []func()
	servers     sync.WaitGroup
}

// The one account of a stack.
const (
	account    = "main"
	ipnSecret  = "local-path-secret" // of a stack that only loopback reaches
	visibility = 180 * time.Second
)

// Start starts everything and returns when all is up. Close stops it; so does
// the end of ctx, but for what Close removes.
func Start(ctx context.Context, o Options) (_ *Stack, err error) {
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	o.Output = cmp.Or[io.Writer](o.Output, io.Discard)
	o.Margin, o.Visibility, o.ReconcileEvery = cmp.Or(o.Margin, time.Second), cmp.Or(o.Visibility, visibility), cmp.Or(o.ReconcileEvery, 10*time.Second)
	s := &Stack{options: o}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	removeDir, err := takeDir(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("run folder: %w", err)
	}
	s.onClose(removeDir)

	var bin string
	var both sync.WaitGroup
	var buildErr, pgErr error
	both.Go(func() { bin, buildErr = s.build(ctx) })
	both.Go(func() { pgErr = s.startPostgres(ctx) })
	both.Wait()
	if err := errors.Join(buildErr, pgErr); err != nil {
		return nil, err
	}
	gateway, err := listenAt(ctx, "")
	if err != nil {
		return nil, err
	}
	api, err := s.link(HTTPAPI, gateway.Addr().String())
	if err != nil {
		return nil, err
	}
	s.PublicURL = "http://" + api
	s.IPNURL = s.PublicURL + "/ipn/" + account + "/" + ipnSecret
	s.UpdateSessionsURL = s.PublicURL + "/update-sessions"
	shopListener, err := listenAt(ctx, "")
	if err != nil {
		return nil, err
	}
	s.ShopURL = "http://" + shopListener.Addr().String() + "/"
	s.ConsoleURL = s.PublicURL + "/console/"
	if err := s.startAmazon(ctx); err != nil {
		return nil, err
	}
	s.bin = bin
	if err := s.startAWS(ctx, bin); err != nil {
		return nil, err
	}
	o.Progress("migrating the database")
	if _, err := s.Migrator.Invoke(ctx, []byte(`{}`)); err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	s.serve(gateway, (&lambda.Gateway{Routes: map[string]*lambda.Function{
		"POST /ipn/{account}/{secret}": s.Receiver, "POST /update-sessions": s.Start, "POST /charge-permissions": s.Start, "GET /update": s.Start, "GET /return": s.Return,
		"ANY /console": s.Console, "ANY /console/{proxy+}": s.Console,
	}}).Handler())
	s.schedule(ctx)
	o.Progress("subscribing to notifications")
	if err := s.subscribe(ctx); err != nil {
		return nil, err
	}
	if err := s.seed(ctx); err != nil {
		return nil, err
	}
	if err := s.startStatus(ctx); err != nil {
		return nil, err
	}
	if err := s.startShop(shopListener); err != nil {
		return nil, err
	}
	if err := s.describe(); err != nil {
		return nil, err
	}
	return s, s.describeEnvironment()
}

// Binary is the file of a function's binary.
func (s *Stack) Binary(function string) string { return filepath.Join(s.bin, function) }

// onClose adds what Close does; parts that start at once add theirs at once.
func (s *Stack) onClose(f func()) {
	s.closing.Lock()
	defer s.closing.Unlock()
	s.closers = append(s.closers, f)
}

// Close stops everything and removes what was made.
func (s *Stack) Close() {
	for i := len(s.closers) - 1; i >= 0; i-- {
		s.closers[i]()
	}
	s.closers = nil
	s.servers.Wait()
}

// builds are the folders of binaries of this process's running stacks. The
// source does not change while it runs, so all but the first take what is there:
// linking nine binaries costs as much as the rest of a stack's start.
var builds struct {
	sync.Mutex
	dirs []string
}

// build gives the stack the functions' binaries in a folder of its own.
func (s *Stack) build(ctx context.Context) (string, error) {
	dir, err := filepath.Abs(s.options.Dir)
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "bin")
	builds.Lock()
	defer builds.Unlock()
	if len(builds.dirs) > 0 {
		err = linkFiles(builds.dirs[0], bin)
	} else {
		s.options.Progress("compiling the functions")
		err = compile(ctx, bin)
	}
	if err != nil {
		return "", err
	}
	builds.dirs = append(builds.dirs, bin)
	s.onClose(func() {
		builds.Lock()
		defer builds.Unlock()
		builds.dirs = slices.DeleteFunc(builds.dirs, func(d string) bool { return d == bin })
	})
	return bin, nil
}

// linkFiles makes the folder to, with the same files as the folder from.
func linkFiles(from, to string) error {
	files, err := os.ReadDir(from)
	if err != nil {
		return fmt.Errorf("binaries: %w", err)
	}
	if err := os.MkdirAll(to, 0o700); err != nil {
		return fmt.Errorf("binaries: %w", err)
	}
	for _, f := range files {
		if err := os.Link(filepath.Join(from, f.Name()), filepath.Join(to, f.Name())); err != nil {
			return fmt.Errorf("binaries: %w", err)
		}
	}
	return nil
}

// compile compiles the functions for this machine, as they are deployed: the
// Makefile alone says how.
func compile(ctx context.Context, bin string) error {
	root, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return fmt.Errorf("go env GOMOD: %w", err)
	}
	build := exec.CommandContext(ctx, "make", "--no-print-directory", "build", "BUILD_DIR="+bin)
	build.Dir = filepath.Dir(strings.TrimSpace(string(root)))
	// What an outer make was given, such as make test by TESTFLAGS, is not for
	// this one.
	build.Env = append(os.Environ(), "MAKEFLAGS=", "MAKELEVEL=")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("compile the functions: %w\n%s", err, out)
	}
	return nil
}

func (s *Stack) startPostgres(ctx context.Context) error {
	o, err := pg.FromEnvironment(os.Getenv)
	if err != nil {
		return err
	}
	o.Progress, o.Dir, o.InMemory = s.options.Progress, s.options.PostgresDir, s.options.PostgresInMemory
	s.options.Progress("starting Postgres")
	if s.Postgres, err = pg.Start(ctx, o); err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	s.onClose(func() { _ = s.Postgres.Stop() })
	if s.DatabaseURL, err = s.Postgres.CreateDatabase(ctx, "walletsync"); err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	if s.DB, err = pgxpool.New(ctx, s.DatabaseURL); err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	s.onClose(s.DB.Close)
	return nil
}

func (s *Stack) startAmazon(ctx context.Context) error {
	s.options.Progress("starting the twin of Amazon Pay")
	var err error
	if s.CAFile, err = filepath.Abs(filepath.Join(s.options.Dir, "ca.pem")); err != nil {
		return err
	}
	s.Twin, err = twin.New(twin.Options{
		Accounts: []twin.Account{{Endpoint: s.IPNURL, Quotas: map[twin.Call]twin.Quota{
			twin.GetChargePermission: s.quota(), twin.GetCheckoutSession: raised, twin.CompleteCheckoutSession: raised}}},
		CAFile: s.CAFile,
		Now:    s.options.Now,
		Log:    zerolog.New(zerolog.SyncWriter(s.options.Output)).With().Timestamp().Str("function", "twin").Logger(),
		SNS:    twin.SNS{RetryAfter: 2 * time.Second},
	})
	if err != nil {
		return err
	}
	a := s.Twin.Accounts()[0]
	s.MerchantID, s.PublicKeyID, s.TopicARN = a.MerchantID, a.PublicKeyID, a.TopicARN
	key, _ := s.Twin.PrivateKeyPEM(a.PublicKeyID)
	s.PrivateKeyFile, err = s.keep("amazon-pay-private-key.pem", string(key))
	return err
}

// quota is Amazon Pay's for the account, all of it walletsync's.
func (s *Stack) quota() twin.Quota {
	if s.options.Quota != nil {
		return *s.options.Quota
	}
	return raised
}

// raised is a quota that pressing buttons never reaches.
var raised = twin.Quota{Burst: 1000, PerSecond: 1000}

func (s *Stack) startAWS(ctx context.Context, bin string) error {
	s.options.Progress("starting queue, secrets and functions")
	s.SQS = sqs.New(sqs.Options{Now: s.options.Now})
	settings := sqs.DefaultSettings()
	settings.Retention = 14 * 24 * time.Hour
	var err error
	if s.DLQ, err = s.SQS.CreateQueue("walletsync-dead-letters", settings); err != nil {
		return err
	}
	settings.VisibilityTimeout, settings.DeadLetters, settings.MaxReceives = s.options.Visibility, s.DLQ, 1000
	if s.Queue, err = s.SQS.CreateQueue("walletsync", settings); err != nil {
		return err
	}
	sqsURL, err := s.listen(ctx, QueuePart, s.SQS)
	if err != nil {
		return err
	}
	s.QueueURL = sqsURL + "/000000000000/" + s.Queue.Name()
	s.DeadLetterQueueURL = sqsURL + "/000000000000/" + s.DLQ.Name()

	s.Secrets = secrets.New()
	secretsURL, err := s.listen(ctx, SecretsPart, s.Secrets)
	if err != nil {
		return err
	}
	s.Bus = bus.New()
	busURL, err := s.listen(ctx, BusPart, s.Bus)
	if err != nil {
		return err
	}
	key, err := os.ReadFile(s.PrivateKeyFile)
	if err != nil {
		return err
	}
	url := s.DatabaseURL
	if s.options.DatabaseURL != nil {
		if url, err = s.options.DatabaseURL(url); err != nil {
			return err
		}
	}
	privateKeySecretArn := s.Secrets.Put("walletsync-key", encode(map[string]string{"privateKey": string(key)}))
	ipnPathSecretArn := s.Secrets.Put("walletsync-door", encode(map[string]string{"ipnSecret": ipnSecret}))
	bearerKey := rand.Text()
	if s.BearerKeyFile, err = s.keep("bearer-key.txt", bearerKey); err != nil {
		return err
	}
	bearerSecret := s.Secrets.Put("walletsync-bearer", encode(map[string]string{"bearerKey": bearerKey}))
	linkSecret := s.Secrets.Put("walletsync-link", encode(map[string]string{"linkSecret": rand.Text()}))
	clientSecret, err := s.startIssuer(ctx)
	if err != nil {
		return err
	}
	consoleSecret := s.Secrets.Put("walletsync-console", encode(map[string]string{"clientSecret": clientSecret, "cookieKey": rand.Text()}))
	database := s.Secrets.Put("walletsync-database", encode(map[string]string{"url": url, "directUrl": s.DatabaseURL}))

	if err := s.Twin.Start(ctx); err != nil {
		return err
	}
	s.onClose(func() { _ = s.Twin.Close() })
	s.AmazonPayURL, s.ProxyURL, s.ControlURL = s.Twin.APIURL(), s.Twin.ProxyURL(), s.Twin.ControlURL()
	s.CheckoutScriptURL = s.Twin.CheckoutScriptURL()
	amazon, err := s.link(Amazon, strings.TrimPrefix(s.ProxyURL, "http://"))
	if err != nil {
		return err
	}

	environment := map[string]string{
		"ACCOUNTS": encode([]map[string]any{{
			"id": account, "merchantId": s.MerchantID, "environment": "sandbox", "region": "EU", "publicKeyId": s.PublicKeyID,
			"storeId": "amzn1.application-oa2-client.0123456789abcdef0123456789abcdef", "ledgerCurrency": "EUR", "topics": []string{s.TopicARN},
			"quotas": map[string]twin.Quota{"get_charge_permission": s.quota(), "get_checkout_session": raised, "complete_checkout_session": raised}, "share": 1,
			"privateKeySecretArn": privateKeySecretArn, "ipnPathSecretArn": ipnPathSecretArn, "checkoutScriptUrl": s.CheckoutScriptURL}}),
		"PUBLIC_URL": s.PublicURL, "RETURN_ORIGINS": strings.TrimSuffix(s.ShopURL, "/"), "LINK_SECRET_ARN": linkSecret, "BEARER_SECRET_ARN": bearerSecret,
		"MERCHANT_NAME": "Example Shop", "MERCHANT_URL": s.ShopURL,
		"CSP_ADDITIONS":        encode(map[string][]string{"form-action": {s.Twin.CheckoutURL()}, "connect-src": {s.Twin.CheckoutURL()}}),
		"DATABASE_CONNECTIONS": "70", // seven functions, each of ten instances at most
		"DATABASE_SECRET_ARN":  database, "QUEUE_URL": s.QueueURL, "DEAD_LETTER_QUEUE_URL": s.DeadLetterQueueURL,
		"OIDC_ISSUER": s.IssuerURL, "OIDC_CLIENT_ID": s.ConsoleClientID, "CONSOLE_SECRET_ARN": consoleSecret, "API_AUDIENCE": consoleAudience,
		"ROLES":           encode(map[string][]string{"act": {"engineers"}, "read": {"clerks"}, "masked": {"trainees"}}),
		"READ_LAG_MARGIN": s.options.Margin.String(), "TLS_CA_FILE": s.CAFile, "HTTPS_PROXY": "http://" + amazon,
		"AWS_ENDPOINT_URL_SQS": sqsURL, "AWS_ENDPOINT_URL_SECRETS_MANAGER": secretsURL,
		"AWS_ENDPOINT_URL_EVENTBRIDGE": busURL, "FEED_TARGET_ARN": "arn:aws:events:eu-west-1:000000000000:event-bus/shop",
	}
	if s.options.ReconcileEvery > 0 {
		environment["RECONCILE_INTERVAL"] = s.options.ReconcileEvery.String()
	}
	maps.Copy(environment, s.options.Environment)
	s.environment = environment
	for _, f := range []struct {
		to      **lambda.Function
		name    string
		timeout time.Duration
	}{
		{&s.Receiver, "ipn-receiver", 10 * time.Second}, {&s.Worker, "ipn-worker", 30 * time.Second},
		{&s.Migrator, "migrator", 5 * time.Minute}, {&s.Reconciler, "reconciler", time.Minute}, {&s.Push, "feed-push", time.Minute},
		{&s.Start, "update-start", 15 * time.Second}, {&s.Return, "checkout-return", 28 * time.Second},
		{&s.Console, "console", 28 * time.Second},
	} {
		*f.to, err = lambda.Start(ctx, lambda.Config{Name: f.name, Binary: filepath.Join(bin, f.name), Environment: environment,
			Timeout: f.timeout, Wait: 5 * time.Second, Output: s.options.Output})
		if err != nil {
			return err
		}
		s.onClose((*f.to).Close)
	}
	source := s.options.Source
	source.Queue, source.Function = s.Queue, s.Worker
	if err := source.Check(); err != nil {
		return err
	}
	polling, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { _ = source.Run(polling) }) // it was checked, and ends with its context
	s.onClose(func() { stop(); running.Wait() })
	return nil
}

// The people of a stack's issuer.
var (
	Trainee  = issuer.Person{Subject: "trainee", Name: "Tim Trainee", Roles: []string{"trainees"}}
	Clerk    = issuer.Person{Subject: "clerk", Name: "Carla Clerk", Roles: []string{"clerks"}}
	Engineer = issuer.Person{Subject: "engineer", Name: "Emil Engineer", Roles: []string{"engineers"}}
	Stranger = issuer.Person{Subject: "stranger", Name: "Sam Stranger"}
)

// consoleAudience is what a stack's access tokens are for.
const consoleAudience = "https://walletsync.example/console"

// startIssuer serves the issuer of the console's people and programs, by a name
// of its own: to browsers it is another site than the console, as issuers are.
func (s *Stack) startIssuer(ctx context.Context) (clientSecret string, err error) {
	l, err := listenAt(ctx, "")
	if err != nil {
		return "", err
	}
	s.IssuerURL, s.ConsoleClientID, clientSecret = strings.Replace("http://"+l.Addr().String(), "127.0.0.1", "localhost", 1), "walletsync-console", rand.Text()
	s.Issuer, err = issuer.New(issuer.Options{
		URL: s.IssuerURL, ClientID: s.ConsoleClientID, ClientSecret: clientSecret, Audience: consoleAudience,
		RedirectURL: oidc.RedirectURL(s.PublicURL), SignedOutURL: s.PublicURL + "/console/signed-out",
		People:  []issuer.Person{Engineer, Clerk, Trainee, Stranger},
		Program: issuer.Person{Subject: s.ConsoleClientID, Roles: Engineer.Roles},
	})
	if err != nil {
		return "", fmt.Errorf("issuer: %w", err)
	}
	s.serve(l, s.Issuer.Handler())
	s.ConsoleSecretFile, err = s.keep("console-client-secret.txt", clientSecret)
	return clientSecret, err
}

// schedule lets the reconciler and the push run as often as the options say.
func (s *Stack) schedule(ctx context.Context) {
	if s.options.ReconcileEvery < 0 {
		return
	}
	ticking, stop := context.WithCancel(ctx)
	var source sync.WaitGroup
	for _, f := range []*lambda.Function{s.Reconciler, s.Push} {
		source.Go(func() { lambda.Schedule{Function: f, Every: s.options.ReconcileEvery}.Run(ticking) })
	}
	s.onClose(func() { stop(); source.Wait() })
}

// link returns the address at which a part is reached.
func (s *Stack) link(part Part, address string) (string, error) {
	if s.options.Link == nil {
		return address, nil
	}
	return s.options.Link(part, address)
}

// listenAt listens at an address; empty: a free port of loopback.
func listenAt(ctx context.Context, addr string) (net.Listener, error) {
	return (&net.ListenConfig{}).Listen(ctx, "tcp", cmp.Or(addr, "127.0.0.1:0"))
}

// keep writes a file of the run folder and returns its absolute path.
func (s *Stack) keep(name, content string) (string, error) {
	path, err := filepath.Abs(filepath.Join(s.options.Dir, name))
	if err != nil {
		return "", err
	}
	return path, os.WriteFile(path, []byte(content), 0o600)
}

// listen serves h on a free port of loopback.
func (s *Stack) listen(ctx context.Context, part Part, h http.Handler) (url string, err error) {
	l, err := listenAt(ctx, "")
	if err != nil {
		return "", err
	}
	s.serve(l, h)
	address, err := s.link(part, l.Addr().String())
	return "http://" + address, err
}

func (s *Stack) serve(l net.Listener, h http.Handler) {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	s.servers.Go(func() { _ = server.Serve(l) })
	s.onClose(func() { _ = server.Close() })
}

// subscribe waits until the receiver has confirmed the subscription.
func (s *Stack) subscribe(ctx context.Context) error {
	return Until(ctx, 30*time.Second, "the subscription to be confirmed", func() (bool, error) {
		return s.Twin.Subscribed(s.TopicARN), nil
	})
}

// seed gives the twin its buyers and lets their notifications come the whole way.
func (s *Stack) seed(ctx context.Context) error {
	if s.options.NoSeed {
		return nil
	}
	s.options.Progress("introducing the buyers")
	ids, err := s.Twin.Seed()
	if err != nil {
		return err
	}
	for _, id := range ids {
		if _, err := s.Twin.Change(id, []byte(`{}`), twin.Notify{}); err != nil {
			return err
		}
	}
	// A change within the margin of the first read would wait for its
	// confirmation; so the page is shown when that is over.
	return Until(ctx, 30*time.Second, "the buyers' rows", func() (bool, error) {
		var all bool
		err := s.DB.QueryRow(ctx, `select count(*) >= $1 and max(stored_at) < clock_timestamp() - $2::interval
			from walletsync.charge_permissions`, len(ids), s.options.Margin).Scan(&all)
		return all, err
	})
}

func (s *Stack) startStatus(ctx context.Context) error {
	l, err := listenAt(ctx, s.options.StatusAddr)
	if err != nil {
		return err
	}
	page := &status.Page{DB: s.DB, ShopURL: s.ShopURL, Poll: 100 * time.Millisecond, Vitals: s.vitals,
		Act: func(_ context.Context, id, do string) error {
			_, err := s.Twin.Act(id, do, twin.Notify{})
			return err
		}}
	s.serve(l, page.Handler())
	s.StatusURL = "http://" + l.Addr().String() + "/"
	return nil
}

// startShop serves the demo merchant's website.
func (s *Stack) startShop(l net.Listener) error {
	key, err := os.ReadFile(s.BearerKeyFile)
	if err != nil {
		return err
	}
	h, err := (&shop.Shop{URL: s.ShopURL, DB: s.DB, UpdateSessions: s.UpdateSessionsURL, Key: string(key), StatusURL: s.StatusURL, Poll: 100 * time.Millisecond}).Handler()
	if err != nil {
		return fmt.Errorf("shop: %w", err)
	}
	s.serve(l, h)
	return nil
}

func (s *Stack) vitals(context.Context) []status.Vital {
	t := s.Twin.Stats()
	calls := 0
	for _, n := range t.Calls[twin.GetChargePermission] {
		calls += n
	}
	dead := s.DLQ.Stats().Visible
	q := s.Queue.Stats()
	return []status.Vital{
		{Name: "Notifications", Value: t.IPNs.Published},
		{Name: "Get Charge Permission", Value: calls},
		{Name: "Throttled", Value: t.Throttled, Bad: t.Throttled > 0},
		{Name: "In the queue", Value: q.Visible + q.InFlight},
		{Name: "Wake-ups under way", Value: q.Delayed},
		{Name: "Dead-letter messages", Value: dead, Bad: dead > 0},
	}
}

// Environment is that of the functions, for a program that is run by hand: what
// Lambda adds to it included, but for the function's own name.
func (s *Stack) Environment() []string {
	out := []string{"AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=ASIALOCALLOCALLOCAL0", "AWS_SECRET_ACCESS_KEY=local", "AWS_SESSION_TOKEN=local"}
	for _, name := range slices.Sorted(maps.Keys(s.environment)) {
		out = append(out, name+"="+s.environment[name])
	}
	return out
}

// describeEnvironment writes cli.env, which a shell reads.
func (s *Stack) describeEnvironment() error {
	var b strings.Builder
	for _, line := range s.Environment() {
		name, value, _ := strings.Cut(line, "=")
		fmt.Fprintf(&b, "%s='%s'\n", name, strings.ReplaceAll(value, "'", `'\''`))
	}
	_, err := s.keep("cli.env", b.String())
	return err
}

// describe writes stack.json, at once and whole.
func (s *Stack) describe() error {
	b, err := json.MarshalIndent(s.Description, "", "  ")
	if err != nil {
		return err
	}
	name, err := s.keep("stack.json.new", string(b)+"\n")
	if err != nil {
		return err
	}
	return os.Rename(name, strings.TrimSuffix(name, ".new"))
}

// Until polls until done, for at most the given time.
func Until(ctx context.Context, limit time.Duration, what string, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := done()
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited %v for %s: %w", limit, what, errors.Join(ctx.Err(), err))
		case <-tick.C:
		}
	}
}

func encode(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings and numbers
	}
	return string(b)
}
