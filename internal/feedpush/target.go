package feedpush

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	bus "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	topic "github.com/aws/aws-sdk-go-v2/service/sns/types"
)

// Source and DetailType identify the events in EventBridge rules.
const (
	Source     = "walletsync"
	DetailType = "Charge Permission Changed"
)

// batch is the limit of messages or events per call of both services
// ("PublishBatch" and "PutEvents" in their API references).
const batch = 10

// TargetOf returns the target that an ARN names: a topic of SNS or a bus of
// EventBridge, in the ARN's region.
func TargetOf(target string, c aws.Config) (Target, error) {
	a, err := arn.Parse(target)
	if err != nil {
		return nil, fmt.Errorf("the push's target: %w", err)
	}
	c.Region = a.Region
	switch {
	case a.Service == "sns":
		return &Topic{Client: sns.NewFromConfig(c), ARN: target}, nil
	case a.Service == "events" && strings.HasPrefix(a.Resource, "event-bus/"):
		return &Bus{Client: eventbridge.NewFromConfig(c), ARN: target}, nil
	}
	return nil, fmt.Errorf("the push's target %s is neither an SNS topic nor an EventBridge bus", target)
}

// inBatches publishes batch by batch and stops at the first that was not accepted
// completely.
func inBatches(changes []Change, publish func([]Change) (int, error)) (taken int, err error) {
	for taken < len(changes) {
		part := changes[taken:min(taken+batch, len(changes))]
		n, err := publish(part)
		taken += n
		if err != nil {
			return taken, err
		}
	}
	return taken, nil
}

// message returns the JSON of a change.
func message(c Change) (*string, error) {
	b, err := json.Marshal(c)
	return aws.String(string(b)), err
}

// Topic is an SNS topic. In a FIFO topic the message group is the charge
// permission and the deduplication id the position, so that subscribers get each
// message once and in order.
type Topic struct {
	Client interface {
		PublishBatch(context.Context, *sns.PublishBatchInput, ...func(*sns.Options)) (*sns.PublishBatchOutput, error)
	}
	ARN string
}

// Publish publishes changes to the topic, as a Target does.
func (t *Topic) Publish(ctx context.Context, changes []Change) (int, error) {
	return inBatches(changes, func(part []Change) (int, error) {
		in := &sns.PublishBatchInput{TopicArn: &t.ARN}
		for i, c := range part {
			text, err := message(c)
			if err != nil {
				return 0, err
			}
			e := topic.PublishBatchRequestEntry{
				Id: aws.String(strconv.Itoa(i)), Message: text,
				// For filter policies of subscriptions.
				MessageAttributes: map[string]topic.MessageAttributeValue{"account": word(string(c.Account)), "facet": word(string(c.Facet))},
			}
			if strings.HasSuffix(t.ARN, ".fifo") {
				e.MessageGroupId = aws.String(string(c.Account) + "/" + string(c.ChargePermission))
				e.MessageDeduplicationId = aws.String(strconv.FormatInt(c.Position, 10))
			}
			in.PublishBatchRequestEntries = append(in.PublishBatchRequestEntries, e)
		}
		out, err := t.Client.PublishBatch(ctx, in)
		if err != nil {
			return 0, fmt.Errorf("topic %s: %w", t.ARN, err)
		}
		taken := make([]bool, len(part))
		for _, s := range out.Successful {
			if i, err := strconv.Atoi(aws.ToString(s.Id)); err == nil && i >= 0 && i < len(taken) {
				taken[i] = true
			}
		}
		for i := range taken {
			if !taken[i] {
				return i, fmt.Errorf("topic %s refuses position %d: %s", t.ARN, part[i].Position, refusal(out.Failed, i))
			}
		}
		return len(part), nil
	})
}

func refusal(failed []topic.BatchResultErrorEntry, i int) string {
	for _, f := range failed {
		if aws.ToString(f.Id) == strconv.Itoa(i) {
			return aws.ToString(f.Code) + ": " + aws.ToString(f.Message)
		}
	}
	return "not in the answer"
}

func word(s string) topic.MessageAttributeValue {
	return topic.MessageAttributeValue{DataType: aws.String("String"), StringValue: &s}
}

// Bus is an EventBridge bus.
type Bus struct {
	Client interface {
		PutEvents(context.Context, *eventbridge.PutEventsInput, ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error)
	}
	ARN string
}

// Publish publishes changes to the bus, as a Target does.
func (b *Bus) Publish(ctx context.Context, changes []Change) (int, error) {
	return inBatches(changes, func(part []Change) (int, error) {
		in := &eventbridge.PutEventsInput{}
		for _, c := range part {
			text, err := message(c)
			if err != nil {
				return 0, err
			}
			in.Entries = append(in.Entries, bus.PutEventsRequestEntry{
				EventBusName: &b.ARN, Source: aws.String(Source), DetailType: aws.String(DetailType), Detail: text,
			})
		}
		out, err := b.Client.PutEvents(ctx, in)
		if err != nil {
			return 0, fmt.Errorf("bus %s: %w", b.ARN, err)
		}
		if len(out.Entries) != len(part) {
			return 0, fmt.Errorf("bus %s answers for %d of %d events", b.ARN, len(out.Entries), len(part))
		}
		for i, e := range out.Entries {
			if e.EventId == nil {
				return i, fmt.Errorf("bus %s refuses position %d: %s: %s", b.ARN, part[i].Position, aws.ToString(e.ErrorCode), aws.ToString(e.ErrorMessage))
			}
		}
		return len(part), nil
	})
}
