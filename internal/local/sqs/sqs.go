// Package sqs is a standard queue service for laptops, tests and benchmarks.
// It speaks the wire protocol of the AWS SDK, so production code runs
// unchanged against it, with AWS_ENDPOINT_URL_SQS alone.
//
// It holds to Amazon's documentation (Amazon SQS API Reference and Developer
// Guide): visibility time-outs, receive counts, delays, retention, receipt
// handles, checksums, batch rules, dead-letter queues and their redrive, and
// the errors by which the SDK knows them. One contract suite holds it and
// moto to the same claims.
//
// Not modelled: FIFO queues (refused), request signatures and policies,
// encryption, fair queues, tags, eventual consistency of attributes and
// counts. Messages are delivered in the order in which they became visible,
// where Amazon promises none, and a short poll finds whatever is there.
//
// A Queue works without HTTP too, so tests can run it in a synctest bubble and
// an event source can poll it in the same process.
package sqs

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"walletsync/internal/local/sqs/awsjson"
)

// Error is what the service refuses with.
type Error = awsjson.Error

// Fault is a chosen misbehaviour of calls over HTTP.
type Fault = awsjson.Fault

// Cut as a Fault's status closes the connection without an answer.
const Cut = awsjson.Cut

// Options of a Server; the zero value is usable.
type Options struct {
	// Region and Account appear in ARNs and URLs; empty means eu-west-1 and
	// 000000000000.
	Region  string
	Account string
	// Now is the clock; nil means time.Now. Waiting (long polls, a fault's
	// delay) always uses package time, so with a clock of one's own one
	// receives without waiting.
	Now func() time.Time
	// NewID makes message ids; nil means random UUIDs.
	NewID func() string
}

// Server is the queue service of one account in one region, and its HTTP
// handler. It is safe for concurrent use.
type Server struct {
	*awsjson.Service

	region, account string
	now             func() time.Time
	newID           func() string

	mu     sync.Mutex // guards all queues: a message may move between them
	queues map[string]*Queue
	tasks  []moveTask
}

// New returns a service without queues.
func New(o Options) *Server {
	s := &Server{
		region:  cmp.Or(o.Region, "eu-west-1"),
		account: cmp.Or(o.Account, "000000000000"),
		now:     o.Now,
		newID:   o.NewID,
		queues:  map[string]*Queue{},
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.newID == nil {
		s.newID = uuid.NewString
	}
	s.Service = awsjson.NewService("AmazonSQS", "1.0", s.operations())
	return s
}

// queueName is the API reference's rule for CreateQueue's QueueName.
var queueName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

func checkName(name string) error {
	if strings.HasSuffix(name, ".fifo") {
		return invalidParameter("FIFO queues are not served here: %s", name)
	}
	if !queueName.MatchString(name) {
		return invalidParameter("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
	}
	return nil
}

// CreateQueue creates a queue; if one of that name exists with the same
// settings, it is returned.
func (s *Server) CreateQueue(name string, settings Settings) (*Queue, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if err := settings.check(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if q := s.queues[name]; q != nil {
		if q.settings != settings {
			return nil, &Error{Status: 400, Type: "QueueNameExists", QueryCode: "QueueAlreadyExists", Message: "A queue already exists with the same name and a different value for an attribute"}
		}
		return q, nil
	}
	now := s.now()
	q := &Queue{
		server:   s,
		name:     name,
		settings: settings,
		inert:    map[string]string{"SqsManagedSseEnabled": "true"},
		created:  now,
		modified: now,
		entries:  map[string]*entry{},
		changed:  make(chan struct{}),
	}
	s.queues[name] = q
	return q, nil
}

// Queue returns the queue of that name, or nil.
func (s *Server) Queue(name string) *Queue {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queues[name]
}

// Queues returns all queues, by name.
func (s *Server) Queues() []*Queue {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*Queue, 0, len(s.queues))
	for _, q := range s.queues {
		all = append(all, q)
	}
	slices.SortFunc(all, func(a, b *Queue) int { return strings.Compare(a.name, b.name) })
	return all
}

// byARN returns the queue of that ARN, or nil. The caller holds s.mu.
func (s *Server) byARN(arn string) *Queue {
	for _, q := range s.queues {
		if q.ARN() == arn {
			return q
		}
	}
	return nil
}

func invalidParameter(format string, args ...any) *Error {
	return &Error{Status: 400, Type: "InvalidParameterValueException", QueryCode: "InvalidParameterValue", Message: fmt.Sprintf(format, args...)}
}
