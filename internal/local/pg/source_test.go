//go:build unix

package pg

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

func TestEverySourceServes(t *testing.T) {
	t.Parallel()
	for _, source := range Sources() {
		t.Run(string(source), func(t *testing.T) {
			t.Parallel()
			o := options(t)
			o.Sources = []Source{source}
			o.Progress = func(what string) { t.Log(what) }
			s, err := Start(t.Context(), o)
			if reasons := (notFoundError{}); errors.As(err, &reasons) && errors.Is(err, errUnavailable) {
				t.Skipf("%v — it needs its client and the network", errors.Join(reasons...))
			}
			if err != nil {
				t.Fatal(err)
			}
			defer s.Stop()
			conn := connect(t, s.AdminURL())
			// Time zones, text search and PL/pgSQL come from files beside the programs.
			got := query[string](t, conn, `SELECT ('2026-07-01 12:00+00'::timestamptz AT TIME ZONE 'Asia/Tokyo')::text || to_tsvector('english', 'changes')::text`)
			if want := "2026-07-01 21:00:00'chang':1"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if _, err := conn.Exec(t.Context(), "DO $$ BEGIN PERFORM 1; END $$"); err != nil {
				t.Error(err)
			}
			if !strings.HasSuffix(s.Version(), "("+string(source)+")") {
				t.Errorf("version %s", s.Version())
			}
		})
	}
}

func TestEverySourceThatCannotServeIsNamedWithItsReason(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	s, err := Start(t.Context(), Options{CacheDir: t.TempDir(), Sources: []Source{NPM}})
	if err == nil {
		t.Fatal("started", s.Stop())
	}
	for _, want := range []string{"\n  npm: unavailable: there is no npm here\n", "apt-get install postgresql"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error lacks %q: %v", want, err)
		}
	}
	if _, err := Start(t.Context(), Options{CacheDir: t.TempDir(), Sources: []Source{"cloud"}}); err == nil || !strings.Contains(err.Error(), `"cloud"`) {
		t.Errorf("unknown source: %v", err)
	}
}

func TestEveryNPMPackageIsPinnedByItsHash(t *testing.T) {
	t.Parallel()
	text, err := lockFiles.ReadFile("npm/package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	var lock struct {
		Packages map[string]struct{ Version, Integrity string }
	}
	if err := json.Unmarshal(text, &lock); err != nil {
		t.Fatal(err)
	}
	delete(lock.Packages, "") // the project itself
	if len(lock.Packages) != 4 {
		t.Errorf("%d packages, want one for each of Linux and macOS on x64 and arm64", len(lock.Packages))
	}
	for name, p := range lock.Packages {
		if p.Version == "" || !strings.HasPrefix(p.Integrity, "sha512-") {
			t.Errorf("%s: version %q, integrity %q", name, p.Version, p.Integrity)
		}
	}
}

func TestUnusableInstallationIsRefused(t *testing.T) {
	t.Parallel()
	who, err := serverAccount()
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ postgres, want string }{
		"old":         {"echo 'postgres (PostgreSQL) 14.9'", "version 14"},
		"of tomorrow": {"echo 'postgres (PostgreSQL) 19beta1'", ""},
		"garbled":     {"echo hello", "unknown version"},
		"broken":      {"echo 'libxml2.so.2: cannot open shared object file' >&2; exit 127", "libxml2.so.2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bin := openTempDir(t)
			for tool, script := range map[string]string{"postgres": tc.postgres, "initdb": "exit 0"} {
				// A process forked meanwhile would hold the file open, and running it
				// would fail with ETXTBSY (golang/go#22315).
				syscall.ForkLock.RLock()
				err := os.WriteFile(filepath.Join(bin, tool), []byte("#!/bin/sh\n"+script+"\n"), 0o755)
				syscall.ForkLock.RUnlock()
				if err != nil {
					t.Fatal(err)
				}
			}
			inst, err := finder{who: who}.identify(t.Context(), bin)
			if tc.want == "" {
				if err != nil || inst.version != "19" {
					t.Errorf("version %q, %v", inst.version, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}

// openTempDir is a temporary folder that every user may read: t.TempDir's are
// closed to the account.
func openTempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "walletsync-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestCacheFolderIsBuiltOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var built atomic.Int32
	var all sync.WaitGroup
	whole := func(dir string) error {
		_, err := os.Stat(filepath.Join(dir, "second"))
		return err
	}
	for range 8 {
		all.Go(func() {
			c, err := openCache(dir) // each opens the lock as another process would
			if err != nil {
				t.Error(err)
				return
			}
			path, err := c.folder(t.Context(), "thing", whole, func(dir string) error {
				built.Add(1)
				return errors.Join(
					os.WriteFile(filepath.Join(dir, "first"), nil, 0o644),
					os.WriteFile(filepath.Join(dir, "second"), nil, 0o644))
			})
			if err == nil {
				err = whole(path)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := built.Load(); n != 1 {
		t.Errorf("built %d times", n)
	}
}

func TestCacheFolderIsWholeOrAbsent(t *testing.T) {
	t.Parallel()
	c, err := openCache(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	failure := errors.New("disk full")
	always := func(string) error { return nil }
	if _, err := c.folder(t.Context(), "thing", always, func(dir string) error {
		return errors.Join(os.WriteFile(filepath.Join(dir, "half"), nil, 0o644), failure)
	}); !errors.Is(err, failure) {
		t.Fatalf("error %v", err)
	}
	left, err := os.ReadDir(c.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range left {
		if f.Name() != "lock" {
			t.Errorf("left behind: %s", f.Name())
		}
	}
}

func TestCacheFolderThatFailsItsCheckIsBuiltAgain(t *testing.T) {
	t.Parallel()
	c, err := openCache(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for generation := range 2 {
		want := fmt.Sprint("generation ", generation)
		is := func(dir string) error {
			text, err := os.ReadFile(filepath.Join(dir, "text"))
			if err == nil && string(text) != want {
				err = fmt.Errorf("it is %s", text)
			}
			return err
		}
		path, err := c.folder(t.Context(), "thing", is, func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "text"), []byte(want), 0o644)
		})
		if err == nil {
			err = is(path)
		}
		if err != nil {
			t.Errorf("%s: %v", want, err)
		}
	}
}
