// Package template holds template.yaml to its promises, to the code that it
// deploys, and to the tools that judge templates. It has nothing but tests.
//
// They read the template as CloudFormation gets it, after the SAM transform:
// testdata/transformed.json, which names the source that it was made of, so that
// a stale one fails. `go test ./internal/e2e/template -update` rewrites it
// where aws-sam-translator is installed. Parameters, rules, conditions and
// intrinsic functions are evaluated here, for each of the combinations of
// parameters that matter.
package template
