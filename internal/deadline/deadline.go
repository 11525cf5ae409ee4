// Package deadline divides the time that a context leaves: a step that may meet a
// silent dependency ends early enough for what has to follow it, such as storing
// what was learnt, and an answer to the caller.
package deadline

import (
	"context"
	"time"
)

// Within returns a context that ends after most (0: no such bound), and by keep
// earlier than ctx: that time is for what follows. Where ctx leaves less than
// twice keep, half of what it leaves is kept. Without a deadline of ctx there is
// nothing to keep.
func Within(ctx context.Context, most, keep time.Duration) (context.Context, context.CancelFunc) {
	end, bounded := ctx.Deadline()
	if bounded {
		end = end.Add(-min(keep, max(0, time.Until(end)/2)))
	}
	if most > 0 && (!bounded || time.Until(end) > most) {
		return context.WithTimeout(ctx, most)
	}
	if !bounded {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, end)
}

// Grace returns a context for a step that must be tried even if ctx has ended,
// such as giving back a lease. It ends with ctx, and after most (0: no such
// bound); where ctx has ended already, it lives for as long as late says.
func Grace(ctx context.Context, most, late time.Duration) (context.Context, context.CancelFunc) {
	if ctx.Err() == nil {
		return Within(ctx, most, 0)
	}
	return context.WithTimeout(context.WithoutCancel(ctx), late)
}
