package reconcile

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"walletsync/internal/telemetry"
	"walletsync/internal/wallet"
)

// Channel is the duty to check whether notifications still arrive. A completed
// update makes a notification due; a change that the sweep finds is a notification
// that did not arrive.
type Channel struct {
	Store ChannelStore
	// GracePeriod is how long the notification of an update may take.
	GracePeriod time.Duration
	Metrics     *telemetry.Metrics
}

// ChannelStore is what Channel needs of the store.
type ChannelStore interface {
	// Heard returns the record of an account's notifications. It counts updates
	// that ended longer ago than gracePeriod.
	Heard(ctx context.Context, account wallet.AccountID, gracePeriod time.Duration) (Heard, error)
}

// Heard is the record of an account's notifications, by Postgres's clock.
type Heard struct {
	Last    time.Time // when one was last processed; zero: never
	Updates int       // completed since, without a notification
	Found   int       // charge permissions that the sweep found changed since
	First   time.Time // the first of both; zero: none
}

// Verdict is the health of an account's notifications.
type Verdict string

// The verdicts. One missing notification may have been lost; a second one, with
// none received in between, means that they no longer arrive.
const (
	Untested Verdict = "untested" // none has arrived, and none was due
	Alive    Verdict = "alive"
	Doubtful Verdict = "doubtful"
	Dead     Verdict = "dead"
)

// Missing is the number of notifications that were due since the last one and did
// not arrive.
func (h Heard) Missing() int { return h.Updates + h.Found }

// Verdict returns the health that follows from the record.
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

// Name returns the duty's name.
func (c *Channel) Name() string { return "channel" }

// Do logs a remedy if notifications have stopped.
func (c *Channel) Do(ctx context.Context, account wallet.AccountID) error {
	h, err := c.Store.Heard(ctx, account, c.GracePeriod)
	if err != nil {
		return err
	}
	c.Metrics.Value(telemetry.Missing, telemetry.Number, float64(h.Missing()), telemetry.Labels{Account: string(account)})
	var log *zerolog.Event
	switch h.Verdict() {
	case Dead:
		log = zerolog.Ctx(ctx).Error().Str("remedy",
			"check the IPN URL in Seller Central (Integration Settings, of this environment), the firewalls in front of it, the receiver's 4xx answers, and whether the account's topics contain the ARN that Amazon Pay sends from; until then only the sweep finds changes")
	case Doubtful:
		log = zerolog.Ctx(ctx).Warn().Str("remedy", "none yet: one notification may have been lost; a second missing one means that notifications no longer arrive")
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
