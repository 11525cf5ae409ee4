package sns

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// net/http reads HTTPS_PROXY once, so these tests run in a child process
// of the same binary, which the variable makes open a message.
const openVariable = "SNS_TEST_OPEN"

func TestMain(m *testing.M) {
	if os.Getenv(openVariable) == "" {
		os.Exit(m.Run())
	}
	envelope, err := io.ReadAll(os.Stdin)
	if err != nil {
		panic(err)
	}
	var client *http.Client
	if file := os.Getenv("SNS_TEST_ROOTS"); file != "" {
		authorities, err := os.ReadFile(file)
		if err != nil {
			panic(err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(authorities)
		client = NewHTTPClient(roots)
	}
	message, err := NewOpener(Options{HTTPClient: client}).Open(context.Background(), envelope)
	fmt.Printf("%s %q %v", message.ID, Reason(err), err)
}

func TestCertificateIsFetchedThroughTheProxyOverTrustedTLS(t *testing.T) {
	authorityKey, serverKey := newKey(2048), newKey(2048)
	from, to := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	authority := issue("Proxy authority", true, authorityKey, nil, nil, from, to)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != testHost {
			t.Errorf("asked for host %s", r.Host)
		}
		_, _ = w.Write(testPEM())
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{
		Certificate: [][]byte{issue(testHost, false, serverKey, authority, authorityKey, from, to).Raw},
		PrivateKey:  serverKey,
	}}}
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // the untrusting client's alert
	server.StartTLS()
	defer server.Close()
	proxy, connects := startProxy(t, server.Listener.Addr().String())

	roots := filepath.Join(t.TempDir(), "authorities.pem")
	if err := os.WriteFile(roots, encode(authority), 0o600); err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	envelope := notification().sign(t, testKey()).json(t)
	for name, tt := range map[string]struct{ roots, want string }{
		"trusted":   {roots, notification()["MessageId"].(string) + ` "" <nil>`},
		"untrusted": {"", ` "certificate_unavailable" `},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), program)
			cmd.Env = append(os.Environ(), openVariable+"=1", "SNS_TEST_ROOTS="+tt.roots, "NO_PROXY=", "no_proxy=",
				"HTTPS_PROXY="+proxy, "https_proxy="+proxy, "SSL_CERT_FILE=/dev/null", "SSL_CERT_DIR=/dev/null")
			cmd.Stdin = strings.NewReader(string(envelope))
			output, err := cmd.CombinedOutput()
			if err != nil || !strings.HasPrefix(string(output), tt.want) {
				t.Errorf("%v: %s, want %s", err, output, tt.want)
			}
			if got := <-connects; got != testHost+":443" {
				t.Errorf("connected to %s", got)
			}
		})
	}
}

// startProxy returns the URL of a proxy that leads every connection to target,
// and the names that it is asked for.
func startProxy(t *testing.T, target string) (string, <-chan string) {
	t.Helper()
	names := make(chan string, 100)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			t.Errorf("the proxy was asked to %s", r.Method)
			return
		}
		names <- r.Host
		there, err := net.Dial("tcp", target)
		if err != nil {
			t.Error(err)
			return
		}
		defer there.Close()
		here, buffered, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer here.Close()
		_, _ = here.Write([]byte("HTTP/1.1 200 OK\r\n\r\n"))
		go func(from *bufio.Reader) {
			_, _ = io.Copy(there, from)
			_ = there.Close()
		}(buffered.Reader)
		_, _ = io.Copy(here, there)
	}))
	t.Cleanup(proxy.Close)
	return proxy.URL, names
}
