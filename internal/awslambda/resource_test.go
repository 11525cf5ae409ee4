package awslambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"
)

// bucket is CloudFormation's, as far as it takes an answer.
type bucket struct {
	got     []cfn.Response
	headers []http.Header
	refuse  []int // statuses of the first requests
	err     error
}

func (b *bucket) RoundTrip(q *http.Request) (*http.Response, error) {
	if b.err != nil {
		return nil, b.err
	}
	status := http.StatusOK
	if len(b.refuse) > 0 {
		status, b.refuse = b.refuse[0], b.refuse[1:]
	}
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return nil, err
	}
	answer := &http.Response{StatusCode: status, Body: http.NoBody, Header: http.Header{"Location": {"https://169.254.169.254/"}}}
	if status != http.StatusOK {
		return answer, nil
	}
	var got cfn.Response
	if err := json.Unmarshal(body, &got); err != nil || len(body) > 4096 || q.Method != http.MethodPut {
		answer.StatusCode = http.StatusBadRequest
		return answer, nil
	}
	b.got, b.headers = append(b.got, got), append(b.headers, q.Header)
	return answer, nil
}

const answersHere = "https://cloudformation-custom-resource-response-euwest1.s3-eu-west-1.amazonaws.com/arn%3Aaws%3Acloudformation?AWSAccessKeyId=A&Signature=s3cret%3D"

// asked is an event as CloudFormation sends it.
func asked(kind string, change ...string) json.RawMessage {
	e := map[string]string{"RequestType": kind, "ResponseURL": answersHere, "LogicalResourceId": "Migration", "RequestId": "r-1",
		"StackId": "arn:aws:cloudformation:eu-west-1:111122223333:stack/walletsync/1", "ResourceType": "Custom::Migration"}
	if kind != "Create" {
		e["PhysicalResourceId"] = "Migration"
	}
	for i := 0; i < len(change); i += 2 {
		e[change[i]] = change[i+1]
	}
	b, err := json.Marshal(e)
	if err != nil {
		panic(err) // strings
	}
	return b
}

func TestResourceAlwaysResponds(t *testing.T) {
	for _, c := range []struct {
		name    string
		request json.RawMessage
		fails   error
		ran     bool
		want    cfn.Response
	}{
		{"create", asked("Create"), nil, true, cfn.Response{Status: cfn.StatusSuccess, PhysicalResourceID: "Migration", Data: map[string]any{"to": "5", "byHand": ""}}},
		{"update", asked("Update", "PhysicalResourceId", "as before"), nil, true, cfn.Response{Status: cfn.StatusSuccess, PhysicalResourceID: "as before", Data: map[string]any{"to": "5", "byHand": ""}}},
		{"update that fails", asked("Update"), errors.New("no such column"), true, cfn.Response{Status: cfn.StatusFailed, PhysicalResourceID: "Migration", Reason: "no such column"}},
		{"create that fails", asked("Create"), errors.New("no such host"), true, cfn.Response{Status: cfn.StatusFailed, PhysicalResourceID: "Migration", Reason: "no such host"}},
		{"delete touches nothing", asked("Delete"), errors.New("must not run"), false, cfn.Response{Status: cfn.StatusSuccess, PhysicalResourceID: "Migration"}},
		{"something new", asked("Import"), nil, false, cfn.Response{Status: cfn.StatusFailed, PhysicalResourceID: "Migration", Reason: `"Import" is not Create, Update or Delete`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, ran := &bucket{}, false
			h := Resource(&http.Client{Transport: b}, "eu-west-1", func(context.Context) (any, error) {
				ran = true
				return map[string]any{"to": 5, "byHand": "", "applied": []string{"0005"}}, c.fails
			})
			if _, err := h(t.Context(), c.request); err != nil || ran != c.ran {
				t.Errorf("ran %v, %v", ran, err)
			}
			c.want.RequestID, c.want.LogicalResourceID, c.want.StackID = "r-1", "Migration", "arn:aws:cloudformation:eu-west-1:111122223333:stack/walletsync/1"
			if diff := cmp.Diff([]cfn.Response{c.want}, b.got, cmp.AllowUnexported(cfn.Response{})); diff != "" {
				t.Error(diff)
			}
			if _, has := b.headers[0]["Content-Type"]; has {
				t.Error("a Content-Type breaks the URL's signature")
			}
		})
	}
}

