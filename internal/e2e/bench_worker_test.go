package e2e

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"golang.org/x/sync/errgroup"

	"walletsync/internal/ipn"
	"walletsync/internal/local/stack"
	"walletsync/internal/local/twin"
	"walletsync/internal/wallet"
)

// signer makes RSA-2048 PSS signatures with crypto/rsa.
type signer struct {
	key *rsa.PrivateKey
	sum [sha256.Size]byte
}

func newSigner(b *testing.B) signer {
	b.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	return signer{key, sha256.Sum256([]byte("x"))}
}

func (s signer) sign() error {
	_, err := rsa.SignPSS(rand.Reader, s.key, crypto.SHA256, s.sum[:], &rsa.PSSOptions{SaltLength: 32})
	return err
}

// inALoop returns the CPU time of n signatures, one after the other. Wall time would
// include other work of the machine.
func (s signer) inALoop(b *testing.B, n int) time.Duration {
	b.Helper()
	begun := ownCPU(b)
	for range n {
		if err := s.sign(); err != nil {
			b.Fatal(err)
		}
	}
	return ownCPU(b) - begun
}

// inBatches returns the CPU time of n signatures made like the worker's: ten at once,
// then a pause, at the pace of its batches. This includes the costs of sleeping and
// waking, which a loop does not have.
func (s signer) inBatches(b *testing.B, n int, pace time.Duration) time.Duration {
	b.Helper()
	begun := ownCPU(b)
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for range n / 10 {
		<-tick.C
		var ten errgroup.Group
		for range 10 {
			ten.Go(s.sign)
		}
		if err := ten.Wait(); err != nil {
			b.Fatal(err)
		}
	}
	return ownCPU(b) - begun
}

// batchOf returns an SQS event with a new notification for each charge permission,
// published a minute ago, in the receiver's form.
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

// process sends batches of ten to the worker.
func (w *trial) process(b *testing.B, ids []string) {
	b.Helper()
	for batch := range slices.Chunk(ids, 10) {
		answer, err := w.Worker.Invoke(b.Context(), batchOf(b, batch))
		if err != nil || string(answer) != `{"batchItemFailures":[]}` {
			b.Fatalf("%s, %v", answer, err)
		}
	}
}

// benchTrial starts a stack with an unlimited quota.
func benchTrial(b *testing.B) *trial {
	b.Helper()
	o := unhurried(5*time.Second, 2)
	o.Quota = &twin.Quota{Burst: 100000, PerSecond: 100000}
	return try(b, o)
}

// BenchmarkWorker measures the worker's CPU time for a buyer's change, in batches of
// ten: a notification, a signed call, a row and two change rows. Then it measures the
// same work with the official SDK and pg.
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
	s := newSigner(b)
	var took, sign, loop, node, nodeSign time.Duration
	for b.Loop() {
		var pace time.Duration
		changed(func() {
			w.process(b, warm)
			begun, clock := w.Worker.Usage().CPU, time.Now()
			w.process(b, ids)
			took += w.Worker.Usage().CPU - begun
			pace = time.Since(clock) / time.Duration(len(ids)/10)
		})
		sign += s.inBatches(b, len(ids), pace)
		loop += s.inALoop(b, len(ids))
		if modules != "" {
			changed(func() {
				total, signatures := w.processByNode(b, modules, ids, warm)
				node, nodeSign = node+total, nodeSign+signatures
			})
		}
		n++
	}
	ms := func(d time.Duration) float64 { return float64(d) / float64(n*len(ids)) / float64(time.Millisecond) }
	const batches, alone = "x RSA-2048 PSS, in batches of 10", "x RSA-2048 PSS, in a loop"
	lines := []budget{
		{"CPU of a notification", float64(took) / float64(sign), 1.4, batches},
		{"CPU beside its signature", float64(took-sign) / float64(sign), 0.30, batches},
		{"CPU of a notification", float64(took) / float64(loop), 0, alone},
		{"CPU of a notification", ms(took), 0, "ms"},
		{"CPU of a signature by crypto/rsa, in a loop", ms(loop), 0, "ms"},
	}
	if node > 0 {
		lines = append(lines,
			budget{"CPU of a notification", float64(took) / float64(node), 0.5, "x Node SDK and pg"},
			budget{"CPU beside the signatures", float64(took-sign) / float64(node-nodeSign), 0, "x Node SDK and pg"},
			budget{"CPU of a notification by Node", ms(node), 0, "ms"},
			budget{"CPU of a signature by Node, as the SDK makes it", ms(nodeSign), 0, "ms"})
	}
	report(b, "ipn-worker, batches of 10", lines...)
}

