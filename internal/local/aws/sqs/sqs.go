// Package sqs is a standard queue service for laptops, tests and benchmarks.
// It speaks the wire protocol of the AWS SDK, so production code runs
// unchanged against it, with AWS_ENDPOINT_URL_SQS alone.
//
// It serves the operations that walletsync, its tests and its runbook use, and
// holds to Amazon's documentation in them (Amazon SQS API Reference and
// Developer Guide): visibility time-outs, receive counts, delays, retention,
// receipt handles, batch rules, dead-letter queues and their redrive, and the
// errors by which the SDK knows them. One contract suite holds it and moto to
// the same claims.
//
// Not modelled: every other operation and attribute, FIFO queues, request
// signatures and policies, binary message attributes, checksums of message
// attributes, the limit of messages in flight. Messages are delivered in the
// order in which they became visible, where Amazon promises none, and a short
// poll finds every visible message.
//
// A Queue works without HTTP too: an event source polls it in the same process.
package sqs

import (
	"errors"
	"fmt"
	"regexp"
	"sync"
	"time"

	"walletsync/internal/local/aws/awsjson"
)

// Region and account of the service, as ARNs and URLs have them.
const (
	Region  = "eu-west-1"
	account = "000000000000"
)

// Options of a Server; the zero value is usable.
type Options struct {
	// Now is the clock; nil means time.Now. A long poll always waits by
	// package time.
	Now func() time.Time
}

// Server is the queue service of one account in one region, and its HTTP
// handler. It is safe for concurrent use.
type Server struct {
	*awsjson.Service
	now func() time.Time

	mu     sync.Mutex // guards all queues: a message may move between them
	queues map[string]*Queue
}

// New returns a service without queues.
func New(o Options) *Server {
	s := &Server{now: o.Now, queues: map[string]*Queue{}}
	if s.now == nil {
		s.now = time.Now
	}
	s.Service = awsjson.NewService("AmazonSQS", "1.0", s.operations())
	return s
}

// Settings are a queue's attributes, in whole seconds.
type Settings struct {
	VisibilityTimeout time.Duration // 0 to 12 h
	Retention         time.Duration // 1 min to 14 days

	// DeadLetters gets the messages that were received MaxReceives times
	// (1 to 1,000) from this queue and not deleted; nil means none.
	DeadLetters *Queue
	MaxReceives int

	Unencrypted bool // reported by SqsManagedSseEnabled, and no more
}

// DefaultSettings are those of a queue created without attributes.
func DefaultSettings() Settings {
	return Settings{VisibilityTimeout: 30 * time.Second, Retention: 4 * 24 * time.Hour}
}

const (
	// maximumSize of a message, in bytes (API reference, SendMessage).
	maximumSize = 1 << 20
	// maximumVisibility is how long a message may be in flight (API
	// reference, ChangeMessageVisibility).
	maximumVisibility = 12 * time.Hour
	maximumDelay      = 15 * time.Minute
	maximumWait       = 20 * time.Second
)

// check holds settings to the API reference's CreateQueue.
func (s Settings) check() error {
	switch {
	case s.VisibilityTimeout < 0 || s.VisibilityTimeout > maximumVisibility:
		return errors.New("sqs: VisibilityTimeout is 0 to 12 hours")
	case s.Retention < time.Minute || s.Retention > 14*24*time.Hour:
		return errors.New("sqs: MessageRetentionPeriod is a minute to 14 days")
	case s.DeadLetters != nil && (s.MaxReceives < 1 || s.MaxReceives > 1000):
		return errors.New("sqs: maxReceiveCount is 1 to 1,000")
	}
	return nil
}

// queueName is the API reference's rule for CreateQueue's QueueName.
var queueName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

// CreateQueue creates a queue.
func (s *Server) CreateQueue(name string, settings Settings) (*Queue, error) {
	if !queueName.MatchString(name) {
		return nil, fmt.Errorf("sqs: %q is not 1 to 80 letters, digits, - and _", name)
	}
	if err := settings.check(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.queues[name] != nil {
		return nil, fmt.Errorf("sqs: there is a queue %s already", name)
	}
	q := &Queue{server: s, name: name, settings: settings, byID: map[string]*entry{}, changed: make(chan struct{})}
	s.queues[name] = q
	return q, nil
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

// refuse returns an error of the API. The query code is the same as the type
// but where the API once had another.
func refuse(kind, format string, args ...any) *awsjson.Error {
	e := &awsjson.Error{Status: 400, Type: kind, QueryCode: kind, Message: fmt.Sprintf(format, args...)}
	switch kind {
	case "QueueDoesNotExist":
		e.QueryCode = "AWS.SimpleQueueService.NonExistentQueue"
	case "InvalidParameterValueException":
		e.QueryCode = "InvalidParameterValue"
	case "MissingRequiredParameterException":
		e.QueryCode = "MissingParameter"
	case "PurgeQueueInProgress", "EmptyBatchRequest", "TooManyEntriesInBatchRequest", "InvalidBatchEntryId", "BatchEntryIdsNotDistinct":
		e.QueryCode = "AWS.SimpleQueueService." + kind
	}
	return e
}

func invalidParameter(format string, args ...any) *awsjson.Error {
	return refuse("InvalidParameterValueException", format, args...)
}
