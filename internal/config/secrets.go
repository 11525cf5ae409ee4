package config

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"

	"walletsync/internal/wallet"
)

// Secret is a secret text. Printing, logging or encoding it writes "[hidden]"; Reveal
// returns the text. (It is a pointer because fmt does not call methods of values in
// unexported fields.)
type Secret struct{ text *string }

const hidden = "[hidden]"

// NewSecret hides a text.
func NewSecret(text string) Secret { return Secret{&text} }

// Reveal returns the text.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// Format writes "[hidden]" for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(hidden)) }

// MarshalText returns "[hidden]" for JSON and other encodings.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// MarshalZerologObject hides the text in logs.
func (Secret) MarshalZerologObject(e *zerolog.Event) { e.Bool("hidden", true) }

// SecretsManager is the part of AWS Secrets Manager's client that Secrets needs.
type SecretsManager interface {
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
}

const (
	// keepFor is how long a secret is cached.
	keepFor = 5 * time.Minute
	// refetchAfter is the least time between two reads of a secret that did not
	// match or could not be read. It limits the calls to Secrets Manager that
	// requests with a wrong secret can cause.
	refetchAfter = 10 * time.Second
	// readTimeout limits a read with its retries. SNS waits 15 s for an answer.
	readTimeout = 5 * time.Second
)

// The stages of a secret (AWS Secrets Manager User Guide, "Secret versions").
const (
	current  = "AWSCURRENT"
	previous = "AWSPREVIOUS"
)

// Secrets reads secrets when they are first needed and caches them for five minutes.
// Concurrent callers share one read. An older secret stays in use while Secrets
// Manager is unreachable. It is safe for concurrent use.
type Secrets struct {
	client SecretsManager
	now    func() time.Time

	flights singleflight.Group
	mu      sync.Mutex
	kept    map[version]read
	keys    map[version]keyText
}

// keyText is a private key with the text of its secret. It is cached because every call
// to Amazon Pay needs the key.
type keyText struct {
	text string
	key  Secret
}

type version struct{ arn, stage string }

// read is the result of reading a version of a secret.
type read struct {
	text   string
	absent bool      // the secret has no version at this stage
	at     time.Time // of the last successful read; zero if there was none
	failed time.Time // of the last failed read, if none succeeded since
	err    error
}

// NewSecrets returns the secrets that the client can read.
func NewSecrets(client SecretsManager, now func() time.Time) *Secrets {
	return &Secrets{client: client, now: now, kept: map[version]read{}, keys: map[version]keyText{}}
}

// errAbsent means that the secret has no version at this stage.
var errAbsent = errors.New("the secret has no such version")

// get returns the text of a version. With refetch it reads the text again if the cached
// one is older than refetchAfter, because the cached one did not match.
func (s *Secrets) get(ctx context.Context, v version, refetch bool) (string, error) {
	s.mu.Lock()
	r, now := s.kept[v], s.now()
	s.mu.Unlock()
	fresh := keepFor
	if refetch {
		fresh = refetchAfter
	}
	switch {
	case !r.at.IsZero() && now.Sub(r.at) < fresh:
		return r.value()
	case !r.failed.IsZero() && now.Sub(r.failed) < refetchAfter:
		return r.orStale(refetch)
	}
	flight := s.flights.DoChan(v.arn+"\n"+v.stage, func() (any, error) {
		// All waiting callers share this read, so it does not end with the context of
		// the first one.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
		defer cancel()
		return s.read(ctx, v), nil
	})
	select {
	case done := <-flight:
		return done.Val.(read).orStale(refetch)
	case <-ctx.Done():
		return "", fmt.Errorf("secret %s: %w", v.arn, context.Cause(ctx))
	}
}

