package feedpush_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"walletsync/internal/feedpush"
	"walletsync/internal/local/aws/awsjson"
	"walletsync/internal/local/aws/bus"
	"walletsync/internal/local/aws/mototest"
)

// changes returns n changes, from position 1.
func changes(n int) (out []feedpush.Change) {
	for i := range n {
		out = append(out, feedpush.Change{Version: 1, Account: "main", ChargePermission: "B01-0000001-0000001", Facet: "shipping_address", Position: int64(i + 1)})
	}
	return out
}

const first = `{"version":1,"account":"main","chargePermissionId":"B01-0000001-0000001","facet":"shipping_address","position":1}`

// client is an SDK configuration that sends every call to url and tries once.
func client(url string) aws.Config {
	return aws.Config{
		Region: "eu-west-1", BaseEndpoint: &url, Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
		RetryMaxAttempts: 1,
	}
}

const busARN = "arn:aws:events:eu-west-1:123456789012:event-bus/shop"

func onBus(t *testing.T) (*bus.Server, feedpush.Target) {
	t.Helper()
	server := bus.New()
	http := httptest.NewServer(server)
	t.Cleanup(http.Close)
	target, err := feedpush.TargetOf(busARN, client(http.URL))
	if err != nil {
		t.Fatal(err)
	}
	return server, target
}

func TestABusGetsEachChangeAsAnEvent(t *testing.T) {
	server, target := onBus(t)
	if n, err := target.Publish(t.Context(), changes(25)); n != 25 || err != nil {
		t.Fatal(n, err)
	}
	if calls := server.Calls()["PutEvents"]; calls != 3 {
		t.Errorf("%d calls for 25 events, at most 10 each", calls)
	}
	events := server.Events()
	if len(events) != 25 {
		t.Fatalf("%d events", len(events))
	}
	if want := (bus.Event{EventBusName: busARN, Source: "walletsync", DetailType: "Charge Permission Changed", Detail: first}); events[0] != want {
		t.Errorf("got  %+v\nwant %+v", events[0], want)
	}
	for i, e := range events {
		if !strings.HasSuffix(e.Detail, fmt.Sprintf(`"position":%d}`, i+1)) {
			t.Errorf("event %d is %s", i, e.Detail)
		}
	}
}

func TestABusThatRefusesOneEventStopsThere(t *testing.T) {
	server, target := onBus(t)
	server.Refuse(func(e bus.Event) bool { return strings.HasSuffix(e.Detail, `"position":14}`) })
	n, err := target.Publish(t.Context(), changes(25))
	if n != 13 || err == nil || !strings.Contains(err.Error(), "refuses position 14: InternalFailure") {
		t.Errorf("%d taken: %v", n, err)
	}
}

func TestAFailedCallToABusCountsAsNothingPublished(t *testing.T) {
	for _, applied := range []bool{false, true} {
		server, target := onBus(t)
		server.Inject(awsjson.Fault{Status: http.StatusInternalServerError, Applied: applied})
		if n, err := target.Publish(t.Context(), changes(3)); n != 0 || err == nil {
			t.Errorf("applied %v: %d taken, %v", applied, n, err)
		}
	}
}

// topicClient answers PublishBatch with the function.
type topicClient func(*sns.PublishBatchInput) (*sns.PublishBatchOutput, error)

func (f topicClient) PublishBatch(_ context.Context, in *sns.PublishBatchInput, _ ...func(*sns.Options)) (*sns.PublishBatchOutput, error) {
	return f(in)
}

