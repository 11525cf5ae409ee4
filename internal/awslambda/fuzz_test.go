package awslambda

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"walletsync/internal/ipn"
)

func FuzzHTTPOrSNS(f *testing.F) {
	for _, s := range []string{
		`{"version":"2.0","routeKey":"POST /ipn/{account}/{secret}","rawPath":"/prod/ipn/main/50% sure?","rawQueryString":"a=1","cookies":["a=1"],"headers":{"content-type":"text/plain"},"requestContext":{"stage":"prod","http":{"method":"POST","sourceIp":"192.0.2.1"}},"body":"aGk=","isBase64Encoded":true}`,
		`{"rawPath":"/","body":"%","isBase64Encoded":true}`,
		`{"Records":[{"EventSource":"aws:sns","Sns":{"Type":"Notification",  "Subject":null}}]}`,
		`{"Records":[{"EventSource":"aws:s3"}]}`, `{"Records":null}`, `null`, `[]`, `{"requestContext":{"http":{"method":"A B"}},"rawPath":"/"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, event []byte) {
		h := HTTPOrSNS(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
			if b, err := io.ReadAll(q.Body); err != nil || len(b) > maxBody {
				t.Errorf("a body of %d bytes, %v", len(b), err)
			}
			if q.URL == nil || q.Header == nil {
				t.Error("half a request")
			}
		}), func(_ context.Context, envelope []byte) error {
			if len(envelope) > 0 && !bytes.Contains(event, envelope) {
				t.Errorf("the envelope %s is not as it came", envelope)
			}
			return nil
		})
		answer, err := h(t.Context(), event)
		if err != nil {
			return
		}
		if a, isHTTP := answer.(events.APIGatewayV2HTTPResponse); isHTTP && (a.StatusCode < 200 || a.StatusCode > 599) {
			t.Errorf("status %d", a.StatusCode)
		}
		if _, err := json.Marshal(answer); err != nil {
			t.Errorf("an answer that cannot be written: %v", err)
		}
	})
}

func FuzzBatch(f *testing.F) {
	for _, s := range []string{
		`{"Records":[{"messageId":"1","body":"a","attributes":{"ApproximateReceiveCount":"3"}},{"messageId":"2","body":"b"}]}`,
		`{"Records":[{"messageId":"1","attributes":{"ApproximateReceiveCount":"-1"}}]}`, `{"Records":null}`, `null`, `[]`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, event []byte) {
		var given []string
		h := Batch(func(_ context.Context, all []ipn.Delivery) (ids []string) {
			for _, d := range all {
				given = append(given, d.ID)
			}
			return given
		})
		answer, err := h(t.Context(), event)
		if err != nil {
			return
		}
		var reported []string
		for _, failure := range answer.(events.SQSEventResponse).BatchItemFailures {
			reported = append(reported, failure.ItemIdentifier)
		}
		if !slices.Equal(given, reported) {
			t.Errorf("failed %q, reported %q", given, reported)
		}
	})
}
