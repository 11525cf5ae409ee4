package sqs

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"walletsync/internal/local/aws/awsjson"
)

// operations are the calls that are served, in the API reference's words.
func (s *Server) operations() map[string]awsjson.Operation {
	return map[string]awsjson.Operation{
		"GetQueueAttributes":           onQueue(s, getQueueAttributes),
		"PurgeQueue":                   onQueue(s, purgeQueue),
		"SendMessage":                  onQueue(s, sendMessage),
		"ReceiveMessage":               onQueue(s, receiveMessage),
		"DeleteMessage":                onQueue(s, deleteMessage),
		"ChangeMessageVisibilityBatch": onQueue(s, changeMessageVisibilityBatch),
		"StartMessageMoveTask":         awsjson.Typed(s.startMessageMoveTask),
	}
}

// onQueue is an operation on the queue of its member QueueUrl. Its path is
// /<account>/<name>, and its host is whatever the caller reached us by.
func onQueue[In, Out any](s *Server, f func(*http.Request, *Queue, In) (Out, error)) awsjson.Operation {
	type input struct {
		QueueURL string `json:"QueueUrl"`
	}
	return func(r *http.Request, body []byte) (any, error) {
		return awsjson.Typed(func(r *http.Request, of input) (any, error) {
			q, err := s.at(of.QueueURL)
			if err != nil {
				return nil, err
			}
			return awsjson.Typed(func(r *http.Request, in In) (Out, error) { return f(r, q, in) })(r, body)
		})(r, body)
	}
}

func (s *Server) at(queueURL string) (*Queue, error) {
	if queueURL == "" {
		return nil, refuse("MissingRequiredParameterException", "The request must contain the parameter QueueUrl.")
	}
	if u, err := url.Parse(queueURL); err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		if name, ok := strings.CutPrefix(u.Path, "/"+account+"/"); ok && s.queues[name] != nil {
			return s.queues[name], nil
		}
	}
	return nil, refuse("QueueDoesNotExist", "The specified queue does not exist.")
}

type attributesInput struct{ AttributeNames []string }

type attributesOutput struct {
	Attributes map[string]string `json:",omitempty"`
}

func getQueueAttributes(_ *http.Request, q *Queue, in attributesInput) (attributesOutput, error) {
	q.server.mu.Lock()
	defer q.server.mu.Unlock()
	has, settings := q.stats(), q.settings
	all := map[string]string{
		"ApproximateNumberOfMessages":           strconv.Itoa(has.Visible),
		"ApproximateNumberOfMessagesDelayed":    strconv.Itoa(has.Delayed),
		"ApproximateNumberOfMessagesNotVisible": strconv.Itoa(has.InFlight),
		"QueueArn":                              q.ARN(),
		"VisibilityTimeout":                     inSeconds(settings.VisibilityTimeout),
		"MessageRetentionPeriod":                inSeconds(settings.Retention),
		"MaximumMessageSize":                    strconv.Itoa(maximumSize),
		"SqsManagedSseEnabled":                  strconv.FormatBool(!settings.Unencrypted),
	}
	if d := settings.DeadLetters; d != nil {
		all["RedrivePolicy"] = fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":%d}`, d.ARN(), settings.MaxReceives)
	}
	for _, name := range in.AttributeNames {
		if name != "All" && name != "RedrivePolicy" && all[name] == "" {
			return attributesOutput{}, refuse("InvalidAttributeName", "Unknown Attribute %s.", name)
		}
	}
	return attributesOutput{only(all, in.AttributeNames)}, nil
}

// only returns the attributes that were asked for.
func only[V any](all map[string]V, names []string) map[string]V {
	if slices.Contains(names, "All") {
		return all
	}
	chosen := map[string]V{}
	for _, name := range names {
		if value, ok := all[name]; ok {
			chosen[name] = value
		}
	}
	return chosen
}

func purgeQueue(_ *http.Request, q *Queue, _ awsjson.Empty) (awsjson.Empty, error) {
	return awsjson.Empty{}, q.purge()
}

type sendInput struct {
	MessageBody       string
	DelaySeconds      int
	MessageAttributes map[string]Attribute
}

type sendOutput struct {
	MD5OfMessageBody string
	MessageID        string `json:"MessageId"`
}

func sendMessage(_ *http.Request, q *Queue, in sendInput) (sendOutput, error) {
	m, err := q.Send(SendInput{Body: in.MessageBody, Attributes: in.MessageAttributes, Delay: seconds(in.DelaySeconds)})
	return sendOutput{m.BodyMD5(), m.ID}, err
}

