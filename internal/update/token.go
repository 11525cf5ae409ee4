package update

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"walletsync/internal/update/session"
)

// Purpose is what a token is good for. One of another purpose opens nothing.
type Purpose byte

// The purposes. The numbers are in tokens under way, so they keep their meaning.
const (
	Link  Purpose = 1 // opens the ready page
	State Purpose = 2 // comes back with the buyer from Amazon's page
)

// Tokens seals and opens what a URL carries of an update session: its id, what
// the token is good for and until when. No charge permission and nobody's data
// is in it.
//
// A token is base64url, without padding, of
//
//	version 1 (1 byte) | purpose (1) | key id (4) | expiry, Unix seconds (8) | session (16) | HMAC-SHA-256 of all before (32)
//
// The key id tells which secret sealed it, so that two are valid at once and a
// rotation breaks no link.
type Tokens struct {
	// Secrets are the valid ones, the one that seals first. Again says that the
	// ones told before did not match.
	Secrets func(ctx context.Context, again bool) ([]string, error)
	Now     func() time.Time
}

const (
	tokenVersion = 1
	tokenSigned  = 1 + 1 + 4 + 8 + 16
	tokenSize    = tokenSigned + sha256.Size
)

// tokenEncoding is strict, so that one token has one spelling.
var tokenEncoding = base64.RawURLEncoding.Strict()

// errForged means that the token is none of ours, or not of this purpose.
var errForged = errors.New("the token is not one that was issued for this")

// expiredError means that the token is ours, and too old.
type expiredError struct{ at time.Time }

func (e expiredError) Error() string {
	return fmt.Sprintf("the token expired at %s", e.at.UTC().Format(time.RFC3339))
}

// Seal returns a token that Open takes until it expires, in whole seconds.
func (t Tokens) Seal(ctx context.Context, p Purpose, id session.ID, expires time.Time) (string, error) {
	secrets, err := t.Secrets(ctx, false)
	if err != nil {
		return "", err
	}
	key := tokenKey(secrets[0])
	b := make([]byte, 0, tokenSize)
	b = append(b, tokenVersion, byte(p))
	b = append(b, key.id[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(expires.Unix())) // #nosec G115 -- a time to come
	b = append(b, id[:]...)
	return tokenEncoding.EncodeToString(append(b, key.mac(b)...)), nil
}

// Open returns the session that a token of this purpose was sealed for. The
// error is errForged, an expiredError (with the session), or one of reading the
// secrets.
func (t Tokens) Open(ctx context.Context, p Purpose, token string) (session.ID, error) {
	b, ok := decodeToken(token)
	if !ok || b[1] != byte(p) {
		return session.ID{}, errForged
	}
	for _, again := range []bool{false, true} {
		secrets, err := t.Secrets(ctx, again)
		if err != nil {
			return session.ID{}, err
		}
		for _, s := range secrets {
			key := tokenKey(s)
			if [4]byte(b[2:6]) != key.id {
				continue // which secret seals is no secret
			}
			if !hmac.Equal(b[tokenSigned:], key.mac(b[:tokenSigned])) {
				return session.ID{}, errForged
			}
			id := session.ID(b[14:30])
			if expires := time.Unix(int64(binary.BigEndian.Uint64(b[6:14])), 0); !t.Now().Before(expires) { // #nosec G115 -- sealed by us
				return id, expiredError{expires}
			}
			return id, nil
		}
	}
	return session.ID{}, errForged
}

// decodeToken returns a token's bytes if it has the form of one.
func decodeToken(s string) ([]byte, bool) {
	if len(s) != tokenEncoding.EncodedLen(tokenSize) {
		return nil, false
	}
	b, err := tokenEncoding.DecodeString(s)
	return b, err == nil && len(b) == tokenSize && b[0] == tokenVersion
}

// sealingKey is what a secret is used as.
type sealingKey struct {
	id  [4]byte
	key [sha256.Size]byte
}

// tokenKey derives a key from a secret. The id comes by another way, so that it
// tells nothing of the key.
func tokenKey(secret string) sealingKey {
	key := sha256.Sum256([]byte("walletsync token key\n" + secret))
	id := sha256.Sum256([]byte("walletsync token key id\n" + secret))
	return sealingKey{[4]byte(id[:4]), key}
}

func (k sealingKey) mac(b []byte) []byte {
	m := hmac.New(sha256.New, k.key[:])
	m.Write(b)
	return m.Sum(nil)
}
