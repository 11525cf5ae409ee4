package rdsiam

import (
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/jackc/pgx/v5"

	"walletsync/internal/config"
)

var role = aws.Config{Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "wJalrXUtnFEMI", "")}

func TestATokenStandsInForAPassword(t *testing.T) {
	c := parse(t, "postgres://shop@db.example.eu-west-1.rds.amazonaws.com:5433/walletsync?sslmode=require")
	if err := SignIn(config.DatabaseIAM{On: true}, role)(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse("https://" + c.Password)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if u.Host != "db.example.eu-west-1.rds.amazonaws.com:5433" || q.Get("Action") != "connect" || q.Get("DBUser") != "shop" ||
		q.Get("X-Amz-Expires") != "900" || q.Get("X-Amz-Signature") == "" {
		t.Errorf("the token is for %s, %v", u.Host, q)
	}
}

func TestATokenIsForTheEndpointThatIsSet(t *testing.T) {
	const endpoint = "db.abc123.eu-west-1.rds.amazonaws.com:5432"
	for name, url := range map[string]string{
		"a CNAME":       "postgres://shop@db.shop.example:5432/walletsync?sslmode=verify-full",
		"a tunnel":      "postgres://shop@localhost:15432/walletsync?sslmode=require",
		"several hosts": "postgres://shop@a.example:5432,b.example:5432/walletsync?sslmode=verify-full",
	} {
		c := parse(t, url)
		if err := SignIn(config.DatabaseIAM{On: true, Endpoint: endpoint}, role)(t.Context(), c); err != nil || !strings.HasPrefix(c.Password, endpoint+"?") {
			t.Errorf("%s: the token is %.60s, %v", name, c.Password, err)
		}
	}
	c := parse(t, "postgres://shop@a.example:5432,b.example:5432/walletsync?sslmode=verify-full")
	if err := SignIn(config.DatabaseIAM{On: true}, role)(t.Context(), c); err == nil || !strings.Contains(err.Error(), "DATABASE_IAM_ENDPOINT") || c.Password != "" {
		t.Errorf("a token for one of several hosts: %v", err)
	}
}

func TestAPasswordOfTheURLStays(t *testing.T) {
	for name, on := range map[string]bool{"IAM": true, "none": false} {
		c := parse(t, "postgres://owner:known@db.example:5432/walletsync")
		if err := SignIn(config.DatabaseIAM{On: on}, role)(t.Context(), c); err != nil || c.Password != "known" {
			t.Errorf("%s: the password is %q, %v", name, c.Password, err)
		}
	}
	c := parse(t, "postgres://owner@db.example:5432/walletsync")
	if err := SignIn(config.DatabaseIAM{}, role)(t.Context(), c); err != nil || c.Password != "" {
		t.Errorf("without IAM the password is %q, %v", c.Password, err)
	}
}

func TestARoleWithoutCredentialsSaysWhatFailed(t *testing.T) {
	c := parse(t, "postgres://shop@db.example:5432/walletsync")
	if err := SignIn(config.DatabaseIAM{On: true}, aws.Config{Region: "eu-west-1", Credentials: aws.AnonymousCredentials{}})(t.Context(), c); err == nil || c.Password != "" {
		t.Errorf("the password is %q, %v", c.Password, err)
	}
}

func parse(t *testing.T, u string) *pgx.ConnConfig {
	t.Helper()
	t.Setenv("PGPASSFILE", "/dev/null")
	c, err := pgx.ParseConfig(u)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
