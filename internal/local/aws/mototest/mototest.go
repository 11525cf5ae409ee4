// Package mototest starts moto (github.com/getmoto/moto), a second opinion on
// what AWS's services answer, where it is installed. Only tests import it.
package mototest

import (
	"bytes"
	"context"
	"os/exec"
	"regexp"
	"sync"
	"testing"
	"time"
)

// Start starts moto_server on a free port and returns its URL. It is stopped
// when the test ends. Without moto the test is skipped.
func Start(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("moto_server"); err != nil {
		t.Skip("SKIP: moto_server is not installed (pip install 'moto[server]')")
	}
	// The shell ends moto when its standard input closes, which happens even
	// if this process is killed.
	// Moto chooses the port and says which: one chosen here could be another
	// process's by the time that moto listens.
	cmd := exec.Command("sh", "-c", `PYTHONUNBUFFERED=1 moto_server -H 127.0.0.1 -p 0 & read -r _; kill $!; wait`)
	var output lockedBuffer
	cmd.Stdout, cmd.Stderr = &output, &output
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait() // its status is that of a killed process
	})

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // a Python program takes its time to start
	defer cancel()
	for {
		if m := running.FindStringSubmatch(output.String()); m != nil {
			return m[1]
		}
		select {
		case <-ctx.Done():
			t.Skipf("SKIP: moto_server does not come up: %s", output.String())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// running is the line in which moto_server says where it listens.
var running = regexp.MustCompile(`Running on (http://127\.0\.0\.1:\d+)`)

// lockedBuffer is what two writers and a reader may share.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
