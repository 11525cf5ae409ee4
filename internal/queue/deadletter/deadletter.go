// Package deadletter lists the messages of the dead-letter queue for the console,
// and sends them to the main queue again. Only the worker decides what a
// message leads to.
//
// SQS cannot list messages: they are received, and made visible again (Amazon SQS
// API reference, ReceiveMessage and ChangeMessageVisibility).
package deadletter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"golang.org/x/sync/errgroup"

	"walletsync/internal/console/view"
	"walletsync/internal/deadline"
	"walletsync/internal/ipn"
)

// SQS is the part of the SQS client that this package uses.
type SQS interface {
	ReceiveMessage(context.Context, *sqs.ReceiveMessageInput, ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error)
	SendMessage(context.Context, *sqs.SendMessageInput, ...func(*sqs.Options)) (*sqs.SendMessageOutput, error)
	DeleteMessage(context.Context, *sqs.DeleteMessageInput, ...func(*sqs.Options)) (*sqs.DeleteMessageOutput, error)
	ChangeMessageVisibilityBatch(context.Context, *sqs.ChangeMessageVisibilityBatchInput, ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityBatchOutput, error)
	GetQueueAttributes(context.Context, *sqs.GetQueueAttributesInput, ...func(*sqs.Options)) (*sqs.GetQueueAttributesOutput, error)
}

// Queue is a dead-letter queue. It is safe for concurrent use, but of two
// concurrent lists each may have a part of the messages.
type Queue struct {
	Client SQS
	// QueueURL is the queue that the worker reads, and URL its dead-letter queue.
	QueueURL, URL string
	Now           func() time.Time
}

const (
	// visibilityTimeout is how long a received message is invisible to others.
	visibilityTimeout = 30 * time.Second
	// retryTimeout bounds a retry; the rest needs another one. An HTTP API waits for
	// 30 s.
	retryTimeout = 20 * time.Second
	// inFlight is how many messages are sent at once.
	inFlight = 10
	// timeout bounds the call that must follow a receive or a send, which end so
	// much before the request's deadline.
	timeout = 5 * time.Second
)

// tooOften is the reason of messages that SQS moved. The worker sends a reason with
// those that it moves.
const tooOften = "received_too_often"

// Count returns how many messages there are, approximately, invisible ones included.
func (q *Queue) Count(ctx context.Context) (int, error) {
	names := []types.QueueAttributeName{types.QueueAttributeNameApproximateNumberOfMessages, types.QueueAttributeNameApproximateNumberOfMessagesNotVisible}
	out, err := q.Client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &q.URL, AttributeNames: names})
	if err != nil {
		return 0, fmt.Errorf("count dead-letter messages: %w", err)
	}
	sum := 0
	for _, name := range names {
		n, err := strconv.Atoi(out.Attributes[string(name)])
		if err != nil {
			return 0, fmt.Errorf("count dead-letter messages: %s is not a number", name)
		}
		sum += n
	}
	return sum, nil
}

// List returns at most limit messages and leaves them in the queue.
func (q *Queue) List(ctx context.Context, limit int) ([]view.DeadLetter, error) {
	count, err := q.Count(ctx)
	if err != nil {
		return nil, err
	}
	all := []view.DeadLetter{}
	var seen []types.Message
	defer func() { q.release(ctx, seen) }()
	// A receive waits if there is no message, so none is made without need.
	for len(all) < min(limit, count) {
		got, err := q.receive(ctx)
		if err != nil {
			return nil, err
		}
		if len(got) == 0 {
			break
		}
		seen = append(seen, got...)
		for _, m := range got {
			all = append(all, deadLetter(m))
		}
	}
	return all[:min(limit, len(all))], nil
}

// Retry sends one message to the main queue. It returns false if the message is gone,
// or invisible because another request has received it.
func (q *Queue) Retry(ctx context.Context, id string) (bool, error) {
	var seen []types.Message
	defer func() { q.release(ctx, seen) }()
	for end := q.Now().Add(retryTimeout); q.Now().Before(end); {
		got, err := q.receive(ctx)
		if err != nil || len(got) == 0 {
			return false, err
		}
		for i, m := range got {
			if aws.ToString(m.MessageId) == id {
				seen = append(seen, slices.Delete(got, i, i+1)...)
				return true, q.resend(ctx, m)
			}
		}
		seen = append(seen, got...)
	}
	return false, errors.New("there are too many dead-letter messages to find one of them: retry all")
}

