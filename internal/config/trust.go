package config

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"sync"
)

// Trust adds certificate authorities to the system's for connections to Amazon Pay, SNS
// and CloudFormation. A proxy that decrypts TLS needs it. The zero value trusts only
// the system's.
type Trust struct {
	// TLS_CA_FILE: path of a PEM file with certificate authorities to trust besides
	// the system's, such as a corporate proxy's.
	File string
}

// Client returns the client that build makes from the trusted roots. nil means the
// system's roots. If a file is set, build runs at the first request, because reading
// the system's roots takes longer than the rest of a cold start.
func (t Trust) Client(build func(roots *x509.CertPool) *http.Client) *http.Client {
	if t.File == "" {
		return build(nil)
	}
	return &http.Client{Transport: &late{build: sync.OnceValues(func() (http.RoundTripper, error) {
		roots, err := x509.SystemCertPool()
		if err != nil {
			return nil, fmt.Errorf("the system's certificate authorities: %w", err)
		}
		pem, err := os.ReadFile(t.File)
		if err != nil {
			return nil, fmt.Errorf("TLS_CA_FILE: %w", err)
		}
		if !roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("TLS_CA_FILE: %s contains no certificate in PEM", t.File)
		}
		return build(roots).Transport, nil
	})}}
}

// late is a transport that is built at the first request.
type late struct {
	build func() (http.RoundTripper, error)
}

func (l *late) RoundTrip(r *http.Request) (*http.Response, error) {
	transport, err := l.build()
	if err != nil {
		if r.Body != nil {
			_ = r.Body.Close() // as http.RoundTripper requires
		}
		return nil, err
	}
	return transport.RoundTrip(r)
}
