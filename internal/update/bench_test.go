package update

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"testing"
	"time"

	"walletsync/internal/amazonpay"
	"walletsync/internal/update/pages"
	"walletsync/internal/update/session"
	"walletsync/internal/wallet"
)

// keyed signs with a key.
type keyed struct{ *amazonpay.Client }

func (k keyed) SignPayload(_ context.Context, p []byte) (string, error) {
	return k.Client.SignPayload(p)
}

// unsigned signs nothing, to measure the payload without its signature.
type unsigned struct{ keyed }

func (unsigned) SignPayload(context.Context, []byte) (string, error) { return "", nil }

// BenchmarkCheckout encodes and signs a payload. It should cost little more than one
// RSA-2048 PSS signature, which is measured in the same run. A third run measures the
// payload without a signature.
func BenchmarkCheckout(b *testing.B) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	client, err := amazonpay.New(amazonpay.Config{Region: amazonpay.EU, PublicKeyID: "SANDBOX-KEY", PrivateKey: key, HTTPClient: amazonpay.NewHTTPClient(nil, 1)})
	if err != nil {
		b.Fatal(err)
	}
	w := newWorld()
	w.start.Signer = func(wallet.AccountID) (Signer, error) { return keyed{client}, nil }
	s := session.Session{ID: some, Account: "main", ChargePermission: one, Update: pages.Both, ProductType: payAndShip, ExpiresAt: noon}
	sum := sha256.Sum256([]byte("x"))
	const n = 200
	begun := time.Now()
	for range n {
		if _, err := rsa.SignPSS(rand.Reader, key, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: 32}); err != nil {
			b.Fatal(err)
		}
	}
	signature := time.Since(begun) / n
	w.start.Signer = func(wallet.AccountID) (Signer, error) { return unsigned{keyed{client}}, nil }
	begun = time.Now()
	for range n {
		if _, err := w.start.checkout(b.Context(), w.start.Accounts[0], s); err != nil {
			b.Fatal(err)
		}
	}
	rest := time.Since(begun) / n
	w.start.Signer = func(wallet.AccountID) (Signer, error) { return keyed{client}, nil }
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		if _, err := w.start.checkout(b.Context(), w.start.Accounts[0], s); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(signature), "x-pss-sign")
	b.ReportMetric(float64(rest)/float64(signature), "x-pss-sign-unsigned")
}
