package iam

import (
	"net/url"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/jackc/pgx/v5"
)

var role = aws.Config{Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "wJalrXUtnFEMI", "")}

func TestATokenStandsInForAPassword(t *testing.T) {
	c := parse(t, "postgres://shop@db.example.eu-west-1.rds.amazonaws.com:5433/walletsync?sslmode=require")
	if err := SignIn(true, role)(t.Context(), c); err != nil {
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

func TestAPasswordOfTheURLStays(t *testing.T) {
	for name, on := range map[string]bool{"IAM": true, "none": false} {
		c := parse(t, "postgres://owner:known@db.example:5432/walletsync")
		if err := SignIn(on, role)(t.Context(), c); err != nil || c.Password != "known" {
			t.Errorf("%s: the password is %q, %v", name, c.Password, err)
		}
	}
	c := parse(t, "postgres://owner@db.example:5432/walletsync")
	if err := SignIn(false, role)(t.Context(), c); err != nil || c.Password != "" {
		t.Errorf("without IAM the password is %q, %v", c.Password, err)
	}
}

func TestARoleWithoutCredentialsSaysWhatFailed(t *testing.T) {
	c := parse(t, "postgres://shop@db.example:5432/walletsync")
	if err := SignIn(true, aws.Config{Region: "eu-west-1", Credentials: aws.AnonymousCredentials{}})(t.Context(), c); err == nil || c.Password != "" {
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
