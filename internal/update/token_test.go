package update

import (
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"walletsync/internal/update/session"
)

var (
	noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	some = session.ID{1, 2, 3, 4, 5, 6, 0x47, 8, 0x89, 10, 11, 12, 13, 14, 15, 16}
)

func tokens(now time.Time, secrets ...string) Tokens {
	return Tokens{
		Secrets: func(context.Context, bool) ([]string, error) { return secrets, nil },
		Now:     func() time.Time { return now },
	}
}

func seal(t testing.TB, k Tokens, p Purpose, id session.ID, expires time.Time) string {
	t.Helper()
	s, err := k.Seal(context.Background(), p, id, expires)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTokenOpensOnlyForItsPurpose(t *testing.T) {
	k := tokens(noon, "first-secret-of-two")
	for _, p := range []Purpose{Link, State} {
		token := seal(t, k, p, some, noon.Add(time.Minute))
		if id, err := k.Open(t.Context(), p, token); err != nil || id != some {
			t.Errorf("purpose %d: %s, %v", p, id, err)
		}
		if id, err := k.Open(t.Context(), 3-p, token); !errors.Is(err, errForged) || id != (session.ID{}) {
			t.Errorf("a token of purpose %d opened another: %s, %v", p, id, err)
		}
	}
}

func TestExpiredTokenStillReturnsItsSession(t *testing.T) {
	token := seal(t, tokens(noon, "first-secret-of-two"), Link, some, noon.Add(30*time.Minute))
	if _, err := tokens(noon.Add(30*time.Minute-time.Second), "first-secret-of-two").Open(t.Context(), Link, token); err != nil {
		t.Error(err)
	}
	id, err := tokens(noon.Add(30*time.Minute), "first-secret-of-two").Open(t.Context(), Link, token)
	if _, expired := errors.AsType[expiredError](err); !expired || id != some {
		t.Errorf("%s, %v", id, err)
	}
}

func TestTokenSurvivesOneRotationButNotTwo(t *testing.T) {
	token := seal(t, tokens(noon, "the-old-secret-1"), Link, some, noon.Add(time.Hour))
	if _, err := tokens(noon, "the-new-secret-2", "the-old-secret-1").Open(t.Context(), Link, token); err != nil {
		t.Error(err)
	}
	if _, err := tokens(noon, "the-newest-secret", "the-new-secret-2").Open(t.Context(), Link, token); !errors.Is(err, errForged) {
		t.Error(err)
	}
}

func TestTokenOfANewSecretOpensAfterARefetch(t *testing.T) {
	token := seal(t, tokens(noon, "the-new-secret-2"), Link, some, noon.Add(time.Hour))
	k := Tokens{Now: func() time.Time { return noon }, Secrets: func(_ context.Context, again bool) ([]string, error) {
		if again {
			return []string{"the-new-secret-2", "the-old-secret-1"}, nil
		}
		return []string{"the-old-secret-1"}, nil
	}}
	if _, err := k.Open(t.Context(), Link, token); err != nil {
		t.Error(err)
	}
}

func TestTokenIsNotRefusedWhileSecretsCannotBeRead(t *testing.T) {
	down := errors.New("down")
	k := Tokens{Now: time.Now, Secrets: func(context.Context, bool) ([]string, error) { return nil, down }}
	token := seal(t, tokens(noon, "first-secret-of-two"), Link, some, noon.Add(time.Hour))
	if _, err := k.Open(t.Context(), Link, token); !errors.Is(err, down) {
		t.Error(err)
	}
}

func TestChangingAnyBitInvalidatesAToken(t *testing.T) {
	k := tokens(noon, "first-secret-of-two")
	token := seal(t, k, State, some, noon.Add(time.Hour))
	raw, _ := tokenEncoding.DecodeString(token)
	for i := range raw {
		for bit := range 8 {
			b := append([]byte(nil), raw...)
			b[i] ^= 1 << bit
			if id, err := k.Open(t.Context(), State, tokenEncoding.EncodeToString(b)); !errors.Is(err, errForged) {
				t.Fatalf("byte %d, bit %d: %s, %v", i, bit, id, err)
			}
		}
	}
}

func FuzzOpenToken(f *testing.F) {
	k := tokens(noon, "first-secret-of-two")
	valid := seal(f, k, Link, some, noon.Add(time.Hour))
	f.Add(valid)
	f.Add("")
	f.Add(strings.Repeat("A", len(valid)))
	f.Add(valid + "=")
	// A known key id with an invalid MAC.
	raw, _ := tokenEncoding.DecodeString(valid)
	binary.BigEndian.PutUint64(raw[6:], 1<<63)
	f.Add(tokenEncoding.EncodeToString(raw))
	f.Fuzz(func(t *testing.T, s string) {
		id, err := k.Open(t.Context(), Link, s)
		if err == nil && (s != valid || id != some) {
			t.Errorf("%q opened %s", s, id)
		}
		if err != nil && !errors.Is(err, errForged) {
			t.Errorf("%q: %v", s, err)
		}
	})
}
