package config

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
)

// awsTimeout bounds one attempt of a call to AWS. The SDK makes three in all
// (AWS_MAX_ATTEMPTS), and the caller's context bounds them together.
const awsTimeout = 3 * time.Second

// LoadAWS returns the configuration of the AWS SDK's clients, as the
// environment sets it. It does not use the network.
func LoadAWS(ctx context.Context) (aws.Config, error) {
	c, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(awsTimeout)))
	if err != nil {
		return aws.Config{}, fmt.Errorf("the AWS SDK's settings: %w", err)
	}
	return c, nil
}
