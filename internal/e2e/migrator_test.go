package e2e

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"walletsync/internal/local/aws/lambda"
	"walletsync/internal/local/aws/secrets"
)

// answers is CloudFormation's bucket in eu-west-1, under its own hostname behind a
// proxy.
type answers struct {
	proxyURL, caFile string

	mu      sync.Mutex
	asked   []string // hosts
	got     []map[string]any
	refused []string // why requests were refused
}

const answersHost = "cloudformation-custom-resource-response-euwest1.s3-eu-west-1.amazonaws.com"

func newAnswers(t *testing.T) *answers {
	t.Helper()
	a := &answers{caFile: filepath.Join(t.TempDir(), "ca.pem")}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	certificate := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{answersHost}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, certificate, certificate, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(a.caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(a.put), ReadHeaderTimeout: time.Minute}
	go func() { _ = s.Serve(l) }() // until Close
	t.Cleanup(func() { _ = s.Close() })
	a.proxyURL = served(t, http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) { a.connect(w, q, l.Addr().String()) }))
	return a
}

// put stores an answer as S3 does for a presigned URL.
func (a *answers) put(w http.ResponseWriter, q *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	body, err := io.ReadAll(q.Body)
	var got map[string]any
	if err == nil {
		err = json.Unmarshal(body, &got)
	}
	if _, typed := q.Header["Content-Type"]; err != nil || typed || q.Method != http.MethodPut || q.URL.Query().Get("Signature") == "" || len(body) > 4096 {
		a.refused = append(a.refused, fmt.Sprintf("%s %s of %d bytes, Content-Type %v, %v", q.Method, q.URL.Path, len(body), typed, err))
		w.WriteHeader(http.StatusForbidden)
		return
	}
	a.got = append(a.got, got)
}

// connect is a proxy that reaches only the bucket.
func (a *answers) connect(w http.ResponseWriter, q *http.Request, bucket string) {
	a.mu.Lock()
	a.asked = append(a.asked, q.Host)
	a.mu.Unlock()
	if q.Method != http.MethodConnect || q.Host != answersHost+":443" {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	to, err := net.Dial("tcp", bucket)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer to.Close()
	from, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer from.Close()
	_, _ = io.WriteString(from, "HTTP/1.1 200 OK\r\n\r\n")
	go func() { _, _ = io.Copy(to, from); _ = to.Close() }()
	_, _ = io.Copy(from, to)
}

// take returns the only answer and removes it.
func (a *answers) take(t *testing.T) map[string]any {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.got) != 1 || len(a.refused) != 0 {
		t.Fatalf("%d answers came; refused: %q", len(a.got), a.refused)
	}
	got := a.got[0]
	a.got, a.asked = nil, nil
	return got
}

// event is an event of CloudFormation (CloudFormation User Guide, "Custom resource
// request types").
func event(kind, physical, responseURL string) []byte {
	e := map[string]any{
		"RequestType": kind, "ServiceToken": "arn:aws:lambda:eu-west-1:111122223333:function:walletsync-migrator", "ResponseURL": responseURL,
		"StackId":   "arn:aws:cloudformation:eu-west-1:111122223333:stack/walletsync/6a3b5b70-c93e-11f0-b5e2-0a1b2c3d4e5f",
		"RequestId": "5d478078-13e9-baf0-464a-7ef285ecc786", "LogicalResourceId": "Migration", "ResourceType": "Custom::Migration",
		"ResourceProperties": map[string]any{"ServiceToken": "arn:aws:lambda:eu-west-1:111122223333:function:walletsync-migrator", "Release": "1.2.0"},
	}
	if physical != "" {
		e["PhysicalResourceId"] = physical
	}
	if kind == "Update" {
		e["OldResourceProperties"] = map[string]any{"ServiceToken": "arn:aws:lambda:eu-west-1:111122223333:function:walletsync-migrator", "Release": "1.1.0"}
	}
	b, err := json.Marshal(e)
	if err != nil {
		panic(err) // strings
	}
	return b
}

