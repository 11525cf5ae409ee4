package ipn

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"walletsync/internal/sns"
	"walletsync/internal/telemetry"
	"walletsync/internal/wallet"
)

// Delivery is one message of a batch as the queue delivers it.
type Delivery struct {
	ID       string // the queue's id of the message, with which failures are reported
	Body     string
	Receives int // how often it has been delivered, this time included
}

// Refresher processes a batch; see refresh.Runner. If retry is true, one message
// of each account must be delivered again.
type Refresher interface {
	Refresh(ctx context.Context, b wallet.Batch) (retry bool, err error)
}

// DeadLetters takes what can never be processed, with its reason.
type DeadLetters interface {
	DeadLetter(ctx context.Context, body, reason string, account wallet.AccountID) error
}

// Worker turns batches of the queue into batches of refresh requests.
type Worker struct {
	Accounts    Accounts
	Opener      Opener
	Refresher   Refresher
	DeadLetters DeadLetters
	Metrics     *telemetry.Metrics
	Now         func() time.Time
}

const (
	// verifyLimit bounds the envelopes that are verified at once.
	verifyLimit = 10
	// verifyTimeout bounds verifying a batch. It is longer than fetching a
	// certificate may take (sns.Options), and leaves the time that the refresh
	// needs of the worker's 28 s.
	verifyTimeout = 6 * time.Second
	// deadLetterTimeout bounds what a batch sends to the dead-letter queue, all
	// of it, as long as one message may take (package queue).
	deadLetterTimeout = 8 * time.Second
	// certificateTries is how often a message is delivered if SNS answers that its
	// certificate does not exist: for about an hour, at the queue's visibility
	// time-out of 180 s.
	certificateTries = 20
)

// Batch processes the deliveries and returns the ids of those that must be
// delivered again. The others are done, requested, or in the dead-letter queue.
func (w *Worker) Batch(ctx context.Context, deliveries []Delivery) (failed []string) {
	start := w.Now()
	outcome := "done"
	defer func() {
		zerolog.Ctx(ctx).Info().Str("outcome", outcome).Int("messages", len(deliveries)).Int("failed", len(failed)).
			Dur("duration", w.Now().Sub(start)).Msg("batch")
	}()
	var batch wallet.Batch
	var dead []deadLetter
	var good []string
	one := map[wallet.AccountID]string{} // the first good message of each account
	for i, v := range w.verify(ctx, deliveries) {
		d := deliveries[i]
		w.Metrics.Count(telemetry.Received, 1, telemetry.Labels{})
		retry, account, reason := w.add(ctx, &batch, d, v)
		switch {
		case reason != "":
			dead = append(dead, deadLetter{d, account, reason})
		case retry != "":
			w.Metrics.Count(telemetry.Retried, 1, telemetry.Labels{Reason: retry})
			failed = append(failed, d.ID)
		default:
			good = append(good, d.ID)
			if one[account] == "" {
				one[account] = d.ID
			}
			batch.Redelivered = batch.Redelivered || d.Receives > 1
		}
	}
	if len(good) > 0 {
		retry, err := w.Refresher.Refresh(ctx, batch)
		switch {
		case err != nil:
			outcome = "not_committed"
			zerolog.Ctx(ctx).Error().Err(err).Int("messages", len(good)).Msg("nothing was committed; the batch will be delivered again")
			w.Metrics.Count(telemetry.Retried, len(good), telemetry.Labels{Reason: "refresh"})
			failed = append(failed, good...)
		case retry:
			// A batch decides for the accounts of its messages.
			outcome = "wake_up_unknown"
			w.Metrics.Count(telemetry.Retried, len(one), telemetry.Labels{Reason: "wake_up"})
			failed = append(failed, slices.Sorted(maps.Values(one))...)
		}
	}
	// Last, because a silent queue must not take the refresh's time.
	return append(failed, w.deadLetter(ctx, dead)...)
}

// deadLetter is a delivery that can never be processed.
type deadLetter struct {
	Delivery
	account wallet.AccountID
	reason  string
}

// deadLetter sends the deliveries to the dead-letter queue, and returns the ids of
// those that could not be sent.
func (w *Worker) deadLetter(ctx context.Context, deliveries []deadLetter) (unsent []string) {
	send, cancel := context.WithTimeout(ctx, deadLetterTimeout)
	defer cancel()
	for _, d := range deliveries {
		if err := w.DeadLetters.DeadLetter(send, d.Body, d.reason, d.account); err != nil {
			zerolog.Ctx(ctx).Error().Err(err).Str("reason", d.reason).Msg("send to dead-letter queue failed; the message will be delivered again")
			unsent = append(unsent, d.ID)
			continue
		}
		w.Metrics.Count(telemetry.DeadLettered, 1, telemetry.Labels{Account: string(d.account), Reason: d.reason})
		zerolog.Ctx(ctx).Error().Str("account", string(d.account)).Str("reason", d.reason).Str("queue_message", d.ID).
			Msg("message cannot be processed; sent to the dead-letter queue")
	}
	return unsent
}

