package amazonpay

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// minKeyBits is the length of the keys that Amazon Pay makes and accepts.
const minKeyBits = 2048

// ParsePrivateKey returns the RSA key that the PEM holds, alone: PKCS#8 (BEGIN
// PRIVATE KEY, what Seller Central gives) or PKCS#1 (BEGIN RSA PRIVATE KEY).
// Encrypted keys and those under 2,048 bits are refused. Errors say nothing of
// what the PEM holds but its type.
func ParsePrivateKey(pemData []byte) (*rsa.PrivateKey, error) {
	block, rest := pem.Decode(pemData)
	if block == nil {
		return nil, errors.New("amazonpay: private key: not PEM")
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("amazonpay: private key: something follows the PEM block")
	}
	var key *rsa.PrivateKey
	switch {
	case block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "":
		return nil, errors.New("amazonpay: private key: it is encrypted")
	case block.Type == "PRIVATE KEY":
		parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, errors.New("amazonpay: private key: malformed PKCS#8")
		}
		var ok bool
		if key, ok = parsed.(*rsa.PrivateKey); !ok {
			return nil, errors.New("amazonpay: private key: not an RSA key")
		}
	case block.Type == "RSA PRIVATE KEY":
		var err error
		if key, err = x509.ParsePKCS1PrivateKey(block.Bytes); err != nil {
			return nil, errors.New("amazonpay: private key: malformed PKCS#1")
		}
	default:
		return nil, fmt.Errorf("amazonpay: private key: the PEM holds %q", clip(block.Type, 40))
	}
	if err := checkKey(key); err != nil {
		return nil, err
	}
	return key, nil
}

func checkKey(key *rsa.PrivateKey) error {
	switch {
	case key == nil || key.N == nil:
		return errors.New("amazonpay: private key: there is none")
	case key.N.BitLen() < minKeyBits:
		return fmt.Errorf("amazonpay: private key: %d bits, fewer than %d", key.N.BitLen(), minKeyBits)
	}
	return nil
}
