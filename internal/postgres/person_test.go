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

	"walletsync/internal/person"
	"walletsync/internal/postgres"
	"walletsync/internal/refresh"
	"walletsync/internal/restore"
	"walletsync/internal/update/session"
	"walletsync/internal/wallet"
)

var (
	_ person.Store = (*postgres.Store)(nil)
	_ person.Store = (*postgres.Store)(nil)
)

const permissionTwo = wallet.ChargePermissionID("S01-0000000-0000002")

// ofNobody are the columns of charge_permissions that an erasure leaves. What is
// not among them is personal data, also in a column that is new.
var ofNobody = []string{"account", "id", "type", "followed", "release_environment", "state", "reasons", "state_updated_at",
	"limit_amount", "balance_amount", "limit_currency", "created_at", "expires_at", "read_at", "request_id", "cause", "stored_at", "changed_at"}

// read stores a charge permission as Amazon told it, the whole way through the
// two round trips.
func (u *updates) read(id wallet.ChargePermissionID, p wallet.ChargePermission, raw string) {
	u.t.Helper()
	lease := refresh.Lease{byte(u.now.Unix())}
	settings := refresh.Defaults()
	got, err := u.Claim(u.t.Context(), refresh.ClaimRequest{Lease: lease, Settings: settings, Accounts: []wallet.AccountID{"main"},
		Want: &wallet.Want{Account: "main", ChargePermission: id, Priority: wallet.PriorityRefresh}})
	if err != nil || len(got.Claims) != 1 {
		u.t.Fatalf("%+v, %v", got, err)
	}
	r := refresh.Result{Claim: got.Claims[0], Kind: refresh.Read, ReadAt: u.now, State: p, Raw: json.RawMessage(raw)}
	r.Changes = wallet.Diff(r.Stored, &r.State)
	if _, err := u.Commit(u.t.Context(), refresh.CommitRequest{Lease: lease, Results: []refresh.Result{r}, Accounts: []wallet.AccountID{"main"}, Settings: settings}); err != nil {
		u.t.Fatal(err)
	}
	u.now = u.now.Add(time.Minute)
}

// somebody is a charge permission in which everything is told. Whatever is
// personal has the word in it.
func somebody(id wallet.ChargePermissionID, word string) wallet.ChargePermission {
	address := wallet.Address{Name: word, Line1: word, Line2: word, Line3: word, City: word, County: word, District: word,
		StateOrRegion: word, PostalCode: word, CountryCode: word, Phone: word}
	return wallet.ChargePermission{
		ID: id, Type: "PaymentMethodOnFile", ReleaseEnvironment: "Live",
		State:              wallet.State{State: wallet.Chargeable, StateUpdatedAt: time.Unix(1e9, 0), Reasons: []wallet.Reason{{Code: "none"}}},
		Buyer:              wallet.Buyer{BuyerID: word, BuyerName: word, BuyerEmail: word, BuyerPhone: word},
		PaymentDescriptors: []string{word}, Shipping: address, Billing: address,
		Limits:    wallet.Limits{LimitAmount: "500.00", BalanceAmount: "1.50", LimitCurrency: "EUR"},
		CreatedAt: time.Unix(1e9, 0), ExpiresAt: time.Unix(2e9, 0),
	}
}

// everything is all that the database holds, but for the migrations.
func (u *updates) everything() string {
	u.t.Helper()
	var all strings.Builder
	for _, table := range strings.Fields(u.text(`select string_agg(table_name, ' ' order by table_name) from information_schema.tables
		where table_schema = 'walletsync' and table_type = 'BASE TABLE' and table_name <> 'migrations'`)) {
		fmt.Fprintln(&all, table, u.text(`select json_agg(t) from walletsync.`+table+` t`))
	}
	return all.String()
}

