# Lastwatt. `make help` lists what can be asked for. Every tool is pinned in a
# go.mod below tools/ and comes through the Go module proxy.
SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS   += --no-print-directory
.DEFAULT_GOAL := help

VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
FUZZTIME  ?= 10s
BENCHTIME ?= 1s
TESTFLAGS ?=
ONLY      ?=
SEEDS     ?= 320
FROM      ?= 1
LDFLAGS   := -s -w -X main.version=$(VERSION)
TOOL      := go tool -modfile=tools/go.mod
GOLANGCI  := go tool -modfile=tools/golangci/go.mod golangci-lint

# test/e2e starts real programs and takes minutes: `make e2e`, not `make test`.
UNIT = $(shell go list ./... | grep -v /test/e2e)
# What has to build elsewhere. The daemons power Linux machines off; upsctl runs on
# other Unixes too, the wire and the core everywhere, and 32 bits find what 64 hide.
CROSS      = darwin/arm64:./cmd/upsctl freebsd/amd64:./cmd/upsctl windows/amd64:$(CORE) \
             linux/arm:./cmd/... linux/arm64:./cmd/...
CORE       = ./api/...,./pkg/config,./pkg/line,./pkg/policy,./pkg/power,./pkg/trust

.PHONY: help
help: ## say what can be asked for
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

.PHONY: build
build: ## static programs: bin/upsmaster, bin/upsagent, bin/upsctl
	@mkdir -p bin
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/...

.PHONY: demo
demo: build ## a rack on this machine through a power failure: no hardware, no root
	bin/upsctl demo

.PHONY: test
test: ## all tests but the end-to-end ones
	go test -shuffle=on $(TESTFLAGS) $(UNIT)

.PHONY: race
race: ## the same under the race detector (needs a C compiler)
	CGO_ENABLED=1 go test -race -shuffle=on -timeout 30m $(TESTFLAGS) $(UNIT)

.PHONY: sim
sim: ## racks in memory through random outages, held against the laws (SEEDS=n; 320 are 2,000 outages)
	TMPDIR=$$([ -w /dev/shm ] && echo /dev/shm || echo /tmp) GOGC=800 \
	  go test -count=1 -timeout 120m -parallel 4 -v ./test/memrack -run '^TestSim$$' -from $(FROM) -seeds $(SEEDS) | grep -vE '^ *(===|--- PASS)'

.PHONY: mutants
mutants: ## break the code on purpose, fault by fault: the tests must notice (ONLY=regexp)
	go test -count=1 -timeout 240m -v ./test/mutants -run '^TestMutants$$' -mutants -only '$(ONLY)'

.PHONY: e2e
e2e: build ## the real programs on a real tty (test/e2e)
	go test -timeout 20m $(TESTFLAGS) ./test/e2e/...

.PHONY: rack
rack: ## real systemd machines on a virtual UPS: down in order, cut, back (test/rack; root)
	CGO_ENABLED=0 go test -count=1 -timeout 20m $(TESTFLAGS) ./test/rack -rack

.PHONY: vm
vm: ## virtual machines with a real UART: the late unit, the power-off, the reboot (test/vm; root)
	CGO_ENABLED=0 go test -count=1 -timeout 30m $(TESTFLAGS) ./test/vm -vm

PREFIX ?= /usr
.PHONY: install
install: build ## put programs, units and man pages in place (DESTDIR=, PREFIX=); enables nothing
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/bin bin/upsmaster bin/upsagent bin/upsctl
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/systemd/system deploy/systemd/*.service
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/systemd/system/poweroff.target.d deploy/systemd/poweroff.target.d/*.conf
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/lib/systemd/system-shutdown deploy/systemd-shutdown/lastwatt
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man1 deploy/man/*.1
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man5 deploy/man/*.5

.PHONY: check
check: fmt vet lint proto generated modules rules cross ## everything a review would ask a machine for

.PHONY: fmt
fmt:
	@out=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$out" ] || { echo "not gofmt'ed:"; echo "$$out"; exit 1; }

.PHONY: vet
vet:
	go vet ./...

.PHONY: lint
lint: ## staticcheck, and golangci-lint with linters chosen one by one
	$(TOOL) staticcheck ./...
	$(GOLANGCI) run ./...

.PHONY: vuln
vuln: ## known holes in what is linked (needs vuln.go.dev)
	go run golang.org/x/vuln/cmd/govulncheck@v1.8.0 ./...

.PHONY: proto
proto:
	$(TOOL) buf lint

.PHONY: generate
generate: ## write the generated code (api/ups/v1) again
	$(TOOL) buf generate
	go generate ./...

.PHONY: pages
pages: ## print deploy/man and the tables of docs again
	go test ./test/manual ./pkg/health ./cmd/... ./api -run 'Page|Pages|Roles' -rewrite

.PHONY: generated
generated:
	@tmp=$$(mktemp -d); trap 'rm -rf "$$tmp"' EXIT; \
	$(TOOL) buf generate --output "$$tmp"; \
	diff -r "$$tmp/api/ups" api/ups || { echo "generated code is not what the proto says: run 'make generate' and commit it"; exit 1; }

.PHONY: modules
modules:
	go mod tidy -diff
	go mod verify

# Without the service discoveries of a Prometheus promtool builds in half the time.
PROMTOOL = go run -modfile=tools/promtool/go.mod -tags remove_all_sd github.com/prometheus/prometheus/cmd/promtool

.PHONY: rules
rules: ## the alert rules, each firing and silent, and the dashboard's queries
	@tmp=$$(mktemp -d); trap 'rm -rf "$$tmp"' EXIT; \
	go test ./master -run '^TestDashboard$$' -queries "$$tmp/dashboard.yml" && \
	$(PROMTOOL) check rules --lint=all --lint-fatal deploy/prometheus/lastwatt.rules.yml "$$tmp/dashboard.yml" && \
	$(PROMTOOL) test rules deploy/prometheus/lastwatt.test.yml

.PHONY: cross
cross:
	@for t in $(CROSS); do os=$${t%%/*} arch=$${t#*/} what=$${t#*:}; arch=$${arch%%:*}; \
	  echo "build for $$os/$$arch: $$what"; \
	  CGO_ENABLED=0 GOOS=$$os GOARCH=$$arch go build -o /dev/null $${what//,/ }; done

.PHONY: fuzz
fuzz: ## each fuzz target for FUZZTIME (10s)
	@git grep -lE '^func Fuzz' -- '*_test.go' | while read -r f; do \
	  for t in $$(grep -oE '^func Fuzz[A-Za-z0-9_]*' "$$f" | cut -c6-); do \
	    echo "fuzz $$t in $$(dirname "$$f")"; \
	    go test -run '^$$' -fuzz "^$$t$$" -fuzztime $(FUZZTIME) "./$$(dirname "$$f")"; done; done

.PHONY: bench
bench: ## the benchmarks
	go test -run '^$$' -bench . -benchtime $(BENCHTIME) ./...
