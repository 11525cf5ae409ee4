// Migrator brings the schema up to date and copies the accounts into it: as a
// CloudFormation custom resource before new code takes traffic, and by hand, on
// Lambda or any machine.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/jackc/pgx/v5/stdlib"

	"walletsync/internal/awslambda"
	"walletsync/internal/config"
	"walletsync/internal/pg/migrate"
	"walletsync/internal/pg/rdsiam"
	"walletsync/internal/telemetry"
)

func main() {
	// Report an invalid configuration as an answer, because a deployment without an
	// answer would hang for an hour.
	c, wrong := config.LoadMigrator(os.Getenv)
	aws, err := config.LoadAWS(context.Background())
	wrong = errors.Join(wrong, err)
	log := telemetry.NewLogger(os.Stdout, c.Name, c.LogLevel, time.Now)
	metrics := telemetry.NewMetrics(os.Stdout, c.Name, time.Now)
	secrets := config.NewSecrets(secretsmanager.NewFromConfig(aws), time.Now)
	accounts := make([]migrate.Account, len(c.Accounts))
	for i, a := range c.Accounts {
		accounts[i] = migrate.Account{ID: a.ID, MerchantID: a.MerchantID, Environment: a.Environment, Region: string(a.Region),
			LedgerCurrency: a.LedgerCurrency, Follow: a.Follow, Quotas: a.Quotas, Share: a.Share}
	}
	client := c.Trust.Client(func(roots *x509.CertPool) *http.Client {
		return &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}
	})
	stdlog.SetOutput(io.Discard) // cfn logs errors of S3, which quote the signed URL; it also returns them
	resource := awslambda.Resource(client, aws.Region, func(ctx context.Context) (any, error) {
		if wrong != nil {
			return nil, wrong
		}
		db, err := secrets.Database(ctx, c.DatabaseSecret, true)
		if err != nil {
			return nil, err
		}
		signIn := stdlib.OptionBeforeConnect(rdsiam.SignIn(c.DatabaseIAM, aws))
		done, err := migrate.Run(ctx, db.DirectURL.Reveal(), db.CA, accounts, signIn)
		if err == nil {
			migrate.EndIdleSessions(ctx, db.URL.Reveal(), db.CA, signIn)
		}
		return done, err
	})
	if awslambda.OnLambda(os.Getenv) {
		awslambda.Start(log, metrics, resource)
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := awslambda.Once(ctx, log, metrics, os.Stdout, resource); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
