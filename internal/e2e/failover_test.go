package e2e

import (
	"context"
	"testing"
	"time"

	"walletsync/internal/local/fault/wire"
	"walletsync/internal/local/stack"
	"walletsync/internal/local/twin"
)

// TestFunctionsReconnectWhenTheServerIsReadOnly opens all connections while the
// server refuses writes, as after a failover. Later the server accepts writes in new
// sessions, but the old connections stay open and read-only.
func TestFunctionsReconnectWhenTheServerIsReadOnly(t *testing.T) {
	t.Parallel()
	w := try(t, stack.Options{})
	ids := w.known(3)
	refused := make(chan struct{}, 1000)
	w.wire.On(wire.Answered, nil, func(_ context.Context, trip wire.Trip) wire.Action {
		if trip.SQLState == "25006" { // read_only_sql_transaction
			refused <- struct{}{}
		}
		return wire.Pass
	})
	w.readOnly("on")
	if err := w.Postgres.Exec(t.Context(), `set log_min_messages = error`, `select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = 'walletsync'`); err != nil {
		t.Fatal(err)
	}
	w.move(ids, twin.Notify{})
	for range 4 { // a batch is retried and redelivered
		select {
		case <-refused:
		case <-time.After(trialTimeout):
			t.Fatal("no function reached the read-only server")
		}
	}
	if _, err := w.Reconciler.Invoke(t.Context(), []byte(`{}`)); err == nil {
		t.Error("the reconciler succeeded on a read-only server")
	}
	w.readOnly("off")
	began := time.Now()
	if _, err := w.Reconciler.Invoke(t.Context(), []byte(`{}`)); err != nil {
		t.Errorf("the reconciler's next invocation: %v", err)
	}
	w.move(ids[:1], twin.Notify{})
	w.until("the first change to be stored", func() (bool, error) {
		var stored int
		err := w.DB.QueryRow(t.Context(), `select count(*) from walletsync.charge_permissions where shipping_city = 'Newtown-2-0'`).Scan(&stored)
		return stored == 1, err
	})
	t.Logf("the first change was stored after %v", time.Since(began).Round(time.Millisecond))
	w.settle()
	w.check()
}

// readOnly sets whether new sessions are read-only.
func (w *trial) readOnly(onOff string) {
	w.tb.Helper()
	if err := w.Postgres.Exec(w.ctx(), `alter database walletsync set default_transaction_read_only = `+onOff); err != nil {
		w.tb.Fatal(err)
	}
	w.DB.Reset() // reconnect the test's own pool
}
