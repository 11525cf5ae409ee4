// Feed-push publishes the positions of new changes in the feed to a topic or a bus of
// the merchant. It runs on a schedule, if a target is set.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"walletsync/internal/awslambda"
	"walletsync/internal/config"
	"walletsync/internal/feedpush"
	"walletsync/internal/feedpush/postgres"
	"walletsync/internal/pg"
	"walletsync/internal/pg/rdsiam"
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
	target, err := feedpush.TargetOf(c.Target, aws)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	log := telemetry.NewLogger(os.Stdout, c.Name, c.LogLevel, time.Now)
	metrics := telemetry.NewMetrics(os.Stdout, c.Name, time.Now)
	secrets := config.NewSecrets(secretsmanager.NewFromConfig(aws), time.Now)
	pusher := &feedpush.Pusher{
		Store:   postgres.New(pg.New(secrets.DatabaseURL(c.DatabaseSecret), pg.Options{BeforeConnect: rdsiam.SignIn(c.DatabaseIAM, aws), Metrics: metrics})),
		Target:  target,
		Metrics: metrics,
	}
	awslambda.Start(log, metrics, awslambda.Schedule(pusher.Run))
}
