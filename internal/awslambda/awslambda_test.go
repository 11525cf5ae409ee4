package awslambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"walletsync/internal/ipn"
)

func event(t *testing.T, v any) json.RawMessage {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAnHTTPEventIsTheRequestThatItDescribes(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /ipn/{account}/{secret}", func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "1"})
		http.SetCookie(w, &http.Cookie{Name: "b", Value: "2"})
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusAccepted)
		c, _ := q.Cookie("seen")
		fmt.Fprintf(w, "%s %s %s %s %s %s", q.PathValue("account"), q.PathValue("secret"), q.URL.Query().Get("x"), q.Header.Get("X-Amz-Sns-Message-Type"), c.Value, body)
	})
	e := events.APIGatewayV2HTTPRequest{
		Version: "2.0", RawPath: "/ipn/main/50% sure?", RawQueryString: "x=1%202", Body: "aGVsbG8=", IsBase64Encoded: true,
		Headers: map[string]string{"x-amz-sns-message-type": "Notification", "host": "example.com"}, Cookies: []string{"seen=yes"},
	}
	e.RequestContext.HTTP.Method = http.MethodPost
	got, err := HTTP(mux)(t.Context(), event(t, e))
	if err != nil {
		t.Fatal(err)
	}
	want := events.APIGatewayV2HTTPResponse{StatusCode: 202, Headers: map[string]string{"content-type": "text/plain"},
		Body: "main 50% sure? 1 2 Notification yes hello", Cookies: []string{"a=1", "b=2"}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestTheRouteIsFoundBehindAStageOrBasePath has one answer for all functions:
// what API Gateway leaves in front of the route's path is not the handler's.
func TestTheRouteIsFoundBehindAStageOrBasePath(t *testing.T) {
	for name, c := range map[string]struct{ route, stage, path, want string }{
		"default stage":                        {"POST /ipn/{account}/{secret}", "$default", "/ipn/main/s", "/ipn/main/s"},
		"named stage":                          {"POST /ipn/{account}/{secret}", "prod", "/prod/ipn/main/s", "/ipn/main/s"},
		"base path of a domain":                {"POST /ipn/{account}/{secret}", "$default", "/pay/ipn/main/s", "/ipn/main/s"},
		"base path of several segments":        {"POST /ipn/{account}/{secret}", "$default", "/shop/pay/ipn/main/s", "/ipn/main/s"},
		"base path, then the stage":            {"GET /return", "prod", "/pay/prod/return", "/return"},
		"account with the route's own name":    {"POST /ipn/{account}/{secret}", "$default", "/ipn/ipn/s", "/ipn/ipn/s"},
		"base path with the route's own name":  {"POST /ipn/{account}/{secret}", "$default", "/ipn/ipn/main/s", "/ipn/main/s"},
		"greedy route":                         {"ANY /console/{proxy+}", "prod", "/prod/console/lists/stale", "/console/lists/stale"},
		"greedy route at the top":              {"ANY /console/{proxy+}", "$default", "/console/lists/stale", "/console/lists/stale"},
		"default route behind a named stage":   {"$default", "prod", "/prod/update", "/update"},
		"default route of the default stage":   {"$default", "$default", "/update", "/update"},
		"a segment that begins like the stage": {"$default", "prod", "/product/update", "/product/update"},
		"no route key, as invoked by hand":     {"", "", "/update", "/update"},
		"not the route":                        {"GET /return", "$default", "/other", "/other"},
	} {
		t.Run(name, func(t *testing.T) {
			var got string
			e := events.APIGatewayV2HTTPRequest{RouteKey: c.route, RawPath: c.path}
			e.RequestContext.Stage = c.stage
			h := HTTP(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) { got = q.URL.Path }))
			if _, err := h(t.Context(), event(t, e)); err != nil || got != c.want {
				t.Errorf("%q, %v; want %q", got, err, c.want)
			}
		})
	}
}

