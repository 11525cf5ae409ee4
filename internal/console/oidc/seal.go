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

// purpose is what a sealed text is good for. One of another purpose opens
// nothing.
type purpose string

const (
	sessionPurpose purpose = "session"  // who is signed in
	statePurpose   purpose = "state"    // a sign-in under way
	idTokenPurpose purpose = "id_token" // the hint for the issuer's sign-out
	knownPurpose   purpose = "known"    // a browser in which somebody has signed in
)

// seals seals what the browser keeps for us, so that nobody else can read or
// make it. A sealed text is base64url, without padding, of
//
//	version 1 (1 byte) | key id (4) | nonce (12) | AES-256-GCM of the expiry and the JSON | tag (16)
//
// The key id tells which secret sealed it, so that two are valid at once and a
// rotation signs nobody out. What it was sealed for is authenticated with it:
// the purpose, the issuer and client of the sign-in, and what it is bound to.
// Nonces are random: a key seals no more than 2^32 texts (NIST SP 800-38D,
// section 8.3), which is a sign-in a second for a century.
type seals struct {
	// secrets are the valid ones, the one that seals first. Again says that the
	// ones told before did not match.
	secrets func(ctx context.Context, again bool) ([]string, error)
	party   string // the issuer and the client
	now     func() time.Time
}

const (
	sealVersion = 1
	sealHeader  = 1 + 4
	// maxSealed is what a browser keeps in one cookie (RFC 6265, section 6.1),
	// less its name and attributes.
	maxSealed = 3800
)

// sealEncoding is strict, so that one text has one spelling.
var sealEncoding = base64.RawURLEncoding.Strict()

var (
	// errForged means that the text is none that we sealed for this.
	errForged = errors.New("it was not sealed for this")
	// errExpired means that it was, and that its time is over.
	errExpired = errors.New("its time is over")
)

// sealed is what is inside.
type sealed struct {
	Expires int64           `json:"e"` // Unix seconds
	Value   json.RawMessage `json:"v"`
}

// seal returns a text that open takes until it expires, in whole seconds.
// Binding is what must be shown beside it; it may be empty.
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
		return "", fmt.Errorf("what is to be sealed is larger than a browser keeps: %d bytes", len(b))
	}
	return sealEncoding.EncodeToString(b), nil
}

// open reads into v what was sealed for this purpose and binding. The error is
// errForged, errExpired, or one of reading the secrets.
func (s seals) open(ctx context.Context, p purpose, binding, text string, v any) error {
	if len(text) > maxSealed {
		return errForged
	}
	b, err := sealEncoding.DecodeString(text)
	if err != nil || len(b) < sealHeader || b[0] != sealVersion {
		return errForged
	}
	for _, again := range []bool{false, true} {
		secrets, err := s.secrets(ctx, again)
		if err != nil {
			return err
		}
		for _, secret := range secrets {
			key, err := newSealingKey(secret)
			if err != nil {
				return err
			}
			if [4]byte(b[1:sealHeader]) != key.id {
				continue // which secret seals is no secret
			}
			plain, err := key.aead.Open(nil, nil, b[sealHeader:], s.aad(p, binding))
			if err != nil {
				return errForged
			}
			var in sealed
			if err := json.Unmarshal(plain, &in); err != nil {
				return errForged // of a release that is no more
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

// aad is what is authenticated beside the text. A line feed is in none of its
// parts but the last.
func (s seals) aad(p purpose, binding string) []byte {
	return []byte(string(p) + "\n" + s.party + "\n" + binding)
}

// sealingKey is what a secret is used as.
type sealingKey struct {
	id   [4]byte
	aead cipher.AEAD
}

// newSealingKey derives a key from a secret. The id comes by another way, so
// that it tells nothing of the key.
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
