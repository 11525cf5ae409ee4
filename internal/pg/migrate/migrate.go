// Package migrate brings the schema up to date. It stands apart from package pg
// so that only the migrator links goose.
package migrate

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"github.com/pressly/goose/v3/lock"
	"github.com/rs/zerolog"

	"walletsync/internal/amazonpay/merchant"
	"walletsync/internal/pg"
	"walletsync/internal/wallet"
	"walletsync/migrations"
)

//go:embed session.sql
var sqlSession string

//go:embed readers.sql
var sqlReaders string

//go:embed account.sql
var sqlAccount string

//go:embed left.sql
var sqlLeft string

//go:embed quota.sql
var sqlQuota string

//go:embed idle.sql
var sqlIdle string

// Account is the part of an account that is copied into the database: no secrets.
type Account struct {
	ID             wallet.AccountID
	MerchantID     string
	Environment    merchant.Environment
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
	Known    int64    `json:"known"` // the newest that this code has; To is above it after a rollback
	Applied  []string `json:"applied"`
	Accounts int      `json:"accounts"`
	// Left are the accounts that this run found missing from the configuration.
	Left []string `json:"left,omitempty"`
	// ByHand is SQL that an administrator must run because the migrator's role may
	// not; then the migrator must run again. Empty: nothing.
	ByHand string `json:"byHand"`
}

const (
	// lockPause is between two attempts at a step that found a table locked:
	// long enough for the sessions that waited behind it.
	lockPause = time.Second
	// lockTimeout is how many seconds a migrator waits for another; what ends
	// it is the context, and Lambda allows no more.
	lockTimeout = 900
)

// Run brings the schema of the database at url up to date and copies the
// accounts into it. It is idempotent, and safe to run twice at once: a session
// lock makes the second wait. The url must lead to the server directly, as a
// pooler in transaction mode would lose that lock. ca is certificate authorities
// in PEM that are trusted besides; empty: none.
//
// Options may change how it connects, as its password.
//
// A step that does not get its locks within seconds gives up, so that it does not
// block the sessions behind it, and is retried until ctx ends.
//
// A schema newer than this code knows is left as it is: after a rollback, the
// older code runs on it.
//
// The error includes the remedy. It holds no value of a row, no password and no
// SQL, because deploys show it.
func Run(ctx context.Context, url, ca string, accounts []Account, options ...stdlib.OptionOpenDB) (Migrated, error) {
	return run(ctx, migrations.FS, url, ca, accounts, options...)
}

func run(ctx context.Context, files fs.FS, url, ca string, accounts []Account, options ...stdlib.OptionOpenDB) (Migrated, error) {
	c, err := pg.ConnConfig(url, ca)
	if err != nil {
		return Migrated{}, err
	}
	db := stdlib.OpenDB(*c, append(options, stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, sqlSession)
		return err
	}))...)
	defer db.Close()
	var version int
	if err := db.QueryRowContext(ctx, `select current_setting('server_version_num')::int`).Scan(&version); err != nil {
		return Migrated{}, fmt.Errorf("%w; check the URL in the database's secret, and that the migrator may reach that host", explain(err))
	}
	if version/10000 < migrations.OldestServer {
		return Migrated{}, fmt.Errorf("the server is PostgreSQL %d; walletsync needs %d or newer", version/10000, migrations.OldestServer)
	}
	out, err := steps(ctx, files, db)
	if err != nil {
		return out, err
	}
	if out.ByHand, err = readers(ctx, db); err != nil {
		return out, fmt.Errorf("readers' roles: %w", explain(err))
	}
	if out.Left, err = putAccounts(ctx, db, accounts); err != nil {
		return out, fmt.Errorf("accounts: %w", explain(err))
	}
	out.Accounts = len(accounts)
	logMigrated(ctx, out)
	return out, nil
}

// EndIdleSessions has the server end the idle sessions of the user at url, the
// functions' own, after ten minutes: a connection that old would be replaced at
// its next use. It works through a pooler, too. A failure is only logged, as the
// functions work without it.
func EndIdleSessions(ctx context.Context, url, ca string, options ...stdlib.OptionOpenDB) {
	err := endIdleSessions(ctx, url, ca, options)
	if err != nil {
		zerolog.Ctx(ctx).Warn().Err(err).Msg("idle_session_timeout could not be set; as the functions' user, run: alter role current_user in database … set idle_session_timeout = '10min'")
	}
}

func endIdleSessions(ctx context.Context, url, ca string, options []stdlib.OptionOpenDB) error {
	c, err := pg.ConnConfig(url, ca)
	if err != nil {
		return err
	}
	c.DefaultQueryExecMode = pgx.QueryExecModeExec
	db := stdlib.OpenDB(*c, options...)
	defer db.Close()
	if _, err := db.ExecContext(ctx, sqlIdle); err != nil {
		return explain(err)
	}
	return nil
}

