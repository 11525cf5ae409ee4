package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"net/url"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"walletsync/internal/local/aws/lambda"
	"walletsync/internal/local/stack"
	"walletsync/internal/local/twin"
)

// meter reads the functions' log lines and counts the bytes of each function and the
// custom metrics.
type meter struct {
	mu     sync.Mutex
	bytes  map[string]int
	series map[string]bool
}

func (m *meter) Write(line []byte) (int, error) {
	var l struct {
		Function string
		AWS      *struct {
			CloudWatchMetrics []struct {
				Dimensions [][]string
				Metrics    []struct{ Name string }
			}
		} `json:"_aws"`
	}
	if json.Unmarshal(line, &l) != nil {
		return len(line), nil
	}
	var values map[string]any
	_ = json.Unmarshal(line, &values) // the line is a JSON object, as checked above
	m.mu.Lock()
	defer m.mu.Unlock()
	m.bytes[l.Function] += len(line)
	if l.AWS != nil {
		for _, w := range l.AWS.CloudWatchMetrics {
			for _, dimensions := range w.Dimensions {
				for _, metric := range w.Metrics {
					name := metric.Name
					for _, d := range dimensions {
						name += fmt.Sprintf(" %s=%v", d, values[d])
					}
					m.series[name] = true
				}
			}
		}
	}
	return len(line), nil
}

// take returns the bytes since its last call and the number of metrics so far.
func (m *meter) take() (bytes map[string]int, series int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	bytes, m.bytes = m.bytes, map[string]int{}
	return bytes, len(m.series)
}

// counting proxies connections to a server and counts the bytes sent to it.
func counting(b *testing.B, target string) (addr string, sent *atomic.Int64) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	sent = new(atomic.Int64)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s, err := net.Dial("tcp", target)
			if err != nil {
				_ = c.Close()
				continue
			}
			go func() { _, _ = io.Copy(io.MultiWriter(s, counter{sent}), c); _ = s.Close() }()
			go func() { _, _ = io.Copy(c, s); _ = c.Close() }()
		}
	}()
	return l.Addr().String(), sent
}

type counter struct{ n *atomic.Int64 }

func (c counter) Write(p []byte) (int, error) { c.n.Add(int64(len(p))); return len(p), nil }

// perInvocation is the usage of one invocation of a function.
type perInvocation struct {
	CPU      float64 `json:"cpuMs"`
	LogBytes float64 `json:"logBytes"`
	PeakMB   float64 `json:"peakMB"`
}

