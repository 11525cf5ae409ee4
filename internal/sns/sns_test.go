package sns

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

const (
	testTopic = "arn:aws:sns:eu-west-1:291180941288:A3BXB0YN3XH17H"
	testHost  = "sns.eu-west-1.amazonaws.com"
	testURL   = "https://" + testHost + "/SimpleNotificationService-0123456789abcdef.pem"
	testBody  = `{"MerchantID":"A3BXB0YN3XH17H","ObjectId":"B01-0000000-0000000","Zürich":"日本語 & <b>"}` + "\nsecond line"
)

var (
	testTime = time.Date(2026, 2, 3, 4, 5, 6, 789e6, time.UTC)
	testKey  = sync.OnceValue(func() *rsa.PrivateKey { return newKey(2048) })
	testPEM  = sync.OnceValue(func() []byte { return selfSigned(testKey(), testTime.Add(-time.Hour), testTime.Add(time.Hour)) })
)

func newKey(bits int) *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return key
}

// issue returns a certificate for key; parent nil makes it self-signed.
func issue(name string, ca bool, key crypto.Signer, parent *x509.Certificate, parentKey crypto.Signer, from, to time.Time) *x509.Certificate {
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             from,
		NotAfter:              to,
		IsCA:                  ca,
		BasicConstraintsValid: true,
	}
	if ca {
		template.KeyUsage = x509.KeyUsageCertSign
	} else {
		template.DNSNames = []string{name}
	}
	if parent == nil {
		parent, parentKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		panic(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return c
}

func encode(certificates ...*x509.Certificate) []byte {
	var b bytes.Buffer
	for _, c := range certificates {
		if err := pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}); err != nil {
			panic(err)
		}
	}
	return b.Bytes()
}

func selfSigned(key crypto.Signer, from, to time.Time) []byte {
	return encode(issue("sns.amazonaws.com", false, key, nil, nil, from, to))
}

// members are those of an envelope; a nil one is written as null.
type members map[string]any

func notification() members {
	return members{
		"Type":             "Notification",
		"MessageId":        "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
		"TopicArn":         testTopic,
		"Message":          testBody,
		"Timestamp":        testTime.Format("2006-01-02T15:04:05.000Z"),
		"SignatureVersion": "2",
		"SigningCertURL":   testURL,
		"UnsubscribeURL":   "https://" + testHost + "/?Action=Unsubscribe",
	}
}

func confirmation(messageType string) members {
	m := notification()
	delete(m, "UnsubscribeURL")
	m["Type"] = messageType
	m["Message"] = "You have chosen to subscribe to the topic."
	m["Token"] = "2336412f37fb687f5d51e6e2425c464de"
	m["SubscribeURL"] = "https://evil.example/?Action=ConfirmSubscription&TopicArn=" + testTopic
	return m
}

func (m members) with(changes members) members {
	m = maps.Clone(m)
	maps.Copy(m, changes)
	return m
}

func (m members) json(t testing.TB) []byte {
	t.Helper()
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// signed returns what SNS signs, as the developer guide has it.
func (m members) signed() string {
	names := []string{"Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"}
	if m["Type"] != "Notification" {
		names = []string{"Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"}
	}
	var b strings.Builder
	for _, name := range names {
		if m[name] != nil {
			fmt.Fprintf(&b, "%s\n%s\n", name, m[name])
		}
	}
	return b.String()
}

func (m members) sign(t testing.TB, key *rsa.PrivateKey) members {
	t.Helper()
	hash, digest := crypto.SHA256, sha256.Sum256([]byte(m.signed()))
	sum := digest[:]
	if m["SignatureVersion"] == "1" {
		digest := sha1.Sum([]byte(m.signed()))
		hash, sum = crypto.SHA1, digest[:]
	}
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, hash, sum)
	if err != nil {
		t.Fatal(err)
	}
	return m.with(members{"Signature": base64.StdEncoding.EncodeToString(signature)})
}

// host answers in SNS's place.
type host func(*http.Request) (*http.Response, error)

func (h host) RoundTrip(r *http.Request) (*http.Response, error) { return h(r) }

func answer(status int, body []byte) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body))}
}

// serve returns an opener whose SNS hosts all serve the file, and a count of
// the requests.
func serve(file []byte, options Options) (*Opener, *atomic.Int64) {
	var requests atomic.Int64
	options.HTTPClient = &http.Client{Transport: host(func(*http.Request) (*http.Response, error) {
		requests.Add(1)
		return answer(200, file), nil
	})}
	return NewOpener(options), &requests
}

