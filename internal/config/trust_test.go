package config

import (
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func pooled(roots *x509.CertPool) *http.Client {
	tr := http.DefaultTransport.(*http.Transport).Clone()
	tr.TLSClientConfig.RootCAs = roots
	return &http.Client{Transport: tr}
}

func TestCertificateFileIsTrustedInAdditionToTheSystems(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	file := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(file, block, 0o600); err != nil {
		t.Fatal(err)
	}

	if _, err := (Trust{}).Client(pooled).Get(server.URL); err == nil {
		t.Error("trusted without the file")
	}
	built := 0
	client := Trust{file}.Client(func(roots *x509.CertPool) *http.Client {
		built++
		system, err := x509.SystemCertPool()
		if err != nil {
			t.Fatal(err)
		}
		if roots.Equal(system) {
			t.Error("the file's certificate is not among the roots")
		}
		return pooled(roots)
	})
	if built != 0 {
		t.Error("built before the first request")
	}
	for range 2 {
		resp, err := client.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	if built != 1 {
		t.Errorf("built %d times, want once", built)
	}
}

func TestMissingCertificateFileFailsTheRequest(t *testing.T) {
	client := Trust{filepath.Join(t.TempDir(), "gone.pem")}.Client(pooled)
	_, err := client.Post("https://example.invalid", "text/plain", strings.NewReader("body"))
	if err == nil || !strings.Contains(err.Error(), "TLS_CA_FILE") {
		t.Errorf("err = %v", err)
	}
}

func TestAWSConfigurationIsReadWithoutTheNetwork(t *testing.T) {
	t.Setenv("AWS_REGION", "eu-west-1")
	t.Setenv("AWS_ACCESS_KEY_ID", "id")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	// Whatever tried the network would be refused here.
	t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1")
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	c, err := LoadAWS(t.Context())
	if err != nil || c.Region != "eu-west-1" {
		t.Fatalf("region %q, err %v", c.Region, err)
	}
	best := time.Hour
	for range 10 {
		start := time.Now()
		if _, err := LoadAWS(t.Context()); err != nil {
			t.Fatal(err)
		}
		best = min(best, time.Since(start))
	}
	t.Logf("%s", best)
}
