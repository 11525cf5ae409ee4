package config

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/rs/zerolog"

	"walletsync/internal/wallet"
)

// manager is a Secrets Manager in memory.
type manager struct {
	mu    sync.Mutex
	texts map[string]string // ARN and stage → text
	down  error
	delay time.Duration
	calls int
}

func (m *manager) GetSecretValue(ctx context.Context, in *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	m.mu.Lock()
	m.calls++
	delay, down := m.delay, m.down
	text, ok := m.texts[*in.SecretId+" "+*in.VersionStage]
	m.mu.Unlock()
	select {
	case <-time.After(delay):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	switch {
	case down != nil:
		return nil, down
	case !ok:
		return nil, &types.ResourceNotFoundException{Message: aws.String("Secrets Manager can't find the specified secret value")}
	}
	return &secretsmanager.GetSecretValueOutput{SecretString: &text}, nil
}

func (m *manager) put(key, text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.texts[key] = text
}

func (m *manager) setDown(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = err
}

func (m *manager) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.calls
}

const (
	oldSecret = "aaaaaaaaaaaaaaaaaaaaaaaa"
	newSecret = "bbbbbbbbbbbbbbbbbbbbbbbb"
)

func ipnSecretJSON(secret string) string { return `{"ipnSecret":"` + secret + `"}` }

func ipnPathSecrets(m *manager) IPNPathSecrets {
	return Receiver{Accounts: []Account{{ID: "main", IPNPathSecret: "ipn"}}}.IPNPathSecrets(NewSecrets(m, time.Now))
}

func open(t *testing.T, d IPNPathSecrets, refetch bool) []string {
	t.Helper()
	s, err := d.DoorSecrets(t.Context(), "main", refetch)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestBothIPNPathSecretsAreValidDuringARotation(t *testing.T) {
	m := &manager{texts: map[string]string{"ipn AWSCURRENT": ipnSecretJSON(newSecret), "ipn AWSPREVIOUS": ipnSecretJSON(oldSecret)}}
	if got := open(t, ipnPathSecrets(m), false); !slices.Equal(got, []string{newSecret, oldSecret}) {
		t.Errorf("got %q", got)
	}
}

func TestUnrotatedSecretHasOneVersion(t *testing.T) {
	m := &manager{texts: map[string]string{"ipn AWSCURRENT": ipnSecretJSON(newSecret)}}
	if got := open(t, ipnPathSecrets(m), false); !slices.Equal(got, []string{newSecret}) {
		t.Errorf("got %q", got)
	}
}

func TestPreviousVersionOfAnotherFormIsIgnored(t *testing.T) {
	m := &manager{texts: map[string]string{"ipn AWSCURRENT": ipnSecretJSON(newSecret), "ipn AWSPREVIOUS": `{"ipnSecret":""}`}}
	if got := open(t, ipnPathSecrets(m), false); !slices.Equal(got, []string{newSecret}) {
		t.Errorf("got %q: an empty secret must open nothing", got)
	}
}

func TestErrorOfAnInvalidIPNPathSecretDoesNotQuoteIt(t *testing.T) {
	for _, text := range []string{`{"ipnSecret":"short"}`, `{"ipnSecret":"with/slash/with/slash/"}`, `{"other":"confidential"}`, `confidential`, ``} {
		m := &manager{texts: map[string]string{"ipn AWSCURRENT": text}}
		_, err := ipnPathSecrets(m).DoorSecrets(t.Context(), "main", false)
		if err == nil {
			t.Errorf("%q was accepted", text)
		} else if strings.Contains(err.Error(), "confidential") || strings.Contains(err.Error(), "slash/") {
			t.Errorf("the error quotes the secret: %v", err)
		}
	}
}

func TestSecretIsCachedForFiveMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &manager{texts: map[string]string{"ipn AWSCURRENT": ipnSecretJSON(oldSecret)}}
		d := ipnPathSecrets(m)
		open(t, d, false)
		first := m.count()
		m.put("ipn AWSCURRENT", ipnSecretJSON(newSecret))
		time.Sleep(5*time.Minute - time.Second)
		if got := open(t, d, false); m.count() != first || got[0] != oldSecret {
			t.Errorf("read again within five minutes: %d calls, %q", m.count(), got)
		}
		time.Sleep(time.Second)
		if got := open(t, d, false); got[0] != newSecret {
			t.Errorf("not read again after five minutes: %q", got)
		}
	})
}

func TestRefusedSecretIsReadAgainAtALimitedRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &manager{texts: map[string]string{"ipn AWSCURRENT": ipnSecretJSON(oldSecret)}}
		d := ipnPathSecrets(m)
		open(t, d, false)
		first := m.count()
		time.Sleep(11 * time.Second)
		m.put("ipn AWSCURRENT", ipnSecretJSON(newSecret))
		if got := open(t, d, true); got[0] != newSecret {
			t.Errorf("not read again: %q", got)
		}
		for range 100 {
			open(t, d, true)
		}
		if n := m.count() - first; n != 2 { // current and previous, once
			t.Errorf("%d calls for 101 guesses, want 2", n)
		}
	})
}