// refused checks that the envelope is, for the reason.
func refused(t *testing.T, o *Opener, envelope []byte, reason string) {
	t.Helper()
	m, err := o.Open(t.Context(), envelope)
	if Reason(err) != reason {
		t.Errorf("got %v, want the reason %q", err, reason)
	}
	if m != (Message{}) {
		t.Errorf("a refused message came out: %+v", m)
	}
	if wantForged := reason != "certificate_unavailable" && reason != "certificate_missing"; Forged(err) != wantForged || Unavailable(err) == wantForged {
		t.Errorf("Forged is %v, Unavailable is %v for %v", Forged(err), Unavailable(err), err)
	}
}

func TestSignedMessagesOpen(t *testing.T) {
	o, requests := serve(testPEM(), Options{})
	lambda := notification().with(members{"SigningCertUrl": testURL, "UnsubscribeUrl": "https://x", "Subject": nil})
	delete(lambda, "SigningCertURL")
	delete(lambda, "UnsubscribeURL")
	for name, m := range map[string]members{
		"notification":              notification(),
		"notification with subject": notification().with(members{"Subject": "A subject"}),
		"empty subject":             notification().with(members{"Subject": ""}),
		"null subject":              notification().with(members{"Subject": nil}),
		"empty message":             notification().with(members{"Message": ""}),
		"Lambda's spelling":         lambda,
		"with message attributes":   notification().with(members{"MessageAttributes": map[string]any{"a": map[string]string{"Type": "String", "Value": "b"}}}),
		"FIFO topic":                notification().with(members{"TopicArn": testTopic + ".fifo", "SequenceNumber": "10000000000000003000"}),
		"subscription confirmation": confirmation("SubscriptionConfirmation"),
		"end of a subscription":     confirmation("UnsubscribeConfirmation"),
	} {
		for _, version := range []string{"1", "2"} {
			t.Run(name+", version "+version, func(t *testing.T) {
				m := m.with(members{"SignatureVersion": version}).sign(t, testKey())
				got, err := o.Open(t.Context(), m.json(t))
				if err != nil {
					t.Fatal(err)
				}
				text := func(name string) string { s, _ := m[name].(string); return s }
				want := Message{
					Type: MessageType(text("Type")), ID: text("MessageId"), TopicARN: text("TopicArn"), Subject: text("Subject"),
					Body: text("Message"), Token: text("Token"), Timestamp: testTime, SignatureVersion: version, endpoint: testHost,
				}
				if got != want {
					t.Errorf("got %+v, want %+v", got, want)
				}
			})
		}
	}
	if n := requests.Load(); n != 1 {
		t.Errorf("the certificate was fetched %d times", n)
	}
}

// A message may differ from the one sent in what is not signed, and in nothing
// else.
func TestChangedByteIsRefused(t *testing.T) {
	o, _ := serve(testPEM(), Options{})
	for _, m := range []members{
		notification().with(members{"Subject": "A subject"}),
		notification().with(members{"SignatureVersion": "1"}),
		confirmation("SubscriptionConfirmation"),
	} {
		envelope := m.sign(t, testKey()).json(t)
		want, err := o.Open(t.Context(), envelope)
		if err != nil {
			t.Fatal(err)
		}
		changed := bytes.Clone(envelope)
		for i := range envelope {
			changed[i] ^= 1
			if got, err := o.Open(t.Context(), changed); err == nil && got != want {
				t.Errorf("byte %d changed: %+v", i, got)
			} else if err != nil && !Forged(err) {
				t.Errorf("byte %d changed: %v", i, err)
			}
			changed[i] = envelope[i]
		}
	}
}

func TestEachSignedFieldIsSigned(t *testing.T) {
	o, _ := serve(testPEM(), Options{})
	other := newKey(2048)
	for name, change := range map[string]members{
		"Message":          {"Message": testBody + " "},
		"MessageId":        {"MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf325"},
		"Subject":          {"Subject": "another"},
		"Subject removed":  {"Subject": nil},
		"Subject emptied":  {"Subject": ""},
		"Timestamp":        {"Timestamp": "2026-02-03T04:05:06.788Z"},
		"TopicArn":         {"TopicArn": testTopic + "2"},
		"SignatureVersion": {"SignatureVersion": "1"},
		"another key's":    {"Signature": notification().sign(t, other)["Signature"]},
		"cut":              {"Signature": "AAAA"},
	} {
		t.Run("notification/"+name, func(t *testing.T) {
			m := notification().with(members{"Subject": "A subject"}).sign(t, testKey())
			refused(t, o, m.with(change).json(t), "signature")
		})
	}
	for name, change := range map[string]members{
		"Message":           {"Message": "another"},
		"SubscribeURL":      {"SubscribeURL": "https://another.example/"},
		"Token":             {"Token": "another"},
		"TopicArn":          {"TopicArn": testTopic + "2"},
		"Type":              {"Type": "UnsubscribeConfirmation"},
		"to a notification": {"Type": "Notification"},
	} {
		t.Run("confirmation/"+name, func(t *testing.T) {
			m := confirmation("SubscriptionConfirmation").sign(t, testKey())
			refused(t, o, m.with(change).json(t), "signature")
		})
	}
}

