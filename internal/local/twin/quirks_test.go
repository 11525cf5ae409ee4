package twin

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

// quirk is a request as one of the official SDKs sends it; see the file.
type quirk struct {
	Name, SDK, Method, Target, Payload, CanonicalRequest, Authorization string
	Headers                                                             map[string]string
}

type quirks struct {
	PublicKeyPEM, PublicKeyID, Environment, Region, Host string
	Requests                                             []quirk
}

func readQuirks(t *testing.T) (q quirks, key *rsa.PublicKey) {
	t.Helper()
	b, err := os.ReadFile("testdata/sdk-quirks.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &q); err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode([]byte(q.PublicKeyPEM))
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return q, parsed.(*rsa.PublicKey)
}

func (v quirk) signedHeaders() []string {
	_, names, _ := strings.Cut(v.Authorization, "SignedHeaders=")
	names, _, _ = strings.Cut(names, ",")
	return strings.Split(names, ";")
}

// with returns the request with one header changed.
func (v quirk) with(name, value string) quirk {
	headers := map[string]string{}
	for n, value := range v.Headers {
		headers[n] = value
	}
	headers[name] = value
	v.Headers = headers
	return v
}

// other changes the last letter or digit of s to another one.
func other(t *testing.T, s string) string {
	t.Helper()
	i := strings.LastIndexAny(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
	if i < 0 {
		t.Fatalf("%q has nothing to change", s)
	}
	c := byte('0')
	if s[i] == c {
		c = '1'
	}
	return s[:i] + string(c) + s[i+1:]
}

// changes are the request with one byte changed, by the name of what was.
func (v quirk) changes(t *testing.T) map[string]quirk {
	all := map[string]quirk{}
	path, query, hasQuery := strings.Cut(v.Target, "?")
	c := v
	c.Target = other(t, path) + strings.TrimPrefix(v.Target, path)
	all["path"] = c
	if hasQuery {
		c = v
		c.Target = path + "?" + other(t, query)
		all["query"] = c
	}
	for _, name := range v.signedHeaders() {
		all["header "+name] = v.with(name, other(t, v.Headers[name]))
	}
	c = v
	c.Payload += " "
	all["payload"] = c
	c = v
	c.Authorization = flipAfter(v.Authorization, "Signature=", 7)
	all["signature"] = c
	c = v
	c.Authorization = flipAfter(v.Authorization, "PublicKeyId=", 9)
	all["key id"] = c
	c = v
	c.Method = map[string]string{"GET": "PUT", "POST": "PUT"}[v.Method]
	all["method"] = c
	return all
}

// TestQuirksOfTheSDKsAreAcceptedAndAByteChangedIsNot stands for the SDKs that
// cannot be run here.
func TestQuirksOfTheSDKsAreAcceptedAndAByteChangedIsNot(t *testing.T) {
	file, key := readQuirks(t)
	date := time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC) // of all vectors
	tw, err := New(Options{Seed: 1, Now: func() time.Time { return date.Add(time.Minute) }, Accounts: []Account{{
		MerchantID: "A1TESTMERCHANT", Environment: file.Environment, Region: file.Region, PublicKeyID: file.PublicKeyID, PublicKey: key}}})
	if err != nil {
		t.Fatal(err)
	}
	request := func(v quirk) *http.Request {
		q := httptest.NewRequestWithContext(t.Context(), v.Method, v.Target, strings.NewReader(v.Payload))
		q.Host = file.Host
		for name, value := range v.Headers {
			q.Header.Set(name, value)
		}
		q.Header.Set("Authorization", v.Authorization)
		return q
	}
	sdks := map[string]int{}
	for _, v := range file.Requests {
		sdks[v.SDK]++
		t.Run(v.Name, func(t *testing.T) {
			a, err := arrive(request(v))
			if err != nil {
				t.Fatal(err)
			}
			if _, r := tw.authenticate(&a); r != nil {
				t.Fatalf("refused: %s %s %v", r.reason, r.message, r.differs)
			}
			if c, _ := verify(a, key); c.text() != v.CanonicalRequest {
				t.Errorf("the signature holds for\n%s\nwant\n%s", c.text(), v.CanonicalRequest)
			}
			for what, changed := range v.changes(t) {
				a, err := arrive(request(changed))
				if err != nil {
					t.Fatal(err)
				}
				if a.auth, err = parseAuthorization(changed.Authorization); err != nil {
					t.Fatal(err)
				}
				if _, ok := verify(a, key); ok && len(tw.holders(a.auth.publicKeyID)) > 0 {
					t.Errorf("%s changed, and it is accepted", what)
				}
			}
			// One of them as its sender sees it; to explain each takes long.
			w := httptest.NewRecorder()
			tw.byHost(w, request(v.with("x-amz-pay-date", other(t, v.Headers["x-amz-pay-date"]))))
			if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "x-amz-pay-date") {
				t.Errorf("answered %d %s", w.Code, w.Body)
			}
		})
	}
	for _, sdk := range []string{"Java", ".NET", "PHP"} {
		if sdks[sdk] < 4 {
			t.Errorf("%d vectors of the %s SDK", sdks[sdk], sdk)
		}
	}
}
