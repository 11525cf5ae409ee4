//go:build unix

package pg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// cache is a folder of finished folders, shared by all processes of a user.
type cache struct{ dir string }

func openCache(dir string) (cache, error) {
	if dir == "" {
		var err error
		if dir, err = defaultCacheDir(); err != nil {
			return cache{}, fmt.Errorf("no folder for the cache (POSTGRES_CACHE can name one): %w", err)
		}
	}
	dir, err := filepath.Abs(filepath.Join(dir, "postgres"))
	if err != nil {
		return cache{}, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return cache{}, fmt.Errorf("make the cache folder (POSTGRES_CACHE can name another): %w", err)
	}
	return cache{dir}, nil
}

// defaultCacheDir is not in root's home, which is closed to the user that runs
// PostgreSQL.
func defaultCacheDir() (string, error) {
	if os.Geteuid() == 0 {
		if runtime.GOOS == "darwin" {
			return "/Library/Caches/walletsync", nil
		}
		return "/var/cache/walletsync", nil
	}
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "walletsync"), err
}

func (c cache) path(name string) string { return filepath.Join(c.dir, name) }

// folder returns the path of a folder of the cache, which build fills if it is
// not there or ok refuses it. Others see the folder whole or not at all; of
// several processes one builds it.
func (c cache) folder(ctx context.Context, name string, ok func(dir string) error, build func(dir string) error) (string, error) {
	path := c.path(name)
	usable := func() bool {
		_, err := os.Stat(path)
		return err == nil && ok(path) == nil
	}
	if usable() {
		return path, nil
	}
	unlock, err := c.lock(ctx)
	if err != nil {
		return "", err
	}
	defer unlock()
	if usable() {
		return path, nil
	}
	if ctx.Err() != nil { // which may be why it was refused
		return "", ctx.Err()
	}
	tmp := path + ".part" // no other process has it: the lock is ours
	if err := errors.Join(os.RemoveAll(path), os.RemoveAll(tmp)); err != nil {
		return "", err
	}
	if err := os.Mkdir(tmp, 0o755); err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	if err := os.Chmod(tmp, 0o755); err != nil { // whatever the umask
		return "", err
	}
	if err := build(tmp); err != nil {
		return "", err
	}
	if err := ok(tmp); err != nil {
		return "", err
	}
	return path, os.Rename(tmp, path)
}

// lock waits for the cache's lock, which the kernel frees when its holder dies.
func (c cache) lock(ctx context.Context) (unlock func(), err error) {
	f, err := os.OpenFile(c.path("lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("wait for %s: %w", f.Name(), ctx.Err())
		}
	}
}

const (
	runDirPattern = "walletsync-postgres-"
	lockName      = "lock"
)

// newRunDir makes the folder of one server, owned by its account, and holds
// its lock as long as this process lives. It sweeps away the folders whose
// process was killed.
func newRunDir(who account, temp string) (dir string, lock *os.File, err error) {
	if temp == "" {
		temp = os.TempDir()
	}
	if who.drop && !openToAll(temp) {
		temp = "/tmp"
	}
	sweep(temp)
	if dir, err = os.MkdirTemp(temp, runDirPattern); err != nil {
		return "", nil, err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(dir)
		}
	}()
	if err := who.own(dir); err != nil {
		return "", nil, err
	}
	// Locked before it has the name that sweep looks for.
	lock, err = os.Create(filepath.Join(dir, lockName+".part"))
	if err != nil {
		return "", nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return "", nil, errors.Join(err, lock.Close())
	}
	if err := os.Rename(lock.Name(), filepath.Join(dir, lockName)); err != nil {
		return "", nil, errors.Join(err, lock.Close())
	}
	return dir, lock, nil
}

// sweep removes the folders that no process holds. What cannot be removed
// belongs to another user.
func sweep(temp string) {
	locks, _ := filepath.Glob(filepath.Join(temp, runDirPattern+"*", lockName))
	for _, path := range locks {
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			os.RemoveAll(filepath.Dir(path))
		}
		f.Close()
	}
}

// openToAll reports whether every user may pass through the folder.
func openToAll(dir string) bool {
	for {
		info, err := os.Stat(dir)
		if err != nil || info.Mode().Perm()&0o001 == 0 {
			return false
		}
		up := filepath.Dir(dir)
		if up == dir {
			return true
		}
		dir = up
	}
}
