package sqs_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"walletsync/internal/local/aws/mototest"
	"walletsync/internal/local/aws/sqs"
)

// TestContract holds our server to what Amazon documents, through the real
// SDK. TestContractMoto asks moto the same questions, so that the claims are
// not ours alone.
func TestContract(t *testing.T) {
	service := sqs.New(sqs.Options{})
	server := httptest.NewServer(service)
	t.Cleanup(server.Close)
	var queues sync.Map // by URL
	contract(t, server.URL, false, func(t *testing.T, _ *awssqs.Client, name string, o options) string {
		settings := sqs.DefaultSettings()
		if o.visibility != 0 {
			settings.VisibilityTimeout = o.visibility
		}
		if d, ok := queues.Load(o.deadLetters); ok {
			settings.DeadLetters, settings.MaxReceives = d.(*sqs.Queue), o.maxReceives
		}
		q, err := service.CreateQueue(name, settings)
		if err != nil {
			t.Fatal(err)
		}
		queues.Store(q.URL(server.URL), q)
		return q.URL(server.URL)
	})
}

func TestContractMoto(t *testing.T) {
	contract(t, mototest.Start(t), true, func(t *testing.T, c *awssqs.Client, name string, o options) string {
		in := &awssqs.CreateQueueInput{QueueName: &name, Attributes: map[string]string{}}
		if o.visibility != 0 {
			in.Attributes["VisibilityTimeout"] = fmt.Sprint(o.visibility.Seconds())
		}
		if o.deadLetters != "" {
			in.Attributes["RedrivePolicy"] = fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":%d}`,
				(&harness{client: c}).attributes(t, o.deadLetters)["QueueArn"], o.maxReceives)
		}
		out, err := c.CreateQueue(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		return *out.QueueUrl
	})
}

// options of a queue; zero: Amazon's defaults.
type options struct {
	visibility  time.Duration
	deadLetters string // URL
	maxReceives int
}

type claim struct {
	name string
	// moto says how moto 5.2 deviates from Amazon's documentation, where it
	// does; empty: it agrees.
	moto string
	run  func(t *testing.T, h *harness)
}

func contract(t *testing.T, endpoint string, moto bool, create func(t *testing.T, c *awssqs.Client, name string, o options) (url string)) {
	attempts := 1
	if moto {
		attempts = 4 // its server drops a connection now and then, under load
	}
	h := &harness{client: newClient(endpoint, attempts), create: create}
	for _, c := range claims {
		t.Run(c.name, func(t *testing.T) {
			if moto && c.moto != "" {
				t.Skip("moto deviates: " + c.moto)
			}
			t.Parallel()
			c.run(t, h)
		})
	}
}

func newClient(endpoint string, attempts int) *awssqs.Client {
	return awssqs.New(awssqs.Options{
		Region:           "eu-west-1",
		BaseEndpoint:     &endpoint,
		Credentials:      credentials.NewStaticCredentialsProvider("AKIDLOCAL", "secret", ""),
		RetryMaxAttempts: attempts,
		HTTPClient:       &http.Client{Transport: whole{&http.Transport{MaxIdleConnsPerHost: 100}}},
	})
}

// whole reads an answer before it hands it on, so that one that breaks off is
// a failed request, which the SDK tries again, and no answer that can't be read.
type whole struct{ next http.RoundTripper }

func (w whole) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := w.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response, nil
}

type harness struct {
	client *awssqs.Client
	create func(t *testing.T, c *awssqs.Client, name string, o options) (url string)
	n      atomic.Int64
}

// queue creates a queue with a name of its own.
func (h *harness) queue(t *testing.T, o options) string {
	t.Helper()
	return h.create(t, h.client, fmt.Sprintf("q%d-%d", time.Now().UnixNano(), h.n.Add(1)), o)
}