const answerURL = "https://" + answersHost + "/arn%3Aaws%3Acloudformation%3Aeu-west-1%3A111122223333%3Astack/walletsync/6a3b5b70%7CMigration%7C5d478078?AWSAccessKeyId=AKIA&Expires=1764014400&Signature=abc%3D"

// migration is the migrator's real binary with its own database.
type migration struct {
	t           *testing.T
	bucket      *answers
	vault       *secrets.Server
	environment map[string]string
	binary, url string
	log         syncLog
}

type syncLog struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *syncLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *syncLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newMigration(t *testing.T) *migration {
	t.Helper()
	s := running(t)
	m := &migration{t: t, bucket: newAnswers(t), vault: secrets.New(), binary: s.Binary("migrator")}
	name := strings.ToLower(strings.NewReplacer("/", "_", "-", "_").Replace(t.Name()))[:min(50, len(t.Name()))]
	var err error
	if m.url, err = s.Postgres.CreateDatabase(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Postgres.Exec(context.Background(), "drop database if exists "+name+" with (force)") })
	m.environment = map[string]string{
		"ACCOUNTS": `[{"id":"main","merchantId":"A1B2C3","environment":"live","region":"EU","publicKeyId":"LIVE-AAAA","ledgerCurrency":"EUR"}]`,
		// The migrator must not use the functions' pooler.
		"DATABASE_SECRET_ARN": m.vault.Put("database", fmt.Sprintf(`{"url":"postgres://pooler:hunter2@127.0.0.1:1/x","directUrl":%q}`, m.url)),
		"TLS_CA_FILE":         m.bucket.caFile, "HTTPS_PROXY": m.bucket.proxyURL, "AWS_ENDPOINT_URL_SECRETS_MANAGER": served(t, m.vault),
	}
	return m
}

// start starts the function with changes to its environment.
func (m *migration) start(timeout time.Duration, changes ...string) *lambda.Function {
	m.t.Helper()
	environment := map[string]string{}
	for k, v := range m.environment {
		environment[k] = v
	}
	for i := 0; i < len(changes); i += 2 {
		environment[changes[i]] = changes[i+1]
	}
	f, err := lambda.Start(context.Background(), lambda.Config{Name: "migrator", Binary: m.binary, Environment: environment, Timeout: timeout, Output: &m.log})
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(f.Close)
	return f
}

// answered invokes the function and checks that its answer to CloudFormation follows
// the protocol.
func (m *migration) answered(f *lambda.Function, kind, physical, status string) map[string]any {
	m.t.Helper()
	if got, err := f.Invoke(m.t.Context(), event(kind, physical, answerURL)); err != nil {
		m.t.Fatalf("%s: %s, %v\n%s", kind, got, err, m.log.String())
	}
	a := m.bucket.take(m.t)
	if a["Status"] != status || a["PhysicalResourceId"] != "Migration" || a["RequestId"] != "5d478078-13e9-baf0-464a-7ef285ecc786" ||
		a["LogicalResourceId"] != "Migration" || !strings.HasPrefix(fmt.Sprint(a["StackId"]), "arn:aws:cloudformation:") {
		m.t.Fatalf("%s was answered by %v\n%s", kind, a, m.log.String())
	}
	if reason, _ := a["Reason"].(string); (status == "FAILED") != (reason != "") {
		m.t.Errorf("%s: reason %q", status, reason)
	}
	return a
}

// one returns the single value of a query.
func (m *migration) one(query string) (text string) {
	m.t.Helper()
	db, err := pgx.Connect(m.t.Context(), m.url)
	if err != nil {
		m.t.Fatal(err)
	}
	defer db.Close(context.Background())
	if err := db.QueryRow(m.t.Context(), `select coalesce((`+query+`)::text, '')`).Scan(&text); err != nil {
		m.t.Fatal(err)
	}
	return text
}