// logMigrated logs what was done, and what remains to be done by hand.
func logMigrated(ctx context.Context, done Migrated) {
	log := zerolog.Ctx(ctx)
	log.Info().Interface("migrated", done).Msg("the schema is up to date")
	if done.To > done.Known {
		log.Warn().Int64("schema", done.To).Int64("known", done.Known).Msg("the schema is of a later release and was not changed; this release runs on it")
	}
	if len(done.Left) > 0 {
		log.Warn().Strs("accounts", done.Left).Msg("accounts are no longer in ACCOUNTS: nothing is read for them, and their personal data is erased RETENTION_DAYS from now; put them back if they should stay")
	}
	if done.ByHand != "" {
		log.Warn().Str("sql", done.ByHand).Msg("the readers' roles are missing, and this role may not create them: run the SQL as an administrator, then invoke the migrator again")
	}
}

func steps(ctx context.Context, files fs.FS, db *sql.DB) (Migrated, error) {
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, lockTimeout))
	if err != nil {
		return Migrated{}, err
	}
	if err := createVersionTable(ctx, db, locker); err != nil {
		return Migrated{}, fmt.Errorf("create schema walletsync and its table migrations: %w", explain(err))
	}
	p, err := goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithTableName(versionTable), goose.WithSessionLocker(locker))
	if err != nil {
		return Migrated{}, fmt.Errorf("migrations: %w", err)
	}
	var out Migrated
	all := p.ListSources()
	out.Known = all[len(all)-1].Version
	results, err := up(ctx, p)
	for _, r := range results {
		out.Applied = append(out.Applied, name(r))
	}
	if err != nil {
		return out, err
	}
	if out.To, err = p.GetDBVersion(ctx); err != nil {
		return out, fmt.Errorf("schema version: %w", explain(err))
	}
	out.From = out.To
	if len(results) > 0 {
		out.From = 0
		for _, s := range all { // ascending
			if s.Version < results[0].Source.Version {
				out.From = s.Version
			}
		}
	}
	return out, nil
}

// versionTable is where goose records which steps were applied.
const versionTable = "walletsync.migrations"

// createVersionTable creates goose's table, and the schema that holds it, unless
// they exist. goose would create the table before it takes its lock (Provider.Up
// first looks for open steps), so that of two migrators on an empty database one
// can take the name of the other's sequence.
func createVersionTable(ctx context.Context, db *sql.DB, locker lock.SessionLocker) (err error) {
	store, err := database.NewStore(database.DialectPostgres, versionTable)
	if err != nil {
		return err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := locker.SessionLock(ctx, conn); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, locker.SessionUnlock(context.WithoutCancel(ctx), conn)) }()
	var exists bool
	if err := conn.QueryRowContext(ctx, `select to_regclass($1) is not null`, versionTable).Scan(&exists); err != nil || exists {
		return err
	}
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(ctx, `create schema if not exists walletsync`); err != nil {
		return err
	}
	if err := store.CreateVersionTable(ctx, tx); err != nil {
		return err
	}
	if err := store.Insert(ctx, tx, database.InsertRequest{Version: 0}); err != nil {
		return err
	}
	return tx.Commit()
}

// up applies the steps that are open, and retries one that was blocked by a lock.
// It returns those that were applied, also if a later one failed.
func up(ctx context.Context, p *goose.Provider) (applied []*goose.MigrationResult, err error) {
	blocked := false
	for {
		results, err := p.Up(ctx)
		at := "migrate"
		var partial *goose.PartialError
		if errors.As(err, &partial) {
			results, at = partial.Applied, "step "+name(partial.Failed)
		}
		applied = append(applied, results...)
		if err == nil {
			return applied, nil
		}
		if !inTheWay(err) && (!blocked || ctx.Err() == nil) {
			return applied, fmt.Errorf("%s: %w", at, explain(unquoted(err)))
		}
		blocked = true
		zerolog.Ctx(ctx).Warn().Str("at", at).Msg("step needs a lock that another session holds; gave up, will retry")
		pause := time.NewTimer(lockPause)
		select {
		case <-ctx.Done():
			pause.Stop()
			return applied, fmt.Errorf("%s: %w; other sessions held the locks that it needs all the time: find them with pg_blocking_pids(), end the long transactions, and migrate again", at, explain(err))
		case <-pause.C:
		}
	}
}

// name is the file of a step, without its ending.
func name(r *goose.MigrationResult) string { return strings.TrimSuffix(r.Source.Path, ".sql") }

