package deadletter

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"

	"walletsync/internal/console"
	"walletsync/internal/console/view"
	"walletsync/internal/ipn"
	local "walletsync/internal/local/aws/sqs"
	"walletsync/internal/queue"
	"walletsync/internal/wallet"
)

var _ console.DeadLetters = (*Queue)(nil)

// box is a queue and its dead-letter queue.
type box struct {
	*Queue
	queue, dead *local.Queue
	worker      *queue.Queue // puts what it cannot process there
	client      *failing
}

// failing is a client some of whose calls fail.
type failing struct {
	*sqs.Client
	send, deletes error
}

func (f *failing) SendMessage(ctx context.Context, in *sqs.SendMessageInput, o ...func(*sqs.Options)) (*sqs.SendMessageOutput, error) {
	if f.send != nil {
		return nil, f.send
	}
	return f.Client.SendMessage(ctx, in, o...)
}

func (f *failing) DeleteMessage(ctx context.Context, in *sqs.DeleteMessageInput, o ...func(*sqs.Options)) (*sqs.DeleteMessageOutput, error) {
	if f.deletes != nil {
		return nil, f.deletes
	}
	return f.Client.DeleteMessage(ctx, in, o...)
}

func newBox(t *testing.T) *box {
	t.Helper()
	server := local.New(local.Options{})
	b := &box{}
	var err error
	if b.queue, err = server.CreateQueue("walletsync", local.DefaultSettings()); err != nil {
		t.Fatal(err)
	}
	if b.dead, err = server.CreateQueue("dead", local.DefaultSettings()); err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(server)
	t.Cleanup(s.Close)
	b.client = &failing{Client: sqs.New(sqs.Options{Region: "eu-west-1", BaseEndpoint: &s.URL, Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")})}
	b.Queue = &Queue{Client: b.client, QueueURL: s.URL + "/000000000000/walletsync", URL: s.URL + "/000000000000/dead", Now: time.Now}
	b.worker = &queue.Queue{Client: b.client.Client, URL: b.QueueURL, DeadLetterURL: b.URL}
	return b
}

// put sends n messages.
func (b *box) put(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		m := ipn.MessageOf(wallet.Notification{Account: "main", MessageID: fmt.Sprintf("m-%d", i), Published: time.Unix(1_800_000_000, 0).UTC()})
		if err := b.worker.DeadLetter(t.Context(), m.Encode(), "unknown_account", "main"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestMessageIsShownWithItsReason(t *testing.T) {
	b := newBox(t)
	published := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	m := ipn.Message{V: 1, Kind: ipn.KindUnreadable, Account: "main", MessageID: "m-1", NotificationID: "n-1", ObjectType: "CHARGE", ObjectID: "S01-1234567-1234567-C000001",
		ChargePermission: "S01-1234567-1234567", Published: published, Topic: "arn:aws:sns:eu-west-1:123456789012:topic", Reason: "foreign_topic"}
	for _, put := range []struct {
		body, reason string
		account      wallet.AccountID
	}{{m.Encode(), "foreign_topic", "main"}, {"no JSON at all", "unknown_kind", ""}} {
		if err := b.worker.DeadLetter(t.Context(), put.body, put.reason, put.account); err != nil {
			t.Fatal(err)
		}
	}
	// What SQS gave up itself has no reason of ours.
	if _, err := b.client.Client.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &b.URL, MessageBody: aws.String(ipn.WakeMessage(wallet.Wake{Account: "main", At: published}).Encode())}); err != nil {
		t.Fatal(err)
	}
	got, err := b.List(t.Context(), 50)
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]view.DeadLetter{}
	for _, v := range got {
		if v.ID == "" || v.SentAt == nil || time.Since(*v.SentAt) > time.Minute {
			t.Errorf("%+v", v)
		}
		v.ID, v.SentAt = "", nil
		by[v.Reason] = v
	}
	p := func(s string) *string { return &s }
	want := map[string]view.DeadLetter{
		"foreign_topic": {Reason: "foreign_topic", Kind: p("unreadable"), Account: p("main"), ChargePermissionID: p("S01-1234567-1234567"), ObjectType: p("CHARGE"),
			ObjectID: p("S01-1234567-1234567-C000001"), NotificationID: p("n-1"), MessageID: p("m-1"), Topic: p("arn:aws:sns:eu-west-1:123456789012:topic"), PublishedAt: &published, Body: p(m.Encode())},
		"unknown_kind":       {Reason: "unknown_kind", Body: p("no JSON at all")},
		"received_too_often": {Reason: "received_too_often", Kind: p("wake"), Account: p("main"), Body: p(ipn.WakeMessage(wallet.Wake{Account: "main", At: published}).Encode())},
	}
	if diff := cmp.Diff(want, by); diff != "" {
		t.Error(diff)
	}
}

func TestListingLeavesTheMessagesInTheQueue(t *testing.T) {
	b := newBox(t)
	b.put(t, 23)
	for _, most := range []int{50, 7, 50} {
		got, err := b.List(t.Context(), most)
		if err != nil || len(got) != min(most, 23) {
			t.Errorf("%d of %d: %v", len(got), most, err)
		}
		ids := map[string]bool{}
		for _, v := range got {
			ids[v.ID] = true
		}
		if len(ids) != len(got) {
			t.Errorf("%d are shown as %d", len(ids), len(got))
		}
		if n := b.dead.Stats(); n.Visible != 23 || n.InFlight != 0 {
			t.Errorf("left behind: %+v", n)
		}
	}
	if n, err := b.Count(t.Context()); err != nil || n != 23 {
		t.Errorf("%d, %v", n, err)
	}
}

func TestAnEmptyBoxIsAnsweredAtOnce(t *testing.T) {
	b := newBox(t)
	b.Client = countOnly{b.client} // a receive would panic
	if got, err := b.List(t.Context(), 50); err != nil || got == nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

// countOnly can count, and nothing else.
type countOnly struct{ SQS }

func (countOnly) ReceiveMessage(context.Context, *sqs.ReceiveMessageInput, ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error) {
	panic("a receive that finds nothing waits")
}

func TestOneIsTriedAgain(t *testing.T) {
	b := newBox(t)
	b.put(t, 15)
	all, err := b.List(t.Context(), 50)
	if err != nil {
		t.Fatal(err)
	}
	if there, err := b.Retry(t.Context(), all[12].ID); err != nil || !there {
		t.Fatalf("%v, %v", there, err)
	}
	if q, d := b.queue.Stats(), b.dead.Stats(); q.Visible != 1 || d.Visible != 14 || d.InFlight != 0 {
		t.Errorf("queue %+v, dead-letter queue %+v", q, d)
	}
	out, err := b.client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &b.QueueURL})
	if err != nil || len(out.Messages) != 1 || *out.Messages[0].Body != *all[12].Body {
		t.Errorf("%+v, %v", out, err)
	}
	// It is gone for who tries the same once more.
	if there, err := b.Retry(t.Context(), all[12].ID); err != nil || there {
		t.Errorf("once more: %v, %v", there, err)
	}
	if d := b.dead.Stats(); d.Visible != 14 || d.InFlight != 0 {
		t.Errorf("after it: %+v", d)
	}
}

func TestAllAreTriedAgain(t *testing.T) {
	b := newBox(t)
	b.put(t, 34)
	if n, err := b.RetryAll(t.Context()); err != nil || n != 34 {
		t.Errorf("%d, %v", n, err)
	}
	if q, d := b.queue.Stats(), b.dead.Stats(); q.Visible != 34 || d.Visible+d.InFlight != 0 {
		t.Errorf("queue %+v, dead-letter queue %+v", q, d)
	}
}

// The worker may dead-letter at once what it still cannot process.
func TestWhatComesBackMeanwhileStays(t *testing.T) {
	b := newBox(t)
	b.put(t, 3)
	start := time.Now().Add(-time.Hour)
	b.Now = func() time.Time { return start } // before they came
	if n, err := b.RetryAll(t.Context()); err != nil || n != 0 {
		t.Errorf("%d, %v", n, err)
	}
	if q, d := b.queue.Stats(), b.dead.Stats(); q.Visible != 0 || d.Visible != 3 || d.InFlight != 0 {
		t.Errorf("queue %+v, dead-letter queue %+v", q, d)
	}
}

func TestMessageThatCannotBeSentIsNotLost(t *testing.T) {
	for name, c := range map[string]struct {
		fail         func(*failing)
		queued, dead int
	}{
		"not sent":    {func(f *failing) { f.send = errors.New("no") }, 0, 1},
		"not deleted": {func(f *failing) { f.deletes = errors.New("no") }, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			b.put(t, 1)
			c.fail(b.client)
			if n, err := b.RetryAll(t.Context()); err == nil || n != 0 {
				t.Errorf("%d, %v", n, err)
			}
			if q, d := b.queue.Stats(), b.dead.Stats(); q.Visible != c.queued || d.Visible+d.InFlight != c.dead {
				t.Errorf("queue %+v, dead-letter queue %+v", q, d)
			}
		})
	}
}

