package sqs_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"walletsync/internal/local/sqs"
	"walletsync/internal/local/sqs/mototest"
)

// TestContract holds our server to what Amazon documents, through the real
// SDK. TestContractMoto asks moto the same questions, so that the claims are
// not ours alone.
func TestContract(t *testing.T) {
	server := httptest.NewServer(sqs.New(sqs.Options{}))
	t.Cleanup(server.Close)
	contract(t, server.URL, false)
}

func TestContractMoto(t *testing.T) {
	contract(t, mototest.Start(t), true)
}

type claim struct {
	name string
	// moto says how moto 5.2 deviates from Amazon's documentation, where it
	// does; empty: it agrees.
	moto string
	run  func(t *testing.T, h *harness)
}

func contract(t *testing.T, endpoint string, moto bool) {
	attempts := 1
	if moto {
		attempts = 4 // its server drops a connection now and then, under load
	}
	h := &harness{client: newClient(endpoint, attempts), endpoint: endpoint}
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
	client   *awssqs.Client
	endpoint string
	n        atomic.Int64
}

// queue creates a queue with a name of its own.
func (h *harness) queue(t *testing.T, attributes map[string]string) string {
	t.Helper()
	out, err := h.client.CreateQueue(t.Context(), &awssqs.CreateQueueInput{
		QueueName: aws.String(fmt.Sprintf("q%d-%d", time.Now().UnixNano(), h.n.Add(1))), Attributes: attributes,
	})
	if err != nil {
		t.Fatal(err)
	}
	return *out.QueueUrl
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
		q := h.queue(t, nil)
		before := time.Now().Add(-time.Second)
		body := "{\"a\":\"<&>\u00e9\U0001f6d2\",\"n\":1}\n"
		out, err := h.client.SendMessage(t.Context(), &awssqs.SendMessageInput{
			QueueUrl: &q, MessageBody: &body,
			MessageAttributes: map[string]types.MessageAttributeValue{
				"kind":    {DataType: aws.String("String"), StringValue: aws.String("ipn")},
				"Attempt": {DataType: aws.String("Number"), StringValue: aws.String("3")},
				"blob":    {DataType: aws.String("Binary"), BinaryValue: []byte{0, 1, 0xff}},
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
		if got := m.MessageAttributes["blob"]; !slices.Equal(got.BinaryValue, []byte{0, 1, 0xff}) || *got.DataType != "Binary" {
			t.Errorf("blob: %v", got)
		}
		if a, b := aws.ToString(out.MD5OfMessageAttributes), aws.ToString(m.MD5OfMessageAttributes); a == "" || a != b {
			t.Errorf("checksums of the attributes: sent %q, received %q", a, b)
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
	{"ChecksumOfAttributesIsAmazonsOwn", "", func(t *testing.T, h *harness) {
		// The value that SQS answered, as moto records it
		// (tests/test_sqs, "test_message_with_attributes_have_labels" and others).
		q := h.queue(t, nil)
		out, err := h.client.SendMessage(t.Context(), &awssqs.SendMessageInput{
			QueueUrl: &q, MessageBody: aws.String("derp"),
			MessageAttributes: map[string]types.MessageAttributeValue{"timestamp": {DataType: aws.String("Number"), StringValue: aws.String("1493147359900")}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := *out.MD5OfMessageAttributes; got != "235c5c510d26fb653d073faed50ae77c" {
			t.Errorf("got %s", got)
		}
	}},
	{"OnlyTheAttributesAskedForAreReturned", "", func(t *testing.T, h *harness) {
		q := h.queue(t, nil)
		v := types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String("v")}
		_, err := h.client.SendMessage(t.Context(), &awssqs.SendMessageInput{QueueUrl: &q, MessageBody: aws.String("x"), MessageAttributes: map[string]types.MessageAttributeValue{"one": v, "two.a": v, "two.b": v}})
		if err != nil {
			t.Fatal(err)
		}
		out, err := h.client.ReceiveMessage(t.Context(), &awssqs.ReceiveMessageInput{
			QueueUrl: &q, WaitTimeSeconds: 5, MessageAttributeNames: []string{"two.*"},
			MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameApproximateReceiveCount},
		})
		if err != nil || len(out.Messages) != 1 {
			t.Fatal(out, err)
		}
		m := out.Messages[0]
		if len(m.MessageAttributes) != 2 || m.MessageAttributes["two.a"].StringValue == nil {
			t.Errorf("message attributes: %v", m.MessageAttributes)
		}
		if diff := cmp.Diff(map[string]string{"ApproximateReceiveCount": "1"}, m.Attributes); diff != "" {
			t.Error(diff)
		}
	}},
	{"LongPollEndsWhenAMessageComes", "", func(t *testing.T, h *harness) {
		q := h.queue(t, nil)
		got := make(chan *types.Message, 1)
		go func() { got <- h.receive(t, q, 20) }()
		h.send(t, q, "x")
		if m := <-got; m == nil { // an empty poll's answer, after 20 s
			t.Error("the poll ended without the message")
		}
	}},
	{"EmptyPollEndsEmpty", "", func(t *testing.T, h *harness) {
		q := h.queue(t, nil)
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
		q := h.queue(t, map[string]string{"VisibilityTimeout": "1"})
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
		q := h.queue(t, map[string]string{"VisibilityTimeout": "1"})
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
		q := h.queue(t, map[string]string{"VisibilityTimeout": "1"})
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
		q := h.queue(t, map[string]string{"VisibilityTimeout": "1"})
		h.send(t, q, "x")
		first := h.mustReceive(t, q, 5)
		h.mustReceive(t, q, 10)
		if _, err := h.client.DeleteMessage(t.Context(), &awssqs.DeleteMessageInput{QueueUrl: &q, ReceiptHandle: first.ReceiptHandle}); err != nil {
			t.Fatal(err)
		}
		h.mustReceive(t, q, 10)
	}},
	{"InventedHandleIsRefused", "", func(t *testing.T, h *harness) {
		q := h.queue(t, nil)
		_, err := h.client.DeleteMessage(t.Context(), &awssqs.DeleteMessageInput{QueueUrl: &q, ReceiptHandle: aws.String("invented")})
		refused[*types.ReceiptHandleIsInvalid](t, err)
		_, err = h.client.ChangeMessageVisibility(t.Context(), &awssqs.ChangeMessageVisibilityInput{QueueUrl: &q, ReceiptHandle: aws.String("invented"), VisibilityTimeout: 1})
		refused[*types.ReceiptHandleIsInvalid](t, err)
	}},
	{"VisibilityCanBeGivenUpAndExtended", "", func(t *testing.T, h *harness) {
		q := h.queue(t, map[string]string{"VisibilityTimeout": "1"})
		h.send(t, q, "x")
		m := h.mustReceive(t, q, 5)
		if _, err := h.client.ChangeMessageVisibility(t.Context(), &awssqs.ChangeMessageVisibilityInput{QueueUrl: &q, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: 60}); err != nil {
			t.Fatal(err)
		}
		if h.receive(t, q, 2) != nil {
			t.Fatal("received though its time-out was extended")
		}
		if _, err := h.client.ChangeMessageVisibility(t.Context(), &awssqs.ChangeMessageVisibilityInput{QueueUrl: &q, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: 0}); err != nil {
			t.Fatal(err)
		}
		h.mustReceive(t, q, 5)
	}},
	{"VisibilityOfAMessageNotInFlightIsRefused", "it changes the visibility of messages that nobody has received", func(t *testing.T, h *harness) {
		q := h.queue(t, nil)
		h.send(t, q, "x")
		m := h.mustReceive(t, q, 5)
		change := &awssqs.ChangeMessageVisibilityInput{QueueUrl: &q, ReceiptHandle: m.ReceiptHandle}
		if _, err := h.client.ChangeMessageVisibility(t.Context(), change); err != nil {
			t.Fatal(err)
		}
		_, err := h.client.ChangeMessageVisibility(t.Context(), change)
		refused[*types.MessageNotInflight](t, err)
	}},
	{"VisibilityBeyondTwelveHoursIsRefused", "", func(t *testing.T, h *harness) {
		q := h.queue(t, nil)
		h.send(t, q, "x")
		m := h.mustReceive(t, q, 5)
		_, err := h.client.ChangeMessageVisibility(t.Context(), &awssqs.ChangeMessageVisibilityInput{QueueUrl: &q, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: 43201})
		refusedAs(t, err, "InvalidParameterValue")
	}},
	{"DelayedMessageComesLater", "", func(t *testing.T, h *harness) {
		q := h.queue(t, nil)
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
	{"QueuesDelayHolds", "", func(t *testing.T, h *harness) {
		q := h.queue(t, map[string]string{"DelaySeconds": "1"})
		h.send(t, q, "x")
		if h.receive(t, q, 0) != nil {
			t.Fatal("received before its time")
		}
		h.mustReceive(t, q, 10)
	}},
	{"DelayBeyondFifteenMinutesIsRefused", "", func(t *testing.T, h *harness) {
		q := h.queue(t, nil)
		_, err := h.client.SendMessage(t.Context(), &awssqs.SendMessageInput{QueueUrl: &q, MessageBody: aws.String("x"), DelaySeconds: 901})
		refusedAs(t, err, "InvalidParameterValue")
	}},
	{"MessageReceivedTooOftenGoesToTheDeadLetterQueue", "", func(t *testing.T, h *harness) {
		dlq := h.queue(t, nil)
		arn := h.attributes(t, dlq)["QueueArn"]
		q := h.queue(t, map[string]string{"VisibilityTimeout": "1", "RedrivePolicy": fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":"2"}`, arn)})
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
			t.Errorf("dead letter: %s %v", *m.MessageId, m.Attributes)
		}
	}},
	{"DeadLetterNamesItsSource", "DeadLetterQueueSourceArn is missing", func(t *testing.T, h *harness) {
		q, dlq := h.withDeadLetters(t)
		h.bury(t, q)
		if m := h.mustReceive(t, dlq, 5); m.Attributes["DeadLetterQueueSourceArn"] != h.attributes(t, q)["QueueArn"] {
			t.Errorf("attributes: %v", m.Attributes)
		}
	}},
	{"DeadLettersAreRedrivenToTheirSource", "StartMessageMoveTask is missing", func(t *testing.T, h *harness) {
		q, dlq := h.withDeadLetters(t)
		id := h.bury(t, q)
		h.redrive(t, dlq, "")
		m := h.mustReceive(t, q, 5)
		if *m.MessageId == id || m.Attributes["ApproximateReceiveCount"] != "1" || m.Attributes["DeadLetterQueueSourceArn"] != "" {
			t.Errorf("redriven: %s %v, want a new message", *m.MessageId, m.Attributes)
		}
		if task := h.lastTask(t, dlq); *task.Status != "COMPLETED" || task.ApproximateNumberOfMessagesMoved != 1 {
			t.Errorf("task: %s, %d moved", *task.Status, task.ApproximateNumberOfMessagesMoved)
		}
	}},
	{"DeadLetterWithoutSourceNeedsADestination", "StartMessageMoveTask is missing", func(t *testing.T, h *harness) {
		q, dlq := h.withDeadLetters(t)
		h.send(t, dlq, "x")
		h.redrive(t, dlq, "")
		if task := h.lastTask(t, dlq); *task.Status != "FAILED" || aws.ToString(task.FailureReason) != "CouldNotDetermineMessageSource" {
			t.Errorf("task: %s %s", *task.Status, aws.ToString(task.FailureReason))
		}
		h.redrive(t, dlq, h.attributes(t, q)["QueueArn"])
		h.mustReceive(t, q, 5)
	}},
	{"OnlyDeadLetterQueuesAreRedriven", "StartMessageMoveTask is missing", func(t *testing.T, h *harness) {
		q, _ := h.withDeadLetters(t)
		_, err := h.client.StartMessageMoveTask(t.Context(), &awssqs.StartMessageMoveTaskInput{SourceArn: aws.String(h.attributes(t, q)["QueueArn"])})
		refusedAs(t, err, "InvalidParameterValue")
		_, err = h.client.StartMessageMoveTask(t.Context(), &awssqs.StartMessageMoveTaskInput{SourceArn: aws.String("arn:aws:sqs:eu-west-1:000000000000:none")})
		refused[*types.ResourceNotFoundException](t, err)
	}},
	{"BatchOfTenIsSentReceivedAndDeleted", "", func(t *testing.T, h *harness) {
		q := h.queue(t, nil)
		in := &awssqs.SendMessageBatchInput{QueueUrl: &q}
		for i := range 10 {
			in.Entries = append(in.Entries, types.SendMessageBatchRequestEntry{Id: aws.String(fmt.Sprintf("id_%d", i)), MessageBody: aws.String(strconv.Itoa(i))})
		}
		sent, err := h.client.SendMessageBatch(t.Context(), in)
		if err != nil || len(sent.Successful) != 10 || len(sent.Failed) != 0 {
			t.Fatal(sent, err)
		}
		del := &awssqs.DeleteMessageBatchInput{QueueUrl: &q}
		change := &awssqs.ChangeMessageVisibilityBatchInput{QueueUrl: &q}
		bodies := map[string]bool{}
		for len(bodies) < 10 {
			got, err := h.client.ReceiveMessage(t.Context(), &awssqs.ReceiveMessageInput{QueueUrl: &q, MaxNumberOfMessages: 10, WaitTimeSeconds: 5})
			if err != nil || len(got.Messages) == 0 {
				t.Fatal(got, err)
			}
			for _, m := range got.Messages {
				bodies[*m.Body] = true
				id := aws.String("d" + *m.Body)
				del.Entries = append(del.Entries, types.DeleteMessageBatchRequestEntry{Id: id, ReceiptHandle: m.ReceiptHandle})
				change.Entries = append(change.Entries, types.ChangeMessageVisibilityBatchRequestEntry{Id: id, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: 100})
			}
		}
		if out, err := h.client.ChangeMessageVisibilityBatch(t.Context(), change); err != nil || len(out.Successful) != 10 {
			t.Fatal(out, err)
		}
		del.Entries[3].ReceiptHandle = aws.String("invented")
		out, err := h.client.DeleteMessageBatch(t.Context(), del)
		if err != nil || len(out.Successful) != 9 || len(out.Failed) != 1 {
			t.Fatal(out, err)
		}
		if f := out.Failed[0]; *f.Id != *del.Entries[3].Id || *f.Code != "ReceiptHandleIsInvalid" || !f.SenderFault {
			t.Errorf("failed: %s %s %v", *f.Id, *f.Code, f.SenderFault)
		}
	}},
	{"BatchRulesAreEnforced", "", func(t *testing.T, h *harness) {
		q := h.queue(t, nil)
		send := func(ids ...string) error {
			in := &awssqs.SendMessageBatchInput{QueueUrl: &q, Entries: []types.SendMessageBatchRequestEntry{}}
			for _, id := range ids {
				in.Entries = append(in.Entries, types.SendMessageBatchRequestEntry{Id: &id, MessageBody: aws.String("x")})
			}
			_, err := h.client.SendMessageBatch(t.Context(), in)
			return err
		}
		refused[*types.EmptyBatchRequest](t, send())
		refused[*types.BatchEntryIdsNotDistinct](t, send("a", "b", "a"))
		refused[*types.InvalidBatchEntryId](t, send("a b"))
		refused[*types.InvalidBatchEntryId](t, send(strings.Repeat("a", 81)))
		refused[*types.TooManyEntriesInBatchRequest](t, send(strings.Split("a b c d e f g h i j k", " ")...))
		big := strings.Repeat("x", 600_000)
		_, err := h.client.SendMessageBatch(t.Context(), &awssqs.SendMessageBatchInput{QueueUrl: &q, Entries: []types.SendMessageBatchRequestEntry{
			{Id: aws.String("a"), MessageBody: &big}, {Id: aws.String("b"), MessageBody: &big},
		}})
		refused[*types.BatchRequestTooLong](t, err)
		if got := h.attributes(t, q)["ApproximateNumberOfMessages"]; got != "0" {
			t.Errorf("%s messages came through", got)
		}
	}},
	{"EntryFailsAlone", "it sends characters outside the allowed set", func(t *testing.T, h *harness) {
		q := h.queue(t, nil)
		out, err := h.client.SendMessageBatch(t.Context(), &awssqs.SendMessageBatchInput{QueueUrl: &q, Entries: []types.SendMessageBatchRequestEntry{
			{Id: aws.String("good"), MessageBody: aws.String("x")}, {Id: aws.String("bad"), MessageBody: aws.String("\x00")},
		}})
		if err != nil || len(out.Successful) != 1 || len(out.Failed) != 1 {
			t.Fatal(out, err)
		}
		if f := out.Failed[0]; *f.Id != "bad" || *f.Code != "InvalidMessageContents" || !f.SenderFault {
			t.Errorf("failed: %s %s", *f.Id, *f.Code)
		}
	}},
	{"MessageOfOneMiBIsTaken", "", func(t *testing.T, h *harness) {
		q := h.queue(t, nil)
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
		q := h.queue(t, nil)
		body := strings.Repeat("x", 1<<20-len("name"+"String"+"value")+1)
		_, err := h.client.SendMessage(t.Context(), &awssqs.SendMessageInput{QueueUrl: &q, MessageBody: &body, MessageAttributes: map[string]types.MessageAttributeValue{"name": {DataType: aws.String("String"), StringValue: aws.String("value")}}})
		refusedAs(t, err, "InvalidParameterValue")
	}},
	{"QueuesOwnSizeLimitHolds", "", func(t *testing.T, h *harness) {
		q := h.queue(t, map[string]string{"MaximumMessageSize": "1024"})
		_, err := h.client.SendMessage(t.Context(), &awssqs.SendMessageInput{QueueUrl: &q, MessageBody: aws.String(strings.Repeat("x", 1025))})
		refusedAs(t, err, "InvalidParameterValue")
	}},
	{"ForbiddenCharacterIsRefused", "it sends characters outside the allowed set", func(t *testing.T, h *harness) {
		q := h.queue(t, nil)
		for _, body := range []string{"a\x00b", "a\x1fb", "\ufffe"} {
			_, err := h.client.SendMessage(t.Context(), &awssqs.SendMessageInput{QueueUrl: &q, MessageBody: &body})
			refused[*types.InvalidMessageContents](t, err)
		}
	}},
	{"EmptyBodyIsRefused", "it sends empty messages", func(t *testing.T, h *harness) {
		q := h.queue(t, nil)
		_, err := h.client.SendMessage(t.Context(), &awssqs.SendMessageInput{QueueUrl: &q, MessageBody: aws.String("")})
		refusedAs(t, err, "MissingParameter")
	}},
	{"MalformedAttributeIsRefused", "it knows fewer of the rules", func(t *testing.T, h *harness) {
		q := h.queue(t, nil)
		text := func(v string) types.MessageAttributeValue {
			return types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &v}
		}
		eleven := map[string]types.MessageAttributeValue{}
		for i := range 11 {
			eleven[fmt.Sprintf("n%d", i)] = text("v")
		}
		for name, attributes := range map[string]map[string]types.MessageAttributeValue{
			"name":            {"a b": text("v")},
			"period":          {"a..b": text("v")},
			"reserved prefix": {"AWS.x": text("v")},
			"empty value":     {"n": text("")},
			"type":            {"n": {DataType: aws.String("Text"), StringValue: aws.String("v")}},
			"not a number":    {"n": {DataType: aws.String("Number"), StringValue: aws.String("v")}},
			"too many":        eleven,
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
		missing := h.queue(t, nil) + "-missing"
		_, err := h.client.SendMessage(t.Context(), &awssqs.SendMessageInput{QueueUrl: &missing, MessageBody: aws.String("x")})
		refused[*types.QueueDoesNotExist](t, err)
		refusedAs(t, err, "AWS.SimpleQueueService.NonExistentQueue")
		_, err = h.client.ReceiveMessage(t.Context(), &awssqs.ReceiveMessageInput{QueueUrl: &missing})
		refused[*types.QueueDoesNotExist](t, err)
		_, err = h.client.GetQueueUrl(t.Context(), &awssqs.GetQueueUrlInput{QueueName: aws.String("missing")})
		refused[*types.QueueDoesNotExist](t, err)
	}},
	{"QueueIsFoundByName", "", func(t *testing.T, h *harness) {
		q := h.queue(t, nil)
		name := q[strings.LastIndex(q, "/")+1:]
		out, err := h.client.GetQueueUrl(t.Context(), &awssqs.GetQueueUrlInput{QueueName: &name})
		if err != nil || *out.QueueUrl != q {
			t.Errorf("got %v, %v", out, err)
		}
		list, err := h.client.ListQueues(t.Context(), &awssqs.ListQueuesInput{QueueNamePrefix: &name})
		if err != nil || !slices.Equal(list.QueueUrls, []string{q}) {
			t.Errorf("list: %v, %v", list, err)
		}
	}},
	{"QueueHasItsDefaults", "", func(t *testing.T, h *harness) {
		got := h.attributes(t, h.queue(t, nil))
		for name, want := range map[string]string{
			"VisibilityTimeout": "30", "DelaySeconds": "0", "MessageRetentionPeriod": "345600", "ReceiveMessageWaitTimeSeconds": "0",
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
	{"AttributesCanBeSet", "", func(t *testing.T, h *harness) {
		q := h.queue(t, nil)
		if _, err := h.client.SetQueueAttributes(t.Context(), &awssqs.SetQueueAttributesInput{QueueUrl: &q, Attributes: map[string]string{"VisibilityTimeout": "180", "MessageRetentionPeriod": "1209600"}}); err != nil {
			t.Fatal(err)
		}
		if got := h.attributes(t, q); got["VisibilityTimeout"] != "180" || got["MessageRetentionPeriod"] != "1209600" || got["DelaySeconds"] != "0" {
			t.Errorf("attributes: %v", got)
		}
	}},
	{"WrongAttributeIsRefused", "it takes any value but of MaximumMessageSize", func(t *testing.T, h *harness) {
		q := h.queue(t, nil)
		for name, value := range map[string]string{"VisibilityTimeout": "43201", "DelaySeconds": "901", "MessageRetentionPeriod": "59", "ReceiveMessageWaitTimeSeconds": "x", "MaximumMessageSize": "1023"} {
			_, err := h.client.SetQueueAttributes(t.Context(), &awssqs.SetQueueAttributesInput{QueueUrl: &q, Attributes: map[string]string{name: value}})
			refused[*types.InvalidAttributeValue](t, err)
		}
		_, err := h.client.SetQueueAttributes(t.Context(), &awssqs.SetQueueAttributesInput{QueueUrl: &q, Attributes: map[string]string{"Colour": "1"}})
		refused[*types.InvalidAttributeName](t, err)
	}},
	{"UnknownAttributeNameIsRefused", "", func(t *testing.T, h *harness) {
		q := h.queue(t, nil)
		_, err := h.client.GetQueueAttributes(t.Context(), &awssqs.GetQueueAttributesInput{QueueUrl: &q, AttributeNames: []types.QueueAttributeName{"Colour"}})
		refused[*types.InvalidAttributeName](t, err)
	}},
	{"SameQueueIsCreatedOnce", "", func(t *testing.T, h *harness) {
		name := aws.String(fmt.Sprintf("same-%d", time.Now().UnixNano()))
		var urls []string
		for range 2 {
			out, err := h.client.CreateQueue(t.Context(), &awssqs.CreateQueueInput{QueueName: name, Attributes: map[string]string{"VisibilityTimeout": "60"}})
			if err != nil {
				t.Fatal(err)
			}
			urls = append(urls, *out.QueueUrl)
		}
		if urls[0] != urls[1] {
			t.Errorf("two URLs: %v", urls)
		}
		_, err := h.client.CreateQueue(t.Context(), &awssqs.CreateQueueInput{QueueName: name, Attributes: map[string]string{"VisibilityTimeout": "61"}})
		refused[*types.QueueNameExists](t, err)
	}},
	{"FIFOQueueIsRefused", "it has FIFO queues; that ours refuses them is a choice", func(t *testing.T, h *harness) {
		_, err := h.client.CreateQueue(t.Context(), &awssqs.CreateQueueInput{QueueName: aws.String("x.fifo"), Attributes: map[string]string{"FifoQueue": "true"}})
		refusedAs(t, err, "InvalidParameterValue")
	}},
	{"PurgedQueueIsEmpty", "", func(t *testing.T, h *harness) {
		q := h.queue(t, nil)
		h.send(t, q, "x")
		if _, err := h.client.PurgeQueue(t.Context(), &awssqs.PurgeQueueInput{QueueUrl: &q}); err != nil {
			t.Fatal(err)
		}
		if h.receive(t, q, 0) != nil {
			t.Error("a message is left")
		}
	}},
	{"SecondPurgeWithinAMinuteIsRefused", "it purges as often as one likes", func(t *testing.T, h *harness) {
		q := h.queue(t, nil)
		if _, err := h.client.PurgeQueue(t.Context(), &awssqs.PurgeQueueInput{QueueUrl: &q}); err != nil {
			t.Fatal(err)
		}
		_, err := h.client.PurgeQueue(t.Context(), &awssqs.PurgeQueueInput{QueueUrl: &q})
		refused[*types.PurgeQueueInProgress](t, err)
	}},
	{"ReceiveLimitsAreEnforced", "", func(t *testing.T, h *harness) {
		q := h.queue(t, nil)
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
	deadLetters = h.queue(t, nil)
	queue = h.queue(t, map[string]string{
		"RedrivePolicy": fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":1}`, h.attributes(t, deadLetters)["QueueArn"]),
	})
	return queue, deadLetters
}

// bury sends a message and receives it until it is given up.
func (h *harness) bury(t *testing.T, queue string) string {
	t.Helper()
	id := h.send(t, queue, "x")
	m := h.mustReceive(t, queue, 5)
	if _, err := h.client.ChangeMessageVisibility(t.Context(), &awssqs.ChangeMessageVisibilityInput{QueueUrl: &queue, ReceiptHandle: m.ReceiptHandle}); err != nil {
		t.Fatal(err)
	}
	if h.receive(t, queue, 0) != nil {
		t.Fatal("received once too often")
	}
	return id
}

func (h *harness) redrive(t *testing.T, deadLetters, destination string) {
	t.Helper()
	in := &awssqs.StartMessageMoveTaskInput{SourceArn: aws.String(h.attributes(t, deadLetters)["QueueArn"])}
	if destination != "" {
		in.DestinationArn = &destination
	}
	if out, err := h.client.StartMessageMoveTask(t.Context(), in); err != nil || *out.TaskHandle == "" {
		t.Fatal(out, err)
	}
}

func (h *harness) lastTask(t *testing.T, deadLetters string) types.ListMessageMoveTasksResultEntry {
	t.Helper()
	out, err := h.client.ListMessageMoveTasks(t.Context(), &awssqs.ListMessageMoveTasksInput{SourceArn: aws.String(h.attributes(t, deadLetters)["QueueArn"])})
	if err != nil || len(out.Results) != 1 {
		t.Fatal(out, err)
	}
	return out.Results[0]
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
