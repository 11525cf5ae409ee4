package e2e

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"walletsync/internal/doctor"
	"walletsync/internal/local/stack"
)

var rewrite = flag.Bool("update", false, "rewrite the golden files")

// patient is a stack for the doctor, with the environment of its functions.
type patient struct {
	*stack.Stack
	environment map[string]string
	account     map[string]any
	ahead       atomic.Int64 // offset of the twin's clock, in nanoseconds
}

// examine runs the doctor's command and returns its lines and whether it found no
// fault.
func (p *patient) examine(t *testing.T, arguments ...string) (lines []doctor.Line, content bool) {
	t.Helper()
	environment := maps.Clone(p.environment)
	accounts, err := json.Marshal([]any{p.account})
	if err != nil {
		t.Fatal(err)
	}
	environment["ACCOUNTS"] = string(accounts)
	b, err := json.Marshal(environment)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), p.Binary("walletsync"), append([]string{"doctor", "--json", "--environment", "-"}, arguments...)...)
	c.Stdin = strings.NewReader(string(b))
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	var stderr strings.Builder
	c.Stderr = &stderr
	out, err := c.Output()
	if json.Unmarshal(out, &lines) != nil {
		t.Fatalf("%s\n%s%v", out, &stderr, err)
	}
	if err != nil && c.ProcessState.ExitCode() != 1 {
		t.Fatalf("%s%v", &stderr, err)
	}
	return lines, err == nil
}