// visibility changes a message's visibility, and returns the code with which
// its entry failed, if it did.
func (h *harness) visibility(t *testing.T, queue string, handle *string, seconds int32) string {
	t.Helper()
	out, err := h.client.ChangeMessageVisibilityBatch(t.Context(), &awssqs.ChangeMessageVisibilityBatchInput{
		QueueUrl: &queue, Entries: []types.ChangeMessageVisibilityBatchRequestEntry{{Id: aws.String("a-1"), ReceiptHandle: handle, VisibilityTimeout: seconds}},
	})
	if err != nil || len(out.Successful)+len(out.Failed) != 1 {
		t.Fatal(out, err)
	}
	if len(out.Failed) > 0 {
		return *out.Failed[0].Code
	}
	return ""
}

func (h *harness) attributes(t *testing.T, queue string) map[string]string {
	t.Helper()
	out, err := h.client.GetQueueAttributes(t.Context(), &awssqs.GetQueueAttributesInput{QueueUrl: &queue, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll}})
	if err != nil {
		t.Fatal(err)
	}
	return out.Attributes
}

func (h *harness) send(t *testing.T, queue, body string) string {
	t.Helper()
	out, err := h.client.SendMessage(t.Context(), &awssqs.SendMessageInput{QueueUrl: &queue, MessageBody: &body})
	if err != nil {
		t.Fatal(err)
	}
	return *out.MessageId
}

