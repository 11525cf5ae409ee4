package e2e

import (
	"bytes"
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
	"testing"
)

// nodeModules installs what package.json pins, once, into the cache.
func nodeModules(t *testing.T) string {
	t.Helper()
	modules, why := nodeModulesOrWhy(t)
	if why != "" {
		t.Skip(why)
	}
	return modules
}

// nodeModulesOrWhy is nodeModules, but says why there are none.
func nodeModulesOrWhy(tb testing.TB) (modules, why string) {
	tb.Helper()
	npm, err := exec.LookPath("npm")
	if err != nil {
		return "", "npm is not installed — apt-get install nodejs npm"
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	dir := filepath.Join(cache, "walletsync", "e2e-npm")
	pinned, err := os.ReadFile("package.json")
	if err != nil {
		tb.Fatal(err)
	}
	modules = filepath.Join(dir, "node_modules")
	if was, err := os.ReadFile(filepath.Join(dir, "installed.json")); err == nil && bytes.Equal(was, pinned) {
		return modules, ""
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { // a cache of public packages
		tb.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "package.json"), pinned, 0o600); err != nil {
		tb.Fatal(err)
	}
	install := exec.CommandContext(tb.Context(), npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		return "", fmt.Sprintf("npm install failed: %v %s — check the npm registry", err, bytes.TrimSpace(out))
	}
	if err := os.WriteFile(filepath.Join(dir, "installed.json"), pinned, 0o600); err != nil {
		tb.Fatal(err)
	}
	return modules, ""
}

type sdkAnswer struct {
	Status int
	Body   json.RawMessage
	Error  string
}

// TestTheOfficialSDKTalksToTheTwin proves the twin: an SDK that others wrote is
// answered, and refused when a byte of what it sent was changed on the way.
func TestTheOfficialSDKTalksToTheTwin(t *testing.T) {
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
			got := callSDK(t, modules, map[string]any{
				"id": id, "payload": c.payload,
				"settings": map[string]any{"publicKeyId": s.PublicKeyID, "privateKeyFile": s.PrivateKeyFile, "region": "eu", "sandbox": true,
					"algorithm": "AMZN-PAY-RSASSA-PSS-V2", "overrideServiceUrl": strings.TrimPrefix(relay, "https://")},
			})
			if got.Status != c.status {
				t.Fatalf("%d %s %s", got.Status, got.Body, got.Error)
			}
			if !strings.Contains(string(got.Body), c.says) {
				t.Errorf("it does not say which line differs (%q): %s", c.says, got.Body)
			}
			if c.tamper == nil && !strings.Contains(string(got.Body), id) {
				t.Errorf("answered %s", got.Body)
			}
		})
	}
}

// relayTo passes requests on after tampering with them.
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
	node := exec.CommandContext(t.Context(), "node", filepath.Join("nodesdk", "get.js"), string(argument))
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
