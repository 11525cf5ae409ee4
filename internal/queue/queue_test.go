package queue

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"

	"walletsync/internal/ipn"
	"walletsync/internal/wallet"
)

type sender struct {
	got []*sqs.SendMessageInput
	err error
}

func (s *sender) SendMessage(_ context.Context, in *sqs.SendMessageInput, _ ...func(*sqs.Options)) (*sqs.SendMessageOutput, error) {
	s.got = append(s.got, in)
	return &sqs.SendMessageOutput{}, s.err
}

func TestWakeUpsAreRoundedUpToWhatSQSCanDelay(t *testing.T) {
	for delay, want := range map[time.Duration]int32{time.Second: 1, 1001 * time.Millisecond: 2, time.Hour: 900} {
		var s sender
		q := Queue{Client: &s, URL: "queue"}
		at := time.Date(2026, 2, 3, 4, 5, 6, 789000, time.UTC)
		if err := q.Wake(t.Context(), "main", at, delay); err != nil {
			t.Fatal(err)
		}
		if got := s.got[0].DelaySeconds; got != want {
			t.Errorf("%v: %d s", delay, got)
		}
		if d := cmp.Diff(`{"v":1,"kind":"wake","account":"main","at":"2026-02-03T04:05:06.000789Z"}`, *s.got[0].MessageBody); d != "" {
			t.Error(d)
		}
	}
}

func TestDeadLetterMessagesKeepTheirBodyAndHaveAReason(t *testing.T) {
	var s sender
	q := Queue{Client: &s, URL: "queue", DeadLetterURL: "dead"}
	if err := q.DeadLetter(t.Context(), "body", "foreign_topic", wallet.AccountID("main")); err != nil {
		t.Fatal(err)
	}
	in := s.got[0]
	if *in.QueueUrl != "dead" || *in.MessageBody != "body" || *in.MessageAttributes["reason"].StringValue != "foreign_topic" || *in.MessageAttributes["account"].StringValue != "main" {
		t.Errorf("%+v", in)
	}
}

func TestARefusalIsAnError(t *testing.T) {
	q := Queue{Client: &sender{err: errors.New("no")}, URL: "queue"}
	if err := q.Send(t.Context(), ipn.Message{}); err == nil {
		t.Error("the queue refused and no error was returned")
	}
}
