package awslambda

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/rs/zerolog"
)

// Resource is a custom resource of CloudFormation whose creation and update is
// do. It answers Delete with success and touches nothing. The attributes that a
// template may read (Fn::GetAtt) are the members of what do returned, as JSON.
//
// An event that is not CloudFormation's, such as {} by hand, runs do and is
// answered with what it returned.
//
// CloudFormation waits for an answer for an hour, or what ServiceTimeout says, so
// it gets one while there is time for it: do's context ends earlier than the
// invocation, and a do that does not end with it is left behind, to be repeated.
// The answer goes to a URL that the event brings, which must lead to where
// CloudFormation takes answers in the region (see answersAt).
//
// The package cfn of aws-lambda-go has the words; its wrapper asks nothing of the
// URL, keeps no time for the answer, and lets it grow too large to be taken.
func Resource(client *http.Client, region string, do func(context.Context) (any, error)) Handler {
	direct := *client // a redirect would lead past the list
	direct.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return func(ctx context.Context, event json.RawMessage) (any, error) {
		var e cfn.Event
		if err := json.Unmarshal(event, &e); err != nil || (e.RequestType == "" && e.ResponseURL == "") {
			return do(ctx)
		}
		to, err := answersAt(e.ResponseURL, region)
		if err != nil {
			return nil, err
		}
		answer := cfn.NewResponse(&e)
		// The same for good, or CloudFormation takes it for another resource and
		// deletes the one before.
		if answer.PhysicalResourceID = e.PhysicalResourceID; answer.PhysicalResourceID == "" {
			answer.PhysicalResourceID = e.LogicalResourceID
		}
		switch e.RequestType {
		case cfn.RequestDelete:
		case cfn.RequestCreate, cfn.RequestUpdate:
			var done any
			if done, err = inTime(ctx, do); err == nil {
				answer.Data = members(done)
			}
		default:
			err = fmt.Errorf("%q is not Create, Update or Delete", e.RequestType)
		}
		answer.Status = cfn.StatusSuccess
		if err != nil {
			zerolog.Ctx(ctx).Error().Err(err).Msg("the custom resource failed; the deploy fails with it")
			answer.Status, answer.Reason = cfn.StatusFailed, err.Error()
		}
		body, err := sized(answer)
		if err != nil {
			return nil, err
		}
		return nil, put(ctx, &direct, to, body)
	}
}

// reserve is how much of an invocation's time is kept for the answer. A sixth of
// that is for a do that takes longer to end than its context.
const reserve = 12 * time.Second

var errLate = errors.New("the time was up before it ended: give the function more, or invoke it by hand with {}; what it began is complete or undone")

// inTime runs do with less than the invocation's time, and returns while some is
// left, even if do does not.
func inTime(ctx context.Context, do func(context.Context) (any, error)) (any, error) {
	var gone <-chan time.Time
	if end, ok := ctx.Deadline(); ok {
		kept := min(reserve, time.Until(end)/2)
		gone = time.After(time.Until(end) - kept + kept/6)
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
				zerolog.Ctx(ctx).Error().Str("panic", fmt.Sprintf("%T", p)).Bytes("stack", debug.Stack()).Msg("a fault in the code")
				o = outcome{err: fmt.Errorf("a fault in the code (%T); see the log", p)}
			}
			ended <- o
		}()
		o.done, o.err = do(ctx)
	}()
	select {
	case o := <-ended:
		return o.done, o.err
	case <-gone:
		return nil, errLate
	}
}