// RetryAll sends the messages that are in the queue now to the main queue, and
// returns how many. Those that return meanwhile stay.
func (q *Queue) RetryAll(ctx context.Context) (int, error) {
	start := q.Now()
	var kept []types.Message
	defer func() { q.release(ctx, kept) }()
	var sent atomic.Int64
	for q.Now().Before(start.Add(retryTimeout)) {
		got, err := q.receive(ctx)
		if err != nil {
			return int(sent.Load()), err
		}
		if len(got) == 0 {
			break
		}
		var g errgroup.Group
		g.SetLimit(inFlight)
		for _, m := range got {
			if sentAt(m).After(start) {
				kept = append(kept, m)
				continue
			}
			g.Go(func() error {
				err := q.resend(ctx, m)
				if err == nil {
					sent.Add(1)
				}
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return int(sent.Load()), err
		}
	}
	return int(sent.Load()), nil
}

// resend sends a message to the main queue before it deletes it. After a failure in
// between the message comes twice, which changes nothing.
func (q *Queue) resend(ctx context.Context, m types.Message) error {
	sending, end := deadline.Within(ctx, 0, timeout)
	defer end()
	if _, err := q.Client.SendMessage(sending, &sqs.SendMessageInput{QueueUrl: &q.QueueURL, MessageBody: m.Body}); err != nil {
		return fmt.Errorf("resend dead-letter message: %w", err)
	}
	ctx, cancel := deadline.Grace(ctx, timeout, time.Second)
	defer cancel()
	if _, err := q.Client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &q.URL, ReceiptHandle: m.ReceiptHandle}); err != nil {
		return fmt.Errorf("delete resent dead-letter message: %w", err)
	}
	return nil
}

// receive returns up to ten messages. It polls all of SQS's servers, and waits for a
// second if there is none.
func (q *Queue) receive(ctx context.Context) ([]types.Message, error) {
	ctx, cancel := deadline.Within(ctx, 0, timeout)
	defer cancel()
	out, err := q.Client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: &q.URL, MaxNumberOfMessages: 10, VisibilityTimeout: int32(visibilityTimeout.Seconds()), WaitTimeSeconds: 1,
		MessageAttributeNames:       []string{"reason", "account"},
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameSentTimestamp},
	})
	if err != nil {
		return nil, fmt.Errorf("receive dead-letter messages: %w", err)
	}
	return out.Messages, nil
}

// release makes messages visible again. If it fails, they are after
// visibilityTimeout.
func (q *Queue) release(ctx context.Context, seen []types.Message) {
	ctx, cancel := deadline.Grace(ctx, timeout, time.Second)
	defer cancel()
	for messages := range slices.Chunk(seen, 10) {
		in := &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &q.URL}
		for i, m := range messages {
			in.Entries = append(in.Entries, types.ChangeMessageVisibilityBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: m.ReceiptHandle})
		}
		_, _ = q.Client.ChangeMessageVisibilityBatch(ctx, in) // see above
	}
}

// deadLetter returns a message as the console shows it.
func deadLetter(m types.Message) view.DeadLetter {
	at := sentAt(m)
	v := view.DeadLetter{ID: aws.ToString(m.MessageId), Reason: tooOften, Body: m.Body, Account: attribute(m, "account")}
	if reason := attribute(m, "reason"); reason != nil {
		v.Reason = *reason
	}
	if !at.IsZero() {
		v.SentAt = &at
	}
	var in ipn.Message
	if json.Unmarshal([]byte(aws.ToString(m.Body)), &in) != nil {
		return v // malformed: only its body is shown
	}
	v.Kind, v.ObjectType, v.ObjectID = text(in.Kind), text(in.ObjectType), text(in.ObjectID)
	v.ChargePermissionID, v.NotificationID, v.MessageID, v.Topic = text(string(in.ChargePermission)), text(in.NotificationID), text(in.MessageID), text(in.Topic)
	if v.Account == nil {
		v.Account = text(string(in.Account))
	}
	if !in.Published.IsZero() {
		v.PublishedAt = &in.Published
	}
	return v
}

func attribute(m types.Message, name string) *string { return m.MessageAttributes[name].StringValue }

func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// sentAt returns when a message was sent to the queue. A message that SQS moved keeps
// the time at which it was sent to the main queue.
func sentAt(m types.Message) time.Time {
	ms, err := strconv.ParseInt(m.Attributes[string(types.MessageSystemAttributeNameSentTimestamp)], 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