// A publisher chooses the text of a message. Written so that it contains lines
// that look like fields, it must not be read as another message with the same
// lines: here one whose id is of the publisher's choosing.
func TestBordersBetweenFieldsCannotBeMoved(t *testing.T) {
	o, _ := serve(testPEM(), Options{})
	signed := notification().with(members{"Message": "text\nMessageId\nchosen-id\nSubject\nx"}).sign(t, testKey())
	if _, err := o.Open(t.Context(), signed.json(t)); err != nil {
		t.Fatal(err) // else the rest shows nothing
	}
	moved := signed.with(members{
		"Message":   "text",
		"MessageId": "chosen-id",
		"Subject":   "x\nMessageId\n" + signed["MessageId"].(string),
	})
	if moved.signed() != signed.signed() {
		t.Fatal("the two would not have been signed alike, so this shows nothing")
	}
	refused(t, o, moved.json(t), "malformed")
}

func TestMalformedEnvelopeIsRefused(t *testing.T) {
	o, requests := serve(testPEM(), Options{})
	for name, envelope := range map[string]string{
		"nothing":           "",
		"not JSON":          "Type=Notification",
		"null":              "null",
		"a list":            "[]",
		"a string":          `"Notification"`,
		"cut off":           string(notification().sign(t, testKey()).json(t)[:200]),
		"two of them":       `{"Type":"Notification"}{"Type":"Notification"}`,
		"a number for text": `{"Type":"Notification","Message":5}`,
	} {
		t.Run(name, func(t *testing.T) { refused(t, o, []byte(envelope), "malformed") })
	}
	for name, changes := range map[string][]any{
		"Type":      {nil, "", "notification", "Notification\n"},
		"Message":   {nil},
		"MessageId": {nil, "", "a b", "a\nb", strings.Repeat("a", 2049)},
		"TopicArn": {nil, "", "arn:aws:sqs:eu-west-1:291180941288:q", "arn:aws:sns:eu-west-1:291180941288:a\nb",
			"arn:aws:sns:eu-west-1:1:a", "arn:aws:sns::291180941288:a", "arn:aws:sns:s3-us-west-2:291180941288:a", "arn:aws:sns:eu-west-1-evil:291180941288:a",
			"arn:aws:sns:eu-west-1.evil.example:291180941288:a", "arn:aws-cn:sns:eu-west-1:291180941288:a",
			"arn:aws:sns:cn-north-1:291180941288:a", testTopic + ":6b0e71bd-7e97-4d97-80ce-4a0994e55286"},
		"Timestamp": {nil, "", "yesterday", "2026-02-03 04:05:06Z", "2026-02-03T04:05:06.789Z\n"},
		"Subject":   {"a\nb", "a\u0085b"},
		"Signature": {nil, "", "*"},
	} {
		for _, change := range changes {
			t.Run(fmt.Sprintf("%s %.30q", name, change), func(t *testing.T) {
				refused(t, o, notification().sign(t, testKey()).with(members{name: change}).json(t), "malformed")
			})
		}
	}
	for name, changes := range map[string][]any{
		"Token":        {nil, "", "a&b", "a\nb"},
		"SubscribeURL": {nil, "", "https://x/\nToken\n"},
	} {
		for _, change := range changes {
			t.Run(fmt.Sprintf("%s %.30q", name, change), func(t *testing.T) {
				refused(t, o, confirmation("SubscriptionConfirmation").sign(t, testKey()).with(members{name: change}).json(t), "malformed")
			})
		}
	}
	for _, version := range []any{nil, "", "0", "3", "02"} {
		t.Run(fmt.Sprintf("SignatureVersion %q", version), func(t *testing.T) {
			refused(t, o, notification().sign(t, testKey()).with(members{"SignatureVersion": version}).json(t), "signature")
		})
	}
	if n := requests.Load(); n != 0 {
		t.Errorf("%d certificates were fetched for malformed messages", n)
	}
}

