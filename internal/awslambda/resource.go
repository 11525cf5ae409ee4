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
	"runtime/debug"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/rs/zerolog"
)

// Resource is a custom resource of CloudFormation. Create and Update run do;
// Delete reports success and runs nothing. The attributes that a template can read
// (Fn::GetAtt) are the members of what do returned, as JSON.
//
// An event that is not CloudFormation's, such as {} by hand, runs do and is
// answered with what it returned.
//
// CloudFormation waits for its response for up to ServiceTimeout, so do gets less
// than the invocation's time. A response that cannot be sent fails the invocation:
// Lambda repeats it, do included (EventInvokeConfig in the template).
//
// Package cfn sends responses by http.DefaultClient, so Resource replaces that by
// client, with a time limit and without redirects.
func Resource(client *http.Client, region string, do func(context.Context) (any, error)) Handler {
	sender := *client
	sender.Timeout = sendTimeout
	sender.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	http.DefaultClient = &sender
	respond := cfn.LambdaWrap(func(ctx context.Context, e cfn.Event) (id string, data map[string]any, err error) {
		// The id never changes: CloudFormation would delete the resource of the old one.
		if id = e.PhysicalResourceID; id == "" {
			id = e.LogicalResourceID
		}
		switch e.RequestType {
		case cfn.RequestDelete:
			return id, nil, nil
		case cfn.RequestCreate, cfn.RequestUpdate:
			var done any
			if done, err = inTime(ctx, do); err == nil {
				return id, attributes(done), nil
			}
		default:
			err = fmt.Errorf("%q is not Create, Update or Delete", e.RequestType)
		}
		zerolog.Ctx(ctx).Error().Err(err).Msg("custom resource failed; the deploy fails with it")
		return id, nil, errors.New(clip(err.Error(), maxReason))
	})
	urls := responseURLs(region)
	return func(ctx context.Context, event json.RawMessage) (any, error) {
		var e cfn.Event
		if err := json.Unmarshal(event, &e); err != nil || (e.RequestType == "" && e.ResponseURL == "") {
			return do(ctx)
		}
		if !urls.MatchString(e.ResponseURL) {
			return nil, fmt.Errorf("the ResponseURL of the event is not in CloudFormation's bucket in %s; nothing was done; to migrate by hand, invoke with {}", region)
		}
		_, err := respond(ctx, e)
		var signed *url.Error // its text has the URL, which is signed
		if errors.As(err, &signed) {
			err = fmt.Errorf("%w; in a VPC the function needs a route to S3, such as a gateway endpoint", signed.Err)
		}
		if err != nil {
			return nil, fmt.Errorf("respond to CloudFormation: %w", err)
		}
		return nil, nil
	}
}

// reserve is how much of an invocation's time is kept for the response. A sixth of
// it is for a do that outlives its context.
const (
	reserve     = 12 * time.Second
	sendTimeout = 9 * time.Second
)

var errLate = errors.New("not complete in time: give the function more, or invoke it by hand with {}; what it began is complete or undone")

// inTime runs do with less than the invocation's time, and returns while some is
// left, even if do does not.
func inTime(ctx context.Context, do func(context.Context) (any, error)) (any, error) {
	var late <-chan time.Time
	if end, ok := ctx.Deadline(); ok {
		kept := min(reserve, time.Until(end)/2)
		late = time.After(time.Until(end) - kept + kept/6)
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, end.Add(-kept))
		defer cancel()
	}
	type outcome struct {
		done any
		err  error
	}
	ended := make(chan outcome, 1)
	go func() {
		var o outcome
		defer func() {
			if p := recover(); p != nil {
				zerolog.Ctx(ctx).Error().Str("panic", fmt.Sprintf("%T", p)).Bytes("stack", debug.Stack()).Msg("panic")
				o = outcome{err: fmt.Errorf("a panic (%T); see the log", p)}
			}
			ended <- o
		}()
		o.done, o.err = do(ctx)
	}()
	select {
	case o := <-ended:
		return o.done, o.err
	case <-late:
		return nil, errLate
	}
}

// CloudFormation takes responses of up to 4,096 bytes ("Custom resource response
// objects"), of which a character may need six. The ids need less than 1,000.
const (
	maxReason     = 500
	maxAttributes = 2000
)

// attributes returns the members of what encodes as a JSON object, as text, which
// is what attributes are. Lists and objects are left out, and all if they are too
// long.
func attributes(v any) map[string]any {
	b, err := json.Marshal(v)
	if err != nil || len(b) > maxAttributes {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber() // as written
	var m map[string]any
	if d.Decode(&m) != nil {
		return nil
	}
	for name, value := range m {
		switch value.(type) {
		case string, bool, json.Number:
			m[name] = fmt.Sprint(value)
		default:
			delete(m, name)
		}
	}
	return m
}

// clip cuts text to about n bytes, between characters, and marks the cut.
func clip(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n] + "…"
}

// responseURLs matches the URLs of the bucket in which CloudFormation takes
// responses in the region ("Setting up VPC endpoints for AWS CloudFormation"), by
// the names that S3 has there. Without this a caller who may invoke the function
// could make it connect to any host that it reaches, such as those in the VPC.
func responseURLs(region string) *regexp.Regexp {
	bucket := "cloudformation-custom-resource-response-" + strings.ReplaceAll(region, "-", "")
	region = regexp.QuoteMeta(region)
	return regexp.MustCompile(`^https://` + regexp.QuoteMeta(bucket) + `\.s3(\.amazonaws\.com|([.-]|\.dualstack\.)` + region + `\.amazonaws\.(com|com\.cn|eu))/`)
}
