// Walletsync is the command line of walletsync, for the merchant's engineers. It
// runs in the environment of the functions; it is no Lambda.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"walletsync/internal/cli"
	"walletsync/internal/config"
	"walletsync/internal/postgres"
	"walletsync/internal/postgres/iam"
	"walletsync/internal/queue"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	program := cli.CLI{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Bars: cli.IsScreen(os.Stderr), Connect: connect, Doctor: newDoctor}
	os.Exit(program.Run(ctx, os.Args[1:]))
}

// connect reads the environment of the functions.
func connect(ctx context.Context) (cli.Parts, error) {
	c, err := config.LoadCLI(os.Getenv)
	if err != nil {
		return cli.Parts{}, err
	}
	aws, err := config.LoadAWS(ctx)
	if err != nil {
		return cli.Parts{}, err
	}
	secrets := config.NewSecrets(secretsmanager.NewFromConfig(aws), time.Now)
	return cli.Parts{
		Accounts:   config.IDs(c.Accounts),
		FetchLimit: c.FetchLimit,
		Store:      postgres.New(secrets.DatabaseURL(c.DatabaseSecret), postgres.Options{StatementTimeout: time.Minute, BeforeConnect: iam.SignIn(c.DatabaseIAM, aws)}),
		Waker:      &queue.Queue{Client: sqs.NewFromConfig(aws), URL: c.QueueURL},
	}, nil
}
