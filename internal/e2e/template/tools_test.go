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

// transform runs the SAM transform on the template, or skips the test.
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

// TestTheSAMTransformAcceptsTheTemplate also compares transformed.json, which the
// other tests read, with the transform's present output.
func TestTheSAMTransformAcceptsTheTemplate(t *testing.T) {
	now := transform(t)
	kept := load(t)
	if now.Translator != kept.Translator {
		t.Skipf("SKIP: %s was made by aws-sam-translator %s, but %s is installed; it accepts the template", transformedFile, kept.Translator, now.Translator)
	}
	a, _ := json.Marshal(now)
	b, _ := json.Marshal(kept)
	if !bytes.Equal(a, b) {
		t.Errorf("%s differs from the output of the transform: run go test ./internal/e2e/template -update", transformedFile)
	}
}

// lint runs cfn-lint on files, or skips the test. Findings of every level count.
// Because a file takes some seconds, lint records clean files by their content in
// the user's cache and skips them until cfn-lint changes.
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
	clean := map[string]string{} // the cache file, by the file to lint
	for _, f := range files {
		content, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %s\n%s", program, installed.ModTime(), filepath.Ext(f), content))
		cached := filepath.Join(cache, "walletsync", "cfn-lint", hex.EncodeToString(sum[:]))
		if _, err := os.Stat(cached); err != nil {
			clean[f] = cached
		}
	}
	if len(clean) == 0 {
		return
	}
	out, err := exec.CommandContext(t.Context(), program, append([]string{"--format", "parseable", "--"}, slices.Sorted(maps.Keys(clean))...)...).CombinedOutput()
	if err != nil || len(bytes.TrimSpace(out)) > 0 {
		t.Fatalf("cfn-lint: %v\n%s", err, out)
	}
	for _, cached := range clean {
		if err := errors.Join(os.MkdirAll(filepath.Dir(cached), 0o755), os.WriteFile(cached, nil, 0o600)); err != nil {
			t.Log(err) // the next run lints the file again
		}
	}
}

func TestCfnLintFindsNothing(t *testing.T) {
	t.Parallel()
	lint(t, sourceFile)
}

// linted are combinations in which each condition is true once and false once, so
// that they cover every branch of the template.
var linted = []string{"the default", "on x86, without dashboard", "changes published to a bus", "everything, with a new cluster", "everything, with an own database"}

// TestCfnLintFindsNothingInAnyCombination lints the template with the parameters
// filled in and the conditions evaluated, so that cfn-lint also checks values that
// the template only refers to.
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
			t.Errorf("%s is only %v in the linted combinations: add a combination", c, slices.Collect(maps.Keys(both)))
		}
	}
	lint(t, files...)
}
