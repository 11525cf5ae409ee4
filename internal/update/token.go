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

// Purpose is the use that a token is valid for. Open refuses a token of another purpose.
type Purpose byte

// The purposes. Issued tokens contain the numbers, so they must not change.
const (
	Link  Purpose = 1 // opens the update page
	State Purpose = 2 // returns with the buyer from Amazon's page
)

// Tokens seals and opens the tokens in URLs. A token contains the id of an update
// session, the purpose and the expiry. It contains no charge permission and no
// personal data.
//
// A token is base64url, without padding, of
//
//	version 1 (1 byte) | purpose (1) | key id (4) | expiry, Unix seconds (8) | session (16) | HMAC-SHA-256 of the bytes before (32)
//
// The key id identifies the secret that sealed the token. Two secrets are valid at
// once, so that a rotation breaks no link.
type Tokens struct {
	// Secrets returns the valid secrets. The first one seals. With refetch it
	// reads them again, because those returned before did not match.
	Secrets func(ctx context.Context, refetch bool) ([]string, error)
	Now     func() time.Time
}

const (
	tokenVersion = 1
	tokenSigned  = 1 + 1 + 4 + 8 + 16
	tokenSize    = tokenSigned + sha256.Size
)

// tokenEncoding is strict, so that one token has one spelling.
var tokenEncoding = base64.RawURLEncoding.Strict()

// errForged means that we did not issue the token, or not for this purpose.
var errForged = errors.New("the token was not issued for this purpose")

// expiredError means that we issued the token and that it has expired.
type expiredError struct{ at time.Time }

func (e expiredError) Error() string {
	return fmt.Sprintf("the token expired at %s", e.at.UTC().Format(time.RFC3339))
}

// Seal returns a token that Open accepts until it expires, in whole seconds.
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

// Open returns the session that a token of this purpose was sealed for. It fails
// with errForged, with an expiredError (and the session), or if the secrets cannot
// be read.
func (t Tokens) Open(ctx context.Context, p Purpose, token string) (session.ID, error) {
	b, ok := decodeToken(token)
	if !ok || b[1] != byte(p) {
		return session.ID{}, errForged
	}
	for _, refetch := range []bool{false, true} {
		secrets, err := t.Secrets(ctx, refetch)
		if err != nil {
			return session.ID{}, err
		}
		for _, s := range secrets {
			key := tokenKey(s)
			if [4]byte(b[2:6]) != key.id {
				continue // the key id is not secret, so no constant-time comparison
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

// sealingKey is the key derived from a secret, with its id.
type sealingKey struct {
	id  [4]byte
	key [sha256.Size]byte
}

// tokenKey derives a key and its id from a secret. The id is derived separately, so
// that it reveals nothing about the key.
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
