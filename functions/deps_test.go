// Package functions_test checks the rules of the layout: which packages a binary must not
// link, and which packages may import which.
package functions_test

import (
	"encoding/json"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const (
	onlyMigratorMigrates = "only the migrator migrates"
	deadCode             = "it switches the linker's dead code elimination off"
	testCode             = "test code"
)

// mustNotLink maps binaries to packages that they must not link, even indirectly, with the
// reason.
var mustNotLink = map[string]map[string]string{
	"ipn-receiver": {
		"github.com/jackc/pgx/v5":       "the receiver does not use the database",
		"walletsync/internal/pg":        "the receiver does not use the database",
		"walletsync/internal/amazonpay": "the receiver does not call Amazon Pay",
		"walletsync/internal/payclient": "the receiver must never hold the private key",
		"walletsync/internal/feedpush":  "only feed-push publishes changes",
		"html/template":                 deadCode,
		"net/http/httptest":             testCode,
	},
	"ipn-worker": {
		"walletsync/internal/feedpush": "only feed-push publishes changes",
		"html/template":                deadCode,
		"github.com/pressly/goose/v3":  onlyMigratorMigrates,
		"net/http/httptest":            testCode,
	},
	"reconciler": {
		"walletsync/internal/feedpush": "only feed-push publishes changes",
		"html/template":                deadCode,
		"github.com/pressly/goose/v3":  onlyMigratorMigrates,
		"net/http/httptest":            testCode,
	},
	"update-start": {
		"walletsync/internal/feedpush": "only feed-push publishes changes",
		"github.com/pressly/goose/v3":  onlyMigratorMigrates,
		"net/http/httptest":            testCode,
	},
	"checkout-return": {
		"walletsync/internal/feedpush": "only feed-push publishes changes",
		"github.com/pressly/goose/v3":  onlyMigratorMigrates,
		"net/http/httptest":            testCode,
	},
	"feed-push": {
		"walletsync/internal/payclient": "feed-push does not call Amazon Pay",
		"html/template":                 deadCode,
		"github.com/pressly/goose/v3":   onlyMigratorMigrates,
		"net/http/httptest":             testCode,
	},
	"console": {
		"walletsync/internal/feedpush": "only feed-push publishes changes",
		"github.com/pressly/goose/v3":  onlyMigratorMigrates,
		"net/http/httptest":            testCode,
	},
	"walletsync": {
		"html/template":                       deadCode,
		"github.com/pressly/goose/v3":         onlyMigratorMigrates,
		"github.com/aws/aws-lambda-go/lambda": "people run it, not Lambda",
		"net/http/httptest":                   testCode,
	},
	"migrator": {
		"walletsync/internal/feedpush":  "only feed-push publishes changes",
		"walletsync/internal/amazonpay": "the migrator does not call Amazon Pay",
		"html/template":                 deadCode,
		"net/http/httptest":             testCode,
	},
}

// facts are packages that any package may import, except those of the first rule: shared
// types, contexts, metrics, and the facts of a merchant account.
var facts = []string{"internal/wallet", "internal/deadline", "internal/telemetry", "internal/amazonpay/merchant"}

// rules list which of our packages a package may import directly, besides facts. Each
// package is in one rule and must not import others.
var rules = []struct {
	why       string
	mayImport map[string][]string
	factsToo  bool
}{
	{
		why: "what all share depends on nothing that could change with a feature; the protocol of SNS and the client of Amazon Pay could be libraries",
		mayImport: map[string][]string{
			"internal/wallet": {}, "internal/telemetry": {}, "internal/deadline": {}, "internal/amazonpay/merchant": {}, "migrations": {},
			"internal/sns": {}, "internal/html": {}, "internal/amazonpay": {"internal/amazonpay/merchant"},
		},
	},
	{
		why: "a feature decides; it declares the interfaces that it needs, and knows no adapter, no settings and no store",
		mayImport: map[string][]string{
			"internal/ipn":            {"internal/sns"},
			"internal/refresh":        {"internal/amazonpay"},
			"internal/update":         {"internal/update/session", "internal/update/pages", "internal/refresh", "internal/html", "internal/amazonpay"},
			"internal/update/session": {"internal/amazonpay"}, // no pages: the reconciler completes updates, too
			"internal/update/pages":   {"internal/html"},
			"internal/reconcile":      {"internal/refresh"}, // wake-ups
			"internal/privacy":        {},
			"internal/feedpush":       {},
			"internal/export":         {},
			"internal/console/view":   {}, // no pages: settings and store need it in binaries that link no html/template
			// Staff start updates, export and erase.
			"internal/console":      {"internal/console/view", "internal/html", "internal/privacy", "internal/update", "internal/update/pages"},
			"internal/console/oidc": {"internal/console", "internal/console/view", "internal/html"}, // no store: a session is its cookie
		},
		factsToo: true,
	},
	{
		why: "a feature's store knows its own feature and pg. Another feature's store is an interface, which main fills",
		mayImport: map[string][]string{
			"internal/refresh/postgres":   {"internal/pg", "internal/refresh"},
			"internal/update/postgres":    {"internal/pg", "internal/update/session"},
			"internal/reconcile/postgres": {"internal/pg", "internal/reconcile"},
			"internal/privacy/postgres":   {"internal/pg", "internal/privacy"},
			"internal/feedpush/postgres":  {"internal/pg", "internal/feedpush"},
			"internal/console/postgres":   {"internal/pg", "internal/console/view", "internal/reconcile"}, // the overview shows the state of notifications
			"internal/cli/postgres":       {"internal/pg", "internal/export", "internal/privacy", "internal/refresh"},
			"internal/doctor/postgres":    {"internal/pg", "internal/doctor", "internal/config", "migrations"},
		},
		factsToo: true,
	},
	{
		why: "pg knows no feature; what only some binaries may link stands beneath it",
		mayImport: map[string][]string{
			"internal/pg":         {},
			"internal/pg/migrate": {"internal/pg", "migrations"}, // the only one that links goose
			"internal/pg/rdsiam":  {"internal/config"},           // the only one that links the RDS signer
		},
		factsToo: true,
	},
	{
		why: "an adapter translates between a feature and what others made: SQS, Lambda, the environment, Amazon Pay",
		mayImport: map[string][]string{
			"internal/queue":            {"internal/ipn"},
			"internal/queue/deadletter": {"internal/ipn", "internal/console/view"}, // the only one that receives
			"internal/awslambda":        {"internal/ipn"},
			"internal/config":           {"internal/console/view"}, // the names of the roles
			"internal/payclient":        {"internal/config", "internal/amazonpay", "internal/refresh"},
		},
		factsToo: true,
	},
	{
		why: "the CLI and the doctor call features; no feature knows them",
		mayImport: map[string][]string{
			"internal/cli":    {"internal/refresh", "internal/reconcile", "internal/privacy", "internal/export", "internal/doctor"},
			"internal/doctor": {"internal/config", "internal/amazonpay", "internal/reconcile", "migrations"}, // the list of migrations
		},
		factsToo: true,
	},
	{
		why: "the store's suite and the simulation run the real worker and reconciler, and no adapter",
		mayImport: map[string][]string{
			"internal/refresh/storetest":       {"internal/refresh", "internal/reconcile", "internal/amazonpay"},
			"internal/refresh/simtest":         {"internal/refresh", "internal/refresh/storetest", "internal/reconcile", "internal/ipn", "internal/amazonpay"},
			"internal/refresh/simtest/mutants": {},
		},
		factsToo: true,
	},
	{
		why: "tests of statements set up what they need by the stores of all features",
		mayImport: map[string][]string{
			"internal/pg/pgtest": {"internal/pg", "internal/pg/migrate", "migrations", "internal/refresh", "internal/update/session",
				"internal/cli/postgres", "internal/console/postgres", "internal/feedpush/postgres", "internal/privacy/postgres",
				"internal/reconcile/postgres", "internal/refresh/postgres", "internal/update/postgres",
				"internal/local/pg", "internal/local/pg/pgtest", "internal/local/scale"},
		},
		factsToo: true,
	},
	{
		why: "what stands in for others' systems knows what those know, and not what it is there to test",
		mayImport: map[string][]string{
			"internal/local/twin": {}, "internal/local/issuer": {}, "internal/local/demo": {},
			"internal/local/demo/shop": {"internal/local/demo"}, "internal/local/demo/status": {"internal/local/demo"},
			"internal/local/aws/awsjson": {}, "internal/local/aws/mototest": {},
			"internal/local/aws/sqs":     {"internal/local/aws/awsjson"},
			"internal/local/aws/bus":     {"internal/local/aws/awsjson"},
			"internal/local/aws/secrets": {"internal/local/aws/awsjson"},
			"internal/local/aws/lambda":  {"internal/local/aws/sqs"},
			"internal/local/pg":          {},
			"internal/local/pg/pgtest":   {"internal/local/pg"},
			"internal/local/fault/link":  {}, "internal/local/fault/wire": {},
			"internal/local/scale": {}, "internal/local/apidoc": {}, "internal/local/testreport": {},
		},
	},
	{
		why: "they put everything together",
		mayImport: map[string][]string{
			"internal/local": {"internal/local/stack"},
			"internal/local/stack": {"internal/local/twin", "internal/local/issuer", "internal/local/demo/shop", "internal/local/demo/status", "internal/local/pg",
				"internal/local/aws/sqs", "internal/local/aws/bus", "internal/local/aws/secrets", "internal/local/aws/lambda",
				"internal/console/oidc"}, // the redirect URI of the issuer
			"internal/e2e": {}, "internal/e2e/template": {}, "internal/e2e/nothing": {},
		},
	},
}

// testSupport are packages that only tests may link. They count as tests in counts of
// lines.
var testSupport = map[string]bool{
	"internal/local/apidoc": true, "internal/local/aws/mototest": true, "internal/local/fault/link": true, "internal/local/fault/wire": true,
	"internal/local/pg/pgtest": true, "internal/local/scale": true, "internal/pg/pgtest": true,
	"internal/refresh/storetest": true, "internal/refresh/simtest": true, "internal/refresh/simtest/mutants": true,
}

type pkg struct {
	ImportPath    string
	Imports, Deps []string
	Name          string
}

func list(t *testing.T, args ...string) []pkg {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", append([]string{"list", "-buildvcs=false", "-json=ImportPath,Imports,Deps,Name"}, args...)...).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	d := json.NewDecoder(strings.NewReader(string(out)))
	for d.More() {
		var p pkg
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

func TestBinariesLinkNoForbiddenPackage(t *testing.T) {
	for _, p := range list(t, "-tags", "lambda.norpc", "walletsync/functions/...") {
		if p.Name != "main" {
			continue
		}
		name := path.Base(p.ImportPath)
		forbidden, ok := mustNotLink[name]
		if !ok {
			t.Errorf("functions/%s has no rule of what it must not link", name)
		}
		for _, dep := range p.Deps {
			if why := forbidden[dep]; why != "" {
				t.Errorf("%s links %s: %s", name, dep, why)
			}
			if strings.HasPrefix(dep, "walletsync/internal/local") {
				t.Errorf("%s links %s: only laptops and tests may", name, dep)
			}
		}
	}
}

// TestPackagesFollowTheImportRules checks direct imports only. mustNotLink covers the
// indirect ones for each binary.
func TestPackagesFollowTheImportRules(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range list(t, "walletsync/internal/...", "walletsync/migrations") {
		name := strings.TrimPrefix(p.ImportPath, "walletsync/")
		seen[name] = true
		found := false
		for _, r := range rules {
			allowed, ok := r.mayImport[name]
			if !ok {
				continue
			}
			found = true
			for _, i := range p.Imports {
				i, ours := strings.CutPrefix(i, "walletsync/")
				if ours && !slices.Contains(allowed, i) && !(r.factsToo && slices.Contains(facts, i)) {
					t.Errorf("%s imports %s; the rule is: %s", name, i, r.why)
				}
			}
		}
		if !found {
			t.Errorf("%s is in no rule", name)
		}
		store := path.Base(name) == "postgres" || name == "internal/pg" || strings.HasPrefix(name, "internal/pg/")
		if !store && !strings.HasPrefix(name, "internal/local/") {
			for _, i := range p.Imports {
				if strings.HasPrefix(i, "github.com/jackc/pgx/") {
					t.Errorf("%s imports %s: only pg and the postgres packages of features use the database", name, i)
				}
			}
		}
	}
	for _, r := range rules {
		for name, allowed := range r.mayImport {
			for _, p := range append(slices.Clone(allowed), name) {
				if !seen[p] {
					t.Errorf("the rule of %s has %s, which does not exist", name, p)
				}
			}
		}
	}
}

func TestTestSupportIsLinkedByTestsOnly(t *testing.T) {
	for _, p := range list(t, "walletsync/...") {
		if testSupport[strings.TrimPrefix(p.ImportPath, "walletsync/")] {
			continue
		}
		for _, dep := range p.Deps {
			if dep, own := strings.CutPrefix(dep, "walletsync/"); own && testSupport[dep] {
				t.Errorf("%s links %s, which is for tests", p.ImportPath, dep)
			}
		}
	}
}
