// Package bus is an EventBridge for laptops and tests: it takes PutEvents, and
// keeps what it took. Faults are those of package awsjson, in both forms; an
// entry is refused alone by Refuse.
package bus

import (
	"net/http"
	"slices"
	"strconv"
	"sync"

	"walletsync/internal/local/aws/awsjson"
)

// Event is an entry of PutEvents. The names are EventBridge's.
type Event struct {
	EventBusName string
	Source       string
	DetailType   string
	Detail       string
}

// Server is a running bus.
type Server struct {
	*awsjson.Service

	mu     sync.Mutex
	events []Event
	refuse func(Event) bool
}

// entryLimit is how many PutEvents takes ("PutEvents", API reference).
const entryLimit = 10

// New returns a bus without events.
func New() *Server {
	s := &Server{}
	s.Service = awsjson.NewService("AWSEvents", "1.1", map[string]awsjson.Operation{"PutEvents": awsjson.Typed(s.put)})
	return s
}

// Events returns what was taken so far, in order.
func (s *Server) Events() []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events)
}

// Refuse has entries refused, as EventBridge does one by one when it is itself in
// trouble; nil: none.
func (s *Server) Refuse(f func(Event) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = f
}

type result struct {
	EventID      string `json:"EventId,omitempty"`
	ErrorCode    string `json:",omitempty"`
	ErrorMessage string `json:",omitempty"`
}

type answer struct {
	FailedEntryCount int
	Entries          []result
}

func (s *Server) put(_ *http.Request, in struct{ Entries []Event }) (answer, error) {
	if n := len(in.Entries); n == 0 || n > entryLimit {
		return answer{}, &awsjson.Error{Status: http.StatusBadRequest, Type: "ValidationException",
			Message: "PutEvents takes 1 to 10 entries, not " + strconv.Itoa(n)}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var out answer
	for _, e := range in.Entries {
		switch {
		case e.Source == "" || e.DetailType == "" || e.Detail == "":
			out.FailedEntryCount++
			out.Entries = append(out.Entries, result{ErrorCode: "InvalidArgument", ErrorMessage: "Source, DetailType and Detail are needed."})
		case s.refuse != nil && s.refuse(e):
			out.FailedEntryCount++
			out.Entries = append(out.Entries, result{ErrorCode: "InternalFailure", ErrorMessage: "Unexpected error."})
		default:
			s.events = append(s.events, e)
			out.Entries = append(out.Entries, result{EventID: strconv.Itoa(len(s.events))})
		}
	}
	return out, nil
}
