# Holdfast. `make` or `make help` lists what there is to do.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X holdfast/internal/cli.version=$(VERSION)
FUZZTIME ?= 30s

TOOLS := bin/tools
LINT := $(TOOLS)/golangci-lint

.PHONY: help build page run test lint fmt vuln fuzz bench drill load stress soak dist image deps clean

help: ## show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/\1\t\2/' | expand -t 10

build: page ## build bin/holdfast, with the page in it
	@go build -trimpath -ldflags '$(LDFLAGS)' -o bin/holdfast ./cmd/holdfast

page: ## build the page from web/ (needs Node; without it the binary has a placeholder)
	@scripts/web.sh

run: build ## build and start the demo: three functions, two instances each
	@exec bin/holdfast up --demo

test: deps page $(TOOLS)/testreport ## run all tests and say what ran, what was skipped and what failed
	@$(TOOLS)/testreport

lint: $(LINT) ## run golangci-lint on the main module; zero findings is the only passing state
	@$(LINT) run --allow-parallel-runners ./...

fmt: $(LINT) ## format the source (gofumpt, import order)
	@$(LINT) fmt ./...

vuln: $(TOOLS)/govulncheck ## look for known vulnerabilities (asks vuln.go.dev)
	@$(TOOLS)/govulncheck ./...

fuzz: ## run each fuzz target for FUZZTIME (30s)
	@scripts/fuzz.sh $(FUZZTIME)

bench: ## run all benchmarks, without tests
	@go test -run '^$$' -bench . -benchmem ./... | grep -vE '^(ok|PASS|\?)'

drill: build ## carry out every drill on the demo, in short form (faults need root on Linux)
	@scripts/drill.sh

load: build ## put load on a demo started for it; the report is load.html
	@scripts/ondemo.sh bin/holdfast load GATEWAY/api/public/hello --rate 200 -d 10s --slo 'errors<1%' --report load.html

stress: build ## find what a demo started for it carries (short steps)
	@scripts/ondemo.sh bin/holdfast stress GATEWAY/api/public/hello --step 3s --min 100

soak: ## run the long forms of the real-parts tests; the log stays in docs/soak
	@scripts/soak.sh

dist: page ## build static archives for Linux and macOS with checksums into dist/
	@scripts/dist.sh '$(VERSION)' '$(LDFLAGS)'

image: page ## build the container image holdfast:VERSION for this machine's Docker
	@scripts/image.sh '$(VERSION)' '$(LDFLAGS)'

deps: ## find what the tests need; installs Debian packages only with CI=true or after a yes
	@scripts/deps.sh

clean: ## remove bin/ and dist/; holdfast-data/ may hold real state and stays
	@rm -rf bin dist

# Tools have a module of their own, so that nobody who embeds Holdfast downloads a linter. They are built once into
# bin/tools and again when tools/go.mod changes. A go command for each would start slower than the linter runs.
$(LINT): tool := github.com/golangci/golangci-lint/v2/cmd/golangci-lint
$(TOOLS)/govulncheck: tool := golang.org/x/vuln/cmd/govulncheck
$(TOOLS)/gofumpt: tool := mvdan.cc/gofumpt
$(LINT) $(TOOLS)/govulncheck $(TOOLS)/gofumpt: tools/go.mod tools/go.sum
	@echo "building $(notdir $@) (once; the linter takes two minutes on two cores)" >&2
	@mkdir -p $(TOOLS)
	@cd tools && go build -o ../$@ $(tool)
	@touch $@

# Always asked for: the go command knows better than make whether it is up to date.
.PHONY: $(TOOLS)/testreport
$(TOOLS)/testreport:
	@mkdir -p $(TOOLS)
	@go build -o $@ ./internal/testreport
