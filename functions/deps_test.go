// Package functions_test holds the house to its plan: what each binary must not
// link, and who may import whom.
package functions_test

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// mustNotLink says what a binary must not link, and why.
var mustNotLink = map[string]map[string]string{
	"ipn-receiver": {
		"walletsync/internal/publish":    "only the push publishes",
		"github.com/jackc/pgx/v5":        "the receiver touches no database",
		"walletsync/internal/postgres":   "the receiver touches no database",
		"walletsync/internal/amazonpay":  "the receiver calls no Amazon Pay",
		"walletsync/internal/config/pay": "the receiver must never hold the private key",
		"html/template":                  "it switches the linker's dead code elimination off",
		"net/http/httptest":              "test code",
	},
	"ipn-worker": {
		"walletsync/internal/publish": "only the push publishes",
		"html/template":               "it switches the linker's dead code elimination off",
		"github.com/pressly/goose/v3": "only the migrator migrates",
		"net/http/httptest":           "test code",
	},
	"reconciler": {
		"walletsync/internal/publish": "only the push publishes",
		"html/template":               "it switches the linker's dead code elimination off",
		"github.com/pressly/goose/v3": "only the migrator migrates",
		"net/http/httptest":           "test code",
	},
	"update-start": {
		"walletsync/internal/publish": "only the push publishes",
		"github.com/pressly/goose/v3": "only the migrator migrates",
		"net/http/httptest":           "test code",
	},
	"checkout-return": {
		"walletsync/internal/publish": "only the push publishes",
		"github.com/pressly/goose/v3": "only the migrator migrates",
		"net/http/httptest":           "test code",
	},
	"feed-push": {
		"walletsync/internal/config/pay": "the push calls no Amazon Pay",
		"html/template":                  "it switches the linker's dead code elimination off",
		"github.com/pressly/goose/v3":    "only the migrator migrates",
		"net/http/httptest":              "test code",
	},
	"back-office": {
		"walletsync/internal/publish": "only the push publishes",
		"github.com/pressly/goose/v3": "only the migrator migrates",
		"net/http/httptest":           "test code",
	},
	"walletsync": {
		"walletsync/internal/publish":         "only the push publishes",
		"html/template":                       "it switches the linker's dead code elimination off",
		"github.com/pressly/goose/v3":         "only the migrator migrates",
		"github.com/aws/aws-lambda-go/lambda": "people run it, not Lambda",
		"net/http/httptest":                   "test code",
	},
	"migrator": {
		"walletsync/internal/publish":   "only the push publishes",
		"walletsync/internal/amazonpay": "the migrator calls no Amazon Pay",
		"html/template":                 "it switches the linker's dead code elimination off",
		"net/http/httptest":             "test code",
	},
}