func TestLookAlikeHostIsRefused(t *testing.T) {
	o, requests := serve(testPEM(), Options{})
	for name, url := range map[string]any{
		"none":                   nil,
		"http":                   "http://sns.eu-west-1.amazonaws.com/a.pem",
		"upper-case scheme":      "HTTPS://sns.eu-west-1.amazonaws.com/a.pem",
		"another region":         "https://sns.us-east-1.amazonaws.com/a.pem",
		"bucket":                 "https://sns.s3-us-west-2.amazonaws.com/a.pem",
		"bucket, dotted":         "https://sns.s3.eu-west-1.amazonaws.com/a.pem",
		"bucket in the path":     "https://s3.eu-west-1.amazonaws.com/sns.eu-west-1.amazonaws.com/a.pem",
		"another service":        "https://sqs.eu-west-1.amazonaws.com/a.pem",
		"a name before":          "https://evil-sns.eu-west-1.amazonaws.com/a.pem",
		"a label before":         "https://evil.sns.eu-west-1.amazonaws.com/a.pem",
		"a domain behind":        "https://sns.eu-west-1.amazonaws.com.evil.example/a.pem",
		"a name behind":          "https://sns.eu-west-1.amazonaws.community/a.pem",
		"dash for a dot":         "https://sns.eu-west-1-amazonaws.com/a.pem",
		"China for Europe":       "https://sns.eu-west-1.amazonaws.com.cn/a.pem",
		"root dot":               "https://sns.eu-west-1.amazonaws.com./a.pem",
		"upper-case host":        "https://SNS.eu-west-1.amazonaws.com/a.pem",
		"Cyrillic s":             "https://ѕns.eu-west-1.amazonaws.com/a.pem",
		"port":                   "https://sns.eu-west-1.amazonaws.com:443/a.pem",
		"user":                   "https://sns.eu-west-1.amazonaws.com@evil.example/a.pem",
		"user before":            "https://evil@sns.eu-west-1.amazonaws.com/a.pem",
		"backslash":              `https://sns.eu-west-1.amazonaws.com\@evil.example/a.pem`,
		"query":                  "https://sns.eu-west-1.amazonaws.com/a.pem?x=.pem",
		"query alone":            "https://sns.eu-west-1.amazonaws.com/?Action=a.pem",
		"fragment":               "https://sns.eu-west-1.amazonaws.com/a#.pem",
		"another ending":         "https://sns.eu-west-1.amazonaws.com/a.txt",
		"ending in capitals":     "https://sns.eu-west-1.amazonaws.com/a.PEM",
		"nothing but the ending": "https://sns.eu-west-1.amazonaws.com/.pem",
		"no path":                "https://sns.eu-west-1.amazonaws.com",
		"up and away":            "https://sns.eu-west-1.amazonaws.com/../a.pem",
		"escaped":                "https://sns.eu-west-1.amazonaws.com/%2e%2e/a.pem",
		"line break behind":      testURL + "\n",
		"white space before":     " " + testURL,
		"very long":              "https://sns.eu-west-1.amazonaws.com/" + strings.Repeat("a", 10_000) + ".pem",
		"IP address":             "https://169.254.169.254/latest/a.pem",
		"file":                   "file:///etc/a.pem",
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, o, notification().sign(t, testKey()).with(members{"SigningCertURL": url}).json(t), "certificate_url")
		})
	}
	if n := requests.Load(); n != 0 {
		t.Errorf("%d requests were sent to unexpected hosts", n)
	}
}

func TestHostIsOfTheTopicsRegion(t *testing.T) {
	for arn, want := range map[string]string{
		"arn:aws:sns:us-east-1:123456789012:t":            "sns.us-east-1.amazonaws.com",
		"arn:aws:sns:ap-southeast-2:123456789012:t":       "sns.ap-southeast-2.amazonaws.com",
		"arn:aws-us-gov:sns:us-gov-west-1:123456789012:t": "sns.us-gov-west-1.amazonaws.com",
		"arn:aws-cn:sns:cn-northwest-1:123456789012:t":    "sns.cn-northwest-1.amazonaws.com.cn",
	} {
		var asked string
		o := NewOpener(Options{HTTPClient: &http.Client{Transport: host(func(r *http.Request) (*http.Response, error) {
			asked = r.URL.String()
			return answer(200, testPEM()), nil
		})}})
		url := "https://" + want + "/x.pem"
		m := notification().with(members{"TopicArn": arn, "SigningCertURL": url}).sign(t, testKey())
		if _, err := o.Open(t.Context(), m.json(t)); err != nil {
			t.Errorf("%s: %v", arn, err)
		}
		if asked != url {
			t.Errorf("%s: asked for %q, want %q", arn, asked, url)
		}
	}
}

