package e2e

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"walletsync/internal/local/aws/lambda"
	"walletsync/internal/local/aws/secrets"
	"walletsync/internal/local/aws/sqs"
	"walletsync/internal/local/stack"
	"walletsync/internal/local/twin"
)

// budget is a line of design.md §7 with its measurement.
type budget struct {
	what     string
	measured float64
	most     float64 // 0: no budget, reported to explain the others
	unit     string
}

// report writes the lines as metrics, and as a table with budgets and results. The log of
// a benchmark is limited to ten lines.
func report(b *testing.B, name string, lines ...budget) {
	b.Helper()
	table := name + ", against design.md §7:"
	for _, l := range lines {
		table += fmt.Sprintf("\n  %-59s %7.2f", l.what+", "+l.unit, l.measured)
		switch {
		case l.most == 0:
		case l.measured <= l.most:
			table += fmt.Sprintf("  of at most %.4g: holds", l.most)
		default:
			table += fmt.Sprintf("  of at most %.4g: MISSED", l.most)
		}
		b.ReportMetric(l.measured, strings.NewReplacer(" ", "-", ",", "").Replace(l.what+" "+l.unit))
	}
	b.ReportMetric(0, "ns/op") // the time of a round has no meaning
	b.Log(table)
}

// collector collects deliveries of SNS.
type collector struct {
	mu        sync.Mutex
	envelopes [][]byte
}

func (c *collector) RoundTrip(q *http.Request) (*http.Response, error) {
	envelope, err := io.ReadAll(q.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.envelopes = append(c.envelopes, envelope)
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Header: http.Header{}}, err
}

// envelopes returns n notifications that a twin signed but did not deliver.
func envelopes(b *testing.B, caFile string, n int) (*twin.Twin, [][]byte) {
	b.Helper()
	c := &collector{}
	t, err := twin.New(twin.Options{CAFile: caFile, SNS: twin.SNS{Client: &http.Client{Transport: c}},
		Accounts: []twin.Account{{Endpoint: "http://collector.invalid/", Subscribed: true}}})
	if err != nil {
		b.Fatal(err)
	}
	if err := t.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = t.Close() })
	for i := range n {
		if _, err := t.Change(permissionID(i), []byte(`{}`), twin.Notify{}); err != nil {
			b.Fatal(err)
		}
	}
	if err := t.Idle(b.Context()); err != nil {
		b.Fatal(err)
	}
	return t, c.envelopes
}

// served serves h and returns its URL.
func served(b testing.TB, h http.Handler) string {
	b.Helper()
	l, err := (&net.ListenConfig{}).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	go func() { _ = s.Serve(l) }() // until Close
	b.Cleanup(func() { _ = s.Close() })
	return "http://" + l.Addr().String()
}

// oneInstance starts a function with one instance, so that start-up and idle time of
// others are not counted.
func oneInstance(b *testing.B, binary string, environment map[string]string) *lambda.Function {
	b.Helper()
	f, err := lambda.Start(context.Background(), lambda.Config{Name: "measured", Binary: binary, Environment: environment,
		Timeout: 10 * time.Second, Wait: 10 * time.Second, MaxConcurrency: 1})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(f.Close)
	return f
}

// take sends the deliveries to the function, with the next one always waiting, and
// returns the CPU time for each.
func take(b *testing.B, f *lambda.Function, deliveries [][]byte) time.Duration {
	b.Helper()
	h := (&lambda.Gateway{Routes: map[string]*lambda.Function{"POST /ipn/{account}/{secret}": f}}).Handler()
	before := f.Usage().CPU
	next := make(chan []byte)
	var senders sync.WaitGroup
	for range 2 {
		senders.Go(func() {
			for body := range next {
				w := httptest.NewRecorder()
				q := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/ipn/main/the-secret-of-main", bytes.NewReader(body))
				q.Header.Set("Content-Type", "text/plain; charset=UTF-8")
				if h.ServeHTTP(w, q); w.Code != http.StatusOK {
					b.Errorf("answered %d %s", w.Code, w.Body)
				}
			}
		})
	}
	for _, body := range deliveries {
		next <- body
	}
	close(next)
	senders.Wait()
	return (f.Usage().CPU - before) / time.Duration(len(deliveries))
}

// verification returns the CPU time of one RSA-2048 verification by crypto/rsa.
func verification(b *testing.B, key *rsa.PrivateKey) time.Duration {
	b.Helper()
	digest := sha256.Sum256([]byte("x"))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	if err != nil {
		b.Fatal(err)
	}
	const n = 5000
	before := ownCPU(b)
	for range n {
		if err := rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, digest[:], signature); err != nil {
			b.Fatal(err)
		}
	}
	return (ownCPU(b) - before) / n
}