func TestAfterAnErasureNothingOfThePersonIsLeft(t *testing.T) {
	u := newUpdates(t)
	u.read(permissionOne, somebody(permissionOne, "Ada"), `{"not documented": "Ada"}`)
	moved := somebody(permissionOne, "Ada2")
	moved.State.State, moved.LimitAmount = wallet.NonChargeable, "300.00"
	u.read(permissionOne, moved, `{"not documented": "Ada2"}`)
	u.read(permissionTwo, somebody(permissionTwo, "Bert"), `{}`)
	for n, state := range []string{"started", "returned", "completed", "failed", "expired"} {
		u.session(byte(n + 1))
		u.exec(`update walletsync.update_sessions set details = '{"merchantMetadata":{"noteToBuyer":"Ada"}}', start_url = 'https://shop.example/Ada', return_to = 'https://shop.example/Ada',
			state = $2, reason = case when $2 = 'failed' then 'Declined' end, ended_at = case when $2 in ('completed', 'failed', 'expired') then now() end
			where id = $1`, id(byte(n+1)).String(), state)
	}
	u.exec(`update walletsync.refreshes set last_error = 'it quotes Ada' where id = $1`, permissionOne)
	u.exec(`insert into walletsync.update_attempts (account, checkout_session, update_session, returned_at, last_error)
		values ('main', 'of a failed call', $1, now(), 'it quotes Ada')`, id(2).String())
	if n := strings.Count(u.everything(), "Ada"); n < 100 {
		t.Fatalf("Ada is told of %d times: this test shows nothing", n)
	}
	other := u.text(`select json_agg(h order by position) from walletsync.charge_permission_changes h where charge_permission = $1`, permissionTwo)
	positions := u.text(`select json_agg(position order by position) from walletsync.charge_permission_changes`)

	if err := u.Erase(t.Context(), "main", []wallet.ChargePermissionID{permissionOne}, wallet.CauseErasure); err != nil {
		t.Fatal(err)
	}
	if left := u.everything(); strings.Contains(left, "Ada") {
		t.Errorf("left:\n%s", left)
	}
	var row map[string]any
	if err := json.Unmarshal([]byte(u.text(`select to_jsonb(c) from walletsync.charge_permissions c where id = $1`, permissionOne)), &row); err != nil {
		t.Fatal(err)
	}
	for column, value := range row {
		blank := value == nil || cmp.Equal(value, []any{})
		if personal := !slices.Contains(ofNobody, column); personal != blank {
			t.Errorf("%s is %v", column, value)
		}
	}
	// What tells of nobody stays, at its place, and the erasure is told at the end.
	if got := u.text(`select string_agg(facet || coalesce(' ' || before::text, '') || coalesce(' -> ' || after::text, ''), '; ' order by position)
		from walletsync.charge_permission_changes where charge_permission = $1`, permissionOne); got !=
		`first_read -> {"limit": {"limit_amount": "500.00", "limit_currency": "EUR"}, "state": {"state": "Chargeable", "reason_codes": ["none"]}, "expiry": {"expires_at": "2033-05-18T03:33:20Z"}}; `+
			`address; payment_method; state {"state": "Chargeable", "reason_codes": ["none"]} -> {"state": "NonChargeable", "reason_codes": ["none"]}; buyer; billing_address; `+
			`limit {"limit_amount": "500.00", "limit_currency": "EUR"} -> {"limit_amount": "300.00", "limit_currency": "EUR"}; erased` {
		t.Errorf("history: %s", got)
	}
	if got := u.text(`select json_agg(position order by position) from walletsync.charge_permission_changes where facet <> 'erased'`); got != positions {
		t.Errorf("positions %s, were %s", got, positions)
	}
	if got := u.text(`select position = (select n from walletsync.feed) and cause = 'erasure' from walletsync.charge_permission_changes where facet = 'erased'`); got != "true" {
		t.Errorf("the erasure is not the feed's last change: %s", got)
	}
	// Nobody else's is touched.
	if got := u.text(`select json_agg(h order by position) from walletsync.charge_permission_changes h where charge_permission = $1`, permissionTwo); got != other {
		t.Errorf("Bert's history: %s", got)
	}
	// No link leads to a button any more; the attempts go on, and so do returns until the session's end.
	if got := u.text(`select string_agg(distinct state || ' ' || (erased_at <= $1 and expires_at > $1)::text, ', ') from walletsync.update_sessions`, u.now); got !=
		"completed true, expired true, failed true, returned true" {
		t.Errorf("sessions: %s", got)
	}
	// Nothing is told again, and nothing that came meanwhile stays.
	u.session(9)
	if err := u.Erase(t.Context(), "main", []wallet.ChargePermissionID{permissionOne}, wallet.CauseErasure); err != nil {
		t.Fatal(err)
	}
	if got := u.text(`select count(*) from walletsync.charge_permission_changes where facet = 'erased'`); got != "1" || strings.Contains(u.everything(), "Grüße") {
		t.Errorf("%s erasures are told; %s", got, u.everything())
	}
}