func TestResourceByHand(t *testing.T) {
	for _, event := range []string{`{}`, `null`, `"now"`, `{"RequestType":""}`} {
		b := &bucket{}
		got, err := Resource(&http.Client{Transport: b}, "eu-west-1", func(context.Context) (any, error) { return 7, nil })(t.Context(), json.RawMessage(event))
		if err != nil || got != 7 || len(b.got) != 0 {
			t.Errorf("%s: %v, %v", event, got, err)
		}
	}
}

func TestResponsesGoToCloudFormationOnly(t *testing.T) {
	const name = "cloudformation-custom-resource-response-"
	for _, c := range []struct {
		region, url string
		good        bool
	}{
		{"us-east-1", "https://" + name + "useast1.s3.amazonaws.com/x?Signature=1", true},
		{"eu-west-1", answersHere, true},
		{"eu-central-1", "https://" + name + "eucentral1.s3.eu-central-1.amazonaws.com/x", true},
		{"eu-west-1", "https://" + name + "euwest1.s3.dualstack.eu-west-1.amazonaws.com/x", true},
		{"cn-north-1", "https://" + name + "cnnorth1.s3.cn-north-1.amazonaws.com.cn/x", true},
		{"us-gov-west-1", "https://" + name + "usgovwest1.s3-us-gov-west-1.amazonaws.com/x", true},
		{"eusc-de-east-1", "https://" + name + "euscdeeast1.s3.eusc-de-east-1.amazonaws.eu/x", true},

		{"eu-west-1", "http://" + name + "euwest1.s3.amazonaws.com/x", false},
		{"eu-west-1", "https://" + name + "useast1.s3.amazonaws.com/x", false},
		{"eu-west-1", "https://" + name + "euwest1.s3.us-east-1.amazonaws.com/x", false},
		{"eu-west-1", "https://" + name + "euwest1.s3.amazonaws.com:8443/x", false},
		{"eu-west-1", "https://me@" + name + "euwest1.s3.amazonaws.com/x", false},
		{"eu-west-1", "https://" + name + "euwest1.s3.amazonaws.com.example.com/x", false},
		{"eu-west-1", "https://example.com/" + name + "euwest1.s3.amazonaws.com/x", false},
		{"eu-west-1", "https://example.com?" + name + "euwest1.s3.amazonaws.com/x", false},
		{"eu-west-1", "https://my-" + name + "euwest1.s3.amazonaws.com/x", false}, // anyone's
		{"eu-west-1", "https://" + name + "euwest1-mine.s3.amazonaws.com/x", false},
		{"eu-west-1", "https://mine.s3.eu-west-1.amazonaws.com/x", false},
		{"eu-west-1", "https://s3.eu-west-1.amazonaws.com/" + name + "euwest1/x", false},
		{"cn-north-1", "https://" + name + "cnnorth1.s3.amazonaws.com.cn/x", false},
		{"eu-west-1", "https://169.254.169.254/latest/meta-data/", false},
		{"eu-west-1", "//", false},
		{"eu-west-1", "", false},
		{"eu-west-1", "%", false},
	} {
		b, ran := &bucket{}, false
		h := Resource(&http.Client{Transport: b}, c.region, func(context.Context) (any, error) { ran = true; return nil, nil })
		_, err := h(t.Context(), asked("Create", "ResponseURL", c.url))
		if (err == nil) != c.good || ran != c.good || (len(b.got) == 1) != c.good {
			t.Errorf("%s in %s: %v, ran %v, %d answers", c.url, c.region, err, ran, len(b.got))
		}
		if err != nil && strings.Contains(err.Error(), "Signature") {
			t.Errorf("%v contains a signed URL", err)
		}
	}
}