// read reads a version from Secrets Manager and caches the result.
func (s *Secrets) read(ctx context.Context, v version) read {
	out, err := s.client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{
		SecretId: aws.String(v.arn), VersionStage: aws.String(v.stage),
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	r, now := s.kept[v], s.now()
	_, notFound := errors.AsType[*types.ResourceNotFoundException](err)
	switch {
	case err == nil && out.SecretString != nil:
		r = read{text: *out.SecretString, at: now}
	case err == nil:
		r.failed, r.err = now, fmt.Errorf("secret %s: it contains binary data; store it as text", v.arn)
	case notFound && v.stage == previous:
		r = read{absent: true, at: now}
	default:
		r.failed, r.err = now, fmt.Errorf("secret %s: %w", v.arn, err)
	}
	s.kept[v] = r
	return r
}

func (r read) value() (string, error) {
	if r.absent {
		return "", errAbsent
	}
	return r.text, nil
}

// orStale returns the text that was read before a failure, unless it was refused.
func (r read) orStale(refused bool) (string, error) {
	if r.failed.IsZero() || (!r.at.IsZero() && !refused) {
		return r.value()
	}
	return "", r.err
}

// form is the required form of a secret text. The pattern does not limit the length,
// because compiling the repetitions would slow down a cold start.
type form struct {
	pattern         *regexp.Regexp
	lowest, highest int // length
	description     string
}

var (
	// word can be part of a path and is hard to guess.
	word = form{regexp.MustCompile(`^[A-Za-z0-9._~-]+$`), 16, 256, "16 to 256 characters of A-Z, a-z, 0-9 and ._~-"}
	// external is a secret that the issuer chose (RFC 6749, appendix A.2).
	external = form{regexp.MustCompile(`^[ -~]+$`), 1, 1000, "1 to 1,000 printable ASCII characters"}
)

func (f form) fits(s string) bool {
	return len(s) >= f.lowest && len(s) <= f.highest && f.pattern.MatchString(s)
}

// texts returns the given member of the current and the previous version of the JSON
// secret at arn, so that both are valid during a rotation. With refetch it reads them
// again, because the cached ones did not match.
func (s *Secrets) texts(ctx context.Context, arn, member string, f form, refetch bool) ([]string, error) {
	var found [2]string
	var g errgroup.Group
	for i, stage := range []string{current, previous} {
		g.Go(func() (err error) {
			if found[i], err = s.get(ctx, version{arn, stage}, refetch); errors.Is(err, errAbsent) {
				return nil
			}
			return err
		})
	}
	err := g.Wait()
	var valid []string
	for _, text := range found {
		var members map[string]any
		if json.Unmarshal([]byte(text), &members) != nil {
			continue
		}
		if w, ok := members[member].(string); ok && f.fits(w) {
			valid = append(valid, w)
		}
	}
	switch {
	case err != nil && (refetch || len(valid) == 0):
		return nil, err // the version that could not be read may match
	case len(valid) == 0:
		return nil, fmt.Errorf(`secret %s: it does not have the form {"%s":"…"} with %s`, arn, member, f.description)
	}
	return valid, nil
}

// words returns texts of the form word.
func (s *Secrets) words(ctx context.Context, arn, member string, refetch bool) ([]string, error) {
	return s.texts(ctx, arn, member, word, refetch)
}

// IPNPathSecrets reads the IPN path secrets of the accounts.
type IPNPathSecrets struct {
	secrets *Secrets
	arns    map[wallet.AccountID]string
}

// IPNPathSecrets returns the reader of the accounts' IPN path secrets.
func (c Receiver) IPNPathSecrets(s *Secrets) IPNPathSecrets {
	d := IPNPathSecrets{s, map[wallet.AccountID]string{}}
	for _, a := range c.Accounts {
		d.arns[a.ID] = a.IPNPathSecret
	}
	return d
}

// DoorSecrets returns the valid IPN path secrets of an account: the current and the
// previous one, so that a rotation leaves time to change the path in Seller Central.
// With refetch it reads them again, because the cached ones did not match.
func (d IPNPathSecrets) DoorSecrets(ctx context.Context, account wallet.AccountID, refetch bool) ([]string, error) {
	arn, ok := d.arns[account]
	if !ok {
		return nil, fmt.Errorf("account %q is not configured", account)
	}
	return d.secrets.words(ctx, arn, "ipnSecret", refetch)
}

// Links returns a function that reads the secrets of links and return URLs from the
// secret at arn: the current one, which seals and opens, and the previous one, which
// only opens. With refetch it reads them again, because those returned before did not
// match.
func (s *Secrets) Links(arn string) func(ctx context.Context, refetch bool) ([]string, error) {
	return func(ctx context.Context, refetch bool) ([]string, error) {
		return s.words(ctx, arn, "linkSecret", refetch)
	}
}

// BearerKeys returns a function that reads the valid keys of a merchant's server from
// the secret at arn: the current and the previous one. With refetch it reads them
// again, because those returned before did not match.
func (s *Secrets) BearerKeys(arn string) func(ctx context.Context, refetch bool) ([]string, error) {
	return func(ctx context.Context, refetch bool) ([]string, error) {
		return s.words(ctx, arn, "bearerKey", refetch)
	}
}

// CookieKeys returns a function that reads the secrets of the console's cookies from
// the secret at arn: the current one, which seals and opens, and the previous one,
// which only opens. With refetch it reads them again, because those returned before
// did not match.
func (s *Secrets) CookieKeys(arn string) func(ctx context.Context, refetch bool) ([]string, error) {
	return func(ctx context.Context, refetch bool) ([]string, error) {
		return s.words(ctx, arn, "cookieKey", refetch)
	}
}

// ClientSecrets returns a function that reads the console's client secrets from the
// secret at arn: the current and the previous one. With refetch it reads them again,
// because the issuer refused those returned before.
func (s *Secrets) ClientSecrets(arn string) func(ctx context.Context, refetch bool) ([]string, error) {
	return func(ctx context.Context, refetch bool) ([]string, error) {
		return s.texts(ctx, arn, "clientSecret", external, refetch)
	}
}

// Key returns an account's private key in PEM from the secret at arn. With refetch it
// reads the key again, because the cached one was refused.
func (s *Secrets) Key(ctx context.Context, arn string, refetch bool) (Secret, error) {
	return s.key(ctx, version{arn, current}, refetch)
}

// PreviousKey returns the private key that the current one replaced, and false
// if there is none. It signs nothing. It helps the doctor to find out whether key and
// key id were not changed together.
func (s *Secrets) PreviousKey(ctx context.Context, arn string) (Secret, bool, error) {
	key, err := s.key(ctx, version{arn, previous}, true)
	if errors.Is(err, errAbsent) {
		return Secret{}, false, nil
	}
	return key, err == nil, err
}

func (s *Secrets) key(ctx context.Context, v version, refetch bool) (Secret, error) {
	text, err := s.get(ctx, v, refetch)
	if err != nil {
		return Secret{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, ok := s.keys[v]; ok && known.text == text {
		return known.key, nil
	}
	pem, ok := privateKeyOf(text)
	if !ok {
		return Secret{}, fmt.Errorf(`secret %s: it does not have the form {"privateKey":"-----BEGIN …"}`, v.arn)
	}
	s.keys[v] = keyText{text, NewSecret(pem)}
	return s.keys[v].key, nil
}

// onePEM matches a PEM block in a text.
var onePEM = regexp.MustCompile(`(?s)-----BEGIN [A-Z ]+-----.*-----END [A-Z ]+-----`)

// privateKeyOf returns the PEM in a secret's text. It accepts errors of copying: a byte
// order mark before the JSON, line ends inside its string, which make the JSON
// invalid, or the PEM without JSON.
func privateKeyOf(text string) (pem string, ok bool) {
	var key struct {
		PrivateKey *string `json:"privateKey"`
	}
	if json.Unmarshal([]byte(strings.TrimPrefix(text, "\uFEFF")), &key) == nil {
		if key.PrivateKey == nil || *key.PrivateKey == "" {
			return "", false
		}
		return *key.PrivateKey, true
	}
	pem = onePEM.FindString(text)
	return pem, pem != ""
}

// Database holds the connection settings of the database.
type Database struct {
	URL Secret
	// DirectURL leads to the server itself if URL leads to a pooler. If it is not
	// set, it equals URL. Migrations need it.
	DirectURL Secret
	// CA holds additional certificate authorities in PEM. May be empty.
	CA string
}

// databaseJSON is a database's secret, in our own form or that of RDS ("Secrets
// Manager: JSON structure of database credential secrets"). Other members are not
// needed.
type databaseJSON struct {
	URL       string `json:"url"`
	DirectURL string `json:"directUrl"`
	CA        string `json:"ca"`

	Username string          `json:"username"`
	Password string          `json:"password"`
	Host     string          `json:"host"`
	Port     json.RawMessage `json:"port"` // a number, or a text with one
	DBName   string          `json:"dbname"`
}

// defaultDBName is the database if a secret of RDS has none. Each server of RDS has
// this database.
const defaultDBName = "postgres"

// url converts RDS's form to a URL that verifies certificate and name of the server.
// It is empty if the secret does not have that form.
func (d databaseJSON) url() string {
	if d.Username == "" || d.Host == "" {
		return ""
	}
	port := 5432
	if text := strings.Trim(string(d.Port), `"`); text != "" && text != "null" {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil || n == 0 {
			return ""
		}
		port = int(n)
	}
	u := url.URL{
		Scheme: "postgres", User: url.User(d.Username), Host: net.JoinHostPort(strings.Trim(d.Host, "[]"), strconv.Itoa(port)),
		Path: "/" + cmp.Or(d.DBName, defaultDBName), RawQuery: "sslmode=verify-full",
	}
	if d.Password != "" { // without a password, IAM signs in
		u.User = url.UserPassword(d.Username, d.Password)
	}
	return u.String()
}

// Database returns the connection settings in the secret at arn. With refetch it reads
// them again, because the server refused the cached ones.
func (s *Secrets) Database(ctx context.Context, arn string, refetch bool) (Database, error) {
	text, err := s.get(ctx, version{arn, current}, refetch)
	if err != nil {
		return Database{}, err
	}
	var d databaseJSON
	if json.Unmarshal([]byte(text), &d) == nil && d.URL == "" {
		d.URL = d.url()
	}
	if d.URL == "" {
		return Database{}, fmt.Errorf(`secret %s: it has neither the form {"url":"postgres://…"} nor that of RDS, {"username":"…","password":"…","host":"…","port":5432,"dbname":"…"}`, arn)
	}
	if d.DirectURL == "" {
		d.DirectURL = d.URL
	}
	return Database{NewSecret(d.URL), NewSecret(d.DirectURL), d.CA}, nil
}
