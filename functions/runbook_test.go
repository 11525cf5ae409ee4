package functions_test

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// pages are the pages with commands for people.
var pages = []string{"README.md", "RUNBOOK.md", "SECURITY.md", "../README.md", "../migrations/README.md", "../internal/local/README.md"}

// Each command in the pages must be a target of the Makefile, or a command of the CLI with
// existing flags.
func TestEveryDocumentedCommandExists(t *testing.T) {
	makefile, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	targets := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^([a-z][a-z-]*):`).FindAllStringSubmatch(string(makefile), -1) {
		targets[m[1]] = true
	}
	program := t.TempDir() + "/walletsync"
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", program, "./walletsync").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	help := func(args ...string) string {
		out, _ := exec.CommandContext(t.Context(), program, args...).CombinedOutput() // an unknown command prints an error
		return string(out)
	}
	commands := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^  ([a-z-]+) `).FindAllStringSubmatch(help("--help"), -1) {
		commands[m[1]] = help(m[1], "--help")
	}
	var (
		target  = regexp.MustCompile("(?:^|[`(]|\n\\s*)make ([a-z][a-z-]*)([^`\n]*)")
		command = regexp.MustCompile("(?m)(?:functions/walletsync |ARGS=[\"']?|^walletsync |`walletsync )[ ]*([a-z][a-z-]*|--?[a-z]+)([^`\n]*)")
		flag    = regexp.MustCompile(`\s--?([a-z][a-z-]*)`)
		found   = 0
	)
	known := func(page, name, rest string) {
		found++
		text, ok := commands[name]
		if !ok {
			t.Errorf("%s: walletsync has no command %s", page, name)
			return
		}
		for _, f := range flag.FindAllStringSubmatch(rest, -1) {
			if f[1] != "help" && !strings.Contains(text, "--"+f[1]) {
				t.Errorf("%s: walletsync %s has no flag --%s", page, name, f[1])
			}
		}
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range target.FindAllStringSubmatch(string(text), -1) {
			found++
			if !targets[m[1]] && !strings.Contains(string(makefile), "\n"+m[1]+"%:") { // make build-<LogicalId>
				t.Errorf("%s: make has no target %s", page, m[1])
			}
			if m[1] == "doctor" {
				for _, f := range regexp.MustCompile(`--([a-z-]+)`).FindAllStringSubmatch(m[2], -1) {
					if !strings.Contains(commands["doctor"], "--"+f[1]) {
						t.Errorf("%s: walletsync doctor has no flag --%s", page, f[1])
					}
				}
			}
		}
		for _, m := range command.FindAllStringSubmatch(string(text), -1) {
			if !strings.HasPrefix(m[1], "-") {
				known(page, m[1], m[2])
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d commands were found: check how this test finds them", found)
	}
}

// The runbook has a section for each alarm and for nothing else, and its commands use only
// resources and outputs of the template.
func TestEveryAlarmHasASectionInTheRunbook(t *testing.T) {
	runbook, err := os.ReadFile("RUNBOOK.md")
	if err != nil {
		t.Fatal(err)
	}
	template, err := os.ReadFile("../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var alarms, sections []string
	for _, m := range regexp.MustCompile(`(?m)^  (\w+):\n    Type: AWS::CloudWatch::Alarm`).FindAllStringSubmatch(string(template), -1) {
		alarms = append(alarms, m[1])
	}
	_, text, _ := strings.Cut(string(runbook), "\n## Alarms\n")
	for _, m := range regexp.MustCompile(`(?m)^### (\w+)$`).FindAllStringSubmatch(text, -1) {
		sections = append(sections, m[1])
	}
	for _, a := range alarms {
		if !slices.Contains(sections, a) {
			t.Errorf("%s has no section", a)
		}
	}
	for _, s := range sections {
		if !slices.Contains(alarms, s) {
			t.Errorf("%s is no alarm of the template", s)
		}
	}
	if len(alarms) == 0 {
		t.Error("the template has no alarm")
	}
	named := regexp.MustCompile(`\$\((?:id|out|arn) "?(\w+)"?\)|(?m)^(?:again|new \w+) (\w+)`).FindAllStringSubmatch(string(runbook), -1)
	for _, m := range named {
		if name := m[1] + m[2]; !strings.Contains(string(template), "\n  "+name+":\n") {
			t.Errorf("the template has neither a resource nor an output %s", name)
		}
	}
	if len(named) < 10 {
		t.Errorf("only %d names of the template were found: check how this test finds them", len(named))
	}
}

// Links within the pages have a target.
func TestEveryLinkInThePagesHasATarget(t *testing.T) {
	anchors := func(page string) []string {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, m := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(string(text), -1) {
			s := regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(strings.ToLower(m[1]), "")
			all = append(all, strings.ReplaceAll(s, " ", "-"))
		}
		return all
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		folder := page[:strings.LastIndex(page, "/")+1]
		for _, m := range regexp.MustCompile(`\]\(([^)#:]*)(?:#([^)]*))?\)`).FindAllStringSubmatch(string(text), -1) {
			file := page
			if m[1] != "" {
				file = folder + m[1]
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s: %s does not exist", page, m[1])
				continue
			}
			if m[2] != "" && !slices.Contains(anchors(file), m[2]) {
				t.Errorf("%s: %s has no section #%s", page, file, m[2])
			}
		}
	}
}
