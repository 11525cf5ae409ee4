package awslambda

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/aws/aws-lambda-go/events"

	"walletsync/internal/ipn"
)

// Door answers HTTP API events with h, and hands each envelope of an SNS event
// to record: the receiver may have either trigger. Which of the two an event is
// shows in one reading of it.
func Door(h http.Handler, record func(ctx context.Context, envelope []byte) error) Handler {
	return func(ctx context.Context, event json.RawMessage) (any, error) {
		var e struct {
			events.APIGatewayV2HTTPRequest
			Records []struct {
				EventSource string
				// The bytes as they came: verification is over them.
				SNS json.RawMessage `json:"Sns"`
			}
		}
		if err := json.Unmarshal(event, &e); err != nil {
			return nil, fmt.Errorf("an HTTP API or SNS event: %w", err)
		}
		if len(e.Records) == 0 {
			return serve(ctx, h, e.APIGatewayV2HTTPRequest), nil
		}
		for _, r := range e.Records {
			if r.EventSource != "aws:sns" {
				return nil, fmt.Errorf("an event of %q, which this function does not take", r.EventSource)
			}
			// What is final has been logged and counted; to fail the
			// invocation would only bring it back.
			if err := record(ctx, r.SNS); err != nil && !ipn.Final(err) {
				return nil, err
			}
		}
		return nil, nil
	}
}

// Batch hands the messages of an SQS event to batch, and answers which of them
// must be delivered again.
func Batch(batch func(context.Context, []ipn.Delivery) (failed []string)) Handler {
	return func(ctx context.Context, event json.RawMessage) (any, error) {
		var e events.SQSEvent
		if err := json.Unmarshal(event, &e); err != nil {
			return nil, fmt.Errorf("an SQS event: %w", err)
		}
		deliveries := make([]ipn.Delivery, len(e.Records))
		for i, m := range e.Records {
			receives, err := strconv.Atoi(m.Attributes["ApproximateReceiveCount"])
			if err != nil {
				receives = 1
			}
			deliveries[i] = ipn.Delivery{ID: m.MessageId, Body: m.Body, Receives: receives}
		}
		answer := events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}}
		for _, id := range batch(ctx, deliveries) {
			answer.BatchItemFailures = append(answer.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: id})
		}
		return answer, nil
	}
}

// Schedule runs do for each event of a schedule, which says nothing but that it
// is time. An error fails the invocation, and Lambda tries twice more.
func Schedule(do func(context.Context) error) Handler {
	return func(ctx context.Context, _ json.RawMessage) (any, error) { return nil, do(ctx) }
}
