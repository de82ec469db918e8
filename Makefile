.DEFAULT_GOAL := help
.PHONY: help demo test test-deep matrix bench lint gates unit clean lab-up lab-down

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## show releases on a real cluster under load
	@tools/with-environment lab/demo

test: ## everything that must pass: gates, unit tests, simulation, a real Prometheus, scenarios on a real cluster
	@tools/run-tests

test-deep: ## the long shards, results in build/deep/
	@tools/run-tests --deep

matrix: ## every strategy by every router, good, bad and with a killed runner, as a table: build/deep/matrix.md
	@status=0; tools/run-tests --deep scenario-matrix || status=$$?; cat build/deep/matrix.md; exit $$status

bench: ## measure speed
	@tools/with-environment tests/benchmarks/run

lint: ## the static gates (tools/gates NAME runs one)
	@tools/gates

gates: lint

unit: ## unit tests by plain pytest
	@tools/with-environment pytest -n 2 tests/unit

lab-up: ## start the cluster of the tests
	@lab/lab up

lab-down: ## remove it
	@lab/lab down

clean: ## remove the cluster and everything that was built in the checkout
	@if [ -x lab/lab ]; then lab/lab down; fi
	rm -rf build tests/output releases
