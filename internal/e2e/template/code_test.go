package template

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"walletsync/internal/config"
)

const root = "../../../"

// loaders are the functions that read the configuration, by the name that main.go
// calls.
var loaders = map[string]func(getenv func(string) string) (accounts []config.Account, err error){
	"LoadReceiver": func(g func(string) string) ([]config.Account, error) {
		c, err := config.LoadReceiver(g)
		return c.Accounts, err
	},
	"LoadWorker": func(g func(string) string) ([]config.Account, error) {
		c, err := config.LoadWorker(g)
		return c.Accounts, err
	},
	"LoadStart": func(g func(string) string) ([]config.Account, error) {
		c, err := config.LoadStart(g)
		return c.Accounts, err
	},
	"LoadReturn": func(g func(string) string) ([]config.Account, error) {
		c, err := config.LoadReturn(g)
		return c.Accounts, err
	},
	"LoadReconciler": func(g func(string) string) ([]config.Account, error) {
		c, err := config.LoadReconciler(g)
		return c.Accounts, err
	},
	"LoadMigrator": func(g func(string) string) ([]config.Account, error) {
		c, err := config.LoadMigrator(g)
		return c.Accounts, err
	},
	"LoadConsole": func(g func(string) string) ([]config.Account, error) {
		c, err := config.LoadConsole(g)
		return c.Accounts, err
	},
	"LoadPush": func(g func(string) string) ([]config.Account, error) { _, err := config.LoadPush(g); return nil, err },
}

// notSet are variables that the code reads and the template does not set.
var notSet = map[string]string{
	"AWS_LAMBDA_FUNCTION_NAME": "Lambda sets it",
	"TLS_CA_FILE":              "a proxy that opens TLS has a certificate that would have to be packed with the functions",
}

// notRead are variables that the template sets for a function that does not read
// them.
var notRead = map[string]string{
	"FeedPush ACCOUNTS": "the template's Globals give it to every function; it is no secret",
}

var (
	word   = regexp.MustCompile(`([a-z0-9])([A-Z])`)
	loader = regexp.MustCompile(`config\.(Load[A-Z][A-Za-z]*)\(os\.Getenv\)`)
)

// folder returns a function's folder for its logical id, as the Makefile does for
// build-<LogicalId>.
func folder(id string) string { return strings.ToLower(word.ReplaceAllString(id, "$1-$2")) }

// lambdas returns the text of main.go by folder of functions/, for each Lambda
// function.
func lambdas(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	mains, err := filepath.Glob(root + "functions/*/main.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range mains {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), "awslambda.Start(") {
			out[filepath.Base(filepath.Dir(name))] = string(b)
		}
	}
	return out
}

func TestFoldersMatchFunctions(t *testing.T) {
	folders := lambdas(t)
	for id, r := range load(t).Template.Resources {
		if r.Type != "AWS::Lambda::Function" {
			continue
		}
		if _, ok := folders[folder(id)]; !ok {
			t.Errorf("%s has no folder functions/%s", id, folder(id))
		}
		delete(folders, folder(id))
		if r.Properties["Handler"] != "bootstrap" || r.Properties["Runtime"] != "provided.al2023" || at(r.Metadata, "BuildMethod") != "makefile" {
			t.Errorf("%s is not built by the Makefile or does not start bootstrap: %v %v", id, r.Properties["Handler"], r.Metadata)
		}
	}
	if len(folders) > 0 {
		t.Errorf("no function of the template is built from %v", slices.Sorted(maps.Keys(folders)))
	}
}

