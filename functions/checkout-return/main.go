// Checkout-return takes the buyer back from Amazon's page. It completes the Checkout
// Session, reads the wallet at once and shows the buyer the outcome.
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
	"github.com/rs/zerolog"

	"walletsync/internal/amazonpay"
	"walletsync/internal/awslambda"
	"walletsync/internal/config"
	"walletsync/internal/payclient"
	"walletsync/internal/pg"
	"walletsync/internal/pg/rdsiam"
	"walletsync/internal/queue"
	"walletsync/internal/refresh"
	refreshpg "walletsync/internal/refresh/postgres"
	"walletsync/internal/telemetry"
	"walletsync/internal/update"
	"walletsync/internal/update/pages"
	updatepg "walletsync/internal/update/postgres"
	"walletsync/internal/update/session"
	"walletsync/internal/wallet"
)

func main() {
	c, err := config.LoadReturn(os.Getenv)
	exitOn(err)
	aws, err := config.LoadAWS(context.Background())
	exitOn(err)
	views, err := pages.New(pages.Options{CSP: c.CSP, Failed: func(q *http.Request, err error) {
		zerolog.Ctx(q.Context()).Error().Err(err).Msg("write page: failed")
	}})
	exitOn(err)
	log := telemetry.NewLogger(os.Stdout, c.Name, c.LogLevel, time.Now)
	metrics := telemetry.NewMetrics(os.Stdout, c.Name, time.Now)
	secrets := config.NewSecrets(secretsmanager.NewFromConfig(aws), time.Now)
	db := pg.New(secrets.DatabaseURL(c.DatabaseSecret), pg.Options{BeforeConnect: rdsiam.SignIn(c.DatabaseIAM, aws), Metrics: metrics})
	store := refreshpg.New(db)
	updates := updatepg.New(db, store)
	clients := payclient.New(payclient.Options{
		Accounts: c.Accounts, Keys: secrets, Timeout: c.APITimeout, Metrics: metrics, Now: time.Now,
		HTTPClient: c.Trust.Client(func(roots *x509.CertPool) *http.Client { return amazonpay.NewHTTPClient(roots, 1) }),
	})
	back := &update.Return{
		Store: updates,
		Completer: &session.Completer{
			Store: updates, Jitter: mathrand.Float64, Metrics: metrics, Pause: refresh.Defaults().Pause,
			API: func(a wallet.AccountID) (session.API, error) { return clients.Client(a) },
		},
		Refresher: payclient.Refresher(c.Refreshing, c.Accounts, clients, store, &queue.Queue{Client: sqs.NewFromConfig(aws), URL: c.QueueURL}, metrics),
		Site: update.Site{
			PublicURL: c.PublicURL, ReturnOrigins: c.ReturnOrigins, MerchantName: c.MerchantName, MerchantURL: c.MerchantURL, Pages: views,
			Tokens: update.Tokens{Now: time.Now, Secrets: secrets.Links(c.LinkSecret)},
		},
		Timeout:  c.ReturnTimeout,
		NewLease: uuid.New,
		Now:      time.Now, Metrics: metrics,
	}
	awslambda.Start(log, metrics, awslambda.HTTP(back.Handler()))
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
