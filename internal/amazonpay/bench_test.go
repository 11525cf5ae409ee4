package amazonpay

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"testing"
	"time"
)

// BenchmarkSign signs a request, and reports the time as a multiple of one
// RSA-2048 PSS signature by crypto/rsa, measured in the same run.
func BenchmarkSign(b *testing.B) {
	c := newClient(b, nil, nil)
	req := call{method: "GET", kind: "chargePermissions", id: permissionID}
	now := time.Now()
	besideSignature(b, func() error {
		_, err := c.request(b.Context(), req, now)
		return err
	})
}

// BenchmarkSignPayload does the same for a button's payload.
func BenchmarkSignPayload(b *testing.B) {
	c := newClient(b, nil, nil)
	payload := []byte(`{"storeId":"amzn1.application-oa2-client.8b5e45312b5248b69eeaStoreId","webCheckoutDetails":{"checkoutResultReturnUrl":"https://merchant.example/return?s=a-b_c"},"chargePermissionId":"B01-0000000-0000000","chargePermissionType":"PaymentMethodOnFile","paymentMethodOnFileMetadata":{"setupOnly":true},"paymentDetails":{"paymentIntent":"Confirm","canHandlePendingAuthorization":false}}`)
	besideSignature(b, func() error {
		_, err := c.SignPayload(payload)
		return err
	})
}

func besideSignature(b *testing.B, work func() error) {
	digest := sha256.Sum256(nil)
	b.ReportAllocs()
	var working, signing time.Duration
	// Turn about, so that both see the same machine.
	for b.Loop() {
		start := time.Now()
		if err := work(); err != nil {
			b.Fatal(err)
		}
		between := time.Now()
		if _, err := rsa.SignPSS(rand.Reader, testKey(), crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: 32}); err != nil {
			b.Fatal(err)
		}
		working += between.Sub(start)
		signing += time.Since(between)
	}
	b.ReportMetric(float64(working)/float64(signing), "x-rsa-sign")
	b.ReportMetric(float64(working.Nanoseconds())/float64(b.N), "ns/work")
}
