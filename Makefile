# Two commands do all: make run and make test. Both install what they need, or
# say in one line what is missing and how to get it.
.DEFAULT_GOAL := help
SHELL := /bin/bash

GOLANGCI := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.13.0
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0
CYCLONEDX := github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0
FUZZ_TIME ?= 10s
TESTFLAGS ?=
SIM_TIME ?= 8m
SIM_SCHEDULES ?= 1000000
SIM_SEED ?= 0
BUILD_DIR ?= .build/bin

# How every binary is built: what sam build, make run and the tests take is the
# same to the byte. Nothing of the machine gets in, so whoever builds a commit
# with the same Go has the same bytes. The version is that of CHANGELOG.md. sam
# build works on a copy without .git: there the commit comes from the environment.
VERSION := $(shell awk '/^\#\# / {print ($$2 == "Unreleased" ? "dev" : $$2); exit}' CHANGELOG.md)
COMMIT ?= $(shell git describe --always --exclude '*' --abbrev=12 --dirty 2>/dev/null)
GO_BUILD = CGO_ENABLED=0 go build -trimpath -buildvcs=false -tags lambda.norpc -ldflags '-s -w -buildid= \
  -X walletsync/internal/telemetry.version=$(VERSION) -X walletsync/internal/telemetry.commit=$(COMMIT)'

.PHONY: help
help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: ## the whole of walletsync on this machine (RUN_DIR, STATUS_ADDR, VERBOSE=1); Ctrl-C stops it
	@command -v npm >/dev/null || .ci/tools pg_dump # Postgres comes from either
	@go run -buildvcs=false ./internal/local

.PHONY: cli
cli: ## a command of the CLI against the stack of make run: make cli ARGS="--help"
	@$(GO_BUILD) -o .build/walletsync ./functions/walletsync
	@env=$${RUN_DIR:-.run}/cli.env; test -f "$$env" || { echo "$$env is missing: start the stack with make run first"; exit 1; }; \
	set -a; . "$$env"; exec .build/walletsync $(ARGS)

.PHONY: build
build: ## every function's binary, into BUILD_DIR (.build/bin); GOOS=linux GOARCH=arm64 for the template's machine
	@mkdir -p '$(BUILD_DIR)'
	@$(GO_BUILD) -o '$(BUILD_DIR)/' ./functions/...

# sam build calls this for each function of template.yaml. Its logical id names
# its folder: IpnReceiver is functions/ipn-receiver. GOARCH=amd64 for x86_64.
build-%:
	@test -n '$(ARTIFACTS_DIR)' || { echo 'ARTIFACTS_DIR is not set: the folder to put bootstrap into'; exit 1; }
	@function=$$(sed -E 's/([a-z0-9])([A-Z])/\1-\2/g; y/ABCDEFGHIJKLMNOPQRSTUVWXYZ/abcdefghijklmnopqrstuvwxyz/' <<<'$*'); \
	test -d "functions/$$function" || { echo "there is no functions/$$function: name the function after its folder, as IpnReceiver after ipn-receiver"; exit 1; }; \
	export GOOS=linux GOARCH=$${GOARCH:-arm64}; $(GO_BUILD) -o '$(ARTIFACTS_DIR)/bootstrap' "./functions/$$function"

.PHONY: sbom
sbom: ## what each deployed binary is made of, as CycloneDX, into .build/sbom
	@go run $(CYCLONEDX) version >/dev/null 2>&1 || { echo "SKIP sbom: cyclonedx-gomod cannot be fetched — check GOPROXY"; exit 0; }; \
	GOOS=linux GOARCH=$${GOARCH:-arm64} $(MAKE) --no-print-directory build BUILD_DIR=.build/deployed && mkdir -p .build/sbom || exit 1; \
	for binary in .build/deployed/*; do sbom=".build/sbom/$${binary##*/}.cdx.json"; \
	  log=$$(go run $(CYCLONEDX) bin -json -licenses -std -short-purls -noserial -notimestamp -version '$(VERSION)$(if $(COMMIT),+$(COMMIT))' \
	    -output "$$sbom" "$$binary" 2>&1) && echo "$$sbom" || { echo "$$log"; exit 1; }; done

.PHONY: doctor
doctor: ## check a configuration: the running stack's, the environment's, or a deployment's (STACK=its name; ARGS)
	@$(GO_BUILD) -o .build/walletsync ./functions/walletsync
	@if [ -n "$(STACK)" ]; then set -o pipefail; \
	  aws cloudformation describe-stack-resources --stack-name "$(STACK)" --output text \
	    --query "StackResources[?ResourceType=='AWS::Lambda::Function'].PhysicalResourceId" | xargs -n 1 \
	  aws lambda get-function-configuration --query Environment.Variables --output json --function-name \
	  | .build/walletsync doctor --environment - $(ARGS); \
	else file=$${RUN_DIR:-.run}/cli.env; \
	  if [ -z "$$ACCOUNTS" ] && [ -f "$$file" ]; then set -a; . "$$(realpath "$$file")"; set +a; fi; \
	  .build/walletsync doctor $(ARGS); fi

