package amazonpay

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// dateFormat is x-amz-pay-date's, always in UTC.
const dateFormat = "20060102T150405Z"

// MarshalPayload returns v as the JSON payload of a button, fit to be signed by
// [Client.SignPayload]: no HTML escapes, characters beyond ASCII as UTF-8, and
// no backslash at all.
//
// Amazon's PHP SDK strips backslash escapes before it hashes a payload, and
// what reaches checkout.js has often been through a template that treats them
// in its own way. A payload without any is the same string everywhere. So a
// value with a quotation mark, a backslash, a control character, U+2028,
// U+2029 or invalid UTF-8 in it, which JSON can only write with a backslash, is
// refused.
func MarshalPayload(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, fmt.Errorf("amazonpay: marshal payload: %w", err)
	}
	payload := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	if bytes.IndexByte(payload, '\\') >= 0 {
		return nil, errors.New("amazonpay: marshal payload: a value needs a backslash in JSON (a quotation mark, a backslash, a control character or invalid UTF-8)")
	}
	return payload, nil
}

// header is a signed one, its name in lower case.
type header struct{ name, value string }

// canonicalRequest returns what is hashed of a request (Amazon Pay API,
// "Signing requests"). The path is as it is sent, the query is empty; headers
// are sorted by name, their values without outer or double white space.
func canonicalRequest(method, path string, headers []header, body []byte) string {
	var b strings.Builder
	b.WriteString(method + "\n" + path + "\n\n")
	for _, h := range headers {
		b.WriteString(h.name + ":" + h.value + "\n")
	}
	b.WriteString("\n" + names(headers) + "\n")
	hash := sha256.Sum256(body)
	b.WriteString(hex.EncodeToString(hash[:]))
	return b.String()
}

func names(headers []header) string {
	var b strings.Builder
	for i, h := range headers {
		if i > 0 {
			b.WriteByte(';')
		}
		b.WriteString(h.name)
	}
	return b.String()
}

// signer signs for one key.
type signer struct {
	key       *rsa.PrivateKey
	keyID     string
	algorithm Algorithm
}

// stringToSign returns what is signed for a canonical request or a button's
// payload.
func stringToSign(a Algorithm, content []byte) string {
	hash := sha256.Sum256(content)
	return string(a) + "\n" + hex.EncodeToString(hash[:])
}

// sign returns the signature over a canonical request or a button's payload.
func (s signer) sign(content []byte) (string, error) {
	digest := sha256.Sum256([]byte(stringToSign(s.algorithm, content)))
	signature, err := rsa.SignPSS(rand.Reader, s.key, crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: s.algorithm.SaltLength()})
	if err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(signature), nil
}

// authorization returns the value of the Authorization header.
func (s signer) authorization(canonical string, signed []header) (string, error) {
	signature, err := s.sign([]byte(canonical))
	if err != nil {
		return "", err
	}
	return string(s.algorithm) + " PublicKeyId=" + s.keyID + ", SignedHeaders=" + names(signed) + ", Signature=" + signature, nil
}
