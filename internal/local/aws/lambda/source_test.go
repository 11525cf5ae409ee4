package lambda

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"walletsync/internal/local/aws/sqs"
)

func TestPartialBatchResponsesByLambdasRules(t *testing.T) {
	batch := []sqs.Message{{ID: "1"}, {ID: "2"}}
	for _, c := range []struct {
		answer string
		failed map[string]bool
		ok     bool
	}{
		{`{"batchItemFailures":[]}`, map[string]bool{}, true},
		{`{"batchItemFailures":null}`, map[string]bool{}, true},
		{`{}`, map[string]bool{}, true},
		{`null`, map[string]bool{}, true},
		{`{"batchItemFailures":[{"itemIdentifier":"2"}]}`, map[string]bool{"2": true}, true},
		{`{"batchItemFailures":[{"itemIdentifier":"3"}]}`, nil, false},
		{`{"batchItemFailures":[{"itemIdentifier":""}]}`, nil, false},
		{`{"batchItemFailures":[{"itemIdentifier":null}]}`, nil, false},
		{`{"batchItemFailures":[{"id":"1"}]}`, nil, false},
		{`"done"`, nil, false},
		{`{`, nil, false},
	} {
		failed, ok := failures([]byte(c.answer), batch)
		if d := cmp.Diff(c.failed, failed); d != "" || ok != c.ok {
			t.Errorf("%s: %v, %s", c.answer, ok, d)
		}
	}
}

func TestABatchOverTenNeedsAWindow(t *testing.T) {
	for _, s := range []QueueSource{{BatchSize: 11}, {BatchSize: 11, Window: 999 * time.Millisecond}, {BatchSize: 10001, Window: time.Second}, {BatchSize: -1}} {
		if err := s.Run(t.Context()); err == nil {
			t.Errorf("%+v ran", s)
		}
	}
}

func TestRequestsBecomeEventsOfFormatTwo(t *testing.T) {
	const key = "POST /ipn/{account}/{secret}"
	for _, c := range []struct {
		contentType, body, want string
		base64                  bool
	}{
		{"text/plain; charset=UTF-8", "hello", "hello", false},
		{"application/json", "{}", "{}", false},
		{"application/octet-stream", "hello", "aGVsbG8=", true},
		{"", "hello", "aGVsbG8=", true},
		{"text/plain", "\xff", "/w==", true},
	} {
		mux := http.NewServeMux()
		mux.HandleFunc(key, func(_ http.ResponseWriter, q *http.Request) {
			e := eventOf(q, key, []byte(c.body))
			if e.Body != c.want || e.IsBase64Encoded != c.base64 {
				t.Errorf("%s: %q, base64 %v", c.contentType, e.Body, e.IsBase64Encoded)
			}
			if e.Version != "2.0" || e.RouteKey != key || e.RawPath != "/ipn/main/a b" || e.RawQueryString != "x=1&x=2" || e.RequestContext.Stage != "$default" {
				t.Errorf("%+v", e)
			}
			if d := cmp.Diff(map[string]string{"account": "main", "secret": "a b"}, e.PathParameters); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(map[string]string{"x": "1,2"}, e.QueryStringParameters); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff([]string{"a=1", "b=2"}, e.Cookies); d != "" {
				t.Error(d)
			}
			if e.Headers["x-two"] != "1,2" || e.Headers["cookie"] != "" {
				t.Errorf("headers %v", e.Headers)
			}
		})
		q := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/ipn/main/a%20b?x=1&x=2", strings.NewReader(c.body))
		q.Header["X-Two"] = []string{"1", "2"}
		q.Header.Set("Cookie", "a=1; b=2")
		if c.contentType != "" {
			q.Header.Set("Content-Type", c.contentType)
		}
		mux.ServeHTTP(httptest.NewRecorder(), q)
	}
}

func TestAnswersOfBothForms(t *testing.T) {
	for _, c := range []struct {
		answer string
		status int
		body   string
		cookie string
	}{
		{`{"statusCode":201,"headers":{"x-a":"1"},"cookies":["c=1"],"body":"hi"}`, 201, "hi", "c=1"},
		{`{"statusCode":200,"body":"aGk=","isBase64Encoded":true}`, 200, "hi", ""},
		{`{"statusCode":200,"body":"%","isBase64Encoded":true}`, 500, "Internal Server Error", ""},
		{`{"any":"thing"}`, 200, `{"any":"thing"}`, ""},
		{`"text"`, 200, `"text"`, ""},
	} {
		w := httptest.NewRecorder()
		writeAnswer(w, []byte(c.answer))
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.body) || w.Header().Get("Set-Cookie") != c.cookie {
			t.Errorf("%s: %d %s %v", c.answer, w.Code, w.Body, w.Header())
		}
	}
}

func TestNoRouteIsNotFound(t *testing.T) {
	w := httptest.NewRecorder()
	(&Gateway{}).Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/x", nil))
	if w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), `{"message":"Not Found"}`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