# The whole-stack tests mostly wait and take the longest, so they start first, and
# one more package runs at once than there are processors. The time-out is more
# than three times what the slowest package takes on two quiet processors.
GO_TEST = race=; if command -v gcc >/dev/null; then race=-race; export CGO_ENABLED=1; \
	  else echo "SKIP race detector: no C compiler — install gcc and the C library's headers"; fi; \
	set -o pipefail; go test -json $$race -shuffle=on -p=$$(($$(getconf _NPROCESSORS_ONLN) + 1)) -parallel=6 -timeout=25m \
	  -exec "'$(CURDIR)/.ci/timed'" $(TESTFLAGS)
SLOW = ./internal/e2e ./internal/refresh/postgres ./internal/pg/migrate ./internal/pg ./internal/.../postgres

.PHONY: test
test: ## all tests, with what they need installed first (TESTFLAGS for go test)
	@.ci/tools
	@$(GO_TEST) $(SLOW) ./... | go run ./internal/local/testreport

.PHONY: check
check: lint ## lint, and the tests without browsers, whole stacks and the full Postgres suites: under three minutes
	@$(GO_TEST) $$(go list ./... | grep -vxF "$$(go list $(SLOW))") | go run ./internal/local/testreport

.PHONY: lint
lint: ## formatting, go vet, the schema's locks (squawk), golangci-lint, govulncheck
	@bad=$$(git ls-files '*.go' | xargs gofmt -l); test -z "$$bad" || { echo "not formatted: $$bad"; exit 1; }
	go vet ./...
	@echo squawk; .ci/squawk
	@if go run $(GOLANGCI) version >/dev/null 2>&1; then echo golangci-lint; go run $(GOLANGCI) run ./...; \
	  else echo "SKIP golangci-lint: it cannot be fetched — check GOPROXY"; fi
	@out=$$(go run $(GOVULNCHECK) ./... 2>&1); status=$$?; \
	if [ $$status -ne 0 ] && echo "$$out" | grep -q 'fetching vulnerabilities\|no such host\|cannot be fetched\|dial tcp'; then \
	  echo "SKIP govulncheck: its data cannot be reached — run it where https is open"; \
	else echo "$$out"; exit $$status; fi

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZ_TIME (default 10s)
	@grep -rlE '^func Fuzz' --include=*_test.go internal | xargs -n1 dirname | sort -u | while read -r dir; do \
	  go test "./$$dir" -list '^Fuzz' | grep '^Fuzz' | while read -r target; do \
	    echo "$$dir $$target"; go test "./$$dir" -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZ_TIME) || exit 1; done || exit 1; done

.PHONY: quota
quota: ## the quota's tests at full size: a backlog of 3,000, a billing run of 10,000
	QUOTA_BACKLOG=300 BILLING_RUN=10000 go test -count=1 -v -timeout=9m -run 'Backlog|BillingRun|ShareTheQuota' ./internal/e2e

.PHONY: import
import: ## the import's test at full size: 10,000 ids at a quota of 50 a second, killed on the way (IMPORT_IDS)
	IMPORT_IDS=$${IMPORT_IDS:-10000} go test -count=1 -v -timeout=9m -run 'TestAnImport' ./internal/e2e

.PHONY: sim
sim: ## the refresh's simulation: SIM_SCHEDULES (1000000) within SIM_TIME (8m); SIM_SEED replays one
	GOGC=400 go test -count=1 -v -timeout=9m -run '^TestSimulation$$' ./internal/refresh/simtest \
	  -args -seed $(SIM_SEED) -schedules $(SIM_SCHEDULES) -time $(SIM_TIME)

.PHONY: mutants
mutants: ## break each rule of the refresh on purpose: the simulation must find it
	go run ./internal/refresh/simtest/mutants

.PHONY: chaos
chaos: ## parts fail under load for CHAOS_TIME (6m); CHAOS_SEED chooses the faults
	CHAOS_TIME=$${CHAOS_TIME:-6m} go test -count=1 -v -timeout=60m -run '^TestChaos$$' ./internal/e2e

.PHONY: soak
soak: ## a steady load for SOAK_TIME (7m): memory, connections and goroutines stay flat
	SOAK_TIME=$${SOAK_TIME:-7m} go test -count=1 -v -timeout=90m -run '^TestASoak' ./internal/e2e

.PHONY: bench
bench: ## benchmarks, as ratios within one run
	go test -run '^$$' -bench . -benchtime 1s ./...

.PHONY: scale
scale: ## the back-office's views, feed and exports at a million charge permissions and ten million changes (SCALE)
	SCALE=$${SCALE:-1000000} go test -run '^$$' -bench BackOffice -benchtime 1000x -timeout 30m ./internal/console/postgres
	SCALE=$${SCALE:-1000000} go test -run '^$$' -bench Export -benchtime 1x -timeout 30m ./internal/cli/postgres

.PHONY: feed
feed: ## the change feed's test with 100,000 changes (FEED_CHANGES)
	FEED_CHANGES=$${FEED_CHANGES:-100000} go test -count 1 -run 'TestEveryReader|TestASequence|TestReadersGoOn' -v ./internal/refresh/postgres

.PHONY: clean
clean: ## remove what was built
	rm -rf .build .run .test
