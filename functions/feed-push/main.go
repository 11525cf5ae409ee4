// Feed-push tells a topic or a bus of the merchant that there is something new in
// the change feed. It runs on a schedule, and only where a target is set.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"walletsync/internal/awslambda"
	"walletsync/internal/config"
	"walletsync/internal/pg"
	"walletsync/internal/pg/rdsiam"
	"walletsync/internal/postgres"
	"walletsync/internal/publish"
	"walletsync/internal/push"
	"walletsync/internal/telemetry"
)

func main() {
	c, err := config.LoadPush(os.Getenv)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	aws, err := config.LoadAWS(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	target, err := publish.To(c.Target, aws)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	log := telemetry.NewLogger(os.Stdout, c.Name, c.LogLevel, time.Now)
	metrics := telemetry.NewMetrics(os.Stdout, c.Name, time.Now)
	secrets := config.NewSecrets(secretsmanager.NewFromConfig(aws), time.Now)
	pusher := &push.Pusher{
		Store:   postgres.New(pg.New(secrets.DatabaseURL(c.DatabaseSecret), pg.Options{BeforeConnect: rdsiam.SignIn(c.DatabaseIAM, aws), Metrics: metrics})),
		Target:  target,
		Metrics: metrics,
	}
	awslambda.Start(log, metrics, awslambda.Schedule(pusher.Run))
}
