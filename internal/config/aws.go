package config

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
)

// awsTimeout limits one attempt of a call to AWS. The SDK makes at most three
// (AWS_MAX_ATTEMPTS). The caller's context limits them together.
const awsTimeout = 3 * time.Second

// LoadAWS returns the configuration of the AWS SDK's clients from the environment. It does not use the network.
func LoadAWS(ctx context.Context) (aws.Config, error) {
	c, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(awsTimeout)))
	if err != nil {
		return aws.Config{}, fmt.Errorf("the AWS SDK's settings: %w", err)
	}
	return c, nil
}