func TestCertificateMustBeValidWhenTheMessageWasSent(t *testing.T) {
	from, to := testTime.Truncate(time.Second), testTime.Truncate(time.Second).Add(time.Hour)
	o, _ := serve(selfSigned(testKey(), from, to), Options{
		// Today is of no account: neither a message that waited nor one
		// redriven after its certificate ran out is refused.
		Now: func() time.Time { return to.AddDate(3, 0, 0) },
	})
	for _, tt := range []struct {
		at   time.Time
		fine bool
	}{
		{from.Add(-time.Millisecond), false},
		{from, true},
		{to, true},
		{to.Add(time.Millisecond), false},
	} {
		m := notification().with(members{"Timestamp": tt.at.Format("2006-01-02T15:04:05.000Z")}).sign(t, testKey()).json(t)
		if tt.fine {
			if _, err := o.Open(t.Context(), m); err != nil {
				t.Errorf("%s: %v", tt.at, err)
			}
		} else {
			refused(t, o, m, "certificate_time")
		}
	}
}

func TestOversizedEnvelopeIsRefused(t *testing.T) {
	o, _ := serve(testPEM(), Options{})
	largest := notification().with(members{"Message": strings.Repeat(`"`, 256<<10-2048)}).sign(t, testKey()).json(t)
	if _, err := o.Open(t.Context(), largest); err != nil {
		t.Errorf("the largest message that SNS sends: %v", err)
	}
	refused(t, o, make([]byte, 512<<10+1), "too_large")

	o, _ = serve(testPEM(), Options{MaxMessage: 100})
	refused(t, o, notification().sign(t, testKey()).json(t), "too_large")
}

func TestUnfitCertificateIsRefused(t *testing.T) {
	from, to := testTime.Add(-time.Hour), testTime.Add(time.Hour)
	elliptic256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := string(testPEM())
	for name, file := range map[string][]byte{
		"ECDSA":                selfSigned(elliptic256, from, to),
		"RSA of 1024 bits":     selfSigned(newKey(1024), from, to),
		"text behind":          []byte(leaf + "and more"),
		"broken DER":           pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{0x30, 0x03, 1, 2, 3}}),
		"broken second":        []byte(leaf + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
		"six":                  []byte(strings.Repeat(leaf, 6)),
		"intermediate unknown": unrelatedChain(from, to),
	} {
		t.Run(name, func(t *testing.T) {
			o, _ := serve(file, Options{Roots: x509.NewCertPool()})
			refused(t, o, notification().sign(t, testKey()).json(t), "certificate")
		})
	}
}

func unrelatedChain(from, to time.Time) []byte {
	other := newKey(2048)
	return append(bytes.Clone(testPEM()), encode(issue("An authority", true, other, nil, nil, from, to))...)
}

func TestServedChainIsChecked(t *testing.T) {
	rootKey, intermediateKey := newKey(2048), newKey(2048)
	day := 24 * time.Hour
	root := issue("Root", true, rootKey, nil, nil, testTime.Add(-100*day), testTime.Add(100*day))
	roots := x509.NewCertPool()
	roots.AddCert(root)
	chain := func(from, to time.Time) []byte {
		intermediate := issue("Intermediate", true, intermediateKey, root, rootKey, from, to)
		return encode(issue("sns.amazonaws.com", false, testKey(), intermediate, intermediateKey, testTime.Add(-10*day), testTime.Add(10*day)), intermediate)
	}
	m := notification().sign(t, testKey()).json(t)

	o, _ := serve(chain(testTime.Add(-5*day), testTime.Add(5*day)), Options{Roots: roots})
	if _, err := o.Open(t.Context(), m); err != nil {
		t.Errorf("a chain that leads to the root: %v", err)
	}
	o, _ = serve(chain(testTime.Add(-5*day), testTime.Add(5*day)), Options{Roots: x509.NewCertPool()})
	refused(t, o, m, "certificate")
	o, _ = serve(chain(testTime.Add(-5*day), testTime.Add(-1*day)), Options{Roots: roots})
	refused(t, o, m, "certificate_time")
	o, _ = serve(chain(testTime.Add(1*day), testTime.Add(5*day)), Options{Roots: roots})
	refused(t, o, m, "certificate_time")
}