func TestOldSecretStaysInUseWhileSecretsManagerIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &manager{texts: map[string]string{"ipn AWSCURRENT": ipnSecretJSON(oldSecret)}}
		d := ipnPathSecrets(m)
		open(t, d, false)
		m.setDown(errors.New("down"))
		time.Sleep(time.Hour)
		before := m.count()
		for range 50 {
			if got := open(t, d, false); got[0] != oldSecret {
				t.Errorf("got %q", got)
			}
		}
		if n := m.count() - before; n > 2 {
			t.Errorf("%d calls while it is down, want one for each version", n)
		}
		// What was refused cannot be judged: neither right nor wrong.
		if _, err := d.DoorSecrets(t.Context(), "main", true); err == nil {
			t.Error("a refusal was confirmed with old secrets")
		}
		m.setDown(nil)
		m.put("ipn AWSCURRENT", ipnSecretJSON(newSecret))
		time.Sleep(11 * time.Second)
		if got := open(t, d, false); got[0] != newSecret {
			t.Errorf("not read again when it was back: %q", got)
		}
	})
}

func TestConcurrentCallersShareOneRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &manager{texts: map[string]string{"key AWSCURRENT": `{"privateKey":"PEM"}`}, delay: time.Second}
		s := NewSecrets(m, time.Now)
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if k, err := s.Key(t.Context(), "key", false); err != nil || k.Reveal() != "PEM" {
					t.Errorf("got %q, %v", k.Reveal(), err)
				}
			})
		}
		wg.Wait()
		if m.count() != 1 {
			t.Errorf("%d calls, want 1", m.count())
		}
	})
}

func TestCancelledCallerDoesNotEndASharedRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &manager{texts: map[string]string{"key AWSCURRENT": `{"privateKey":"PEM"}`}, delay: 2 * time.Second}
		s := NewSecrets(m, time.Now)
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := s.Key(impatient, "key", false); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("err = %v", err)
			}
		})
		synctest.Wait()
		wg.Go(func() {
			if _, err := s.Key(t.Context(), "key", false); err != nil {
				t.Errorf("the one who waits: %v", err)
			}
		})
		wg.Wait()
		if m.count() != 1 {
			t.Errorf("%d calls, want 1", m.count())
		}
	})
}

func TestReadHasATimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSecrets(&manager{delay: time.Hour}, time.Now)
		start := time.Now()
		if _, err := s.Key(t.Context(), "key", false); err == nil {
			t.Error("no error")
		}
		if took := time.Since(start); took > readTimeout {
			t.Errorf("took %s", took)
		}
	})
}

func TestPreviousKeyMayBeMissing(t *testing.T) {
	m := &manager{texts: map[string]string{"key AWSCURRENT": `{"privateKey":"new"}`}}
	if _, ok, err := NewSecrets(m, time.Now).PreviousKey(t.Context(), "key"); ok || err != nil {
		t.Errorf("ok %v, err %v; want none", ok, err)
	}
	m.put("key AWSPREVIOUS", `{"privateKey":"old"}`)
	if k, ok, err := NewSecrets(m, time.Now).PreviousKey(t.Context(), "key"); !ok || err != nil || k.Reveal() != "old" {
		t.Errorf("%q, %v, %v", k.Reveal(), ok, err)
	}
}

// What copying does to the secret's text is undone; amazonpay.ParsePrivateKey
// does so for the key in it.
func TestKeyIsReadInSpiteOfCopyingErrors(t *testing.T) {
	const pem = "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----"
	for name, text := range map[string]string{
		"as documented":              `{"privateKey":"-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----"}`,
		"a byte order mark":          "\uFEFF" + `{"privateKey":"-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----"}`,
		"line ends within the JSON":  `{"privateKey":"` + pem + `"}`,
		"the PEM alone":              pem,
		"the PEM alone, with quotes": `"` + pem + "\"\n",
	} {
		m := &manager{texts: map[string]string{"key AWSCURRENT": text}}
		if k, err := NewSecrets(m, time.Now).Key(t.Context(), "key", false); err != nil || k.Reveal() != pem {
			t.Errorf("%s: %q, %v", name, k.Reveal(), err)
		}
	}
	for name, text := range map[string]string{"empty": "", "another member": `{"key":"` + `-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----"}`,
		"no text": `{"privateKey":5}`, "cut off": "-----BEGIN PRIVATE KEY-----\nMIIE"} {
		m := &manager{texts: map[string]string{"key AWSCURRENT": text}}
		if k, err := NewSecrets(m, time.Now).Key(t.Context(), "key", false); err == nil {
			t.Errorf("%s: %q", name, k.Reveal())
		} else if strings.Contains(err.Error(), "MIIE") {
			t.Errorf("%s: the error holds the secret: %v", name, err)
		}
	}
}

