package sqs

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"walletsync/internal/local/sqs/awsjson"
)

// operations are the calls that are served, in the API reference's words.
func (s *Server) operations() map[string]awsjson.Operation {
	return map[string]awsjson.Operation{
		"CreateQueue":                  awsjson.Typed(s.createQueue),
		"GetQueueUrl":                  awsjson.Typed(s.getQueueURL),
		"ListQueues":                   awsjson.Typed(s.listQueues),
		"GetQueueAttributes":           awsjson.Typed(s.getQueueAttributes),
		"SetQueueAttributes":           awsjson.Typed(s.setQueueAttributes),
		"PurgeQueue":                   awsjson.Typed(s.purgeQueue),
		"SendMessage":                  awsjson.Typed(s.sendMessage),
		"SendMessageBatch":             awsjson.Typed(s.sendMessageBatch),
		"ReceiveMessage":               awsjson.Typed(s.receiveMessage),
		"DeleteMessage":                awsjson.Typed(s.deleteMessage),
		"DeleteMessageBatch":           awsjson.Typed(s.deleteMessageBatch),
		"ChangeMessageVisibility":      awsjson.Typed(s.changeMessageVisibility),
		"ChangeMessageVisibilityBatch": awsjson.Typed(s.changeMessageVisibilityBatch),
		"StartMessageMoveTask":         awsjson.Typed(s.startMessageMoveTask),
		"ListMessageMoveTasks":         awsjson.Typed(s.listMessageMoveTasks),
	}
}

// at returns the queue that a URL names: its path is /<account>/<name>, and
// its host is whatever the caller reached us by.
func (s *Server) at(queueURL string) (*Queue, error) {
	if queueURL == "" {
		return nil, missing("QueueUrl")
	}
	u, err := url.Parse(queueURL)
	if err != nil {
		return nil, &Error{Status: 404, Type: "InvalidAddress", QueryCode: "InvalidAddress", Message: "The address is not valid for this endpoint."}
	}
	account, name, ok := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	if !ok {
		return nil, &Error{Status: 404, Type: "InvalidAddress", QueryCode: "InvalidAddress", Message: fmt.Sprintf("The address %s is not valid for this endpoint.", queueURL)}
	}
	if q := s.Queue(name); q != nil && account == s.account {
		return q, nil
	}
	return nil, noQueue()
}

func noQueue() *Error {
	return &Error{Status: 400, Type: "QueueDoesNotExist", QueryCode: "AWS.SimpleQueueService.NonExistentQueue", Message: "The specified queue does not exist."}
}

func missing(parameter string) *Error {
	return &Error{Status: 400, Type: "MissingRequiredParameterException", QueryCode: "MissingParameter", Message: fmt.Sprintf("The request must contain the parameter %s.", parameter)}
}

