// Package rdsiam signs in to a database of RDS as the function's role: a token of
// IAM's stands in for a password (Amazon RDS User Guide, "IAM database
// authentication"). It is a package of its own so that other programs need not
// link the signer. It does not use the network.
package rdsiam

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/rds/auth"
	"github.com/jackc/pgx/v5"

	"walletsync/internal/config"
)

// SignIn returns what pgx calls before it connects. If it is on, a URL without a
// password gets a token; one with a password, as directUrl may have, is left
// alone. A token serves to connect for 15 minutes, so each connection gets its
// own, and an open one stays. It is for one endpoint, by the name that RDS knows.
func SignIn(s config.DatabaseIAM, c aws.Config) func(context.Context, *pgx.ConnConfig) error {
	return func(ctx context.Context, db *pgx.ConnConfig) error {
		if !s.On || db.Password != "" {
			return nil
		}
		endpoint := s.Endpoint
		if endpoint == "" {
			endpoint = net.JoinHostPort(db.Host, strconv.Itoa(int(db.Port)))
			for _, f := range db.Fallbacks {
				if f.Host != db.Host || f.Port != db.Port {
					return errors.New("sign in to the database by IAM: the URL names several hosts, and a token is for one; name the cluster's endpoint alone, or set DATABASE_IAM_ENDPOINT")
				}
			}
		}
		token, err := auth.BuildAuthToken(ctx, endpoint, c.Region, db.User, c.Credentials)
		if err != nil {
			return fmt.Errorf("sign in to the database by IAM: %w", err)
		}
		db.Password = token
		return nil
	}
}