// That SNS's host has no certificate may pass, whatever it answers instead of
// one: a forger cannot make it answer so for others' messages.
func TestMissingCertificateIsUnavailableAndAskedForAgainInSeconds(t *testing.T) {
	for name, missing := range map[string]*http.Response{
		"403":                answer(403, nil),
		"404":                answer(404, nil),
		"empty":              answer(200, nil),
		"a proxy's page":     answer(200, []byte("<html>Not found</html>")),
		"a key":              answer(200, pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(testKey())})),
		"larger than 64 KiB": answer(200, []byte(string(testPEM())+strings.Repeat("\n", 64<<10))),
	} {
		t.Run(name, func(t *testing.T) {
			now, requests, exists := testTime, 0, false
			o := NewOpener(Options{
				Now: func() time.Time { return now },
				HTTPClient: &http.Client{Transport: host(func(*http.Request) (*http.Response, error) {
					requests++
					if exists {
						return answer(200, testPEM()), nil
					}
					return missing, nil
				})},
			})
			m := notification().sign(t, testKey()).json(t)
			refused(t, o, m, "certificate_missing")
			now = now.Add(10*time.Second - 1)
			refused(t, o, m, "certificate_missing")
			if requests != 1 {
				t.Errorf("%d requests within 10 s", requests)
			}
			now, exists = now.Add(1), true
			if _, err := o.Open(t.Context(), m); err != nil {
				t.Errorf("once the certificate exists: %v", err)
			}
		})
	}
}

// Members that differ in case or stand twice are read as one, the last: the same
// value is verified and returned, so that no other can be smuggled in beside it.
func TestDuplicateMembersAreVerifiedAsTheyAreRead(t *testing.T) {
	m := notification().sign(t, testKey())
	genuine := string(m.json(t))
	with := func(before, after string) []byte {
		return []byte("{" + before + strings.TrimSuffix(strings.TrimPrefix(genuine, "{"), "}") + after + "}")
	}
	for name, c := range map[string]struct {
		before, after string
		reason        string // empty: opened, as the genuine one
	}{
		"another message behind":                 {after: `,"message":"another"`, reason: "signature"},
		"another message in front":               {before: `"message":"another",`},
		"the message twice":                      {after: `,"Message":"another"`, reason: "signature"},
		"another signature behind":               {after: `,"Signature":"AAAA"`, reason: "signature"},
		"another signature in front":             {before: `"Signature":"AAAA",`},
		"no signature behind":                    {after: `,"SIGNATURE":""`, reason: "malformed"},
		"another topic behind":                   {after: `,"topicarn":"arn:aws:sns:eu-west-1:999999999999:other"`, reason: "signature"},
		"another type behind":                    {after: `,"type":"UnsubscribeConfirmation"`, reason: "malformed"},
		"another time behind":                    {after: `,"timestamp":"2020-01-01T00:00:00.000Z"`, reason: "signature"},
		"a certificate of another host behind":   {after: `,"signingCertUrl":"https://sns.eu-west-1.example.com/a.pem"`, reason: "certificate_url"},
		"a certificate of another host in front": {before: `"SigningCertUrl":"https://sns.eu-west-1.example.com/a.pem",`},
	} {
		t.Run(name, func(t *testing.T) {
			o, _ := serve(testPEM(), Options{})
			if c.reason != "" {
				refused(t, o, with(c.before, c.after), c.reason)
				return
			}
			want, err := o.Open(t.Context(), []byte(genuine))
			if err != nil {
				t.Fatal(err)
			}
			got, err := o.Open(t.Context(), with(c.before, c.after))
			if err != nil || got != want {
				t.Errorf("%+v, %v; want %+v", got, err, want)
			}
		})
	}
}

