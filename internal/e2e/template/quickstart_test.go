package template

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"walletsync/internal/config"
)

// programs replace the AWS tools: aws stores secrets and returns one output, sam
// records its arguments. Both refuse all other commands.
var programs = map[string]string{
	"aws": `#!/bin/sh
case "$1 $2" in
"secretsmanager create-secret")
  [ "$3 $5 $6" = "--name --secret-string file:///dev/stdin" ] || exit 1
  cat > "$HOME/$4.json"
  echo "arn:aws:secretsmanager:eu-west-1:111122223333:secret:$4-AbCdEf" ;;
"cloudformation describe-stacks")
  [ "$4" = walletsync ] || exit 1
  case "$8" in *"'IpnUrlCommand'"*) cat "$HOME/command" ;; *) exit 1 ;; esac ;;
"secretsmanager get-secret-value") echo '{"ipnSecret":"S3cret"}' ;;
*) exit 1 ;;
esac
`,
	"sam": `#!/bin/sh
case "$1" in
build) ;;
deploy) for a in "$@"; do printf '%s\n' "$a"; done > "$HOME/deploy" ;;
*) exit 1 ;;
esac
`,
}

// TestTheQuickStartDeploys runs the commands of the README verbatim. It checks that
// the functions can read the secrets, that the template accepts the parameters,
// and that the last command prints the IPN URL.
func TestTheQuickStartDeploys(t *testing.T) {
	if _, err := exec.LookPath("jq"); err != nil {
		t.Skip("SKIP: jq is not installed (apt-get install jq)")
	}
	readme, err := os.ReadFile(root + "README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(readme), "## Deploy it")
	if !ok {
		t.Fatal("the README has no section Deploy it")
	}
	script := strings.Split(section, "```")[1]

	source := load(t).Template
	s, err := evaluate(source, combinations["the default"], none)
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(home, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	const key, url = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "postgres://shop:s3cret@db.example.com/shop?sslmode=verify-full"
	write("private-key.pem", key)
	write("database-url.txt", url+"\n")
	write("command", s.Outputs["IpnUrlCommand"].(string)+"\n")
	for name, text := range programs {
		write(name, text)
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", script)
	cmd.Dir = home
	cmd.Env = []string{"HOME=" + home, "PATH=" + home + ":/usr/local/bin:/usr/bin:/bin",
		"MERCHANT_ID=" + merchant["MerchantId"], "STORE_ID=" + merchant["StoreId"], "PUBLIC_KEY_ID=" + merchant["PublicKeyId"], "ALARM_EMAIL=ops@shop.example"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := string(out); got != "https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/ipn/main/S3cret\n" {
		t.Errorf("it prints %q", got)
	}

	secrets := config.NewSecrets(kept(home), time.Now)
	if k, err := secrets.Key(t.Context(), "walletsync-key", false); err != nil || k.Reveal() != key {
		t.Errorf("the functions read the key %q, %v", k.Reveal(), err)
	}
	if db, err := secrets.Database(t.Context(), "walletsync-database", false); err != nil || db.URL.Reveal() != url {
		t.Errorf("the functions read the URL %q, %v", db.URL.Reveal(), err)
	}

	deploy, err := os.ReadFile(filepath.Join(home, "deploy"))
	if err != nil {
		t.Fatal(err)
	}
	options, overrides, ok := strings.Cut(string(deploy), "--parameter-overrides\n")
	if !ok || !strings.Contains(options, "--capabilities\nCAPABILITY_IAM\n") || !strings.Contains(options, "--stack-name\nwalletsync\n") {
		t.Errorf("sam was called with %q", deploy)
	}
	given := parameters{}
	for _, line := range strings.Split(strings.TrimSpace(overrides), "\n") {
		name, value, _ := strings.Cut(line, "=")
		given[name] = value
	}
	if d, err := evaluate(source, given, none); err != nil {
		t.Errorf("the template refuses %v: %v", given, err)
	} else if v := d.environment("IpnWorker"); v["DATABASE_SECRET_ARN"] != given["DatabaseSecretArn"] || !strings.Contains(v["ACCOUNTS"].(string), given["PrivateKeySecretArn"]) {
		t.Errorf("the worker gets %v of %v", v, given)
	}
	for name, p := range source.Parameters {
		if p.Default == "" && p.AllowedValues == nil && p.AllowedPattern != "" && allowed("", p.AllowedPattern, nil, nil, nil) != nil && given[name] == "" {
			t.Errorf("it does not set %s, which has no default", name)
		}
	}
}

// kept is the folder in which the aws above stores secrets.
type kept string

func (k kept) GetSecretValue(_ context.Context, in *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	b, err := os.ReadFile(filepath.Join(string(k), *in.SecretId+".json"))
	return &secretsmanager.GetSecretValueOutput{SecretString: aws.String(string(b))}, err
}
