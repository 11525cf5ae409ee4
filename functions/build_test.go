package functions_test

import (
	"bytes"
	"context"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// maximum returns the size limit of a binary, in bytes (design.md §7, linux/arm64).
func maximum(p pkg) int64 {
	if slices.Contains(p.Deps, "html/template") {
		return 20 << 20
	}
	return 16 << 20
}

// lambdas returns the main packages that run on Lambda.
func lambdas(t *testing.T) []pkg {
	t.Helper()
	return slices.DeleteFunc(list(t, "-tags", "lambda.norpc", "walletsync/functions/..."), func(p pkg) bool {
		return p.Name != "main" || !slices.Contains(p.Deps, "github.com/aws/aws-lambda-go/lambda")
	})
}

// folder returns the name of a function's folder.
func (p pkg) folder() string { return p.ImportPath[strings.LastIndex(p.ImportPath, "/")+1:] }

// logicalID returns the function's logical id in template.yaml.
func (p pkg) logicalID() string {
	var id strings.Builder
	for word := range strings.SplitSeq(p.folder(), "-") {
		id.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return id.String()
}

// makeIn runs make in a folder, with these environment variables only.
func makeIn(ctx context.Context, dir string, environment []string, arguments ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "make", append([]string{"--no-print-directory"}, arguments...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), append([]string{"MAKEFLAGS=", "MAKELEVEL="}, environment...)...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// copied copies the tree without its repository, like sam build.
func copied(t *testing.T, root string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"Makefile", "CHANGELOG.md", "go.mod", "go.sum", "functions", "internal", "migrations"} {
		from := filepath.Join(root, name)
		info, err := os.Stat(from)
		if err != nil {
			t.Fatal(err)
		}
		if info.IsDir() {
			err = os.CopyFS(filepath.Join(dir, name), os.DirFS(from))
		} else {
			var b []byte
			if b, err = os.ReadFile(from); err == nil {
				err = os.WriteFile(filepath.Join(dir, name), b, 0o600)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestBuildsAreReproducible builds the binaries here, all at once, and like sam build: one
// by one, from a copy in another folder, without the repository. With COLD_BUILD=1, as in
// CI, the second build uses no cache.
func TestBuildsAreReproducible(t *testing.T) {
	t.Parallel()
	// The machine's Go settings may switch stamping off; the build must not rely on that.
	environment := []string{"COMMIT=0123456789ab", "GOFLAGS=-buildvcs=auto"}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	here := t.TempDir()
	if out, err := makeIn(t.Context(), root, append(environment, "GOOS=linux", "GOARCH=arm64"), "build", "BUILD_DIR="+here); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, p := range lambdas(t) {
		name := filepath.Join(here, p.folder())
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > maximum(p) {
			t.Errorf("%s has %.1f MB, more than its %d: check its new dependencies", p.folder(), float64(info.Size())/(1<<20), maximum(p)>>20)
		}
		f, err := elf.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		libraries, err := f.ImportedLibraries()
		if err != nil || f.Machine != elf.EM_AARCH64 || len(libraries) > 0 {
			t.Errorf("%s is for %v and needs %v (%v): Lambda's arm64 has nothing but the kernel", p.folder(), f.Machine, libraries, err)
		}
		if f.Section(".symtab") != nil || f.Section(".debug_info") != nil {
			t.Errorf("%s is not stripped", p.folder())
		}
		_ = f.Close()
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(content, []byte(root)) {
			t.Errorf("%s contains the path of its source", p.folder())
		}
	}

	// The smallest binary is enough, because a build without a cache takes half a minute.
	there, artifacts := copied(t, root), t.TempDir()
	environment = append(environment, "ARTIFACTS_DIR="+artifacts)
	if os.Getenv("COLD_BUILD") == "1" {
		environment = append(environment, "GOCACHE="+t.TempDir())
	}
	if out, err := makeIn(t.Context(), there, environment, "build-IpnReceiver"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	same(t, filepath.Join(here, "ipn-receiver"), filepath.Join(artifacts, "bootstrap"))
}

func same(t *testing.T, a, b string) {
	t.Helper()
	x, err := os.ReadFile(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := os.ReadFile(b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(x, y) {
		t.Errorf("%s of %d bytes and %s of %d bytes differ", a, len(x), b, len(y))
	}
}

// TestLogicalIDsMatchFolders compares make's targets with the folders.
func TestLogicalIDsMatchFolders(t *testing.T) {
	functions := lambdas(t)
	if len(functions) < 7 {
		t.Fatalf("only %d functions were found", len(functions))
	}
	for _, p := range functions {
		out, err := makeIn(t.Context(), "..", []string{"ARTIFACTS_DIR=/nowhere", "PATH=" + recorder(t) + ":" + os.Getenv("PATH")}, "build-"+p.logicalID())
		if want := "-o /nowhere/bootstrap ./functions/" + p.folder() + "\n"; err != nil || !strings.HasSuffix(out, want) {
			t.Errorf("build-%s ran %q, want it to end in %q (%v)", p.logicalID(), out, want, err)
		}
	}
	for target, output := range map[string]string{
		"build-NoSuchFunction": "there is no functions/no-such-function: name the function after its folder",
		"build-IpnReceiver":    "ARTIFACTS_DIR is not set",
	} {
		environment := []string{"ARTIFACTS_DIR="}
		if strings.Contains(target, "No") {
			environment[0] += "/nowhere"
		}
		if out, err := makeIn(t.Context(), "..", environment, target); err == nil || !strings.Contains(out, output) {
			t.Errorf("%s: %v, output %q, want %q", target, err, out, output)
		}
	}
}

// recorder returns a folder with a program go that prints its arguments.
func recorder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "go"), []byte("#!/bin/sh\necho \"$@\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}
