// Package awslambda turns Lambda's events into what the features take: HTTP API
// events (payload format 2.0) into requests, SNS events into envelopes, SQS events
// into deliveries, and a CloudFormation custom resource into a run of the migrator.
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

// answerTime is how much earlier than the invocation its context ends. Lambda ends
// the process at its deadline, so without this there would be no time to report an
// error. It covers what a function does after its context has ended (see
// deadline.Grace), and writing the answer. A function with less than twice this
// keeps half of its time.
const answerTime = 2 * time.Second

// Handler answers one invocation. What it returns is written as JSON. The event
// is the runtime's, and is used again after the invocation.
type Handler func(ctx context.Context, event json.RawMessage) (any, error)

// Start serves invocations until the process ends. Each has a logger in its
// context, with Lambda's request id, and its metrics are written when it ends.
// Its context ends before Lambda ends the invocation, so there is time to answer
// even if a dependency is silent.
//
// A panic fails its invocation and not the process, so that caches and connections
// stay. The invocation's work is lost and redelivered either way.
func Start(log zerolog.Logger, metrics *telemetry.Metrics, h Handler) {
	lambda.Start(bytesHandler(func(ctx context.Context, event []byte) ([]byte, error) {
		answer, err := invoke(ctx, log, metrics, h, event)
		if err != nil {
			return nil, err
		}
		return json.Marshal(answer)
	}))
}

// Once invokes h with an empty event and writes the answer, for functions that
// people also run by hand, without Lambda.
func Once(ctx context.Context, log zerolog.Logger, metrics *telemetry.Metrics, out io.Writer, h Handler) error {
	answer, err := invoke(ctx, log, metrics, h, json.RawMessage(`{}`))
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(answer)
}

// OnLambda reports whether the process runs under Lambda's Runtime API, which Start
// needs. getenv is os.Getenv.
func OnLambda(getenv func(string) string) bool { return getenv("AWS_LAMBDA_RUNTIME_API") != "" }

// bytesHandler is a lambda.Handler, which gets the event as it came. For a function
// the runtime would parse the event once more, only to copy it.
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
			log.Error().Str("panic", fmt.Sprintf("%T", p)).Bytes("stack", debug.Stack()).Msg("panic: the invocation fails and is repeated")
			answer, err = nil, fmt.Errorf("a panic (%T); see the log", p)
		}
	}()
	return h(log.WithContext(ctx), event)
}
