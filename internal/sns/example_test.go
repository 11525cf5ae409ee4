package sns_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"walletsync/internal/sns"
)

// The endpoint of an HTTPS subscription.
func Example() {
	opener := sns.NewOpener(sns.Options{HTTPClient: snsHost()})
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			http.Error(w, "cannot read the body", http.StatusBadRequest)
			return
		}
		message, err := opener.Open(r.Context(), body)
		if err == nil && message.Type == sns.SubscriptionConfirmation && message.TopicARN == "arn:aws:sns:…" {
			err = opener.Confirm(r.Context(), message)
		}
		switch {
		case sns.Unavailable(err):
			http.Error(w, "try again", http.StatusServiceUnavailable)
		case err != nil:
			http.Error(w, sns.Reason(err), http.StatusForbidden)
		default:
			fmt.Fprintln(w, message.Type, "from", message.TopicARN)
		}
	})

	delivery := string(readFile("http-1.json"))
	for _, body := range []string{delivery, strings.Replace(delivery, "B01-0000000-0000000", "B01-0000000-0000001", 1)} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body)))
		fmt.Printf("%d %s\n", w.Code, strings.TrimSpace(w.Body.String()))
	}
	// Output:
	// 200 Notification from arn:aws:sns:eu-west-1:123456789012:walletsync
	// 403 signature
}

// In Lambda's event the envelope is the member Sns of each record. It must
// reach Open as it came: the time stamp of a decoded events.SNSEntity, for one,
// is not written again as it was signed.
func ExampleOpener_Open_lambda() {
	opener := sns.NewOpener(sns.Options{HTTPClient: snsHost()})
	// Lambda writes SigningCertUrl and UnsubscribeUrl.
	entity := strings.ReplaceAll(string(readFile("http-1.json")), "URL", "Url")
	payload := []byte(`{"Records":[{"EventVersion":"1.0","EventSource":"aws:sns","Sns":` + entity + `}]}`)

	var event struct {
		Records []struct{ Sns json.RawMessage }
	}
	if err := json.Unmarshal(payload, &event); err != nil {
		log.Fatal(err)
	}
	for _, record := range event.Records {
		message, err := opener.Open(context.Background(), record.Sns)
		fmt.Println(message.ID != "", err)
	}
	// Output: true <nil>
}

func readFile(name string) []byte {
	b, err := os.ReadFile(filepath.Join("testdata", "moto", name))
	if err != nil {
		log.Fatal(err)
	}
	return b
}

// snsHost stands in for SNS's hosts, so that the examples run anywhere.
func snsHost() *http.Client {
	return &http.Client{Transport: serveFile{}}
}

type serveFile struct{}

func (serveFile) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	_, err := w.Write(readFile("http-1.pem"))
	return w.Result(), err
}
