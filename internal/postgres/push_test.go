package postgres_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"walletsync/internal/pg"
	"walletsync/internal/pg/pgtest"
	"walletsync/internal/postgres"
	"walletsync/internal/push"
)

var _ push.Store = (*postgres.Store)(nil)

// recorder is a target that takes all.
type recorder struct{ told []push.Change }

func (r *recorder) Publish(_ context.Context, changes []push.Change) (int, error) {
	r.told = append(r.told, changes...)
	return len(changes), nil
}

// TestThePushTellsWhatIsStoredAfterItsFirstRun: not the whole history, nothing
// twice, and no personal data, for there is no place for it.
func TestThePushTellsWhatIsStoredAfterItsFirstRun(t *testing.T) {
	store := pgtest.Open(t, pgtest.Database(t), pg.Options{})
	r := runner(store, amazon{make(chan string, 1000)})
	refreshed := func(first, n int) {
		if again, err := r.Refresh(t.Context(), batch(first, n, time.Minute, false)); again || err != nil {
			t.Fatal(again, err)
		}
	}
	told := &recorder{}
	p := &push.Pusher{Store: store, Target: told}
	run := func(want ...int64) {
		t.Helper()
		told.told = nil
		if err := p.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		var got []int64
		for _, c := range told.told {
			got = append(got, c.Position)
		}
		if !slices.Equal(got, want) {
			t.Errorf("told of %v, not %v", got, want)
		}
	}
	refreshed(1, 3)
	run()
	refreshed(10, 2)
	run(4, 5)
	if want := (push.Change{Version: 1, Account: "main", ChargePermission: "S01-0000000-0000010", Facet: "first_read", Position: 4}); told.told[0] != want {
		t.Errorf("told %+v", told.told[0])
	}
	run()
	if err := store.Pushed(t.Context(), 2); err != nil { // a run that was overtaken
		t.Fatal(err)
	}
	run()
}
