package pgtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"walletsync/internal/pg"
	"walletsync/internal/refresh"
	"walletsync/internal/update/session"
	"walletsync/internal/wallet"
)

// Ids that tests use.
const (
	PermissionOne = wallet.ChargePermissionID("S01-0000000-0000001")
	PermissionTwo = wallet.ChargePermissionID("S01-0000000-0000002")
	CheckoutOne   = "bd504926-f659-4ad7-a1a9-000000000001"
	CheckoutTwo   = "bd504926-f659-4ad7-a1a9-000000000002"
)

// SessionID is that of the nth update session.
func SessionID(n byte) session.ID { return session.ID{n} }

// Token is the nth that claims an attempt.
func Token(n byte) session.Lease { return session.Lease{n} }

// Fixture is a database with the stores on it, a clock that a test moves, and a
// way to look inside.
type Fixture struct {
	*Stores
	T    testing.TB
	Pool *pgxpool.Pool
	Now  time.Time
}

// New returns a fixture with a fresh database.
func New(t testing.TB) *Fixture {
	f := &Fixture{T: t, Now: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)}
	url := Database(t)
	f.Pool = Connect(t, url)
	f.Stores = Open(t, url, pg.Options{Now: func() time.Time { return f.Now }, Connections: 6})
	return f
}

// Exec runs a statement.
func (f *Fixture) Exec(sql string, args ...any) {
	f.T.Helper()
	if _, err := f.Pool.Exec(f.T.Context(), sql, args...); err != nil {
		f.T.Fatalf("%v: %s", err, sql)
	}
}

// Text returns the value of a query as text, empty if there is none.
func (f *Fixture) Text(sql string, args ...any) (out string) {
	f.T.Helper()
	if err := f.Pool.QueryRow(f.T.Context(), "select coalesce(("+sql+")::text, '')", args...).Scan(&out); err != nil {
		f.T.Fatal(err)
	}
	return out
}

// StartSession stores the nth update session of PermissionOne.
func (f *Fixture) StartSession(n byte) session.Session {
	f.T.Helper()
	s := session.Session{
		ID: SessionID(n), Account: "main", ChargePermission: PermissionOne, Update: "both", ProductType: "PayAndShip", Locale: "de_DE",
		StartURL: "https://shop.example/account", ReturnTo: "https://shop.example/done",
		Details:   session.Details{Scopes: []string{"name"}, MerchantMetadata: &session.MerchantMetadata{NoteToBuyer: "Grüße"}},
		ExpiresAt: f.Now.Add(25 * time.Hour),
	}
	if err := f.CreateSession(f.T.Context(), s); err != nil {
		f.T.Fatal(err)
	}
	s.State, s.CreatedAt = session.Started, f.Now
	return s
}

// CompleteUpdate has a buyer return from a new update session, and completes it.
func (s *Stores) CompleteUpdate(ctx context.Context, a wallet.AccountID, id wallet.ChargePermissionID, checkout string, of session.ID, at time.Time) error {
	u := session.Session{ID: of, Account: a, ChargePermission: id, Update: "both", ProductType: "PayAndShip", ExpiresAt: time.Now().Add(time.Hour)}
	if err := s.CreateSession(ctx, u); err != nil {
		return err
	}
	held := session.Lease{1}
	b, err := s.Begin(ctx, of, checkout, held, time.Minute)
	if err != nil {
		return err
	}
	b.Attempt.Outcome, b.Attempt.CompletedAt = session.OutcomeCompleted, at
	ours, err := s.Settle(ctx, session.Settlement{Attempt: b.Attempt, Lease: held})
	if err == nil && !ours {
		err = errors.New("the attempt is not ours")
	}
	return err
}

// Person is a charge permission with all members set. Each personal value
// contains the word.
func Person(id wallet.ChargePermissionID, word string) wallet.ChargePermission {
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

// Read stores a charge permission as Amazon returned it, by the refresh's two
// round trips, and moves the clock on by a minute.
func (f *Fixture) Read(id wallet.ChargePermissionID, p wallet.ChargePermission, raw string) {
	f.T.Helper()
	f.refresh(id, func(c refresh.Claim) refresh.Result {
		r := refresh.Result{Claim: c, Kind: refresh.Read, ReadAt: f.Now, State: p, Raw: json.RawMessage(raw)}
		r.Changes = wallet.Diff(r.Stored, &r.State)
		return r
	})
}

// Answer stores another answer of Amazon's than a charge permission to keep.
func (f *Fixture) Answer(id wallet.ChargePermissionID, kind refresh.Kind) {
	f.T.Helper()
	f.refresh(id, func(c refresh.Claim) refresh.Result {
		return refresh.Result{Claim: c, Kind: kind, ReadAt: f.Now, State: wallet.ChargePermission{ID: id, Type: "OneTime"}}
	})
}

func (f *Fixture) refresh(id wallet.ChargePermissionID, answer func(refresh.Claim) refresh.Result) {
	f.T.Helper()
	lease, settings, accounts := refresh.Lease{byte(f.Now.Unix())}, refresh.Defaults(), []wallet.AccountID{"main"}
	got, err := f.Claim(f.T.Context(), refresh.ClaimRequest{Lease: lease, Settings: settings, Accounts: accounts,
		Want: &wallet.Want{Account: "main", ChargePermission: id, Priority: wallet.PriorityRefresh}})
	if err != nil || len(got.Claims) != 1 {
		f.T.Fatalf("%+v, %v", got, err)
	}
	q := refresh.CommitRequest{Lease: lease, Results: []refresh.Result{answer(got.Claims[0])}, Accounts: accounts, Settings: settings}
	if _, err := f.Commit(f.T.Context(), q); err != nil {
		f.T.Fatal(err)
	}
	f.Now = f.Now.Add(time.Minute)
}

// Everything is all that the database holds, but for the migrations.
func (f *Fixture) Everything() string {
	f.T.Helper()
	var all strings.Builder
	for _, table := range strings.Fields(f.Text(`select string_agg(table_name, ' ' order by table_name) from information_schema.tables
		where table_schema = 'walletsync' and table_type = 'BASE TABLE' and table_name <> 'migrations'`)) {
		fmt.Fprintln(&all, table, f.Text(`select json_agg(t) from walletsync.`+table+` t`))
	}
	return all.String()
}
