// Package iam signs in to a database of RDS as the function's role: a token of
// IAM's stands in for a password (Amazon RDS User Guide, "IAM database
// authentication"). It stands apart so that who has no use for it need not link
// the signer. It does not use the network.
package iam

import (
	"context"
	"fmt"
	"net"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/rds/auth"
	"github.com/jackc/pgx/v5"
)

// SignIn returns what pgx calls before it connects. If on, a URL without a
// password gets a token; one with a password, as directUrl may have, is left
// alone. A token serves to connect for 15 minutes, so each connection gets its
// own, and an open one stays.
func SignIn(on bool, c aws.Config) func(context.Context, *pgx.ConnConfig) error {
	return func(ctx context.Context, db *pgx.ConnConfig) error {
		if !on || db.Password != "" {
			return nil
		}
		token, err := auth.BuildAuthToken(ctx, net.JoinHostPort(db.Host, strconv.Itoa(int(db.Port))), c.Region, db.User, c.Credentials)
		if err != nil {
			return fmt.Errorf("sign in to the database by IAM: %w", err)
		}
		db.Password = token
		return nil
	}
}
