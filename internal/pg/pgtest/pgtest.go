// Package pgtest gives the tests of statements a real database: migrated, with
// two accounts, and with the store of every feature on it. A test of one
// feature's statements sets up what it needs by the stores of the others.
package pgtest

import (
	"context"
	"crypto/rand"
	"net/url"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"walletsync/internal/amazonpay/merchant"
	clipg "walletsync/internal/cli/postgres"
	consolepg "walletsync/internal/console/postgres"
	feedpushpg "walletsync/internal/feedpush/postgres"
	server "walletsync/internal/local/pg/pgtest"
	"walletsync/internal/pg"
	"walletsync/internal/pg/migrate"
	privacypg "walletsync/internal/privacy/postgres"
	reconcilepg "walletsync/internal/reconcile/postgres"
	refreshpg "walletsync/internal/refresh/postgres"
	updatepg "walletsync/internal/update/postgres"
	"walletsync/internal/wallet"
	"walletsync/migrations"
)

// Main is the whole of a TestMain: it runs the tests and stops the server that
// they share.
func Main(m *testing.M) { server.Main(m) }

// FeedPush and its like name the stores apart, which are all called Store.
type (
	Refresh   = refreshpg.Store
	CLI       = clipg.Store
	FeedPush  = feedpushpg.Store
	Privacy   = privacypg.Store
	Update    = updatepg.Store
	Reconcile = reconcilepg.Store
	Console   = consolepg.Store
)

// Stores are those of all features, on one database.
type Stores struct {
	DB *pg.DB
	*Refresh
	*CLI
	*FeedPush
	*Privacy
	*Update
	*Reconcile
	*Console
}

// Open returns the stores in the database at url.
func Open(t testing.TB, url string, o pg.Options) *Stores {
	db := pg.New(pg.URL(url), o)
	t.Cleanup(db.Close)
	refresh, reconcile := refreshpg.New(db), reconcilepg.New(db)
	return &Stores{DB: db, Refresh: refresh, CLI: clipg.New(db), FeedPush: feedpushpg.New(db), Privacy: privacypg.New(db), Update: updatepg.New(db, refresh),
		Reconcile: reconcile, Console: consolepg.New(db, reconcile)}
}

// Database returns the URL of a fresh database with the accounts main and known.
func Database(t testing.TB) string {
	account := func(id wallet.AccountID, merchantID string, follow wallet.Followed) migrate.Account {
		return migrate.Account{ID: id, MerchantID: merchantID, Environment: merchant.Live, Region: "EU", LedgerCurrency: "EUR",
			Follow: follow, Quotas: wallet.LiveQuotas(), Share: 1}
	}
	return migrated(t, "two-accounts", account("main", "M1", wallet.DefaultFollowed()),
		account("known", "M2", wallet.Followed{Types: []string{"PaymentMethodOnFile"}, KnownOnly: true}))
}

// migrated returns the URL of a copy of the template database of that name.
func migrated(t testing.TB, template string, accounts ...migrate.Account) string {
	return server.New(t, func(ctx context.Context, url string) error {
		return prepare(ctx, url, accounts)
	}, template+"-"+migrations.Hash())
}

// Connect returns connections to the database at url that look inside.
func Connect(t testing.TB, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// Ways are those that lead to a database: the transaction pooler stands for RDS
// Proxy and the like, which give each transaction whatever connection is free.
var Ways = []struct {
	Name string
	To   func(t testing.TB, url string) string
}{
	{"direct", func(_ testing.TB, url string) string { return url }},
	{"through a transaction pooler", server.Pooled},
}

// Through returns the URL of a database by way of the server of another URL.
func Through(t *testing.T, front, database string) string {
	t.Helper()
	f, err := url.Parse(front)
	if err != nil {
		t.Fatal(err)
	}
	d, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	d.Host = f.Host
	return d.String()
}

// RandomSeed returns another seed in each run, and logs it.
func RandomSeed(t testing.TB) uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:])
	seed := uint64(b[0])<<8 | uint64(b[1])
	t.Logf("seed %d", seed)
	return seed
}