func TestHTTPEventsThatAreNotFit(t *testing.T) {
	h := HTTP(http.NotFoundHandler())
	for name, c := range map[string]struct {
		event  events.APIGatewayV2HTTPRequest
		status int
	}{
		"not base64":  {events.APIGatewayV2HTTPRequest{RawPath: "/", Body: "%", IsBase64Encoded: true}, 400},
		"not a path":  {events.APIGatewayV2HTTPRequest{RawPath: "x"}, 400},
		"too large":   {events.APIGatewayV2HTTPRequest{RawPath: "/", Body: strings.Repeat("x", maxBody+1)}, 413},
		"not a route": {events.APIGatewayV2HTTPRequest{RawPath: "/"}, 404},
	} {
		got, err := h(t.Context(), event(t, c.event))
		if err != nil || got.(events.APIGatewayV2HTTPResponse).StatusCode != c.status {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestSNSRecordsReachTheReceiverUnchanged(t *testing.T) {
	const record = `{"Type": "Notification",  "Subject": null, "SigningCertUrl":"u"}`
	body := json.RawMessage(`{"Records":[{"EventSource":"aws:sns","Sns":` + record + `}]}`)
	var got []string
	var answer error
	h := HTTPOrSNS(http.NotFoundHandler(), func(_ context.Context, e []byte) error {
		got = append(got, string(e))
		return answer
	})
	if _, err := h(t.Context(), body); err != nil || len(got) != 1 || got[0] != record {
		t.Errorf("%q, %v", got, err)
	}
	answer = errors.New("our own trouble")
	if _, err := h(t.Context(), body); err == nil {
		t.Error("our own trouble would lose the record")
	}
	if _, err := h(t.Context(), json.RawMessage(`{"Records":[{"EventSource":"aws:s3"}]}`)); err == nil {
		t.Error("took an event of another source")
	}
	e := events.APIGatewayV2HTTPRequest{RawPath: "/"}
	if got, err := h(t.Context(), event(t, e)); err != nil || got.(events.APIGatewayV2HTTPResponse).StatusCode != 404 {
		t.Errorf("an HTTP event: %+v, %v", got, err)
	}
}

func TestOnlyWhatFailedIsReported(t *testing.T) {
	e := events.SQSEvent{Records: []events.SQSMessage{
		{MessageId: "1", Body: "a", Attributes: map[string]string{"ApproximateReceiveCount": "3"}},
		{MessageId: "2", Body: "b"},
	}}
	var got []ipn.Delivery
	h := Batch(func(_ context.Context, d []ipn.Delivery) []string { got = d; return []string{"2"} })
	answer, err := h(t.Context(), event(t, e))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]ipn.Delivery{{ID: "1", Body: "a", Receives: 3}, {ID: "2", Body: "b", Receives: 1}}, got); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(`{"batchItemFailures":[{"itemIdentifier":"2"}]}`, string(event(t, answer))); d != "" {
		t.Error(d)
	}
	none, _ := Batch(func(context.Context, []ipn.Delivery) []string { return nil })(t.Context(), event(t, e))
	if d := cmp.Diff(`{"batchItemFailures":[]}`, string(event(t, none))); d != "" {
		t.Error(d)
	}
}

func TestAPanicFailsItsInvocationAlone(t *testing.T) {
	var log strings.Builder
	_, err := invoke(t.Context(), zerolog.New(&log), nil, func(context.Context, json.RawMessage) (any, error) { panic("a name and an address") }, nil)
	if err == nil || strings.Contains(err.Error(), "address") || strings.Contains(log.String(), "a name and an address") {
		t.Errorf("%v; log %s", err, log.String())
	}
}

// TestTheContextEndsWhileThereIsTimeToAnswer: Lambda ends the process at the
// deadline that it announces.
func TestTheContextEndsWhileThereIsTimeToAnswer(t *testing.T) {
	const s = time.Second
	for announced, want := range map[time.Duration]time.Duration{30 * s: 28 * s, 10 * s: 8 * s, 3 * s: 1500 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), announced)
			defer cancel()
			began := time.Now()
			answer, err := invoke(ctx, zerolog.Nop(), nil, func(ctx context.Context, _ json.RawMessage) (any, error) {
				<-ctx.Done() // as a silent dependency makes it
				return "our own answer", nil
			}, nil)
			if took := time.Since(began); err != nil || answer != "our own answer" || took != want {
				t.Errorf("of %v it had %v: %v, %v", announced, took, answer, err)
			}
		})
	}
}

func TestAScheduleRunsWhateverItsEventSays(t *testing.T) {
	broken := errors.New("broken")
	for _, event := range []string{`{"detail-type":"Scheduled Event"}`, `{}`, `null`} {
		ran := 0
		h := Schedule(func(context.Context) error { ran++; return broken })
		if _, err := h(t.Context(), json.RawMessage(event)); !errors.Is(err, broken) || ran != 1 {
			t.Errorf("%s: %v after %d runs", event, err, ran)
		}
	}
}

func TestCallerIsWhomTheIAMAuthorizerLetThrough(t *testing.T) {
	const arn = "arn:aws:iam::123456789012:user/shop"
	for authorizer, want := range map[string]string{
		``: "",
		`,"authorizer":{"iam":{"userArn":"` + arn + `"}}`:   arn,
		`,"authorizer":{"jwt":{"claims":{"sub":"me"}}}`:     "",
		`,"authorizer":{"lambda":{"iam":{"userArn":"me"}}}`: "",
	} {
		var got string
		h := HTTP(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) { got = Caller(q) }))
		event := `{"rawPath":"/update-sessions","headers":{"x-amzn-iam-user-arn":"forged"},"requestContext":{"http":{"method":"POST"}` + authorizer + `}}`
		if _, err := h(t.Context(), json.RawMessage(event)); err != nil || got != want {
			t.Errorf("%s: %q, %v", authorizer, got, err)
		}
	}
}