// hasNoSecret checks that neither the texts nor the log contain a secret.
func (m *migration) hasNoSecret(texts ...any) {
	m.t.Helper()
	output := fmt.Sprint(texts...) + m.log.String()
	for _, secret := range []string{"hunter2", "Signature=abc"} {
		if strings.Contains(output, secret) {
			m.t.Errorf("%q is revealed: %s", secret, output)
		}
	}
}

func TestADeployMigrates(t *testing.T) {
	m := newMigration(t)
	f := m.start(time.Minute)
	a := m.answered(f, "Create", "", "SUCCESS")
	data, _ := a["Data"].(map[string]any)
	if data["from"] != "0" || data["to"] != data["known"] || data["accounts"] != "1" || data["byHand"] != "" || data["to"] != m.one(`select max(version_id) from walletsync.migrations`) {
		t.Errorf("%v", a)
	}
	if got := m.one(`select merchant_id from walletsync.accounts`); got != "A1B2C3" {
		t.Errorf("the account is %q", got)
	}

	before := m.one(`select string_agg(version_id || ' ' || tstamp, ',' order by id) from walletsync.migrations`)
	a = m.answered(f, "Update", "Migration", "SUCCESS")
	if again, _ := a["Data"].(map[string]any); again["from"] != data["to"] || m.one(`select string_agg(version_id || ' ' || tstamp, ',' order by id) from walletsync.migrations`) != before {
		t.Errorf("an update with nothing to do: %v", a)
	}

	if a = m.answered(f, "Delete", "Migration", "SUCCESS"); m.one(`select string_agg(version_id || ' ' || tstamp, ',' order by id) from walletsync.migrations`) != before {
		t.Errorf("a deletion changed something: %v", a)
	}
	// A rollback: the older code runs on the schema of a later release.
	later, err := pgx.Connect(t.Context(), m.url)
	if err != nil {
		t.Fatal(err)
	}
	defer later.Close(context.Background())
	if _, err := later.Exec(t.Context(), `insert into walletsync.migrations (version_id, is_applied) values (9001, true)`); err != nil {
		t.Fatal(err)
	}
	a = m.answered(f, "Update", "Migration", "SUCCESS")
	if older, _ := a["Data"].(map[string]any); older["to"] != "9001" || older["known"] != data["known"] || !strings.Contains(m.log.String(), "the schema is of a later release") {
		t.Errorf("after a rollback: %v\n%s", a, m.log.String())
	}
	m.hasNoSecret(a)

	// Each line has the release and the commit.
	commit, err := exec.CommandContext(t.Context(), "git", "describe", "--always", "--exclude", "*", "--abbrev=12").Output()
	if err != nil {
		t.Logf("no repository, so no commit: %v", err)
		return
	}
	if want := `"commit":"` + strings.TrimSpace(string(commit)); !strings.Contains(m.log.String(), want) || !strings.Contains(m.log.String(), `"version":"`) {
		t.Errorf("the log lacks %s:\n%s", want, m.log.String())
	}
}

func TestAMigrationThatFailsFailsTheDeploy(t *testing.T) {
	m := newMigration(t)
	broken := m.vault.Put("broken", `{"url":"postgres://walletsync:hunter2@127.0.0.1:1/walletsync"}`)
	for _, c := range []struct {
		name    string
		changes []string
		says    string
	}{
		{"no database", []string{"DATABASE_SECRET_ARN", broken}, "check the URL in the database's secret"},
		{"no secret", []string{"DATABASE_SECRET_ARN", broken + "x"}, "secret arn:"},
		{"a setting that is wrong", []string{"ACCOUNTS", `[{"id":"main","merchantId":"A1B2C3","environment":"livid","region":"EU","ledgerCurrency":"EUR"}]`}, "ACCOUNTS[0].environment"},
		{"settings that are missing", []string{"ACCOUNTS", "", "DATABASE_SECRET_ARN", ""}, "DATABASE_SECRET_ARN: it is not set"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m.t = t
			f := m.start(time.Minute, c.changes...)
			a := m.answered(f, "Create", "", "FAILED")
			if reason := fmt.Sprint(a["Reason"]); !strings.Contains(reason, c.says) {
				t.Errorf("%q does not say %q", reason, c.says)
			}
			m.hasNoSecret(a)
			// CloudFormation deletes a resource whose creation failed. That must succeed.
			m.answered(f, "Delete", "Migration", "SUCCESS")
		})
	}
	m.t = t
	if got := m.one(`select count(*) from pg_namespace where nspname in ('walletsync', 'back_office')`); got != "0" {
		t.Errorf("%s schemas were made", got)
	}
}

