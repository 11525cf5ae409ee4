package e2e

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"walletsync/internal/ipn"
	"walletsync/internal/local/stack"
	"walletsync/internal/local/twin"
	"walletsync/internal/wallet"
)

// budget prints a figure beside its budget of design.md, "Budgets".
func budget(b *testing.B, what string, got, most float64, unit string) {
	b.Helper()
	verdict := "holds"
	if got > most {
		verdict = "EXCEEDED"
	}
	b.Logf("%-60s %8.2f %s, budget %.2f: %s", what, got, unit, most, verdict)
}

// ownCPU is the user and system time of this process.
func ownCPU(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// signCost is the CPU time of one RSA-2048 PSS signature by crypto/rsa. Time on
// the clock would count what else the machine does.
func signCost(b *testing.B) time.Duration {
	b.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	sum := sha256.Sum256([]byte("x"))
	const n = 500
	begun := ownCPU(b)
	for range n {
		if _, err := rsa.SignPSS(rand.Reader, key, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: 32}); err != nil {
			b.Fatal(err)
		}
	}
	return (ownCPU(b) - begun) / n
}

// batchOf is an SQS event with one fresh notification for each charge
// permission, published a minute ago, as the receiver puts them on the queue.
func batchOf(b *testing.B, ids []string) []byte {
	b.Helper()
	var e events.SQSEvent
	now := time.Now()
	for _, id := range ids {
		m := ipn.MessageOf(wallet.Notification{Account: "main", MessageID: rand.Text(), NotificationID: rand.Text(), ObjectType: wallet.ObjectChargePermission,
			ObjectID: id, ChargePermission: wallet.ChargePermissionID(id), Type: "ATTRIBUTE_CHANGE", Published: now.Add(-time.Minute), Arrived: now})
		e.Records = append(e.Records, events.SQSMessage{MessageId: rand.Text(), Body: m.Encode(), EventSource: "aws:sqs",
			Attributes: map[string]string{"ApproximateReceiveCount": "1"}})
	}
	event, err := json.Marshal(e)
	if err != nil {
		b.Fatal(err)
	}
	return event
}

// process has the worker process batches of ten.
func (w *trial) process(b *testing.B, ids []string) {
	b.Helper()
	for batch := range slices.Chunk(ids, 10) {
		answer, err := w.Worker.Invoke(b.Context(), batchOf(b, batch))
		if err != nil || string(answer) != `{"batchItemFailures":[]}` {
			b.Fatalf("%s, %v", answer, err)
		}
	}
}

// benchTrial is a stack whose quota is never in the way.
func benchTrial(b *testing.B) *trial {
	b.Helper()
	o := unhurried(5*time.Second, 2)
	o.Quota = &twin.Quota{Burst: 100000, PerSecond: 100000}
	return try(b, o)
}

// BenchmarkWorker measures what the worker's process takes for a change that a
// buyer made, in batches of ten: a notification, a signed call, a row and two
// change rows. So does a worker of the official SDK and pg, in its turn.
func BenchmarkWorker(b *testing.B) {
	w := benchTrial(b)
	ids := w.known(1200)
	ids, warm := ids[:1000], ids[1000:]
	changed := func(do func()) {
		b.Helper()
		before := w.count(`select n from walletsync.feed`)
		w.yesterday()
		w.move(append(slices.Clone(ids), warm...), twin.Notify{Silent: true})
		do()
		if n := w.count(`select n from walletsync.feed`) - before; n != 2*(len(ids)+len(warm)) {
			b.Fatalf("%d change rows of %d charge permissions, each with two", n, len(ids)+len(warm))
		}
	}
	modules, why := nodeModulesOrWhy(b)
	if why != "" {
		b.Logf("SKIP the comparison with Node: %s", why)
	}
	n := 0
	var took, sign, node, nodeSign time.Duration
	for b.Loop() {
		changed(func() {
			w.process(b, warm)
			begun := w.Worker.Usage().CPU
			w.process(b, ids)
			took += w.Worker.Usage().CPU - begun
		})
		sign += signCost(b)
		if modules != "" {
			changed(func() {
				all, signatures := w.processByNode(b, modules, ids, warm)
				node, nodeSign = node+all, nodeSign+signatures
			})
		}
		n++
	}
	ours := float64(took) / float64(n*len(ids)) * float64(n) / float64(sign)
	b.ReportMetric(ours, "worker-x-pss-sign")
	b.ReportMetric(ours-1, "beside-x-pss-sign")
	per := func(d time.Duration) time.Duration { return (d / time.Duration(n*len(ids))).Round(time.Microsecond) }
	ownSign := sign * time.Duration(len(ids))
	b.Logf("CPU of a notification %s, of it a signature %s", per(took), per(ownSign))
	budget(b, "worker CPU per notification, batches of 10", ours, 1.4, "× a PSS signature")
	budget(b, "the same beside the signature", ours-1, 0.30, "× a PSS signature")
	if node == 0 {
		return
	}
	b.ReportMetric(float64(took)/float64(node), "worker-x-node")
	b.Logf("CPU of a notification by Node %s, of it a signature %s", per(node), per(nodeSign))
	budget(b, "the same against the official Node SDK with pg", float64(took)/float64(node), 0.5, "×")
	b.Logf("%-60s %8.2f ×", "beside the signatures, Node's with the key read each time", float64(took-ownSign)/float64(node-nodeSign))
}

