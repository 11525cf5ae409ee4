// Package secrets is AWS Secrets Manager for laptops and tests, as far as the
// functions need it: GetSecretValue by the wire protocol of the AWS SDK, with
// the stages AWSCURRENT and AWSPREVIOUS.
//
// Not modelled: versions by id, binary secrets, encryption, policies.
package secrets

import (
	"cmp"
	"fmt"
	"net/http"
	"sync"

	"walletsync/internal/local/aws/awsjson"
)

// Server is the service and its HTTP handler. It is safe for concurrent use.
type Server struct {
	*awsjson.Service

	mu      sync.Mutex
	secrets map[string]*secret // by name
}

type secret struct {
	arn     string
	version int
	// current and previous are the texts of the two stages; previous is nil
	// until the first rotation.
	current  string
	previous *string
}

// New returns a service without secrets.
func New() *Server {
	s := &Server{secrets: map[string]*secret{}}
	s.Service = awsjson.NewService("secretsmanager", "1.1", map[string]awsjson.Operation{
		"GetSecretValue": awsjson.Typed(s.get),
	})
	return s
}

// Put sets a secret's current value, and returns its ARN. The value that it had
// before becomes the previous one.
func (s *Server) Put(name, value string) (arn string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.secrets[name]
	if k == nil {
		// The six characters that Secrets Manager appends to a name.
		k = &secret{arn: "arn:aws:secretsmanager:eu-west-1:000000000000:secret:" + name + "-a1b2c3"}
		s.secrets[name] = k
	} else {
		previous := k.current
		k.previous = &previous
	}
	k.current = value
	k.version++
	return k.arn
}

type getInput struct {
	SecretID     string `json:"SecretId"`
	VersionID    string `json:"VersionId"`
	VersionStage string
}

type getOutput struct {
	ARN           string
	Name          string
	SecretString  string
	VersionID     string `json:"VersionId"`
	VersionStages []string
}

func (s *Server) get(_ *http.Request, in getInput) (getOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, k := range s.secrets {
		if in.SecretID != name && in.SecretID != k.arn {
			continue
		}
		if in.VersionID != "" {
			return getOutput{}, &awsjson.Error{Status: http.StatusBadRequest, Type: "InvalidParameterException", Message: "versions by id are not modelled"}
		}
		stage, text, version := cmp.Or(in.VersionStage, "AWSCURRENT"), &k.current, k.version
		if stage == "AWSPREVIOUS" {
			text, version = k.previous, version-1
		}
		if text == nil || stage != "AWSCURRENT" && stage != "AWSPREVIOUS" {
			return getOutput{}, notFound("Secrets Manager can't find the specified secret value for staging label: " + stage)
		}
		return getOutput{ARN: k.arn, Name: name, SecretString: *text, VersionID: fmt.Sprintf("00000000-0000-4000-8000-%012d", version), VersionStages: []string{stage}}, nil
	}
	return getOutput{}, notFound("Secrets Manager can't find the specified secret.")
}

func notFound(message string) error {
	return &awsjson.Error{Status: http.StatusBadRequest, Type: "ResourceNotFoundException", Message: message}
}
