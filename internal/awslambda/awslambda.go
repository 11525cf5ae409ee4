// Package awslambda turns what Lambda delivers into what the rooms take: HTTP
// API events (payload format 2.0) into requests, SNS events into envelopes, SQS
// events into deliveries, and a CloudFormation custom resource into a run of the
// migrator.
//
// Sources: API Gateway Developer Guide, "Create AWS Lambda proxy integrations
// for HTTP APIs"; AWS Lambda Developer Guide, "Using Lambda with Amazon SNS" and
// "Reporting batch item failures"; CloudFormation User Guide, "Custom resource
// request and response objects".
package awslambda

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/rs/zerolog"

	"walletsync/internal/deadline"
	"walletsync/internal/telemetry"
)

// answerTime is how much of an invocation's time is kept for the answer. Lambda's
// deadline is the moment at which it ends the process, so a context that ended
// then would leave no time to say what went wrong. It covers what a function still
// has to do when its context has ended (see deadline.Grace), and writing the
// answer. A function with less than twice this keeps half of its time.
const answerTime = 2 * time.Second

// Handler answers one invocation. What it returns is written as JSON. The event
// is the runtime's, and is used again after the invocation.
type Handler func(ctx context.Context, event json.RawMessage) (any, error)

// Start serves invocations until the process ends. Each has a logger in its
// context, with Lambda's request id, and its metrics are written when it ends.
// Its context ends before Lambda ends the invocation: whatever is silent, there
// is time to answer.
//
// A panic fails its invocation and not the process: what is in flight is lost
// either way and comes again, but caches and connections stay.
func Start(log zerolog.Logger, metrics *telemetry.Metrics, h Handler) {
	lambda.Start(bytesHandler(func(ctx context.Context, event []byte) ([]byte, error) {
		answer, err := invoke(ctx, log, metrics, h, event)
		if err != nil {
			return nil, err
		}
		return json.Marshal(answer)
	}))
}

// Once invokes a function that people may run by hand on their own machine, where
// there is no Lambda to ask for events, with an empty event, and writes the answer.
func Once(ctx context.Context, log zerolog.Logger, metrics *telemetry.Metrics, out io.Writer, h Handler) error {
	answer, err := invoke(ctx, log, metrics, h, json.RawMessage(`{}`))
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(answer)
}

// OnLambda reports whether the process runs where Start finds events: under
// Lambda's Runtime API. getenv is os.Getenv.
func OnLambda(getenv func(string) string) bool { return getenv("AWS_LAMBDA_RUNTIME_API") != "" }

// bytesHandler is a lambda.Handler: the runtime hands it the event as it came.
// For a function it would read the event once more, only to copy it.
type bytesHandler func(ctx context.Context, event []byte) ([]byte, error)

func (h bytesHandler) Invoke(ctx context.Context, event []byte) ([]byte, error) { return h(ctx, event) }

func invoke(ctx context.Context, log zerolog.Logger, metrics *telemetry.Metrics, h Handler, event json.RawMessage) (answer any, err error) {
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		log = log.With().Str("request", lc.AwsRequestID).Logger()
	}
	ctx, cancel := deadline.Within(ctx, 0, answerTime)
	defer cancel()
	defer metrics.Flush()
	defer func() {
		if p := recover(); p != nil {
			metrics.Count(telemetry.Panics, 1, telemetry.Labels{})
			log.Error().Str("panic", fmt.Sprintf("%T", p)).Bytes("stack", debug.Stack()).Msg("a fault in the code; the invocation fails and comes again")
			answer, err = nil, fmt.Errorf("a fault in the code (%T); see the log", p)
		}
	}()
	return h(log.WithContext(ctx), event)
}