// TestVariablesMatchCode loads each function's configuration from the variables in
// the template.
func TestVariablesMatchCode(t *testing.T) {
	mains, set, reads := lambdas(t), map[string]bool{}, map[string]bool{}
	each(t, func(t *testing.T, s *stack, p parameters) {
		for id := range s.of("AWS::Lambda::Function") {
			m := loader.FindStringSubmatch(mains[folder(id)])
			if m == nil || loaders[m[1]] == nil {
				t.Fatalf("%s reads its configuration with %v, which is not in loaders", id, m)
			}
			size, used := 0, map[string]bool{}
			variables := s.environment(id)
			for name, v := range variables {
				set[id+" "+name] = true
				size += len(name) + len(fmt.Sprint(v))
			}
			if size > 3500 { // of 4 KB (Lambda quotas)
				t.Errorf("the variables of %s take %d bytes", id, size)
			}
			accounts, err := loaders[m[1]](func(name string) string {
				used[name], reads[id+" "+name] = true, true
				if v, ok := variables[name]; ok {
					return fmt.Sprint(v)
				}
				return ""
			})
			if err != nil {
				t.Errorf("start %s: %v", id, err)
			}
			if want := 1 + min(1, len(p["FurtherAccounts"])); id != "FeedPush" && len(accounts) != want {
				t.Errorf("%s knows %d accounts, want %d", id, len(accounts), want)
			}
			if id != "FeedPush" && p["Topics"] != "" && len(accounts[0].Topics) != 2 {
				t.Errorf("%s knows the topics %v", id, accounts[0].Topics)
			}
			for name := range variables {
				if !used[name] && notRead[id+" "+name] == "" {
					t.Errorf("%s has %s, which it does not read", id, name)
				}
			}
		}
	})
	for name := range reads {
		_, variable, _ := strings.Cut(name, " ")
		if !set[name] && notSet[variable] == "" {
			t.Errorf("%s is read, but the template never sets it", name)
		}
	}
	for name := range notRead {
		if reads[name] || !set[name] {
			t.Errorf("%s is in notRead, but it is read or not set", name)
		}
	}
}

var (
	handled = regexp.MustCompile(`HandleFunc\("((?:GET|POST|PUT|DELETE) /[^"]*)"`)
	local   = regexp.MustCompile(`"((?:GET|POST|PUT|DELETE|ANY) /[^"]*)": s\.([A-Z][A-Za-z]*)`)
	started = regexp.MustCompile(`\{&s\.([A-Z][A-Za-z]*), "([a-z-]+)"`)
	segment = regexp.MustCompile(`\{[^}]*\}`)
)

// TestRoutesMatchCode compares the routes with the patterns of the packages, and their functions with those that the
// end-to-end tests send the same requests to.
func TestRoutesMatchCode(t *testing.T) {
	var inCode []string
	for _, feature := range []string{"ipn", "update"} {
		for _, m := range handled.FindAllStringSubmatch(source(t, root+"internal/"+feature), -1) {
			inCode = append(inCode, m[1])
		}
	}
	gate := source(t, root+"internal/console/oidc")
	if !strings.Contains(gate, `home      = "/console/"`) || !strings.Contains(gate, `mux.Handle(home, `) || !strings.Contains(gate, `mux.Handle("/console", `) {
		t.Error("the console does not serve /console and the paths below it")
	}
	consoles := []string{"ANY /console", "ANY /console/{proxy+}"}
	stackSource, field, locally := source(t, root+"internal/local/stack"), map[string]string{}, map[string]string{}
	for _, m := range started.FindAllStringSubmatch(stackSource, -1) {
		field[m[1]] = m[2]
	}
	for _, m := range local.FindAllStringSubmatch(stackSource, -1) {
		locally[m[1]] = field[m[2]]
	}
	each(t, func(t *testing.T, s *stack, p parameters) {
		inCode, locally := slices.Clone(inCode), maps.Clone(locally)
		if p["OidcIssuer"] != "" {
			inCode = append(inCode, consoles...)
		} else {
			maps.DeleteFunc(locally, func(key, _ string) bool { return slices.Contains(consoles, key) })
		}
		slices.Sort(inCode)
		deployed, permitted := map[string]string{}, map[string]string{}
		for id, r := range s.of("AWS::ApiGatewayV2::Route") {
			integration := s.Resources[strings.TrimPrefix(r.Properties["Target"].(string), "integrations/")].Properties
			for f := range s.of("AWS::Lambda::Function") {
				if integration["IntegrationUri"] == s.attribute(f, "Arn") {
					deployed[r.Properties["RouteKey"].(string)] = folder(f)
				}
			}
			if integration["PayloadFormatVersion"] != "2.0" || integration["IntegrationType"] != "AWS_PROXY" {
				t.Errorf("%s has a payload that awslambda does not read: %v", id, integration)
			}
		}
		for _, r := range s.of("AWS::Lambda::Permission") {
			if _, path, ok := strings.Cut(r.Properties["SourceArn"].(string), ":Api/*/"); ok {
				method, path, _ := strings.Cut(path, "/")
				for f := range s.of("AWS::Lambda::Function") {
					if s.ref(f) == r.Properties["FunctionName"] {
						permitted[method+" /"+path] = folder(f)
					}
				}
			}
		}
		if got := slices.Sorted(maps.Keys(deployed)); !slices.Equal(got, inCode) {
			t.Errorf("the routes are %v, the code handles %v", got, inCode)
		}
		if !maps.Equal(deployed, locally) {
			t.Errorf("the routes lead to %v, in the local stack to %v", deployed, locally)
		}
		for key, f := range deployed {
			if key = strings.Replace(segment.ReplaceAllString(key, "*"), "ANY", "*", 1); permitted[key] != f {
				t.Errorf("no permission lets the API invoke %s for %s", f, key)
			}
		}
		if len(permitted) != len(deployed) {
			t.Errorf("permissions for %v, routes %v", permitted, deployed)
		}
	})
}

