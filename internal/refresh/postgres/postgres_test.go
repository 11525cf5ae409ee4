package postgres_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"walletsync/internal/pg"
	"walletsync/internal/pg/pgtest"
	"walletsync/internal/refresh/storetest"
	"walletsync/internal/update/session"
	"walletsync/internal/wallet"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func TestPostgresDecidesAsTheModelDoes(t *testing.T) {
	t.Parallel() // with a database of its own
	url := pgtest.Database(t)
	storetest.Run(t, subjects(t, url, url))
}

func TestScenarios(t *testing.T) {
	t.Parallel() // with a database of its own
	for _, way := range pgtest.Ways {
		t.Run(way.Name, func(t *testing.T) {
			url := pgtest.Database(t)
			storetest.Scenarios(t, "../storetest/testdata", subjects(t, url, way.To(t, url)))
		})
	}
}

// subjects returns what empties the database at url for each subject, whose
// store goes there by way of another URL.
func subjects(t testing.TB, url, way string) func(testing.TB, *storetest.Clock) storetest.Subject {
	db := pgtest.Connect(t, url)
	var store *pgtest.Stores
	var updates uint32
	return func(_ testing.TB, clock *storetest.Clock) storetest.Subject {
		if store != nil {
			store.DB.Close()
		}
		store = pgtest.Open(t, way, pg.Options{Now: clock.Now})
		if err := empty(t.Context(), db, clock.Now()); err != nil {
			t.Fatal(err)
		}
		return storetest.Subject{
			Store:    store,
			Snapshot: func(ctx context.Context) (storetest.State, error) { return snapshot(ctx, db) },
			Follow: func(ctx context.Context, a wallet.AccountID, f wallet.Followed) error {
				_, err := db.Exec(ctx, `update walletsync.accounts set follow_types = $2, follow_known_only = $3 where id = $1`, a, f.Types, f.KnownOnly)
				return err
			},
			Completed: func(ctx context.Context, a wallet.AccountID, id wallet.ChargePermissionID, at time.Time) error {
				updates++
				var of [16]byte
				binary.BigEndian.PutUint32(of[:], updates)
				return store.CompleteUpdate(ctx, a, id, fmt.Sprintf("checkout-%d", updates), session.ID(of), at)
			},
		}
	}
}

// empty brings the database back to where the migrator left it.
func empty(ctx context.Context, db *pgxpool.Pool, now time.Time) error {
	quota := storetest.Accounts()[0].Quota
	_, err := db.Exec(ctx, `
		truncate walletsync.charge_permission_changes, walletsync.charge_permissions, walletsync.refreshes, walletsync.notifications,
		    walletsync.update_attempts, walletsync.update_sessions;
		update walletsync.feed set n = 0`)
	if err != nil {
		return err
	}
	_, err = db.Exec(ctx, `
		update walletsync.api_quota set burst = $1, per_second = $2, tokens = $1, refilled_at = $3, granted = 0,
		    closed_until = '-infinity', closed_for = 0, refused_ids = '{}', wake_at = '-infinity'`, quota.Burst, quota.PerSecond, now)
	return err
}

