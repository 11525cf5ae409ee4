package sns

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"walletsync/internal/local/aws/mototest"
)

// moto's SNS (github.com/getmoto/moto) is an implementation by others: it signs
// with version 2, a certificate for each message, and never a subject.

var update = flag.Bool("update", false, "keep the messages that a live moto_server signs in testdata/moto")

// kept are messages as moto delivered them, {name}.json beside the {name}.pem
// that it served for each.
const kept = "testdata/moto"

func TestKeptMotoMessagesOpen(t *testing.T) {
	files, err := filepath.Glob(kept + "/*.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 4 {
		t.Fatalf("%d messages are kept in %s", len(files), kept)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			envelope, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			certificate, err := os.ReadFile(strings.TrimSuffix(file, ".json") + ".pem")
			if err != nil {
				t.Fatal(err)
			}
			checkMoto(t, envelope, certificate)
		})
	}
}

// checkMoto opens the message, and does not once any byte of it has changed
// that is signed.
func checkMoto(t *testing.T, envelope, certificate []byte) Message {
	t.Helper()
	o, _ := serve(certificate, Options{})
	want, err := o.Open(t.Context(), envelope)
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Clone(envelope)
	refused := 0
	for i := range envelope {
		changed[i] ^= 1
		got, err := o.Open(t.Context(), changed)
		if err == nil && got != want {
			t.Errorf("byte %d changed: %+v", i, got)
		}
		if Forged(err) {
			refused++
		}
		changed[i] = envelope[i]
	}
	if signed := len(want.Body) + len(want.ID) + len(want.TopicARN); refused < signed {
		t.Errorf("%d of %d changed bytes were refused, though %d are signed", refused, len(envelope), signed)
	}
	trusted, _ := serve(testPEM(), Options{})
	if _, err := trusted.Open(t.Context(), envelope); !Forged(err) {
		t.Errorf("under another certificate: %v", err)
	}
	return want
}

func TestLiveMotoMessagesOpen(t *testing.T) {
	m := moto(mototest.Start(t))
	topic := m.call(t, "sns", url.Values{"Action": {"CreateTopic"}, "Name": {"walletsync"}}, "TopicArn")

	deliveries := make(chan []byte, 10)
	endpoint := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		deliveries <- body
	}))
	defer endpoint.Close()
	m.call(t, "sns", url.Values{"Action": {"Subscribe"}, "TopicArn": {topic}, "Protocol": {"http"}, "Endpoint": {endpoint.URL}}, "SubscriptionArn")

	queue := m.call(t, "sqs", url.Values{"Action": {"CreateQueue"}, "QueueName": {"walletsync"}}, "QueueUrl")
	queueARN := strings.TrimSuffix(strings.Replace(topic, ":sns:", ":sqs:", 1), ":walletsync") + ":walletsync"
	m.call(t, "sns", url.Values{"Action": {"Subscribe"}, "TopicArn": {topic}, "Protocol": {"sqs"}, "Endpoint": {queueARN}}, "SubscriptionArn")

	for i, text := range []string{
		`{"NotificationType":"STATE_CHANGE","NotificationId":"","ChargePermissionId":"B01-0000000-0000000","NotificationVersion":"V2","ObjectType":"CHARGE_PERMISSION","MerchantID":"A3BXB0YN3XH17H","ObjectId":"B01-0000000-0000000"}`,
		"two lines\nMessageId\nand \"quotes\", \\, <b>, 日本語, \U0001F600",
	} {
		id := m.call(t, "sns", url.Values{"Action": {"Publish"}, "TopicArn": {topic}, "Message": {text}}, "MessageId")
		for by, envelope := range map[string][]byte{
			"http": <-deliveries,
			"sqs":  []byte(m.call(t, "sqs", url.Values{"Action": {"ReceiveMessage"}, "QueueUrl": {queue}}, "Body")),
		} {
			name := fmt.Sprintf("%s-%d", by, i+1)
			t.Run(name, func(t *testing.T) {
				var e struct{ SigningCertURL string }
				if err := json.Unmarshal(envelope, &e); err != nil {
					t.Fatal(err)
				}
				certificate := m.send(t, "sns", http.MethodGet, e.SigningCertURL[strings.LastIndex(e.SigningCertURL, "/"):], "")
				got := checkMoto(t, envelope, certificate)
				if got.Body != text || got.ID != id || got.TopicARN != topic || got.Type != Notification {
					t.Errorf("got %+v", got)
				}
				if *update {
					for suffix, content := range map[string][]byte{".json": envelope, ".pem": certificate} {
						if err := os.WriteFile(filepath.Join(kept, name+suffix), content, 0o644); err != nil {
							t.Fatal(err)
						}
					}
				}
			})
		}
		m.call(t, "sqs", url.Values{"Action": {"PurgeQueue"}, "QueueUrl": {queue}}, "")
	}
}

// moto is the address of a moto_server.
type moto string

// call makes a call of the query protocol and returns the text of one element
// of the answer.
func (m moto) call(t *testing.T, service string, values url.Values, element string) string {
	t.Helper()
	answer := m.send(t, service, http.MethodPost, "/", values.Encode())
	if element == "" {
		return ""
	}
	decoder := xml.NewDecoder(bytes.NewReader(answer))
	for {
		token, err := decoder.Token()
		if err != nil {
			t.Fatalf("no %s in %s", element, answer)
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == element {
			var text string
			if err := decoder.DecodeElement(&text, &start); err != nil {
				t.Fatal(err)
			}
			return text
		}
	}
}

func (m moto) send(t *testing.T, service, method, path, body string) []byte {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, string(m)+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	// moto reads the service and the region from here, and checks nothing.
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=x/20260101/eu-west-1/"+service+"/aws4_request, SignedHeaders=host, Signature=0")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: status %d, %v: %s", method, path, resp.StatusCode, err, answer)
	}
	return answer
}