// members returns the members of what encodes as a JSON object, as text, which is
// what an attribute is. Lists and objects have none.
func members(v any) map[string]any {
	b, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber() // as it is written
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

// maximumAnswer is how large an answer CloudFormation takes, in bytes (CloudFormation
// User Guide, "Custom resource response objects").
const maximumAnswer = 4096

// sized encodes an answer so that CloudFormation takes it: without attributes, and
// with the end of its reason cut, if it must be.
func sized(answer *cfn.Response) ([]byte, error) {
	for {
		body, err := json.Marshal(answer)
		if err != nil {
			return nil, fmt.Errorf("the answer to CloudFormation: %w", err)
		}
		over := len(body) - maximumAnswer
		switch {
		case over <= 0:
			return body, nil
		case len(answer.Data) > 0:
			answer.Data = nil
		case answer.Reason != "":
			// Characters that are escaped count more than once: cut its part of
			// what is too much, and look again.
			escaped, err := json.Marshal(answer.Reason)
			if err != nil {
				return nil, fmt.Errorf("the answer to CloudFormation: %w", err)
			}
			n := len(answer.Reason) * (len(escaped) - over) / len(escaped)
			if answer.Reason = clip(answer.Reason, n); n < len(answer.Reason) {
				answer.Reason = ""
			}
		default:
			return nil, fmt.Errorf("the answer to CloudFormation has %d bytes without a reason", len(body))
		}
	}
}

// clip cuts text to n bytes at most, between characters, and shows it.
func clip(text string, n int) string {
	const mark = "…"
	if len(text) <= n {
		return text
	}
	n = max(n-len(mark), 0)
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n] + mark
}

// answersAt returns the URL if it leads to the bucket in which CloudFormation
// takes answers in the region ("Setting up VPC endpoints for AWS CloudFormation"),
// by one of the names that S3 has there. Whoever may invoke the function could
// otherwise have it call where it can reach, such as into the VPC.
func answersAt(raw, region string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "https" || u.User != nil {
		return "", errors.New("the ResponseURL of the event is not a plain https URL: CloudFormation's are; to migrate by hand, invoke with {}")
	}
	domain := "amazonaws.com"
	switch {
	case strings.HasPrefix(region, "cn-"):
		domain = "amazonaws.com.cn"
	case strings.HasPrefix(region, "eusc-"):
		domain = "amazonaws.eu"
	}
	bucket := "cloudformation-custom-resource-response-" + strings.ReplaceAll(region, "-", "")
	for _, s3 := range []string{"s3." + region, "s3-" + region, "s3.dualstack." + region, "s3"} {
		if u.Host == bucket+"."+s3+"."+domain && (s3 != "s3" || domain == "amazonaws.com") { // the others have no global name
			return raw, nil
		}
	}
	return "", fmt.Errorf("the ResponseURL of the event leads to %q, which is not CloudFormation's bucket in %s: nothing was done; to migrate by hand, invoke with {}", clip(u.Host, 80), region)
}

// tries are made to answer, within attempt each.
const (
	tries   = 3
	attempt = 3 * time.Second
)

// put sends an answer. S3 is asked again where another try may help.
func put(ctx context.Context, client *http.Client, to string, body []byte) (err error) {
	for try := range tries {
		if try > 0 {
			zerolog.Ctx(ctx).Warn().Err(err).Msg("CloudFormation could not be told; trying again")
			pause := time.NewTimer(time.Duration(try) * 300 * time.Millisecond)
			select {
			case <-ctx.Done():
				pause.Stop()
				return err
			case <-pause.C:
			}
		}
		var final bool
		if final, err = putOnce(ctx, client, to, body); final {
			return err
		}
	}
	return err
}

func putOnce(ctx context.Context, client *http.Client, to string, body []byte) (final bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, http.MethodPut, to, bytes.NewReader(body))
	if err != nil {
		return true, errors.New("tell CloudFormation: the request cannot be made") // its text has the URL, which is signed
	}
	// And no Content-Type: the URL is signed for none.
	got, err := client.Do(q)
	if err != nil {
		var inURL *url.Error
		if errors.As(err, &inURL) {
			err = inURL.Err
		}
		return false, fmt.Errorf("tell CloudFormation at %s: %w; in a VPC the function needs a route to S3, such as a gateway endpoint", q.URL.Host, err)
	}
	defer got.Body.Close()
	if got.StatusCode != http.StatusOK {
		return got.StatusCode < http.StatusInternalServerError, fmt.Errorf("tell CloudFormation at %s: status %d", q.URL.Host, got.StatusCode)
	}
	return true, nil
}