// receive long-polls for one message; nil: there was none for wait seconds.
func (h *harness) receive(t *testing.T, queue string, wait int32) *types.Message {
	t.Helper()
	out, err := h.client.ReceiveMessage(t.Context(), &awssqs.ReceiveMessageInput{
		QueueUrl: &queue, WaitTimeSeconds: wait,
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
		MessageAttributeNames:       []string{"All"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Messages) == 0 {
		return nil
	}
	return &out.Messages[0]
}

func (h *harness) mustReceive(t *testing.T, queue string, wait int32) types.Message {
	t.Helper()
	m := h.receive(t, queue, wait)
	if m == nil {
		t.Fatal("no message came")
	}
	return *m
}

// refused checks that err is the SDK's typed error E.
func refused[E error](t *testing.T, err error) {
	t.Helper()
	if _, ok := errors.AsType[E](err); !ok {
		var want E
		t.Fatalf("got %v (%T), want a %T", err, err, want)
	}
}

// refusedAs checks the error's code where the SDK has no type for it.
func refusedAs(t *testing.T, err error, code string) {
	t.Helper()
	e, ok := errors.AsType[smithy.APIError](err)
	if !ok || e.ErrorCode() != code {
		t.Fatalf("got %v, want %s", err, code)
	}
}

var claims = []claim{
	{"WhatIsSentIsReceived", "", func(t *testing.T, h *harness) {
		q := h.queue(t, options{})
		before := time.Now().Add(-time.Second)
		body := "{\"a\":\"<&>\u00e9\U0001f6d2\",\"n\":1}\n"
		out, err := h.client.SendMessage(t.Context(), &awssqs.SendMessageInput{
			QueueUrl: &q, MessageBody: &body,
			MessageAttributes: map[string]types.MessageAttributeValue{
				"kind":    {DataType: aws.String("String"), StringValue: aws.String("ipn")},
				"Attempt": {DataType: aws.String("Number"), StringValue: aws.String("3")},
			},
		})
		if err != nil {
			t.Fatal(err) // the SDK has compared the body's checksum
		}
		m := h.mustReceive(t, q, 5)
		if *m.Body != body || *m.MessageId != *out.MessageId {
			t.Errorf("received %q %s, sent %q %s", *m.Body, *m.MessageId, body, *out.MessageId)
		}
		want := map[string]string{"kind": "ipn", "Attempt": "3"}
		for name, value := range want {
			if got := m.MessageAttributes[name]; aws.ToString(got.StringValue) != value {
				t.Errorf("attribute %s: %v", name, got)
			}
		}
		for _, name := range []string{"SentTimestamp", "ApproximateFirstReceiveTimestamp"} {
			ms, err := strconv.ParseInt(m.Attributes[name], 10, 64)
			if at := time.UnixMilli(ms); err != nil || at.Before(before) || at.After(time.Now().Add(time.Second)) {
				t.Errorf("%s is %q", name, m.Attributes[name])
			}
		}
		if m.Attributes["ApproximateReceiveCount"] != "1" || m.Attributes["SenderId"] == "" {
			t.Errorf("attributes: %v", m.Attributes)
		}
	}},
	{"OnlyTheAttributesAskedForAreReturned", "", func(t *testing.T, h *harness) {
		q := h.queue(t, options{})
		v := types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String("v")}
		_, err := h.client.SendMessage(t.Context(), &awssqs.SendMessageInput{QueueUrl: &q, MessageBody: aws.String("x"), MessageAttributes: map[string]types.MessageAttributeValue{"one": v, "two": v}})
		if err != nil {
			t.Fatal(err)
		}
		out, err := h.client.ReceiveMessage(t.Context(), &awssqs.ReceiveMessageInput{
			QueueUrl: &q, WaitTimeSeconds: 5, MessageAttributeNames: []string{"two", "three"},
			MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameApproximateReceiveCount},
		})
		if err != nil || len(out.Messages) != 1 {
			t.Fatal(out, err)
		}
		m := out.Messages[0]
		if len(m.MessageAttributes) != 1 || m.MessageAttributes["two"].StringValue == nil {
			t.Errorf("message attributes: %v", m.MessageAttributes)
		}
		if diff := cmp.Diff(map[string]string{"ApproximateReceiveCount": "1"}, m.Attributes); diff != "" {
			t.Error(diff)
		}
	}},
	{"LongPollEndsWhenAMessageComes", "", func(t *testing.T, h *harness) {
		q := h.queue(t, options{})
		got := make(chan *types.Message, 1)
		go func() { got <- h.receive(t, q, 20) }()
		h.send(t, q, "x")
		if m := <-got; m == nil { // an empty poll's answer, after 20 s
			t.Error("the poll ended without the message")
		}
	}},
	{"EmptyPollEndsEmpty", "", func(t *testing.T, h *harness) {
		q := h.queue(t, options{})
		start := time.Now()
		if m := h.receive(t, q, 0); m != nil || time.Since(start) > 5*time.Second {
			t.Errorf("got %v after %v", m, time.Since(start))
		}
		start = time.Now()
		if m := h.receive(t, q, 1); m != nil || time.Since(start) < 900*time.Millisecond {
			t.Errorf("got %v after %v", m, time.Since(start))
		}
	}},
	{"MessageReturnsAfterItsVisibilityTimeout", "", func(t *testing.T, h *harness) {
		q := h.queue(t, options{visibility: time.Second})
		h.send(t, q, "x")
		first := h.mustReceive(t, q, 5)
		if m := h.receive(t, q, 0); m != nil {
			t.Fatal("received while in flight")
		}
		second := h.mustReceive(t, q, 10)
		if second.Attributes["ApproximateReceiveCount"] != "2" || *second.MessageId != *first.MessageId {
			t.Errorf("second: %v", second.Attributes)
		}
		if *second.ReceiptHandle == *first.ReceiptHandle {
			t.Error("the receipt handle is the same")
		}
		if second.Attributes["ApproximateFirstReceiveTimestamp"] != first.Attributes["ApproximateFirstReceiveTimestamp"] {
			t.Error("the first receive moved")
		}
	}},
	{"DeletedMessageIsGone", "", func(t *testing.T, h *harness) {
		q := h.queue(t, options{visibility: time.Second})
		h.send(t, q, "x")
		m := h.mustReceive(t, q, 5)
		for range 2 { // the second time is no error
			if _, err := h.client.DeleteMessage(t.Context(), &awssqs.DeleteMessageInput{QueueUrl: &q, ReceiptHandle: m.ReceiptHandle}); err != nil {
				t.Fatal(err)
			}
		}
		if m := h.receive(t, q, 2); m != nil {
			t.Error("received after it was deleted")
		}
	}},
	{"ExpiredHandleThatIsTheLatestStillDeletes", "", func(t *testing.T, h *harness) {
		q := h.queue(t, options{visibility: time.Second})
		h.send(t, q, "x")
		m := h.mustReceive(t, q, 5)
		poll(t, func() bool { return h.attributes(t, q)["ApproximateNumberOfMessages"] == "1" })
		if _, err := h.client.DeleteMessage(t.Context(), &awssqs.DeleteMessageInput{QueueUrl: &q, ReceiptHandle: m.ReceiptHandle}); err != nil {
			t.Fatal(err)
		}
		if got := h.attributes(t, q)["ApproximateNumberOfMessages"]; got != "0" {
			t.Errorf("%s messages left", got)
		}
	}},
	{"StaleHandleDeletesNothing", "it deletes by any handle that the message ever had; Amazon asks for the most recent", func(t *testing.T, h *harness) {
		q := h.queue(t, options{visibility: time.Second})
		h.send(t, q, "x")
		first := h.mustReceive(t, q, 5)
		h.mustReceive(t, q, 10)
		if _, err := h.client.DeleteMessage(t.Context(), &awssqs.DeleteMessageInput{QueueUrl: &q, ReceiptHandle: first.ReceiptHandle}); err != nil {
			t.Fatal(err)
		}
		h.mustReceive(t, q, 10)
	}},
	{"InventedHandleIsRefused", "", func(t *testing.T, h *harness) {
		q := h.queue(t, options{})
		_, err := h.client.DeleteMessage(t.Context(), &awssqs.DeleteMessageInput{QueueUrl: &q, ReceiptHandle: aws.String("invented")})
		refused[*types.ReceiptHandleIsInvalid](t, err)
		if code := h.visibility(t, q, aws.String("invented"), 1); code != "ReceiptHandleIsInvalid" {
			t.Errorf("its visibility: %q", code)
		}
	}},
	{"VisibilityCanBeGivenUpAndExtended", "", func(t *testing.T, h *harness) {
		q := h.queue(t, options{visibility: time.Second})
		h.send(t, q, "x")
		m := h.mustReceive(t, q, 5)
		if code := h.visibility(t, q, m.ReceiptHandle, 60); code != "" {
			t.Fatal(code)
		}
		if h.receive(t, q, 2) != nil {
			t.Fatal("received though its time-out was extended")
		}
		if code := h.visibility(t, q, m.ReceiptHandle, 0); code != "" {
			t.Fatal(code)
		}
		h.mustReceive(t, q, 5)
	}},
	{"VisibilityOfAMessageNotInFlightIsRefused", "it changes the visibility of messages that were not received", func(t *testing.T, h *harness) {
		q := h.queue(t, options{})
		h.send(t, q, "x")
		m := h.mustReceive(t, q, 5)
		if code := h.visibility(t, q, m.ReceiptHandle, 0); code != "" {
			t.Fatal(code)
		}
		if code := h.visibility(t, q, m.ReceiptHandle, 0); code != "AWS.SimpleQueueService.MessageNotInflight" {
			t.Errorf("%q", code)
		}
	}},
	{"VisibilityBeyondTwelveHoursIsRefused", "", func(t *testing.T, h *harness) {
		q := h.queue(t, options{})
		h.send(t, q, "x")
		m := h.mustReceive(t, q, 5)
		if code := h.visibility(t, q, m.ReceiptHandle, 43201); code != "InvalidParameterValue" {
			t.Errorf("%q", code)
		}
	}},
	{"DelayedMessageComesLater", "", func(t *testing.T, h *harness) {
		q := h.queue(t, options{})
		if _, err := h.client.SendMessage(t.Context(), &awssqs.SendMessageInput{QueueUrl: &q, MessageBody: aws.String("x"), DelaySeconds: 1}); err != nil {
			t.Fatal(err)
		}
		if a := h.attributes(t, q); a["ApproximateNumberOfMessages"] != "0" || a["ApproximateNumberOfMessagesDelayed"] != "1" {
			t.Errorf("attributes: %v", a)
		}
		if h.receive(t, q, 0) != nil {
			t.Fatal("received before its time")
		}
		h.mustReceive(t, q, 10)
	}},
	{"DelayBeyondFifteenMinutesIsRefused", "", func(t *testing.T, h *harness) {
		q := h.queue(t, options{})
		_, err := h.client.SendMessage(t.Context(), &awssqs.SendMessageInput{QueueUrl: &q, MessageBody: aws.String("x"), DelaySeconds: 901})
		refusedAs(t, err, "InvalidParameterValue")
	}},
	{"MessageReceivedTooOftenGoesToTheDeadLetterQueue", "", func(t *testing.T, h *harness) {
		dlq := h.queue(t, options{})
		q := h.queue(t, options{visibility: time.Second, deadLetters: dlq, maxReceives: 2})
		id := h.send(t, q, "x")
		for range 2 {
			h.mustReceive(t, q, 10)
		}
		poll(t, func() bool { return h.attributes(t, q)["ApproximateNumberOfMessages"] == "1" })
		if h.receive(t, q, 1) != nil {
			t.Fatal("delivered a third time")
		}
		m := h.mustReceive(t, dlq, 5)
		if *m.MessageId != id || m.Attributes["ApproximateReceiveCount"] != "3" {
			t.Errorf("dead-letter message: %s %v", *m.MessageId, m.Attributes)
		}
	}},
	{"DeadLetterNamesItsSource", "DeadLetterQueueSourceArn is missing", func(t *testing.T, h *harness) {
		q, dlq := h.withDeadLetters(t)
		h.bury(t, q)
		if m := h.mustReceive(t, dlq, 5); m.Attributes["DeadLetterQueueSourceArn"] != h.attributes(t, q)["QueueArn"] {
			t.Errorf("attributes: %v", m.Attributes)
		}
	}},
	{"DeadLettersAreRedriven", "StartMessageMoveTask is missing", func(t *testing.T, h *harness) {
		q, dlq := h.withDeadLetters(t)
		id := h.bury(t, q)
		move := func(from, to string) error {
			_, err := h.client.StartMessageMoveTask(t.Context(), &awssqs.StartMessageMoveTaskInput{SourceArn: &from, DestinationArn: &to})
			return err
		}
		from, to := h.attributes(t, dlq)["QueueArn"], h.attributes(t, q)["QueueArn"]
		if err := move(from, to); err != nil {
			t.Fatal(err)
		}
		m := h.mustReceive(t, q, 5)
		if *m.MessageId == id || m.Attributes["ApproximateReceiveCount"] != "1" || m.Attributes["DeadLetterQueueSourceArn"] != "" {
			t.Errorf("redriven: %s %v, want a new message", *m.MessageId, m.Attributes)
		}
		refusedAs(t, move(to, from), "InvalidParameterValue") // not a dead-letter queue
		refused[*types.ResourceNotFoundException](t, move("arn:aws:sqs:eu-west-1:000000000000:none", to))
	}},
	{"TenMessagesAreMadeVisibleAtOnce", "", func(t *testing.T, h *harness) {
		q := h.queue(t, options{})
		for i := range 10 {
			h.send(t, q, strconv.Itoa(i))
		}
		change := &awssqs.ChangeMessageVisibilityBatchInput{QueueUrl: &q}
		for len(change.Entries) < 10 {
			got, err := h.client.ReceiveMessage(t.Context(), &awssqs.ReceiveMessageInput{QueueUrl: &q, MaxNumberOfMessages: 10, WaitTimeSeconds: 5})
			if err != nil || len(got.Messages) == 0 {
				t.Fatal(got, err)
			}
			for _, m := range got.Messages {
				change.Entries = append(change.Entries, types.ChangeMessageVisibilityBatchRequestEntry{Id: aws.String("d" + *m.Body), ReceiptHandle: m.ReceiptHandle})
			}
		}
		change.Entries[3].ReceiptHandle = aws.String("invented")
		out, err := h.client.ChangeMessageVisibilityBatch(t.Context(), change)
		if err != nil || len(out.Successful) != 9 || len(out.Failed) != 1 {
			t.Fatal(out, err)
		}
		if f := out.Failed[0]; *f.Id != *change.Entries[3].Id || *f.Code != "ReceiptHandleIsInvalid" || !f.SenderFault {
			t.Errorf("failed: %s %s %v", *f.Id, *f.Code, f.SenderFault)
		}
		if got := h.attributes(t, q)["ApproximateNumberOfMessages"]; got != "9" {
			t.Errorf("%s are visible", got)
		}
	}},
	{"BatchRulesAreEnforced", "it holds only batches that send to them", func(t *testing.T, h *harness) {
		q := h.queue(t, options{})
		change := func(ids ...string) error {
			in := &awssqs.ChangeMessageVisibilityBatchInput{QueueUrl: &q, Entries: []types.ChangeMessageVisibilityBatchRequestEntry{}}
			for _, id := range ids {
				in.Entries = append(in.Entries, types.ChangeMessageVisibilityBatchRequestEntry{Id: &id, ReceiptHandle: aws.String("x")})
			}
			_, err := h.client.ChangeMessageVisibilityBatch(t.Context(), in)
			return err
		}
		refused[*types.EmptyBatchRequest](t, change())
		refused[*types.BatchEntryIdsNotDistinct](t, change("a", "b", "a"))
		refused[*types.InvalidBatchEntryId](t, change("a b"))
		refused[*types.InvalidBatchEntryId](t, change(strings.Repeat("a", 81)))
		refused[*types.TooManyEntriesInBatchRequest](t, change(strings.Split("a b c d e f g h i j k", " ")...))
	}},
	{"MessageOfOneMiBIsTaken", "", func(t *testing.T, h *harness) {
		q := h.queue(t, options{})
		body := strings.Repeat("x", 1<<20)
		h.send(t, q, body)
		if m := h.mustReceive(t, q, 5); *m.Body != body {
			t.Error("another body came")
		}
		body += "x"
		_, err := h.client.SendMessage(t.Context(), &awssqs.SendMessageInput{QueueUrl: &q, MessageBody: &body})
		refusedAs(t, err, "InvalidParameterValue")
	}},
	{"AttributesCountTowardsTheSize", "it counts the body alone", func(t *testing.T, h *harness) {
		q := h.queue(t, options{})
		body := strings.Repeat("x", 1<<20-len("name"+"String"+"value")+1)
		_, err := h.client.SendMessage(t.Context(), &awssqs.SendMessageInput{QueueUrl: &q, MessageBody: &body, MessageAttributes: map[string]types.MessageAttributeValue{"name": {DataType: aws.String("String"), StringValue: aws.String("value")}}})
		refusedAs(t, err, "InvalidParameterValue")
	}},
	{"ForbiddenCharacterIsRefused", "it sends characters outside the allowed set", func(t *testing.T, h *harness) {
		q := h.queue(t, options{})
		for _, body := range []string{"a\x00b", "a\x1fb", "\ufffe"} {
			_, err := h.client.SendMessage(t.Context(), &awssqs.SendMessageInput{QueueUrl: &q, MessageBody: &body})
			refused[*types.InvalidMessageContents](t, err)
		}
	}},
	{"EmptyBodyIsRefused", "it sends empty messages", func(t *testing.T, h *harness) {
		q := h.queue(t, options{})
		_, err := h.client.SendMessage(t.Context(), &awssqs.SendMessageInput{QueueUrl: &q, MessageBody: aws.String("")})
		refusedAs(t, err, "MissingParameter")
	}},
	{"MalformedAttributeIsRefused", "it knows fewer of the rules", func(t *testing.T, h *harness) {
		q := h.queue(t, options{})
		text := func(v string) types.MessageAttributeValue {
			return types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &v}
		}
		eleven := map[string]types.MessageAttributeValue{}
		for i := range 11 {
			eleven[fmt.Sprintf("n%d", i)] = text("v")
		}
		for name, attributes := range map[string]map[string]types.MessageAttributeValue{
			"name":        {"a b": text("v")},
			"period":      {"a..b": text("v")},
			"empty value": {"n": text("")},
			"type":        {"n": {DataType: aws.String("Text"), StringValue: aws.String("v")}},
			"too many":    eleven,
		} {
			_, err := h.client.SendMessage(t.Context(), &awssqs.SendMessageInput{QueueUrl: &q, MessageBody: aws.String("x"), MessageAttributes: attributes})
			if err == nil {
				t.Errorf("%s: taken", name)
				continue
			}
			refusedAs(t, err, "InvalidParameterValue")
		}
	}},
	{"MissingQueueIsRefused", "", func(t *testing.T, h *harness) {
		missing := h.queue(t, options{}) + "-missing"
		_, err := h.client.SendMessage(t.Context(), &awssqs.SendMessageInput{QueueUrl: &missing, MessageBody: aws.String("x")})
		refused[*types.QueueDoesNotExist](t, err)
		refusedAs(t, err, "AWS.SimpleQueueService.NonExistentQueue")
		_, err = h.client.ReceiveMessage(t.Context(), &awssqs.ReceiveMessageInput{QueueUrl: &missing})
		refused[*types.QueueDoesNotExist](t, err)
	}},
	{"QueueHasItsDefaults", "", func(t *testing.T, h *harness) {
		got := h.attributes(t, h.queue(t, options{}))
		for name, want := range map[string]string{
			"VisibilityTimeout": "30", "MessageRetentionPeriod": "345600",
			"MaximumMessageSize": "1048576", "ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesNotVisible": "0", "SqsManagedSseEnabled": "true",
		} {
			if got[name] != want {
				t.Errorf("%s = %q, want %q", name, got[name], want)
			}
		}
		if !strings.HasPrefix(got["QueueArn"], "arn:aws:sqs:eu-west-1:") {
			t.Errorf("QueueArn = %q", got["QueueArn"])
		}
	}},
	{"UnknownAttributeNameIsRefused", "", func(t *testing.T, h *harness) {
		q := h.queue(t, options{})
		_, err := h.client.GetQueueAttributes(t.Context(), &awssqs.GetQueueAttributesInput{QueueUrl: &q, AttributeNames: []types.QueueAttributeName{"Colour"}})
		refused[*types.InvalidAttributeName](t, err)
	}},
	{"PurgedQueueIsEmpty", "", func(t *testing.T, h *harness) {
		q := h.queue(t, options{})
		h.send(t, q, "x")
		if _, err := h.client.PurgeQueue(t.Context(), &awssqs.PurgeQueueInput{QueueUrl: &q}); err != nil {
			t.Fatal(err)
		}
		if h.receive(t, q, 0) != nil {
			t.Error("a message is left")
		}
	}},
	{"SecondPurgeWithinAMinuteIsRefused", "it purges as often as one likes", func(t *testing.T, h *harness) {
		q := h.queue(t, options{})
		if _, err := h.client.PurgeQueue(t.Context(), &awssqs.PurgeQueueInput{QueueUrl: &q}); err != nil {
			t.Fatal(err)
		}
		_, err := h.client.PurgeQueue(t.Context(), &awssqs.PurgeQueueInput{QueueUrl: &q})
		refused[*types.PurgeQueueInProgress](t, err)
	}},
	{"ReceiveLimitsAreEnforced", "", func(t *testing.T, h *harness) {
		q := h.queue(t, options{})
		_, err := h.client.ReceiveMessage(t.Context(), &awssqs.ReceiveMessageInput{QueueUrl: &q, MaxNumberOfMessages: 11})
		refusedAs(t, err, "InvalidParameterValue")
		_, err = h.client.ReceiveMessage(t.Context(), &awssqs.ReceiveMessageInput{QueueUrl: &q, WaitTimeSeconds: 21})
		refusedAs(t, err, "InvalidParameterValue")
		_, err = h.client.ReceiveMessage(t.Context(), &awssqs.ReceiveMessageInput{QueueUrl: &q, VisibilityTimeout: 43201})
		refusedAs(t, err, "InvalidParameterValue")
	}},
}

// withDeadLetters creates a queue whose messages are received once.
func (h *harness) withDeadLetters(t *testing.T) (queue, deadLetters string) {
	t.Helper()
	deadLetters = h.queue(t, options{})
	return h.queue(t, options{deadLetters: deadLetters, maxReceives: 1}), deadLetters
}

// bury sends a message and receives it until it is given up.
func (h *harness) bury(t *testing.T, queue string) string {
	t.Helper()
	id := h.send(t, queue, "x")
	m := h.mustReceive(t, queue, 5)
	if code := h.visibility(t, queue, m.ReceiptHandle, 0); code != "" {
		t.Fatal(code)
	}
	if h.receive(t, queue, 0) != nil {
		t.Fatal("received once too often")
	}
	return id
}

// poll waits for a condition of a real process, generously.
func poll(t *testing.T, condition func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for !condition() {
		select {
		case <-deadline:
			t.Fatal("did not happen within 30 s")
		case <-time.After(20 * time.Millisecond):
		}
	}
}