func TestOneWhoReturnedBeforeTheErasureDoesNotLiftIt(t *testing.T) {
	u := newUpdates(t)
	u.session(1)
	before, err := u.Begin(t.Context(), id(1), checkoutOne, token(1), holdForAMinute)
	if err != nil {
		t.Fatal(err)
	}
	u.now = u.now.Add(time.Second)
	if err := u.Erase(t.Context(), "main", []wallet.ChargePermissionID{permissionOne}, wallet.CauseErasure); err != nil {
		t.Fatal(err)
	}
	u.now = u.now.Add(time.Second)
	erased := func() string {
		return u.text(`select erased_at is not null from walletsync.refreshes where id = $1`, permissionOne)
	}
	before.Attempt.Outcome = session.OutcomeCompleted
	if ours, err := u.Settle(t.Context(), session.Settlement{Attempt: before.Attempt, Held: token(1)}); !ours || err != nil || erased() != "true" {
		t.Errorf("%v, %v, erased %s", ours, err, erased())
	}
	u.session(2)
	after, err := u.Begin(t.Context(), id(2), checkoutTwo, token(2), holdForAMinute)
	if err != nil {
		t.Fatal(err)
	}
	after.Attempt.Outcome = session.OutcomeFailed
	if _, err := u.Settle(t.Context(), session.Settlement{Attempt: after.Attempt, Held: token(2), Reason: "Declined"}); err != nil || erased() != "true" {
		t.Errorf("a failed one: %v, erased %s", err, erased())
	}
	const checkoutThree = "bd504926-f659-4ad7-a1a9-000000000003"
	if after, err = u.Begin(t.Context(), id(2), checkoutThree, token(3), holdForAMinute); err != nil {
		t.Fatal(err)
	}
	after.Attempt.Outcome = session.OutcomeCompleted
	if _, err := u.Settle(t.Context(), session.Settlement{Attempt: after.Attempt, Held: token(3)}); err != nil || erased() != "false" {
		t.Errorf("a completed one: %v, erased %s", err, erased())
	}
}

func TestAPersonIsWhoeverHasTheSameBuyerID(t *testing.T) {
	u := newUpdates(t)
	const permissionThree = wallet.ChargePermissionID("S01-0000000-0000003")
	u.read(permissionTwo, somebody(permissionTwo, "Ada"), `{}`)
	u.read(permissionOne, somebody(permissionOne, "Ada"), `{}`)
	u.read(permissionThree, somebody(permissionThree, "Bert"), `{}`)
	u.exec(`insert into walletsync.refreshes (account, id) values ('known', 'S01-0000000-0000009')`)
	for _, c := range []struct {
		id   wallet.ChargePermissionID
		want string
	}{
		{permissionOne, "[{main S01-0000000-0000001} {main S01-0000000-0000002}]"},
		{permissionThree, "[{main S01-0000000-0000003}]"},
		{"S01-0000000-0000009", "[{known S01-0000000-0000009}]"}, // never read
		{"S01-0000000-0000010", "[]"},
	} {
		all, at, err := u.OfOnePerson(t.Context(), "", c.id)
		if fmt.Sprint(all) != c.want || err != nil || len(all) > 0 && !at.Equal(u.now) {
			t.Errorf("%s: %v at %v, %v", c.id, all, at, err)
		}
	}
	if all, _, err := u.OfOnePerson(t.Context(), "known", permissionOne); len(all) != 0 || err != nil {
		t.Errorf("in another account: %v, %v", all, err)
	}
}

