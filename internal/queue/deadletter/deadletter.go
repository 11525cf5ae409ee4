// Package deadletter shows an operator what lies in the dead-letter queue, and
// sends it to the queue again. It reads no message but to show it: what a
// message asks for is decided by the worker, as ever.
//
// SQS has no way to look: what is listed is received, and made visible again.
// Facts: Amazon SQS API reference, ReceiveMessage and ChangeMessageVisibility.
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

// SQS is what the package needs of the SQS client.
type SQS interface {
	ReceiveMessage(context.Context, *sqs.ReceiveMessageInput, ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error)
	SendMessage(context.Context, *sqs.SendMessageInput, ...func(*sqs.Options)) (*sqs.SendMessageOutput, error)
	DeleteMessage(context.Context, *sqs.DeleteMessageInput, ...func(*sqs.Options)) (*sqs.DeleteMessageOutput, error)
	ChangeMessageVisibilityBatch(context.Context, *sqs.ChangeMessageVisibilityBatchInput, ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityBatchOutput, error)
	GetQueueAttributes(context.Context, *sqs.GetQueueAttributesInput, ...func(*sqs.Options)) (*sqs.GetQueueAttributesOutput, error)
}

// Letters are what lies in a dead-letter queue. They are safe for concurrent
// use, but two who look at once may each see a part.
type Letters struct {
	Client SQS
	// QueueURL is of the queue that the worker reads, URL of its dead-letter queue.
	QueueURL, URL string
	Now           func() time.Time
}

const (
	// held is how long a message is kept from others while it is looked at.
	held = 30 * time.Second
	// patience bounds a retry: what is left then is tried again by another. An
	// HTTP API waits for 30 s.
	patience = 20 * time.Second
	// inFlight is how many messages are sent again at once.
	inFlight = 10
	// timeout bounds what has to follow a receive or a send, which end so much
	// before the request's time does.
	timeout = 5 * time.Second
)

// tooOften is the reason of what the queue itself has given up: the worker gives
// another to all that it dead-letters.
const tooOften = "received_too_often"

// Count is how many there are, as SQS reckons: those that somebody is looking
// at included.
func (l *Letters) Count(ctx context.Context) (int, error) {
	names := []types.QueueAttributeName{types.QueueAttributeNameApproximateNumberOfMessages, types.QueueAttributeNameApproximateNumberOfMessagesNotVisible}
	out, err := l.Client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &l.URL, AttributeNames: names})
	if err != nil {
		return 0, fmt.Errorf("count the dead letters: %w", err)
	}
	sum := 0
	for _, name := range names {
		n, err := strconv.Atoi(out.Attributes[string(name)])
		if err != nil {
			return 0, fmt.Errorf("count the dead letters: %s is no number", name)
		}
		sum += n
	}
	return sum, nil
}

// List returns some of them, at most so many, and leaves them where they are.
func (l *Letters) List(ctx context.Context, most int) ([]view.DeadLetter, error) {
	there, err := l.Count(ctx)
	if err != nil {
		return nil, err
	}
	all := []view.DeadLetter{}
	var seen []types.Message
	defer func() { l.release(ctx, seen) }()
	// A receive that finds nothing waits; so none is made that need not be.
	for len(all) < min(most, there) {
		got, err := l.receive(ctx)
		if err != nil {
			return nil, err
		}
		if len(got) == 0 {
			break
		}
		seen = append(seen, got...)
		for _, m := range got {
			all = append(all, letter(m))
		}
	}
	return all[:min(most, len(all))], nil
}

// Retry sends one to the queue again; false: it is not there any more, or
// somebody is looking at it.
func (l *Letters) Retry(ctx context.Context, id string) (bool, error) {
	var seen []types.Message
	defer func() { l.release(ctx, seen) }()
	for end := l.Now().Add(patience); l.Now().Before(end); {
		got, err := l.receive(ctx)
		if err != nil || len(got) == 0 {
			return false, err
		}
		for i, m := range got {
			if aws.ToString(m.MessageId) == id {
				seen = append(seen, slices.Delete(got, i, i+1)...)
				return true, l.again(ctx, m)
			}
		}
		seen = append(seen, got...)
	}
	return false, errors.New("there are too many dead letters to find one among them: try all of them again")
}

// RetryAll sends all that are there now to the queue again, and returns how
// many. One that comes back meanwhile stays.
func (l *Letters) RetryAll(ctx context.Context) (int, error) {
	start := l.Now()
	var kept []types.Message
	defer func() { l.release(ctx, kept) }()
	var sent atomic.Int64
	for l.Now().Before(start.Add(patience)) {
		got, err := l.receive(ctx)
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
				err := l.again(ctx, m)
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

// again sends a message's body to the queue, and only then takes it out of the
// dead-letter queue: what fails in between comes twice, which changes nothing.
func (l *Letters) again(ctx context.Context, m types.Message) error {
	sending, end := deadline.Within(ctx, 0, timeout)
	defer end()
	if _, err := l.Client.SendMessage(sending, &sqs.SendMessageInput{QueueUrl: &l.QueueURL, MessageBody: m.Body}); err != nil {
		return fmt.Errorf("send a dead letter to the queue again: %w", err)
	}
	ctx, cancel := deadline.Grace(ctx, timeout, time.Second)
	defer cancel()
	if _, err := l.Client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &l.URL, ReceiptHandle: m.ReceiptHandle}); err != nil {
		return fmt.Errorf("take a dead letter that was sent again out of its queue: %w", err)
	}
	return nil
}

// receive returns up to ten messages. It asks all of SQS's servers, which waits
// for a second if there is none.
func (l *Letters) receive(ctx context.Context) ([]types.Message, error) {
	ctx, cancel := deadline.Within(ctx, 0, timeout)
	defer cancel()
	out, err := l.Client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: &l.URL, MaxNumberOfMessages: 10, VisibilityTimeout: int32(held.Seconds()), WaitTimeSeconds: 1,
		MessageAttributeNames:       []string{"reason", "account"},
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameSentTimestamp},
	})
	if err != nil {
		return nil, fmt.Errorf("look at the dead letters: %w", err)
	}
	return out.Messages, nil
}

// release makes what was looked at visible again. If that fails, time does it.
func (l *Letters) release(ctx context.Context, seen []types.Message) {
	ctx, cancel := deadline.Grace(ctx, timeout, time.Second)
	defer cancel()
	for some := range slices.Chunk(seen, 10) {
		in := &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &l.URL}
		for i, m := range some {
			in.Entries = append(in.Entries, types.ChangeMessageVisibilityBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: m.ReceiptHandle})
		}
		_, _ = l.Client.ChangeMessageVisibilityBatch(ctx, in) // see above
	}
}

// letter is a message as it is shown.
func letter(m types.Message) view.DeadLetter {
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
		return v // what cannot be read is shown as it is
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

// sentAt is when a message came into the queue. One that SQS itself moved keeps
// the time at which it was sent to the queue before.
func sentAt(m types.Message) time.Time {
	ms, err := strconv.ParseInt(m.Attributes[string(types.MessageSystemAttributeNameSentTimestamp)], 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
