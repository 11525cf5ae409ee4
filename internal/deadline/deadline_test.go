package deadline

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestWithinKeepsTimeForWhatFollows(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		left, most, keep, want time.Duration // 0 left: ctx has no deadline; 0 want: neither has the new one
	}{
		{28 * s, 0, 2 * s, 26 * s},
		{28 * s, 10 * s, 2 * s, 10 * s},
		{9 * s, 10 * s, 2 * s, 7 * s},
		{4 * s, 0, 2 * s, 2 * s},
		{3 * s, 0, 2 * s, 1500 * time.Millisecond}, // a short function
		{1 * s, 10 * s, 2 * s, 500 * time.Millisecond},
		{0, 10 * s, 2 * s, 10 * s},
		{0, 0, 2 * s, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx := t.Context()
			if c.left > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, c.left)
				defer cancel()
			}
			got, cancel := Within(ctx, c.most, c.keep)
			defer cancel()
			end, bounded := got.Deadline()
			if bounded != (c.want > 0) || bounded && time.Until(end) != c.want {
				t.Errorf("%+v: it ends in %v", c, time.Until(end))
			}
		})
	}
}

func TestWithinAnEndedContextHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		time.Sleep(2 * time.Second)
		got, stop := Within(ctx, 10*time.Second, time.Second)
		defer stop()
		if got.Err() == nil {
			t.Error("it has not ended")
		}
	})
}

func TestGraceOutlivesAnEndedContext(t *testing.T) {
	type key struct{}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "kept"))
		live, stop := Grace(ctx, 5*time.Second, time.Second)
		defer stop()
		if end, _ := live.Deadline(); live.Err() != nil || time.Until(end) != 5*time.Second {
			t.Errorf("before the end: %v, %v left", live.Err(), time.Until(end))
		}
		cancel()
		if live.Err() == nil {
			t.Error("it does not end with the context")
		}
		after, stop := Grace(ctx, 5*time.Second, time.Second)
		defer stop()
		if end, _ := after.Deadline(); after.Err() != nil || time.Until(end) != time.Second || after.Value(key{}) != "kept" {
			t.Errorf("after the end: %v, %v left", after.Err(), time.Until(end))
		}
	})
}