// processByNode does the same work with the official SDK and pg. It returns the CPU
// time, and the CPU time of the signatures alone, with the key parsed for each one as
// in the SDK.
func (w *trial) processByNode(b *testing.B, modules string, ids, warm []string) (total, signatures time.Duration) {
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

// BenchmarkArrivalToCommit sends a hundred notifications a second through the whole
// stack and reads from Postgres when each row was committed.
func BenchmarkArrivalToCommit(b *testing.B) {
	w := benchTrial(b)
	if err := w.Postgres.Exec(b.Context(), `alter system set track_commit_timestamp = on`); err != nil {
		b.Fatal(err)
	}
	if err := w.Postgres.Restart(b.Context()); err != nil {
		b.Fatal(err)
	}
	w.buyers(50, twin.Notify{Age: time.Minute}) // warms up the functions
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
	report(b, "arrival to commit at 100 a second",
		budget{"p50", ms(0.5), 0, "ms"},
		budget{"p99", ms(0.99), 30, "ms"})
}

// BenchmarkWorkerAtRest measures start-up time, memory and size of the worker.
func BenchmarkWorkerAtRest(b *testing.B) {
	w := benchTrial(b)
	ids := w.buyers(1000, twin.Notify{Silent: true})
	const starts = 20
	const mb = 1 << 20
	var rest, first, peak int64
	for b.Loop() {
		for range starts {
			w.restart(b)
		}
		time.Sleep(time.Second) // wait until the work after the start has ended
		rest = w.Worker.Usage().RSS
		w.process(b, ids[:10])
		first = w.Worker.Usage().RSS
		answer, err := w.Worker.Invoke(b.Context(), batchOf(b, ids))
		if err != nil || string(answer) != `{"batchItemFailures":[]}` {
			b.Fatalf("%s, %v", answer, err)
		}
		peak = w.Worker.Usage().PeakRSS
	}
	inits := w.Worker.Stats().Inits
	slices.Sort(inits)
	lines := []budget{
		{"cold start, median", float64(inits[len(inits)/2].Microseconds()) / 1000, 15, "ms"},
		{"memory at rest", float64(rest) / mb, 20, "MB"},
		{"memory after a first batch of 10", float64(first) / mb, 0, "MB"},
		{"memory under a batch of 1,000, peak", float64(peak) / mb, 48, "MB"},
	}
	for _, name := range []string{"ipn-worker", "migrator"} {
		info, err := os.Stat(w.Binary(name))
		if err != nil {
			b.Fatal(err)
		}
		lines = append(lines, budget{"binary of " + name + ", stripped", float64(info.Size()) / mb, 16, "MB"})
	}
	report(b, "ipn-worker, start, memory and size", lines...)
}

// restart ends the worker's processes and starts a new one.
func (w *trial) restart(b *testing.B) {
	b.Helper()
	if w.Worker.Kill() > 0 {
		if err := stack.Until(b.Context(), trialTimeout, "the worker to end", func() (bool, error) { return w.Worker.Stats().Running == 0, nil }); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Worker.Provision(b.Context(), 1); err != nil {
		b.Fatal(err)
	}
}
