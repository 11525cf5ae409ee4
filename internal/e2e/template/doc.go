// Package template tests template.yaml: its security and its limits, its agreement
// with the code that it deploys, and the findings of linters. It has only tests.
//
// The tests read testdata/transformed.json: the template as CloudFormation gets
// it, after the SAM transform. The file contains the hash of its source, so a
// stale file fails. `go test ./internal/e2e/template -update` rewrites it if
// aws-sam-translator is installed. The tests evaluate parameters, rules,
// conditions and intrinsic functions for each combination in combinations.
package template
