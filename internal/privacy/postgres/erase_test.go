package postgres_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"walletsync/internal/cli"
	"walletsync/internal/pg"
	"walletsync/internal/pg/pgtest"
	"walletsync/internal/privacy"
	"walletsync/internal/privacy/postgres"
	"walletsync/internal/refresh"
	"walletsync/internal/update/session"
	"walletsync/internal/wallet"
)

var (
	_ privacy.Store          = (*postgres.Store)(nil)
	_ privacy.Exporter       = (*postgres.Store)(nil)
	_ privacy.Buyers         = (*postgres.Store)(nil)
	_ privacy.RetentionStore = (*postgres.Store)(nil)
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// impersonal are the columns of charge_permissions that an erasure leaves. All
// others are personal data, new columns included.
var impersonal = []string{"account", "id", "type", "followed", "release_environment", "state", "reasons", "state_updated_at",
	"limit_amount", "balance_amount", "limit_currency", "created_at", "expires_at", "read_at", "request_id", "cause", "stored_at", "changed_at"}

func TestAnErasureLeavesNoPersonalData(t *testing.T) {
	u := pgtest.New(t)
	u.Read(pgtest.PermissionOne, pgtest.Person(pgtest.PermissionOne, "Ada"), `{"not documented": "Ada"}`)
	moved := pgtest.Person(pgtest.PermissionOne, "Ada2")
	moved.State.State, moved.LimitAmount = wallet.NonChargeable, "300.00"
	u.Read(pgtest.PermissionOne, moved, `{"not documented": "Ada2"}`)
	u.Read(pgtest.PermissionTwo, pgtest.Person(pgtest.PermissionTwo, "Bert"), `{}`)
	for n, state := range []string{"started", "returned", "completed", "failed", "expired"} {
		u.StartSession(byte(n + 1))
		u.Exec(`update walletsync.update_sessions set details = '{"merchantMetadata":{"noteToBuyer":"Ada"}}', start_url = 'https://shop.example/Ada', return_to = 'https://shop.example/Ada',
			state = $2, reason = case when $2 = 'failed' then 'Declined' end, ended_at = case when $2 in ('completed', 'failed', 'expired') then now() end
			where id = $1`, pgtest.SessionID(byte(n+1)).String(), state)
	}
	u.Exec(`update walletsync.refreshes set last_error = 'it quotes Ada' where id = $1`, pgtest.PermissionOne)
	u.Exec(`insert into walletsync.update_attempts (account, checkout_session, update_session, returned_at, last_error)
		values ('main', 'of a failed call', $1, now(), 'it quotes Ada')`, pgtest.SessionID(2).String())
	if n := strings.Count(u.Everything(), "Ada"); n < 100 {
		t.Fatalf("only %d mentions of Ada: this test proves nothing", n)
	}
	other := u.Text(`select json_agg(h order by position) from walletsync.charge_permission_changes h where charge_permission = $1`, pgtest.PermissionTwo)
	positions := u.Text(`select json_agg(position order by position) from walletsync.charge_permission_changes`)

	if err := u.Erase(t.Context(), "main", []wallet.ChargePermissionID{pgtest.PermissionOne}, wallet.CauseErasure); err != nil {
		t.Fatal(err)
	}
	if left := u.Everything(); strings.Contains(left, "Ada") {
		t.Errorf("left:\n%s", left)
	}
	var row map[string]any
	if err := json.Unmarshal([]byte(u.Text(`select to_jsonb(c) from walletsync.charge_permissions c where id = $1`, pgtest.PermissionOne)), &row); err != nil {
		t.Fatal(err)
	}
	for column, value := range row {
		blank := value == nil || cmp.Equal(value, []any{})
		if personal := !slices.Contains(impersonal, column); personal != blank {
			t.Errorf("%s is %v", column, value)
		}
	}
	// Impersonal data stays, at its position, and the erasure is recorded at the end.
	if got := u.Text(`select string_agg(facet || coalesce(' ' || before::text, '') || coalesce(' -> ' || after::text, ''), '; ' order by position)
		from walletsync.charge_permission_changes where charge_permission = $1`, pgtest.PermissionOne); got !=
		`first_read -> {"limit": {"limit_amount": "500.00", "limit_currency": "EUR"}, "state": {"state": "Chargeable", "reason_codes": ["none"]}, "expiry": {"expires_at": "2033-05-18T03:33:20Z"}}; `+
			`shipping_address; payment_method; state {"state": "Chargeable", "reason_codes": ["none"]} -> {"state": "NonChargeable", "reason_codes": ["none"]}; buyer; billing_address; `+
			`limit {"limit_amount": "500.00", "limit_currency": "EUR"} -> {"limit_amount": "300.00", "limit_currency": "EUR"}; erased` {
		t.Errorf("history: %s", got)
	}
	if got := u.Text(`select json_agg(position order by position) from walletsync.charge_permission_changes where facet <> 'erased'`); got != positions {
		t.Errorf("positions %s, were %s", got, positions)
	}
	if got := u.Text(`select position = (select n from walletsync.feed) and cause = 'erasure' from walletsync.charge_permission_changes where facet = 'erased'`); got != "true" {
		t.Errorf("the erasure is not the feed's last change: %s", got)
	}
	// Other people's data stays.
	if got := u.Text(`select json_agg(h order by position) from walletsync.charge_permission_changes h where charge_permission = $1`, pgtest.PermissionTwo); got != other {
		t.Errorf("Bert's history: %s", got)
	}
	// Links have expired; attempts continue, and returns are accepted until the session's end.
	if got := u.Text(`select string_agg(distinct state || ' ' || (erased_at <= $1 and expires_at > $1)::text, ', ') from walletsync.update_sessions`, u.Now); got !=
		"completed true, expired true, failed true, returned true" {
		t.Errorf("sessions: %s", got)
	}
	// A second erasure is not recorded, and erases data stored in between.
	u.StartSession(9)
	if err := u.Erase(t.Context(), "main", []wallet.ChargePermissionID{pgtest.PermissionOne}, wallet.CauseErasure); err != nil {
		t.Fatal(err)
	}
	if got := u.Text(`select count(*) from walletsync.charge_permission_changes where facet = 'erased'`); got != "1" || strings.Contains(u.Everything(), "Grüße") {
		t.Errorf("%s erasures are recorded; %s", got, u.Everything())
	}
}

func TestAReturnBeforeTheErasureDoesNotLiftIt(t *testing.T) {
	u := pgtest.New(t)
	u.StartSession(1)
	before, err := u.Begin(t.Context(), pgtest.SessionID(1), pgtest.CheckoutOne, pgtest.Token(1), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	u.Now = u.Now.Add(time.Second)
	if err := u.Erase(t.Context(), "main", []wallet.ChargePermissionID{pgtest.PermissionOne}, wallet.CauseErasure); err != nil {
		t.Fatal(err)
	}
	u.Now = u.Now.Add(time.Second)
	erased := func() string {
		return u.Text(`select erased_at is not null from walletsync.refreshes where id = $1`, pgtest.PermissionOne)
	}
	before.Attempt.Outcome = session.OutcomeCompleted
	if ours, err := u.Settle(t.Context(), session.Settlement{Attempt: before.Attempt, Lease: pgtest.Token(1)}); !ours || err != nil || erased() != "true" {
		t.Errorf("%v, %v, erased %s", ours, err, erased())
	}
	u.StartSession(2)
	after, err := u.Begin(t.Context(), pgtest.SessionID(2), pgtest.CheckoutTwo, pgtest.Token(2), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	after.Attempt.Outcome = session.OutcomeFailed
	if _, err := u.Settle(t.Context(), session.Settlement{Attempt: after.Attempt, Lease: pgtest.Token(2), Reason: "Declined"}); err != nil || erased() != "true" {
		t.Errorf("a failed one: %v, erased %s", err, erased())
	}
	const checkoutThree = "bd504926-f659-4ad7-a1a9-000000000003"
	if after, err = u.Begin(t.Context(), pgtest.SessionID(2), checkoutThree, pgtest.Token(3), time.Minute); err != nil {
		t.Fatal(err)
	}
	after.Attempt.Outcome = session.OutcomeCompleted
	if _, err := u.Settle(t.Context(), session.Settlement{Attempt: after.Attempt, Lease: pgtest.Token(3)}); err != nil || erased() != "false" {
		t.Errorf("a completed one: %v, erased %s", err, erased())
	}
}

func TestChargePermissionsOfOneBuyerIDAreOnePerson(t *testing.T) {
	u := pgtest.New(t)
	const permissionThree = wallet.ChargePermissionID("S01-0000000-0000003")
	u.Read(pgtest.PermissionTwo, pgtest.Person(pgtest.PermissionTwo, "Ada"), `{}`)
	u.Read(pgtest.PermissionOne, pgtest.Person(pgtest.PermissionOne, "Ada"), `{}`)
	u.Read(permissionThree, pgtest.Person(permissionThree, "Bert"), `{}`)
	u.Exec(`insert into walletsync.refreshes (account, id) values ('known', 'S01-0000000-0000009')`)
	for _, c := range []struct {
		id   wallet.ChargePermissionID
		want string
	}{
		{pgtest.PermissionOne, "[{main S01-0000000-0000001} {main S01-0000000-0000002}]"},
		{permissionThree, "[{main S01-0000000-0000003}]"},
		{"S01-0000000-0000009", "[{known S01-0000000-0000009}]"}, // never read
		{"S01-0000000-0000010", "[]"},
	} {
		all, at, err := u.OfOnePerson(t.Context(), "", c.id)
		if fmt.Sprint(all) != c.want || err != nil || len(all) > 0 && !at.Equal(u.Now) {
			t.Errorf("%s: %v at %v, %v", c.id, all, at, err)
		}
	}
	if all, _, err := u.OfOnePerson(t.Context(), "known", pgtest.PermissionOne); len(all) != 0 || err != nil {
		t.Errorf("in another account: %v, %v", all, err)
	}
}

func TestRetentionFindsWhatHasBeenClosedForLong(t *testing.T) {
	u := pgtest.New(t)
	const day = 24 * time.Hour
	closed := pgtest.Person(pgtest.PermissionOne, "Ada")
	closed.State.State = wallet.Closed
	u.Read(pgtest.PermissionOne, closed, `{}`)
	u.Read(pgtest.PermissionTwo, pgtest.Person(pgtest.PermissionTwo, "Bert"), `{}`)
	u.Now = u.Now.Add(29 * day)
	u.Read(pgtest.PermissionOne, closed, `{}`) // a refund asks: it is read again, and nothing has changed
	wantDue(u, 30*day)
	u.Now = u.Now.Add(day)
	wantDue(u, 30*day, pgtest.PermissionOne)
	if err := u.Erase(t.Context(), "main", []wallet.ChargePermissionID{pgtest.PermissionOne}, wallet.CauseRetention); err != nil {
		t.Fatal(err)
	}
	wantDue(u, 30*day)
}

// wantDue fails unless retention finds exactly these in account main.
func wantDue(u *pgtest.Fixture, kept time.Duration, want ...wallet.ChargePermissionID) {
	u.T.Helper()
	all, at, err := u.ToErase(u.T.Context(), "main", kept, 10)
	if err != nil || len(all) > 0 && !at.Equal(u.Now) {
		u.T.Fatal(at, err)
	}
	var due []wallet.ChargePermissionID
	for _, p := range all {
		if p.Account != "main" {
			u.T.Errorf("%v is due", p)
		}
		due = append(due, p.ID)
	}
	if d := cmp.Diff(want, due); d != "" {
		u.T.Errorf("due (-want +got): %s", d)
	}
}

func TestRetentionFindsWhatAmazonNoLongerKnows(t *testing.T) {
	u := pgtest.New(t)
	const day = 24 * time.Hour
	u.Read(pgtest.PermissionOne, pgtest.Person(pgtest.PermissionOne, "Ada"), `{}`)
	u.Answer(pgtest.PermissionOne, refresh.Gone)
	u.Answer(pgtest.PermissionTwo, refresh.Gone) // never read: there is nothing to erase
	u.Now = u.Now.Add(29 * day)
	wantDue(u, 30*day)
	u.Now = u.Now.Add(day)
	wantDue(u, 30*day, pgtest.PermissionOne)
	if err := u.Erase(t.Context(), "main", []wallet.ChargePermissionID{pgtest.PermissionOne}, wallet.CauseRetention); err != nil {
		t.Fatal(err)
	}
	wantDue(u, 30*day)
	if left := u.Everything(); strings.Contains(left, "Ada") {
		t.Errorf("left:\n%s", left)
	}
}

func TestRetentionFindsWhatAmazonKnowsAgainNoMore(t *testing.T) {
	u := pgtest.New(t)
	u.Read(pgtest.PermissionOne, pgtest.Person(pgtest.PermissionOne, "Ada"), `{}`)
	u.Answer(pgtest.PermissionOne, refresh.Gone)
	u.Now = u.Now.Add(24 * time.Hour)
	u.Read(pgtest.PermissionOne, pgtest.Person(pgtest.PermissionOne, "Ada"), `{}`)
	u.Now = u.Now.Add(30 * 24 * time.Hour)
	wantDue(u, 30*24*time.Hour)
}

func TestRetentionFindsTheHistoryOfWhatIsNoLongerFollowed(t *testing.T) {
	u := pgtest.New(t)
	const day = 24 * time.Hour
	u.Read(pgtest.PermissionOne, pgtest.Person(pgtest.PermissionOne, "Ada"), `{}`)
	u.Read(pgtest.PermissionTwo, pgtest.Person(pgtest.PermissionTwo, "Bert"), `{}`)
	u.Answer(pgtest.PermissionOne, refresh.NotFollowed)
	u.Answer(pgtest.PermissionTwo, refresh.NotFollowed)
	u.Answer("S01-0000000-0000003", refresh.NotFollowed) // never followed: there is nothing to erase
	if !strings.Contains(u.Everything(), "Ada") {
		t.Fatal("nothing is left of Ada: this test shows nothing")
	}
	u.Now = u.Now.Add(29 * day)
	u.Answer(pgtest.PermissionOne, refresh.NotFollowed) // it is asked for once more
	u.Read(pgtest.PermissionTwo, pgtest.Person(pgtest.PermissionTwo, "Bert"), `{}`)
	wantDue(u, 30*day)
	u.Now = u.Now.Add(day)
	wantDue(u, 30*day, pgtest.PermissionOne)
	if err := u.Erase(t.Context(), "main", []wallet.ChargePermissionID{pgtest.PermissionOne}, wallet.CauseRetention); err != nil {
		t.Fatal(err)
	}
	wantDue(u, 30*day)
	if left := u.Everything(); strings.Contains(left, "Ada") {
		t.Errorf("left:\n%s", left)
	}
}

func TestRetentionFindsWhatBelongsToAnAccountThatLeft(t *testing.T) {
	u := pgtest.New(t)
	const day = 24 * time.Hour
	u.Read(pgtest.PermissionOne, pgtest.Person(pgtest.PermissionOne, "Ada"), `{}`)
	u.Read(pgtest.PermissionTwo, pgtest.Person(pgtest.PermissionTwo, "Bert"), `{}`)
	due := func(account wallet.AccountID) string {
		t.Helper()
		all, _, err := u.ToErase(t.Context(), account, 30*day, 10)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(all)
	}
	u.Exec(`update walletsync.accounts set left_at = $1 where id = 'main'`, u.Now)
	u.Now = u.Now.Add(30*day - time.Minute)
	if got := due("known"); got != "[]" {
		t.Errorf("before its time: %s", got)
	}
	// Another deployment may still read it: the same database, with accounts of its own.
	u.Read(pgtest.PermissionTwo, pgtest.Person(pgtest.PermissionTwo, "Bert"), `{}`)
	if got := due("known"); got != "[{main S01-0000000-0000001}]" {
		t.Errorf("due: %s", got)
	}
	if err := u.Erase(t.Context(), "main", []wallet.ChargePermissionID{pgtest.PermissionOne}, wallet.CauseRetention); err != nil {
		t.Fatal(err)
	}
	if got := due("known"); got != "[]" {
		t.Errorf("erased, and due again: %s", got)
	}
	u.Exec(`update walletsync.accounts set left_at = null where id = 'main'`)
	u.Now = u.Now.Add(31 * day)
	if got := due("known"); got != "[]" {
		t.Errorf("it is configured again: %s", got)
	}
}

// TestErasuresAmongWorkersAndReturns runs many of each concurrently on a few charge
// permissions. There is no deadlock, and at no moment is data of an erased person
// stored.
func TestErasuresAmongWorkersAndReturns(t *testing.T) {
	url := pgtest.Database(t)
	db := pgtest.Connect(t, url)
	store := pgtest.Open(t, url, pg.Options{Connections: 12})
	if _, err := db.Exec(t.Context(), `update walletsync.api_quota set burst = 1e6, per_second = 1e6, tokens = 1e6`); err != nil {
		t.Fatal(err)
	}
	var ids []wallet.ChargePermissionID
	for i := range 6 {
		ids = append(ids, wallet.ChargePermissionID(fmt.Sprintf("S01-0000000-%07d", i)))
	}
	settings := refresh.Defaults()
	settings.Margin, settings.Limit = 0, 3
	seed := pgtest.RandomSeed(t)
	var updates, messages atomic.Uint32
	var tombs, erasures atomic.Int32
	end := time.Now().Add(3 * time.Second)
	g, ctx := errgroup.WithContext(t.Context())
	many := func(n int, what string, do func(random *mathrand.Rand) error) {
		for i := range n {
			g.Go(func() error {
				random := mathrand.New(mathrand.NewPCG(seed, uint64(i)+uint64(len(what))<<8))
				for time.Now().Before(end) && ctx.Err() == nil {
					if err := do(random); err != nil {
						return fmt.Errorf("%s: %w", what, err)
					}
				}
				return nil
			})
		}
	}
	some := func(random *mathrand.Rand) []wallet.ChargePermissionID {
		all := slices.Clone(ids)
		random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		return all[:1+random.IntN(3)]
	}
	many(4, "worker", func(random *mathrand.Rand) error {
		var lease refresh.Lease
		binary.BigEndian.PutUint64(lease[:], random.Uint64())
		q := refresh.ClaimRequest{Lease: lease, Settings: settings, Accounts: []wallet.AccountID{"main"}}
		for _, id := range some(random) {
			q.Asks = append(q.Asks, refresh.Ask{Priority: wallet.PriorityNotification, Notification: wallet.Notification{Account: "main", MessageID: fmt.Sprint("m", messages.Add(1)),
				NotificationID: "n", ObjectType: wallet.ObjectChargePermission, ObjectID: string(id), ChargePermission: id, Type: "STATE_CHANGE", Published: time.Now(), Arrived: time.Now()}})
		}
		got, err := store.Claim(ctx, q)
		if err != nil {
			return err
		}
		var results []refresh.Result
		for _, c := range got.Claims {
			r := refresh.Result{Claim: c, Kind: refresh.Read, ReadAt: time.Now(), State: pgtest.Person(c.ID, fmt.Sprint("Ada", random.IntN(1000))), Raw: json.RawMessage(`{"who":"Ada"}`)}
			if c.Erased { // as plan.go does
				r.State, r.Raw = r.State.WithoutPerson(), nil
			}
			r.Changes = wallet.Diff(c.Stored, &r.State)
			results = append(results, r)
		}
		time.Sleep(time.Duration(random.IntN(3)) * time.Millisecond) // Amazon's answer
		_, err = store.Commit(ctx, refresh.CommitRequest{Lease: lease, Results: results, Accounts: q.Accounts, Settings: settings})
		return err
	})
	many(2, "return", func(random *mathrand.Rand) error {
		n := updates.Add(1)
		var of [16]byte
		binary.BigEndian.PutUint32(of[:], n)
		return store.CompleteUpdate(ctx, "main", ids[random.IntN(len(ids))], fmt.Sprint("checkout-", n), session.ID(of), time.Now())
	})
	many(2, "erasure", func(random *mathrand.Rand) error {
		erasures.Add(1)
		return store.Erase(ctx, "main", some(random), wallet.CauseErasure)
	})
	many(1, "restored", func(random *mathrand.Rand) error {
		time.Sleep(20 * time.Millisecond)
		_, err := cli.AfterRestore(ctx, store, nil, func(string, int, int) {})
		return err
	})
	many(1, "reader", func(*mathrand.Rand) error {
		time.Sleep(5 * time.Millisecond)
		var erased, bad int32
		err := db.QueryRow(ctx, `select count(*), count(*) filter (where c.raw is not null or c.buyer_id is not null or exists (
				select from walletsync.charge_permission_changes h
				where h.account = c.account and h.charge_permission = c.id and (h.before::text like '%Ada%' or h.after::text like '%Ada%')))
			from walletsync.refreshes r join walletsync.charge_permissions c using (account, id) where r.erased_at is not null`).Scan(&erased, &bad)
		tombs.Add(erased)
		if err == nil && bad > 0 {
			err = fmt.Errorf("of %d who are erased, %d are stored", erased, bad)
		}
		return err
	})
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d notifications, %d updates, %d erasures; erased ones seen %d times", messages.Load(), updates.Load(), erasures.Load(), tombs.Load())
	if tombs.Load() == 0 || updates.Load() < 10 || erasures.Load() < 10 {
		t.Error("this shows nothing")
	}
}