func ill(t *testing.T) *patient {
	t.Helper()
	ownStacks.take(t)
	p := new(patient)
	s, err := stack.Start(t.Context(), stack.Options{
		Dir: t.TempDir(), PostgresInMemory: true, ReconcileEvery: -1, Now: func() time.Time { return time.Now().Add(time.Duration(p.ahead.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	p.of(t, s)
	return p
}

// of copies the environment of a stack's functions.
func (p *patient) of(t *testing.T, s *stack.Stack) {
	t.Helper()
	p.Stack, p.environment = s, map[string]string{}
	for _, line := range s.Environment() {
		name, value, _ := strings.Cut(line, "=")
		p.environment[name] = value
	}
	var accounts []map[string]any
	if err := json.Unmarshal([]byte(p.environment["ACCOUNTS"]), &accounts); err != nil {
		t.Fatal(err)
	}
	p.account = accounts[0]
}

func (p *patient) exec(t *testing.T, sql string) {
	t.Helper()
	if _, err := p.DB.Exec(context.WithoutCancel(t.Context()), sql); err != nil { // cleanups call exec, too
		t.Fatal(err)
	}
}

// set changes a setting of the environment for one case.
func (p *patient) set(t *testing.T, name, value string) {
	old := p.environment[name]
	p.environment[name] = value
	t.Cleanup(func() { p.environment[name] = old })
}

// setAccount changes a member of the account for one case.
func (p *patient) setAccount(t *testing.T, member string, value any) {
	healthy := maps.Clone(p.account)
	p.account[member] = value
	t.Cleanup(func() { p.account = healthy })
}

// put changes a secret for one case.
func (p *patient) put(t *testing.T, name string, value any) {
	t.Helper()
	text := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	key, err := os.ReadFile(p.PrivateKeyFile)
	if err != nil {
		t.Fatal(err)
	}
	p.Secrets.Put(name, text(value))
	t.Cleanup(func() {
		// Twice, so that the previous version is healthy, too.
		for range 2 {
			p.Secrets.Put(name, text(map[string]string{"privateKey": string(key)}))
		}
	})
}

// settle changes the queue's settings for one case.
func (p *patient) settle(t *testing.T, change func(q *patient)) {
	t.Helper()
	queue, dead := p.Queue.Settings(), p.DLQ.Settings()
	change(p)
	t.Cleanup(func() {
		if err := p.Queue.SetSettings(queue); err != nil {
			t.Error(err)
		}
		if err := p.DLQ.SetSettings(dead); err != nil {
			t.Error(err)
		}
	})
}

// database returns the URL of the stack's database after a change.
func (p *patient) database(t *testing.T, change func(u *url.URL)) string {
	t.Helper()
	u, err := url.Parse(p.DatabaseURL)
	if err != nil {
		t.Fatal(err)
	}
	change(u)
	return u.String()
}

// newKey returns a private key that is unknown to Amazon.
func newKey(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
}

// ills are the faults that the doctor must find.
var ills = []struct {
	name  string
	broke func(t *testing.T, p *patient)
}{
	{"a setting is missing", func(t *testing.T, p *patient) { p.set(t, "QUEUE_URL", "") }},
	{"a member is misspelt", func(t *testing.T, p *patient) { p.setAccount(t, "ledgerCurency", "EUR") }},
	{"the currency is another region's", func(t *testing.T, p *patient) { p.setAccount(t, "ledgerCurrency", "USD") }},
	{"the algorithm is unknown", func(t *testing.T, p *patient) { p.setAccount(t, "algorithm", "AMZN-PAY-RSASSA-PSS-V3") }},
	{"the store id is invalid", func(t *testing.T, p *patient) { p.setAccount(t, "storeId", "A3TWIN0000000") }},
	{"the key id is the other environment's", func(t *testing.T, p *patient) { p.setAccount(t, "publicKeyId", "LIVE-AAAAAAAAAAAAAAAAAAAAAAAA") }},
	{"the key id is unknown", func(t *testing.T, p *patient) { p.setAccount(t, "publicKeyId", "SANDBOX-AAAAAAAAAAAAAAAAAAAAAAAA") }},
	{"the region is wrong", func(t *testing.T, p *patient) {
		p.setAccount(t, "region", "NA")
		p.setAccount(t, "ledgerCurrency", "USD")
	}},
	{"the key is invalid", func(t *testing.T, p *patient) {
		p.put(t, "walletsync-key", map[string]string{"privateKey": "-----BEGIN PRIVATE KEY----- MIIE -----END PRIVATE KEY-----"})
	}},
	{"the key was rotated only here", func(t *testing.T, p *patient) {
		p.put(t, "walletsync-key", map[string]string{"privateKey": newKey(t)})
	}},
	{"the key is another account's", func(t *testing.T, p *patient) {
		key := newKey(t)
		p.put(t, "walletsync-key", map[string]string{"privateKey": key})
		p.Secrets.Put("walletsync-key", `{"privateKey":"`+strings.ReplaceAll(key, "\n", `\n`)+`"}`)
	}},
	{"Amazon Pay is unreachable", func(t *testing.T, p *patient) { p.set(t, "HTTPS_PROXY", "http://127.0.0.1:1") }},
	{"Amazon Pay's certificate is not trusted", func(t *testing.T, p *patient) { p.set(t, "TLS_CA_FILE", "") }},
	{"the clock is wrong", func(t *testing.T, p *patient) {
		p.ahead.Store(int64(time.Hour))
		t.Cleanup(func() { p.ahead.Store(0) })
	}},
	{"the link secret is too short", func(t *testing.T, p *patient) {
		p.set(t, "LINK_SECRET_ARN", p.Secrets.Put("ill-link", `{"linkSecret":"short"}`))
	}},
	{"a secret is missing", func(t *testing.T, p *patient) {
		p.set(t, "BEARER_SECRET_ARN", "arn:aws:secretsmanager:eu-west-1:000000000000:secret:nowhere-a1b2c3")
	}},
	{"the bearer key is wrong", func(t *testing.T, p *patient) {
		p.set(t, "BEARER_SECRET_ARN", p.Secrets.Put("ill-bearer", `{"bearerKey":"another-bearer-key-than-theirs"}`))
	}},
	{"the database is unreachable", func(t *testing.T, p *patient) {
		p.set(t, "DATABASE_SECRET_ARN", p.Secrets.Put("ill-network", `{"url":"postgres://walletsync@127.0.0.1:1/walletsync?sslmode=disable"}`))
	}},
	{"the database refuses the role", func(t *testing.T, p *patient) {
		u := p.database(t, func(u *url.URL) { u.User = url.UserPassword("nobody_known", "hush-hush") })
		p.set(t, "DATABASE_SECRET_ARN", p.Secrets.Put("ill-login", `{"url":"`+u+`"}`))
	}},
	{"the database has no TLS", func(t *testing.T, p *patient) {
		u := p.database(t, func(u *url.URL) { u.RawQuery = "sslmode=require" })
		p.set(t, "DATABASE_SECRET_ARN", p.Secrets.Put("ill-tls", `{"url":"`+u+`"}`))
	}},
	{"the database is empty", func(t *testing.T, p *patient) {
		u, err := p.Postgres.CreateDatabase(t.Context(), "ill")
		if err != nil {
			t.Fatal(err)
		}
		p.set(t, "DATABASE_SECRET_ARN", p.Secrets.Put("ill-empty", `{"url":"`+u+`"}`))
	}},
	{"a migration is missing", func(t *testing.T, p *patient) {
		p.exec(t, `update walletsync.migrations set version_id = 1002 where version_id = 2`)
		t.Cleanup(func() { p.exec(t, `update walletsync.migrations set version_id = 2 where version_id = 1002`) })
	}},
	{"the role lacks a right", func(t *testing.T, p *patient) {
		p.exec(t, `create role ill login; grant usage on schema walletsync to ill; grant all on all tables in schema walletsync to ill;
			revoke update on walletsync.refreshes from ill; revoke insert on walletsync.notifications from ill`)
		u := p.database(t, func(u *url.URL) { u.User = url.User("ill") })
		p.set(t, "DATABASE_SECRET_ARN", p.Secrets.Put("ill-rights", `{"url":"`+u+`","directUrl":"`+p.DatabaseURL+`"}`))
	}},
	{"the role may not migrate", func(t *testing.T, p *patient) {
		p.exec(t, `create role ill2 login; grant usage on schema walletsync to ill2; grant all on all tables in schema walletsync to ill2`)
		u := p.database(t, func(u *url.URL) { u.User = url.User("ill2") })
		p.set(t, "DATABASE_SECRET_ARN", p.Secrets.Put("ill-migrate", `{"url":"`+u+`"}`))
	}},
	{"a reader's role is missing", func(t *testing.T, p *patient) {
		p.exec(t, `alter role walletsync_reader rename to ill_reader`)
		t.Cleanup(func() { p.exec(t, `alter role ill_reader rename to walletsync_reader`) })
	}},
	{"the account has another name", func(t *testing.T, p *patient) { p.setAccount(t, "id", "second") }},
	{"the share was changed later", func(t *testing.T, p *patient) { p.setAccount(t, "share", 0.25) }},
	{"the queue is missing", func(t *testing.T, p *patient) { p.set(t, "QUEUE_URL", p.QueueURL+"-nowhere") }},
	{"the queue has no dead-letter queue", func(t *testing.T, p *patient) {
		p.settle(t, func(p *patient) { s := p.Queue.Settings(); s.DeadLetters = nil; _ = p.Queue.SetSettings(s) })
	}},
	{"the dead-letter queue is wrong", func(t *testing.T, p *patient) { p.set(t, "DEAD_LETTER_QUEUE_URL", p.QueueURL) }},
	{"messages are redelivered too soon", func(t *testing.T, p *patient) { p.set(t, "LEASE", "200s") }},
	{"messages are given up too soon", func(t *testing.T, p *patient) {
		p.settle(t, func(p *patient) { s := p.Queue.Settings(); s.MaxReceives = 5; _ = p.Queue.SetSettings(s) })
	}},
	{"messages expire too soon", func(t *testing.T, p *patient) {
		p.settle(t, func(p *patient) { s := p.Queue.Settings(); s.Retention = 24 * time.Hour; _ = p.Queue.SetSettings(s) })
	}},
	{"dead-letter messages expire too soon", func(t *testing.T, p *patient) {
		p.settle(t, func(p *patient) { s := p.DLQ.Settings(); s.Retention = 96 * time.Hour; _ = p.DLQ.SetSettings(s) })
	}},
	{"a queue is not encrypted", func(t *testing.T, p *patient) {
		p.settle(t, func(p *patient) { s := p.Queue.Settings(); s.Unencrypted = true; _ = p.Queue.SetSettings(s) })
	}},
	{"PUBLIC_URL is without TLS", func(t *testing.T, p *patient) { p.set(t, "PUBLIC_URL", "http://wallet.example.com") }},
	{"PUBLIC_URL is unreachable", func(t *testing.T, p *patient) { p.set(t, "PUBLIC_URL", "http://127.0.0.1:1") }},
	{"PUBLIC_URL is another server's", func(t *testing.T, p *patient) { p.set(t, "PUBLIC_URL", strings.TrimSuffix(p.ShopURL, "/")) }},
	{"a return origin has a path", func(t *testing.T, p *patient) { p.set(t, "RETURN_ORIGINS", "https://shop.example/account") }},
	{"update-start does not authenticate", func(t *testing.T, p *patient) { p.set(t, "AUTH", "iam") }},
	{"the IPN path has another secret", func(t *testing.T, p *patient) {
		p.setAccount(t, "ipnPathSecretArn", p.Secrets.Put("ill-ipn-path", `{"ipnSecret":"another-secret-than-theirs"}`))
	}},
	{"no topic is pinned", func(t *testing.T, p *patient) { p.setAccount(t, "topics", []string{}) }},
	{"no notification has arrived", func(t *testing.T, p *patient) {
		p.exec(t, `update walletsync.notifications set account = 'gone'`)
		t.Cleanup(func() { p.exec(t, `update walletsync.notifications set account = 'main'`) })
	}},
	{"notifications have stopped", func(t *testing.T, p *patient) {
		p.exec(t, `update walletsync.notifications set processed_at = processed_at - interval '3 days';
			insert into walletsync.charge_permission_changes (position, account, charge_permission, facet, cause, stored_at)
			select -row_number() over (), account, id, 'shipping_address', 'reconcile', now() from walletsync.charge_permissions limit 2`)
		t.Cleanup(func() {
			p.exec(t, `delete from walletsync.charge_permission_changes where position < 0;
				update walletsync.notifications set processed_at = processed_at + interval '3 days'`)
		})
	}},
	{"the sweep cannot keep up", func(t *testing.T, p *patient) {
		p.set(t, "SWEEP_DAYS", "0.001")
		p.set(t, "RECONCILE_INTERVAL", "1h")
	}},
	{"the dead-letter queue has messages", func(t *testing.T, p *patient) {
		if status, body := post(t, p.ControlURL+"/notifications?raw=true", `not JSON`); status != http.StatusAccepted {
			t.Fatal(status, body)
		}
		until(t, "the dead-letter message", func() (bool, error) { return p.DLQ.Stats().Visible == 1, nil })
	}},
}

// ofThisRun matches text that differs between runs of a stack.
var ofThisRun = regexp.MustCompile(`127\.0\.0\.1:[0-9]{2,5}`)

// The doctor finds no fault in a healthy stack. It reports each fault on the line of
// its check, with a remedy. The golden file has all of them.
func TestTheDoctorFindsFaults(t *testing.T) {
	t.Parallel()
	p := ill(t)
	healthy, content := p.examine(t)
	for _, l := range healthy {
		if l.State != doctor.Good {
			t.Errorf("fault in a healthy stack: %+v", l)
		}
	}
	if !content || len(healthy) < 25 {
		t.Fatalf("%d lines, no fault: %v", len(healthy), content)
	}
	secrets := secretsOf(t, p)
	var all strings.Builder
	for _, c := range ills {
		t.Run(c.name, func(t *testing.T) {
			c.broke(t, p)
			lines, content := p.examine(t)
			if content || doctor.CountBad(lines) == 0 {
				t.Error("the doctor found no fault")
			}
			fmt.Fprintf(&all, "## %s\n", c.name)
			for _, l := range lines {
				name := l.Check
				if l.Account != "" {
					name += " of " + string(l.Account)
				}
				switch {
				case l.State == doctor.Bad:
					fmt.Fprintf(&all, "BAD   %s: %s\n      → %s\n", name, l.Found, l.Remedy)
				case l.State == doctor.Skipped:
					fmt.Fprintf(&all, "skip  %s: %s\n", name, l.Found)
				}
				if l.State == doctor.Bad && l.Remedy == "" {
					t.Errorf("%s has no remedy", l.Check)
				}
				for _, s := range secrets {
					if strings.Contains(l.Found+l.Remedy, s) {
						t.Errorf("%s reveals a secret", l.Check)
					}
				}
			}
			all.WriteString("\n")
		})
	}
	bad := func(l doctor.Line) bool { return l.State != doctor.Good }
	if lines, _ := p.examine(t); !slices.EqualFunc(slices.DeleteFunc(lines, func(l doctor.Line) bool { return !bad(l) }), []string{"dead letters"},
		func(l doctor.Line, check string) bool { return l.Check == check }) {
		t.Errorf("at the end there are more faults than the dead-letter message: %v", lines)
	}
	got := ofThisRun.ReplaceAllString(all.String(), "…")
	file := filepath.Join("testdata", "doctor.txt")
	if *rewrite {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-update rewrites it): %s", file, diff)
	}
}

// secretsOf returns secrets that no line may contain.
func secretsOf(t *testing.T, p *patient) []string {
	t.Helper()
	key, err := os.ReadFile(p.BearerKeyFile)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(p.IPNURL, "/")
	return []string{string(key), parts[len(parts)-1], "hush-hush", "MIIE", "another-bearer-key-than-theirs", "another-secret-than-theirs"}
}

// Before the deploy, the doctor skips what the deploy creates and checks the rest.
func TestTheDoctorRunsBeforeADeploy(t *testing.T) {
	s := running(t)
	p := new(patient)
	p.of(t, s)
	for _, name := range []string{"QUEUE_URL", "DEAD_LETTER_QUEUE_URL", "LINK_SECRET_ARN", "BEARER_SECRET_ARN", "PUBLIC_URL"} {
		p.set(t, name, "")
	}
	p.setAccount(t, "ipnPathSecretArn", "")
	p.setAccount(t, "topics", []string{})
	u, err := s.Postgres.CreateDatabase(t.Context(), "before_deploy")
	if err != nil {
		t.Fatal(err)
	}
	p.set(t, "DATABASE_SECRET_ARN", s.Secrets.Put("before-deploy", `{"url":"`+u+`"}`))
	lines, content := p.examine(t, "--before")
	good := map[string]bool{}
	for _, l := range lines {
		good[l.Check] = good[l.Check] || l.State == doctor.Good
	}
	for _, check := range []string{"settings", "account", "key", "signed request", "clock", "database", "server", "rights"} {
		if !good[check] {
			t.Errorf("%s is not good before a deploy", check)
		}
	}
	if !content {
		t.Errorf("before a deploy: %+v", lines)
	}
}

// amazonsCLI replaces the AWS CLI: it lists the functions of a stack and returns the
// environment of each, which has only the variables in template.yaml.
const amazonsCLI = `#!/bin/sh
case "$*" in
"cloudformation describe-stack-resources --stack-name shop "*) printf 'shop-receiver\tshop-worker\tshop-migrator\n' ;;
"lambda get-function-configuration "*" --function-name "shop-*) for name; do :; done; cat "$0.$name.json" ;;
*) echo "aws $*" >&2; exit 2 ;;
esac
`

// TestTheDoctorReadsADeploymentWithTheAWSCLI runs make doctor STACK=….
func TestTheDoctorReadsADeploymentWithTheAWSCLI(t *testing.T) {
	p := new(patient)
	p.of(t, running(t))
	cli := filepath.Join(t.TempDir(), "aws")
	if err := os.WriteFile(cli, []byte(amazonsCLI), 0o755); err != nil {
		t.Fatal(err)
	}
	environment := append(os.Environ(), "PATH="+filepath.Dir(cli)+string(filepath.ListSeparator)+os.Getenv("PATH"), "RUN_DIR="+t.TempDir())
	functions := map[string]map[string]string{"receiver": {}, "worker": {}}
	for name, value := range p.environment {
		switch {
		case strings.HasPrefix(name, "AWS_"):
			environment = append(environment, name+"="+value) // the engineer's own environment
		case name == "QUEUE_URL" || name == "ACCOUNTS":
			functions["receiver"][name], functions["worker"][name] = value, value
		default:
			functions["worker"][name] = value
		}
	}
	for name, variables := range functions {
		b, err := json.Marshal(variables)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(cli+".shop-"+name+".json", b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(cli+".shop-migrator.json", []byte("null\n"), 0o600); err != nil { // the CLI's answer for a function without variables
		t.Fatal(err)
	}
	examine := func() (string, error) {
		c := exec.CommandContext(t.Context(), "make", "--no-print-directory", "doctor", "STACK=shop", "ARGS=--json")
		c.Dir, c.Env = filepath.Join("..", ".."), environment
		var stderr strings.Builder
		c.Stderr = &stderr
		out, err := c.Output()
		return string(out) + stderr.String(), err
	}
	out, err := examine()
	var lines []doctor.Line
	// Text follows the lines if other tests have left dead-letter messages.
	if jerr := json.NewDecoder(strings.NewReader(out)).Decode(&lines); jerr != nil || len(lines) < 25 {
		t.Fatalf("%v, %v: %s", err, jerr, out)
	}
	for _, l := range lines {
		if l.State != doctor.Good && l.Check != "dead letters" { // other tests leave dead-letter messages
			t.Errorf("%+v", l)
		}
	}
	if err := os.WriteFile(cli+".shop-migrator.json", []byte(`{"QUEUE_URL":"https://sqs.example.com/another"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := examine(); err == nil || !strings.Contains(out, "QUEUE_URL is not the same in all functions") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestTheDoctorExaminesTheRunningStack runs make doctor beside a stack, as beside make
// run.
func TestTheDoctorExaminesTheRunningStack(t *testing.T) {
	s := running(t)
	c := exec.CommandContext(t.Context(), "make", "--no-print-directory", "doctor")
	c.Dir = filepath.Join("..", "..")
	c.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "ACCOUNTS=") }), "RUN_DIR="+filepath.Dir(s.CAFile))
	out, _ := c.CombinedOutput() // the exit code depends on dead-letter messages of other tests
	for _, want := range []string{"ok    signed request of main   accepted", "ok    notifications of main ", " good, "} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the output lacks %q: %s", want, out)
		}
	}
}