// verified is what verifying a delivery came to. Messages of our own are not
// verified: only our functions may write to the queue unsigned.
type verified struct {
	envelope bool
	message  sns.Message
	err      error
}

// verify opens the envelopes among the deliveries concurrently, within
// verifyTimeout: a silent certificate host delays a batch, and fails no message
// but those that need it.
func (w *Worker) verify(ctx context.Context, deliveries []Delivery) []verified {
	ctx, cancel := context.WithTimeout(ctx, verifyTimeout)
	defer cancel()
	out := make([]verified, len(deliveries))
	var g errgroup.Group
	g.SetLimit(verifyLimit)
	for i, d := range deliveries {
		if !envelope(d.Body) {
			continue
		}
		g.Go(func() error {
			m, err := w.Opener.Open(ctx, []byte(d.Body))
			out[i] = verified{true, m, err}
			return nil
		})
	}
	_ = g.Wait() // no function returns an error
	return out
}

// add puts one delivery into the batch. Otherwise it returns why the delivery must
// be retried, or the reason for which it can never be processed.
func (w *Worker) add(ctx context.Context, b *wallet.Batch, d Delivery, v verified) (retry string, account wallet.AccountID, reason string) {
	if v.envelope {
		return w.addEnvelope(ctx, b, d, v)
	}
	m, err := decode(d.Body)
	if err != nil && rawNotification([]byte(d.Body)) {
		return "", "", ReasonRawDelivery
	}
	if err != nil {
		zerolog.Ctx(ctx).Error().Err(err).Str("queue_message", d.ID).Msg("a message that this release cannot read")
		return "", "", ReasonUnknownKind // its account may be anything too
	}
	a, known := w.Accounts.byID(m.Account)
	if !known && m.Account != "" {
		return "", m.Account, ReasonUnknownAccount
	}
	switch m.Kind {
	case KindWake:
		b.Woken = append(b.Woken, wallet.Wake{Account: a.ID, At: m.At})
	case KindIPN:
		b.Notifications = append(b.Notifications, m.notification())
	case KindUnreadable:
		account, reason := w.decideAnew(b, a, m)
		return "", account, reason
	}
	return "", a.ID, ""
}

// decideAnew looks again at what our receiver verified and could not act upon:
// redriven after the operator has pinned the topic, it can be. Without an account
// it came without a path secret, and only a pinned topic counts (invariant 4).
func (w *Worker) decideAnew(b *wallet.Batch, a Account, m Message) (account wallet.AccountID, reason string) {
	if byTopic, known := w.Accounts.byTopic(m.Topic); known {
		a = byTopic
	}
	if ok, _ := a.welcome(m.Topic); !ok || a.ID == "" {
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

// addEnvelope adds a message that SNS put on the queue, from a relay topic.
func (w *Worker) addEnvelope(ctx context.Context, b *wallet.Batch, d Delivery, v verified) (retry string, account wallet.AccountID, reason string) {
	log := zerolog.Ctx(ctx).Warn().Err(v.err).Str("queue_message", d.ID).Str("why", sns.Reason(v.err)).Int("receives", d.Receives)
	switch {
	case v.err == nil:
		log.Discard().Send()
	case sns.Forged(v.err):
		log.Msg("an SNS message on the queue that does not verify")
		return "", "", ReasonForged
	case sns.CertificateMissing(v.err) && d.Receives >= certificateTries:
		log.Msg("SNS still says that the certificate of a message on the queue does not exist")
		return "", "", ReasonCertificateMissing
	default:
		log.Msg("SNS message on the queue cannot be verified now; it will be delivered again")
		return cmp.Or(sns.Reason(v.err), "certificate_unavailable"), "", ""
	}
	m := v.message
	a, known := w.Accounts.byTopic(m.TopicARN)
	if !known {
		return "", "", ReasonForeignTopic
	}
	if m.Type != sns.Notification {
		return "", a.ID, ReasonUnreadable
	}
	n, reason := parse(a, m, w.Now())
	if reason != "" {
		return "", a.ID, reason
	}
	b.Notifications = append(b.Notifications, n)
	return "", a.ID, ""
}
