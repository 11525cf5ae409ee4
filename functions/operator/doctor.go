package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"io"
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
	"walletsync/internal/operator"
	"walletsync/internal/pg"
	"walletsync/internal/pg/rdsiam"
	reconcilepg "walletsync/internal/reconcile/postgres"
)

// doctorCommand checks the configuration and prints a line for each check. It
// reads the settings by itself, since it tells what is wrong with them.
func doctorCommand() operator.Command {
	return operator.Command{
		Name: "doctor",
		Line: "Check a configuration before and after a deploy; what is bad comes with the remedy",
		Help: `It changes nothing. It asks Amazon Pay once an account for a charge permission
that does not exist, and knocks once at each of our doors, which count it as
refused. It exits with 1 if a line is bad.`,
		Set: func(flags *flag.FlagSet) func(context.Context, operator.Terminal, []string) error {
			before := flags.Bool("before", false, "nothing is deployed yet: skip what a deploy makes")
			asJSON := flags.Bool("json", false, "print the lines for programs")
			environment := flags.String("environment", "", "take the functions' environment out of a `file` (- for standard input): JSON objects, as get-function-configuration prints them")
			return func(ctx context.Context, t operator.Terminal, args []string) error {
				if len(args) > 0 {
					return operator.Misused("it takes no argument, and %q is one", args[0])
				}
				if *environment != "" {
					if err := takeEnvironment(*environment, t.In); err != nil {
						return err
					}
				}
				d, err := newDoctor(ctx)
				if err != nil {
					return err
				}
				d.Before = *before
				lines := d.Run(ctx)
				if *asJSON {
					err = doctor.PrintJSON(t.Out, lines)
				} else {
					err = doctor.Print(t.Out, lines, colours(t.Out))
				}
				if n := doctor.CountBad(lines); err == nil && n > 0 {
					err = fmt.Errorf("%d bad: see the remedies", n)
				}
				return err
			}
		},
	}
}

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
		Keys: secrets, Doors: c.Doors(secrets).DoorSecrets, Links: secrets.Links(c.Start.LinkSecret), Bearer: secrets.BearerKeys(c.Start.BearerSecret),
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

// takeEnvironment sets the variables that the file lists: JSON objects, one
// after another, as get-function-configuration prints them of each function.
func takeEnvironment(file string, in io.Reader) error {
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return fmt.Errorf("the environment: %w", err)
		}
		defer f.Close()
		in = f
	}
	all, from := map[string]string{}, json.NewDecoder(in)
	for from.More() {
		var one map[string]string
		if err := from.Decode(&one); err != nil {
			return fmt.Errorf("the environment: %w", err)
		}
		for name, value := range one {
			if known, ok := all[name]; ok && known != value {
				return fmt.Errorf("the environment: %s is not the same in all functions; deploy again", name)
			}
			all[name] = value
		}
	}
	for name, value := range all {
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("the environment: %s: %w", name, err)
		}
	}
	return nil
}

// colours reports whether out shows them (https://no-color.org).
func colours(out io.Writer) bool {
	f, ok := out.(*os.File)
	return ok && os.Getenv("NO_COLOR") == "" && operator.Screen(f)
}