func TestATopicThatRefusesOneMessageStopsThere(t *testing.T) {
	answers := map[string]*sns.PublishBatchOutput{}
	for name, body := range map[string]string{
		"refused":  `{"Successful":[{"Id":"2"},{"Id":"0"}],"Failed":[{"Id":"1","Code":"InternalError","Message":"try again"}]}`,
		"left out": `{"Successful":[{"Id":"2"},{"Id":"0"},{"Id":"9"},{"Id":"x"},{}]}`,
	} {
		answers[name] = &sns.PublishBatchOutput{}
		if err := json.Unmarshal([]byte(body), answers[name]); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"refused": "InternalError: try again", "left out": "not in the answer"} {
		target := &feedpush.Topic{ARN: "arn:aws:sns:eu-west-1:1:shop", Client: topicClient(func(*sns.PublishBatchInput) (*sns.PublishBatchOutput, error) { return answers[name], nil })}
		if n, err := target.Publish(t.Context(), changes(3)); n != 1 || err == nil || !strings.HasSuffix(err.Error(), "refuses position 2: "+want) {
			t.Errorf("%s: %d taken: %v", name, n, err)
		}
	}
}

func TestOnlyAFIFOTopicGetsGroups(t *testing.T) {
	for _, arn := range []string{"arn:aws:sns:eu-west-1:1:shop", "arn:aws:sns:eu-west-1:1:shop.fifo"} {
		var groups []string
		target := &feedpush.Topic{ARN: arn, Client: topicClient(func(in *sns.PublishBatchInput) (*sns.PublishBatchOutput, error) {
			for _, e := range in.PublishBatchRequestEntries {
				groups = append(groups, aws.ToString(e.MessageGroupId)+" "+aws.ToString(e.MessageDeduplicationId))
			}
			return nil, fmt.Errorf("enough seen")
		})}
		_, _ = target.Publish(t.Context(), changes(1))
		want := []string{" "}
		if strings.HasSuffix(arn, ".fifo") {
			want = []string{"main/B01-0000001-0000001 1"}
		}
		if !slices.Equal(groups, want) {
			t.Errorf("%s: %q", arn, groups)
		}
	}
}

func TestOtherTargetsAreRefused(t *testing.T) {
	for _, arn := range []string{"", "shop", "arn:aws:sqs:eu-west-1:1:shop", "arn:aws:events:eu-west-1:1:rule/shop"} {
		if target, err := feedpush.TargetOf(arn, client("")); err == nil {
			t.Errorf("%q is %T", arn, target)
		}
	}
}

// TestMotoAcceptsPublications publishes to moto's SNS and EventBridge.
func TestMotoAcceptsPublications(t *testing.T) {
	c := client(mototest.Start(t))
	queue, err := sqs.NewFromConfig(c).CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("shop")})
	if err != nil {
		t.Fatal(err)
	}
	topic, err := sns.NewFromConfig(c).CreateTopic(t.Context(), &sns.CreateTopicInput{Name: aws.String("shop")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sns.NewFromConfig(c).Subscribe(t.Context(), &sns.SubscribeInput{TopicArn: topic.TopicArn, Protocol: aws.String("sqs"),
		Endpoint: aws.String("arn:aws:sqs:eu-west-1:123456789012:shop"), Attributes: map[string]string{"RawMessageDelivery": "true"}}); err != nil {
		t.Fatal(err)
	}
	shop, err := eventbridge.NewFromConfig(c).CreateEventBus(t.Context(), &eventbridge.CreateEventBusInput{Name: aws.String("shop")})
	if err != nil {
		t.Fatal(err)
	}
	for _, arn := range []*string{topic.TopicArn, shop.EventBusArn} {
		target, err := feedpush.TargetOf(*arn, c)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := target.Publish(t.Context(), changes(12)); n != 12 || err != nil {
			t.Errorf("%s: %d taken: %v", *arn, n, err)
		}
	}
	var bodies []string
	for len(bodies) < 12 {
		got, err := sqs.NewFromConfig(c).ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: queue.QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 5})
		if err != nil || len(got.Messages) == 0 {
			t.Fatalf("%d messages, then none: %v", len(bodies), err)
		}
		for _, m := range got.Messages {
			bodies = append(bodies, aws.ToString(m.Body))
		}
	}
	if !slices.Contains(bodies, first) {
		t.Errorf("got %q", bodies)
	}
}
