package amazonpay

import (
	"bufio"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// net/http reads HTTPS_PROXY once, so these tests run in a child process
// of the same binary, which the variable makes make a call.
const callVariable = "AMAZONPAY_TEST_CALL"

func TestMain(m *testing.M) {
	if os.Getenv(callVariable) == "" {
		os.Exit(m.Run())
	}
	config := Config{Region: EU, Environment: Sandbox, PublicKeyID: "ABC", PrivateKey: testKey(), HTTPClient: NewHTTPClient(nil, 1)}
	if file := os.Getenv("AMAZONPAY_TEST_ROOTS"); file != "" {
		authorities, err := os.ReadFile(file)
		if err != nil {
			panic(err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(authorities)
		config.HTTPClient = NewHTTPClient(roots, 1)
	}
	c, err := New(config)
	if err != nil {
		panic(err)
	}
	_, err = c.GetChargePermission(context.Background(), permissionID)
	fmt.Printf("misconfigured %v, temporary %v: %v", Misconfigured(err), Temporary(err), err)
}

// server is an HTTPS server for Amazon's name, and the authority that it is
// trusted by.
func server(t *testing.T, handler http.HandlerFunc) (*httptest.Server, *x509.CertPool, []byte) {
	t.Helper()
	issue := func(template, parent *x509.Certificate, key crypto.Signer) []byte {
		template.SerialNumber = big.NewInt(1)
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		template.BasicConstraintsValid = true
		der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	// One key for both is enough for a test.
	authority := &x509.Certificate{Subject: pkix.Name{CommonName: "Test authority"}, IsCA: true, KeyUsage: x509.KeyUsageCertSign}
	authorityDER := issue(authority, authority, testKey())
	parsed, err := x509.ParseCertificate(authorityDER)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{DNSNames: []string{"pay-api.amazon.eu"}}
	s := httptest.NewUnstartedServer(handler)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{issue(leaf, parsed, testKey())}, PrivateKey: testKey()}}}
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // alerts of clients that do not trust it
	s.StartTLS()
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return s, roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authorityDER})
}

// dialled returns a client of the server, and a count of its connections.
func dialled(t *testing.T, s *httptest.Server, roots *x509.CertPool, inFlight int) (*Client, *atomic.Int64) {
	t.Helper()
	var connections atomic.Int64
	httpClient := NewHTTPClient(roots, inFlight)
	httpClient.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		connections.Add(1)
		return (&net.Dialer{}).DialContext(ctx, network, s.Listener.Addr().String())
	}
	return newClient(t, func(c *Config) { c.HTTPClient = httpClient }, nil), &connections
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	const inFlight = 20
	var arrived sync.WaitGroup
	s, roots, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
		arrived.Done()
		arrived.Wait() // so that all of a round are in flight at once
		if r.ProtoMajor != 1 {
			t.Errorf("came by %s", r.Proto)
		}
		if strings.HasSuffix(r.URL.Path, "9") {
			http.Error(w, strings.Repeat("a refusal ", 1000), http.StatusTooManyRequests)
			return
		}
		_, _ = fmt.Fprintf(w, `{"chargePermissionId":%q}`, r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:])
	})
	c, connections := dialled(t, s, roots, inFlight)
	for range 5 {
		arrived.Add(inFlight)
		var calls sync.WaitGroup
		for i := range inFlight {
			calls.Go(func() {
				_, err := c.GetChargePermission(t.Context(), fmt.Sprintf("B01-0000000-%07d", i))
				if _, throttled := Throttled(err); err != nil && !throttled {
					t.Error(err)
				}
			})
		}
		calls.Wait()
	}
	// The transport may start one for a call that then gets another's, but it
	// does not start new ones for each round.
	if n := connections.Load(); n < inFlight || n > inFlight+5 {
		t.Errorf("%d connections for 5 rounds of %d calls", n, inFlight)
	}
}