// ownCPU returns the CPU time of this process.
func ownCPU(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// coldStart returns the median time from the process's start to its first poll.
func coldStart(b *testing.B, binary string, environment map[string]string) time.Duration {
	b.Helper()
	f := oneInstance(b, binary, environment)
	for range 21 {
		if err := f.Provision(b.Context(), 1); err != nil {
			b.Fatal(err)
		}
		f.Kill()
		if err := stack.Until(b.Context(), time.Minute, "it to be gone", func() (bool, error) { return f.Stats().Running == 0, nil }); err != nil {
			b.Fatal(err)
		}
	}
	starts := f.Stats().Inits
	slices.Sort(starts)
	return starts[len(starts)/2]
}

// BenchmarkReceiver compares the receiver's real binary with design.md §7. It measures a
// process that always has the next notification waiting, an empty function in the same
// round, and crypto/rsa. The difference between the two functions is the time to verify
// and enqueue. The rest is aws-lambda-go fetching and answering the invocation.
func BenchmarkReceiver(b *testing.B) {
	binary := benchTrial(b).Binary("ipn-receiver")
	const n = 1000
	caFile := filepath.Join(b.TempDir(), "ca.pem")
	amazon, deliveries := envelopes(b, caFile, n)
	service, vault := sqs.New(sqs.Options{}), secrets.New()
	queue, err := service.CreateQueue("measured", sqs.DefaultSettings())
	if err != nil {
		b.Fatal(err)
	}
	sqsURL := served(b, service)
	a := amazon.Accounts()[0]
	pathSecret := vault.Put("ipn-path", `{"ipnSecret":"the-secret-of-main"}`)
	environment := map[string]string{
		"ACCOUNTS": fmt.Sprintf(`[{"id":"main","merchantId":%q,"environment":"sandbox","region":"EU","publicKeyId":%q,"storeId":"amzn1.application-oa2-client.0",
			"ledgerCurrency":"EUR","topics":[%q],"privateKeySecretArn":%q,"ipnPathSecretArn":%[4]q}]`, a.MerchantID, a.PublicKeyID, a.TopicARN, pathSecret),
		"QUEUE_URL": queue.URL(sqsURL), "TLS_CA_FILE": caFile, "HTTPS_PROXY": amazon.ProxyURL(),
		"AWS_ENDPOINT_URL_SQS": sqsURL, "AWS_ENDPOINT_URL_SECRETS_MANAGER": served(b, vault),
	}
	receiver := oneInstance(b, binary, environment)
	if err := receiver.Provision(b.Context(), 1); err != nil {
		b.Fatal(err)
	}
	rest := receiver.Usage().RSS
	nothing := filepath.Join(b.TempDir(), "nothing")
	if out, err := exec.CommandContext(b.Context(), "go", "build", "-buildvcs=false", "-trimpath", "-tags", "lambda.norpc", "-ldflags", "-s -w", "-o", nothing, "./nothing").CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	empty := oneInstance(b, nothing, map[string]string{"GOMAXPROCS": "1"}) // as the receiver sets it
	cold := coldStart(b, binary, environment)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}

	take(b, receiver, deliveries[:200])
	take(b, empty, deliveries[:200])
	var whole, idle, verify time.Duration
	for b.Loop() {
		verify += verification(b, key)
		whole += take(b, receiver, deliveries)
		idle += take(b, empty, deliveries)
	}
	info, err := os.Stat(binary)
	if err != nil {
		b.Fatal(err)
	}
	const mb = 1 << 20
	usage := receiver.Usage()
	const unit = "x RSA-2048 verification"
	report(b, "ipn-receiver",
		budget{"CPU of verify and enqueue", float64(whole-idle) / float64(verify), 12, unit},
		budget{"CPU of Lambda's runtime beside it", float64(idle) / float64(verify), 0, unit},
		budget{"CPU of the process, both together", float64(whole) / float64(verify), 0, unit},
		budget{"cold start, median", float64(cold.Microseconds()) / 1000, 15, "ms"},
		budget{"memory at rest, before the load", float64(rest) / mb, 20, "MB"},
		budget{"memory at rest, after the load", float64(usage.RSS) / mb, 20, "MB"},
		budget{"memory under load, peak", float64(usage.PeakRSS) / mb, 48, "MB"},
		budget{"binary, stripped", float64(info.Size()) / mb, 16, "MB"})
}
