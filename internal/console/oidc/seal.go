package oidc

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// purpose is what a sealed text is for. A text of another purpose is refused.
type purpose string

const (
	sessionPurpose purpose = "session"  // the signed-in user
	statePurpose   purpose = "state"    // a sign-in in progress
	idTokenPurpose purpose = "id_token" // for the issuer's sign-out
	knownPurpose   purpose = "known"    // a browser in which a user has signed in
)

// seals encrypts what browsers store for us, so that no one else can read or make it.
// A sealed text is base64url, without padding, of
//
//	version 1 (1 byte) | key id (4) | nonce (12) | AES-256-GCM of the expiry and the JSON | tag (16)
//
// The key id names the secret that sealed it, so that two are valid at once and a
// rotation ends no session. Authenticated with it are its purpose, the issuer and
// client of the sign-in, and what it is bound to.
// Nonces are random: a key seals no more than 2^32 texts (NIST SP 800-38D,
// section 8.3), which is a sign-in a second for a century.
type seals struct {
	// secrets returns the valid ones; the first one seals. With refetch the ones
	// returned before did not match.
	secrets func(ctx context.Context, refetch bool) ([]string, error)
	party   string // the issuer and the client
	now     func() time.Time
}

const (
	sealVersion = 1
	sealHeader  = 1 + 4
	// maxSealed is the size of a cookie that browsers store (RFC 6265, section 6.1),
	// less its name and attributes.
	maxSealed = 3800
)

// sealEncoding is strict, so that a text has one spelling.
var sealEncoding = base64.RawURLEncoding.Strict()

var (
	// errForged means that we did not seal the text for this purpose.
	errForged = errors.New("not sealed for this purpose")
	// errExpired means that we did, and that it has expired.
	errExpired = errors.New("expired")
)

// sealed is the encrypted content.
type sealed struct {
	Expires int64           `json:"e"` // Unix seconds
	Value   json.RawMessage `json:"v"`
}

// seal returns a text that open accepts with the same binding until it expires, in
// whole seconds. The binding may be empty.
func (s seals) seal(ctx context.Context, p purpose, binding string, v any, expires time.Time) (string, error) {
	secrets, err := s.secrets(ctx, false)
	if err != nil {
		return "", err
	}
	value, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	plain, err := json.Marshal(sealed{expires.Unix(), value})
	if err != nil {
		return "", err
	}
	key, err := newSealingKey(secrets[0])
	if err != nil {
		return "", err
	}
	b := append([]byte{sealVersion}, key.id[:]...)
	b = key.aead.Seal(b, nil, plain, s.aad(p, binding))
	if sealEncoding.EncodedLen(len(b)) > maxSealed {
		return "", fmt.Errorf("larger than a cookie: %d bytes", len(b))
	}
	return sealEncoding.EncodeToString(b), nil
}

// open decrypts into v what was sealed for this purpose and binding. The error is
// errForged, errExpired, or one of reading the secrets.
func (s seals) open(ctx context.Context, p purpose, binding, text string, v any) error {
	if len(text) > maxSealed {
		return errForged
	}
	b, err := sealEncoding.DecodeString(text)
	if err != nil || len(b) < sealHeader || b[0] != sealVersion {
		return errForged
	}
	for _, refetch := range []bool{false, true} {
		secrets, err := s.secrets(ctx, refetch)
		if err != nil {
			return err
		}
		for _, secret := range secrets {
			key, err := newSealingKey(secret)
			if err != nil {
				return err
			}
			if [4]byte(b[1:sealHeader]) != key.id {
				continue // the id is not secret
			}
			plain, err := key.aead.Open(nil, nil, b[sealHeader:], s.aad(p, binding))
			if err != nil {
				return errForged
			}
			var in sealed
			if err := json.Unmarshal(plain, &in); err != nil {
				return errForged // of an old release
			}
			if !s.now().Before(time.Unix(in.Expires, 0)) {
				return errExpired
			}
			if err := json.Unmarshal(in.Value, v); err != nil {
				return errForged
			}
			return nil
		}
	}
	return errForged
}

// aad returns what is authenticated with the text. Only its last part may contain a
// line feed.
func (s seals) aad(p purpose, binding string) []byte {
	return []byte(string(p) + "\n" + s.party + "\n" + binding)
}

// sealingKey is the key that is derived from a secret.
type sealingKey struct {
	id   [4]byte
	aead cipher.AEAD
}

// newSealingKey derives the key, and its id in another way, so that the id reveals
// nothing about the key.
func newSealingKey(secret string) (sealingKey, error) {
	key := sha256.Sum256([]byte("walletsync console key\n" + secret))
	id := sha256.Sum256([]byte("walletsync console key id\n" + secret))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return sealingKey{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return sealingKey{[4]byte(id[:4]), aead}, err
}
