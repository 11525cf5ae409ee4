package lambda

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/uuid"
)

// Gateway is an HTTP API with payload format 2.0, as an http.Handler. Routes map
// route keys such as "POST /ipn/{account}/{secret}" or "ANY /console/{proxy+}"
// to functions.
type Gateway struct {
	Routes map[string]*Function
}

// Limits of HTTP APIs ("Quotas for configuring and running an HTTP API").
const (
	gatewayBody    = 10 << 20
	gatewayTimeout = 30 * time.Second
)

// Handler answers requests by the routes.
func (g *Gateway) Handler() http.Handler {
	mux := http.NewServeMux()
	for key, f := range g.Routes {
		mux.HandleFunc(patternOf(key), func(w http.ResponseWriter, q *http.Request) { serve(w, q, key, f) })
	}
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if _, pattern := mux.Handler(q); pattern == "" {
			sayJSON(w, http.StatusNotFound, "Not Found")
			return
		}
		mux.ServeHTTP(w, q)
	})
}

// patternOf is a route key as net/http has it.
func patternOf(key string) string {
	key = strings.TrimPrefix(key, "ANY ")
	return strings.ReplaceAll(key, "+}", "...}")
}

func sayJSON(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": message})
}

func serve(w http.ResponseWriter, q *http.Request, key string, f *Function) {
	body, err := io.ReadAll(http.MaxBytesReader(w, q.Body, gatewayBody))
	if err != nil {
		sayJSON(w, http.StatusRequestEntityTooLarge, "Request Entity Too Large")
		return
	}
	payload, err := json.Marshal(eventOf(q, key, body))
	if err != nil {
		sayJSON(w, http.StatusBadRequest, "Bad Request")
		return
	}
	ctx, cancel := context.WithTimeout(q.Context(), gatewayTimeout)
	defer cancel()
	out, err := f.Invoke(ctx, payload)
	switch {
	case err == nil:
		writeAnswer(w, out)
	case ctx.Err() != nil:
		sayJSON(w, http.StatusServiceUnavailable, "Service Unavailable")
	default:
		sayJSON(w, http.StatusInternalServerError, "Internal Server Error")
	}
}

// eventOf describes a request as an HTTP API does: rawPath is percent-decoded,
// rawQueryString is not. Text types travel as text,
// everything else in base64.
func eventOf(q *http.Request, key string, body []byte) events.APIGatewayV2HTTPRequest {
	now := time.Now().UTC()
	e := events.APIGatewayV2HTTPRequest{
		Version: "2.0", RouteKey: key, RawPath: q.URL.Path, RawQueryString: q.URL.RawQuery,
		Headers: map[string]string{"host": q.Host},
		RequestContext: events.APIGatewayV2HTTPRequestContext{
			RouteKey: key, AccountID: account, Stage: "$default", RequestID: uuid.NewString(), APIID: "local",
			DomainName: q.Host, Time: now.Format("02/Jan/2006:15:04:05 +0000"), TimeEpoch: now.UnixMilli(),
			HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{
				Method: q.Method, Path: q.URL.Path, Protocol: q.Proto, SourceIP: hostOf(q.RemoteAddr), UserAgent: q.UserAgent(),
			},
		},
	}
	for name, values := range q.Header {
		if name == "Cookie" {
			for _, v := range values {
				e.Cookies = append(e.Cookies, strings.Split(v, "; ")...)
			}
			continue
		}
		e.Headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	for name, values := range q.URL.Query() {
		if e.QueryStringParameters == nil {
			e.QueryStringParameters = map[string]string{}
		}
		e.QueryStringParameters[name] = strings.Join(values, ",")
	}
	for _, part := range strings.Split(key, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			if e.PathParameters == nil {
				e.PathParameters = map[string]string{}
			}
			name = strings.TrimRight(name, "+}")
			e.PathParameters[name] = q.PathValue(name)
		}
	}
	if textual(q.Header.Get("Content-Type")) && utf8.Valid(body) {
		e.Body = string(body)
	} else if len(body) > 0 {
		e.Body, e.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	}
	return e
}

func hostOf(addr string) string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return host
}

func textual(contentType string) bool {
	kind, _, _ := strings.Cut(strings.ToLower(contentType), ";")
	switch kind = strings.TrimSpace(kind); kind {
	case "application/json", "application/javascript", "application/xml":
		return true
	}
	return strings.HasPrefix(kind, "text/")
}

// writeAnswer writes what a function answered: the 2.0 form, or any other JSON,
// which is taken for the body ("inferred").
func writeAnswer(w http.ResponseWriter, out []byte) {
	var has struct {
		StatusCode *int `json:"statusCode"`
	}
	var a events.APIGatewayV2HTTPResponse
	if json.Unmarshal(out, &has) != nil || has.StatusCode == nil {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(out)
		return
	}
	if err := json.Unmarshal(out, &a); err != nil {
		sayJSON(w, http.StatusInternalServerError, "Internal Server Error")
		return
	}
	body := []byte(a.Body)
	if a.IsBase64Encoded {
		decoded, err := base64.StdEncoding.DecodeString(a.Body)
		if err != nil {
			sayJSON(w, http.StatusInternalServerError, "Internal Server Error")
			return
		}
		body = decoded
	}
	for name, v := range a.Headers {
		w.Header().Set(name, v)
	}
	for _, c := range a.Cookies {
		w.Header().Add("Set-Cookie", c)
	}
	w.WriteHeader(a.StatusCode)
	_, _ = w.Write(body)
}
