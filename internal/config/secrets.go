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

// Secret is a text that must not be seen. However it is printed, logged or
// encoded, it shows as hidden; Reveal returns it. (It holds a pointer because
// fmt calls no methods of what it finds in unexported fields.)
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

// Format writes a word in place of the secret, whatever the verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(hidden)) }

// MarshalText does likewise for JSON and other encodings.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// MarshalZerologObject does likewise for logs.
func (Secret) MarshalZerologObject(e *zerolog.Event) { e.Bool("hidden", true) }

// SecretsManager is what the secrets need of AWS Secrets Manager's client.
type SecretsManager interface {
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
}

const (
	// keepFor is how long a secret is used before it is read again.
	keepFor = 5 * time.Minute
	// againAfter is how soon one that was refused, or could not be read, is
	// read again: whoever knocks with a wrong word must not be able to spend
	// calls to Secrets Manager.
	againAfter = 10 * time.Second
	// readTimeout bounds a read with its retries. SNS waits 15 s for an answer.
	readTimeout = 5 * time.Second
)

// The stages of a secret (AWS Secrets Manager User Guide, "Secret versions").
const (
	current  = "AWSCURRENT"
	previous = "AWSPREVIOUS"
)

// Secrets reads secrets when they are first needed, once however many wait for
// it, and keeps them for five minutes. One that is older stays in use while
// Secrets Manager cannot be reached. It is safe for concurrent use.
type Secrets struct {
	client SecretsManager
	now    func() time.Time

	flights singleflight.Group
	mu      sync.Mutex
	kept    map[version]read
	keys    map[version]keyText
}

// keyText is a private key and the secret's text that it was read from: every
// call to Amazon Pay asks for the key.
type keyText struct {
	text string
	key  Secret
}

type version struct{ arn, stage string }

// read is what came of reading a version of a secret.
type read struct {
	text   string
	absent bool      // the secret has no version at this stage
	at     time.Time // of the last read that succeeded; zero: none has
	failed time.Time // of the last read that failed, if none succeeded since
	err    error
}

// NewSecrets returns the secrets that the client can read.
func NewSecrets(client SecretsManager, now func() time.Time) *Secrets {
	return &Secrets{client: client, now: now, kept: map[version]read{}, keys: map[version]keyText{}}
}

// errAbsent means that the secret has no version at this stage.
var errAbsent = errors.New("there is no such version")

// get returns the text of a version. With again, the kept one has been refused:
// an older one than againAfter will not do.
func (s *Secrets) get(ctx context.Context, v version, again bool) (string, error) {
	s.mu.Lock()
	r, now := s.kept[v], s.now()
	s.mu.Unlock()
	fresh := keepFor
	if again {
		fresh = againAfter
	}
	switch {
	case !r.at.IsZero() && now.Sub(r.at) < fresh:
		return r.value()
	case !r.failed.IsZero() && now.Sub(r.failed) < againAfter:
		return r.orStale(again)
	}
	flight := s.flights.DoChan(v.arn+"\n"+v.stage, func() (any, error) {
		// Everyone who waits shares this read, so it does not end with the
		// context of the one who came first.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
		defer cancel()
		return s.read(ctx, v), nil
	})
	select {
	case done := <-flight:
		return done.Val.(read).orStale(again)
	case <-ctx.Done():
		return "", fmt.Errorf("secret %s: %w", v.arn, context.Cause(ctx))
	}
}

// read asks Secrets Manager and keeps what came of it.
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
		r.failed, r.err = now, fmt.Errorf("secret %s: it holds bytes; store it as text", v.arn)
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

// orStale returns what was read before a failure, unless that was refused.
func (r read) orStale(refused bool) (string, error) {
	if r.failed.IsZero() || (!r.at.IsZero() && !refused) {
		return r.value()
	}
	return "", r.err
}

// form is what a secret text must look like. The pattern says nothing of the
// length: a cold start would compile each repetition.
type form struct {
	pattern     *regexp.Regexp
	least, most int
	says        string
}

var (
	// word is fit for a path and hard to guess.
	word = form{regexp.MustCompile(`^[A-Za-z0-9._~-]+$`), 16, 256, "16 to 256 letters, digits, dots, dashes, underscores and tildes"}
	// foreign is a secret that others chose (RFC 6749, appendix A.2).
	foreign = form{regexp.MustCompile(`^[ -~]+$`), 1, 1000, "1 to 1,000 printable ASCII characters"}
)

func (f form) fits(s string) bool {
	return len(s) >= f.least && len(s) <= f.most && f.pattern.MatchString(s)
}

