package amazonpay

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// vectors were made with the official Node SDK 2.3.4.
type vectors struct {
	PublicKeyPEM string
	Requests     []struct {
		Name             string
		PublicKeyID      string
		Region           string
		Sandbox          bool
		Algorithm        Algorithm
		SaltLength       int
		Method           string
		Path             string
		QueryParams      map[string]any
		Payload          string
		Headers          map[string]string
		CanonicalRequest string
		StringToSign     string
		Authorization    string
	}
	Buttons []struct {
		Algorithm    Algorithm
		SaltLength   int
		Payload      string
		StringToSign string
		Signature    string
	}
}

func readVectors(t *testing.T) (vectors, *rsa.PublicKey) {
	t.Helper()
	b, err := os.ReadFile("testdata/signing-vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Requests) == 0 || len(v.Buttons) == 0 {
		t.Fatal("there are no vectors")
	}
	block, _ := pem.Decode([]byte(v.PublicKeyPEM))
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return v, key.(*rsa.PublicKey)
}

var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// verify checks a signature over a string to sign by crypto/rsa itself.
func verify(key *rsa.PublicKey, stringToSign, signature string, saltLength int) error {
	raw, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return err
	}
	digest := sha256.Sum256([]byte(stringToSign))
	return rsa.VerifyPSS(key, crypto.SHA256, digest[:], raw, &rsa.PSSOptions{SaltLength: saltLength})
}

func TestRequestsAreSignedAsTheOfficialSDKDoes(t *testing.T) {
	v, publicKey := readVectors(t)
	for _, r := range v.Requests {
		if len(r.QueryParams) > 0 {
			continue // none of the client's calls has a query
		}
		t.Run(r.Name, func(t *testing.T) {
			var headers []header
			for name, value := range r.Headers {
				headers = append(headers, header{name, value})
			}
			slices.SortFunc(headers, func(a, b header) int { return strings.Compare(a.name, b.name) })
			canonical := canonicalRequest(r.Method, r.Path, headers, []byte(r.Payload))
			if canonical != r.CanonicalRequest {
				t.Errorf("canonical request:\n%s\nwant:\n%s", canonical, r.CanonicalRequest)
			}
			toSign := stringToSign(r.Algorithm, []byte(canonical))
			if toSign != r.StringToSign {
				t.Errorf("string to sign:\n%s\nwant:\n%s", toSign, r.StringToSign)
			}
			head, signature, _ := strings.Cut(r.Authorization, "Signature=")
			if err := verify(publicKey, toSign, signature, r.SaltLength); err != nil {
				t.Errorf("the vector's signature: %v", err)
			}

			s := signer{key: testKey(), keyID: r.PublicKeyID, algorithm: r.Algorithm}
			authorization, err := s.authorization(canonical, headers)
			if err != nil {
				t.Fatal(err)
			}
			ownHead, ownSignature, _ := strings.Cut(authorization, "Signature=")
			if ownHead != head {
				t.Errorf("authorization begins %q, want %q", ownHead, head)
			}
			if err := verify(&testKey().PublicKey, toSign, ownSignature, r.SaltLength); err != nil {
				t.Errorf("our signature: %v", err)
			}
			if err := verify(&testKey().PublicKey, toSign, ownSignature, 52-r.SaltLength); err == nil {
				t.Error("our signature verifies with the other salt length too")
			}
			if err := verify(&testKey().PublicKey, toSign+" ", ownSignature, r.SaltLength); err == nil {
				t.Error("our signature verifies another string too")
			}
		})
	}
}

// What the client sends differs from the vectors in the date's form and in not
// signing the user agent; with these put in, it is the same.
func TestClientSendsTheRequestsOfTheVectors(t *testing.T) {
	v, _ := readVectors(t)
	tested := 0
	for _, r := range v.Requests {
		segments := strings.Split(strings.TrimPrefix(r.Path[strings.Index(r.Path, "/v2/"):], "/v2/"), "/")
		if len(segments) < 2 {
			continue // a call that this package does not have
		}
		tested++
		t.Run(r.Name, func(t *testing.T) {
			region := map[string]Region{"us": NA, "na": NA, "eu": EU, "jp": JP}[r.Region] // the SDK has two names for NA
			environment := Live
			if r.Sandbox {
				environment = Sandbox
			}
			var got *http.Request
			c := newClient(t, func(c *Config) {
				c.Region, c.Environment, c.PublicKeyID, c.Algorithm = region, environment, r.PublicKeyID, r.Algorithm
				c.Now = func() time.Time { return time.Date(2026, 2, 3, 4, 5, 6, 0, time.FixedZone("", 3600)).Add(time.Hour) }
			}, func(r *http.Request) (*http.Response, error) {
				got = r
				return answer(404, ""), nil
			})
			var err error
			switch segments[0] + r.Method {
			case "chargePermissionsGET":
				_, err = c.GetChargePermission(t.Context(), segments[1])
			case "checkoutSessionsPOST":
				_, err = c.CompleteCheckoutSession(t.Context(), segments[1], r.Headers["x-amz-pay-idempotency-key"])
			default:
				t.Fatalf("no call is %s %s", r.Method, r.Path)
			}
			if !NotFound(err) {
				t.Fatal(err)
			}
			if want := "https://" + r.Headers["x-amz-pay-host"] + r.Path; got.URL.String() != want || got.Method != r.Method {
				t.Errorf("sent %s %s, want %s", got.Method, got.URL, want)
			}
			canonical, toSign := checkAuthorization(t, got, r.Payload, r.SaltLength)
			want := strings.NewReplacer(
				"user-agent:amazon-pay-api-sdk-nodejs/2.3.4 (JS/20.20.2; linux)\n", "",
				"user-agent;", "",
				"2026-02-03T04:05:06Z", "20260203T040506Z",
			).Replace(r.CanonicalRequest)
			if canonical != want {
				t.Errorf("canonical request:\n%s\nwant:\n%s", canonical, want)
			}
			if algorithm, _, _ := strings.Cut(toSign, "\n"); Algorithm(algorithm) != r.Algorithm {
				t.Errorf("signed with %s", algorithm)
			}
		})
	}
	if tested < 4 {
		t.Errorf("%d vectors were tested", tested)
	}
}

