// Package feedpush publishes new changes in the feed to an SNS topic or an
// EventBridge bus: the charge permission, the facet and the position in the feed.
// It publishes no personal data; subscribers read the change itself.
//
// A cursor in the database follows the feed and moves after the target has
// accepted the changes before it. So the next run repeats a lost publication, and
// each change is published at least once. Two concurrent runs publish the same
// changes twice.
//
// The push runs on its own schedule, and not in the worker: after a batch it
// would cost a third round trip and a call, and fail with the target. A consumer
// that cannot wait for the schedule reads back_office.changes_after, which is one
// look-up in an index.
package feedpush

import (
	"context"
	"fmt"
	"time"

	"walletsync/internal/deadline"
	"walletsync/internal/telemetry"
	"walletsync/internal/wallet"
)

// Change is the published message of a change. Its JSON is stable: members may be
// added, and none is removed.
type Change struct {
	Version          int                       `json:"version"` // 1
	Account          wallet.AccountID          `json:"account"`
	ChargePermission wallet.ChargePermissionID `json:"chargePermissionId"`
	Facet            wallet.Facet              `json:"facet"`
	Position         int64                     `json:"position"`
}

// Store is what the package needs of the database.
type Store interface {
	// Unpushed returns the next changes in their order, at most limit. The first
	// call ever returns none: the push begins with changes stored after it.
	Unpushed(ctx context.Context, limit int) ([]Change, error)
	// Pushed moves the cursor forward to a position; it never moves it back.
	Pushed(ctx context.Context, position int64) error
}

// Target is a topic or a bus.
type Target interface {
	// Publish publishes changes in their order and returns how many of the first
	// ones the target accepted. It returns an error if that is not all of them;
	// the target may have accepted later ones, too.
	Publish(ctx context.Context, changes []Change) (taken int, err error)
}

// Pusher moves the feed to the target.
type Pusher struct {
	Store   Store
	Target  Target
	Metrics *telemetry.Metrics
}

// page is the number of changes that are read at once.
const page = 100

const (
	// spare is the time that a run leaves unused before its context ends. The next
	// run publishes the rest.
	spare = 10 * time.Second
	// cursorTime is kept of the run's time to move the cursor after a publication,
	// so that accepted changes are not published again.
	cursorTime = 3 * time.Second
)

// Run publishes every change after the cursor.
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
				return fmt.Errorf("move the push's cursor; the next run publishes the same changes again: %w", err)
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
