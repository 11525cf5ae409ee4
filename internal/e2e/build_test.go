package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestTheStackRunsTheDeployedBinaries builds each function as sam build does, but
// for this machine, and compares it with what the stack runs.
func TestTheStackRunsTheDeployedBinaries(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("what is deployed is built for Linux")
	}
	s := running(t)
	mains, err := filepath.Glob("../../functions/*/main.go")
	if err != nil || len(mains) < 7 {
		t.Fatal(mains, err)
	}
	for _, main := range mains {
		name := filepath.Base(filepath.Dir(main))
		var id strings.Builder
		for word := range strings.SplitSeq(name, "-") {
			id.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
		artifacts := t.TempDir()
		build := exec.CommandContext(t.Context(), "make", "build-"+id.String())
		build.Dir = "../.."
		build.Env = append(os.Environ(), "MAKEFLAGS=", "MAKELEVEL=", "ARTIFACTS_DIR="+artifacts, "GOARCH="+runtime.GOARCH)
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		deployed, err := os.ReadFile(filepath.Join(artifacts, "bootstrap"))
		if err != nil {
			t.Fatal(err)
		}
		runs, err := os.ReadFile(s.Binary(name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(deployed, runs) {
			t.Errorf("%s: %d bytes run here, %d bytes are deployed", name, len(runs), len(deployed))
		}
	}
}
