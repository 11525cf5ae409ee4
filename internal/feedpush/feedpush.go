// Package feedpush publishes the positions of new changes in the feed to an SNS
// topic or an EventBridge bus: which charge permission changed, in which facet,
// and where in the feed it stands. It publishes nothing of the person. What
// changed, subscribers read themselves.
//
// It follows the feed by a cursor in the database, which moves after the target
// has taken what came before it. So a publication that is lost is made good by
// the next run, and each change is published at least once; two runs at once
// publish the same twice.
//
// The push runs on a schedule of its own, and not in the worker: after a batch it
// would cost a third round trip and a call, and fail with the target. Who cannot
// wait for the schedule reads back_office.changes_after, which is one look-up in
// an index.
package feedpush

import (
	"context"
	"fmt"
	"time"

	"walletsync/internal/deadline"
	"walletsync/internal/telemetry"
	"walletsync/internal/wallet"
)

// Change is what is published of a change. Its JSON is the message, and a promise:
// members may be added.
type Change struct {
	Version          int                       `json:"version"` // 1
	Account          wallet.AccountID          `json:"account"`
	ChargePermission wallet.ChargePermissionID `json:"chargePermissionId"`
	Facet            wallet.Facet              `json:"facet"`
	Position         int64                     `json:"position"`
}

// Store is what the package needs of the database.
type Store interface {
	// Unpushed returns the next changes in their order, at most so many. The
	// first call ever finds none: the push begins with what is stored after it.
	Unpushed(ctx context.Context, most int) ([]Change, error)
	// Pushed moves the cursor to a position; never back.
	Pushed(ctx context.Context, position int64) error
}

// Target is a topic or a bus.
type Target interface {
	// Publish publishes changes in their order. Taken are the first so many;
	// with fewer than all comes an error, and later ones may have been taken, too.
	Publish(ctx context.Context, changes []Change) (taken int, err error)
}

// Pusher moves the feed to the target.
type Pusher struct {
	Store   Store
	Target  Target
	Metrics *telemetry.Metrics
}

// page is how many changes are read at once.
const page = 100

const (
	// spare is the time that a run leaves unused before its context ends: what is
	// left then is for the next one.
	spare = 10 * time.Second
	// cursorTime is what a publication leaves of the run's time, so that what the
	// target has taken is not published again.
	cursorTime = 3 * time.Second
)

// Run publishes all that has not been published.
func (p *Pusher) Run(ctx context.Context) error {
	more, end := deadline.Within(ctx, 0, spare)
	defer end()
	for more.Err() == nil {
		changes, err := p.Store.Unpushed(ctx, page)
		if err != nil {
			return fmt.Errorf("read the feed: %w", err)
		}
		if len(changes) == 0 {
			return nil
		}
		publishing, cancel := deadline.Within(ctx, 0, cursorTime)
		taken, failed := p.Target.Publish(publishing, changes)
		cancel()
		if taken > 0 {
			if err := p.Store.Pushed(ctx, changes[taken-1].Position); err != nil {
				return fmt.Errorf("move the push's cursor; what was published is published again: %w", err)
			}
			p.Metrics.Count(telemetry.Pushed, taken, telemetry.Labels{})
		}
		if failed != nil {
			return fmt.Errorf("publish the changes after position %d; the next run tries again: %w", changes[taken].Position-1, failed)
		}
		if len(changes) < page {
			return nil
		}
	}
	return nil
}