func TestTooManyToFindOneIsSaid(t *testing.T) {
	b := newBox(t)
	b.put(t, 11)
	now := time.Now()
	b.Now = func() time.Time { now = now.Add(retryTimeout / 2); return now }
	if there, err := b.Retry(t.Context(), "another"); err == nil || there {
		t.Errorf("%v, %v", there, err)
	}
}

// silent is an SQS that gives out one message and never answers again, until the
// caller gives up.
type silent struct {
	SQS
	receives int
	released time.Duration // how much time there was to make it visible again
}

func (*silent) GetQueueAttributes(context.Context, *sqs.GetQueueAttributesInput, ...func(*sqs.Options)) (*sqs.GetQueueAttributesOutput, error) {
	return &sqs.GetQueueAttributesOutput{Attributes: map[string]string{"ApproximateNumberOfMessages": "2", "ApproximateNumberOfMessagesNotVisible": "0"}}, nil
}

func (s *silent) ReceiveMessage(ctx context.Context, _ *sqs.ReceiveMessageInput, _ ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error) {
	if s.receives++; s.receives == 1 {
		return &sqs.ReceiveMessageOutput{Messages: []types.Message{{MessageId: aws.String("m"), Body: aws.String("{}"), ReceiptHandle: aws.String("r")}}}, nil
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

func (s *silent) ChangeMessageVisibilityBatch(ctx context.Context, _ *sqs.ChangeMessageVisibilityBatchInput, _ ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityBatchOutput, error) {
	if end, bounded := ctx.Deadline(); bounded && ctx.Err() == nil {
		s.released = time.Until(end)
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestASilentQueueLeavesTimeToAnswer: what was looked at is let go, and that ends
// with the request's time.
func TestASilentQueueLeavesTimeToAnswer(t *testing.T) {
	for budget, kept := range map[time.Duration]time.Duration{26 * time.Second: timeout, 4 * time.Second: 2 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), budget)
			defer cancel()
			began, s := time.Now(), &silent{}
			_, err := (&Queue{Client: s, Now: time.Now}).List(ctx, 10)
			if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took != budget || s.released != kept {
				t.Errorf("of %v it took %v, of which %v to let go: %v", budget, took, s.released, err)
			}
		})
	}
}
