// Reconciler does on a schedule what no message asks for: it wakes what a lost
// wake-up or a dead worker left wanted, and sweeps what has gone unread for long.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"walletsync/internal/awslambda"
	"walletsync/internal/config"
	"walletsync/internal/postgres"
	"walletsync/internal/queue"
	"walletsync/internal/reconcile"
	"walletsync/internal/telemetry"
	"walletsync/internal/wallet"
)

func main() {
	c, err := config.LoadReconciler(os.Getenv)
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
	store := postgres.Lazy(func(ctx context.Context, again bool) (string, error) {
		db, err := secrets.Database(ctx, c.DatabaseSecret, again)
		return db.URL.Reveal(), err
	}, postgres.Options{})
	accounts := make([]wallet.AccountID, len(c.Accounts))
	for i, a := range c.Accounts {
		accounts[i] = a.ID
	}
	reconciler := &reconcile.Reconciler{Accounts: accounts, Duties: []reconcile.Duty{
		&reconcile.Sweep{Store: store, Period: c.Sweep, Every: c.Every, Metrics: metrics},
		&reconcile.Wake{Store: store, Waker: &queue.Queue{Client: sqs.NewFromConfig(aws), URL: c.QueueURL}, Metrics: metrics},
	}}
	awslambda.Start(log, metrics, awslambda.Schedule(reconciler.Run))
}
