package lambda

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"walletsync/internal/local/aws/sqs"
)

// QueueSource is an SQS event source with partial batch responses: it receives
// batches, invokes the function, and deletes what the function did not report
// as failed. The rest returns after the queue's visibility time-out.
type QueueSource struct {
	Queue    *sqs.Queue
	Function *Function
	// BatchSize limits the messages of an invocation, up to 10,000; 0 means 10.
	BatchSize int
	// Window is how long a batch is gathered. A batch of more than 10 needs one
	// of a second or more, as at Lambda.
	Window time.Duration
	// Concurrency limits the invocations at once; 0 means 2, Lambda's least.
	Concurrency int
}

// Check returns what Lambda would refuse of the source's settings.
func (s QueueSource) Check() error {
	switch {
	case s.BatchSize < 0 || s.BatchSize > 10000:
		return fmt.Errorf("lambda: batch size %d is not between 1 and 10000", s.BatchSize)
	case s.BatchSize > 10 && s.Window < time.Second:
		return fmt.Errorf("lambda: a batch size of %d needs a batching window of a second or more", s.BatchSize)
	case s.Concurrency < 0:
		return fmt.Errorf("lambda: concurrency %d", s.Concurrency)
	}
	return nil
}

// Run polls until ctx ends, and returns when the last invocation has.
func (s QueueSource) Run(ctx context.Context) error {
	if err := s.Check(); err != nil {
		return err
	}
	s.BatchSize, s.Concurrency = cmp.Or(s.BatchSize, 10), cmp.Or(s.Concurrency, 2)
	var pollers sync.WaitGroup
	for range s.Concurrency {
		pollers.Go(func() {
			for ctx.Err() == nil {
				if batch := s.gather(ctx); len(batch) > 0 {
					s.invoke(ctx, batch)
				}
			}
		})
	}
	pollers.Wait()
	return nil
}

// longPoll is how long one receive waits.
const longPoll = 10 * time.Second

func (s QueueSource) gather(ctx context.Context) []sqs.Message {
	var batch []sqs.Message
	var end time.Time
	for len(batch) < s.BatchSize {
		wait := longPoll
		if len(batch) > 0 {
			if wait = time.Until(end); wait <= 0 {
				break
			}
		}
		got, err := s.Queue.Receive(ctx, sqs.ReceiveInput{Max: min(10, s.BatchSize-len(batch)), Wait: wait})
		if err != nil || len(got) == 0 {
			break
		}
		if len(batch) == 0 {
			end = time.Now().Add(s.Window)
		}
		batch = append(batch, got...)
		if s.Window == 0 {
			break
		}
	}
	return batch
}

func (s QueueSource) invoke(ctx context.Context, batch []sqs.Message) {
	event := events.SQSEvent{}
	for _, m := range batch {
		event.Records = append(event.Records, record(m, s.Queue))
	}
	payload, err := json.Marshal(event)
	if err != nil {
		return // all return after the visibility time-out
	}
	// A batch that has begun is finished: stopping is the function's own end.
	out, err := s.Function.Invoke(context.WithoutCancel(ctx), payload)
	if errors.Is(err, ErrThrottled) {
		for _, m := range batch {
			_ = s.Queue.ChangeVisibility(m.ReceiptHandle, time.Second)
		}
		return
	}
	if err != nil {
		return
	}
	failed, ok := failures(out, batch)
	if !ok {
		return
	}
	for _, m := range batch {
		if !failed[m.ID] {
			_ = s.Queue.Delete(m.ReceiptHandle) // gone already, or received again: it comes again
		}
	}
}

// failures reads a partial batch response by Lambda's rules: none, null or an
// empty list is success; an id that is not in the batch, an empty one or a
// malformed response fails them all.
func failures(out []byte, batch []sqs.Message) (map[string]bool, bool) {
	var answer *struct {
		BatchItemFailures []struct {
			ItemIdentifier *string `json:"itemIdentifier"`
		} `json:"batchItemFailures"`
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		return nil, false
	}
	failed := map[string]bool{}
	if answer == nil {
		return failed, true
	}
	known := map[string]bool{}
	for _, m := range batch {
		known[m.ID] = true
	}
	for _, f := range answer.BatchItemFailures {
		if f.ItemIdentifier == nil || !known[*f.ItemIdentifier] {
			return nil, false
		}
		failed[*f.ItemIdentifier] = true
	}
	return failed, true
}

func record(m sqs.Message, q *sqs.Queue) events.SQSMessage {
	r := events.SQSMessage{
		MessageId: m.ID, ReceiptHandle: m.ReceiptHandle, Body: m.Body, Md5OfBody: m.BodyMD5(),
		Attributes: m.SystemAttributes(), MessageAttributes: map[string]events.SQSMessageAttribute{},
		EventSource: "aws:sqs", EventSourceARN: q.ARN(), AWSRegion: sqs.Region,
	}
	for name, a := range m.Attributes {
		r.MessageAttributes[name] = events.SQSMessageAttribute{DataType: a.DataType, StringValue: &a.StringValue}
	}
	return r
}
