// Console serves pages and JSON to users who signed in at the merchant's OpenID
// Connect issuer.
package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"time"
	_ "time/tzdata" // for TIME_ZONE: the machine may have none

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/uuid"

	"walletsync/internal/amazonpay"
	"walletsync/internal/awslambda"
	"walletsync/internal/config"
	"walletsync/internal/console"
	"walletsync/internal/console/oidc"
	consolepg "walletsync/internal/console/postgres"
	"walletsync/internal/html"
	"walletsync/internal/payclient"
	"walletsync/internal/pg"
	"walletsync/internal/pg/rdsiam"
	"walletsync/internal/privacy"
	privacypg "walletsync/internal/privacy/postgres"
	"walletsync/internal/queue"
	"walletsync/internal/queue/deadletter"
	reconcilepg "walletsync/internal/reconcile/postgres"
	refreshpg "walletsync/internal/refresh/postgres"
	"walletsync/internal/telemetry"
	"walletsync/internal/update"
	updatepg "walletsync/internal/update/postgres"
)

func main() {
	c, err := config.LoadConsole(os.Getenv)
	exitOn(err)
	aws, err := config.LoadAWS(context.Background())
	exitOn(err)
	log := telemetry.NewLogger(os.Stdout, c.Name, c.LogLevel, time.Now)
	metrics := telemetry.NewMetrics(os.Stdout, c.Name, time.Now)
	secrets := config.NewSecrets(secretsmanager.NewFromConfig(aws), time.Now)
	db := pg.New(secrets.DatabaseURL(c.DatabaseSecret), pg.Options{BeforeConnect: rdsiam.SignIn(c.DatabaseIAM, aws), Metrics: metrics})
	store, people := refreshpg.New(db), privacypg.New(db)
	records := consolepg.New(db, reconcilepg.New(db))
	client := c.Trust.Client(func(roots *x509.CertPool) *http.Client { return amazonpay.NewHTTPClient(roots, 1) })
	clients := payclient.New(payclient.Options{Accounts: c.Accounts, Keys: secrets, Timeout: c.APITimeout, Metrics: metrics, Now: time.Now, HTTPClient: client})
	messages := sqs.NewFromConfig(aws)
	refresher := payclient.Refresher(c.Refreshing, c.Accounts, clients, store, &queue.Queue{Client: messages, URL: c.QueueURL}, metrics)
	updates := &update.Start{
		Store: updatepg.New(db, store), Refresher: refresher, LinkLifetime: c.LinkLifetime, NewID: uuid.New, Now: time.Now, Metrics: metrics,
		Site: update.Site{PublicURL: c.PublicURL, Tokens: update.Tokens{Now: time.Now, Secrets: secrets.Links(c.LinkSecret)}},
	}
	for _, a := range c.Accounts { // no keys, because update-start signs when the buyer opens the link
		updates.Accounts = append(updates.Accounts, update.Account{ID: a.ID, Region: a.Region, Follow: a.Follow})
	}
	handler, err := console.New(console.Options{
		Prefix: html.Path(c.PublicURL), Store: records, Accesses: records, Refresher: refresher, Updates: updates, Persons: people,
		StaleAfter: c.Sweep, GracePeriod: c.GracePeriod, Location: c.Location, Now: time.Now,
		CursorKeys:  secrets.CookieKeys(c.ConsoleSecret),
		DeadLetters: &deadletter.Queue{Client: messages, QueueURL: c.QueueURL, URL: c.DeadLetterQueueURL, Now: time.Now},
		Eraser:      &privacy.Eraser{Store: people, Log: privacy.NewFunctionLog(log, os.Stdout)},
	})
	exitOn(err)
	gate, err := oidc.New(oidc.Options{
		PublicURL: c.PublicURL, Issuer: c.Issuer, ClientID: c.ClientID, Audience: c.Audience, Hosts: c.Hosts, Scopes: c.Scopes, CognitoLogoutURL: c.CognitoLogoutURL,
		Roles: oidc.Roles{Claim: c.RoleClaim, Values: c.Roles}, Lifetime: c.Session, Client: client, Now: time.Now, Metrics: metrics,
		ClientSecrets: secrets.ClientSecrets(c.ConsoleSecret), CookieKeys: secrets.CookieKeys(c.ConsoleSecret),
	}, handler)
	exitOn(err)
	awslambda.Start(log, metrics, awslambda.HTTP(gate))
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
