// Package queue sends messages to SQS: notifications and wake-ups to the main
// queue, messages that can never be processed to the dead-letter queue. Lambda's
// event source receives them.
package queue

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"walletsync/internal/ipn"
	"walletsync/internal/wallet"
)

// Sender is the part of the SQS client that this package uses.
type Sender interface {
	SendMessage(context.Context, *sqs.SendMessageInput, ...func(*sqs.Options)) (*sqs.SendMessageOutput, error)
}

// Queue sends to our queue and to its dead-letter queue. It is safe for
// concurrent use.
type Queue struct {
	Client        Sender
	URL           string
	DeadLetterURL string // not needed by senders of Send and Wake only
}

// timeout bounds one message, the SDK's own attempts included. SNS waits for 15 s.
const timeout = 8 * time.Second

// Send queues a message.
func (q *Queue) Send(ctx context.Context, m ipn.Message) error {
	return q.send(ctx, &sqs.SendMessageInput{QueueUrl: &q.URL, MessageBody: aws.String(m.Encode())})
}

// maxDelay is the longest that SQS delays a message ("SendMessage").
const maxDelay = 900

// Wake queues a wake-up that is delivered after delay, in whole seconds, rounded
// up.
func (q *Queue) Wake(ctx context.Context, account wallet.AccountID, at time.Time, delay time.Duration) error {
	seconds := int32(min((delay+time.Second-1)/time.Second, maxDelay))
	return q.send(ctx, &sqs.SendMessageInput{
		QueueUrl: &q.URL, DelaySeconds: seconds,
		MessageBody: aws.String(ipn.WakeMessage(wallet.Wake{Account: account, At: at}).Encode()),
	})
}

// DeadLetter sends a body unchanged to the dead-letter queue. The reason and the
// account are message attributes, so that the body can be redriven unchanged.
func (q *Queue) DeadLetter(ctx context.Context, body, reason string, account wallet.AccountID) error {
	attributes := map[string]types.MessageAttributeValue{"reason": text(reason)}
	if account != "" {
		attributes["account"] = text(string(account))
	}
	return q.send(ctx, &sqs.SendMessageInput{QueueUrl: &q.DeadLetterURL, MessageBody: &body, MessageAttributes: attributes})
}

func text(s string) types.MessageAttributeValue {
	return types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &s}
}

func (q *Queue) send(ctx context.Context, in *sqs.SendMessageInput) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if _, err := q.Client.SendMessage(ctx, in); err != nil {
		return fmt.Errorf("send to queue: %w", err)
	}
	return nil
}