func TestRetentionFindsWhatHasBeenClosedForLong(t *testing.T) {
	u := newUpdates(t)
	const day = 24 * time.Hour
	closed := somebody(permissionOne, "Ada")
	closed.State.State = wallet.Closed
	u.read(permissionOne, closed, `{}`)
	u.read(permissionTwo, somebody(permissionTwo, "Bert"), `{}`)
	u.now = u.now.Add(29 * day)
	u.read(permissionOne, closed, `{}`) // a refund asks: it is read again, and nothing has changed
	u.wantDue(30 * day)
	u.now = u.now.Add(day)
	u.wantDue(30*day, permissionOne)
	if err := u.Erase(t.Context(), "main", []wallet.ChargePermissionID{permissionOne}, wallet.CauseRetention); err != nil {
		t.Fatal(err)
	}
	u.wantDue(30 * day)
}

// wantDue wants retention to find these, of account main.
func (u *updates) wantDue(kept time.Duration, want ...wallet.ChargePermissionID) {
	u.t.Helper()
	all, at, err := u.ToErase(u.t.Context(), "main", kept, 10)
	if err != nil || len(all) > 0 && !at.Equal(u.now) {
		u.t.Fatal(at, err)
	}
	var due []wallet.ChargePermissionID
	for _, p := range all {
		if p.Account != "main" {
			u.t.Errorf("%v is due", p)
		}
		due = append(due, p.ID)
	}
	if d := cmp.Diff(want, due); d != "" {
		u.t.Errorf("due (-want +got): %s", d)
	}
}

// answer stores an answer of Amazon's that is no charge permission to keep.
func (u *updates) answer(id wallet.ChargePermissionID, kind refresh.Kind) {
	u.t.Helper()
	lease := refresh.Lease{byte(u.now.Unix())}
	settings := refresh.Defaults()
	got, err := u.Claim(u.t.Context(), refresh.ClaimRequest{Lease: lease, Settings: settings, Accounts: []wallet.AccountID{"main"},
		Want: &wallet.Want{Account: "main", ChargePermission: id, Priority: wallet.PriorityRefresh}})
	if err != nil || len(got.Claims) != 1 {
		u.t.Fatalf("%+v, %v", got, err)
	}
	r := refresh.Result{Claim: got.Claims[0], Kind: kind, ReadAt: u.now, State: wallet.ChargePermission{ID: id, Type: "OneTime"}}
	if _, err := u.Commit(u.t.Context(), refresh.CommitRequest{Lease: lease, Results: []refresh.Result{r}, Accounts: []wallet.AccountID{"main"}, Settings: settings}); err != nil {
		u.t.Fatal(err)
	}
	u.now = u.now.Add(time.Minute)
}

func TestRetentionFindsWhatAmazonNoLongerKnows(t *testing.T) {
	u := newUpdates(t)
	const day = 24 * time.Hour
	u.read(permissionOne, somebody(permissionOne, "Ada"), `{}`)
	u.answer(permissionOne, refresh.Gone)
	u.answer(permissionTwo, refresh.Gone) // never read: there is nothing to erase
	u.now = u.now.Add(29 * day)
	u.wantDue(30 * day)
	u.now = u.now.Add(day)
	u.wantDue(30*day, permissionOne)
	if err := u.Erase(t.Context(), "main", []wallet.ChargePermissionID{permissionOne}, wallet.CauseRetention); err != nil {
		t.Fatal(err)
	}
	u.wantDue(30 * day)
	if left := u.everything(); strings.Contains(left, "Ada") {
		t.Errorf("left:\n%s", left)
	}
}

