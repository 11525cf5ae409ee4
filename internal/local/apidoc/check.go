package apidoc

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
)

// Checker holds requests and answers to a description.
type Checker struct {
	Document *openapi3.T
	router   routers.Router
}

// NewChecker returns the checker of a description's file, which it validates.
func NewChecker(file []byte) (*Checker, error) {
	doc, err := openapi3.NewLoader().LoadFromData(file)
	if err != nil {
		return nil, err
	}
	doc.Servers = nil // the API is looked at wherever it is
	router, err := legacy.NewRouter(doc)
	if err != nil {
		return nil, err
	}
	return &Checker{doc, router}, nil
}

func (c *Checker) input(q *http.Request, body []byte) (*openapi3filter.RequestValidationInput, error) {
	route, parameters, err := c.router.FindRoute(q)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", q.Method, q.URL.Path, err)
	}
	q = q.Clone(q.Context())
	q.Body = io.NopCloser(bytes.NewReader(body))
	return &openapi3filter.RequestValidationInput{
		Request: q, PathParams: parameters, Route: route, Options: &openapi3filter.Options{
			AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true, MultiError: true, SkipSettingDefaults: true,
		},
	}, nil
}

// Request returns what in a request is not as described.
func (c *Checker) Request(ctx context.Context, q *http.Request, body []byte) error {
	in, err := c.input(q, body)
	if err != nil {
		return err
	}
	return openapi3filter.ValidateRequest(ctx, in)
}

// Answer returns what in the answer to a request is not as described.
func (c *Checker) Answer(ctx context.Context, q *http.Request, status int, header http.Header, body []byte) error {
	in, err := c.input(q, nil)
	if err != nil {
		return err
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: status, Header: header, Options: in.Options}
	if err := openapi3filter.ValidateResponse(ctx, out.SetBodyBytes(body)); err != nil {
		return fmt.Errorf("the answer %d is not as described: %w", status, err)
	}
	return codeDescribed(in.Route.Operation.Responses.Status(status), body)
}

// codeDescribed returns an error if an answer's code is none of those that are
// described.
func codeDescribed(r *openapi3.ResponseRef, body []byte) error {
	if r == nil || r.Value.Extensions[codesExtension] == nil {
		return nil
	}
	var p struct {
		Code any `json:"code"`
	}
	if err := json.Unmarshal(body, &p); err != nil {
		return err
	}
	if codes, _ := r.Value.Extensions[codesExtension].([]any); !slices.Contains(codes, p.Code) {
		return fmt.Errorf("the code %v is none of %v", p.Code, codes)
	}
	return nil
}
