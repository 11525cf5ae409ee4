// Walletsync is the command line of walletsync, for the merchant's engineers. It
// runs in the environment of the functions, but not on Lambda.
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
	clipg "walletsync/internal/cli/postgres"
	"walletsync/internal/config"
	"walletsync/internal/pg"
	"walletsync/internal/pg/rdsiam"
	privacypg "walletsync/internal/privacy/postgres"
	"walletsync/internal/queue"
	refreshpg "walletsync/internal/refresh/postgres"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	program := cli.CLI{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Bars: cli.IsScreen(os.Stderr), Connect: connect, Doctor: newDoctor}
	os.Exit(program.Run(ctx, os.Args[1:]))
}

// stores combines the stores of the features that the commands need.
type stores struct {
	*refresh
	*privacy
	*clipg.Store
}

type (
	refresh = refreshpg.Store
	privacy = privacypg.Store
)

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
	db := pg.New(secrets.DatabaseURL(c.DatabaseSecret), pg.Options{StatementTimeout: time.Minute, BeforeConnect: rdsiam.SignIn(c.DatabaseIAM, aws)})
	return cli.Parts{
		Accounts:   config.IDs(c.Accounts),
		FetchLimit: c.FetchLimit,
		Store:      stores{refreshpg.New(db), privacypg.New(db), clipg.New(db)},
		Waker:      &queue.Queue{Client: sqs.NewFromConfig(aws), URL: c.QueueURL},
	}, nil
}
