// Ipn-worker turns batches of queue messages into refreshes of charge permissions.
package main

import (
	"context"
	"crypto/x509"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"runtime/debug"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/uuid"

	"walletsync/internal/amazonpay"
	"walletsync/internal/awslambda"
	"walletsync/internal/config"
	"walletsync/internal/ipn"
	"walletsync/internal/payclient"
	"walletsync/internal/pg"
	"walletsync/internal/pg/rdsiam"
	"walletsync/internal/queue"
	"walletsync/internal/refresh"
	refreshpg "walletsync/internal/refresh/postgres"
	"walletsync/internal/sns"
	"walletsync/internal/telemetry"
	"walletsync/internal/wallet"
)

// gcPercent is the value of GOGC. The live heap is a few MB, and a function pays for
// all of its memory anyway. At Go's default of 100 the worker spends a tenth of its
// own time on garbage collection.
const gcPercent = 400

func main() {
	debug.SetGCPercent(gcPercent)
	c, err := config.LoadWorker(os.Getenv)
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
	sender := &queue.Queue{Client: sqs.NewFromConfig(aws), URL: c.QueueURL, DeadLetterURL: c.DeadLetterQueueURL}

	accounts := make(ipn.Accounts, len(c.Accounts))
	for i, a := range c.Accounts {
		accounts[i] = ipn.Account{ID: a.ID, MerchantID: a.MerchantID, Topics: a.Topics}
	}
	clients := payclient.New(payclient.Options{
		Accounts: c.Accounts, Keys: secrets, Timeout: c.APITimeout, Metrics: metrics, Now: time.Now,
		HTTPClient: c.Trust.Client(func(roots *x509.CertPool) *http.Client { return amazonpay.NewHTTPClient(roots, c.FetchLimit) }),
	})
	settings := refresh.Defaults()
	settings.Margin, settings.Limit, settings.Timeout, settings.Lease = c.Margin, c.FetchLimit, c.APITimeout, c.Lease
	runner := &refresh.Runner{
		Store:    refreshpg.New(pg.New(secrets.DatabaseURL(c.DatabaseSecret), pg.Options{BeforeConnect: rdsiam.SignIn(c.DatabaseIAM, aws), Metrics: metrics})),
		API:      func(_ context.Context, a wallet.AccountID) (refresh.API, error) { return clients.Client(a) },
		Follow:   config.Followed(c.Accounts),
		Waker:    sender,
		NewLease: uuid.New,
		Jitter:   mathrand.Float64,
		Settings: settings,
		Metrics:  metrics,
	}
	worker := &ipn.Worker{
		Accounts: accounts, Refresher: runner, DeadLetters: sender, Metrics: metrics, Now: time.Now,
		Opener: sns.NewOpener(sns.Options{HTTPClient: c.Trust.Client(sns.NewHTTPClient)}),
	}
	awslambda.Start(log, metrics, awslambda.Batch(worker.Batch))
}
