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
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"walletsync/internal/amazonpay"
	"walletsync/internal/config"
	"walletsync/internal/doctor"
	doctorpg "walletsync/internal/doctor/postgres"
	"walletsync/internal/pg"
	"walletsync/internal/pg/rdsiam"
	reconcilepg "walletsync/internal/reconcile/postgres"
)

// newDoctor reads the settings of all functions. Wrong ones are for the doctor to
// report.
func newDoctor(ctx context.Context) (*doctor.Doctor, error) {
	c, problems := config.LoadDeployment(os.Getenv)
	aws, err := config.LoadAWS(ctx)
	if err != nil {
		return nil, err
	}
	secrets := config.NewSecrets(secretsmanager.NewFromConfig(aws), time.Now)
	client := func() *http.Client {
		return c.Worker.Trust.Client(func(roots *x509.CertPool) *http.Client { return amazonpay.NewHTTPClient(roots, 1) })
	}
	web := client()
	web.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	database, signIn := c.Worker.DatabaseSecret, rdsiam.SignIn(c.Worker.DatabaseIAM, aws)
	return &doctor.Doctor{
		Config: c, Problems: problems, Now: time.Now, RDSBundle: pg.BundleDate, Amazon: client(), Web: web,
		Keys: secrets, PathSecrets: c.Receiver.IPNPathSecrets(secrets).DoorSecrets, Links: secrets.Links(c.Start.LinkSecret), Bearer: secrets.BearerKeys(c.Start.BearerSecret),
		Database: func(ctx context.Context) (config.Database, error) { return secrets.Database(ctx, database, true) },
		Databases: databases{
			Store:    reconcilepg.New(pg.New(secrets.DatabaseURL(database), pg.Options{BeforeConnect: signIn})),
			Examiner: doctorpg.Examiner{Rights: rights(), SignIn: signIn},
		},
		Queues: queues{sqs.NewFromConfig(aws)},
	}, nil
}

// databases looks at any, and asks the one that the functions use.
type databases struct {
	*reconcilepg.Store
	doctorpg.Examiner
}

// queues asks SQS for the attributes of queues.
type queues struct{ client *sqs.Client }

func (q queues) Attributes(ctx context.Context, url string) (map[string]string, error) {
	got, err := q.client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll}})
	if err != nil {
		return nil, fmt.Errorf("queue %s: %w", url, err)
	}
	return got.Attributes, nil
}
