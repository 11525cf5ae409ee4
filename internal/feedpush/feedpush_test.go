package feedpush

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// feed is a store whose changes are numbers from 1.
type feed struct {
	last, cursor int64
	fail         func(call string) error
}

func (f *feed) Unpushed(_ context.Context, limit int) (out []Change, err error) {
	if err := f.fail("read"); err != nil {
		return nil, err
	}
	for p := f.cursor + 1; p <= f.last && len(out) < limit; p++ {
		out = append(out, Change{Version: 1, Position: p})
	}
	return out, nil
}

func (f *feed) Pushed(_ context.Context, position int64) error {
	if err := f.fail("move"); err != nil {
		return err
	}
	f.cursor = max(f.cursor, position)
	return nil
}

// fakeTopic accepts the changes that fail lets through.
type fakeTopic struct {
	published []int64
	fail      func(n int) (taken, more int, err error)
}

func (t *fakeTopic) Publish(_ context.Context, changes []Change) (int, error) {
	taken, more, err := t.fail(len(changes))
	for i, c := range changes {
		if i < taken || i >= len(changes)-more {
			t.published = append(t.published, c.Position)
		}
	}
	return taken, err
}

var errTrouble = errors.New("trouble")

// TestEveryChangeIsPublishedDespiteFailures: reads, publications and moves of the
// cursor fail at random, before or after they took effect. Every change is
// published nevertheless.
func TestEveryChangeIsPublishedDespiteFailures(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		trouble := true
		strikes := func(what string) bool { return trouble && rapid.IntRange(0, 3).Draw(t, what) == 0 }
		f := &feed{fail: func(call string) error {
			if strikes(call) {
				return errTrouble
			}
			return nil
		}}
		to := &fakeTopic{fail: func(n int) (int, int, error) {
			if !strikes("publish") {
				return n, 0, nil
			}
			// Some of the rest was accepted, too, but its answer lost.
			taken := rapid.IntRange(0, n-1).Draw(t, "taken")
			return taken, rapid.IntRange(0, n-taken-1).Draw(t, "more"), errTrouble
		}}
		p := &Pusher{Store: f, Target: to}
		for range rapid.IntRange(1, 6).Draw(t, "runs") {
			f.last += int64(rapid.IntRange(0, 250).Draw(t, "changes"))
			if err := p.Run(context.Background()); err != nil && !errors.Is(err, errTrouble) {
				t.Fatal(err)
			}
		}
		trouble = false
		if err := p.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		published := make(map[int64]bool, len(to.published))
		for _, position := range to.published {
			published[position] = true
		}
		for position := int64(1); position <= f.last; position++ {
			if !published[position] {
				t.Fatalf("position %d of %d was never published", position, f.last)
			}
		}
		if f.cursor != f.last {
			t.Fatalf("the cursor is at %d of %d", f.cursor, f.last)
		}
	})
}

func TestWithoutFailuresEachChangeIsPublishedOnceAndInOrder(t *testing.T) {
	f := &feed{last: 1234, fail: func(string) error { return nil }}
	to := &fakeTopic{fail: func(n int) (int, int, error) { return n, 0, nil }}
	p := &Pusher{Store: f, Target: to}
	for range 2 {
		if err := p.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(to.published) != 1234 || !slices.IsSorted(to.published) {
		t.Errorf("%d published, in order: %v", len(to.published), slices.IsSorted(to.published))
	}
}

// TestARunEndsBeforeItsDeadline: the next run continues a long backlog, and the
// run returns no error.
func TestARunEndsBeforeItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &feed{last: 1 << 40, fail: func(string) error { return nil }}
		to := &fakeTopic{fail: func(n int) (int, int, error) {
			time.Sleep(time.Second)
			return n, 0, nil
		}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute+500*time.Millisecond)
		defer cancel()
		if err := (&Pusher{Store: f, Target: to}).Run(ctx); err != nil {
			t.Fatal(err)
		}
		if want := int64(51 * page); f.cursor != want {
			t.Errorf("the cursor is at %d, not %d", f.cursor, want)
		}
	})
}

// quiet is a target that accepts some changes and then does not answer.
type quiet struct{ takes int }

func (q quiet) Publish(ctx context.Context, _ []Change) (int, error) {
	<-ctx.Done()
	return q.takes, ctx.Err()
}

// timedFeed is a feed that refuses a context that has ended, as Postgres does.
type timedFeed struct{ *feed }

func (f timedFeed) Pushed(ctx context.Context, position int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return f.feed.Pushed(ctx, position)
}

// TestASilentTargetLeavesTimeToMoveTheCursor: accepted changes are not published
// again, however short the run's time is.
func TestASilentTargetLeavesTimeToMoveTheCursor(t *testing.T) {
	for _, budget := range []time.Duration{58 * time.Second, 3 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			f := &feed{last: 20, fail: func(string) error { return nil }}
			ctx, cancel := context.WithTimeout(t.Context(), budget)
			defer cancel()
			err := (&Pusher{Store: timedFeed{f}, Target: quiet{takes: 10}}).Run(ctx)
			if !errors.Is(err, context.DeadlineExceeded) || f.cursor != 10 || ctx.Err() != nil {
				t.Errorf("in %v: the cursor is at %d, %v", budget, f.cursor, err)
			}
		})
	}
}

func TestErrorsNameThePositionOfThePush(t *testing.T) {
	f := &feed{last: 20, fail: func(string) error { return nil }}
	to := &fakeTopic{fail: func(int) (int, int, error) { return 7, 0, errTrouble }}
	err := (&Pusher{Store: f, Target: to}).Run(t.Context())
	if want := fmt.Sprintf("publish the changes after position 7; the next run tries again: %v", errTrouble); err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
	if f.cursor != 7 {
		t.Errorf("the cursor is at %d", f.cursor)
	}
}
