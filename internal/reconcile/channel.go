package reconcile

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"walletsync/internal/telemetry"
	"walletsync/internal/wallet"
)

// Channel is the duty to the notifications themselves: it judges whether they
// still come. Each completed update is a canary, as its notification is due; and
// what the sweep finds changed is a notification that did not come.
type Channel struct {
	Store ChannelStore
	// Patience is how long the notification of an update may take.
	Patience time.Duration
	Metrics  *telemetry.Metrics
}

// ChannelStore is what Channel needs of the store.
type ChannelStore interface {
	// Heard tells of an account's notifications; of updates it counts those
	// that ended longer ago than patience.
	Heard(ctx context.Context, account wallet.AccountID, patience time.Duration) (Heard, error)
}

// Heard is what is known of an account's notifications, by Postgres's clock.
type Heard struct {
	Last    time.Time // when one was last processed; zero: never
	Updates int       // completed since, without a notification
	Found   int       // charge permissions that the sweep found changed since
	First   time.Time // the first of both; zero: none
}

// Verdict is whether an account's notifications come.
type Verdict string

// The verdicts. One notification that is missing may have been lost; a second
// one, with nothing heard in between, was not.
const (
	Untested Verdict = "untested" // none has come, and none was due
	Alive    Verdict = "alive"
	Doubtful Verdict = "doubtful"
	Dead     Verdict = "dead"
)

// Missing is how many notifications were due and did not come since the last
// one that did.
func (h Heard) Missing() int { return h.Updates + h.Found }

// Verdict judges.
func (h Heard) Verdict() Verdict {
	switch {
	case h.Missing() > 1:
		return Dead
	case h.Missing() == 1:
		return Doubtful
	case h.Last.IsZero():
		return Untested
	}
	return Alive
}

// Name is that of the duty.
func (c *Channel) Name() string { return "channel" }

// Do judges, and tells where to look if notifications have stopped.
func (c *Channel) Do(ctx context.Context, account wallet.AccountID) error {
	h, err := c.Store.Heard(ctx, account, c.Patience)
	if err != nil {
		return err
	}
	c.Metrics.Value(telemetry.Missing, telemetry.Number, float64(h.Missing()), telemetry.Labels{Account: string(account)})
	var log *zerolog.Event
	switch h.Verdict() {
	case Dead:
		log = zerolog.Ctx(ctx).Error().Str("remedy",
			"look at the IPN URL in Seller Central (Integration Settings, of this environment), at firewalls in front of it, at the receiver's 4xx answers, and whether the account's topics name the ARN that Amazon Pay sends from; until then the sweep alone finds changes")
	case Doubtful:
		log = zerolog.Ctx(ctx).Warn().Str("remedy", "one notification is missing: if another is, the channel is taken to be dead")
	default:
		return nil
	}
	if h.Last.IsZero() {
		log.Bool("ever", false)
	} else {
		log.Time("last", h.Last)
	}
	log.Str("account", string(account)).Str("verdict", string(h.Verdict())).Int("updates", h.Updates).Int("found", h.Found).
		Time("since", h.First).Msg("notifications are missing")
	return nil
}

var _ Duty = (*Channel)(nil)
