package pg

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// The SQLSTATE codes here are those of PostgreSQL's documentation, "PostgreSQL
// Error Codes". Their first two characters are the class.

// MissingAccount is the error for an account that the configuration knows and the
// database does not.
func MissingAccount[T ~string](account T) error {
	return fmt.Errorf("account %s is not in the database: invoke the migrator, which copies the accounts there", account)
}

// serverUnusable reports whether the server answered that it can do nothing for
// this connection, while another connection may serve: it is read-only, as after
// a failover; it goes down or ends the session; or a pooler has lost it. The
// statements of the trip had no effect, or it is safe to repeat.
func serverUnusable(err error) bool {
	refused, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (refused.Code == "25006" || // read_only_sql_transaction
		strings.HasPrefix(refused.Code, "57P") || // operator intervention: shutdown, crash, idle_session_timeout
		strings.HasPrefix(refused.Code, "08")) // connection exception
}

// Unstorable reports whether the server refused the data itself: a value that a
// column cannot hold (class 22), a rule forbids (class 23), or a limit of the
// server does, as that of an index entry's size (class 54).
func Unstorable(err error) bool {
	refused, ok := errors.AsType[*pgconn.PgError](err)
	return ok && slices.Contains([]string{"22", "23", "54"}, class(refused))
}

func class(e *pgconn.PgError) string { return e.Code[:min(2, len(e.Code))] }

// speaksOfServer are the classes whose messages speak of the server, the session
// or the statement. Those of other classes may quote a value, which may be
// personal.
var speaksOfServer = []string{"08", "0A", "25", "28", "3D", "3F", "40", "42", "53", "55", "57", "58"}

// withoutData returns an error whose text quotes no value that was sent or
// stored. What it wraps can still be asked for, not printed.
func withoutData(err error) error {
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok && !slices.Contains(speaksOfServer, class(refused)) {
		return &dataError{describe(refused), err}
	}
	if scan, ok := errors.AsType[pgx.ScanArgError](err); ok {
		return &dataError{fmt.Sprintf("column %q of a row cannot be read", scan.FieldName), err}
	}
	return err
}

// dataError is an error about data that does not quote the data.
type dataError struct {
	text  string
	cause error
}

func (e *dataError) Error() string { return e.text }
func (e *dataError) Unwrap() error { return e.cause }

// describe names the refused table, column and constraint, and quotes no value.
func describe(e *pgconn.PgError) string {
	text := "the server refused the data: SQLSTATE " + e.Code
	for _, part := range []struct{ what, name string }{
		{"table", e.TableName}, {"column", e.ColumnName}, {"constraint", e.ConstraintName}, {"type", e.DataTypeName}, {"in", e.Routine},
	} {
		if part.name != "" {
			text += ", " + part.what + " " + part.name
		}
	}
	return text
}