// processByNode has a worker of the official SDK and pg do the same, and returns
// the CPU time that it took, and what as many signatures
// alone take it, with the key read for each as the SDK does.
func (w *trial) processByNode(b *testing.B, modules string, ids, warm []string) (all, signatures time.Duration) {
	b.Helper()
	statements, err := filepath.Abs(filepath.Join("..", "postgres", "sql"))
	if err != nil {
		b.Fatal(err)
	}
	argument, err := json.Marshal(map[string]any{
		"modules": modules, "database": w.DatabaseURL, "statements": statements, "account": "main", "ids": ids, "warm": warm,
		"settings": map[string]any{"publicKeyId": w.PublicKeyID, "privateKeyFile": w.PrivateKeyFile, "region": "eu", "sandbox": true,
			"algorithm": "AMZN-PAY-RSASSA-PSS-V2", "overrideServiceUrl": strings.TrimPrefix(w.AmazonPayURL, "https://")},
	})
	if err != nil {
		b.Fatal(err)
	}
	node := exec.CommandContext(b.Context(), "node", filepath.Join("nodesdk", "worker.js"))
	node.Env = append(os.Environ(), "NODE_EXTRA_CA_CERTS="+w.CAFile)
	node.Stdin = bytes.NewReader(argument)
	var stderr bytes.Buffer
	node.Stderr = &stderr
	out, err := node.Output()
	if err != nil {
		b.Fatalf("%v: %s", err, stderr.String())
	}
	var got struct {
		Changed                  int
		Microseconds, Signatures int64
	}
	if err := json.Unmarshal(out, &got); err != nil || got.Changed != len(ids) {
		b.Fatalf("%v: %s %s", err, out, stderr.String())
	}
	return time.Duration(got.Microseconds) * time.Microsecond, time.Duration(got.Signatures) * time.Microsecond
}

// BenchmarkArrivalToCommit sends a hundred notifications a second through the
// whole of it, and asks Postgres when each one's row was committed.
func BenchmarkArrivalToCommit(b *testing.B) {
	w := benchTrial(b)
	if err := w.Postgres.Exec(b.Context(), `alter system set track_commit_timestamp = on`); err != nil {
		b.Fatal(err)
	}
	if err := w.Postgres.Restart(b.Context()); err != nil {
		b.Fatal(err)
	}
	w.buyers(50, twin.Notify{Age: time.Minute}) // warms it up
	w.settle()
	const n = 1000
	var lags []time.Duration
	for b.Loop() {
		begun := w.now()
		tick := time.NewTicker(time.Second / 100)
		for range n {
			<-tick.C
			w.buyers(1, twin.Notify{Age: time.Minute})
		}
		tick.Stop()
		w.settle()
		rows, err := w.DB.Query(b.Context(), `select extract(epoch from pg_xact_commit_timestamp(h.xmin) - n.arrived_at)::float8
			from walletsync.notifications n join walletsync.charge_permission_changes h on h.charge_permission = n.charge_permission
			where h.stored_at > $1`, begun)
		if err != nil {
			b.Fatal(err)
		}
		for rows.Next() {
			var lag float64
			if err := rows.Scan(&lag); err != nil {
				b.Fatal(err)
			}
			lags = append(lags, time.Duration(lag*float64(time.Second)))
		}
		if err := rows.Err(); err != nil || len(lags) < n {
			b.Fatalf("%d rows: %v", len(lags), err)
		}
	}
	slices.Sort(lags)
	ms := func(q float64) float64 { return float64(lags[int(q*float64(len(lags)-1))]) / float64(time.Millisecond) }
	b.ReportMetric(ms(0.5), "ms-p50")
	b.ReportMetric(ms(0.99), "ms-p99")
	b.Logf("%-60s %8.2f ms", "arrival to commit at 100/s, p50", ms(0.5))
	budget(b, "arrival to commit at 100/s, p99", ms(0.99), 30, "ms")
}

// BenchmarkWorkerAtRest measures the worker's process where it does little or
// everything at once: start, memory, size.
func BenchmarkWorkerAtRest(b *testing.B) {
	w := benchTrial(b)
	ids := w.buyers(1000, twin.Notify{Silent: true})
	const starts = 20
	var rest, peak float64
	for b.Loop() {
		for range starts {
			w.restart(b)
		}
		time.Sleep(time.Second) // what a process does after its start is over
		rest = float64(w.Worker.Usage().RSS) / (1 << 20)
		w.process(b, ids[:10])
		b.Logf("%-60s %8.2f MB", "memory after a first batch of 10", float64(w.Worker.Usage().RSS)/(1<<20))
		answer, err := w.Worker.Invoke(b.Context(), batchOf(b, ids))
		if err != nil || string(answer) != `{"batchItemFailures":[]}` {
			b.Fatalf("%s, %v", answer, err)
		}
		peak = float64(w.Worker.Usage().PeakRSS) / (1 << 20)
	}
	inits := w.Worker.Stats().Inits
	slices.Sort(inits)
	start := float64(inits[len(inits)/2]) / float64(time.Millisecond)
	info, err := os.Stat(w.Binary("ipn-worker"))
	if err != nil {
		b.Fatal(err)
	}
	size := float64(info.Size()) / (1 << 20)
	b.ReportMetric(start, "ms-to-first-poll")
	b.ReportMetric(rest, "MB-at-rest")
	b.ReportMetric(peak, "MB-at-1000")
	b.ReportMetric(size, "MB-binary")
	budget(b, fmt.Sprintf("start to first poll, median of %d", len(inits)), start, 15, "ms")
	budget(b, "memory at rest", rest, 20, "MB")
	budget(b, "memory under a batch of 1,000", peak, 48, "MB")
	budget(b, "binary, stripped", size, 16, "MB")
}

// restart ends the worker's processes and starts one.
func (w *trial) restart(b *testing.B) {
	b.Helper()
	if w.Worker.Kill() > 0 {
		if err := stack.Until(b.Context(), tried, "the worker to be gone", func() (bool, error) { return w.Worker.Stats().Running == 0, nil }); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Worker.Provision(b.Context(), 1); err != nil {
		b.Fatal(err)
	}
}