func TestTroubleWithTheCertificateHostIsNotFinal(t *testing.T) {
	var trouble func() (*http.Response, error)
	for name, f := range map[string]func() (*http.Response, error){
		"refused": func() (*http.Response, error) { return nil, errors.New("connection refused") },
		"500":     func() (*http.Response, error) { return answer(500, nil), nil },
		"503":     func() (*http.Response, error) { return answer(503, nil), nil },
		"429":     func() (*http.Response, error) { return answer(429, nil), nil },
		"400":     func() (*http.Response, error) { return answer(400, nil), nil },
		"407":     func() (*http.Response, error) { return answer(407, nil), nil },
		"no body": func() (*http.Response, error) { return answer(204, nil), nil },
		"cut off": func() (*http.Response, error) {
			r := answer(200, nil)
			r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(testPEM()[:100]), failing{}))
			return r, nil
		},
		"redirect": func() (*http.Response, error) {
			r := answer(302, testPEM())
			r.Header.Set("Location", "https://evil.example/a.pem")
			return r, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			requests := 0
			trouble = f
			o := NewOpener(Options{HTTPClient: &http.Client{Transport: host(func(*http.Request) (*http.Response, error) {
				requests++
				return trouble()
			})}})
			m := notification().sign(t, testKey()).json(t)
			refused(t, o, m, "certificate_unavailable")
			if requests != 1 {
				t.Errorf("%d requests", requests)
			}
			trouble = func() (*http.Response, error) { return answer(200, testPEM()), nil }
			if _, err := o.Open(t.Context(), m); err != nil {
				t.Errorf("when the trouble is over: %v", err)
			}
		})
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestFetchIsBoundedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := NewOpener(Options{HTTPClient: &http.Client{Transport: host(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})}})
		start := time.Now()
		refused(t, o, notification().sign(t, testKey()).json(t), "certificate_unavailable")
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("gave up after %v", took)
		}
	})
}

