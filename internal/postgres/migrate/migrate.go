// Package migrate brings the schema up to date. It stands apart from package
// postgres so that only the migrator links goose.
package migrate

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"walletsync/internal/wallet"
	"walletsync/migrations"
)

//go:embed account.sql
var sqlAccount string

//go:embed quota.sql
var sqlQuota string

// Account is what the database knows of an account: what is not secret.
type Account struct {
	ID             wallet.AccountID
	MerchantID     string
	Environment    wallet.Environment
	Region         string // NA, EU or JP
	LedgerCurrency string
	Follow         wallet.Followed
	Quotas         []wallet.Quota // of the merchant account
	Share          float64        // of them, in (0, 1]
}

// Migrated is what a migration did.
type Migrated struct {
	From     int64    `json:"from"` // the schema's version before
	To       int64    `json:"to"`
	Applied  []string `json:"applied"`
	Accounts int      `json:"accounts"`
}

// oldestServer is the oldest PostgreSQL that the statements run on.
const oldestServer = 150000

// Run brings the schema of the database at url up to date and copies the
// accounts into it. It is idempotent, and safe to run twice at once: a session
// lock makes the second wait. The url must lead to the server directly, as a
// pooler in transaction mode would lose that lock.
//
// A schema newer than this code knows is left as it is: after a rollback, the
// older code runs on it.
func Run(ctx context.Context, url string, accounts []Account) (Migrated, error) {
	c, err := pgx.ParseConfig(url)
	if err != nil {
		// pgx's own error quotes the URL.
		return Migrated{}, errors.New("the database URL cannot be read; it must look like postgres://user:password@host:5432/database?sslmode=verify-full")
	}
	db := stdlib.OpenDB(*c)
	defer db.Close()
	var version int
	if err := db.QueryRowContext(ctx, `select current_setting('server_version_num')::int`).Scan(&version); err != nil {
		return Migrated{}, fmt.Errorf("database: %w", err)
	}
	if version < oldestServer {
		return Migrated{}, fmt.Errorf("the server is PostgreSQL %d; walletsync needs 15 or newer", version/10000)
	}
	out, err := steps(ctx, db)
	if err != nil {
		return out, err
	}
	if err := putAccounts(ctx, db, accounts); err != nil {
		return out, fmt.Errorf("accounts: %w", err)
	}
	out.Accounts = len(accounts)
	return out, nil
}

func steps(ctx context.Context, db *sql.DB) (Migrated, error) {
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return Migrated{}, err
	}
	// goose keeps its table in the schema that the first step needs, too. Two
	// processes that create it at once may collide within Postgres itself.
	if _, err := db.ExecContext(ctx, `create schema if not exists walletsync`); err != nil && !alreadyExists(err) {
		return Migrated{}, fmt.Errorf("create schema walletsync (the migrator's role must own it, or may create it): %w", err)
	}
	p, err := goose.NewProvider(goose.DialectPostgres, db, migrations.FS,
		goose.WithTableName("walletsync.migrations"), goose.WithSessionLocker(locker))
	if err != nil {
		return Migrated{}, fmt.Errorf("migrations: %w", err)
	}
	var out Migrated
	results, err := p.Up(ctx)
	var partial *goose.PartialError
	if errors.As(err, &partial) {
		results = partial.Applied
	}
	for _, r := range results {
		out.Applied = append(out.Applied, strings.TrimSuffix(r.Source.Path, ".sql"))
	}
	if err != nil {
		return out, fmt.Errorf("migrate: %w", err)
	}
	if out.To, err = p.GetDBVersion(ctx); err != nil {
		return out, fmt.Errorf("schema version: %w", err)
	}
	out.From = out.To
	if len(results) > 0 {
		out.From = results[0].Source.Version - 1
	}
	return out, nil
}

// putAccounts writes the accounts and their quotas. An account that has left
// the configuration keeps its rows: they are history.
func putAccounts(ctx context.Context, db *sql.DB, accounts []Account) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	for _, a := range accounts {
		if _, err := tx.ExecContext(ctx, sqlAccount,
			a.ID, a.MerchantID, a.Environment, a.Region, a.LedgerCurrency, a.Follow.Types, a.Follow.KnownOnly); err != nil {
			return fmt.Errorf("%s: %w", a.ID, err)
		}
		for _, q := range a.Quotas {
			q = q.Share(a.Share)
			if _, err := tx.ExecContext(ctx, sqlQuota, a.ID, q.Call, q.Burst, q.PerSecond); err != nil {
				return fmt.Errorf("%s: quota of %s: %w", a.ID, q.Call, err)
			}
		}
	}
	// The back-office's views begin with this table, and autovacuum never looks at
	// one of a few rows: the planner would take it for hundreds.
	if _, err := tx.ExecContext(ctx, `analyze walletsync.accounts`); err != nil {
		return fmt.Errorf("statistics: %w", err)
	}
	return tx.Commit()
}

// alreadyExists reports whether something to be created is there.
func alreadyExists(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && (refused.Code == "42P06" || refused.Code == "23505")
}