// texts returns the secret texts at arn, each the given member of a JSON
// object: the current one first, then the one before it, so that a rotation
// leaves time to change what uses it. Again says that the ones kept did not
// match.
func (s *Secrets) texts(ctx context.Context, arn, member string, f form, again bool) ([]string, error) {
	var found [2]string
	var g errgroup.Group
	for i, stage := range []string{current, previous} {
		g.Go(func() (err error) {
			if found[i], err = s.get(ctx, version{arn, stage}, again); errors.Is(err, errAbsent) {
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
	case err != nil && (again || len(valid) == 0):
		return nil, err // one that could not be read may be the one that matches
	case len(valid) == 0:
		return nil, fmt.Errorf(`secret %s: it is not of the form {"%s":"…"} with %s`, arn, member, f.says)
	}
	return valid, nil
}

// words is texts of words.
func (s *Secrets) words(ctx context.Context, arn, member string, again bool) ([]string, error) {
	return s.texts(ctx, arn, member, word, again)
}

// Doors are the secrets of the accounts' IPN paths.
type Doors struct {
	secrets *Secrets
	arns    map[wallet.AccountID]string
}

// Doors returns the secrets of the accounts' IPN paths.
func (c Receiver) Doors(s *Secrets) Doors {
	d := Doors{s, map[wallet.AccountID]string{}}
	for _, a := range c.Accounts {
		d.arns[a.ID] = a.DoorSecret
	}
	return d
}

// DoorSecrets returns the secrets that open an account's path: the current one
// and the one before it, so that a rotation leaves time to change the path in
// Seller Central. Again says that the ones kept did not match.
func (d Doors) DoorSecrets(ctx context.Context, account wallet.AccountID, again bool) ([]string, error) {
	arn, ok := d.arns[account]
	if !ok {
		return nil, fmt.Errorf("account %q is not configured", account)
	}
	return d.secrets.words(ctx, arn, "ipnSecret", again)
}

// Links returns the function that tells the secrets of links and return URLs,
// from the secret at arn: the current one, which seals, and the one before it,
// which still opens. Again says that the ones told before did not match.
func (s *Secrets) Links(arn string) func(ctx context.Context, again bool) ([]string, error) {
	return func(ctx context.Context, again bool) ([]string, error) { return s.words(ctx, arn, "linkSecret", again) }
}

// BearerKeys returns the function that tells the keys that a merchant's server
// may show, from the secret at arn: the current one and the one before it. Again
// says that the ones told before did not match.
func (s *Secrets) BearerKeys(arn string) func(ctx context.Context, again bool) ([]string, error) {
	return func(ctx context.Context, again bool) ([]string, error) { return s.words(ctx, arn, "bearerKey", again) }
}

// CookieKeys returns the function that tells the secrets that seal the console's
// cookies, from the secret at arn: the current one, which seals, and the one
// before it, which still opens. Again says that the ones told before did not
// match.
func (s *Secrets) CookieKeys(arn string) func(ctx context.Context, again bool) ([]string, error) {
	return func(ctx context.Context, again bool) ([]string, error) { return s.words(ctx, arn, "cookieKey", again) }
}

// ClientSecrets returns the function that tells what the console shows its
// issuer, from the secret at arn: the current one and the one before it. Again
// says that the ones told before were refused.
func (s *Secrets) ClientSecrets(arn string) func(ctx context.Context, again bool) ([]string, error) {
	return func(ctx context.Context, again bool) ([]string, error) {
		return s.texts(ctx, arn, "clientSecret", foreign, again)
	}
}

// Key returns an account's private key in PEM, from the secret at arn; with
// again, one refused before will not do.
func (s *Secrets) Key(ctx context.Context, arn string, again bool) (Secret, error) {
	return s.key(ctx, version{arn, current}, again)
}

// PreviousKey returns the private key that the current one replaced, and false
// if there is none. Nothing is signed with it; it tells the doctor what went
// wrong when key and key id were not changed together.
func (s *Secrets) PreviousKey(ctx context.Context, arn string) (Secret, bool, error) {
	key, err := s.key(ctx, version{arn, previous}, true)
	if errors.Is(err, errAbsent) {
		return Secret{}, false, nil
	}
	return key, err == nil, err
}

func (s *Secrets) key(ctx context.Context, v version, again bool) (Secret, error) {
	text, err := s.get(ctx, v, again)
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
		return Secret{}, fmt.Errorf(`secret %s: it is not of the form {"privateKey":"-----BEGIN …"}`, v.arn)
	}
	s.keys[v] = keyText{text, NewSecret(pem)}
	return s.keys[v].key, nil
}

// onePEM is a PEM block as it stands in a text.
var onePEM = regexp.MustCompile(`(?s)-----BEGIN [A-Z ]+-----.*-----END [A-Z ]+-----`)

// privateKeyOf returns the PEM of a secret's text. Copying may have put a byte
// order mark before the JSON, or real line ends into its string, which makes it
// no JSON; or there is the PEM alone.
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

// Database is where the data is.
type Database struct {
	URL Secret
	// DirectURL leads to the server itself where URL leads to a pooler; it is
	// URL where none is set. Migrations need it.
	DirectURL Secret
	// CA is certificate authorities in PEM that are trusted besides; may be empty.
	CA string
}

// databaseJSON is a database's secret: our own form, or that in which RDS keeps
// its own ("Secrets Manager: JSON structure of database credential secrets"),
// whose other members tell nothing that is needed.
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

// defaultDBName is the database of a secret of RDS's that names none: the one
// that each server of RDS has.
const defaultDBName = "postgres"

// url returns the URL that RDS's form stands for, with certificate and name of
// the server verified; empty if the secret is not of that form.
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
	if d.Password != "" { // none: IAM's token stands in
		u.User = url.UserPassword(d.Username, d.Password)
	}
	return u.String()
}

// Database returns what the secret at arn says; with again, what it said before
// has been refused.
func (s *Secrets) Database(ctx context.Context, arn string, again bool) (Database, error) {
	text, err := s.get(ctx, version{arn, current}, again)
	if err != nil {
		return Database{}, err
	}
	var d databaseJSON
	if json.Unmarshal([]byte(text), &d) == nil && d.URL == "" {
		d.URL = d.url()
	}
	if d.URL == "" {
		return Database{}, fmt.Errorf(`secret %s: it is neither of the form {"url":"postgres://…"} nor of that of RDS, {"username":"…","password":"…","host":"…","port":5432,"dbname":"…"}`, arn)
	}
	if d.DirectURL == "" {
		d.DirectURL = d.URL
	}
	return Database{NewSecret(d.URL), NewSecret(d.DirectURL), d.CA}, nil
}
