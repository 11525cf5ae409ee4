// Package postgres looks at a database for the doctor: how it is reached, how far
// it is migrated and what its role may do. It changes nothing.
package postgres

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	_ "embed"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"walletsync/internal/config"
	"walletsync/internal/doctor"
	"walletsync/internal/pg"
	"walletsync/migrations"
)

//go:embed sql/look.sql
var sqlLook string

//go:embed sql/rights.sql
var sqlRights string

//go:embed sql/accounts.sql
var sqlAccounts string

// Examiner looks at databases.
type Examiner struct {
	// Rights are what the functions need of each table of the schema walletsync.
	Rights map[string][]string
	// SignIn is called before each connection; nil: nothing is.
	SignIn func(context.Context, *pgx.ConnConfig) error
}

// timeout bounds a look, connecting included.
const timeout = 10 * time.Second

// Look connects to the database at url, trusting the certificate authorities ca
// besides, and returns what it finds.
func (e Examiner) Look(ctx context.Context, url config.Secret, ca string) (doctor.Database, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	c, err := pg.ConnConfig(url.Reveal(), ca)
	switch {
	case errors.Is(err, pg.ErrURL):
		return doctor.Database{}, &doctor.Unreachable{Reason: doctor.ReasonURL, Err: err}
	case errors.Is(err, pg.ErrClear):
		return doctor.Database{}, &doctor.Unreachable{Reason: doctor.ReasonClear, Err: err}
	case err != nil:
		return doctor.Database{}, &doctor.Unreachable{Reason: doctor.ReasonTLS, Err: err}
	}
	c.DefaultQueryExecMode = pgx.QueryExecModeExec // serves through a pooler, too
	c.ConnectTimeout = 5 * time.Second
	if e.SignIn != nil {
		if err := e.SignIn(ctx, c); err != nil {
			return doctor.Database{}, &doctor.Unreachable{Reason: doctor.ReasonLogin, Err: err}
		}
	}
	conn, err := pgx.ConnectConfig(ctx, c)
	if err != nil {
		return doctor.Database{}, unreachable(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	db := reached(c, conn)
	var readable bool
	var applied []int64
	var version int
	if err := conn.QueryRow(ctx, sqlLook, readers).Scan(&version, &db.Role, &db.Schema, &readable, &db.MayMigrate, &db.Connections, &db.EndsIdle, &db.NoRoles); err != nil {
		return doctor.Database{}, err
	}
	db.Server = version / 10000
	if !db.Schema {
		db.Unapplied = unapplied(nil)
		return db, nil
	}
	if db.Blind = !readable; !db.Blind {
		rows, err := conn.Query(ctx, `select version_id from walletsync.migrations where is_applied`)
		if err == nil {
			applied, err = pgx.CollectRows(rows, pgx.RowTo[int64])
		}
		if err != nil {
			return doctor.Database{}, err
		}
		db.Unapplied = unapplied(applied)
		for _, v := range applied {
			if _, ours := known()[v]; !ours && v != 0 { // 0: goose's own mark that the table is there
				db.Unknown++
			}
		}
		if rows, err = conn.Query(ctx, sqlAccounts); err == nil {
			db.Accounts, err = pgx.CollectRows(rows, pgx.RowToStructByPos[doctor.Row])
		}
		if err != nil {
			return doctor.Database{}, err
		}
	}
	var tables, rights []string
	for table, needed := range e.Rights {
		for _, right := range needed {
			tables, rights = append(tables, table), append(rights, right)
		}
	}
	rows, err := conn.Query(ctx, sqlRights, tables, rights)
	if err == nil {
		db.Ungranted, err = pgx.CollectRows(rows, pgx.RowTo[string])
	}
	return db, err
}

// readers are the roles that the migrations make.
var readers = []string{"walletsync_reader", "walletsync_reader_masked"}

// reached returns how a connection was made.
func reached(c *pgx.ConnConfig, conn *pgx.Conn) doctor.Database {
	var db doctor.Database
	db.Local = pg.Local(c.Host)
	if secure, ok := conn.PgConn().Conn().(*tls.Conn); ok {
		db.TLS = tls.VersionName(secure.ConnectionState().Version)
	}
	_, db.Verified = pg.Verified(c.TLSConfig)
	return db
}

// unreachable sorts why a connection was not made.
func unreachable(err error) error {
	reason := doctor.ReasonNetwork
	refused, answered := errors.AsType[*pgconn.PgError](err)
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	switch {
	case answered && strings.HasPrefix(refused.Code, "28"): // invalid authorization specification
		reason = doctor.ReasonLogin
	case answered && refused.Code == "3D000": // invalid catalog name
		reason = doctor.ReasonName
	case untrusted, unknown, strings.Contains(err.Error(), "server refused TLS"): // pgconn has no type for it
		reason = doctor.ReasonTLS
	}
	return &doctor.Unreachable{Reason: reason, Err: err}
}

// known are the migrations of this code, by version.
func known() map[int64]string {
	all := map[int64]string{}
	names, _ := fs.Glob(migrations.FS, "*.sql") // the pattern is well formed
	for _, name := range names {
		number, _, _ := strings.Cut(name, "_")
		v, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			panic(err) // goose would refuse it, too
		}
		all[v] = strings.TrimSuffix(name, ".sql")
	}
	return all
}

// unapplied are the migrations of this code that are not among those applied.
func unapplied(applied []int64) []string {
	missing := known()
	for _, v := range applied {
		delete(missing, v)
	}
	return slices.Sorted(maps.Values(missing))
}