func TestRetentionFindsWhatAmazonKnowsAgainNoMore(t *testing.T) {
	u := newUpdates(t)
	u.read(permissionOne, somebody(permissionOne, "Ada"), `{}`)
	u.answer(permissionOne, refresh.Gone)
	u.now = u.now.Add(24 * time.Hour)
	u.read(permissionOne, somebody(permissionOne, "Ada"), `{}`)
	u.now = u.now.Add(30 * 24 * time.Hour)
	u.wantDue(30 * 24 * time.Hour)
}

func TestRetentionFindsTheHistoryOfWhatIsNoLongerFollowed(t *testing.T) {
	u := newUpdates(t)
	const day = 24 * time.Hour
	u.read(permissionOne, somebody(permissionOne, "Ada"), `{}`)
	u.read(permissionTwo, somebody(permissionTwo, "Bert"), `{}`)
	u.answer(permissionOne, refresh.NotFollowed)
	u.answer(permissionTwo, refresh.NotFollowed)
	u.answer("S01-0000000-0000003", refresh.NotFollowed) // never followed: there is nothing to erase
	if !strings.Contains(u.everything(), "Ada") {
		t.Fatal("nothing is left of Ada: this test shows nothing")
	}
	u.now = u.now.Add(29 * day)
	u.answer(permissionOne, refresh.NotFollowed) // it is asked for once more
	u.read(permissionTwo, somebody(permissionTwo, "Bert"), `{}`)
	u.wantDue(30 * day)
	u.now = u.now.Add(day)
	u.wantDue(30*day, permissionOne)
	if err := u.Erase(t.Context(), "main", []wallet.ChargePermissionID{permissionOne}, wallet.CauseRetention); err != nil {
		t.Fatal(err)
	}
	u.wantDue(30 * day)
	if left := u.everything(); strings.Contains(left, "Ada") {
		t.Errorf("left:\n%s", left)
	}
}

func TestRetentionFindsWhatBelongsToAnAccountThatLeft(t *testing.T) {
	u := newUpdates(t)
	const day = 24 * time.Hour
	u.read(permissionOne, somebody(permissionOne, "Ada"), `{}`)
	u.read(permissionTwo, somebody(permissionTwo, "Bert"), `{}`)
	due := func(account wallet.AccountID) string {
		t.Helper()
		all, _, err := u.ToErase(t.Context(), account, 30*day, 10)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(all)
	}
	u.exec(`update walletsync.accounts set left_at = $1 where id = 'main'`, u.now)
	u.now = u.now.Add(30*day - time.Minute)
	if got := due("known"); got != "[]" {
		t.Errorf("before its time: %s", got)
	}
	// Another deployment may still read it: the same database, with accounts of its own.
	u.read(permissionTwo, somebody(permissionTwo, "Bert"), `{}`)
	if got := due("known"); got != "[{main S01-0000000-0000001}]" {
		t.Errorf("due: %s", got)
	}
	if err := u.Erase(t.Context(), "main", []wallet.ChargePermissionID{permissionOne}, wallet.CauseRetention); err != nil {
		t.Fatal(err)
	}
	if got := due("known"); got != "[]" {
		t.Errorf("erased, and due again: %s", got)
	}
	u.exec(`update walletsync.accounts set left_at = null where id = 'main'`)
	u.now = u.now.Add(31 * day)
	if got := due("known"); got != "[]" {
		t.Errorf("it is configured again: %s", got)
	}
}