// mayImport says whom of ours a package may import. Dependencies point inwards:
// rooms declare the interfaces that they need, adapters fill them.
var mayImport = map[string][]string{
	"internal/wallet":              {},
	"internal/sns":                 {},
	"internal/amazonpay":           {},
	"migrations":                   {},
	"internal/telemetry":           {},
	"internal/deadline":            {},
	"internal/ipn":                 {"internal/wallet", "internal/sns", "internal/telemetry"},
	"internal/refresh":             {"internal/wallet", "internal/amazonpay", "internal/telemetry"},
	"internal/reconcile":           {"internal/wallet", "internal/refresh", "internal/telemetry", "internal/amazonpay", "internal/person"}, // refresh brings amazonpay
	"internal/push":                {"internal/wallet", "internal/telemetry"},
	"internal/publish":             {"internal/wallet", "internal/push", "internal/telemetry"}, // alone links the clients of SNS and EventBridge
	"internal/postgres/migrate":    {"internal/wallet", "migrations", "internal/postgres/endpoint"},
	"internal/postgres/endpoint":   {},
	"internal/postgres":            {"internal/postgres/endpoint", "internal/wallet", "internal/refresh", "internal/reconcile", "internal/push", "internal/update/session", "internal/telemetry", "internal/amazonpay", "internal/person", "internal/export", "internal/backoffice/view", "internal/backoffice/identity"},
	"internal/queue":               {"internal/wallet", "internal/ipn", "internal/sns", "internal/telemetry", "internal/backoffice/view"},
	"internal/awslambda":           {"internal/wallet", "internal/ipn", "internal/sns", "internal/telemetry"},
	"internal/config":              {"internal/wallet", "internal/telemetry", "internal/backoffice/identity"}, // the names of the roles
	"internal/config/pay":          {"internal/refresh", "internal/wallet", "internal/config", "internal/backoffice/identity", "internal/amazonpay", "internal/telemetry"},
	"internal/html":                {}, // it knows no page
	"internal/update":              {"internal/wallet", "internal/refresh", "internal/update/session", "internal/update/pages", "internal/html", "internal/amazonpay", "internal/telemetry"},
	"internal/update/session":      {"internal/wallet", "internal/amazonpay", "internal/telemetry"}, // no page: the reconciler and the store need none
	"internal/update/pages":        {"internal/html"},
	"internal/backoffice/answer":   {"internal/html"},
	"internal/backoffice/view":     {"internal/wallet"}, // no page: the store and the queue need none
	"internal/backoffice/pages":    {"internal/backoffice/view", "internal/backoffice/identity", "internal/html", "internal/wallet"},
	"internal/backoffice":          {"internal/backoffice/view", "internal/backoffice/identity", "internal/backoffice/pages", "internal/backoffice/answer", "internal/html", "internal/wallet"},
	"internal/backoffice/identity": {},                                                                                                    // the console's pages and its sign-in agree on it, and on nothing else
	"internal/local/twin":          {},                                                                                                    // what it shares with what it tests are the facts alone
	"internal/backoffice/signin":   {"internal/backoffice/identity", "internal/backoffice/answer", "internal/html", "internal/telemetry"}, // no store: a session is its cookie
	"internal/local/issuer":        {},                                                                                                    // it knows what an issuer knows: the standards
	"internal/local/sqs":           {"internal/local/sqs/awsjson"},
	"internal/local/bus":           {"internal/local/sqs/awsjson"},
	"internal/local/lambda":        {"internal/local/sqs", "internal/local/sqs/awsjson"},
	"internal/local/pg":            {},
	"internal/local/apidoc":        {},
	"internal/local/scale":         {},
	"internal/local/shop":          {}, // it knows what a merchant knows: update-start's HTTP interface
	"internal/local/status":        {},
	"internal/refresh/storetest":   {"internal/wallet", "internal/refresh", "internal/reconcile", "internal/amazonpay", "internal/telemetry", "internal/person"},
	"internal/local/sqs/awsjson":   {},
	"internal/local/sqs/mototest":  {},
	"internal/local/testreport":    {},
	"internal/local/pg/wire":       {},
	"internal/local/pg/pgtest":     {"internal/local/pg"},
	"internal/local/secrets":       {"internal/local/sqs/awsjson"},
	"internal/person":              {"internal/wallet"},
	"internal/export":              {"internal/wallet"},
	"internal/postgres/iam":        {"internal/config", "internal/wallet", "internal/backoffice/identity"}, // alone links RDS's signer
	// It links the console to the rooms that do what it asks for.
	"internal/backoffice/rooms": {
		"internal/backoffice/view", "internal/backoffice/identity", "internal/config", "internal/person", "internal/html", "internal/wallet", "internal/amazonpay", "internal/telemetry",
		"internal/update", "internal/refresh", "internal/update/session", "internal/update/pages",
	},
	"internal/queue/deadletter": {"internal/wallet", "internal/ipn", "internal/sns", "internal/telemetry", "internal/backoffice/view"}, // alone receives

	"internal/refresh/simtest": {
		"internal/wallet", "internal/refresh", "internal/refresh/storetest", "internal/amazonpay", "internal/telemetry",
		"internal/ipn", "internal/sns", "internal/reconcile", "internal/person", // the real worker and reconciler are what is simulated
	},
	"internal/refresh/simtest/mutants": {},

	"internal/amazonpay/merchant": {},

	"internal/doctor": {"internal/wallet", "migrations", "internal/config", "internal/person", "internal/backoffice/identity", "internal/amazonpay", "internal/reconcile", "internal/refresh", "internal/telemetry"},
	// Its commands call features, of which none imports it.
	"internal/cli": {
		"internal/wallet", "internal/refresh", "internal/reconcile", "internal/person", "internal/export", "internal/doctor", "migrations",
		"internal/telemetry", "internal/amazonpay", "internal/config", "internal/backoffice/identity", // what these bring
	},
	// It fills the doctor's interface. Of the store it takes the statements' rights, and what the reconciler asks.
	"internal/postgres/examine": {"internal/postgres/endpoint",
		"internal/doctor", "internal/postgres", "internal/push", "internal/update/session", "migrations", "internal/person",
		"internal/wallet", "internal/config", "internal/amazonpay", "internal/reconcile", "internal/refresh", "internal/telemetry",
		"internal/backoffice/identity", "internal/backoffice/view",
	},
}

// leaves import nothing of ours at all.
var leaves = map[string]bool{"internal/wallet": true, "internal/sns": true, "internal/amazonpay": true, "internal/telemetry": true, "migrations": true}

type pkg struct {
	ImportPath string
	Deps       []string
	Name       string
}

func list(t *testing.T, args ...string) []pkg {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", append([]string{"list", "-buildvcs=false", "-json=ImportPath,Deps,Name"}, args...)...).Output()
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

func TestBinariesLinkNothingTheyMustNot(t *testing.T) {
	for _, p := range list(t, "-tags", "lambda.norpc", "walletsync/functions/...") {
		if p.Name != "main" {
			continue
		}
		name := p.ImportPath[strings.LastIndex(p.ImportPath, "/")+1:]
		rules, ok := mustNotLink[name]
		if !ok {
			t.Errorf("functions/%s has no rule of what it must not link", name)
		}
		for _, dep := range p.Deps {
			if why := rules[dep]; why != "" {
				t.Errorf("%s links %s: %s", name, dep, why)
			}
			if strings.HasPrefix(dep, "walletsync/internal/local") {
				t.Errorf("%s links %s: only laptops and tests know it", name, dep)
			}
		}
	}
}

func TestPackagesImportOnlyInwards(t *testing.T) {
	for _, p := range list(t, "walletsync/internal/...", "walletsync/migrations") {
		path := strings.TrimPrefix(p.ImportPath, "walletsync/")
		allowed, ok := mayImport[path]
		if !ok {
			if strings.HasPrefix(path, "internal/local") || strings.HasPrefix(path, "internal/e2e") {
				continue // it puts everything together
			}
			t.Errorf("%s has no rule of whom it may import", path)
		}
		for _, dep := range p.Deps {
			dep, own := strings.CutPrefix(dep, "walletsync/")
			if dep == "internal/deadline" && !leaves[path] { // context's arithmetic, for whatever waits
				continue
			}
			if dep == "internal/amazonpay/merchant" && (!leaves[path] || path == "internal/amazonpay") { // facts, which need no client
				continue
			}
			if own && !slices.Contains(allowed, dep) {
				t.Errorf("%s depends on %s", path, dep)
			}
		}
	}
}
