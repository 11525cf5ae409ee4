package payclient

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"walletsync/internal/amazonpay"
	"walletsync/internal/amazonpay/merchant"
	"walletsync/internal/config"
	"walletsync/internal/telemetry"
)

// api is Amazon Pay as far as keys go: it accepts what one of them signed.
type api struct {
	mu       sync.Mutex
	accepted *rsa.PublicKey
	status   int    // beside the key's, 0: 200
	reason   string // code beside that status
	calls    int
	agent    string // who made the last call
}

var signature = regexp.MustCompile(`SignedHeaders=([^,]+), Signature=(\S+)`)

// RoundTrip verifies the signature as the API's documentation says ("Signing
// requests"), for requests without query.
func (a *api) RoundTrip(r *http.Request) (*http.Response, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls++
	a.agent = r.UserAgent()
	m := signature.FindStringSubmatch(r.Header.Get("Authorization"))
	sum := func(b []byte) string { s := sha256.Sum256(b); return hexOf(s[:]) }
	var payload []byte
	if r.Body != nil {
		payload, _ = io.ReadAll(r.Body)
	}
	canonical := r.Method + "\n" + r.URL.Path + "\n\n"
	for _, h := range strings.Split(m[1], ";") {
		canonical += h + ":" + r.Header.Get(h) + "\n"
	}
	canonical += "\n" + m[1] + "\n" + sum(payload)
	digest := sha256.Sum256([]byte("AMZN-PAY-RSASSA-PSS-V2\n" + sum([]byte(canonical))))
	sig, err := base64.StdEncoding.DecodeString(m[2])
	status, body := http.StatusOK, `{"chargePermissionId":"B01-0000000-0000000","checkoutSessionId":"session"}`
	if err != nil || rsa.VerifyPSS(a.accepted, crypto.SHA256, digest[:], sig, nil) != nil {
		status, body = http.StatusForbidden, `{"reasonCode":"InvalidRequestSignature","message":"no"}`
	} else if a.status != 0 {
		if status, body = a.status, `{}`; a.reason != "" {
			body = `{"reasonCode":"` + a.reason + `"}`
		}
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body)), Header: http.Header{}}, nil
}

func hexOf(b []byte) string {
	const digits = "0123456789abcdef"
	var out strings.Builder
	for _, c := range b {
		out.WriteByte(digits[c>>4])
		out.WriteByte(digits[c&15])
	}
	return out.String()
}

// keys are the private keys as Secrets Manager would have them: what is in use
// is what was kept, until one is refused.
type keys struct {
	mu            sync.Mutex
	kept, current string
	err           error
}

func (k *keys) Key(_ context.Context, _ string, again bool) (config.Secret, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if again {
		k.kept = k.current
	}
	return config.NewSecret(k.kept), k.err
}

var generate = sync.OnceValue(func() (ks [3]*rsa.PrivateKey) {
	for i := range ks {
		var err error
		if ks[i], err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			panic(err)
		}
	}
	return ks
})

func pemOf(k *rsa.PrivateKey) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k)}))
}

type world struct {
	api    *api
	keys   *keys
	client *Client
	out    *bytes.Buffer
	m      *telemetry.Metrics
	now    time.Time
}

