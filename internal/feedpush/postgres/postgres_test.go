package postgres_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"walletsync/internal/feedpush"
	"walletsync/internal/feedpush/postgres"
	"walletsync/internal/pg/pgtest"
	"walletsync/internal/wallet"
)

var _ feedpush.Store = (*postgres.Store)(nil)

func TestMain(m *testing.M) { pgtest.Main(m) }

func TestThisCodeRunsOnTheLastReleasedSchema(t *testing.T) {
	pgtest.RunOnTheLastReleasedSchema(t, "^TestThePushPublishes", "", "TestThePushPublishesChangesStoredAfterItsFirstRun")
}

// recorder is a target that accepts everything.
type recorder struct{ published []feedpush.Change }

func (r *recorder) Publish(_ context.Context, changes []feedpush.Change) (int, error) {
	r.published = append(r.published, changes...)
	return len(changes), nil
}

// TestThePushPublishesChangesStoredAfterItsFirstRun: it does not publish the
// history, nor anything twice, nor personal data, for which the message has no
// member.
func TestThePushPublishesChangesStoredAfterItsFirstRun(t *testing.T) {
	u := pgtest.New(t)
	refreshed := func(first, n int) {
		for i := range n {
			id := wallet.ChargePermissionID(fmt.Sprintf("S01-0000000-%07d", first+i))
			u.Read(id, wallet.ChargePermission{ID: id, Type: "PaymentMethodOnFile"}, `{}`)
		}
	}
	target := &recorder{}
	p := &feedpush.Pusher{Store: u, Target: target}
	run := func(want ...int64) {
		t.Helper()
		target.published = nil
		if err := p.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		var got []int64
		for _, c := range target.published {
			got = append(got, c.Position)
		}
		if !slices.Equal(got, want) {
			t.Errorf("published %v, want %v", got, want)
		}
	}
	refreshed(1, 3)
	run()
	refreshed(10, 2)
	run(4, 5)
	if want := (feedpush.Change{Version: 1, Account: "main", ChargePermission: "S01-0000000-0000010", Facet: "first_read", Position: 4}); target.published[0] != want {
		t.Errorf("published %+v", target.published[0])
	}
	run()
	if err := u.Pushed(t.Context(), 2); err != nil { // a run that was overtaken
		t.Fatal(err)
	}
	run()
}
