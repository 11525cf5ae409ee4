package amazonpay

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// minKeyBits is the length of the keys that Amazon Pay makes and accepts.
const minKeyBits = 2048

// ParsePrivateKey returns the RSA key that the PEM holds, alone: PKCS#8 (BEGIN
// PRIVATE KEY, what Seller Central gives) or PKCS#1 (BEGIN RSA PRIVATE KEY).
// What copying does to a PEM is undone where only one key can be meant: a byte
// order mark, quotes around it, line ends that are lost, spaces or written as \n.
// Encrypted keys and those under 2,048 bits are refused. Errors say what is
// wrong, and nothing of what the PEM holds but its type.
func ParsePrivateKey(pemData []byte) (*rsa.PrivateKey, error) {
	key, err := parsePrivateKey(string(pemData))
	if err == nil {
		err = checkKey(key)
	}
	if err != nil {
		return nil, fmt.Errorf("amazonpay: private key: %w", err)
	}
	return key, nil
}

var (
	pemBegin = regexp.MustCompile(`-----BEGIN ([A-Z0-9 ]+)-----`)
	pemEnd   = regexp.MustCompile(`-----END ([A-Z0-9 ]+)-----`)
	// copied is what copying puts in place of line ends and around a text.
	copied = strings.NewReplacer("\uFEFF", "", `\r`, "\n", `\n`, "\n", `\`, "")
)

func parsePrivateKey(text string) (*rsa.PrivateKey, error) {
	text = strings.Trim(copied.Replace(text), " \t\r\n\"'`")
	begin := pemBegin.FindStringSubmatchIndex(text)
	switch {
	case text == "":
		return nil, errors.New("it is empty")
	case begin == nil && pemEnd.MatchString(text):
		return nil, errors.New("the line -----BEGIN PRIVATE KEY----- is missing")
	case begin == nil:
		return nil, errors.New("it is not PEM: the lines -----BEGIN PRIVATE KEY----- and -----END PRIVATE KEY----- are missing")
	}
	kind, rest := text[begin[2]:begin[3]], text[begin[1]:]
	end := pemEnd.FindStringSubmatchIndex(rest)
	switch {
	case len(pemBegin.FindAllString(text, 2)) > 1:
		return nil, errors.New("it holds more than one PEM block: leave the private key alone in it")
	case end == nil:
		return nil, fmt.Errorf("the line -----END %s----- is missing: it is cut off", clip(kind, 40))
	case rest[end[2]:end[3]] != kind:
		return nil, errors.New("the BEGIN and END lines differ")
	case end[1] < len(rest):
		return nil, errors.New("something follows the PEM block")
	case kind == "ENCRYPTED PRIVATE KEY" || strings.Contains(rest[:end[0]], "DEK-Info:"):
		return nil, errors.New("it is encrypted: decrypt it (openssl pkey)")
	case kind == "PUBLIC KEY" || kind == "RSA PUBLIC KEY":
		return nil, errors.New("it is the public key: take the private one")
	case kind != "PRIVATE KEY" && kind != "RSA PRIVATE KEY":
		return nil, fmt.Errorf("the PEM holds %q", clip(kind, 40))
	}
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(rest[:end[0]]), ""))
	if err != nil {
		return nil, errors.New("between the BEGIN and END lines is more or less than base64: characters were added, changed or lost")
	}
	if kind == "RSA PRIVATE KEY" {
		key, err := x509.ParsePKCS1PrivateKey(der)
		if err != nil {
			return nil, errors.New("malformed PKCS#1: it is cut off, or was changed")
		}
		return key, nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errors.New("malformed PKCS#8: it is cut off, or was changed")
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("not an RSA key")
	}
	return key, nil
}

func checkKey(key *rsa.PrivateKey) error {
	switch {
	case key == nil || key.N == nil:
		return errors.New("there is none")
	case key.N.BitLen() < minKeyBits:
		return fmt.Errorf("%d bits, fewer than %d", key.N.BitLen(), minKeyBits)
	}
	return nil
}
