package e2e

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"os"
	"slices"
	"testing"
	"time"

	"walletsync/internal/local/lambda"
	"walletsync/internal/local/stack"
	"walletsync/internal/local/twin"
)

// started returns a stack of the benchmark's own.
func started(b *testing.B) *stack.Stack {
	b.Helper()
	s, err := stack.Start(context.Background(), stack.Options{Dir: b.TempDir(), NoSeed: true, Margin: 5 * time.Second})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.Close)
	return s
}

// pssCost measures one RSA-2048 PSS signature in this run.
func pssCost(b *testing.B) time.Duration {
	b.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	sum := sha256.Sum256([]byte("x"))
	const n = 300
	start := time.Now()
	for range n {
		if _, err := rsa.SignPSS(rand.Reader, key, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: 32}); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(start) / n
}

// BenchmarkWorker sends notifications of different charge permissions through
// the real binaries and counts what the worker's process took.
func BenchmarkWorker(b *testing.B) {
	s := started(b)
	sign := pssCost(b)
	send := func(first, n int) {
		for i := range n {
			id := permissionID(first + i)
			if _, err := s.Twin.Change(id, []byte(`{}`), twin.Notify{}); err != nil {
				b.Fatal(err)
			}
		}
		if err := stack.Until(b.Context(), time.Minute, "the rows", func() (bool, error) {
			var rows int
			err := s.DB.QueryRow(b.Context(), `select count(*) from walletsync.charge_permissions`).Scan(&rows)
			return rows >= first+n, err
		}); err != nil {
			b.Fatal(err)
		}
	}
	const warm, n = 200, 1000
	send(0, warm)
	worker := s.Worker.Usage().CPU
	calls := s.Twin.Stats().Calls[twin.GetChargePermission]["200"]
	sent := 0
	for b.Loop() {
		send(warm+sent, n)
		sent += n
	}
	worker = s.Worker.Usage().CPU - worker
	calls = s.Twin.Stats().Calls[twin.GetChargePermission]["200"] - calls
	b.ReportMetric(float64(worker)/float64(calls)/float64(sign), "worker-x-pss-sign/call")
	b.ReportMetric(float64(s.Worker.Usage().PeakRSS)/(1<<20), "worker-peak-MB")
}

func permissionID(n int) string {
	digits := []byte("0000000")
	for i := len(digits) - 1; n > 0; i-- {
		digits[i] = byte('0' + n%10)
		n /= 10
	}
	return "S01-2000000-" + string(digits)
}

// BenchmarkColdStart is the time from a process's start to its first poll.
func BenchmarkColdStart(b *testing.B) {
	s := started(b)
	for name, f := range map[string]*lambda.Function{"worker": s.Worker} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				f.Kill()
				if err := stack.Until(b.Context(), time.Minute, "it to be gone", func() (bool, error) { return f.Stats().Running == 0, nil }); err != nil {
					b.Fatal(err)
				}
				if err := f.Provision(b.Context(), 1); err != nil {
					b.Fatal(err)
				}
			}
			inits := slices.Clone(f.Stats().Inits)
			slices.Sort(inits)
			b.ReportMetric(float64(inits[len(inits)/2].Microseconds())/1000, "ms-median-to-first-poll")
		})
	}
	for name, bin := range map[string]string{"worker": s.Binary("ipn-worker"), "migrator": s.Binary("migrator")} {
		info, err := os.Stat(bin)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(info.Size())/(1<<20), name+"-MB")
	}
}
