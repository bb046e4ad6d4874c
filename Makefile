.DEFAULT_GOAL := help
.PHONY: help spark setup demo test check e2e long bench bench-incident docs
RUN = .tools/bin/uv run --locked --no-sync
# As many at a time as there are processors; the tests of one file share its servers and stay together.
PYTEST = $(RUN) pytest -n auto --dist loadfile

help: ## what can be made here
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /  make \1\t/' | expand -t 20

setup: ## create .venv from the lock, and install missing Debian packages
	@sh scripts/setup

demo: setup ## play the first act and stay up (ARGS="--once --persons 100000")
	@$(RUN) sekisho demo $(ARGS)

test: setup check ## lint, types, rooms, and every test but the long ones
	@$(PYTEST) -m "not e2e and not long" --allow-hosts=127.0.0.1,::1,localhost --allow-unix-socket $(ARGS)
	@$(PYTEST) -m "e2e and not long" $(ARGS)

check: ## lint, types and import rules only
	@$(RUN) ruff check . && $(RUN) ruff format --check . && $(RUN) mypy && $(RUN) lint-imports

e2e: setup ## tests with real servers and clients only
	@$(PYTEST) -m e2e $(ARGS)

long: setup ## the tests that take minutes (several hundred kills)
	@$(RUN) pytest -m long $(ARGS)

spark: setup ## the trace's joins on a small local Spark (needs Java 17; 400 MB are fetched)
	@.tools/bin/uv run --locked --group spark pytest tests/tracing/test_spark.py -W ignore::ResourceWarning $(ARGS)

docs: setup ## write docs/reference/ anew from the code
	@$(RUN) python scripts/reference.py

bench-incident: setup ## how long until the watch speaks, and how often in vain, over 115 months
	@$(RUN) python -m bench.incident $(ARGS)

bench: setup ## measure against the peers; writes bench/README.md
	@$(RUN) python -m bench $(ARGS)