// source returns the text of a package without its tests.
func source(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(dir + "/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", dir, len(files), err)
	}
	var all strings.Builder
	for _, f := range files {
		if !strings.HasSuffix(f, "_test.go") {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(b)
		}
	}
	return all.String()
}

// linked returns, for each function, the texts of the module's packages that it
// links, by path within the module.
func linked(t *testing.T) map[string]map[string]string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-buildvcs=false", "-tags", "lambda.norpc", "-json=ImportPath,Deps", "walletsync/functions/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	byFunction, texts := map[string]map[string]string{}, map[string]string{}
	for d := json.NewDecoder(strings.NewReader(string(out))); d.More(); {
		var p struct {
			ImportPath string
			Deps       []string
		}
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		function := strings.TrimPrefix(p.ImportPath, "walletsync/functions/")
		byFunction[function] = map[string]string{}
		for _, dep := range p.Deps {
			path, ours := strings.CutPrefix(dep, "walletsync/")
			if !ours {
				continue
			}
			if texts[path] == "" {
				texts[path] = source(t, root+path)
			}
			byFunction[function][path] = texts[path]
		}
	}
	return byFunction
}

// operation matches the input types of calls to the AWS SDK.
var operation = regexp.MustCompile(`\*(secretsmanager|sqs|sns|eventbridge)\.([A-Z][A-Za-z]*)Input\b`)

// actions are permissions whose name differs from the operation's (Service
// Authorization Reference).
var actions = map[string]string{
	"sns:PublishBatch": "sns:Publish", "eventbridge:PutEvents": "events:PutEvents", "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
}

// calls returns the actions that a function's code needs.
func calls(packages map[string]string) []string {
	need := map[string]bool{}
	for path, text := range packages {
		for _, m := range operation.FindAllStringSubmatch(text, -1) {
			action := m[1] + ":" + m[2]
			if renamed, ok := actions[action]; ok {
				action = renamed
			}
			need[action] = true
		}
		if path == "internal/pg/rdsiam" {
			need["rds-db:connect"] = true
		}
	}
	return slices.Sorted(maps.Keys(need))
}

