package sns

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"testing"
	"time"
)

// BenchmarkOpen opens a message whose certificate is known, and reports the
// time as a multiple of one RSA-2048 verification, measured in the same run.
func BenchmarkOpen(b *testing.B) {
	o, _ := serve(testPEM(), Options{})
	envelope := notification().sign(b, testKey()).json(b)
	if _, err := o.Open(b.Context(), envelope); err != nil {
		b.Fatal(err)
	}
	digest := sha256.Sum256(envelope)
	signature, err := rsa.SignPKCS1v15(rand.Reader, testKey(), crypto.SHA256, digest[:])
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	var opening, verifying time.Duration
	// Turn about, so that both see the same machine.
	for b.Loop() {
		start := time.Now()
		if _, err := o.Open(b.Context(), envelope); err != nil {
			b.Fatal(err)
		}
		between := time.Now()
		if err := rsa.VerifyPKCS1v15(&testKey().PublicKey, crypto.SHA256, digest[:], signature); err != nil {
			b.Fatal(err)
		}
		opening += between.Sub(start)
		verifying += time.Since(between)
	}
	b.ReportMetric(float64(opening)/float64(verifying), "x-rsa-verify")
	b.ReportMetric(float64(opening.Nanoseconds())/float64(b.N), "ns/open")
}
