package sns

import (
	"bytes"
	"crypto/x509"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// What opens is a message that moto signed, as it was signed, however it was
// written.
func FuzzOpen(f *testing.F) {
	certificates := make(map[string][]byte) // by the path of their URL
	envelopes, err := filepath.Glob(kept + "/*.json")
	if err != nil {
		f.Fatal(err)
	}
	var bodies [][]byte
	for _, file := range envelopes {
		body, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		bodies = append(bodies, body)
		f.Add(body)
		e, err := parse(body)
		if err != nil {
			f.Fatal(err)
		}
		certificates["/"+path.Base(e.certificateURL)], err = os.ReadFile(strings.TrimSuffix(file, ".json") + ".pem")
		if err != nil {
			f.Fatal(err)
		}
	}
	o := NewOpener(Options{HTTPClient: &http.Client{Transport: host(func(r *http.Request) (*http.Response, error) {
		if c, ok := certificates[r.URL.Path]; ok {
			return answer(200, c), nil
		}
		return answer(404, nil), nil
	})}})
	signed := make(map[Message]bool)
	for _, body := range bodies {
		f.Add([]byte(strings.TrimSuffix(strings.TrimSpace(string(body)), "}") + `,"message":"another"}`))
		f.Add([]byte(strings.Replace(string(body), "{", `{"SIGNATURE":"AAAA",`, 1)))
		m, err := o.Open(f.Context(), body)
		if err != nil {
			f.Fatal(err)
		}
		signed[m] = true
	}
	f.Add(confirmation("SubscriptionConfirmation").with(members{"Signature": "AAAA"}).json(f))
	f.Add(confirmation("UnsubscribeConfirmation").with(members{"Signature": "AAAA", "SignatureVersion": "1"}).json(f))
	f.Fuzz(func(t *testing.T, body []byte) {
		switch m, err := o.Open(t.Context(), body); {
		case err == nil && !signed[m]:
			t.Errorf("opened: %+v", m)
		case err != nil && !Forged(err) && !CertificateMissing(err):
			t.Error(err)
		case err != nil && m != (Message{}):
			t.Errorf("%v, and yet %+v", err, m)
		}
	})
}

// An accepted URL is one of the topic's SNS host by net/url's reading too,
// which is what the request goes by.
func FuzzCertificateURL(f *testing.F) {
	f.Add(testTopic, testURL)
	f.Add("arn:aws-cn:sns:cn-north-1:123456789012:t", "https://sns.cn-north-1.amazonaws.com.cn/a/b.pem")
	f.Add("arn:aws:sns:us-west-2:123456789012:t.fifo", "https://sns.s3-us-west-2.amazonaws.com/a.pem")
	f.Add(testTopic, "https://sns.eu-west-1.amazonaws.com:443/a.pem?b#c")
	f.Add(testTopic, `https://sns.eu-west-1.amazonaws.com\@evil.example/a.pem`)
	f.Fuzz(func(t *testing.T, arn, certificateURL string) {
		e, err := parse(notification().with(members{"TopicArn": arn, "SigningCertURL": certificateURL, "Signature": "AAAA"}).json(t))
		if err != nil {
			if !Forged(err) {
				t.Error(err)
			}
			return
		}
		u, err := url.Parse(e.certificateURL)
		if err != nil {
			t.Fatal(err)
		}
		region := strings.Split(e.message.TopicARN, ":")[3]
		host := "sns." + region + ".amazonaws.com"
		if strings.HasPrefix(region, "cn-") {
			host += ".cn"
		}
		if *u != (url.URL{Scheme: "https", Host: host, Path: u.Path}) || path.Ext(u.Path) != ".pem" || path.Clean(u.Path) != u.Path {
			t.Errorf("%q was accepted for %q", certificateURL, arn)
		}
	})
}

func FuzzParseCertificate(f *testing.F) {
	files, err := filepath.Glob(kept + "/*.pem")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
		f.Add(bytes.Repeat(content, 2))
	}
	roots := x509.NewCertPool()
	f.Fuzz(func(t *testing.T, file []byte) {
		c, err := parseCertificate(file, roots)
		if err != nil {
			if c != (certificate{}) {
				t.Errorf("%v, and yet %+v", err, c)
			}
			return
		}
		if bits := c.key.N.BitLen(); bits < 2048 || bits > 8192 {
			t.Errorf("a key of %d bits", bits)
		}
	})
}