// byLambda maps the Sids of permissions that Lambda and its event sources use, not
// our code, to their resource.
var byLambda = map[string]string{
	"WriteTheLog":           "arn:aws:logs:eu-west-1:111122223333:Logs",
	"UseTheKey":             kmsKey,
	"SendTraces":            "*",
	"ManageVpcInterfaces":   "*",
	"ReceiveMessages":       "arn:aws:sqs:eu-west-1:111122223333:Queue",
	"SendMissedRuns":        "arn:aws:sqs:eu-west-1:111122223333:MissedRuns",
	"SendUndeliveredEvents": "arn:aws:sqs:eu-west-1:111122223333:DeadLetterQueue",
}

type statement struct {
	sid       string
	actions   []string
	resources []string
}

// permissions returns the statements of a role's own and managed policies.
func (s *stack) permissions(t *testing.T, role string) (statements []statement) {
	t.Helper()
	r := s.Resources[role]
	policies := []any{}
	for _, p := range r.Properties["ManagedPolicyArns"].([]any) {
		shared := s.Resources[p.(string)]
		if shared.Type != "AWS::IAM::ManagedPolicy" {
			t.Fatalf("%s has the policy %v from outside the template", role, p)
		}
		policies = append(policies, shared.Properties["PolicyDocument"])
	}
	for _, p := range r.Properties["Policies"].([]any) {
		policies = append(policies, at(p, "PolicyDocument"))
	}
	for _, p := range policies {
		for _, st := range at(p, "Statement").([]any) {
			if at(st, "Effect") != "Allow" || at(st, "NotAction") != nil || at(st, "NotResource") != nil {
				t.Errorf("%s has a statement that is more than Effect: Allow, Action and Resource: %v", role, st)
			}
			statements = append(statements, statement{fmt.Sprint(at(st, "Sid")), list(at(st, "Action")), list(at(st, "Resource"))})
		}
	}
	return statements
}

// TestRolesAllowExactlyWhatTheCodeCalls compares, for each function, the role's
// actions with the calls that the function links, and their resources with the
// function's variables.
func TestRolesAllowExactlyWhatTheCodeCalls(t *testing.T) {
	packages, ever, roles := linked(t), map[string]map[string]bool{}, map[string]bool{}
	each(t, func(t *testing.T, s *stack, p parameters) {
		roleOf := map[string]string{}
		for id, r := range s.of("AWS::Lambda::Function") {
			role := strings.TrimPrefix(r.Properties["Role"].(string), "arn:aws:iam:eu-west-1:111122223333:")
			if roleOf[role] != "" {
				t.Errorf("%s and %s share %s", id, roleOf[role], role)
			}
			roleOf[role], roles[role] = id, true
			needs := calls(packages[folder(id)])
			if ever[id] == nil {
				ever[id] = map[string]bool{}
			}
			about := map[string][]string{}
			for _, st := range s.permissions(t, role) {
				if only, lambda := byLambda[st.sid]; lambda {
					if !slices.Equal(st.resources, []string{only}) {
						t.Errorf("%s: %s has the resources %v, want %s", role, st.sid, st.resources, only)
					}
					continue
				}
				for _, a := range st.actions {
					if !slices.Contains(needs, a) {
						t.Errorf("%s may %s (%s), which the code of %s does not call", role, a, st.sid, id)
					}
					ever[id][a] = true
					about[a] = append(about[a], st.resources...)
				}
			}
			for action, want := range s.named(id, packages[folder(id)], p) {
				slices.Sort(about[action])
				slices.Sort(want)
				if !slices.Equal(about[action], want) {
					t.Errorf("%s may %s on %v; its variables have %v", role, action, about[action], want)
				}
				delete(about, action)
			}
			if len(about) > 0 {
				t.Errorf("%s may %v, but no variable has the resource", role, about)
			}
		}
	})
	for id, granted := range ever {
		for _, a := range calls(packages[folder(id)]) {
			if !granted[a] {
				t.Errorf("%s calls %s, which no combination of parameters allows", id, a)
			}
		}
	}
	for id, r := range load(t).Template.Resources {
		if r.Type == "AWS::IAM::Role" && !roles[id] && id != "DatabaseProxyRole" {
			t.Errorf("no function has the role %s", id)
		}
	}
}

