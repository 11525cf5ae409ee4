package lambda

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"
)

// Schedule invokes a function every so often, as a rule of EventBridge does.
// Lambda tries a failed invocation of that kind twice more, after one minute and
// two; here the next one comes sooner than that.
type Schedule struct {
	Function *Function
	Every    time.Duration
}

// Run invokes until ctx ends, the first time after Every, and returns when the
// last invocation has.
func (s Schedule) Run(ctx context.Context) {
	tick := time.NewTicker(s.Every)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			// What failed has been logged by the function. One that has begun is
			// finished: stopping is the function's own end.
			_, _ = s.Function.Invoke(context.WithoutCancel(ctx), s.event(now))
		case <-ctx.Done():
			return
		}
	}
}

// event is what a rule with a schedule sends ("Amazon EventBridge User Guide":
// scheduled events).
func (s Schedule) event(now time.Time) []byte {
	b, _ := json.Marshal(map[string]any{ // strings marshal
		"version": "0", "id": uuid.NewString(), "detail-type": "Scheduled Event", "source": "aws.events",
		"account": account, "time": now.UTC().Format(time.RFC3339), "region": region,
		"resources": []string{"arn:aws:events:" + region + ":" + account + ":rule/walletsync"},
		"detail":    map[string]any{},
	})
	return b
}
