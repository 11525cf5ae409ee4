package template

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite testdata/transformed.json and the table of costs")

// transform runs the SAM transform over the template, or skips the test.
func transform(t *testing.T) transformed {
	t.Helper()
	if exec.CommandContext(t.Context(), "python3", "-c", "import samtranslator").Run() != nil {
		t.Skip("SKIP: aws-sam-translator is not installed (pip install aws-sam-translator)")
	}
	cmd := exec.CommandContext(t.Context(), "python3", "testdata/transform.py", sourceFile)
	cmd.Env = append(os.Environ(), "AWS_DEFAULT_REGION="+region)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	b, err := cmd.Output()
	if err != nil {
		t.Fatalf("the SAM transform refuses the template: %v\n%s", err, complaint.String())
	}
	source, err := os.ReadFile(sourceFile)
	if err != nil {
		t.Fatal(err)
	}
	var whole map[string]any
	if err := json.Unmarshal(b, &whole); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(source)
	whole["source"] = hex.EncodeToString(sum[:])
	if b, err = json.MarshalIndent(whole, "", " "); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(transformedFile, append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var out transformed
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestTheSAMTransformTakesTheTemplate also holds what the other tests read to
// what the transform makes today.
func TestTheSAMTransformTakesTheTemplate(t *testing.T) {
	now := transform(t)
	kept := load(t)
	if now.Translator != kept.Translator {
		t.Skipf("SKIP: %s was made by aws-sam-translator %s, and %s is installed; it takes the template", transformedFile, kept.Translator, now.Translator)
	}
	a, _ := json.Marshal(now)
	b, _ := json.Marshal(kept)
	if !bytes.Equal(a, b) {
		t.Errorf("%s is not what the transform makes of the template: run go test ./internal/e2e/template -update", transformedFile)
	}
}

// lint runs cfn-lint over files, or skips the test. Findings of every level count.
// It takes some seconds a file, so what it found nothing in is remembered, by
// content, in the user's cache: it is not looked at again by the same cfn-lint.
func lint(t *testing.T, files ...string) {
	t.Helper()
	program, err := exec.LookPath("cfn-lint")
	if err != nil {
		t.Skip("SKIP: cfn-lint is not installed (pip install cfn-lint)")
	}
	installed, err := os.Stat(program)
	if err != nil {
		t.Fatal(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	clean := map[string]string{} // the file that remembers it, by the file to look at
	for _, f := range files {
		content, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %s\n%s", program, installed.ModTime(), filepath.Ext(f), content))
		remembered := filepath.Join(cache, "walletsync", "cfn-lint", hex.EncodeToString(sum[:]))
		if _, err := os.Stat(remembered); err != nil {
			clean[f] = remembered
		}
	}
	if len(clean) == 0 {
		return
	}
	out, err := exec.CommandContext(t.Context(), program, append([]string{"--format", "parseable", "--"}, slices.Sorted(maps.Keys(clean))...)...).CombinedOutput()
	if err != nil || len(bytes.TrimSpace(out)) > 0 {
		t.Fatalf("cfn-lint: %v\n%s", err, out)
	}
	for _, remembered := range clean {
		if err := errors.Join(os.MkdirAll(filepath.Dir(remembered), 0o755), os.WriteFile(remembered, nil, 0o600)); err != nil {
			t.Log(err) // so it takes as long the next time
		}
	}
}

func TestCfnLintFindsNothing(t *testing.T) {
	t.Parallel()
	lint(t, sourceFile)
}

// linted are combinations in which each condition comes out both ways: every
// branch of the template is in one of them.
var linted = []string{"the default", "on x86, without dashboard", "changes told to a bus", "all at once, with a new cluster", "all at once, with one that is there"}

// TestCfnLintFindsNothingInAnyCombination lints what combinations of parameters
// come to, with their values filled in and their conditions decided. So values
// are judged that the template itself has no more of than a name.
func TestCfnLintFindsNothingInAnyCombination(t *testing.T) {
	t.Parallel()
	source, dir := load(t).Template, t.TempDir()
	var files []string
	seen := map[string]map[bool]bool{}
	for _, name := range linted {
		s, err := evaluate(source, combinations[name], all)
		if err != nil {
			t.Fatal(err)
		}
		for c := range source.Conditions {
			if seen[c] == nil {
				seen[c] = map[bool]bool{}
			}
			seen[c][s.condition(c)] = true
		}
		outputs := map[string]any{}
		for k, v := range s.Outputs {
			outputs[k] = map[string]any{"Value": v}
		}
		b, err := json.Marshal(map[string]any{"AWSTemplateFormatVersion": "2010-09-09", "Resources": s.Resources, "Outputs": outputs})
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, strings.ReplaceAll(name, " ", "-")+".json")
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	for c, both := range seen {
		if len(both) != 2 {
			t.Errorf("%s comes out as %v in all that is linted: add a combination", c, slices.Collect(maps.Keys(both)))
		}
	}
	lint(t, files...)
}
