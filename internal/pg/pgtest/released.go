package pgtest

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"walletsync/internal/pg/migrate"
	"walletsync/migrations"
)

// schemaVersion has the tests of a process of this binary run on an older
// schema, that of this version.
const schemaVersion = "SCHEMA_VERSION"

// RunOnTheLastReleasedSchema runs tests of this binary once more, on the schema
// that migrations/released names: functions and migrator never switch at once.
// What needs a later step may wait for it, and is not among them.
//
// Before the first release that schema is the newest, on which everything runs
// anyway: then it runs sample alone, to show the way, or nothing if that is empty.
// Of those that run, the test must has to pass.
func RunOnTheLastReleasedSchema(t *testing.T, tests, sample, must string) {
	if os.Getenv(schemaVersion) != "" {
		t.Skip("this is the process that runs them")
	}
	file, err := os.ReadFile("../../../migrations/released")
	if err != nil {
		t.Fatal(err)
	}
	version := ""
	for line := range strings.Lines(string(file)) {
		if !strings.HasPrefix(line, "#") {
			version, _, _ = strings.Cut(strings.TrimSpace(line), " ")
		}
	}
	if version == "none" {
		t.Log("nothing is released: the newest schema stands in for the last released one")
		version, tests = "9999", sample
	}
	if tests == "" {
		t.Skip("nothing is released")
	}
	if out, err := onSchema(t, version, tests); err != nil || !strings.Contains(out, "--- PASS: "+must) {
		t.Errorf("on the schema at version %s: %v\n%s", version, err, out)
	}
	// It fails when it should: before the first step there are no tables.
	if out, err := onSchema(t, "0", tests); err == nil || !strings.Contains(out, "does not exist") {
		t.Errorf("on a database without tables: %v\n%s", err, out)
	}
}

// onSchema runs tests of this binary on the schema at a version.
func onSchema(t *testing.T, version, tests string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.failfast", "-test.run="+tests) //nolint:gosec // this binary, with a pattern of its own
	cmd.Env = append(os.Environ(), schemaVersion+"="+version)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// prepare brings a database up to date, or to the version that the process is to
// run on, with these accounts.
func prepare(ctx context.Context, url string, accounts []migrate.Account) error {
	older := os.Getenv(schemaVersion)
	if older == "" {
		_, err := migrate.Run(ctx, url, "", accounts)
		return err
	}
	version, err := strconv.ParseInt(older, 10, 64)
	if err != nil {
		return err
	}
	db, err := sql.Open("pgx", url)
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, `create schema walletsync`); err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectPostgres, db, migrations.FS, goose.WithTableName("walletsync.migrations"))
	if err != nil {
		return err
	}
	if version > 0 {
		if _, err := p.UpTo(ctx, version); err != nil {
			return err
		}
	}
	// As that release's migrator copied them.
	for _, a := range accounts {
		if _, err := db.ExecContext(ctx, `insert into walletsync.accounts (id, merchant_id, environment, region, ledger_currency, follow_types, follow_known_only)
			values ($1, $2, $3, $4, $5, $6, $7)`, a.ID, a.MerchantID, a.Environment, a.Region, a.LedgerCurrency, a.Follow.Types, a.Follow.KnownOnly); err != nil {
			return fmt.Errorf("%s: %w", a.ID, err)
		}
		for _, q := range a.Quotas {
			q = q.Share(a.Share)
			if _, err := db.ExecContext(ctx, `insert into walletsync.api_quota (account, call, burst, per_second, tokens) values ($1, $2, $3, $4, $3)`,
				a.ID, q.Call, q.Burst, q.PerSecond); err != nil {
				return fmt.Errorf("%s: quota of %s: %w", a.ID, q.Call, err)
			}
		}
	}
	return nil
}