// snapshot reads all that the suite compares.
func snapshot(ctx context.Context, db *pgxpool.Pool) (storetest.State, error) {
	s := storetest.State{Notifications: map[string]string{}, Buckets: map[wallet.AccountID]storetest.Bucket{}}
	var err error
	read := func(sql string, scan func(pgx.CollectableRow) error) {
		if err != nil {
			return
		}
		var rows pgx.Rows
		if rows, err = db.Query(ctx, sql); err != nil {
			return
		}
		_, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (struct{}, error) { return struct{}{}, scan(r) })
	}
	read(`select account, id, wanted, done, claimed, since, priority, not_before, coalesce(lease, '00000000-0000-0000-0000-000000000000'),
	             lease_until, coalesce(notified_at, '-infinity'), coalesce(notified_by, ''), coalesce(read_at, '-infinity'),
	             attempts, confirms, gone_at is not null, coalesce(last_error, ''), coalesce(erased_at, '-infinity')
	      from walletsync.refreshes order by account, id`, func(r pgx.CollectableRow) error {
		var row storetest.Row
		var lease pgtype.UUID
		err := r.Scan(&row.Account, &row.ID, &row.Wanted, &row.Done, &row.Claimed, moment{&row.Since}, &row.Priority, moment{&row.NotBefore}, &lease,
			moment{&row.LeaseUntil}, moment{&row.NotifiedAt}, &row.NotifiedBy, moment{&row.ReadAt},
			&row.Attempts, &row.Confirms, &row.Gone, &row.LastError, moment{&row.ErasedAt})
		row.Lease = lease.Bytes
		s.Rows = append(s.Rows, row)
		return err
	})
	read(`select account, id, type, followed, coalesce(read_at, '-infinity'), stored_at, coalesce(shipping_city, ''), payment_descriptors,
	             coalesce(state, ''), state_updated_at, coalesce(limit_amount::text, ''), coalesce(balance_amount::text, ''), coalesce(limit_currency, '')
	      from walletsync.charge_permissions order by account, id`, func(r pgx.CollectableRow) error {
		var p storetest.Permission
		var state wallet.ChargePermission
		err := r.Scan(&p.Account, &p.ID, &p.Type, &p.Followed, moment{&p.ReadAt}, &p.StoredAt, &state.Shipping.City, &state.PaymentDescriptors,
			&state.State.State, moment{&state.StateUpdatedAt}, &state.LimitAmount, &state.BalanceAmount, &state.LimitCurrency)
		if p.Followed {
			state.ID, state.Type = p.ID, p.Type
			p.State = &state
		}
		s.Permissions = append(s.Permissions, p)
		return err
	})
	read(`select position, account, charge_permission, facet, before, after, cause, coalesce(message_id, ''), coalesce(read_at, '-infinity'), stored_at
	      from walletsync.charge_permission_changes order by position`, func(r pgx.CollectableRow) error {
		var c storetest.Change
		var before, after *any
		err := r.Scan(&c.Position, &c.Account, &c.ID, &c.Facet, &before, &after, &c.Cause, &c.MessageID, moment{&c.ReadAt}, moment{&c.StoredAt})
		c.Before, c.After = text(before), text(after)
		s.Changes = append(s.Changes, c)
		return err
	})
	read(`select message_id, outcome from walletsync.notifications`, func(r pgx.CollectableRow) error {
		var id, outcome string
		err := r.Scan(&id, &outcome)
		s.Notifications[id] = outcome
		return err
	})
	read(`select account, burst, per_second, tokens, refilled_at, granted, closed_until, closed_for, wake_at, refused_ids
	      from walletsync.api_quota where call = 'get_charge_permission'`, func(r pgx.CollectableRow) error {
		var a wallet.AccountID
		var b storetest.Bucket
		err := r.Scan(&a, &b.Burst, &b.PerSecond, &b.Tokens, moment{&b.RefilledAt}, &b.Granted, moment{&b.ClosedUntil}, &b.ClosedFor, moment{&b.WakeAt}, &b.Refused)
		s.Buckets[a] = b
		return err
	})
	return s, err
}

// moment scans a time; minus infinity and null are the zero time.
type moment struct{ t *time.Time }

func (m moment) ScanTimestamptz(v pgtype.Timestamptz) error {
	*m.t = time.Time{}
	if v.Valid && v.InfinityModifier == pgtype.Finite {
		*m.t = v.Time
	}
	return nil
}

func text(v *any) string {
	if v == nil {
		return ""
	}
	b, _ := json.Marshal(*v)
	return string(b)
}

func TestThisCodeRunsOnTheLastReleasedSchema(t *testing.T) {
	pgtest.RunOnTheLastReleasedSchema(t, "^(TestScenarios|TestPostgresDecidesAsTheModelDoes|TestAnAnswerLost.*)$", "^TestScenarios$/^direct$", "TestScenarios/direct")
}
