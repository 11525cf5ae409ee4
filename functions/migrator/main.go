// Migrator brings the schema up to date and copies the accounts into it: as a
// CloudFormation custom resource before new code takes traffic, and by hand.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/jackc/pgx/v5/stdlib"

	"walletsync/internal/awslambda"
	"walletsync/internal/config"
	"walletsync/internal/postgres/iam"
	"walletsync/internal/postgres/migrate"
	"walletsync/internal/telemetry"
)

func main() {
	c, err := config.LoadMigrator(os.Getenv)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	aws, err := config.LoadAWS(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	log := telemetry.NewLogger(os.Stdout, c.Name, c.LogLevel, time.Now)
	metrics := telemetry.NewMetrics(os.Stdout, c.Name, time.Now)
	secrets := config.NewSecrets(secretsmanager.NewFromConfig(aws), time.Now)
	accounts := make([]migrate.Account, len(c.Accounts))
	for i, a := range c.Accounts {
		accounts[i] = migrate.Account{ID: a.ID, MerchantID: a.MerchantID, Environment: a.Environment, Region: a.Region,
			LedgerCurrency: a.LedgerCurrency, Follow: a.Follow, Quotas: a.Quotas, Share: a.Share}
	}
	client := &http.Client{Timeout: 10 * time.Second}
	awslambda.Start(log, metrics, awslambda.Resource(client, func(ctx context.Context) (any, error) {
		db, err := secrets.Database(ctx, c.DatabaseSecret, true)
		if err != nil {
			return nil, err
		}
		done, err := migrate.Run(ctx, db.DirectURL.Reveal(), accounts, stdlib.OptionBeforeConnect(iam.SignIn(c.DatabaseIAM, aws)))
		log.Info().Interface("migrated", done).Err(err).Msg("migrate")
		return done, err
	}))
}
