package awslambda

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/rs/zerolog"
)

// Resource runs do when CloudFormation creates or updates the resource, and
// tells it how that went. Delete succeeds and touches nothing. Any other event,
// as of an invocation by hand, runs do and answers with what it returned.
func Resource(client *http.Client, do func(context.Context) (any, error)) Handler {
	return func(ctx context.Context, event json.RawMessage) (any, error) {
		var e cfn.Event
		if err := json.Unmarshal(event, &e); err != nil || e.ResponseURL == "" {
			return do(ctx)
		}
		answer := cfn.NewResponse(&e)
		answer.Status, answer.PhysicalResourceID = cfn.StatusSuccess, e.PhysicalResourceID
		if answer.PhysicalResourceID == "" {
			answer.PhysicalResourceID = e.LogicalResourceID
		}
		if e.RequestType != cfn.RequestDelete {
			// CloudFormation waits for an hour when nobody answers, so time is
			// kept for that.
			work, cancel := withReserve(ctx, 10*time.Second)
			_, err := do(work)
			cancel()
			if err != nil {
				zerolog.Ctx(ctx).Error().Err(err).Msg("the migration failed; the deploy fails with it")
				answer.Status, answer.Reason = cfn.StatusFailed, err.Error()
			}
		}
		return nil, respond(ctx, client, e.ResponseURL, answer)
	}
}

func withReserve(ctx context.Context, reserve time.Duration) (context.Context, context.CancelFunc) {
	if end, ok := ctx.Deadline(); ok {
		return context.WithDeadline(ctx, end.Add(-reserve))
	}
	return context.WithCancel(ctx)
}

// s3Host is where CloudFormation's response URLs lead.
var s3Host = regexp.MustCompile(`^[a-z0-9.-]+\.s3[a-z0-9.-]*\.amazonaws\.com(\.cn)?$`)

func respond(ctx context.Context, client *http.Client, to string, answer *cfn.Response) error {
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "https" || !s3Host.MatchString(strings.ToLower(u.Host)) {
		return errors.New("the response URL does not lead to S3")
	}
	body, err := json.Marshal(answer)
	if err != nil {
		return fmt.Errorf("response: %w", err)
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPut, to, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("response: %w", err)
	}
	q.Header.Set("Content-Type", "") // the URL is signed for none
	got, err := client.Do(q)
	if err != nil {
		return fmt.Errorf("tell CloudFormation: %w", err)
	}
	defer got.Body.Close()
	if got.StatusCode != http.StatusOK {
		return fmt.Errorf("tell CloudFormation: status %d", got.StatusCode)
	}
	return nil
}