// named returns the resources in a function's variables, by the action that must
// be allowed on them.
func (s *stack) named(id string, packages map[string]string, p parameters) map[string][]string {
	out := map[string][]string{}
	arn := func(url any) string {
		text := fmt.Sprint(url)
		return "arn:aws:sqs:" + region + ":" + account + text[strings.LastIndex(text, "/"):]
	}
	for name, v := range s.environment(id) {
		switch {
		case strings.HasSuffix(name, "_SECRET_ARN"):
			out["secretsmanager:GetSecretValue"] = append(out["secretsmanager:GetSecretValue"], v.(string))
		case id == "Console" && name == "DEAD_LETTER_QUEUE_URL": // the console shows and removes dead-letter messages
			for _, a := range calls(packages) {
				if strings.HasPrefix(a, "sqs:") && a != "sqs:SendMessage" {
					out[a] = []string{strings.Replace(arn(v), "/", ":", 1)}
				}
			}
		case strings.HasSuffix(name, "QUEUE_URL"):
			out["sqs:SendMessage"] = append(out["sqs:SendMessage"], strings.Replace(arn(v), "/", ":", 1))
		case name == "FEED_TARGET_ARN" && strings.HasPrefix(v.(string), "arn:aws:sns:"):
			out["sns:Publish"] = []string{v.(string)}
		case name == "FEED_TARGET_ARN":
			out["events:PutEvents"] = []string{v.(string)}
		case name == "DATABASE_AUTH" && v == "iam":
			out["rds-db:connect"] = []string{p["DatabaseUserArn"]}
		}
	}
	// No function may read both secrets of an account.
	secrets := func(own, second string) {
		out["secretsmanager:GetSecretValue"] = append(out["secretsmanager:GetSecretValue"], own)
		if p["FurtherAccounts"] != "" {
			out["secretsmanager:GetSecretValue"] = append(out["secretsmanager:GetSecretValue"], second)
		}
	}
	if _, calls := packages["internal/payclient"]; calls {
		secrets(privateKeySecretArn, jpKeySecret)
	}
	if id == "IpnReceiver" {
		secrets(s.ref("IpnPathSecret").(string), jpIpnPathSecret)
	}
	return out
}

func TestEveryWildcardHasAReason(t *testing.T) {
	each(t, func(t *testing.T, s *stack, _ parameters) {
		check := func(id string, document any) {
			for _, st := range at(document, "Statement").([]any) {
				sid := fmt.Sprint(at(st, "Sid"))
				reason, _ := at(s.Resources[id].Metadata, "Wildcards", sid).(string)
				for _, resource := range list(at(st, "Resource")) {
					if strings.Contains(resource, "*") && (len(reason) < 40 || byLambda[sid] != "*") {
						t.Errorf("%s: %s has the resource %s with the reason %q", id, sid, resource, reason)
					}
				}
				for _, action := range list(at(st, "Action")) {
					if strings.Contains(action, "*") {
						t.Errorf("%s: %s allows %s", id, sid, action)
					}
				}
			}
		}
		for id, r := range s.of("AWS::IAM::ManagedPolicy") {
			check(id, r.Properties["PolicyDocument"])
		}
		for id, r := range s.of("AWS::IAM::Role") {
			for _, p := range r.Properties["Policies"].([]any) {
				check(id, at(p, "PolicyDocument"))
			}
			services := list(at(r.Properties, "AssumeRolePolicyDocument", "Statement", 0, "Principal", "Service"))
			if want := map[bool]string{true: "rds.amazonaws.com", false: "lambda.amazonaws.com"}[id == "DatabaseProxyRole"]; !slices.Equal(services, []string{want}) {
				t.Errorf("%s is assumed by %v", id, services)
			}
		}
	})
}