func TestAMigrationThatTimesOutIsAnswered(t *testing.T) {
	m := newMigration(t)
	m.answered(m.start(time.Minute), "Create", "", "SUCCESS")
	f := m.start(12 * time.Second) // the migrator keeps six for the answer
	// Another session locks the table of migration steps.
	db, err := pgx.Connect(t.Context(), m.url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.Background())
	if _, err := db.Exec(t.Context(), `begin; lock table walletsync.migrations in access exclusive mode`); err != nil {
		t.Fatal(err)
	}
	a := m.answered(f, "Update", "Migration", "FAILED")
	if reason := fmt.Sprint(a["Reason"]); !strings.Contains(reason, "find them with pg_blocking_pids()") {
		t.Errorf("%q does not say what to do", reason)
	}
	if _, err := db.Exec(t.Context(), `rollback`); err != nil {
		t.Fatal(err)
	}
	m.answered(f, "Update", "Migration", "SUCCESS")
}

func TestAnAnswerIsSentOnlyToCloudFormation(t *testing.T) {
	m := newMigration(t)
	f := m.start(time.Minute)
	for _, to := range []string{"https://example.com/x?Signature=abc", "http://" + answersHost + "/x?Signature=abc", "https://mine.s3-eu-west-1.amazonaws.com/x?Signature=abc"} {
		got, err := f.Invoke(t.Context(), event("Create", "", to))
		if err == nil {
			t.Errorf("%s: %s", to, got)
		}
		m.hasNoSecret(err)
	}
	m.bucket.mu.Lock()
	defer m.bucket.mu.Unlock()
	if len(m.bucket.asked) != 0 {
		t.Errorf("the answer went to %q", m.bucket.asked)
	}
	if got := m.one(`select count(*) from pg_namespace where nspname = 'walletsync'`); got != "0" {
		t.Error("the migrator ran for an event from an untrusted sender")
	}
}

func TestTheMigratorRunsByHand(t *testing.T) {
	m := newMigration(t)
	got, err := m.start(time.Minute).Invoke(t.Context(), []byte(`{}`))
	var done struct {
		To, Known int64
		Applied   []string
	}
	if err != nil || json.Unmarshal(got, &done) != nil || done.To == 0 || done.To != done.Known || len(done.Applied) == 0 {
		t.Errorf("on Lambda: %s, %v", got, err)
	}
	local := exec.CommandContext(t.Context(), m.binary)
	local.Env = []string{"AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local"}
	for k, v := range m.environment {
		local.Env = append(local.Env, k+"="+v)
	}
	out, err := local.Output()
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err != nil || json.Unmarshal([]byte(lines[len(lines)-1]), &done) != nil || done.To != done.Known || len(done.Applied) != 0 {
		t.Errorf("on this machine: %s, %v", out, err)
	}
	local = exec.CommandContext(t.Context(), m.binary)
	local.Env = []string{"AWS_REGION=eu-west-1"}
	var stderr strings.Builder
	local.Stderr = &stderr
	if err := local.Run(); err == nil || !strings.Contains(stderr.String(), "DATABASE_SECRET_ARN: it is not set") {
		t.Errorf("without settings: %v, stderr %q", err, stderr.String())
	}
}
