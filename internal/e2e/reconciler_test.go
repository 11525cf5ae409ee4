package e2e

import (
	"testing"

	"walletsync/internal/local/stack"
	"walletsync/internal/local/twin"
)

func reconcile(t *testing.T, s *stack.Stack) {
	t.Helper()
	if _, err := s.Reconciler.Invoke(t.Context(), []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
}

// settled waits until a charge permission has no open refresh request and its last
// change is old enough for the next one to be stored at once.
func settled(t *testing.T, s *stack.Stack, id string) {
	t.Helper()
	until(t, "no open refresh request for "+id, func() (bool, error) {
		var done bool
		err := s.DB.QueryRow(t.Context(), `select wanted = done and not exists (
			select from walletsync.charge_permission_changes where charge_permission = r.id and stored_at > clock_timestamp() - $2::interval)
			from walletsync.refreshes r where id = $1`, id, marginOfShared).Scan(&done)
		return done, err
	})
}

func TestALostWakeUpIsSentAgain(t *testing.T) {
	s := running(t)
	const id = "S01-1000001-1000001"
	// An open request, as a worker leaves it that dies before it sends the wake-up.
	if _, err := s.DB.Exec(t.Context(), `update walletsync.refreshes
		set wanted = wanted + 1, since = now(), priority = 20, not_before = now() where id = $1`, id); err != nil {
		t.Fatal(err)
	}
	reconcile(t, s)
	settled(t, s, id)
}

func TestTheSweepFindsChangesWithoutNotifications(t *testing.T) {
	s := running(t)
	const id = "S01-1000003-1000003"
	settled(t, s, id)
	if _, err := s.Twin.Change(id, []byte(`{"shippingAddress":{"city":"Lostville"}}`), twin.Notify{Silent: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.DB.Exec(t.Context(), `update walletsync.charge_permissions
		set stored_at = stored_at - interval '8 days' where id = $1`, id); err != nil {
		t.Fatal(err)
	}
	reconcile(t, s)
	until(t, "the row to change", func() (bool, error) {
		c, err := city(t, s, id)()
		return c == "Lostville", err
	})
	var cause string
	if err := s.DB.QueryRow(t.Context(), `select cause from walletsync.charge_permission_changes
		where charge_permission = $1 and after ->> 'city' = 'Lostville'`, id).Scan(&cause); err != nil || cause != "reconcile" {
		t.Errorf("cause %q, %v", cause, err)
	}
}

func TestTheReconcilerRunsOnSchedule(t *testing.T) {
	s := running(t)
	before := s.Reconciler.Stats().Invocations
	until(t, "its next run", func() (bool, error) { return s.Reconciler.Stats().Invocations > before, nil })
}
