package e2e

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"walletsync/internal/local/stack"
)

// nodeModules installs the packages that package.json pins, once, into the cache.
func nodeModules(t *testing.T) string {
	t.Helper()
	modules, why := nodeModulesOrWhy(t)
	if why != "" {
		t.Skip(why)
	}
	return modules
}

// installing serialises the installation.
var installing sync.Mutex

// nodeModulesOrWhy is like nodeModules and returns the reason if it fails.
func nodeModulesOrWhy(tb testing.TB) (modules, why string) {
	tb.Helper()
	installing.Lock()
	defer installing.Unlock()
	npm, err := exec.LookPath("npm")
	if err != nil {
		return "", "npm is not installed — apt-get install nodejs npm"
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	pinned := map[string][]byte{}
	hash := sha256.New()
	for _, name := range []string{"package.json", "package-lock.json"} {
		if pinned[name], err = os.ReadFile(name); err != nil {
			tb.Fatal(err)
		}
		hash.Write(pinned[name])
	}
	dir := filepath.Join(cache, "walletsync", fmt.Sprintf("npm-%.12x", hash.Sum(nil)))
	modules = filepath.Join(dir, "node_modules")
	if _, err := os.Stat(modules); err == nil {
		return modules, ""
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil { // a cache of public packages
		tb.Fatal(err)
	}
	// Install beside it and rename, because another process may do the same.
	made, err := os.MkdirTemp(filepath.Dir(dir), "npm-")
	if err != nil {
		tb.Fatal(err)
	}
	defer os.RemoveAll(made)
	for name, content := range pinned {
		if err := os.WriteFile(filepath.Join(made, name), content, 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	install := exec.CommandContext(tb.Context(), npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")
	install.Dir = made
	if out, err := install.CombinedOutput(); err != nil {
		return "", fmt.Sprintf("npm ci failed: %v %s — check the npm registry", err, bytes.TrimSpace(out))
	}
	if err := os.Rename(made, dir); err != nil {
		if _, there := os.Stat(modules); there != nil {
			tb.Fatal(err)
		}
	}
	return modules, ""
}

type sdkAnswer struct {
	Status int
	Body   json.RawMessage
	Error  string
}

// TestTheOfficialSDKCallsTheTwin checks the twin with the official SDK: its requests are
// answered, and refused if a byte was changed on the way.
func TestTheOfficialSDKCallsTheTwin(t *testing.T) {
	modules := nodeModules(t)
	s := running(t)
	const id = "S01-1000001-1000001"
	const payload = `{"chargeAmount":{"amount":"10.00","currencyCode":"EUR"}}`
	flip := func(in string, i int) string {
		b := []byte(in)
		if b[i]++; b[i] == ':' { // the digit after 9
			b[i] = '0'
		}
		return string(b)
	}
	change := func(header, after string, at int) func(*http.Request, []byte) []byte {
		return func(q *http.Request, body []byte) []byte {
			v := q.Header.Get(header)
			i := strings.Index(v, after) + len(after) + at
			c := byte('A')
			if v[i] == c {
				c = 'B'
			}
			q.Header.Set(header, v[:i]+string(c)+v[i+1:])
			return body
		}
	}
	for _, c := range []struct {
		name    string
		payload string
		tamper  func(*http.Request, []byte) []byte
		status  int
		says    string // in the message, if refused
	}{
		{"untouched", "", nil, http.StatusOK, ""},
		{"key id", "", change("Authorization", "PublicKeyId=", 9), http.StatusForbidden, "key"},
		{"signature", "", change("Authorization", "Signature=", 20), http.StatusForbidden, "ignature"},
		{"path", "", func(q *http.Request, b []byte) []byte { q.URL.Path = flip(q.URL.Path, len(q.URL.Path)-1); return b }, http.StatusForbidden, "line 2"},
		{"payload", payload, func(_ *http.Request, b []byte) []byte { return []byte(flip(string(b), 27)) }, http.StatusForbidden, "payload"},
	} {
		t.Run(c.name, func(t *testing.T) {
			relay := relayTo(t, s.AmazonPayURL, c.tamper)
			method, args := "getChargePermission", []any{id}
			if c.payload != "" {
				method, args = "completeCheckoutSession", []any{id, c.payload, map[string]string{"x-amz-pay-idempotency-key": "k1"}}
			}
			got := callSDK(t, modules, map[string]any{
				"method": method, "args": args, "settings": sdkSettings(s, "AMZN-PAY-RSASSA-PSS-V2", relay)})
			if got.Status != c.status {
				t.Fatalf("%d %s %s", got.Status, got.Body, got.Error)
			}
			if !strings.Contains(string(got.Body), c.says) {
				t.Errorf("the message lacks the line that differs (%q): %s", c.says, got.Body)
			}
			if c.tamper == nil && !strings.Contains(string(got.Body), id) {
				t.Errorf("answered %s", got.Body)
			}
		})
	}
}

// sdkSettings returns the SDK's settings for a stack's account, through a host.
func sdkSettings(s *stack.Stack, algorithm, host string) map[string]any {
	return map[string]any{"publicKeyId": s.PublicKeyID, "privateKeyFile": s.PrivateKeyFile, "region": "eu", "sandbox": true,
		"algorithm": algorithm, "overrideServiceUrl": strings.TrimPrefix(host, "https://")}
}

// TestTheOfficialSDKSignsAButton checks the twin's checkout: a payload signed by the SDK is
// accepted, a changed byte is refused and reported, and the SDK completes the session.
func TestTheOfficialSDKSignsAButton(t *testing.T) {
	modules := nodeModules(t)
	s := running(t)
	const id = "S01-1000006-1000006"
	const payload = `{"webCheckoutDetails":{"checkoutResultReturnUrl":"https://merchant.example/return?s=a-b_c"},"storeId":"amzn1.application-oa2-client.0123456789abcdef0123456789abcdef",` +
		`"chargePermissionId":"` + id + `","chargePermissionType":"PaymentMethodOnFile","paymentMethodOnFileMetadata":{"setupOnly":true},` +
		`"paymentDetails":{"paymentIntent":"Confirm","canHandlePendingAuthorization":false},"merchantMetadata":{"merchantStoreName":"Beispiel & Söhne"}}`
	for _, algorithm := range []string{"AMZN-PAY-RSASSA-PSS", "AMZN-PAY-RSASSA-PSS-V2"} {
		t.Run(algorithm, func(t *testing.T) {
			settings := func() map[string]any { return sdkSettings(s, algorithm, s.AmazonPayURL) }
			var signature string
			signed := callSDK(t, modules, map[string]any{"method": "generateButtonSignature", "args": []any{payload}, "settings": settings()})
			if err := json.Unmarshal(signed.Body, &signature); err != nil {
				t.Fatalf("%v: %s %s", err, signed.Body, signed.Error)
			}
			walk := func(payload string) (int, map[string]any) {
				body, err := json.Marshal(map[string]any{"choose": map[string]int{"card": 1}, "checkout": map[string]any{
					"merchantId": s.MerchantID, "ledgerCurrency": "EUR", "sandbox": true, "checkoutLanguage": "en_GB", "productType": "PayAndShip", "placement": "Other",
					"createCheckoutSessionConfig": map[string]string{"payloadJSON": payload, "signature": signature, "publicKeyId": s.PublicKeyID, "algorithm": algorithm}}})
				if err != nil {
					t.Fatal(err)
				}
				status, answer := post(t, s.ControlURL+"/checkout-sessions", string(body))
				var got map[string]any
				if err := json.Unmarshal([]byte(answer), &got); err != nil {
					t.Fatalf("%v: %s", err, answer)
				}
				return status, got
			}
			if status, got := walk(strings.Replace(payload, "a-b_c", "a-b_d", 1)); status != http.StatusForbidden || !strings.Contains(fmt.Sprint(got), `"c" became "d"`) {
				t.Errorf("a byte changed: %d %v", status, got)
			}
			status, got := walk(payload)
			session, _ := got["checkoutSessionId"].(string)
			if status != http.StatusOK || session == "" {
				t.Fatalf("%d %v", status, got)
			}
			state := func(method string, args ...any) string {
				got := callSDK(t, modules, map[string]any{"method": method, "args": args, "settings": settings()})
				var body struct {
					StatusDetails      struct{ State string }
					ChargePermissionID string
				}
				if err := json.Unmarshal(got.Body, &body); err != nil {
					t.Fatalf("%s: %v: %s %s", method, err, got.Body, got.Error)
				}
				return strings.TrimSpace(body.StatusDetails.State + " " + body.ChargePermissionID)
			}
			if got := state("getCheckoutSession", session); got != "Open" {
				t.Errorf("Get Checkout Session: %s", got)
			}
			key := map[string]string{"x-amz-pay-idempotency-key": strings.ReplaceAll(session, "-", "")}
			for range 2 { // the second call gets the first one's answer
				if got := state("completeCheckoutSession", session, "{}", key); got != "Completed "+id {
					t.Errorf("Complete Checkout Session: %s", got)
				}
			}
		})
	}
}

// relayTo forwards requests after tampering with them.
func relayTo(t *testing.T, to string, tamper func(*http.Request, []byte) []byte) string {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} // the twin's own certificate
	relay := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, in *http.Request) {
		body, err := io.ReadAll(in.Body)
		if err != nil {
			t.Error(err)
		}
		q := in.Clone(in.Context())
		if tamper != nil {
			body = tamper(q, body)
		}
		out, err := http.NewRequestWithContext(in.Context(), in.Method, to+q.URL.RequestURI(), bytes.NewReader(body))
		if err != nil {
			t.Error(err)
			return
		}
		out.Header, out.Host = q.Header, in.Host
		got, err := client.Do(out)
		if err != nil {
			t.Error(err)
			return
		}
		defer got.Body.Close()
		w.Header().Set("Content-Type", got.Header.Get("Content-Type"))
		w.WriteHeader(got.StatusCode)
		_, _ = io.Copy(w, got.Body)
	}))
	t.Cleanup(relay.Close)
	t.Cleanup(client.CloseIdleConnections)
	return relay.URL
}

func callSDK(t *testing.T, modules string, call map[string]any) sdkAnswer {
	t.Helper()
	call["sdk"] = filepath.Join(modules, "@amazonpay", "amazon-pay-api-sdk-nodejs")
	argument, err := json.Marshal(call)
	if err != nil {
		t.Fatal(err)
	}
	node := exec.CommandContext(t.Context(), "node", filepath.Join("nodesdk", "call.js"), string(argument))
	var stderr bytes.Buffer
	node.Stderr = &stderr
	out, err := node.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	var got sdkAnswer
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return got
}