// TestAMessageThatIsForgottenAsksForNothing: the inbox is emptied of what is old,
// and the message comes once more.
func TestAMessageThatIsForgottenAsksForNothing(t *testing.T) {
	u := newUpdates(t)
	const day = 24 * time.Hour
	ask := func(message string, published time.Time) map[string]int {
		t.Helper()
		got, err := u.Claim(t.Context(), refresh.ClaimRequest{Lease: refresh.Lease{1}, Settings: refresh.Defaults(), Accounts: []wallet.AccountID{"main"},
			Asks: []refresh.Ask{{Priority: wallet.PriorityNotification, Notification: wallet.Notification{Account: "main", MessageID: message, NotificationID: "n",
				ObjectType: wallet.ObjectChargePermission, ObjectID: string(permissionOne), ChargePermission: permissionOne, Type: "STATE_CHANGE", Published: published, Arrived: u.now}}}})
		if err != nil {
			t.Fatal(err)
		}
		return got.Outcomes
	}
	published := u.now
	if got := ask("m1", published); got["wanted"] != 1 {
		t.Fatal(got)
	}
	u.now = u.now.Add(time.Minute)
	u.read(permissionOne, somebody(permissionOne, "Ada"), `{}`)
	u.now = u.now.Add(90 * day)
	ask("m2", u.now)
	u.now = u.now.Add(time.Second)
	forget := func(most int) int {
		t.Helper()
		n, err := u.Forget(t.Context(), "main", 90*day, most)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := forget(10); n != 1 || u.text(`select string_agg(message_id, ' ') from walletsync.notifications`) != "m2" {
		t.Errorf("%d forgotten", n)
	}
	u.read(permissionOne, somebody(permissionOne, "Ada"), `{}`)
	wanted := u.text(`select wanted from walletsync.refreshes`)
	if got := ask("m1", published); got["covered"] != 1 || u.text(`select wanted from walletsync.refreshes`) != wanted {
		t.Errorf("a message that was forgotten: %v", got)
	}
	for range 3 {
		ask(fmt.Sprint("n", u.now.Unix()), u.now)
		u.now = u.now.Add(time.Second)
	}
	u.now = u.now.Add(91 * day)
	if n := forget(2); n != 2 {
		t.Errorf("%d of at most 2 were forgotten", n)
	}
}

// TestErasuresAmongWorkersAndReturns: many of each at once on a few charge
// permissions. None waits for another in a circle, and at no moment is anything of
// an erased person stored.
func TestErasuresAmongWorkersAndReturns(t *testing.T) {
	url := database(t)
	db := connect(t, url)
	store := open(t, url, postgres.Options{Connections: 12})
	if _, err := db.Exec(t.Context(), `update walletsync.api_quota set burst = 1e6, per_second = 1e6, tokens = 1e6`); err != nil {
		t.Fatal(err)
	}
	var ids []wallet.ChargePermissionID
	for i := range 6 {
		ids = append(ids, wallet.ChargePermissionID(fmt.Sprintf("S01-0000000-%07d", i)))
	}
	settings := refresh.Defaults()
	settings.Margin, settings.Limit = 0, 3
	seed := randomSeed(t)
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
			r := refresh.Result{Claim: c, Kind: refresh.Read, ReadAt: time.Now(), State: somebody(c.ID, fmt.Sprint("Ada", random.IntN(1000))), Raw: json.RawMessage(`{"who":"Ada"}`)}
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
		return complete(ctx, store, "main", ids[random.IntN(len(ids))], fmt.Sprint("checkout-", n), session.ID(of), time.Now())
	})
	many(2, "erasure", func(random *mathrand.Rand) error {
		erasures.Add(1)
		return store.Erase(ctx, "main", some(random), wallet.CauseErasure)
	})
	many(1, "restored", func(random *mathrand.Rand) error {
		time.Sleep(20 * time.Millisecond)
		_, err := restore.Run(ctx, store, nil, func(restore.Step) {})
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
