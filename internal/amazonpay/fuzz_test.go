package amazonpay

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

// What is read as a charge permission is about the one asked for, keeps the
// body as it came, and names what could not be read.
func FuzzChargePermission(f *testing.F) {
	f.Add([]byte(wholePermission))
	f.Add([]byte(permission))
	f.Add([]byte(`{"chargePermissionId":"` + permissionID + `","shippingAddress":null,"limits":{"amountLimit":null}}`))
	f.Add([]byte(`{"chargePermissionId":"` + permissionID + `","buyer":{"phoneNumber":49301234567}}`))
	f.Add([]byte(`{"chargepermissionid":"b01-0000000-0000000","creationTimestamp":"2026-02-03T04:05:06Z"}`))
	f.Add([]byte("null"))
	f.Add([]byte(`{"chargePermissionId":"` + permissionID + `","limits":{"amountLimit":{"amount":"1,000.00"}},"statusDetails":{"reasons":[5]},"paymentPreferences":{}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := decodeChargePermission(body, permissionID, Response{StatusCode: 200})
		if err != nil {
			if p != nil {
				t.Errorf("%v, and yet %+v", err, p)
			}
			checkSilent(t, err)
			return
		}
		if !strings.EqualFold(p.ID, permissionID) || !bytes.Equal(p.Raw, body) || p.Response.StatusCode != 200 {
			t.Errorf("got %+v", p)
		}
		for _, name := range p.Unreadable {
			if !plain(name, 64, ".") {
				t.Errorf("an unreadable member is named %q", name)
			}
		}
		if _, err := json.Marshal(p); err != nil { // times that RFC 3339 can write
			t.Error(err)
		}
	})
}

func FuzzCheckoutSession(f *testing.F) {
	f.Add([]byte(session))
	f.Add([]byte(`{"checkoutSessionId":"` + sessionID + `","statusDetails":{"state":"Canceled","reasonCode":"BuyerCanceled"},"constraints":[{"constraintId":"a"}]}`))
	f.Add([]byte(`{"checkoutSessionId":"` + sessionID + `","statusDetails":5}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		s, err := decodeCheckoutSession(body, sessionID, Response{})
		switch {
		case err != nil && s != nil:
			t.Errorf("%v, and yet %+v", err, s)
		case err != nil:
			checkSilent(t, err)
		case !strings.EqualFold(s.ID, sessionID) || !bytes.Equal(s.Raw, body):
			t.Errorf("got %+v", s)
		}
	})
}

// checkSilent holds an error to the few things that one can say of a response.
func checkSilent(t *testing.T, err error) {
	t.Helper()
	switch text := err.Error(); {
	case errors.Is(err, errOtherID), errors.Is(err, errNotObject), text == "the response is empty":
	default:
		t.Errorf("an error says too much: %v", err)
	}
}

func FuzzErrorResponse(f *testing.F) {
	f.Add([]byte(`{"reasonCode":"TooManyRequests","message":"slow down"}`), "5")
	f.Add([]byte(`{"reasonCode":5,"message":["a"]}`), "Tue, 03 Feb 2026 04:05:36 GMT")
	f.Add([]byte("{\"message\":\"a\\nb\u202e\"}"), "-1")
	f.Add([]byte(`<html>`), "99999999999999999999")
	f.Fuzz(func(t *testing.T, body []byte, after string) {
		code, message := decodeError(body)
		if code != "" && !plain(code, 64, "_.-") {
			t.Errorf("reason code %q", code)
		}
		if len(message) > 300 || !utf8.ValidString(message) || strings.ContainsFunc(message, unicode.IsControl) {
			t.Errorf("message %q", message)
		}
		if d := retryAfter(after, time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)); d < 0 || d > maxRetryAfter {
			t.Errorf("Retry-After %q is read as %v", after, d)
		}
	})
}

func FuzzParsePrivateKey(f *testing.F) {
	pkcs8, err := x509.MarshalPKCS8PrivateKey(testKey())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
	f.Add(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(testKey())}))
	f.Add([]byte("-----BEGIN RSA PRIVATE KEY-----\nDEK-Info: a\n\nAAAA\n-----END RSA PRIVATE KEY-----\n"))
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		key, err := ParsePrivateKey(text)
		switch {
		case err != nil && key != nil:
			t.Errorf("%v, and yet a key", err)
		case err == nil && key.N.BitLen() < 2048:
			t.Errorf("a key of %d bits", key.N.BitLen())
		case err == nil:
			if err := key.Validate(); err != nil {
				t.Error(err)
			}
		}
	})
}