func build(t *testing.T, a *api, k *keys) *world {
	t.Helper()
	w := &world{api: a, keys: k, out: &bytes.Buffer{}, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	w.m = telemetry.NewMetrics(w.out, "f", time.Now)
	clients := New(Options{
		Accounts: []config.Account{{
			ID: "main", Environment: merchant.Sandbox, Region: "EU", PublicKeyID: "KEYID", Algorithm: config.DefaultAlgorithm,
		}},
		Keys: k, HTTPClient: &http.Client{Transport: a}, Timeout: time.Second, Metrics: w.m,
		Now: func() time.Time { return w.now },
	})
	var err error
	if w.client, err = clients.Client("main"); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) get() error {
	_, err := w.client.GetChargePermission(context.Background(), "B01-0000000-0000000")
	return err
}

func TestCallIsMadeOnceWithTheCurrentKey(t *testing.T) {
	k := generate()
	w := build(t, &api{accepted: &k[0].PublicKey}, &keys{kept: pemOf(k[0]), current: pemOf(k[0])})
	for range 3 {
		if err := w.get(); err != nil {
			t.Fatal(err)
		}
	}
	if w.api.calls != 3 || w.api.agent != telemetry.UserAgent() {
		t.Errorf("%d calls, want 3; the last by %q, want %q", w.api.calls, w.api.agent, telemetry.UserAgent())
	}
}

func TestRefusedKeyIsReadAgain(t *testing.T) {
	k := generate()
	w := build(t, &api{accepted: &k[1].PublicKey}, &keys{kept: pemOf(k[0]), current: pemOf(k[1])})
	if err := w.get(); err != nil {
		t.Fatal(err)
	}
	if err := w.get(); err != nil || w.api.calls != 3 {
		t.Errorf("%d calls, want 3: the new key stays in use (%v)", w.api.calls, err)
	}
}

func TestAllCallsUseTheNewKeyAfterARefusal(t *testing.T) {
	k := generate()
	for name, call := range map[string]func(*Client) error{
		"complete checkout session": func(c *Client) error {
			_, err := c.CompleteCheckoutSession(t.Context(), "session", "key")
			return err
		},
		"get checkout session": func(c *Client) error {
			_, err := c.GetCheckoutSession(t.Context(), "session")
			return err
		},
	} {
		w := build(t, &api{accepted: &k[1].PublicKey}, &keys{kept: pemOf(k[0]), current: pemOf(k[1])})
		if err := call(w.client); err != nil || w.api.calls != 2 {
			t.Errorf("%s: %d calls, want 2 (%v)", name, w.api.calls, err)
		}
	}
}

func TestPayloadIsSignedWithoutACall(t *testing.T) {
	k := generate()
	w := build(t, &api{accepted: &k[1].PublicKey}, &keys{kept: pemOf(k[0]), current: pemOf(k[1])})
	payload := []byte(`{"storeId":"x"}`)
	for use, key := range []*rsa.PrivateKey{k[0], k[1]} {
		text, err := w.client.SignPayload(t.Context(), payload)
		if err != nil {
			t.Fatal(err)
		}
		sig, _ := base64.StdEncoding.DecodeString(text)
		hash := sha256.Sum256(payload)
		digest := sha256.Sum256([]byte("AMZN-PAY-RSASSA-PSS-V2\n" + hexOf(hash[:])))
		if err := rsa.VerifyPSS(&key.PublicKey, crypto.SHA256, digest[:], sig, nil); err != nil || w.api.calls != 2*use {
			t.Errorf("%d: %v after %d calls", use, err, w.api.calls)
		}
		if err := w.get(); err != nil { // refused with the first key, so the second is in use
			t.Fatal(err)
		}
	}
}

// There is no other key than the current one: calls stay one each, and buttons
// are signed with the key that belongs to the configured key id.
func TestRefusedKeyStaysInUse(t *testing.T) {
	k := generate()
	w := build(t, &api{accepted: &k[2].PublicKey}, &keys{kept: pemOf(k[0]), current: pemOf(k[0])})
	for range 3 {
		if err := w.get(); !amazonpay.KeyRefused(err) || amazonpay.ReasonCode(err) != "InvalidRequestSignature" {
			t.Errorf("err = %v", err)
		}
	}
	if w.api.calls != 3 {
		t.Errorf("%d calls, want 3", w.api.calls)
	}
	payload := []byte(`{"storeId":"x"}`)
	text, err := w.client.SignPayload(t.Context(), payload)
	if err != nil {
		t.Fatal(err)
	}
	sig, _ := base64.StdEncoding.DecodeString(text)
	hash := sha256.Sum256(payload)
	digest := sha256.Sum256([]byte("AMZN-PAY-RSASSA-PSS-V2\n" + hexOf(hash[:])))
	if err := rsa.VerifyPSS(&k[0].PublicKey, crypto.SHA256, digest[:], sig, nil); err != nil {
		t.Errorf("a button is signed with another key: %v", err)
	}
}

func TestConcurrentRefusalsSettleOnTheValidKey(t *testing.T) {
	k := generate()
	w := build(t, &api{accepted: &k[0].PublicKey}, &keys{kept: pemOf(k[1]), current: pemOf(k[0])})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if err := w.get(); err != nil && !amazonpay.KeyRefused(err) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	before := w.api.calls
	if err := w.get(); err != nil || w.api.calls != before+1 {
		t.Errorf("%d calls more, %v", w.api.calls-before, err)
	}
}

func TestOtherRefusalsDoNotReadTheKeyAgain(t *testing.T) {
	k := generate()
	for _, status := range []int{404, 429, 500} {
		w := build(t, &api{accepted: &k[0].PublicKey, status: status}, &keys{kept: pemOf(k[0]), current: pemOf(k[0])})
		if err := w.get(); err == nil {
			t.Errorf("status %d: no error", status)
		}
		if w.api.calls != 1 {
			t.Errorf("status %d: %d calls, want 1", status, w.api.calls)
		}
	}
}

func TestEachKindOfErrorHasAMetricForItsAlarm(t *testing.T) {
	k := generate()
	for name, c := range map[string]struct {
		status int
		reason string
		want   telemetry.Metric
	}{
		"throttled":                 {429, "TooManyRequests", telemetry.APIThrottled},
		"unavailable":               {503, "ServiceUnavailable", telemetry.APIFailed},
		"no reason, 500":            {500, "", telemetry.APIFailed},
		"not understood":            {400, "InvalidParameterValue", telemetry.APIRefused},
		"not for this resource":     {405, "UnsupportedOperation", telemetry.APIRefused},
		"another merchant's":        {401, "UnauthorizedAccess", telemetry.APIRefused},
		"account status":            {403, "InvalidAccountStatus", telemetry.APIRefused},
		"gone":                      {404, "ResourceNotFound", ""},
		"a buyer who cancelled":     {422, "CheckoutSessionCanceled", ""},
		"a buyer who cancelled too": {400, "CheckoutSessionCanceled", ""},
	} {
		w := build(t, &api{accepted: &k[0].PublicKey, status: c.status, reason: c.reason}, &keys{kept: pemOf(k[0]), current: pemOf(k[0])})
		_ = w.get()
		w.m.Flush()
		for _, m := range []telemetry.Metric{telemetry.APIThrottled, telemetry.APIFailed, telemetry.APIRefused, telemetry.KeyRefused} {
			if got := strings.Contains(w.out.String(), `"`+string(m)+`":1`); got != (m == c.want) {
				t.Errorf("%s: %s is counted: %v", name, m, got)
			}
		}
	}
}

func TestKeyRefusedCountsOnlyAnUnchangedKey(t *testing.T) {
	k := generate()
	for name, c := range map[string]struct {
		accepted *rsa.PublicKey
		want     bool
	}{"rotated": {&k[1].PublicKey, false}, "refused": {&k[2].PublicKey, true}} {
		w := build(t, &api{accepted: c.accepted}, &keys{kept: pemOf(k[0]), current: pemOf(k[1])})
		_ = w.get()
		w.m.Flush()
		if got := strings.Contains(w.out.String(), `"KeyRefused":1`); got != c.want {
			t.Errorf("%s: KeyRefused is counted: %v", name, got)
		}
	}
}

func TestKeyThatCannotBeReadOrParsedFailsWithoutACall(t *testing.T) {
	k := generate()
	down := errors.New("down")
	w := build(t, &api{accepted: &k[0].PublicKey}, &keys{kept: pemOf(k[0]), err: down})
	if err := w.get(); !errors.Is(err, down) || !amazonpay.WasNotCalled(err) || w.api.calls != 0 {
		t.Errorf("%d calls, %v", w.api.calls, err)
	}
	w.m.Flush()
	if !strings.Contains(w.out.String(), `"KeyRefused":1`) {
		t.Errorf("no metric in %s", w.out)
	}
	w = build(t, &api{accepted: &k[0].PublicKey}, &keys{kept: "confidential"})
	if err := w.get(); !amazonpay.WasNotCalled(err) || strings.Contains(err.Error(), "confidential") || w.api.calls != 0 {
		t.Errorf("%d calls, %v", w.api.calls, err)
	}
}

func TestUnknownAccountHasNoClient(t *testing.T) {
	if _, err := New(Options{}).Client("other"); err == nil {
		t.Error("no error")
	}
}

func TestCallsAreTimedAndErrorsAreCountedByCode(t *testing.T) {
	k := generate()
	w := build(t, &api{accepted: &k[2].PublicKey}, &keys{kept: pemOf(k[0]), current: pemOf(k[0])})
	_ = w.get() // refused, which is what is counted
	w.api.accepted, w.api.status = &k[0].PublicKey, http.StatusBadGateway
	_ = w.get()
	w.m.Flush()
	for _, want := range []string{
		`"account":"main","reason":"InvalidRequestSignature","APIErrors":1`,
		`"account":"main","reason":"http_502","APIErrors":1`,
		`"account":"main","APIFailed":1,"KeyRefused":1,"APILatency":[0,0]`,
	} {
		if !strings.Contains(w.out.String(), want) {
			t.Errorf("%s is not in\n%s", want, w.out)
		}
	}
}
