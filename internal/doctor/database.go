package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"walletsync/internal/amazonpay/merchant"
	"walletsync/internal/config"
	"walletsync/internal/wallet"
	"walletsync/migrations"
)

// Database describes a database.
type Database struct {
	Server   int    // PostgreSQL's major version
	Role     string // our own
	Local    bool   // on this machine
	TLS      string // the version; empty: not encrypted
	Verified bool   // the server's certificate and name were checked

	Connections int  // how many the role may have open
	EndsIdle    bool // the server ends the role's sessions that are idle for long
	Pooled      bool // the functions' URL leads to a pooler

	// Unapplied are the migrations of this release that the database lacks. Unknown
	// is how many it has of a newer one.
	Unapplied []string
	Unknown   int
	Blind     bool // the role may not read which are applied
	Schema    bool // the schema walletsync exists
	// Ungranted are the rights that the functions need and the role lacks, such as "update on walletsync.refreshes".
	Ungranted []string
	// MayMigrate is true if the role may do what the migrator does.
	MayMigrate bool
	// NoRoles are the readers' roles that are missing.
	NoRoles  []string
	Accounts []Row
}

// Row is an account as the database knows it.
type Row struct {
	ID             wallet.AccountID
	MerchantID     string
	Environment    merchant.Environment
	Region         string
	LedgerCurrency string
	PerSecond      float64 // of Get Charge Permission, the account's share
}

// Unreachable is why a database cannot be reached.
type Unreachable struct {
	Reason Reason
	Err    error // holds no password
}

// Reason is why a database cannot be reached.
type Reason string

// The reasons.
const (
	ReasonURL     Reason = "url"     // it cannot be read
	ReasonLogin   Reason = "login"   // the role or its password was refused
	ReasonName    Reason = "name"    // there is no such database
	ReasonClear   Reason = "clear"   // the URL allows a connection without TLS
	ReasonTLS     Reason = "tls"     // no TLS, or a certificate that is not trusted
	ReasonNetwork Reason = "network" // anything else
)

func (u *Unreachable) Error() string { return u.Err.Error() }
func (u *Unreachable) Unwrap() error { return u.Err }

var unreachableRemedies = map[Reason]string{
	ReasonURL:     "set the secret's url to postgres://user:password@host:5432/database?sslmode=verify-full, with what is special in the password percent-encoded",
	ReasonLogin:   "correct user or password in the secret's url",
	ReasonName:    "create the database, or correct its name in the secret's url",
	ReasonClear:   "end url (and directUrl) of the secret by sslmode=verify-full: without it passwords and addresses could cross the network readable",
	ReasonTLS:     "have the server take TLS (rds.force_ssl, or ssl = on), and the url name it as its certificate does; if its certificate authority is neither the system's nor RDS's, put that in PEM into the secret's member ca",
	ReasonNetwork: "look at host, port, security group and firewall. A database in a VPC is not reached from outside: run this from a host within, or through a tunnel",
}

// remedyIAM is the remedy if the server refuses a sign-in by IAM.
const remedyIAM = "where the url has no password, IAM signs in: grant rds_iam to its user; allow rds-db:connect on that user to the caller of this; and if the url's host is a CNAME or a tunnel, set DATABASE_IAM_ENDPOINT to the database's own endpoint and port in RDS"

// bundleAge is the age at which RDS's certificate authorities count as old:
// AWS opens a region or two a year, and starts new authorities years before it
// needs them.
const bundleAge = 3 * 365 * 24 * time.Hour

// judgeBundle checks the age of the built-in authorities of RDS.
func (d *Doctor) judgeBundle(r *report) {
	const check = "certificates of RDS"
	date := d.RDSBundle.Format(time.DateOnly)
	if d.Now().Sub(d.RDSBundle) > bundleAge {
		r.bad(check, "", "those that are built in are of "+date, "deploy a newer release; until then, if a connection fails by its certificate, put the region's bundle (truststore.pki.rds.amazonaws.com) into the secret's member ca")
		return
	}
	r.good(check, "", "of %s", date)
}

// ofDatabase are the checks that need a database.
var ofDatabase = []string{"server", "migrated", "rights", "readers", "connections", "accounts"}