func TestDirectURLDefaultsToTheURL(t *testing.T) {
	m := &manager{texts: map[string]string{
		"one AWSCURRENT": `{"url":"postgres://a"}`,
		"two AWSCURRENT": `{"url":"postgres://pooler","directUrl":"postgres://server"}`,
		"bad AWSCURRENT": `{"url":""}`,
	}}
	s := NewSecrets(m, time.Now)
	if d, err := s.Database(t.Context(), "one", false); err != nil || d.URL.Reveal() != "postgres://a" || d.DirectURL.Reveal() != "postgres://a" {
		t.Errorf("%q %q %v", d.URL.Reveal(), d.DirectURL.Reveal(), err)
	}
	if d, err := s.Database(t.Context(), "two", false); err != nil || d.DirectURL.Reveal() != "postgres://server" {
		t.Errorf("%q %v", d.DirectURL.Reveal(), err)
	}
	if _, err := s.Database(t.Context(), "bad", false); err == nil {
		t.Error("an empty URL was accepted")
	}
}

func TestDatabaseSecretOfRDSIsAccepted(t *testing.T) {
	for _, c := range []struct{ name, secret, url, ca string }{
		{"as RDS writes it", `{"username":"shop","password":"a/b:c@d#e?f%","engine":"postgres","host":"db.abc.eu-west-1.rds.amazonaws.com","port":5433,"dbname":"shop","dbInstanceIdentifier":"db"}`,
			"postgres://shop:a%2Fb%3Ac%40d%23e%3Ff%25@db.abc.eu-west-1.rds.amazonaws.com:5433/shop?sslmode=verify-full", ""},
		{"a port as text, no database", `{"username":"shop","password":"x","host":"db.example","port":"5433"}`, "postgres://shop:x@db.example:5433/postgres?sslmode=verify-full", ""},
		{"no port, a database of null", `{"username":"shop","password":"x","host":"db.example","dbname":null}`, "postgres://shop:x@db.example:5432/postgres?sslmode=verify-full", ""},
		{"no password, for IAM", `{"username":"shop","host":"db.example","port":5432}`, "postgres://shop@db.example:5432/postgres?sslmode=verify-full", ""},
		{"an IPv6 address", `{"username":"shop","host":"::1","port":5432}`, "postgres://shop@[::1]:5432/postgres?sslmode=verify-full", ""},
		{"with an authority", `{"username":"shop","host":"db.example","ca":"PEM"}`, "postgres://shop@db.example:5432/postgres?sslmode=verify-full", "PEM"},
		{"a URL beside it", `{"url":"postgres://a","username":"shop","host":"db.example","ca":"PEM"}`, "postgres://a", "PEM"},
		{"no host", `{"username":"shop","password":"hush-hush"}`, "", ""},
		{"a port that is none", `{"username":"shop","password":"hush-hush","host":"db.example","port":"x"}`, "", ""},
		{"a port out of range", `{"username":"shop","password":"hush-hush","host":"db.example","port":70000}`, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := NewSecrets(&manager{texts: map[string]string{"rds AWSCURRENT": c.secret}}, time.Now)
			d, err := s.Database(t.Context(), "rds", false)
			if d.URL.Reveal() != c.url || d.DirectURL.Reveal() != c.url || d.CA != c.ca || (err == nil) != (c.url != "") {
				t.Errorf("%q, %q, %q, %v", d.URL.Reveal(), d.DirectURL.Reveal(), d.CA, err)
			}
			if err != nil && strings.Contains(err.Error(), "hush-hush") {
				t.Error(err)
			}
		})
	}
}

func TestUnknownAccountHasNoIPNPathSecret(t *testing.T) {
	if _, err := ipnPathSecrets(&manager{}).DoorSecrets(t.Context(), wallet.AccountID("other"), false); err == nil {
		t.Error("no error")
	}
}

func TestSecretIsNeverPrinted(t *testing.T) {
	const word = "swordfish"
	s := NewSecret(word)
	type outer struct {
		Public  Secret
		private Secret
	}
	o := outer{s, s}
	db := Database{URL: s, DirectURL: s}
	var log bytes.Buffer
	logger := zerolog.New(&log)
	logger.Info().Interface("a", s).Interface("b", o).Interface("c", &db).Str("d", fmt.Sprint(o)).Object("e", s).Any("f", []Secret{s}).Send()
	encoded, err := json.Marshal(map[string]any{"a": s, "b": o, "c": []Database{db}})
	if err != nil {
		t.Fatal(err)
	}
	shown := []string{log.String(), string(encoded)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T"} {
		for _, v := range []any{s, &s, o, &o, db, []Secret{s}, map[string]Secret{"k": s}} {
			shown = append(shown, fmt.Sprintf(verb, v))
		}
	}
	for _, text := range shown {
		if strings.Contains(text, word) || strings.Contains(text, fmt.Sprintf("%x", word)) {
			t.Errorf("shows it: %s", text)
		}
	}
	if s.Reveal() != word || (Secret{}).Reveal() != "" {
		t.Error("Reveal does not return it")
	}
}
