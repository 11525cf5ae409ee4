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
	"github.com/rs/zerolog"

	"walletsync/internal/amazonpay"
	"walletsync/internal/awslambda"
	"walletsync/internal/backoffice/signin"
	"walletsync/internal/config"
	"walletsync/internal/telemetry"
)

func main() {
	c, err := config.LoadConsole(os.Getenv)
	exitOn(err)
	aws, err := config.LoadAWS(context.Background())
	exitOn(err)
	pages, err := signin.NewPages(signin.PagesOptions{PublicURL: c.PublicURL, Failed: func(q *http.Request, err error) {
		zerolog.Ctx(q.Context()).Error().Err(err).Msg("a page could not be written")
	}})
	exitOn(err)
	log := telemetry.NewLogger(os.Stdout, c.Name, c.LogLevel, time.Now)
	metrics := telemetry.NewMetrics(os.Stdout, c.Name, time.Now)
	secrets := config.NewSecrets(secretsmanager.NewFromConfig(aws), time.Now)
	gate := &signin.Gate{
		PublicURL: c.PublicURL, CookieKeys: secrets.CookieKeys(c.ConsoleSecret), Lifetime: c.Session,
		Roles: signin.Roles{Claim: c.RoleClaim, Values: c.Roles}, Pages: pages, Now: time.Now, Metrics: metrics,
		Issuer: signin.NewIssuer(signin.IssuerOptions{
			URL: c.Issuer, ClientID: c.ClientID, Audience: c.Audience, Hosts: c.Hosts, Scopes: c.Scopes, RedirectURL: signin.RedirectURL(c.PublicURL),
			ClientSecrets: secrets.ClientSecrets(c.ConsoleSecret), Now: time.Now,
			Client: c.Trust.Client(func(roots *x509.CertPool) *http.Client { return amazonpay.NewHTTPClient(roots, 1) }),
		}),
	}
	start := http.RedirectHandler(c.PublicURL+"/console/you", http.StatusSeeOther)
	awslambda.Start(log, metrics, awslambda.HTTP(gate.Handler(start)))
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