func TestNoResponseIsTooLarge(t *testing.T) {
	for name, reason := range map[string]string{
		"plain":   strings.Repeat("x", 10_000),
		"escaped": strings.Repeat("<\"\n\x01", 3_000),
		"wide":    strings.Repeat("ß世", 3_000),
		"invalid": strings.Repeat("\xff", 5_000),
		"short":   "no such column",
	} {
		b := &bucket{}
		h := Resource(&http.Client{Transport: b}, "eu-west-1", func(context.Context) (any, error) { return nil, errors.New(reason) })
		if _, err := h(t.Context(), asked("Create")); err != nil || len(b.got) != 1 {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := b.got[0].Reason; got != reason && (!strings.HasSuffix(got, "…") || len(got) < 500) {
			t.Errorf("%s: %d bytes of the reason, ending in %q", name, len(got), got[max(0, len(got)-10):])
		}
	}
	b := &bucket{}
	h := Resource(&http.Client{Transport: b}, "eu-west-1", func(context.Context) (any, error) {
		return map[string]string{"large": strings.Repeat("x", 5_000)}, nil
	})
	if _, err := h(t.Context(), asked("Create")); err != nil || len(b.got) != 1 || b.got[0].Status != cfn.StatusSuccess || len(b.got[0].Data) != 0 {
		t.Errorf("attributes that are too large: %+v, %v", b.got, err)
	}
}

func TestResponseComesBeforeTheDeadline(t *testing.T) {
	for name, do := range map[string]func(context.Context) (any, error){
		"that heeds its context": func(ctx context.Context) (any, error) { <-ctx.Done(); return nil, ctx.Err() },
		"that does not":          func(context.Context) (any, error) { time.Sleep(time.Hour); return nil, nil },
	} {
		for _, timeout := range []time.Duration{15 * time.Minute, 10 * time.Second, 3 * time.Second} {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), timeout)
				defer cancel()
				b := &bucket{}
				_, err := Resource(&http.Client{Transport: b}, "eu-west-1", do)(ctx, asked("Create"))
				if err != nil || ctx.Err() != nil || len(b.got) != 1 || b.got[0].Status != cfn.StatusFailed || b.got[0].Reason == "" {
					t.Errorf("%s, %v: %+v, %v", name, timeout, b.got, err)
				}
				time.Sleep(time.Hour) // what was left behind ends, so that the bubble may
			})
		}
	}
}

func TestPanicIsResponded(t *testing.T) {
	var log strings.Builder
	b := &bucket{}
	h := Resource(&http.Client{Transport: b}, "eu-west-1", func(context.Context) (any, error) { panic("a name and an address") })
	_, err := h(zerolog.New(&log).WithContext(t.Context()), asked("Update"))
	if err != nil || len(b.got) != 1 || b.got[0].Status != cfn.StatusFailed || strings.Contains(b.got[0].Reason+log.String(), "an address") {
		t.Errorf("%+v, %v, log %s", b.got, err, log.String())
	}
}

// Lambda repeats an invocation that failed.
func TestUnsentResponseFailsTheInvocation(t *testing.T) {
	for _, status := range []int{500, 503, 403, 307} { // a redirect could lead anywhere
		b := &bucket{refuse: []int{status}}
		h := Resource(&http.Client{Transport: b}, "eu-west-1", func(context.Context) (any, error) { return nil, nil })
		if _, err := h(t.Context(), asked("Create")); err == nil || len(b.got) != 0 {
			t.Errorf("%d: %d responses, %v", status, len(b.got), err)
		}
		if _, err := h(t.Context(), asked("Create")); err != nil || len(b.got) != 1 {
			t.Errorf("%d, repeated: %d responses, %v", status, len(b.got), err)
		}
	}
	var log strings.Builder
	h := Resource(&http.Client{Transport: &bucket{err: errors.New("no route to host")}}, "eu-west-1", func(context.Context) (any, error) { return nil, nil })
	_, err := h(zerolog.New(&log).WithContext(t.Context()), asked("Create"))
	if err == nil || !strings.Contains(err.Error(), "needs a route to S3") || strings.Contains(fmt.Sprint(err, log.String()), "s3cret") {
		t.Errorf("%v, log %s", err, log.String())
	}
}

func FuzzResource(f *testing.F) {
	for _, kind := range []string{"Create", "Update", "Delete"} {
		f.Add([]byte(asked(kind)))
	}
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"RequestType":1}`))
	f.Add([]byte(`{"RequestType":"Create","ResponseURL":"https://example.com"}`))
	f.Fuzz(func(t *testing.T, event []byte) {
		hosts := map[string]bool{}
		h := Resource(&http.Client{Transport: roundTrip(func(q *http.Request) (*http.Response, error) {
			hosts[q.URL.Host] = true
			return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
		})}, "eu-west-1", func(context.Context) (any, error) { return nil, nil })
		_, _ = h(t.Context(), event)
		for host := range maps.Keys(hosts) {
			if !strings.HasPrefix(host, "cloudformation-custom-resource-response-euwest1.s3") || !strings.HasSuffix(host, ".amazonaws.com") {
				t.Errorf("it answered to %s", host)
			}
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(q *http.Request) (*http.Response, error) { return f(q) }