// A kept connection that the server closes without an answer, as one that idled
// for long may be, is replaced without a failure, for the POST too.
func TestClosedConnectionIsReplaced(t *testing.T) {
	for name, call := range map[string]func(*Client) error{
		"GET":  func(c *Client) error { _, err := c.GetCheckoutSession(t.Context(), sessionID); return err },
		"POST": func(c *Client) error { _, err := c.CompleteCheckoutSession(t.Context(), sessionID, "key"); return err },
	} {
		t.Run(name, func(t *testing.T) {
			var requests atomic.Int64
			s, roots, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
				if _, sent := r.Header["Idempotency-Key"]; sent {
					t.Error("a header for net/http alone was sent")
				}
				if requests.Add(1) != 2 {
					_, _ = io.WriteString(w, session)
					return
				}
				connection, _, err := w.(http.Hijacker).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				_ = connection.Close()
			})
			c, connections := dialled(t, s, roots, 1)
			for range 2 {
				if err := call(c); err != nil {
					t.Error(err)
				}
			}
			if requests.Load() != 3 || connections.Load() != 2 {
				t.Errorf("%d requests by %d connections", requests.Load(), connections.Load())
			}
		})
	}
}

func TestMalformedHTTPIsNotQuoted(t *testing.T) {
	for _, raw := range []string{
		"{\"name\":\"Müller\"}\r\n\r\n",
		"HTTP/1.1 200 OK\r\nMüller\r\n\r\n",
		"HTTP/1.1 Müller\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: Müller\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nMüller\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: Müller\r\n\r\n",
		"",
	} {
		s, roots, _ := server(t, func(w http.ResponseWriter, _ *http.Request) {
			connection, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.WriteString(connection, raw)
			_ = connection.Close()
		})
		c, _ := dialled(t, s, roots, 1)
		_, err := c.GetChargePermission(t.Context(), permissionID)
		if !Temporary(err) || strings.Contains(err.Error(), "Müller") || strings.Contains(err.Error(), "M\\u00fc") {
			t.Errorf("%q: %v", raw, err)
		}
	}
}

func TestUntrustedHostMustBeSeenTo(t *testing.T) {
	s, _, _ := server(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent to it") })
	c, connections := dialled(t, s, x509.NewCertPool(), 1)
	_, err := c.GetChargePermission(t.Context(), permissionID)
	if !Misconfigured(err) || Temporary(err) || connections.Load() != 1 {
		t.Errorf("%d connections, %v", connections.Load(), err)
	}
}

func TestProxyAndRootsAreHonoured(t *testing.T) {
	s, _, authority := server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "pay-api.amazon.eu" {
			t.Errorf("asked for host %s", r.Host)
		}
		_, _ = io.WriteString(w, permission)
	})
	roots := filepath.Join(t.TempDir(), "authorities.pem")
	if err := os.WriteFile(roots, authority, 0o600); err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		roots  string
		status int // of the proxy
		want   string
	}{
		"trusted":   {roots, 200, "misconfigured false, temporary false: <nil>"},
		"untrusted": {"", 200, "misconfigured true, temporary false: amazonpay: get charge permission"},
		"refused":   {roots, 407, "misconfigured false, temporary true: amazonpay: get charge permission B01-0000000-0000000: the proxy answered HTTP status 407"},
	} {
		t.Run(name, func(t *testing.T) {
			proxy, names := startProxy(t, tt.status, s.Listener.Addr().String())
			cmd := exec.CommandContext(t.Context(), program)
			cmd.Env = append(os.Environ(), callVariable+"=1", "AMAZONPAY_TEST_ROOTS="+tt.roots, "NO_PROXY=", "no_proxy=",
				"HTTPS_PROXY="+proxy, "https_proxy="+proxy, "SSL_CERT_FILE=/dev/null", "SSL_CERT_DIR=/dev/null")
			output, err := cmd.CombinedOutput()
			if err != nil || !strings.HasPrefix(string(output), tt.want) {
				t.Errorf("%v: %s, want %s", err, output, tt.want)
			}
			if got := <-names; got != "pay-api.amazon.eu:443" {
				t.Errorf("connected to %s", got)
			}
		})
	}
}

// startProxy returns the URL of a proxy that answers with the status and, if
// that is 200, leads every connection to target; and the names that it is asked
// for.
func startProxy(t *testing.T, status int, target string) (string, <-chan string) {
	t.Helper()
	names := make(chan string, 100)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			t.Errorf("the proxy was asked to %s", r.Method)
			return
		}
		names <- r.Host
		if status != http.StatusOK {
			w.WriteHeader(status)
			return
		}
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
		_, _ = io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n")
		go func(from *bufio.Reader) {
			_, _ = io.Copy(there, from)
			_ = there.Close()
		}(buffered.Reader)
		_, _ = io.Copy(here, there)
	}))
	t.Cleanup(proxy.Close)
	return proxy.URL, names
}
