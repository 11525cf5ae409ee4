// Operator is the program of the merchant's engineers: commands that are run by
// hand, in the environment of the functions. It is no Lambda.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	clipg "walletsync/internal/cli/postgres"
	"walletsync/internal/config"
	"walletsync/internal/operator"
	"walletsync/internal/pg"
	"walletsync/internal/pg/rdsiam"
	privacypg "walletsync/internal/privacy/postgres"
	"walletsync/internal/queue"
	refreshpg "walletsync/internal/refresh/postgres"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	program := operator.Program{
		Commands: []operator.Command{
			operator.Import(connect),
			operator.Export(connect),
			operator.Person(connect),
			operator.Erase(connect),
			operator.Restored(connect),
			operator.Incident(connect),
			doctorCommand(),
		},
		Terminal: operator.Terminal{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Bars: operator.Screen(os.Stderr), Now: time.Now},
	}
	os.Exit(program.Run(ctx, os.Args[1:]))
}

// stores are what the commands need of the database, feature by feature.
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
func connect(ctx context.Context) (operator.Parts, error) {
	c, err := config.LoadOperator(os.Getenv)
	if err != nil {
		return operator.Parts{}, err
	}
	aws, err := config.LoadAWS(ctx)
	if err != nil {
		return operator.Parts{}, err
	}
	secrets := config.NewSecrets(secretsmanager.NewFromConfig(aws), time.Now)
	db := pg.New(secrets.DatabaseURL(c.DatabaseSecret), pg.Options{StatementTimeout: time.Minute, BeforeConnect: rdsiam.SignIn(c.DatabaseIAM, aws)})
	return operator.Parts{
		Accounts:   config.IDs(c.Accounts),
		FetchLimit: c.FetchLimit,
		Store:      stores{refreshpg.New(db), privacypg.New(db), clipg.New(db)},
		Waker:      &queue.Queue{Client: sqs.NewFromConfig(aws), URL: c.QueueURL},
	}, nil
}
