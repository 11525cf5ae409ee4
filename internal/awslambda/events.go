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

// HTTPOrSNS answers HTTP API events with h, and passes each envelope of an SNS event
// to record: the receiver may have either trigger. The event is parsed once.
func HTTPOrSNS(h http.Handler, record func(ctx context.Context, envelope []byte) error) Handler {
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
			// A final error has been logged and counted; failing the invocation
			// would only redeliver the message.
			if err := record(ctx, r.SNS); err != nil && !ipn.Final(err) {
				return nil, err
			}
		}
		return nil, nil
	}
}

// Batch passes the messages of an SQS event to batch, and answers which of them
// must be redelivered.
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

// Schedule runs do for each event of a schedule. An error fails the invocation.
func Schedule(do func(context.Context) error) Handler {
	return func(ctx context.Context, _ json.RawMessage) (any, error) { return nil, do(ctx) }
}
