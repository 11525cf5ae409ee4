package postgres

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"walletsync/internal/wallet"
)

// errNoAccount is an account that the configuration knows and the database does
// not.
func errNoAccount(a wallet.AccountID) error {
	return fmt.Errorf("account %s is not in the database: invoke the migrator, which copies the accounts there", a)
}

// connectionLost reports whether the connection broke, rather than that the
// server refused: a new one may serve.
func connectionLost(err error) bool {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		// Class 57P: the server is going down or has ended this session.
		return strings.HasPrefix(refused.Code, "57P")
	}
	return !notConnected(err)
}

// notConnected reports whether a connection could not be had at all.
func notConnected(err error) bool {
	var connect *pgconn.ConnectError
	return errors.As(err, &connect)
}

// unstorable reports whether the server refused the data itself: a value that a
// column cannot hold (class 22) or a rule forbids (class 23).
func unstorable(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && (strings.HasPrefix(refused.Code, "22") || strings.HasPrefix(refused.Code, "23"))
}