// readers grants the readers' roles their schemas. Roles belong to the whole
// cluster, so they may exist already, from another database or because an
// administrator created them. If one is missing and the migrator may not create
// it, everything but reading works, and byHand is the SQL for an administrator.
func readers(ctx context.Context, db *sql.DB) (byHand string, err error) {
	var missing []string
	for _, of := range []struct{ schema, role, create string }{
		{"back_office", "walletsync_reader", "create role walletsync_reader nologin"},
		{"back_office_masked", "walletsync_reader_masked", "create role walletsync_reader_masked nologin"},
	} {
		var exists bool
		if err := db.QueryRowContext(ctx, `select exists (select from pg_roles where rolname = $1)`, of.role).Scan(&exists); err != nil {
			return "", err
		}
		if !exists {
			_, err := db.ExecContext(ctx, of.create)
			switch {
			case code(err) == "42501": // insufficient_privilege
				missing = append(missing, of.create)
				continue
			case err != nil && !alreadyExists(err): // another database's migrator was faster
				return "", err
			}
		}
		if _, err := db.ExecContext(ctx, fmt.Sprintf(sqlReaders, of.schema, of.role)); err != nil {
			return "", err
		}
	}
	return strings.Join(missing, "; "), nil
}

// putAccounts writes the accounts and their quotas, and returns those that were
// removed from the configuration since the last run. They keep their rows as
// history; retention erases the personal data in them.
func putAccounts(ctx context.Context, db *sql.DB, accounts []Account) (left []string, err error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }()
	configured := make([]string, len(accounts))
	for i, a := range accounts {
		configured[i] = string(a.ID)
		if _, err := tx.ExecContext(ctx, sqlAccount,
			a.ID, a.MerchantID, a.Environment, a.Region, a.LedgerCurrency, a.Follow.Types, a.Follow.KnownOnly); err != nil {
			return nil, fmt.Errorf("%s: %w", a.ID, err)
		}
		for _, q := range a.Quotas {
			q = q.Share(a.Share)
			if _, err := tx.ExecContext(ctx, sqlQuota, a.ID, q.Call, q.Burst, q.PerSecond); err != nil {
				return nil, fmt.Errorf("%s: quota of %s: %w", a.ID, q.Call, err)
			}
		}
	}
	if left, err = departed(ctx, tx, configured); err != nil {
		return nil, fmt.Errorf("removed accounts: %w", err)
	}
	// The back-office's views begin with this table, and autovacuum never looks at
	// one of a few rows: the planner would take it for hundreds.
	if _, err := tx.ExecContext(ctx, `analyze walletsync.accounts`); err != nil {
		return nil, fmt.Errorf("statistics: %w", err)
	}
	return left, tx.Commit()
}

// departed records when accounts were removed from the configuration, and returns
// them. A configuration has at least one account: without any it does nothing.
func departed(ctx context.Context, tx *sql.Tx, configured []string) (left []string, err error) {
	if len(configured) == 0 {
		return nil, nil
	}
	rows, err := tx.QueryContext(ctx, sqlLeft, configured)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		left = append(left, id)
	}
	return left, rows.Err()
}

// code is the SQLSTATE of a refusal by the server ("PostgreSQL Error Codes").
func code(err error) string {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return refused.Code
	}
	return ""
}

// alreadyExists reports whether an object to be created exists already:
// duplicate_object, or unique_violation within the catalog.
func alreadyExists(err error) bool {
	switch code(err) {
	case "42710", "23505":
		return true
	}
	return false
}

// inTheWay reports whether a step failed because other sessions hold its locks:
// lock_not_available or deadlock_detected.
func inTheWay(err error) bool { return code(err) == "55P03" || code(err) == "40P01" }

// explain returns an error as it may be shown, with the remedy. The server's quotes values
// that it could not read (class 22).
func explain(err error) error {
	var refused *pgconn.PgError
	var connect *pgconn.ConnectError
	switch {
	case errors.As(err, &refused):
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("time-out (%w): give the migrator more time, or migrate by hand", context.DeadlineExceeded)
	case errors.As(err, &connect):
		return connect // without the password
	default:
		return err
	}
	message, remedy := refused.Message, ""
	switch {
	case strings.HasPrefix(refused.Code, "22"):
		message, remedy = "a stored value does not fit", "; the server's log has the row"
	case strings.HasPrefix(refused.Code, "23"):
		remedy = "; the server's log has the row"
	case refused.Code == "42501":
		remedy = `; the migrator's role must own the schemas walletsync, back_office and back_office_masked, or be allowed to create them ("grant create on database …")`
	}
	return fmt.Errorf("%s (SQLSTATE %s)%s", message, refused.Code, remedy)
}

// unquoted is an error of goose's without the whole statement, which it quotes:
// what explain does not take out of it is where it began.
func unquoted(err error) error {
	var refused *pgconn.PgError
	var connect *pgconn.ConnectError
	if errors.As(err, &refused) || errors.As(err, &connect) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	for {
		switch w := err.(type) { //nolint:errorlint // it walks the chain
		case interface{ Unwrap() error }:
			if w.Unwrap() == nil {
				return err
			}
			err = w.Unwrap()
		case interface{ Unwrap() []error }:
			if len(w.Unwrap()) == 0 {
				return err
			}
			err = w.Unwrap()[0]
		default:
			return err
		}
	}
}
