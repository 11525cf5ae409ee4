// Update-start creates update sessions for the merchant's server, accepts its
// announcements of new Saved Wallets, and serves the update page to the buyer.
package main

import (
	"context"
	"crypto/x509"
	"fmt"
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
	refreshpg "walletsync/internal/refresh/postgres"
	"walletsync/internal/telemetry"
	"walletsync/internal/update"
	"walletsync/internal/update/pages"
	updatepg "walletsync/internal/update/postgres"
	"walletsync/internal/wallet"
)

func main() {
	c, err := config.LoadStart(os.Getenv)
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
	clients := payclient.New(payclient.Options{
		Accounts: c.Accounts, Keys: secrets, Timeout: c.APITimeout, Metrics: metrics, Now: time.Now,
		HTTPClient: c.Trust.Client(func(roots *x509.CertPool) *http.Client { return amazonpay.NewHTTPClient(roots, 1) }),
	})
	wakes := &queue.Queue{Client: sqs.NewFromConfig(aws), URL: c.QueueURL}
	start := &update.Start{
		Store: updatepg.New(db, store), Announcements: store, Waker: wakes,
		Refresher: payclient.Refresher(c.Refreshing, c.Accounts, clients, store, wakes, metrics),
		Signer:    func(a wallet.AccountID) (update.Signer, error) { return clients.Client(a) },
		Site: update.Site{
			PublicURL: c.PublicURL, ReturnOrigins: c.ReturnOrigins, MerchantName: c.MerchantName, MerchantURL: c.MerchantURL, Pages: views,
			Tokens: update.Tokens{Now: time.Now, Secrets: secrets.Links(c.LinkSecret)},
		},
		Caller: awslambda.Caller, LinkLifetime: c.LinkLifetime, SetupOnly: c.SetupOnly, CancelURL: c.CancelURL,
		NewID: uuid.New,
		Now:   time.Now, Metrics: metrics,
	}
	for _, a := range c.Accounts {
		start.Accounts = append(start.Accounts, update.Account{
			ID: a.ID, MerchantID: a.MerchantID, Environment: a.Environment, Region: a.Region, PublicKeyID: a.PublicKeyID,
			StoreID: a.StoreID, LedgerCurrency: a.LedgerCurrency, Algorithm: a.Algorithm, ScriptURL: a.CheckoutScriptURL, Follow: a.Follow})
	}
	if !c.IAM {
		start.BearerKeys = secrets.BearerKeys(c.BearerSecret)
	}
	awslambda.Start(log, metrics, awslambda.HTTP(start.Handler()))
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
