package twin

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha1" // signature version 1 of SNS
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
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
	"testing/synctest"
	"time"
)

type vectors struct {
	PublicKeyPEM string `json:"publicKeyPem"`
	Requests     []struct {
		Name, PublicKeyID, Region, Method, Path, Payload, Authorization string
		Sandbox                                                         bool
		QueryParams                                                     map[string]any
		Headers                                                         map[string]string
	}
}

func readVectors(t testing.TB) (v vectors, key *rsa.PublicKey) {
	t.Helper()
	b, err := os.ReadFile("testdata/signing-vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode([]byte(v.PublicKeyPEM))
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return v, parsed.(*rsa.PublicKey)
}

// TestVectorsAreAcceptedAndAByteChangedIsNot replays what the official Node SDK
// signed.
func TestVectorsAreAcceptedAndAByteChangedIsNot(t *testing.T) {
	v, key := readVectors(t)
	if len(v.Requests) == 0 {
		t.Fatal("no vectors")
	}
	for _, r := range v.Requests {
		t.Run(r.Name, func(t *testing.T) {
			environment := "live"
			if r.Sandbox {
				environment = "sandbox"
			}
			date, err := time.Parse(time.RFC3339, r.Headers["x-amz-pay-date"])
			if err != nil {
				t.Fatal(err)
			}
			send := func(change func(*http.Request), body string) (int, string) {
				tw, err := New(Options{Seed: 1, Now: func() time.Time { return date.Add(time.Minute) }, Accounts: []Account{{
					MerchantID: "A1TESTMERCHANT", Environment: environment, Region: r.Region, PublicKeyID: r.PublicKeyID, PublicKey: key}}})
				if err != nil {
					t.Fatal(err)
				}
				target := "https://" + r.Headers["x-amz-pay-host"] + r.Path
				if len(r.QueryParams) > 0 {
					var q []string
					for k, val := range r.QueryParams {
						q = append(q, k+"="+encode(fmt.Sprint(val), unreserved+"!'()*"))
					}
					target += "?" + strings.Join(q, "&")
				}
				q := httptest.NewRequestWithContext(t.Context(), r.Method, target, strings.NewReader(body))
				for name, value := range r.Headers {
					q.Header.Set(name, value)
				}
				q.Header.Set("Authorization", r.Authorization)
				if change != nil {
					change(q)
				}
				w := httptest.NewRecorder()
				tw.byHost(w, q)
				return w.Code, w.Body.String()
			}
			// None of the objects exist; what counts is that the signature holds.
			if status, body := send(nil, r.Payload); status == http.StatusForbidden || status == http.StatusUnauthorized || strings.Contains(body, "ignature") {
				t.Fatalf("refused: %d %s", status, body)
			}
			for name, change := range map[string]func(*http.Request){
				"path": func(q *http.Request) { q.URL.Path += "0"; q.RequestURI = "" },
				"date": func(q *http.Request) { q.Header.Set("x-amz-pay-date", date.Add(time.Second).Format(time.RFC3339)) },
				"signature": func(q *http.Request) {
					q.Header.Set("Authorization", flipAfter(q.Header.Get("Authorization"), "Signature=", 7))
				},
				"key id": func(q *http.Request) {
					q.Header.Set("Authorization", flipAfter(q.Header.Get("Authorization"), "PublicKeyId=", 9))
				},
			} {
				if status, body := send(change, r.Payload); status != http.StatusForbidden && status != http.StatusUnauthorized {
					t.Errorf("%s changed: %d %s", name, status, body)
				}
			}
			if status, _ := send(nil, r.Payload+" "); status != http.StatusForbidden {
				t.Errorf("payload changed: %d", status)
			}
		})
	}
}

func flipAfter(s, after string, at int) string {
	i := strings.Index(s, after) + len(after) + at
	c := "A"
	if s[i:i+1] == c {
		c = "B"
	}
	return s[:i] + c + s[i+1:]
}

// endpoint is a receiver with given answers, which keeps what it got.
type endpoint struct {
	mu     sync.Mutex
	status []int // one after the other; then 200
	got    []envelope
}

func (e *endpoint) RoundTrip(q *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	var got envelope
	if err := json.Unmarshal(body, &got); err != nil {
		return nil, err
	}
	e.got = append(e.got, got)
	status := http.StatusOK
	if len(e.status) > 0 {
		status, e.status = e.status[0], e.status[1:]
	}
	if status == 0 {
		return nil, errors.New("connection refused")
	}
	return &http.Response{StatusCode: status, Body: http.NoBody}, nil
}

const known = "S01-1000001-1000001"

// sending runs f with a twin whose SNS posts to e, in a bubble.
func sending(t *testing.T, e *endpoint, f func(t *testing.T, tw *Twin)) {
	synctest.Test(t, func(t *testing.T) {
		tw, err := New(Options{Seed: 1, SNS: SNS{Client: &http.Client{Transport: e}},
			Accounts: []Account{{Endpoint: "http://receiver.invalid/", Subscribed: true}}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Seed(); err != nil {
			t.Fatal(err)
		}
		f(t, tw)
		if err := tw.Idle(t.Context()); err != nil {
			t.Fatal(err)
		}
		s := tw.Stats().IPNs
		if s.Published+s.Copies != s.Delivered+s.Refused+s.GivenUp+s.Dropped+s.Unsubscribed {
			t.Errorf("notifications are missing: %+v", s)
		}
		_ = tw.Close()
	})
}

func TestBothSignatureVersionsVerify(t *testing.T) {
	e := &endpoint{}
	sending(t, e, func(t *testing.T, tw *Twin) {
		if _, err := tw.Change(known, []byte(`{}`), Notify{Times: 4}); err != nil {
			t.Fatal(err)
		}
		if err := tw.Idle(t.Context()); err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(tw.signer.certificate)
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		versions := map[string]int{}
		for _, m := range e.got {
			versions[m.SignatureVersion]++
			signed := "Message\n" + m.Message + "\nMessageId\n" + m.MessageID + "\nTimestamp\n" + m.Timestamp + "\nTopicArn\n" + m.TopicARN + "\nType\n" + m.Type + "\n"
			signature, err := base64.StdEncoding.DecodeString(m.Signature)
			if err != nil {
				t.Fatal(err)
			}
			new, old := sha256.Sum256([]byte(signed)), sha1.Sum([]byte(signed)) // version 1
			if m.SignatureVersion == "1" {
				err = rsa.VerifyPKCS1v15(certificate.PublicKey.(*rsa.PublicKey), crypto.SHA1, old[:], signature)
			} else {
				err = rsa.VerifyPKCS1v15(certificate.PublicKey.(*rsa.PublicKey), crypto.SHA256, new[:], signature)
			}
			if err != nil {
				t.Errorf("version %s: %v", m.SignatureVersion, err)
			}
			if !strings.Contains(m.Message, `"ChargePermissionId":"`+known+`"`) {
				t.Errorf("message %s", m.Message)
			}
		}
		if versions["1"] != 2 || versions["2"] != 2 {
			t.Errorf("versions %v", versions)
		}
	})
}

func TestAnOldNotificationIsSignedAsOld(t *testing.T) {
	e := &endpoint{}
	sending(t, e, func(t *testing.T, tw *Twin) {
		if _, err := tw.Change(known, []byte(`{}`), Notify{Age: time.Minute}); err != nil {
			t.Fatal(err)
		}
		if err := tw.Idle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if want := tw.now().Add(-time.Minute).UTC().Format(snsTime); e.got[0].Timestamp != want {
			t.Errorf("published %s, want %s", e.got[0].Timestamp, want)
		}
		if signature, err := tw.signer.sign(e.got[0]); err != nil || signature != e.got[0].Signature {
			t.Errorf("another signature than of what was sent: %v", err)
		}
		if _, err := tw.Change(known, []byte(`{}`), Notify{Age: certificateAge}); err == nil {
			t.Error("a notification older than the certificate that signs it")
		}
	})
}

func TestSNSRetriesAsItsPolicySays(t *testing.T) {
	for _, c := range []struct {
		name     string
		status   []int
		attempts int
		check    func(IPNStats) bool
	}{
		{"taken", nil, 1, func(s IPNStats) bool { return s.Delivered == 1 }},
		{"5xx, then taken", []int{503, 500}, 3, func(s IPNStats) bool { return s.Delivered == 1 }},
		{"broken connections", []int{0, 0, 0, 0}, 4, func(s IPNStats) bool { return s.GivenUp == 1 }},
		{"429 is tried again", []int{429}, 2, func(s IPNStats) bool { return s.Delivered == 1 }},
		{"any other 4xx is final", []int{403}, 1, func(s IPNStats) bool { return s.Refused == 1 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			sending(t, &endpoint{status: c.status}, func(t *testing.T, tw *Twin) {
				start := time.Now()
				if _, err := tw.Change(known, []byte(`{}`), Notify{}); err != nil {
					t.Fatal(err)
				}
				if err := tw.Idle(t.Context()); err != nil {
					t.Fatal(err)
				}
				s := tw.Stats().IPNs
				if s.Attempts != c.attempts || !c.check(s) {
					t.Errorf("%+v", s)
				}
				if want := time.Duration(c.attempts-1) * 20 * time.Second; time.Since(start) != want {
					t.Errorf("took %v, want %v", time.Since(start), want)
				}
			})
		})
	}
}

func TestFaultsOfNotifications(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault IPNFault
		want  []int // messages in order of publishing, as they arrive
	}{
		{"dropped", IPNFault{Drop: true, Next: 1}, []int{1, 2}},
		{"duplicated", IPNFault{Duplicates: 2, Next: 1}, []int{0, 0, 0, 1, 2}},
		{"delayed", IPNFault{Delay: Duration(time.Minute), Next: 1}, []int{1, 2, 0}},
		{"reordered", IPNFault{Reorder: 3}, []int{2, 1, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := &endpoint{}
			sending(t, e, func(t *testing.T, tw *Twin) {
				if err := tw.SetFaults(Faults{IPNs: []IPNFault{c.fault}}); err != nil {
					t.Fatal(err)
				}
				place := map[string]int{}
				for i := range 3 {
					got, err := tw.Change(known, []byte(`{}`), Notify{})
					if err != nil {
						t.Fatal(err)
					}
					place[got.MessageIDs[0]] = i
					if c.fault.Reorder == 0 {
						synctest.Wait() // one after the other
					}
				}
				if err := tw.Idle(t.Context()); err != nil {
					t.Fatal(err)
				}
				var got []int
				for _, m := range e.got {
					got = append(got, place[m.MessageID])
				}
				if c.fault.Reorder > 0 { // the three deliveries begin newest first, and run beside one another
					if len(got) != 3 {
						t.Errorf("%v", got)
					}
					return
				}
				if len(got) != len(c.want) {
					t.Fatalf("arrived %v, want %v", got, c.want)
				}
				for i := range got {
					if got[i] != c.want[i] {
						t.Fatalf("arrived %v, want %v", got, c.want)
					}
				}
			})
		})
	}
}

func TestTheControlAPI(t *testing.T) {
	e := &endpoint{}
	tw, err := New(Options{Seed: 1, SNS: SNS{Client: &http.Client{Transport: e}}, Accounts: []Account{{Endpoint: "http://receiver.invalid/", Subscribed: true}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tw.Seed(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := tw.Start(ctx); err != nil {
		t.Fatal(err)
	}
	defer tw.Close()
	for _, c := range []struct {
		name, method, path, body, host string
		status                         int
		want                           string
	}{
		{"all", "GET", "/charge-permissions", "", "", 200, known},
		{"one", "GET", "/charge-permissions/" + known, "", "", 200, `"chargePermissionId":"` + known},
		{"none", "GET", "/charge-permissions/S01-9999999-9999999", "", "", 404, "no such object"},
		{"a merge patch", "POST", "/charge-permissions/" + known, `{"shippingAddress":{"city":"Elsewhere"}}`, "", 200, "Elsewhere"},
		{"not JSON", "POST", "/charge-permissions/" + known, `x`, "", 400, "JSON"},
		{"a new one", "POST", "/charge-permissions/S01-1234567-1234567?notify=false", `{}`, "", 200, "S01-1234567-1234567"},
		{"not an id", "POST", "/charge-permissions/x", `{}`, "", 400, "not a charge permission id"},
		{"closed is final", "POST", "/charge-permissions/S01-1000005-1000005", `{"statusDetails":{"state":"Chargeable"}}`, "", 409, "closed"},
		{"an old notification", "POST", "/charge-permissions/" + known + "?age=1m", `{}`, "", 200, known},
		{"older than its certificate", "POST", "/charge-permissions/" + known + "?age=24h", `{}`, "", 400, "age"},
		{"an act", "POST", "/charge-permissions/" + known + "/act?do=card", "", "", 200, known},
		{"no such act", "POST", "/charge-permissions/" + known + "/act?do=dance", "", "", 400, "dance"},
		{"a message", "POST", "/notifications?times=2&signatureVersion=1", `{"a":1}`, "", 202, "messageIds"},
		{"any text", "POST", "/notifications?raw=true", `hello`, "", 202, "messageIds"},
		{"text without raw", "POST", "/notifications", `hello`, "", 400, "raw=true"},
		{"an unknown option", "POST", "/notifications?tims=2", `{}`, "", 400, "tims"},
		{"faults", "POST", "/faults", `{"calls":[{"call":"GetChargePermission","status":500,"next":1}]}`, "", 200, "500"},
		{"an answer of another form", "POST", "/faults", `{"calls":[{"call":"GetChargePermission","patch":{"buyer":[5]}}]}`, "", 200, `{"buyer":[5]}`},
		{"a patch that is none", "POST", "/faults", `{"calls":[{"patch":[5]}]}`, "", 400, "not a JSON object"},
		{"a patch of a refusal", "POST", "/faults", `{"calls":[{"status":500,"patch":{}}]}`, "", 400, "successful answer"},
		{"a patch of a script", "POST", "/faults", `{"calls":[{"call":"CheckoutScript","patch":{}}]}`, "", 400, "answer of the API"},
		{"faults once more", "POST", "/faults", `{"calls":[{"call":"GetChargePermission","status":500,"next":1}]}`, "", 200, "500"},
		{"a fault misspelt", "POST", "/faults", `{"cals":[]}`, "", 400, "cals"},
		{"faults left", "GET", "/faults", "", "", 200, "500"},
		{"counts", "GET", "/stats", "", "", 200, `"published":`},
		{"another host's name", "GET", "/stats", "", "rebound.example.com", 403, "127.0.0.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			q, err := http.NewRequestWithContext(ctx, c.method, tw.ControlURL()+c.path, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			if c.host != "" {
				q.Host = c.host
			}
			got, err := http.DefaultClient.Do(q)
			if err != nil {
				t.Fatal(err)
			}
			defer got.Body.Close()
			b, err := io.ReadAll(got.Body)
			if err != nil {
				t.Fatal(err)
			}
			if got.StatusCode != c.status || !strings.Contains(string(b), c.want) {
				t.Errorf("%d %s", got.StatusCode, b)
			}
		})
	}
}

func TestTheProxyLeadsNowhereElse(t *testing.T) {
	tw, err := New(Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"example.com:443", "pay-api.amazon.eu:80", "127.0.0.1:22", "pay-api.amazon.eu.example.com:443"} {
		q := httptest.NewRequestWithContext(t.Context(), http.MethodConnect, "http://proxy/", nil)
		q.Host = host
		w := httptest.NewRecorder()
		tw.connect(w, q)
		if w.Code != http.StatusForbidden {
			t.Errorf("%s: %d", host, w.Code)
		}
	}
}

func TestThrottling(t *testing.T) {
	now := time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
	tw, err := New(Options{Seed: 1, Now: func() time.Time { return now }, Accounts: []Account{{Environment: "live"}}})
	if err != nil {
		t.Fatal(err)
	}
	a := tw.accounts[0]
	allowed := func() (n int) {
		for range 100 {
			if tw.allow(a, GetChargePermission) {
				n++
			}
		}
		return n
	}
	if n := allowed(); n != 20 {
		t.Errorf("a burst of %d, documented are 20", n)
	}
	now = now.Add(3 * time.Second)
	if n := allowed(); n != 12 {
		t.Errorf("%d after three seconds, documented are 4 a second", n)
	}
	if err := tw.SetQuota("", GetChargePermission, Quota{Burst: 3, PerSecond: 1}); err != nil {
		t.Fatal(err)
	}
	if n := allowed(); n != 3 {
		t.Errorf("a burst of %d of a quota of 3", n)
	}
	if err := tw.SetQuota("", GetChargePermission, Quota{}); err == nil {
		t.Error("no quota was taken for one")
	}
}

func FuzzParseAuthorization(f *testing.F) {
	f.Add("AMZN-PAY-RSASSA-PSS-V2 PublicKeyId=SANDBOX-X, SignedHeaders=accept;content-type, Signature=AAAA")
	f.Add("AMZN-PAY-RSASSA-PSS PublicKeyId=, SignedHeaders=;;, Signature=")
	f.Fuzz(func(t *testing.T, s string) {
		a, err := parseAuthorization(s)
		if err == nil && a.publicKeyID == "" {
			t.Errorf("accepted without a key id: %q", s)
		}
	})
}

// TestClientsOnOpenSSLVerifyTheTwin asks clients that Go did not make: OpenSSL
// takes a certificate with its issuer's subject for self-signed.
func TestClientsOnOpenSSLVerifyTheTwin(t *testing.T) {
	ca := filepath.Join(t.TempDir(), "ca.pem")
	tw, err := New(Options{Seed: 1, CAFile: ca})
	if err != nil {
		t.Fatal(err)
	}
	if err := tw.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tw.Close() })
	api := strings.TrimPrefix(tw.APIURL(), "https://")
	for _, c := range []struct {
		name    string
		command []string
		want    string
	}{
		{"openssl", []string{"openssl", "s_client", "-connect", api, "-servername", "pay-api.amazon.eu", "-verify_hostname", "pay-api.amazon.eu",
			"-CAfile", ca, "-verify_return_error", "-brief"}, "Verification: OK"},
		{"curl, through the proxy", []string{"curl", "--silent", "--show-error", "--proxy", tw.ProxyURL(), "--cacert", ca, "--write-out", "status %{http_code}",
			"https://pay-api.amazon.eu/sandbox/v2/chargePermissions/B01-0000000-0000000"}, "status 4"},
		{"curl, by address", []string{"curl", "--silent", "--show-error", "--cacert", ca, "--write-out", "status %{http_code}", tw.APIURL() + "/"}, "status 4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := exec.LookPath(c.command[0]); err != nil {
				t.Skipf("%s is not installed — apt-get install %[1]s", c.command[0])
			}
			out, err := exec.CommandContext(t.Context(), c.command[0], c.command[1:]...).CombinedOutput() //nolint:gosec // the test's own words
			if err != nil || !strings.Contains(string(out), c.want) {
				t.Errorf("%v, want %q in:\n%s", err, c.want, out)
			}
		})
	}
}
