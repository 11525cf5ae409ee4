// Reconciler runs on a schedule. It sends wake-ups for refreshes that a lost wake-up or
// a failed worker left pending, requests reads of charge permissions that were not
// read for long, finishes the updates that buyers left open, and erases data at the
// end of its retention period.
package main

import (
	"context"
	"crypto/x509"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/uuid"

	"walletsync/internal/amazonpay"
	"walletsync/internal/awslambda"
	"walletsync/internal/config"
	consolepg "walletsync/internal/console/postgres"
	"walletsync/internal/payclient"
	"walletsync/internal/pg"
	"walletsync/internal/pg/rdsiam"
	"walletsync/internal/privacy"
	privacypg "walletsync/internal/privacy/postgres"
	"walletsync/internal/queue"
	"walletsync/internal/reconcile"
	reconcilepg "walletsync/internal/reconcile/postgres"
	"walletsync/internal/refresh"
	refreshpg "walletsync/internal/refresh/postgres"
	"walletsync/internal/telemetry"
	updatepg "walletsync/internal/update/postgres"
	"walletsync/internal/update/session"
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
	db := pg.New(secrets.DatabaseURL(c.DatabaseSecret), pg.Options{BeforeConnect: rdsiam.SignIn(c.DatabaseIAM, aws), Metrics: metrics})
	store, people := refreshpg.New(db), privacypg.New(db)
	sessions, own := updatepg.New(db, store), reconcilepg.New(db)
	console := consolepg.New(db, own)
	clients := payclient.New(payclient.Options{
		Accounts: c.Accounts, Keys: secrets, Timeout: c.APITimeout, Metrics: metrics, Now: time.Now,
		HTTPClient: c.Trust.Client(func(roots *x509.CertPool) *http.Client { return amazonpay.NewHTTPClient(roots, 1) }),
	})
	updates := &session.Unfinished{
		Store: sessions, Limit: 20,
		NewLease: uuid.New,
		Completer: &session.Completer{
			Store: sessions, Jitter: mathrand.Float64, Metrics: metrics, Pause: refresh.Defaults().Pause,
			API: func(a wallet.AccountID) (session.API, error) { return clients.Client(a) },
		},
	}
	wake := &reconcile.Wake{Store: store, Waker: &queue.Queue{Client: sqs.NewFromConfig(aws), URL: c.QueueURL}, Metrics: metrics}
	reconciler := &reconcile.Reconciler{Accounts: config.IDs(c.Accounts), Wake: wake, Calls: []reconcile.Duty{updates}, Every: c.Every, Now: time.Now, Duties: []reconcile.Duty{
		&privacy.Retention{Store: people, Eraser: &privacy.Eraser{Store: people, Log: privacy.NewFunctionLog(log, os.Stdout)}, After: c.Retention, Metrics: metrics},
		&reconcile.Inbox{Store: own, Keep: c.Inbox},
		&reconcile.Updates{Store: sessions, Keep: c.Updates},
		&reconcile.Accesses{Store: console, Keep: c.Accesses},
		&reconcile.Sweep{Store: own, Period: c.Sweep, Every: c.Every, Metrics: metrics},
		&reconcile.Channel{Store: own, GracePeriod: c.GracePeriod, Metrics: metrics},
		&reconcile.Hours{Store: console},
	}}
	awslambda.Start(log, metrics, awslambda.Schedule(reconciler.Run))
}