func base(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

type queueURL struct {
	QueueURL string `json:"QueueUrl"`
}

type createQueueInput struct {
	QueueName  string
	Attributes map[string]string
}

func (s *Server) createQueue(r *http.Request, in createQueueInput) (queueURL, error) {
	if err := checkName(in.QueueName); err != nil {
		return queueURL{}, err
	}
	s.mu.Lock()
	existing := s.queues[in.QueueName]
	settings := DefaultSettings()
	if existing != nil {
		// Only attributes that the caller names need to agree.
		settings = existing.settings
	}
	settings, inert, err := settings.with(s, in.Attributes)
	s.mu.Unlock()
	if err != nil {
		return queueURL{}, err
	}
	q, err := s.CreateQueue(in.QueueName, settings)
	if err != nil {
		return queueURL{}, err
	}
	if existing == nil {
		q.keep(inert)
	}
	return queueURL{q.URL(base(r))}, nil
}

// keep stores attributes that are not acted upon.
func (q *Queue) keep(inert map[string]string) {
	q.server.mu.Lock()
	defer q.server.mu.Unlock()
	for name, value := range inert {
		q.inert[name] = value
	}
}

type getQueueURLInput struct{ QueueName string }

func (s *Server) getQueueURL(r *http.Request, in getQueueURLInput) (queueURL, error) {
	q := s.Queue(in.QueueName)
	if q == nil {
		return queueURL{}, noQueue()
	}
	return queueURL{q.URL(base(r))}, nil
}

type listQueuesInput struct {
	QueueNamePrefix string
}

type listQueuesOutput struct {
	QueueURLs []string `json:"QueueUrls,omitempty"`
}

// listQueues gives all at once: there are never more than the 1,000 after
// which Amazon begins a new page.
func (s *Server) listQueues(r *http.Request, in listQueuesInput) (listQueuesOutput, error) {
	var out listQueuesOutput
	for _, q := range s.Queues() {
		if strings.HasPrefix(q.name, in.QueueNamePrefix) {
			out.QueueURLs = append(out.QueueURLs, q.URL(base(r)))
		}
	}
	return out, nil
}

type getQueueAttributesInput struct {
	queueURL
	AttributeNames []string
}

type attributesOutput struct {
	Attributes map[string]string `json:",omitempty"`
}

// attributeNames are those that a standard queue may be asked for.
var attributeNames = []string{
	"All", "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed", "ApproximateNumberOfMessagesNotVisible",
	"CreatedTimestamp", "DelaySeconds", "LastModifiedTimestamp", "MaximumMessageSize", "MessageRetentionPeriod", "Policy",
	"QueueArn", "ReceiveMessageWaitTimeSeconds", "RedrivePolicy", "RedriveAllowPolicy", "VisibilityTimeout",
	"KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled",
}

func (s *Server) getQueueAttributes(_ *http.Request, in getQueueAttributesInput) (attributesOutput, error) {
	q, err := s.at(in.QueueURL)
	if err != nil {
		return attributesOutput{}, err
	}
	for _, name := range in.AttributeNames {
		if !slices.Contains(attributeNames, name) {
			return attributesOutput{}, &Error{Status: 400, Type: "InvalidAttributeName", QueryCode: "InvalidAttributeName", Message: fmt.Sprintf("Unknown Attribute %s.", name)}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return attributesOutput{only(q.attributes(), in.AttributeNames)}, nil
}

// only returns the attributes that were asked for.
func only(all map[string]string, names []string) map[string]string {
	if slices.Contains(names, "All") {
		return all
	}
	some := map[string]string{}
	for _, name := range names {
		if value, ok := all[name]; ok {
			some[name] = value
		}
	}
	return some
}

type setQueueAttributesInput struct {
	queueURL
	Attributes map[string]string
}

func (s *Server) setQueueAttributes(_ *http.Request, in setQueueAttributesInput) (awsjson.Empty, error) {
	q, err := s.at(in.QueueURL)
	if err != nil {
		return awsjson.Empty{}, err
	}
	s.mu.Lock()
	settings, inert, err := q.settings.with(s, in.Attributes)
	s.mu.Unlock()
	if err != nil {
		return awsjson.Empty{}, err
	}
	q.keep(inert)
	return awsjson.Empty{}, q.SetSettings(settings)
}

func (s *Server) purgeQueue(_ *http.Request, in queueURL) (awsjson.Empty, error) {
	q, err := s.at(in.QueueURL)
	if err != nil {
		return awsjson.Empty{}, err
	}
	return awsjson.Empty{}, q.Purge()
}

// sendEntry is a message in SendMessage and, with an Id, in SendMessageBatch.
type sendEntry struct {
	ID                      string `json:"Id"`
	MessageBody             string
	DelaySeconds            *int
	MessageAttributes       map[string]Attribute
	MessageSystemAttributes map[string]Attribute
	MessageDeduplicationID  string `json:"MessageDeduplicationId"`
	MessageGroupID          string `json:"MessageGroupId"`
}

func (e sendEntry) input() (SendInput, error) {
	in := SendInput{
		Body:        e.MessageBody,
		Attributes:  e.MessageAttributes,
		TraceHeader: e.MessageSystemAttributes["AWSTraceHeader"].StringValue,
		GroupID:     e.MessageGroupID,
		Delay:       duration(e.DelaySeconds),
	}
	if e.MessageDeduplicationID != "" {
		return in, invalidParameter("Value %s for parameter MessageDeduplicationId is invalid. Reason: The request include parameter that is not valid for this queue type.", e.MessageDeduplicationID)
	}
	for name := range e.MessageSystemAttributes {
		if name != "AWSTraceHeader" {
			return in, invalidParameter("Message system attribute name '%s' is invalid.", name)
		}
	}
	return in, nil
}

// duration of seconds that may be absent.
func duration(n *int) *time.Duration {
	if n == nil {
		return nil
	}
	d := seconds(*n)
	return &d
}

// sent is the answer to one message.
type sent struct {
	ID                     string `json:"Id,omitempty"`
	MD5OfMessageAttributes string `json:",omitempty"`
	MD5OfMessageBody       string
	MessageID              string `json:"MessageId"`
}

func (e sendEntry) send(q *Queue) (sent, error) {
	in, err := e.input()
	if err != nil {
		return sent{}, err
	}
	m, err := q.Send(in)
	if err != nil {
		return sent{}, err
	}
	return sent{ID: e.ID, MD5OfMessageAttributes: m.AttributesMD5(), MD5OfMessageBody: m.BodyMD5(), MessageID: m.ID}, nil
}

type sendMessageInput struct {
	queueURL
	sendEntry
}

func (s *Server) sendMessage(_ *http.Request, in sendMessageInput) (sent, error) {
	q, err := s.at(in.QueueURL)
	if err != nil {
		return sent{}, err
	}
	return in.send(q)
}

// batchInput is a batch call's request.
type batchInput[E any] struct {
	queueURL
	Entries []E
}

// batchOutput is a batch call's answer: each entry succeeds or fails alone.
type batchOutput[R any] struct {
	Successful []R
	Failed     []failed
}

type failed struct {
	ID          string `json:"Id"`
	Code        string
	Message     string
	SenderFault bool
}

type done struct {
	ID string `json:"Id"`
}

// entryID is the rule for the id of a batch's entry (Developer Guide, message
// quotas).
var entryID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

const maximumEntries = 10

// batch runs a batch call of the given kind: its rules first, then each entry.
func batch[E, R any](s *Server, in batchInput[E], kind string, id func(E) string, size func(E) int, run func(*Queue, E) (R, error)) (batchOutput[R], error) {
	out := batchOutput[R]{Successful: []R{}, Failed: []failed{}}
	q, err := s.at(in.QueueURL)
	if err != nil {
		return out, err
	}
	if len(in.Entries) == 0 {
		return out, batchError("EmptyBatchRequest", fmt.Sprintf("There should be at least one %sBatchRequestEntry in the request.", kind))
	}
	if n := len(in.Entries); n > maximumEntries {
		return out, batchError("TooManyEntriesInBatchRequest", fmt.Sprintf("Maximum number of entries per request are %d. You have sent %d.", maximumEntries, n))
	}
	ids, total := map[string]bool{}, 0
	for _, e := range in.Entries {
		switch {
		case !entryID.MatchString(id(e)):
			return out, batchError("InvalidBatchEntryId", "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.")
		case ids[id(e)]:
			return out, batchError("BatchEntryIdsNotDistinct", fmt.Sprintf("Id %s repeated.", id(e)))
		}
		ids[id(e)] = true
		total += size(e)
	}
	if total > maximumSize {
		return out, batchError("BatchRequestTooLong", fmt.Sprintf("Batch requests cannot be longer than %d bytes. You have sent %d bytes.", maximumSize, total))
	}
	for _, e := range in.Entries {
		r, err := run(q, e)
		if err == nil {
			out.Successful = append(out.Successful, r)
			continue
		}
		var refused *Error
		if !errors.As(err, &refused) {
			return out, err
		}
		out.Failed = append(out.Failed, failed{ID: id(e), Code: refused.QueryCode, Message: refused.Message, SenderFault: true})
	}
	return out, nil
}

// sizeless is the size of an entry that carries no message.
func sizeless[E any](E) int { return 0 }

func batchError(code, message string) *Error {
	return &Error{Status: 400, Type: code, QueryCode: "AWS.SimpleQueueService." + code, Message: message}
}

func (s *Server) sendMessageBatch(_ *http.Request, in batchInput[sendEntry]) (batchOutput[sent], error) {
	id := func(e sendEntry) string { return e.ID }
	size := func(e sendEntry) int { return SendInput{Body: e.MessageBody, Attributes: e.MessageAttributes}.size() }
	return batch(s, in, "SendMessage", id, size, func(q *Queue, e sendEntry) (sent, error) { return e.send(q) })
}

type receiveMessageInput struct {
	queueURL
	AttributeNames              []string // the older name of the next
	MessageSystemAttributeNames []string
	MessageAttributeNames       []string
	MaxNumberOfMessages         *int
	VisibilityTimeout           *int
	WaitTimeSeconds             *int
}

type receiveMessageOutput struct {
	Messages []received `json:",omitempty"`
}

type received struct {
	MessageID              string `json:"MessageId"`
	ReceiptHandle          string
	MD5OfBody              string
	Body                   string
	Attributes             map[string]string    `json:",omitempty"`
	MD5OfMessageAttributes string               `json:",omitempty"`
	MessageAttributes      map[string]Attribute `json:",omitempty"`
}

// systemAttributeNames are those that a receiver may ask for.
var systemAttributeNames = []string{
	"All", "ApproximateFirstReceiveTimestamp", "ApproximateReceiveCount", "AWSTraceHeader", "DeadLetterQueueSourceArn",
	"MessageDeduplicationId", "MessageGroupId", "SenderId", "SentTimestamp", "SequenceNumber",
}

func (s *Server) receiveMessage(r *http.Request, in receiveMessageInput) (receiveMessageOutput, error) {
	q, err := s.at(in.QueueURL)
	if err != nil {
		return receiveMessageOutput{}, err
	}
	names := slices.Concat(in.AttributeNames, in.MessageSystemAttributeNames)
	for _, name := range names {
		if !slices.Contains(systemAttributeNames, name) && !slices.Contains(attributeNames, name) {
			return receiveMessageOutput{}, &Error{Status: 400, Type: "InvalidAttributeName", QueryCode: "InvalidAttributeName", Message: fmt.Sprintf("Unknown Attribute %s.", name)}
		}
	}
	how := ReceiveInput{Max: 1, Visibility: duration(in.VisibilityTimeout), Wait: duration(in.WaitTimeSeconds)}
	if in.MaxNumberOfMessages != nil {
		how.Max = *in.MaxNumberOfMessages
	}
	messages, err := q.Receive(r.Context(), how)
	if err != nil {
		return receiveMessageOutput{}, err
	}
	var out receiveMessageOutput
	for _, m := range messages {
		m.Attributes = wanted(m.Attributes, in.MessageAttributeNames)
		out.Messages = append(out.Messages, received{
			MessageID: m.ID, ReceiptHandle: m.ReceiptHandle, MD5OfBody: m.BodyMD5(), Body: m.Body,
			Attributes:             only(m.SystemAttributes(), names),
			MD5OfMessageAttributes: m.AttributesMD5(),
			MessageAttributes:      m.Attributes,
		})
	}
	return out, nil
}

// wanted returns the message attributes that were asked for: by name, by
// prefix (bar.*), or All and .* for all.
func wanted(all map[string]Attribute, names []string) map[string]Attribute {
	some := map[string]Attribute{}
	for name, a := range all {
		for _, w := range names {
			prefix, isPrefix := strings.CutSuffix(w, ".*")
			if w == "All" || w == name || isPrefix && (prefix == "" || strings.HasPrefix(name, prefix+".")) {
				some[name] = a
				break
			}
		}
	}
	return some
}

type deleteEntry struct {
	ID            string `json:"Id"`
	ReceiptHandle string
}

type deleteMessageInput struct {
	queueURL
	deleteEntry
}

func (s *Server) deleteMessage(_ *http.Request, in deleteMessageInput) (awsjson.Empty, error) {
	q, err := s.at(in.QueueURL)
	if err != nil {
		return awsjson.Empty{}, err
	}
	return awsjson.Empty{}, q.Delete(in.ReceiptHandle)
}

func (s *Server) deleteMessageBatch(_ *http.Request, in batchInput[deleteEntry]) (batchOutput[done], error) {
	return batch(s, in, "DeleteMessage", func(e deleteEntry) string { return e.ID }, sizeless, func(q *Queue, e deleteEntry) (done, error) {
		return done{e.ID}, q.Delete(e.ReceiptHandle)
	})
}

type visibilityEntry struct {
	ID                string `json:"Id"`
	ReceiptHandle     string
	VisibilityTimeout *int
}

func (e visibilityEntry) change(q *Queue) error {
	if e.VisibilityTimeout == nil {
		return missing("VisibilityTimeout")
	}
	return q.ChangeVisibility(e.ReceiptHandle, seconds(*e.VisibilityTimeout))
}

type changeMessageVisibilityInput struct {
	queueURL
	visibilityEntry
}

func (s *Server) changeMessageVisibility(_ *http.Request, in changeMessageVisibilityInput) (awsjson.Empty, error) {
	q, err := s.at(in.QueueURL)
	if err != nil {
		return awsjson.Empty{}, err
	}
	return awsjson.Empty{}, in.change(q)
}

func (s *Server) changeMessageVisibilityBatch(_ *http.Request, in batchInput[visibilityEntry]) (batchOutput[done], error) {
	return batch(s, in, "ChangeMessageVisibility", func(e visibilityEntry) string { return e.ID }, sizeless, func(q *Queue, e visibilityEntry) (done, error) {
		return done{e.ID}, e.change(q)
	})
}

type startMessageMoveTaskInput struct {
	SourceARN                    string `json:"SourceArn"`
	DestinationARN               string `json:"DestinationArn"`
	MaxNumberOfMessagesPerSecond *int
}

type startMessageMoveTaskOutput struct{ TaskHandle string }

func noResource() *Error {
	return &Error{Status: 404, Type: "ResourceNotFoundException", QueryCode: "ResourceNotFoundException", Message: "The resource that you specified for the SourceArn or DestinationArn parameter doesn't exist."}
}

func (s *Server) startMessageMoveTask(_ *http.Request, in startMessageMoveTaskInput) (startMessageMoveTaskOutput, error) {
	var out startMessageMoveTaskOutput
	rate := 0
	if n := in.MaxNumberOfMessagesPerSecond; n != nil {
		if rate = *n; rate < 1 || rate > 500 {
			return out, invalidParameter("Value %d for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: Must be between 1 and 500.", rate)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	from := s.byARN(in.SourceARN)
	if from == nil {
		return out, noResource()
	}
	var to *Queue
	if in.DestinationARN != "" {
		if to = s.byARN(in.DestinationARN); to == nil {
			return out, noResource()
		}
		if to == from {
			return out, invalidParameter("Source queue arn and destination queue arn cannot be the same.")
		}
	}
	if _, err := s.move(from, to, rate); err != nil {
		return out, err
	}
	out.TaskHandle = fmt.Sprintf("%s-%d", s.newID(), len(s.tasks))
	return out, nil
}

type listMessageMoveTasksInput struct {
	SourceARN  string `json:"SourceArn"`
	MaxResults *int
}

type listMessageMoveTasksOutput struct {
	Results []moveTaskResult
}

type moveTaskResult struct {
	SourceARN                         string `json:"SourceArn"`
	DestinationARN                    string `json:"DestinationArn,omitempty"`
	Status                            string
	FailureReason                     string `json:",omitempty"`
	ApproximateNumberOfMessagesMoved  int
	ApproximateNumberOfMessagesToMove int
	MaxNumberOfMessagesPerSecond      int   `json:",omitempty"`
	StartedTimestamp                  int64 // milliseconds
}

// listMessageMoveTasks gives the newest first.
func (s *Server) listMessageMoveTasks(_ *http.Request, in listMessageMoveTasksInput) (listMessageMoveTasksOutput, error) {
	out := listMessageMoveTasksOutput{Results: []moveTaskResult{}}
	most := 1
	if n := in.MaxResults; n != nil {
		if most = *n; most < 1 || most > 10 {
			return out, invalidParameter("Value %d for parameter MaxResults is invalid. Reason: Must be between 1 and 10.", most)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	source := s.byARN(in.SourceARN)
	if source == nil {
		return out, noResource()
	}
	for _, t := range slices.Backward(s.tasks) {
		if t.source != source || len(out.Results) == most {
			continue
		}
		r := moveTaskResult{
			SourceARN: in.SourceARN, Status: "COMPLETED", FailureReason: t.failure,
			ApproximateNumberOfMessagesMoved: t.moved, ApproximateNumberOfMessagesToMove: t.toMove,
			MaxNumberOfMessagesPerSecond: t.rate, StartedTimestamp: t.started.UnixMilli(),
		}
		if t.destination != nil {
			r.DestinationARN = t.destination.ARN()
		}
		if t.failure != "" {
			r.Status = "FAILED"
		}
		out.Results = append(out.Results, r)
	}
	return out, nil
}