func TestCertificateIsFetchedOnceForAllWhoWait(t *testing.T) {
	envelope := notification().sign(t, testKey()).json(t)
	testPEM()
	synctest.Test(t, func(t *testing.T) {
		requests, release := 0, make(chan struct{})
		o := NewOpener(Options{HTTPClient: &http.Client{Transport: host(func(r *http.Request) (*http.Response, error) {
			requests++
			select {
			case <-release:
				return answer(200, testPEM()), nil
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
		})}})

		// The first one starts the fetch, and then loses interest.
		first, cancel := context.WithCancel(t.Context())
		var abandoned error
		go func() { _, abandoned = o.Open(first, envelope) }()
		synctest.Wait()
		results := make(chan error, 100)
		for range cap(results) {
			go func() {
				_, err := o.Open(t.Context(), envelope)
				results <- err
			}()
		}
		synctest.Wait()
		cancel()
		synctest.Wait()
		if !Unavailable(abandoned) || !errors.Is(abandoned, context.Canceled) {
			t.Errorf("the one who cancelled got %v", abandoned)
		}
		close(release)
		for range cap(results) {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
		if requests != 1 {
			t.Errorf("%d requests", requests)
		}
	})
}

func TestFloodOfUnknownCertificatesIsBounded(t *testing.T) {
	envelope := notification().sign(t, testKey()).json(t)
	testPEM()
	synctest.Test(t, func(t *testing.T) {
		var now, highest, forTheKnown atomic.Int64
		o := NewOpener(Options{MaxCertificates: 1, HTTPClient: &http.Client{Transport: host(func(r *http.Request) (*http.Response, error) {
			if r.URL.String() == testURL {
				forTheKnown.Add(1)
				return answer(200, testPEM()), nil
			}
			n := now.Add(1)
			defer now.Add(-1)
			highest.Store(max(highest.Load(), n))
			time.Sleep(time.Millisecond) // of the bubble's clock
			return answer(404, nil), nil
		})}})
		if _, err := o.Open(t.Context(), envelope); err != nil {
			t.Fatal(err)
		}
		var wait sync.WaitGroup
		for i := range 2000 {
			wait.Go(func() {
				m := notification().with(members{"Signature": "AAAA", "SigningCertURL": fmt.Sprintf("https://%s/flood-%d.pem", testHost, i)})
				refused(t, o, m.json(t), "certificate_missing")
			})
		}
		wait.Wait()
		if highest.Load() != maxFetches {
			t.Errorf("%d fetches at once, want %d", highest.Load(), maxFetches)
		}
		if n := len(o.missing.slots); n != maxMissing {
			t.Errorf("%d missing certificates are remembered, want %d", n, maxMissing)
		}
		if _, err := o.Open(t.Context(), envelope); err != nil {
			t.Error(err)
		}
		if n := forTheKnown.Load(); n != 1 {
			t.Errorf("the certificate in use was fetched %d times", n)
		}
	})
}

func TestLeastUsedCertificateGivesWay(t *testing.T) {
	var asked []string
	o := NewOpener(Options{MaxCertificates: 2, HTTPClient: &http.Client{Transport: host(func(r *http.Request) (*http.Response, error) {
		asked = append(asked, r.URL.Path)
		return answer(200, testPEM()), nil
	})}})
	for _, name := range []string{"a", "b", "a", "c", "a", "b"} {
		m := notification().with(members{"SigningCertURL": "https://" + testHost + "/" + name + ".pem"}).sign(t, testKey())
		if _, err := o.Open(t.Context(), m.json(t)); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := strings.Join(asked, " "), "/a.pem /b.pem /c.pem /b.pem"; got != want {
		t.Errorf("fetched %s, want %s", got, want)
	}
}

func TestErrorsHoldNothingOfTheMessage(t *testing.T) {
	const secret = "Käthe Müller"
	o, _ := serve(testPEM(), Options{})
	for _, envelope := range []string{
		`{"Message":"` + secret + `"`,
		`{"Message":{"` + secret + `":1}}`,
		`{"Message":"x","Type":"` + secret + `"}`,
		string(notification().with(members{"Message": secret, "Subject": secret, "Signature": "AAAA"}).json(t)),
		string(notification().with(members{"MessageId": secret}).json(t)),
		string(notification().with(members{"Timestamp": secret}).json(t)),
		string(notification().with(members{"TopicArn": secret}).json(t)),
		string(confirmation("SubscriptionConfirmation").with(members{"Token": secret}).json(t)),
	} {
		_, err := o.Open(t.Context(), []byte(envelope))
		if err == nil || strings.Contains(err.Error(), "Müller") {
			t.Errorf("%s: %v", envelope, err)
		}
	}
}

func TestConfirmationGoesToTheTopicsHostOnly(t *testing.T) {
	var asked string
	status := 200
	o := NewOpener(Options{HTTPClient: &http.Client{Transport: host(func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, ".pem") {
			return answer(200, testPEM()), nil
		}
		asked = r.Method + " " + r.URL.String()
		if status == 0 {
			return nil, errors.New("connection refused")
		}
		return answer(status, []byte("<ConfirmSubscriptionResponse/>")), nil
	})}})
	m, err := o.Open(t.Context(), confirmation("SubscriptionConfirmation").sign(t, testKey()).json(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Confirm(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	want := "GET https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=2336412f37fb687f5d51e6e2425c464de&TopicArn=arn%3Aaws%3Asns%3Aeu-west-1%3A291180941288%3AA3BXB0YN3XH17H"
	if asked != want {
		t.Errorf("asked %s, want %s", asked, want)
	}
	for code, reason := range map[int]string{
		0: "confirmation_unavailable", 500: "confirmation_unavailable", 503: "confirmation_unavailable",
		429: "confirmation_unavailable", 408: "confirmation_unavailable", 302: "confirmation_unavailable",
		400: "confirmation_refused", 403: "confirmation_refused", 404: "confirmation_refused",
	} {
		status = code
		err := o.Confirm(t.Context(), m)
		if Reason(err) != reason || Unavailable(err) != (reason == "confirmation_unavailable") || Forged(err) {
			t.Errorf("status %d: %v", code, err)
		}
		if strings.Contains(err.Error(), m.Token) {
			t.Errorf("the error contains the token: %v", err)
		}
	}
}

func TestOnlyAnOpenedConfirmationIsConfirmed(t *testing.T) {
	o, requests := serve(testPEM(), Options{})
	opened := func(m members) Message {
		message, err := o.Open(t.Context(), m.sign(t, testKey()).json(t))
		if err != nil {
			t.Fatal(err)
		}
		return message
	}
	for name, m := range map[string]Message{
		"not opened":   {Type: SubscriptionConfirmation, TopicARN: testTopic, Token: "x"},
		"notification": opened(notification()),
		"end":          opened(confirmation("UnsubscribeConfirmation")),
	} {
		before := requests.Load()
		if err := o.Confirm(t.Context(), m); Reason(err) != "confirmation_refused" {
			t.Errorf("%s: %v", name, err)
		}
		if requests.Load() != before {
			t.Errorf("%s: SNS was asked", name)
		}
	}
}

func TestErrorsOfOthersHaveNoReason(t *testing.T) {
	for _, err := range []error{nil, io.EOF} {
		if Reason(err) != "" || Forged(err) || Unavailable(err) {
			t.Errorf("%v has a reason", err)
		}
	}
	if wrapped := fmt.Errorf("account main: %w", fail(reasonSignature, "x")); !Forged(wrapped) {
		t.Error("wrapping hides the answer")
	}
}
