package postgres_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"walletsync/internal/pg"
	"walletsync/internal/pg/pgtest"
	"walletsync/internal/reconcile"
	"walletsync/internal/reconcile/postgres"
	"walletsync/internal/refresh"
	"walletsync/internal/wallet"
)

var (
	_ reconcile.SweepStore   = (*postgres.Store)(nil)
	_ reconcile.ChannelStore = (*postgres.Store)(nil)
	_ reconcile.InboxStore   = (*postgres.Store)(nil)
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func TestAMissingAccountIsNamedInTheError(t *testing.T) {
	store := pgtest.Open(t, pgtest.Database(t), pg.Options{})
	_, err := store.Sweepable(t.Context(), "other")
	_, _, err2 := store.Backlog(t.Context(), "other")
	for _, err := range []error{err, err2} {
		if err == nil || !strings.Contains(err.Error(), "account other is not in the database") {
			t.Error(err)
		}
	}
}

// TestADeletedNotificationRequestsNothing: old notifications are deleted from the
// inbox, and one is delivered once more.
func TestADeletedNotificationRequestsNothing(t *testing.T) {
	u := pgtest.New(t)
	const day = 24 * time.Hour
	ask := func(message string, published time.Time) map[string]int {
		t.Helper()
		got, err := u.Claim(t.Context(), refresh.ClaimRequest{Lease: refresh.Lease{1}, Settings: refresh.Defaults(), Accounts: []wallet.AccountID{"main"},
			Asks: []refresh.Ask{{Priority: wallet.PriorityNotification, Notification: wallet.Notification{Account: "main", MessageID: message, NotificationID: "n",
				ObjectType: wallet.ObjectChargePermission, ObjectID: string(pgtest.PermissionOne), ChargePermission: pgtest.PermissionOne, Type: "STATE_CHANGE", Published: published, Arrived: u.Now}}}})
		if err != nil {
			t.Fatal(err)
		}
		return got.Outcomes
	}
	published := u.Now
	if got := ask("m1", published); got["wanted"] != 1 {
		t.Fatal(got)
	}
	u.Now = u.Now.Add(time.Minute)
	u.Read(pgtest.PermissionOne, pgtest.Person(pgtest.PermissionOne, "Ada"), `{}`)
	u.Now = u.Now.Add(90 * day)
	ask("m2", u.Now)
	u.Now = u.Now.Add(time.Second)
	forget := func(limit int) int {
		t.Helper()
		n, err := u.Forget(t.Context(), "main", 90*day, limit)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := forget(10); n != 1 || u.Text(`select string_agg(message_id, ' ') from walletsync.notifications`) != "m2" {
		t.Errorf("%d deleted", n)
	}
	u.Read(pgtest.PermissionOne, pgtest.Person(pgtest.PermissionOne, "Ada"), `{}`)
	wanted := u.Text(`select wanted from walletsync.refreshes`)
	if got := ask("m1", published); got["covered"] != 1 || u.Text(`select wanted from walletsync.refreshes`) != wanted {
		t.Errorf("a deleted notification: %v", got)
	}
	for range 3 {
		ask(fmt.Sprint("n", u.Now.Unix()), u.Now)
		u.Now = u.Now.Add(time.Second)
	}
	u.Now = u.Now.Add(91 * day)
	if n := forget(2); n != 2 {
		t.Errorf("deleted %d, limit 2", n)
	}
}