// database checks that the database can be reached and is as the functions need it.
// It returns whether its data can be read.
func (d *Doctor) database(ctx context.Context, r *report) (migrated bool) {
	const check = "database"
	skip := func(why string) bool {
		for _, c := range ofDatabase {
			r.skip(c, "", why)
		}
		return false
	}
	if d.Config.Worker.DatabaseSecret == "" {
		r.skip(check, "", "DATABASE_SECRET_ARN is missing")
		return skip("there is no database")
	}
	urls, err := d.Database(ctx)
	if err != nil {
		r.bad(check, "", plain(err), readable)
		return skip("there is no database")
	}
	db, ok := d.look(ctx, r, check, urls.URL, urls.CA)
	if strings.Contains(strings.ToLower(urls.URL.Reveal()+urls.DirectURL.Reveal()), ".rds.amazonaws.com") {
		d.judgeBundle(r)
	}
	if !ok {
		return skip("the database cannot be reached")
	}
	if urls.DirectURL.Reveal() != urls.URL.Reveal() {
		direct, ok := d.look(ctx, r, "direct database", urls.DirectURL, urls.CA)
		db.Pooled = true
		db.MayMigrate = !ok || direct.MayMigrate // the migrator uses that URL; one line about it is enough
	}
	lines, migrated := d.judgeDatabase(db)
	r.lines = append(r.lines, lines...)
	return migrated
}

// look connects to one database, and reports how.
func (d *Doctor) look(ctx context.Context, r *report, check string, url config.Secret, ca string) (Database, bool) {
	db, err := d.Databases.Look(ctx, url, ca)
	if err != nil {
		remedy := "the database answers, but not what was asked: run this again, then look at its log"
		if u, ok := errors.AsType[*Unreachable](err); ok {
			remedy = unreachableRemedies[u.Reason]
			if u.Reason == ReasonLogin && d.Config.Worker.DatabaseIAM.On {
				remedy = remedyIAM
			}
		}
		r.bad(check, "", plain(err), remedy)
		return Database{}, false
	}
	switch {
	case db.Local:
		r.good(check, "", "reached on this machine")
	case db.Verified:
		r.good(check, "", "reached over %s, certificate verified", db.TLS)
	default:
		r.good(check, "", "reached over %s; the server's name is not verified (sslmode=verify-full does that)", db.TLS)
	}
	return db, true
}

// judgeDatabase judges what is in a database.
func (d *Doctor) judgeDatabase(db Database) (lines []Line, migrated bool) {
	var r report
	if db.Server < migrations.OldestServer {
		r.bad("server", "", fmt.Sprintf("PostgreSQL %d", db.Server), fmt.Sprintf("upgrade it to PostgreSQL %d or newer", migrations.OldestServer))
	} else {
		r.good("server", "", "PostgreSQL %d", db.Server)
	}
	const deploy = "deploy again, or invoke the migrator by hand (functions/RUNBOOK.md, \"Migrations by hand\")"
	switch {
	case d.Before && !db.Schema:
		r.skip("migrated", "", "the deploy migrates")
	case !db.Schema:
		r.bad("migrated", "", "there is no schema walletsync", deploy)
	case db.Blind:
		r.skip("migrated", "", db.Role+" may not read walletsync.migrations and walletsync.accounts")
	case len(db.Unapplied) > 0 && d.Before:
		r.good("migrated", "", "the deploy applies %s", strings.Join(db.Unapplied, ", "))
	case len(db.Unapplied) > 0:
		r.bad("migrated", "", "not applied: "+strings.Join(db.Unapplied, ", "), deploy)
	case db.Unknown > 0:
		r.good("migrated", "", "all of this release's; %s more, of a newer release", count(db.Unknown, "migration"))
	default:
		r.good("migrated", "", "up to date")
	}
	migrated = db.Schema && !db.Blind && len(db.Unapplied) == 0
	switch {
	case !db.MayMigrate && !db.Schema:
		r.bad("rights", "", db.Role+" may not migrate", "as an administrator: grant create on the database to "+db.Role+", or name a role that may by directUrl in the secret")
	case !db.MayMigrate:
		r.bad("rights", "", db.Role+" may not migrate: another owns the schema", "name the role that owns the schema walletsync by directUrl in the secret, or grant that role to "+db.Role)
	case !db.Schema:
		r.good("rights", "", "%s may migrate", db.Role)
	case len(db.Ungranted) > 0:
		r.bad("rights", "", fmt.Sprintf("%s lacks: %s", db.Role, strings.Join(db.Ungranted, ", ")), "as the schema's owner: grant them to "+db.Role)
	default:
		r.good("rights", "", "%s may do what the functions do, and migrate", db.Role)
	}
	switch {
	case len(db.NoRoles) > 0 && d.Before:
		r.skip("readers", "", "the deploy makes "+strings.Join(db.NoRoles, " and ")+", if its role may")
	case len(db.NoRoles) > 0:
		r.bad("readers", "", "missing: "+strings.Join(db.NoRoles, ", "),
			"as an administrator: create role "+strings.Join(db.NoRoles, " nologin; create role ")+" nologin; then migrate again")
	default:
		r.good("readers", "", "the readers' roles exist")
	}
	d.judgeConnections(&r, db)
	if !migrated {
		r.skip("accounts", "", "the database is not migrated")
		return r.lines, false
	}
	for _, a := range d.Config.Accounts() {
		migrated = d.judgeRow(&r, a, db.Accounts) && migrated
	}
	return r.lines, migrated
}

