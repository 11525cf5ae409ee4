package secrets_test

import (
	"errors"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"walletsync/internal/local/aws/secrets"
)

func TestTheSDKReadsBothStages(t *testing.T) {
	s := secrets.New()
	server := httptest.NewServer(s)
	defer server.Close()
	client := secretsmanager.New(secretsmanager.Options{Region: "eu-west-1", BaseEndpoint: &server.URL,
		Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")})
	arn := s.Put("key", "first")
	get := func(id, stage string) (string, error) {
		in := &secretsmanager.GetSecretValueInput{SecretId: &id}
		if stage != "" {
			in.VersionStage = &stage
		}
		out, err := client.GetSecretValue(t.Context(), in)
		if err != nil {
			return "", err
		}
		return aws.ToString(out.SecretString), nil
	}
	var absent *types.ResourceNotFoundException
	if _, err := get("key", "AWSPREVIOUS"); !errors.As(err, &absent) {
		t.Errorf("before the first rotation: %v", err)
	}
	s.Put("key", "second")
	for stage, want := range map[string]string{"": "second", "AWSCURRENT": "second", "AWSPREVIOUS": "first"} {
		if got, err := get(arn, stage); err != nil || got != want {
			t.Errorf("%q: %q, %v", stage, got, err)
		}
	}
	if _, err := get("another", ""); !errors.As(err, &absent) {
		t.Errorf("an unknown secret: %v", err)
	}
}
