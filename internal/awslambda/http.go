package awslambda

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/rs/zerolog"
)

// maxBody is the limit of a request's body before it is decoded; the features have
// limits of their own. HTTP APIs take up to 10 MB.
const maxBody = 2 << 20

// HTTP answers the events of an HTTP API with an http.Handler.
func HTTP(h http.Handler) Handler {
	return func(ctx context.Context, event json.RawMessage) (any, error) {
		var e events.APIGatewayV2HTTPRequest
		if err := json.Unmarshal(event, &e); err != nil {
			return nil, fmt.Errorf("an HTTP API event: %w", err)
		}
		return serve(ctx, h, e), nil
	}
}

// serve answers the request that an event describes.
func serve(ctx context.Context, h http.Handler, e events.APIGatewayV2HTTPRequest) events.APIGatewayV2HTTPResponse {
	if len(e.Body) > maxBody {
		return refuse(ctx, http.StatusRequestEntityTooLarge, "too_large")
	}
	q, err := request(ctx, e)
	if err != nil { // which may quote the path, and that may hold a secret
		return refuse(ctx, http.StatusBadRequest, "malformed")
	}
	w := &answer{header: http.Header{}}
	h.ServeHTTP(w, q)
	return w.response()
}

// refuse answers an event that is not a valid request.
func refuse(ctx context.Context, status int, reason string) events.APIGatewayV2HTTPResponse {
	zerolog.Ctx(ctx).Warn().Str("outcome", "refused").Str("reason", reason).Int("status", status).Msg("invalid HTTP API event")
	return events.APIGatewayV2HTTPResponse{StatusCode: status}
}

// request builds the request that the event describes.
func request(ctx context.Context, e events.APIGatewayV2HTTPRequest) (*http.Request, error) {
	body := e.Body
	if e.IsBase64Encoded {
		decoded, err := base64.StdEncoding.DecodeString(e.Body)
		if err != nil {
			return nil, fmt.Errorf("body: %w", err)
		}
		body = string(decoded)
	}
	if !strings.HasPrefix(e.RawPath, "/") {
		return nil, errors.New("path: it does not begin with a slash")
	}
	// rawPath arrives percent-decoded; only the query is as the client sent it.
	target := &url.URL{Path: routePath(e), RawQuery: e.RawQueryString}
	q, err := http.NewRequestWithContext(ctx, e.RequestContext.HTTP.Method, "/", strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	q.URL = target
	for name, value := range e.Headers {
		q.Header.Set(name, value)
	}
	for _, c := range e.Cookies {
		q.Header.Add("Cookie", c)
	}
	q.Host = q.Header.Get("Host")
	q.RemoteAddr = e.RequestContext.HTTP.SourceIP
	q.RequestURI = target.RequestURI()
	if a := e.RequestContext.Authorizer; a != nil && a.IAM != nil && a.IAM.UserARN != "" {
		q = q.WithContext(context.WithValue(ctx, callerKey{}, a.IAM.UserARN))
	}
	return q, nil
}

// routePath returns the event's path from where its route begins. A named stage
// stands in front of it in rawPath, and so may the base path of a custom domain;
// sources disagree on which of the two. The route key says what to look for; a
// $default route has no path, so that only the stage is removed.
//
// Source: API Gateway Developer Guide, "Create AWS Lambda proxy integrations for
// HTTP APIs", payload format 2.0.
func routePath(e events.APIGatewayV2HTTPRequest) string {
	if _, route, ok := strings.Cut(e.RouteKey, " "); ok {
		if path, ok := cutBasePath(e.RawPath, route); ok {
			return path
		}
	}
	stage := e.RequestContext.Stage
	if rest, ok := strings.CutPrefix(e.RawPath, "/"+stage); ok && stage != "" && strings.HasPrefix(rest, "/") {
		return rest
	}
	return e.RawPath
}

// cutBasePath returns the first part of path that matches the route, up to the
// end of path. A route is of literal segments and {variables}; the last may be
// a greedy {variable+}.
func cutBasePath(path, route string) (string, bool) {
	given, wanted := strings.Split(path, "/")[1:], strings.Split(route, "/")[1:]
	greedy := strings.HasSuffix(route, "+}")
	for i := 0; i+len(wanted) <= len(given); i++ {
		if !greedy && i+len(wanted) != len(given) {
			continue
		}
		matches := true
		for j, segment := range wanted {
			matches = matches && (strings.HasPrefix(segment, "{") && given[i+j] != "" || segment == given[i+j])
		}
		if matches {
			return "/" + strings.Join(given[i:], "/"), true
		}
	}
	return "", false
}

type callerKey struct{}

// Caller returns the ARN of the caller that the HTTP API's IAM authorizer let
// through, empty if the route has no authorizer.
func Caller(q *http.Request) string {
	arn, _ := q.Context().Value(callerKey{}).(string)
	return arn
}

// answer is an http.ResponseWriter that keeps the response.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= http.StatusOK { // the others are interim
		a.status = status
	}
}

func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(b)
}

func (a *answer) response() events.APIGatewayV2HTTPResponse {
	a.WriteHeader(http.StatusOK)
	out := events.APIGatewayV2HTTPResponse{StatusCode: a.status, Headers: map[string]string{}}
	for name, values := range a.header {
		if name == "Set-Cookie" {
			out.Cookies = values
			continue
		}
		out.Headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	if text(a.header.Get("Content-Type")) {
		out.Body = a.body.String()
	} else if a.body.Len() > 0 {
		out.Body, out.IsBase64Encoded = base64.StdEncoding.EncodeToString(a.body.Bytes()), true
	}
	return out
}

func text(contentType string) bool {
	return strings.HasPrefix(contentType, "text/") || strings.HasPrefix(contentType, "application/json") ||
		strings.HasPrefix(contentType, "application/problem+json")
}