// judgeConnections compares the server's limit with what the functions can open.
func (d *Doctor) judgeConnections(r *report, db Database) {
	const check = "connections"
	open := d.Config.Worker.Connections
	switch {
	case db.Pooled:
		r.good(check, "", "url leads to a pooler, which bounds them")
	case open > db.Connections:
		r.bad(check, "", fmt.Sprintf("the functions can have %d open, and the server takes %d of %s", open, db.Connections, db.Role),
			"lower WorkerConcurrency or the other functions' concurrency, and DATABASE_CONNECTIONS with them; or raise max_connections; or let url lead to a pooler and directUrl to the server")
	case !db.EndsIdle && (d.Before || !db.Schema):
		r.skip(check, "", "the migrator sets idle_session_timeout")
	case !db.EndsIdle:
		r.bad(check, "", "those of functions that Lambda took away stay open: idle_session_timeout is 0",
			"invoke the migrator, which sets it, or as "+db.Role+": alter role current_user in database … set idle_session_timeout = '10min'")
	case open == 0:
		r.skip(check, "", fmt.Sprintf("the server takes %d; DATABASE_CONNECTIONS, how many the functions can have open, is not set", db.Connections))
	default:
		r.good(check, "", "the functions can have %d open, and the server takes %d", open, db.Connections)
	}
}

// judgeRow compares an account with the database's copy of it. It returns false if
// there is none.
func (d *Doctor) judgeRow(r *report, a config.Account, rows []Row) (known bool) {
	i := slices.IndexFunc(rows, func(row Row) bool { return row.ID == a.ID })
	var per float64
	for _, q := range a.Quotas {
		if q.Call == wallet.GetChargePermission {
			per = q.Share(a.Share).PerSecond
		}
	}
	want := Row{a.ID, a.MerchantID, a.Environment, string(a.Region), a.LedgerCurrency, per}
	switch {
	case i < 0 && d.Before:
		r.skip("accounts", a.ID, "the deploy copies it into the database")
		return false
	case i < 0:
		r.bad("accounts", a.ID, "the database does not know it", "deploy again, or invoke the migrator, which copies the accounts into the database")
		return false
	case rows[i] != want && d.Before:
		r.good("accounts", a.ID, "the deploy changes it in the database")
	case rows[i] != want:
		r.bad("accounts", a.ID, "the database has other settings: "+differs(rows[i], want), "deploy again, or invoke the migrator, which copies the accounts into the database")
	default:
		r.good("accounts", a.ID, "as in the database")
	}
	return true
}

// differs names what differs.
func differs(there, here Row) string {
	var all []string
	for _, c := range []struct {
		name   string
		differ bool
	}{
		{"merchantId", there.MerchantID != here.MerchantID}, {"environment", there.Environment != here.Environment},
		{"region", there.Region != here.Region}, {"ledgerCurrency", there.LedgerCurrency != here.LedgerCurrency},
		{"share or quotas", there.PerSecond != here.PerSecond},
	} {
		if c.differ {
			all = append(all, c.name)
		}
	}
	return strings.Join(all, ", ")
}
