package ipn

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"walletsync/internal/sns"
	"walletsync/internal/telemetry"
	"walletsync/internal/wallet"
)

// Delivery is one message of a batch as the queue delivers it.
type Delivery struct {
	ID       string // the queue's; by it a failure is told
	Body     string
	Receives int // how often it has been delivered, this time included
}

// Refresher does what a batch asks for; see refresh.Runner.
type Refresher interface {
	Refresh(ctx context.Context, b wallet.Batch) (again bool, err error)
}

// DeadLetters takes what can never be processed, with its reason.
type DeadLetters interface {
	DeadLetter(ctx context.Context, body, reason string, account wallet.AccountID) error
}

// Worker makes batches of the queue into batches of the refresh.
type Worker struct {
	Accounts    Accounts
	Opener      Opener
	Refresher   Refresher
	DeadLetters DeadLetters
	Metrics     *telemetry.Metrics
	Now         func() time.Time
}

// Batch processes the deliveries and returns the ids of those that must be
// delivered again. The others are done, wanted, or in the dead-letter queue.
func (w *Worker) Batch(ctx context.Context, deliveries []Delivery) (failed []string) {
	start := w.Now()
	outcome := "done"
	defer func() {
		zerolog.Ctx(ctx).Info().Str("outcome", outcome).Int("messages", len(deliveries)).Int("failed", len(failed)).
			Dur("duration", w.Now().Sub(start)).Msg("batch")
	}()
	var batch wallet.Batch
	var good []string
	one := map[wallet.AccountID]string{} // the first of the good of each account
	for _, d := range deliveries {
		w.Metrics.Count(telemetry.Received, 1, telemetry.Labels{})
		again, account, reason := w.add(ctx, &batch, d)
		switch {
		case reason != "":
			if err := w.DeadLetters.DeadLetter(ctx, d.Body, reason, account); err != nil {
				zerolog.Ctx(ctx).Error().Err(err).Str("reason", reason).Msg("could not put a message on the dead-letter queue; it comes again")
				failed = append(failed, d.ID)
				continue
			}
			w.Metrics.Count(telemetry.DeadLettered, 1, telemetry.Labels{Account: string(account), Reason: reason})
			zerolog.Ctx(ctx).Error().Str("account", string(account)).Str("reason", reason).Str("queue_message", d.ID).
				Msg("cannot be processed; put on the dead-letter queue")
		case again:
			w.Metrics.Count(telemetry.Retried, 1, telemetry.Labels{Reason: "certificate_unavailable"})
			failed = append(failed, d.ID)
		default:
			good = append(good, d.ID)
			if one[account] == "" {
				one[account] = d.ID
			}
			batch.Redelivered = batch.Redelivered || d.Receives > 1
		}
	}
	if len(good) == 0 {
		return failed
	}
	again, err := w.Refresher.Refresh(ctx, batch)
	switch {
	case err != nil:
		outcome = "not_committed"
		zerolog.Ctx(ctx).Error().Err(err).Int("messages", len(good)).Msg("nothing was committed; the batch comes again")
		w.Metrics.Count(telemetry.Retried, len(good), telemetry.Labels{Reason: "refresh"})
		return append(failed, good...)
	case again:
		// A batch decides for the accounts that its messages name.
		outcome = "wake_up_unknown"
		w.Metrics.Count(telemetry.Retried, len(one), telemetry.Labels{Reason: "wake_up"})
		return append(failed, slices.Sorted(maps.Values(one))...)
	}
	return failed
}

// add puts one delivery into the batch, or says that it must come again, or why
// it never can be processed.
func (w *Worker) add(ctx context.Context, b *wallet.Batch, d Delivery) (again bool, account wallet.AccountID, reason string) {
	if envelope(d.Body) {
		return w.addEnvelope(ctx, b, d.Body)
	}
	m, err := decode(d.Body)
	if err != nil {
		zerolog.Ctx(ctx).Error().Err(err).Str("queue_message", d.ID).Msg("a message that this release cannot read")
		return false, "", ReasonUnknownKind // its account may be anything too
	}
	a, known := w.Accounts.byID(m.Account)
	if !known {
		return false, m.Account, ReasonUnknownAccount
	}
	switch m.Kind {
	case KindWake:
		b.Woken = append(b.Woken, wallet.Wake{Account: a.ID, At: m.At})
	case KindIPN:
		b.Notifications = append(b.Notifications, m.notification())
	case KindUnreadable:
		account, reason := w.decideAnew(b, a, m)
		return false, account, reason
	}
	return false, a.ID, ""
}

// decideAnew looks again at what our receiver verified and could not act upon:
// redriven after the operator has pinned the topic, it can be.
func (w *Worker) decideAnew(b *wallet.Batch, a Account, m Message) (account wallet.AccountID, reason string) {
	if byTopic, known := w.Accounts.byTopic(m.Topic); known {
		a = byTopic
	}
	if ok, _ := a.welcome(m.Topic); !ok {
		return a.ID, ReasonForeignTopic
	}
	if m.Body == "" {
		return a.ID, m.Reason
	}
	n, reason := parse(a, sns.Message{ID: m.MessageID, TopicARN: m.Topic, Body: m.Body, Timestamp: m.Published}, m.Arrived)
	if reason == "" {
		b.Notifications = append(b.Notifications, n)
	}
	return a.ID, reason
}

// envelope reports whether a body is what SNS delivers to a queue: it has the
// member Type, and ours do not.
func envelope(body string) bool {
	var e struct{ Type, Kind string }
	return json.Unmarshal([]byte(body), &e) == nil && e.Type != "" && e.Kind == ""
}

// addEnvelope verifies a message that SNS put on the queue, from a relay topic.
func (w *Worker) addEnvelope(ctx context.Context, b *wallet.Batch, body string) (again bool, account wallet.AccountID, reason string) {
	m, err := w.Opener.Open(ctx, []byte(body))
	if err != nil {
		if sns.Forged(err) {
			zerolog.Ctx(ctx).Warn().Err(err).Str("why", sns.Reason(err)).Msg("an SNS message on the queue that does not verify")
			return false, "", ReasonForged
		}
		zerolog.Ctx(ctx).Warn().Err(err).Msg("an SNS message on the queue cannot be verified just now; it comes again")
		return true, "", ""
	}
	a, known := w.Accounts.byTopic(m.TopicARN)
	if !known {
		return false, "", ReasonForeignTopic
	}
	if m.Type != sns.Notification {
		return false, a.ID, ReasonUnreadable
	}
	n, reason := parse(a, m, w.Now())
	if reason != "" {
		return false, a.ID, reason
	}
	b.Notifications = append(b.Notifications, n)
	return false, a.ID, ""
}