// checkAuthorization verifies a request from what arrived alone, as Amazon
// does, and returns its canonical request and string to sign.
func checkAuthorization(t *testing.T, r *http.Request, payload string, saltLength int) (canonical, toSign string) {
	t.Helper()
	algorithm, rest, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	parameters := make(map[string]string)
	for part := range strings.SplitSeq(rest, ", ") {
		name, value, _ := strings.Cut(part, "=")
		parameters[name] = value
	}
	lines := []string{r.Method, r.URL.EscapedPath(), r.URL.RawQuery}
	for name := range strings.SplitSeq(parameters["SignedHeaders"], ";") {
		lines = append(lines, name+":"+strings.Join(r.Header.Values(name), ","))
	}
	lines = append(lines, "", parameters["SignedHeaders"], fmt.Sprintf("%x", sha256.Sum256([]byte(payload))))
	canonical = strings.Join(lines, "\n")
	toSign = fmt.Sprintf("%s\n%x", algorithm, sha256.Sum256([]byte(canonical)))
	if err := verify(&testKey().PublicKey, toSign, parameters["Signature"], saltLength); err != nil {
		t.Errorf("the request's signature: %v", err)
	}
	return canonical, toSign
}

func TestPayloadsAreSignedAsTheOfficialSDKDoes(t *testing.T) {
	v, publicKey := readVectors(t)
	for _, b := range v.Buttons {
		if got := stringToSign(b.Algorithm, []byte(b.Payload)); got != b.StringToSign {
			t.Errorf("string to sign:\n%s\nwant:\n%s", got, b.StringToSign)
		}
		if err := verify(publicKey, b.StringToSign, b.Signature, b.SaltLength); err != nil {
			t.Errorf("the vector's signature: %v", err)
		}
		c := newClient(t, func(c *Config) { c.Algorithm = b.Algorithm }, nil)
		signature, err := c.SignPayload([]byte(b.Payload))
		if err != nil {
			t.Fatal(err)
		}
		if err := verify(&testKey().PublicKey, b.StringToSign, signature, b.SaltLength); err != nil {
			t.Errorf("our signature: %v", err)
		}
	}
}

func TestPayloadOfAnyBytesIsSigned(t *testing.T) {
	c := newClient(t, nil, nil)
	for _, payload := range []string{"", `{"a":"\\"}`, "\xff\x00\n", strings.Repeat("a", 1<<20)} {
		signature, err := c.SignPayload([]byte(payload))
		if err != nil {
			t.Fatal(err)
		}
		toSign := fmt.Sprintf("AMZN-PAY-RSASSA-PSS-V2\n%x", sha256.Sum256([]byte(payload)))
		if err := verify(&testKey().PublicKey, toSign, signature, 32); err != nil {
			t.Errorf("%.20q: %v", payload, err)
		}
	}
}

func TestMarshalledPayloadHasNoBackslash(t *testing.T) {
	for _, value := range []string{"", "https://shop.example/?a=1&b=<2>", "Zürich 日本語 😀", "it's", "a/b"} {
		payload, err := MarshalPayload(map[string]string{"note": value})
		if want := `{"note":"` + value + `"}`; err != nil || string(payload) != want {
			t.Errorf("%q: got %s, %v, want %s", value, payload, err, want)
		}
	}
	for _, value := range []string{`a "quoted" b`, `a\b`, "a\nb", "a\x00b", "a\u2028b", "a\u2029b", "a\xffb"} {
		payload, err := MarshalPayload(map[string]string{"note": value})
		if err == nil || payload != nil {
			t.Errorf("%q: got %s", value, payload)
		}
	}
	if _, err := MarshalPayload(func() {}); err == nil {
		t.Error("a function was marshalled")
	}
}
