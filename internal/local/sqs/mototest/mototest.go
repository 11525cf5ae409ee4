// Package mototest starts moto (github.com/getmoto/moto), a second opinion on
// what AWS's services answer, where it is installed. Only tests import it.
package mototest

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os/exec"
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
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}

	// The shell ends moto when its standard input closes, which happens even
	// if this process is killed.
	cmd := exec.Command("sh", "-c", `moto_server -H 127.0.0.1 -p "$0" & read -r _; kill $!; wait`, port)
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

	url := "http://" + address
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/moto-api/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_ = resp.Body.Close()
			return url
		}
		select {
		case <-ctx.Done():
			t.Skipf("SKIP: moto_server does not come up: %s", output.String())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

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
