package sqs

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// Settings are a queue's attributes, with the limits of the API reference's
// CreateQueue. Durations have whole seconds.
type Settings struct {
	VisibilityTimeout time.Duration // 0 to 12 h
	Delay             time.Duration // 0 to 15 min
	Retention         time.Duration // 1 min to 14 days
	ReceiveWait       time.Duration // 0 to 20 s
	MaximumSize       int           // of a message, in bytes: 1 KiB to 1 MiB

	// DeadLetters gets the messages that were received MaxReceives times
	// (1 to 1,000) from this queue and not deleted; nil means none.
	DeadLetters *Queue
	MaxReceives int
}

// DefaultSettings are those of a queue created without attributes.
func DefaultSettings() Settings {
	return Settings{
		VisibilityTimeout: 30 * time.Second,
		Retention:         4 * 24 * time.Hour,
		MaximumSize:       maximumSize,
	}
}

const (
	// maximumSize of a message, and of a batch, in bytes (API reference,
	// SendMessage and SendMessageBatch).
	maximumSize = 1 << 20
	// maximumVisibility is how long a message may be in flight (API
	// reference, ChangeMessageVisibility).
	maximumVisibility = 12 * time.Hour
	maximumDelay      = 15 * time.Minute
	maximumWait       = 20 * time.Second
)

func (s Settings) check() error {
	for _, d := range []struct {
		name     string
		value    time.Duration
		min, max time.Duration
	}{
		{"VisibilityTimeout", s.VisibilityTimeout, 0, maximumVisibility},
		{"DelaySeconds", s.Delay, 0, maximumDelay},
		{"MessageRetentionPeriod", s.Retention, time.Minute, 14 * 24 * time.Hour},
		{"ReceiveMessageWaitTimeSeconds", s.ReceiveWait, 0, maximumWait},
	} {
		if d.value < d.min || d.value > d.max || d.value%time.Second != 0 {
			return invalidAttribute(d.name)
		}
	}
	if s.MaximumSize < 1<<10 || s.MaximumSize > maximumSize {
		return invalidAttribute("MaximumMessageSize")
	}
	if s.DeadLetters != nil && (s.MaxReceives < 1 || s.MaxReceives > 1000) {
		return invalidAttribute("RedrivePolicy")
	}
	return nil
}

func invalidAttribute(name string) *Error {
	return &Error{Status: 400, Type: "InvalidAttributeValue", QueryCode: "InvalidAttributeValue", Message: fmt.Sprintf("Invalid value for the parameter %s.", name)}
}

// redrivePolicy is the JSON of the attribute RedrivePolicy. maxReceiveCount
// comes as a number or as a string.
type redrivePolicy struct {
	DeadLetterTargetARN string      `json:"deadLetterTargetArn"`
	MaxReceiveCount     json.Number `json:"maxReceiveCount"`
}

// with returns s with the attributes of a request applied, and those that the
// service keeps without acting on them. The caller holds server.mu.
func (s Settings) with(server *Server, attributes map[string]string) (Settings, map[string]string, error) {
	inert := map[string]string{}
	for name, value := range attributes {
		if name == "RedrivePolicy" {
			var err error
			if s.DeadLetters, s.MaxReceives, err = server.deadLetters(value); err != nil {
				return s, nil, err
			}
			continue
		}
		switch name {
		case "Policy", "RedriveAllowPolicy", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled":
			inert[name] = value
			continue
		case "FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit":
			return s, nil, &Error{Status: 400, Type: "InvalidAttributeName", QueryCode: "InvalidAttributeName", Message: fmt.Sprintf("%s: FIFO queues are not served here", name)}
		}
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 || n > int(14*24*time.Hour/time.Second) {
			return s, nil, invalidAttribute(name)
		}
		switch name {
		case "VisibilityTimeout":
			s.VisibilityTimeout = seconds(n)
		case "DelaySeconds":
			s.Delay = seconds(n)
		case "MessageRetentionPeriod":
			s.Retention = seconds(n)
		case "ReceiveMessageWaitTimeSeconds":
			s.ReceiveWait = seconds(n)
		case "MaximumMessageSize":
			s.MaximumSize = n
		default:
			return s, nil, &Error{Status: 400, Type: "InvalidAttributeName", QueryCode: "InvalidAttributeName", Message: fmt.Sprintf("Unknown Attribute %s.", name)}
		}
	}
	return s, inert, s.check()
}

func (s *Server) deadLetters(policy string) (*Queue, int, error) {
	if policy == "" || policy == "{}" {
		return nil, 0, nil
	}
	var p redrivePolicy
	if err := json.Unmarshal([]byte(policy), &p); err != nil {
		return nil, 0, invalidParameter("Value %s for parameter RedrivePolicy is invalid. Reason: Redrive policy is not a valid JSON map.", policy)
	}
	q := s.byARN(p.DeadLetterTargetARN)
	if q == nil {
		return nil, 0, invalidParameter("Value %s for parameter RedrivePolicy is invalid. Reason: Dead letter target does not exist.", policy)
	}
	n, err := strconv.Atoi(p.MaxReceiveCount.String())
	if err != nil {
		return nil, 0, invalidParameter("Value %s for parameter RedrivePolicy is invalid. Reason: Invalid value for maxReceiveCount: %s, valid values are from 1 to 1000 both inclusive.", policy, p.MaxReceiveCount)
	}
	return q, n, nil
}

// attributes are the queue's, as GetQueueAttributes spells them. The caller
// holds server.mu.
func (q *Queue) attributes() map[string]string {
	q.settle()
	all := map[string]string{
		"ApproximateNumberOfMessages":           strconv.Itoa(q.ready.Len()),
		"ApproximateNumberOfMessagesDelayed":    strconv.Itoa(len(q.hidden) - q.inFlight),
		"ApproximateNumberOfMessagesNotVisible": strconv.Itoa(q.inFlight),
		"CreatedTimestamp":                      strconv.FormatInt(q.created.Unix(), 10),
		"LastModifiedTimestamp":                 strconv.FormatInt(q.modified.Unix(), 10),
		"QueueArn":                              q.ARN(),
		"VisibilityTimeout":                     inSeconds(q.settings.VisibilityTimeout),
		"DelaySeconds":                          inSeconds(q.settings.Delay),
		"MessageRetentionPeriod":                inSeconds(q.settings.Retention),
		"ReceiveMessageWaitTimeSeconds":         inSeconds(q.settings.ReceiveWait),
		"MaximumMessageSize":                    strconv.Itoa(q.settings.MaximumSize),
	}
	if d := q.settings.DeadLetters; d != nil {
		all["RedrivePolicy"] = fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":%d}`, d.ARN(), q.settings.MaxReceives)
	}
	for name, value := range q.inert {
		if value != "" {
			all[name] = value
		}
	}
	return all
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

func inSeconds(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }
