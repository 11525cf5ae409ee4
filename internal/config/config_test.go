package config

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"walletsync/internal/amazonpay/merchant"
	"walletsync/internal/wallet"
)

const topic = "arn:aws:sns:eu-west-1:123456789012:A1_topic"

// account is a whole account as JSON, with members replaced, added or, where
// nil, taken out.
func account(changes map[string]any) string {
	a := map[string]any{
		"id": "main", "merchantId": "A1BCDEFGHIJKL", "environment": "sandbox", "region": "EU",
		"publicKeyId": "SANDBOX-AFVX7ULWSGBZ5535PCUQOY7B", "storeId": "amzn1.application-oa2-client.0", "ledgerCurrency": "EUR",
		"privateKeySecretArn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:key", "ipnPathSecretArn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:ipn",
	}
	for k, v := range changes {
		if a[k] = v; v == nil {
			delete(a, k)
		}
	}
	b, err := json.Marshal(a)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func workerEnv(changes map[string]string) func(string) string {
	env := map[string]string{
		"ACCOUNTS":              "[" + account(nil) + "]",
		"QUEUE_URL":             "https://sqs.eu-west-1.amazonaws.com/123456789012/walletsync",
		"DEAD_LETTER_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/walletsync-dead",
		"DATABASE_SECRET_ARN":   "arn:aws:secretsmanager:eu-west-1:123456789012:secret:database",
	}
	for k, v := range changes {
		env[k] = v
	}
	return func(name string) string { return env[name] }
}

func TestMinimalConfigurationHasTheDefaults(t *testing.T) {
	got, err := LoadWorker(workerEnv(nil))
	if err != nil {
		t.Fatal(err)
	}
	want := Worker{
		Function: Function{Name: "ipn-worker", LogLevel: zerolog.InfoLevel},
		Accounts: []Account{{
			ID: "main", MerchantID: "A1BCDEFGHIJKL", Environment: merchant.Sandbox, Region: "EU",
			PublicKeyID: "SANDBOX-AFVX7ULWSGBZ5535PCUQOY7B", StoreID: "amzn1.application-oa2-client.0", LedgerCurrency: "EUR",
			Algorithm: "AMZN-PAY-RSASSA-PSS-V2", Share: 0.5, Follow: wallet.DefaultFollowed(), Quotas: wallet.SandboxQuotas(),
			KeySecret:     "arn:aws:secretsmanager:eu-west-1:123456789012:secret:key",
			IPNPathSecret: "arn:aws:secretsmanager:eu-west-1:123456789012:secret:ipn",
		}},
		Refreshing: Refreshing{
			QueueURL:       "https://sqs.eu-west-1.amazonaws.com/123456789012/walletsync",
			DatabaseSecret: "arn:aws:secretsmanager:eu-west-1:123456789012:secret:database",
			Margin:         5 * time.Second, APITimeout: 8 * time.Second, Lease: 35 * time.Second,
		},
		DeadLetterQueueURL: "https://sqs.eu-west-1.amazonaws.com/123456789012/walletsync-dead",
		FetchLimit:         20,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestSettingsReplaceTheDefaults(t *testing.T) {
	got, err := LoadWorker(workerEnv(map[string]string{
		"ACCOUNTS": "[" + account(map[string]any{
			"environment": "LIVE", "publicKeyId": "LIVE-X", "region": "uk", "ledgerCurrency": "GBP",
			"algorithm": "AMZN-PAY-RSASSA-PSS", "topics": []string{topic}, "share": 1, "quotas": map[string]any{"get_charge_permission": map[string]any{"burst": 100, "perSecond": 50}},
			"follow": map[string]any{"types": []string{"OneTime"}, "knownOnly": true},
		}) + "]",
		"AWS_LAMBDA_FUNCTION_NAME": "prod-worker", "LOG_LEVEL": "DEBUG",
		"READ_LAG_MARGIN": "1s", "FETCH_LIMIT": "3", "API_TIMEOUT": "500ms", "LEASE": "2s",
	}))
	if err != nil {
		t.Fatal(err)
	}
	a := got.Accounts[0]
	wanted := wallet.Quota{Call: wallet.GetChargePermission, Burst: 100, PerSecond: 50}
	if !slices.Contains(a.Quotas, wanted) || len(a.Quotas) != 3 {
		t.Errorf("quotas: %+v", a.Quotas)
	}
	if a.Environment != merchant.Live || a.Region != "EU" || a.Algorithm != "AMZN-PAY-RSASSA-PSS" || a.Share != 1 ||
		!cmp.Equal(a.Topics, []string{topic}) || !cmp.Equal(a.Follow, wallet.Followed{Types: []string{"OneTime"}, KnownOnly: true}) {
		t.Errorf("account: %+v", a)
	}
	if got.Name != "prod-worker" || got.LogLevel != zerolog.DebugLevel || got.Margin != time.Second || got.FetchLimit != 3 ||
		got.APITimeout != 500*time.Millisecond || got.Lease != 2*time.Second {
		t.Errorf("worker: %+v", got)
	}
}

func TestFollowWithoutTypesKeepsTheDefaultTypes(t *testing.T) {
	got, err := LoadWorker(workerEnv(map[string]string{"ACCOUNTS": "[" + account(map[string]any{"follow": map[string]any{"knownOnly": true}}) + "]"}))
	if err != nil {
		t.Fatal(err)
	}
	if f := got.Accounts[0].Follow; !f.KnownOnly || !cmp.Equal(f.Types, wallet.DefaultFollowed().Types) {
		t.Errorf("follow %+v", f)
	}
}

func TestEachProblemIsReportedWithItsVariable(t *testing.T) {
	noPEM := filepath.Join(t.TempDir(), "no.pem")
	if err := os.WriteFile(noPEM, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	one := func(changes map[string]any) map[string]string {
		return map[string]string{"ACCOUNTS": "[" + account(changes) + "]"}
	}
	for _, tt := range []struct {
		name     string
		env      map[string]string
		variable string
	}{
		{"no accounts", map[string]string{"ACCOUNTS": ""}, "ACCOUNTS"},
		{"empty accounts", map[string]string{"ACCOUNTS": "[]"}, "ACCOUNTS"},
		{"accounts no JSON", map[string]string{"ACCOUNTS": "main"}, "ACCOUNTS"},
		{"accounts cut off", map[string]string{"ACCOUNTS": "[" + account(nil)}, "ACCOUNTS"},
		{"two arrays", map[string]string{"ACCOUNTS": "[" + account(nil) + "][]"}, "ACCOUNTS"},
		{"misspelt member", one(map[string]any{"topic": topic}), "ACCOUNTS"},
		{"account id", one(map[string]any{"id": "Main!"}), "ACCOUNTS[0].id"},
		{"account id missing", one(map[string]any{"id": nil}), "ACCOUNTS[0].id"},
		{"merchant id", one(map[string]any{"merchantId": "A 1"}), "ACCOUNTS[0].merchantId"},
		{"environment", one(map[string]any{"environment": "test"}), "ACCOUNTS[0].environment"},
		{"region", one(map[string]any{"region": "mars"}), "ACCOUNTS[0].region"},
		{"currency of another region", one(map[string]any{"ledgerCurrency": "USD"}), "ACCOUNTS[0].ledgerCurrency"},
		{"no currency", one(map[string]any{"ledgerCurrency": nil}), "ACCOUNTS[0].ledgerCurrency"},
		{"no key id", one(map[string]any{"publicKeyId": nil}), "ACCOUNTS[0].publicKeyId"},
		{"key of the other environment", one(map[string]any{"publicKeyId": "live-ABC"}), "ACCOUNTS[0].publicKeyId"},
		{"algorithm", one(map[string]any{"algorithm": "RSA"}), "ACCOUNTS[0].algorithm"},
		{"topic", one(map[string]any{"topics": []string{topic, "A1_topic"}}), "ACCOUNTS[0].topics[1]"},
		{"a quota of nothing", one(map[string]any{"quotas": map[string]any{"get_charge_permission": map[string]any{"burst": 0, "perSecond": 1}}}), "ACCOUNTS[0].quotas"},
		{"a quota of no call", one(map[string]any{"quotas": map[string]any{"get": map[string]any{"burst": 1, "perSecond": 1}}}), "ACCOUNTS[0].quotas"},
		{"share of nothing", one(map[string]any{"share": 0}), "ACCOUNTS[0].share"},
		{"share of more than all", one(map[string]any{"share": 1.5}), "ACCOUNTS[0].share"},
		{"empty type", one(map[string]any{"follow": map[string]any{"types": []string{""}}}), "ACCOUNTS[0].follow.types"},
		{"no key secret", one(map[string]any{"privateKeySecretArn": nil}), "ACCOUNTS[0].privateKeySecretArn"},
		{
			"account id twice",
			map[string]string{"ACCOUNTS": "[" + account(nil) + "," + account(map[string]any{"merchantId": "B"}) + "]"},
			"ACCOUNTS[1].id",
		},
		{
			"merchant twice",
			map[string]string{"ACCOUNTS": "[" + account(nil) + "," + account(map[string]any{"id": "other"}) + "]"},
			"ACCOUNTS[1].merchantId",
		},
		{
			"topic of two accounts",
			map[string]string{"ACCOUNTS": "[" + account(map[string]any{"topics": []string{topic}}) + "," +
				account(map[string]any{"id": "other", "merchantId": "B", "topics": []string{topic}}) + "]"},
			"ACCOUNTS[1].topics[0]",
		},
		{"no queue", map[string]string{"QUEUE_URL": ""}, "QUEUE_URL"},
		{"queue by name", map[string]string{"QUEUE_URL": "walletsync"}, "QUEUE_URL"},
		{"no dead-letter queue", map[string]string{"DEAD_LETTER_QUEUE_URL": ""}, "DEAD_LETTER_QUEUE_URL"},
		{"no database", map[string]string{"DATABASE_SECRET_ARN": ""}, "DATABASE_SECRET_ARN"},
		{"margin without unit", map[string]string{"READ_LAG_MARGIN": "5"}, "READ_LAG_MARGIN"},
		{"margin below zero", map[string]string{"READ_LAG_MARGIN": "-1s"}, "READ_LAG_MARGIN"},
		{"fetch limit", map[string]string{"FETCH_LIMIT": "0"}, "FETCH_LIMIT"},
		{"fetch limit no number", map[string]string{"FETCH_LIMIT": "many"}, "FETCH_LIMIT"},
		{"lease shorter than a call", map[string]string{"LEASE": "5s"}, "LEASE"},
		{"log level", map[string]string{"LOG_LEVEL": "loud"}, "LOG_LEVEL"},
		{"no such file", map[string]string{"TLS_CA_FILE": noPEM + ".gone"}, "TLS_CA_FILE"},
		{"file without certificate", map[string]string{"TLS_CA_FILE": noPEM}, "TLS_CA_FILE"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := LoadWorker(workerEnv(tt.env))
			problems, ok := errors.AsType[Problems](err)
			if !ok || len(problems) != 1 {
				t.Fatalf("err = %v, want one problem", err)
			}
			p := problems[0]
			if p.Variable != tt.variable || p.Wrong == "" || p.Remedy == "" {
				t.Errorf("got %+v, want one of %s", p, tt.variable)
			}
		})
	}
}

func TestAllProblemsAreReportedAtOnce(t *testing.T) {
	_, err := LoadWorker(func(string) string { return "" })
	if err == nil {
		t.Fatal("an empty environment was accepted")
	}
	for _, v := range []string{"ACCOUNTS", "QUEUE_URL", "DEAD_LETTER_QUEUE_URL", "DATABASE_SECRET_ARN"} {
		if !strings.Contains(err.Error(), "\n  "+v+": ") {
			t.Errorf("%s is not in:\n%v", v, err)
		}
	}
}

// Two secrets, so that the receiver can never read the private key.
func TestReceiverNeedsOnlyTheIPNPathSecret(t *testing.T) {
	env := func(changes map[string]any) func(string) string {
		return workerEnv(map[string]string{"ACCOUNTS": "[" + account(changes) + "]"})
	}
	if _, err := LoadReceiver(env(map[string]any{"privateKeySecretArn": nil})); err != nil {
		t.Error(err)
	}
	if _, err := LoadReceiver(env(map[string]any{"ipnPathSecretArn": nil})); err == nil || !strings.Contains(err.Error(), "ACCOUNTS[0].ipnPathSecretArn") {
		t.Errorf("without its own secret: %v", err)
	}
	if _, err := LoadMigrator(env(map[string]any{"privateKeySecretArn": nil, "ipnPathSecretArn": nil})); err != nil {
		t.Errorf("the migrator needs neither: %v", err)
	}
}

func TestReconcilerSweepsWithinAWeekWithoutTheIPNPathSecret(t *testing.T) {
	bare := map[string]string{"ACCOUNTS": "[" + account(map[string]any{"ipnPathSecretArn": nil}) + "]"}
	c, err := LoadReconciler(workerEnv(bare))
	if err != nil || c.Sweep != 7*24*time.Hour || c.Every != 5*time.Minute || c.Name != "reconciler" {
		t.Errorf("%+v, %v", c, err)
	}
	bare["SWEEP_DAYS"], bare["RECONCILE_INTERVAL"] = "30", "1m"
	if c, err = LoadReconciler(workerEnv(bare)); err != nil || c.Sweep != 30*24*time.Hour || c.Every != time.Minute {
		t.Errorf("%+v, %v", c, err)
	}
	bare["SWEEP_DAYS"] = "0.5"
	if c, err = LoadReconciler(workerEnv(bare)); err != nil || c.Sweep != 12*time.Hour {
		t.Errorf("%+v, %v", c, err)
	}
	for _, days := range []string{"-1", "366", "NaN", "a week"} {
		bare["SWEEP_DAYS"] = days
		if _, err = LoadReconciler(workerEnv(bare)); err == nil || !strings.Contains(err.Error(), "SWEEP_DAYS") {
			t.Errorf("%s days: %v", days, err)
		}
	}
	bare["SWEEP_DAYS"], bare["RECONCILE_INTERVAL"] = "0", "2h"
	if _, err = LoadReconciler(workerEnv(bare)); err == nil || !strings.Contains(err.Error(), "SWEEP_DAYS") || !strings.Contains(err.Error(), "RECONCILE_INTERVAL") {
		t.Error(err)
	}
}

func TestRetentionSettings(t *testing.T) {
	const day = 24 * time.Hour
	bare := map[string]string{}
	if c, err := LoadReconciler(workerEnv(bare)); err != nil || c.Retention != 30*day || c.Inbox != 90*day || c.Updates != 90*day || c.Accesses != 365*day {
		t.Errorf("%+v, %v", c, err)
	}
	bare["RETENTION_DAYS"], bare["INBOX_DAYS"], bare["UPDATE_DAYS"], bare["ACCESS_DAYS"] = "0", "15", "15", "1" // never, and as short as may be
	if c, err := LoadReconciler(workerEnv(bare)); err != nil || c.Retention != 0 || c.Inbox != 15*day || c.Updates != 15*day || c.Accesses != day {
		t.Errorf("%+v, %v", c, err)
	}
	bare["RETENTION_DAYS"], bare["INBOX_DAYS"], bare["UPDATE_DAYS"], bare["ACCESS_DAYS"] = "-1", "14", "14", "0"
	if _, err := LoadReconciler(workerEnv(bare)); err == nil || !strings.Contains(err.Error(), "RETENTION_DAYS") || !strings.Contains(err.Error(), "INBOX_DAYS") ||
		!strings.Contains(err.Error(), "UPDATE_DAYS") || !strings.Contains(err.Error(), "ACCESS_DAYS") {
		t.Error(err)
	}
}

func TestPushNeedsAValidTarget(t *testing.T) {
	for target, good := range map[string]bool{
		"arn:aws:sns:eu-west-1:111122223333:shop":                 true,
		"arn:aws:sns:eu-west-1:111122223333:shop.fifo":            true,
		"arn:aws:events:eu-central-1:111122223333:event-bus/shop": true,
		"arn:aws:events:eu-central-1:111122223333:rule/shop":      false,
		"arn:aws:sqs:eu-west-1:111122223333:shop":                 false,
		"shop": false,
		"":     false,
	} {
		c, err := LoadPush(workerEnv(map[string]string{"FEED_TARGET_ARN": target}))
		if good && (err != nil || c.Target != target) || !good && (err == nil || !strings.Contains(err.Error(), "FEED_TARGET_ARN")) {
			t.Errorf("%q: %v", target, err)
		}
	}
}

func TestDatabaseAuthIsPasswordOrIAM(t *testing.T) {
	load := func(auth string) (Worker, error) {
		return LoadWorker(workerEnv(map[string]string{"DATABASE_AUTH": auth}))
	}
	for auth, want := range map[string]bool{"": false, "password": false, "iam": true} {
		if c, err := load(auth); err != nil || c.DatabaseIAM.On != want {
			t.Errorf("%q: %v, %v", auth, c.DatabaseIAM, err)
		}
	}
	if _, err := load("token"); err == nil || !strings.Contains(err.Error(), "DATABASE_AUTH") {
		t.Error(err)
	}
}

func TestConnectionsAreANumberOrASum(t *testing.T) {
	for text, want := range map[string]int{"": 0, "33": 33, "28+5": 33, "10+10+5+3": 28} {
		if c, err := LoadWorker(workerEnv(map[string]string{"DATABASE_CONNECTIONS": text})); err != nil || c.Connections != want {
			t.Errorf("%q: %d, %v", text, c.Connections, err)
		}
	}
	for _, text := range []string{"many", "28+", "-1", "28 + 5", "99999"} {
		if _, err := LoadWorker(workerEnv(map[string]string{"DATABASE_CONNECTIONS": text})); err == nil || !strings.Contains(err.Error(), "DATABASE_CONNECTIONS") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestIAMEndpointNeedsAHostAndAPort(t *testing.T) {
	for _, c := range []struct {
		auth, endpoint string
		good           bool
	}{
		{"iam", "db.abc123.eu-west-1.rds.amazonaws.com:5432", true},
		{"iam", "db.abc123.eu-west-1.rds.amazonaws.com", false},
		{"iam", "db.example:0", false},
		{"iam", "db.example:70000", false},
		{"iam", "postgres://db.example:5432", false},
		{"iam", "shop@db.example:5432", false},
		{"password", "db.example:5432", false},
	} {
		got, err := LoadWorker(workerEnv(map[string]string{"DATABASE_AUTH": c.auth, "DATABASE_IAM_ENDPOINT": c.endpoint}))
		if c.good && (err != nil || got.DatabaseIAM.Endpoint != c.endpoint) || !c.good && (err == nil || !strings.Contains(err.Error(), "DATABASE_IAM_ENDPOINT")) {
			t.Errorf("%s with %s: %v", c.endpoint, c.auth, err)
		}
	}
}

// TestNoProblemQuotesAValue sets a secret in place of each setting: one may have
// been put where its ARN belongs, or into the line beside.
func TestNoProblemQuotesAValue(t *testing.T) {
	const word = "swordfish"
	secrets := []string{word, "arn:aws:secretsmanager:" + word, "-----BEGIN PRIVATE KEY-----\n" + word + "\n-----END PRIVATE KEY-----", "https://shop:" + word + "@queue.example/?" + word,
		`{"privateKey":"` + word + `"}`, "postgres://shop:" + word + "@db.example/shop", "/" + word}
	good := workerEnv(nil)
	var quoted int
	load := func(name string, getenv func(string) string) {
		t.Helper()
		_, problems := LoadDeployment(getenv)
		errs := []error{problems}
		_, err := LoadCLI(getenv)
		errs = append(errs, err)
		_, err = LoadConsole(getenv)
		errs = append(errs, err)
		_, err = LoadPush(getenv)
		for _, err := range append(errs, err) {
			if err == nil {
				continue
			}
			quoted++
			if strings.Contains(err.Error(), word) {
				t.Errorf("%s is quoted: %v", name, err)
			}
		}
	}
	for _, secret := range secrets {
		for _, name := range []string{"ACCOUNTS", "LOG_LEVEL", "QUEUE_URL", "DEAD_LETTER_QUEUE_URL", "DATABASE_SECRET_ARN", "DATABASE_AUTH", "DATABASE_IAM_ENDPOINT", "DATABASE_CONNECTIONS", "TLS_CA_FILE",
			"READ_LAG_MARGIN", "FETCH_LIMIT", "API_TIMEOUT", "LEASE", "SWEEP_DAYS", "RETENTION_DAYS", "INBOX_DAYS", "ACCESS_DAYS", "RECONCILE_INTERVAL", "NOTIFICATION_GRACE_PERIOD", "FEED_TARGET_ARN", "PUBLIC_URL", "RETURN_ORIGINS", "UPDATE_DAYS", "COGNITO_LOGOUT_URL",
			"LINK_SECRET_ARN", "BEARER_SECRET_ARN", "AUTH", "LINK_LIFETIME", "SETUP_ONLY", "CHECKOUT_CANCEL_URL", "RETURN_TIMEOUT", "MERCHANT_URL", "CSP_ADDITIONS", "OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_HOSTS",
			"OIDC_SCOPES", "API_AUDIENCE", "CONSOLE_SECRET_ARN", "ROLES", "SESSION_LIFETIME", "CONSOLE_LINK_LIFETIME", "TIME_ZONE"} {
			load(name, func(n string) string {
				if n == name {
					return secret
				}
				return good(n)
			})
		}
		for _, member := range []string{"id", "merchantId", "environment", "region", "publicKeyId", "storeId", "ledgerCurrency", "algorithm", "privateKeySecretArn", "ipnPathSecretArn", "checkoutScriptUrl"} {
			load("ACCOUNTS."+member, workerEnv(map[string]string{"ACCOUNTS": "[" + account(map[string]any{member: secret}) + "," + account(map[string]any{member: secret}) + "]"}))
		}
		load("ACCOUNTS.topics", workerEnv(map[string]string{"ACCOUNTS": "[" + account(map[string]any{"topics": []string{secret}}) + "]"}))
		load("ROLES", func(n string) string {
			if n == "ROLES" {
				return `{"act":["` + word + `"],"read":["` + word + `"],"` + word + `":[]}`
			}
			return good(n)
		})
	}
	if quoted < 200 {
		t.Errorf("%d problems: this shows nothing", quoted)
	}
}

func TestSecretInsteadOfAnARNIsRefused(t *testing.T) {
	const arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:walletsync/a.b_c+d=e@f-a1b2c3"
	for value, good := range map[string]bool{
		arn: true, strings.Replace(arn, "aws:", "aws-us-gov:", 1): true, strings.Replace(arn, "aws:", "aws-cn:", 1): true,
		"walletsync/database": false, `{"url":"postgres://shop:hush-hush@db.example/shop"}`: false, "postgres://shop:hush-hush@db.example/shop": false,
		strings.Replace(arn, "secretsmanager", "ssm", 1): false, arn + "\n": false, arn + "\u00e9": false, arn + strings.Repeat("x", 2048): false,
	} {
		_, err := LoadWorker(workerEnv(map[string]string{"DATABASE_SECRET_ARN": value}))
		_, inAccount := LoadWorker(workerEnv(map[string]string{"ACCOUNTS": "[" + account(map[string]any{"privateKeySecretArn": value}) + "]"}))
		if (err == nil) != good || (inAccount == nil) != good {
			t.Errorf("%.80q: %v, %v", value, err, inAccount)
		}
	}
}
