// Back-office is the console: pages and JSON for those who signed in at the
// merchant's OpenID Connect issuer.
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

	"walletsync/internal/amazonpay"
	"walletsync/internal/awslambda"
	"walletsync/internal/backoffice"
	"walletsync/internal/backoffice/rooms"
	"walletsync/internal/backoffice/signin"
	"walletsync/internal/config"
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
	console, err := backoffice.New(backoffice.Options{
		Prefix: html.Path(c.PublicURL), Store: records, Accesses: records, Refresher: refresher, StaleAfter: c.Sweep, Patience: c.Patience, Location: c.Location, Now: time.Now,
		CursorKeys:  secrets.CookieKeys(c.ConsoleSecret),
		Linker:      rooms.NewLinks(c, updatepg.New(db, store), refresher, secrets.Links(c.LinkSecret), metrics),
		DeadLetters: &deadletter.Letters{Client: messages, QueueURL: c.QueueURL, URL: c.DeadLetterQueueURL, Now: time.Now},
		People:      rooms.People{Eraser: &privacy.Eraser{Store: people, Log: privacy.NewFunctionLog(log, os.Stdout)}, Store: people},
	})
	exitOn(err)
	pages, err := signin.NewPages(signin.PagesOptions{PublicURL: c.PublicURL})
	exitOn(err)
	gate := &signin.Gate{
		PublicURL: c.PublicURL, CookieKeys: secrets.CookieKeys(c.ConsoleSecret), Lifetime: c.Session,
		Roles: signin.Roles{Claim: c.RoleClaim, Values: c.Roles}, Pages: pages, Now: time.Now, Metrics: metrics,
		Issuer: signin.NewIssuer(signin.IssuerOptions{
			URL: c.Issuer, ClientID: c.ClientID, Audience: c.Audience, Hosts: c.Hosts, Scopes: c.Scopes, RedirectURL: signin.RedirectURL(c.PublicURL), CognitoLogoutURL: c.CognitoLogoutURL,
			ClientSecrets: secrets.ClientSecrets(c.ConsoleSecret), Client: client, Now: time.Now,
		}),
	}
	awslambda.Start(log, metrics, awslambda.HTTP(gate.Handler(console)))
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