type receiveInput struct {
	AttributeNames              []string // the older name of the next
	MessageSystemAttributeNames []string
	MessageAttributeNames       []string
	MaxNumberOfMessages         *int
	VisibilityTimeout           *int
	WaitTimeSeconds             int
}

type receiveOutput struct {
	Messages []received `json:",omitempty"`
}

type received struct {
	MessageID         string `json:"MessageId"`
	ReceiptHandle     string
	MD5OfBody         string
	Body              string
	Attributes        map[string]string    `json:",omitempty"`
	MessageAttributes map[string]Attribute `json:",omitempty"`
}

func receiveMessage(r *http.Request, q *Queue, in receiveInput) (receiveOutput, error) {
	how := ReceiveInput{Max: 1, Wait: seconds(in.WaitTimeSeconds)}
	if in.MaxNumberOfMessages != nil {
		how.Max = *in.MaxNumberOfMessages
	}
	if in.VisibilityTimeout != nil {
		v := seconds(*in.VisibilityTimeout)
		how.Visibility = &v
	}
	messages, err := q.Receive(r.Context(), how)
	var out receiveOutput
	for _, m := range messages {
		out.Messages = append(out.Messages, received{
			MessageID: m.ID, ReceiptHandle: m.ReceiptHandle, MD5OfBody: m.BodyMD5(), Body: m.Body,
			Attributes:        only(m.SystemAttributes(), slices.Concat(in.AttributeNames, in.MessageSystemAttributeNames)),
			MessageAttributes: only(m.Attributes, in.MessageAttributeNames),
		})
	}
	return out, err
}

type deleteInput struct{ ReceiptHandle string }

func deleteMessage(_ *http.Request, q *Queue, in deleteInput) (awsjson.Empty, error) {
	return awsjson.Empty{}, q.Delete(in.ReceiptHandle)
}

type batchInput struct {
	Entries []struct {
		ID                string `json:"Id"`
		ReceiptHandle     string
		VisibilityTimeout int
	}
}

// batchOutput is a batch call's answer: each entry succeeds or fails alone.
type batchOutput struct {
	Successful []batchDone
	Failed     []batchFailed
}

type batchDone struct {
	ID string `json:"Id"`
}

type batchFailed struct {
	ID          string `json:"Id"`
	Code        string
	Message     string
	SenderFault bool
}

// entryID is the rule for the id of a batch's entry (Developer Guide, message
// quotas).
var entryID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

const maximumEntries = 10

func changeMessageVisibilityBatch(_ *http.Request, q *Queue, in batchInput) (batchOutput, error) {
	out := batchOutput{Successful: []batchDone{}, Failed: []batchFailed{}}
	switch n := len(in.Entries); {
	case n == 0:
		return out, refuse("EmptyBatchRequest", "There should be at least one ChangeMessageVisibilityBatchRequestEntry in the request.")
	case n > maximumEntries:
		return out, refuse("TooManyEntriesInBatchRequest", "Maximum number of entries per request are %d. You have sent %d.", maximumEntries, n)
	}
	ids := map[string]bool{}
	for _, e := range in.Entries {
		switch {
		case !entryID.MatchString(e.ID):
			return out, refuse("InvalidBatchEntryId", "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.")
		case ids[e.ID]:
			return out, refuse("BatchEntryIdsNotDistinct", "Id %s repeated.", e.ID)
		}
		ids[e.ID] = true
	}
	for _, e := range in.Entries {
		err := q.ChangeVisibility(e.ReceiptHandle, seconds(e.VisibilityTimeout))
		if refused, ok := errors.AsType[*awsjson.Error](err); ok {
			out.Failed = append(out.Failed, batchFailed{e.ID, refused.QueryCode, refused.Message, true})
			continue
		}
		out.Successful = append(out.Successful, batchDone{e.ID})
	}
	return out, nil
}

type moveInput struct {
	SourceARN      string `json:"SourceArn"`
	DestinationARN string `json:"DestinationArn"`
}

type moveOutput struct{ TaskHandle string }

// startMessageMoveTask moves at once. Without a destination Amazon returns each
// message to the queue that gave it up; the runbook always names one.
func (s *Server) startMessageMoveTask(_ *http.Request, in moveInput) (moveOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	from, to := s.byARN(in.SourceARN), s.byARN(in.DestinationARN)
	if from == nil || to == nil {
		return moveOutput{}, &awsjson.Error{Status: 404, Type: "ResourceNotFoundException", QueryCode: "ResourceNotFoundException",
			Message: "The resource that you specified for the SourceArn or DestinationArn parameter doesn't exist, or no destination is given, which is not modelled here."}
	}
	_, err := from.redrive(to)
	return moveOutput{"moved-" + s.now().Format(time.RFC3339Nano)}, err
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

func inSeconds(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }
