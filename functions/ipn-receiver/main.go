// Ipn-receiver is the IPN endpoint. It verifies the messages that SNS delivers and puts
// them on the queue. It uses neither Postgres nor Amazon Pay.
package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"walletsync/internal/awslambda"
	"walletsync/internal/config"
	"walletsync/internal/ipn"
	"walletsync/internal/queue"
	"walletsync/internal/sns"
	"walletsync/internal/telemetry"
)

func main() {
	// An instance has one invocation at a time and, below 1,769 MB, less than
	// one CPU (AWS Lambda Developer Guide, "Configure Lambda function memory").
	// With more, Go wakes idle threads, which costs a fifth of all CPU time.
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(1)
	}
	c, err := config.LoadReceiver(os.Getenv)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	aws, err := config.LoadAWS(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	log := telemetry.NewLogger(os.Stdout, c.Name, c.LogLevel, time.Now)
	metrics := telemetry.NewMetrics(os.Stdout, c.Name, time.Now)
	accounts := make(ipn.Accounts, len(c.Accounts))
	for i, a := range c.Accounts {
		accounts[i] = ipn.Account{ID: a.ID, MerchantID: a.MerchantID, Topics: a.Topics}
	}
	receiver := &ipn.Receiver{
		Accounts:    accounts,
		Opener:      sns.NewOpener(sns.Options{HTTPClient: c.Trust.Client(sns.NewHTTPClient)}),
		PathSecrets: c.IPNPathSecrets(config.NewSecrets(secretsmanager.NewFromConfig(aws), time.Now)),
		Queue:       &queue.Queue{Client: sqs.NewFromConfig(aws), URL: c.QueueURL},
		Metrics:     metrics,
		Now:         time.Now,
	}
	awslambda.Start(log, metrics, awslambda.HTTPOrSNS(receiver.Handler(), receiver.Record))
}
