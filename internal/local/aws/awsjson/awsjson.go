// Package awsjson is the server's side of the AWS JSON protocols 1.0 and 1.1,
// as far as the local queue and the local secrets need it: one POST per call,
// the operation named by X-Amz-Target, errors by __type and, for services
// that once spoke the query protocol, by X-Amzn-Query-Error as well
// (Smithy's "AWS JSON 1.0 protocol" and "AWS Query compatible protocol").
//
// Faults are chosen by the test or by the control API, never ambient. Request
// signatures are not checked.
package awsjson

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/google/uuid"
)

// maxRequest bounds a request's body, in bytes: ten messages of 1 MiB
// together may not exceed 1 MiB, and JSON writes a character in six at most.
const maxRequest = 8 << 20

// Error is an answer other than 200, with the names by which the SDK's typed
// errors know it.
type Error struct {
	// Status is the HTTP status.
	Status int
	// Type is the error's shape, such as QueueDoesNotExist.
	Type string
	// QueryCode is its code in the query protocol, such as
	// AWS.SimpleQueueService.NonExistentQueue; empty where the service never
	// spoke it.
	QueryCode string
	Message   string
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s: %s", cmp.Or(e.QueryCode, e.Type), e.Message)
}

// Fault is a chosen misbehaviour of the next calls.
type Fault struct {
	// Operation is the operation that it strikes, such as SendMessage; empty
	// means any.
	Operation string
	// Calls is how many calls it strikes; 0 means all until ClearFaults.
	Calls int
	// Status is answered instead of the result: 500 or 503.
	Status int
	// Applied is which of the two forms of a failed call it is: the call took
	// effect and its answer is lost, or (false) it never happened.
	Applied bool
}

// Operation serves one call. It answers with an *Error where the caller is
// to know more than that the service failed.
type Operation func(r *http.Request, body []byte) (any, error)

// Typed makes an Operation of a function on the request's and the answer's Go
// types.
func Typed[In, Out any](f func(r *http.Request, in In) (Out, error)) Operation {
	return func(r *http.Request, body []byte) (any, error) {
		var in In
		if err := json.Unmarshal(body, &in); err != nil {
			return nil, &Error{Status: http.StatusBadRequest, Type: "SerializationException", Message: "the request is not what the operation takes"}
		}
		return f(r, in)
	}
}

// Empty is the answer of operations that return nothing.
type Empty struct{}

// Service serves operations over HTTP.
type Service struct {
	target     string
	version    string
	operations map[string]Operation

	mu     sync.Mutex
	faults []*Fault
	calls  map[string]int
}

// NewService returns a service for X-Amz-Target "<target>.<operation>" in the
// protocol version "1.0" or "1.1".
func NewService(target, version string, operations map[string]Operation) *Service {
	return &Service{target: target, version: version, operations: operations, calls: map[string]int{}}
}

// Inject adds a fault. Of several that fit a call the oldest strikes.
func (s *Service) Inject(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
}

// ClearFaults removes all faults.
func (s *Service) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// Calls returns how often each operation was called, failed calls included.
func (s *Service) Calls() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.calls)
}

// strike counts the call and returns the fault that strikes it, if any.
func (s *Service) strike(operation string) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[operation]++
	for i, f := range s.faults {
		if f.Operation != "" && f.Operation != operation {
			continue
		}
		switch f.Calls {
		case 0:
		case 1:
			s.faults = append(s.faults[:i], s.faults[i+1:]...)
		default:
			f.Calls--
		}
		return *f
	}
	return Fault{}
}

func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), s.target+".")
	operation := s.operations[name]
	if !ok || operation == nil || r.Method != http.MethodPost {
		s.fail(w, &Error{Status: http.StatusBadRequest, Type: "UnknownOperationException", QueryCode: "InvalidAction", Message: fmt.Sprintf("%s is not served here", r.Header.Get("X-Amz-Target"))})
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		s.fail(w, &Error{Status: http.StatusRequestEntityTooLarge, Type: "RequestEntityTooLargeException", QueryCode: "RequestEntityTooLarge", Message: "the request could not be read"})
		return
	}

	fault := s.strike(name)
	if fault.Status != 0 && !fault.Applied {
		s.refuse(w, fault.Status)
		return
	}
	out, err := operation(r, body)
	switch {
	case fault.Status != 0:
		s.refuse(w, fault.Status)
	case r.Context().Err() != nil:
		// The caller has gone.
	case err != nil:
		s.fail(w, err)
	default:
		s.write(w, http.StatusOK, out)
	}
}

// refuse answers as AWS does when it is itself in trouble.
func (s *Service) refuse(w http.ResponseWriter, status int) {
	switch status {
	case http.StatusServiceUnavailable:
		s.fail(w, &Error{Status: status, Type: "ServiceUnavailable", QueryCode: "ServiceUnavailable", Message: "The service is temporarily unavailable."})
	default:
		s.fail(w, &Error{Status: status, Type: "InternalFailure", QueryCode: "InternalError", Message: "We encountered an internal error. Please try again."})
	}
}

func (s *Service) fail(w http.ResponseWriter, err error) {
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{Status: http.StatusInternalServerError, Type: "InternalFailure", QueryCode: "InternalError", Message: err.Error()}
		if errors.Is(err, context.Canceled) {
			e.Message = "the call was cancelled"
		}
	}
	if e.QueryCode != "" {
		side := "Sender"
		if e.Status >= http.StatusInternalServerError {
			side = "Receiver"
		}
		w.Header().Set("X-Amzn-Query-Error", e.QueryCode+";"+side)
	}
	s.write(w, e.Status, map[string]string{"__type": e.Type, "message": e.Message})
}

func (s *Service) write(w http.ResponseWriter, status int, out any) {
	body, err := json.Marshal(out)
	if err != nil {
		panic(err) // what operations answer always marshals
	}
	w.Header().Set("Content-Type", "application/x-amz-json-"+s.version)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Header().Set("X-Amzn-Requestid", uuid.NewString())
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that is gone needs no answer
}