// BenchmarkForCosts measures the inputs of the table of costs. With -update it writes
// them to template/testdata/costs/measured.json, which the table's test reads.
func BenchmarkForCosts(b *testing.B) {
	const notifications, runs, updates = 300, 100, 30
	m := &meter{bytes: map[string]int{}, series: map[string]bool{}}
	var toDatabase *atomic.Int64
	s, err := stack.Start(b.Context(), stack.Options{Dir: b.TempDir(), Output: m, ReconcileEvery: -1,
		DatabaseURL: func(server string) (string, error) {
			u, err := url.Parse(server)
			if err == nil {
				u.Host, toDatabase = counting(b, u.Host)
			}
			return u.String(), err
		}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.Close)
	var out struct {
		On            string                   `json:"on"`
		How           string                   `json:"how"`
		Functions     map[string]perInvocation `json:"functions"`
		Runs          float64                  `json:"runsPerNotification"`
		Fetches       float64                  `json:"fetchesPerNotification"`
		Messages      float64                  `json:"messagesPerNotification"`
		IdleSeries    int                      `json:"idleSeries"`
		BusySeries    int                      `json:"busySeries"`
		DatabaseBytes float64                  `json:"databaseBytesPerRun"`
	}
	out.On, out.Functions = time.Now().UTC().Format(time.DateOnly), map[string]perInvocation{}
	out.How = fmt.Sprintf("BenchmarkForCosts on %s/%s: %d runs of the reconciler, %d notifications one after another, %d updates", runtime.GOOS, runtime.GOARCH, runs, notifications, updates)
	used := func(f *lambda.Function, do func()) (per perInvocation, n int) {
		before, stats := f.Usage(), f.Stats()
		do()
		after := f.Usage()
		n = f.Stats().Invocations - stats.Invocations
		per.CPU = math.Round(float64((after.CPU-before.CPU).Microseconds())/float64(n)/10) / 100
		per.PeakMB = math.Round(float64(after.PeakRSS) / (1 << 20))
		return per, n
	}
	for b.Loop() {
		invoke := func() {
			if _, err := s.Reconciler.Invoke(b.Context(), []byte(`{}`)); err != nil {
				b.Fatal(err)
			}
		}
		invoke() // opens connections
		m.take()
		clear(m.series) // no other function writes now
		reconciler, n := used(s.Reconciler, func() {
			for range runs {
				invoke()
			}
		})
		idle, series := m.take()
		reconciler.LogBytes = math.Round(float64(idle["reconciler"]) / float64(n))
		out.Functions["reconciler"], out.IdleSeries = reconciler, series

		sent, fetched, queued := toDatabase.Load(), s.Twin.Stats().Calls[twin.GetChargePermission], s.Queue.Stats().Sent
		before := 0
		for _, calls := range fetched {
			before += calls
		}
		var worker perInvocation
		var workerRuns int
		receiver, received := used(s.Receiver, func() {
			worker, workerRuns = used(s.Worker, func() {
				for i := range notifications {
					if _, err := s.Twin.Act(fmt.Sprintf("S01-100000%d-100000%d", i%3+1, i%3+1), "address", twin.Notify{}); err != nil {
						b.Fatal(err)
					}
					if i%3 == 2 { // confirm each one before it changes again, because wallets change rarely
						if err := stack.Until(b.Context(), eventTimeout, "the confirmations", func() (bool, error) {
							var open int
							err := s.DB.QueryRow(b.Context(), `select count(*) from walletsync.refreshes where wanted > done or lease is not null`).Scan(&open)
							return open == 0 && s.Queue.Stats().Visible == 0 && s.Queue.Stats().InFlight == 0, err
						}); err != nil {
							b.Fatal(err)
						}
					}
				}
			})
		})
		busy, _ := m.take()
		fetches := -before
		for _, calls := range s.Twin.Stats().Calls[twin.GetChargePermission] {
			fetches += calls
		}
		receiver.LogBytes = math.Round(float64(busy["ipn-receiver"]) / float64(received))
		worker.LogBytes = math.Round(float64(busy["ipn-worker"]) / float64(workerRuns))
		out.Functions["ipn-receiver"], out.Functions["ipn-worker"] = receiver, worker
		per := func(n float64) float64 { return math.Round(n/notifications*100) / 100 }
		out.Runs, out.Fetches, out.Messages = per(float64(workerRuns)), per(float64(fetches)), per(float64(s.Queue.Stats().Sent-queued))
		out.DatabaseBytes = math.Round(float64(toDatabase.Load()-sent) / float64(workerRuns))

		var start perInvocation
		var started int
		back, returned := used(s.Return, func() {
			start, started = used(s.Start, func() {
				for i := range updates {
					begun, w := walk(b, s, "S01-1000001-1000001", "payment_method", twin.Choice{CardEnding: []string{"4444", "1111"}[i%2]})
					get(b, begun.URL) // the update page, which needs a second signature
					get(b, w.ReturnURL)
				}
			})
		})
		rest, series := m.take()
		out.BusySeries = series
		start.LogBytes = math.Round(float64(rest["update-start"]) / float64(started))
		back.LogBytes = math.Round(float64(rest["checkout-return"]) / float64(returned))
		out.Functions["update-start"], out.Functions["checkout-return"] = start, back
	}
	text, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("%s", text)
	if *rewrite {
		if err := os.WriteFile("template/testdata/costs/measured.json", append(bytes.TrimSpace(text), '\n'), 0o644); err != nil {
			b.Fatal(err)
		}
	}
}
