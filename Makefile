# The five commands of this project. `make help` lists them.
PYTHON ?= python3
VENV := .venv
TEST_VENV := .venv-test
TEST_PY := $(TEST_VENV)/bin/python
OLD_HUB_VENV := .venv-hub036
comma := ,
# What only LLD does, the linker of Rust on this target: functions of the same code become one, ends of texts are shared.
LLD := $(wildcard $(shell rustc --print sysroot 2>/dev/null)/lib/rustlib/x86_64-unknown-linux-gnu/bin/gcc-ld/ld.lld)
# No Rust panic passes through C code.
NO_TABLES := -fno-asynchronous-unwind-tables
TIGHT := $(if $(LLD),-- -C link-arg=-Wl$(comma)--icf=all$(comma)-O2)
SOURCES := $(shell find rust python -name '*.rs' -o -name '*.py' -o -name '*.pyi' -o -name '*.toml') Cargo.toml Cargo.lock pyproject.toml

.PHONY: help quickstart wheel test test-rust test-python lint format check bench clean

help: ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.PHONY: need-rust
need-rust:
	@command -v cargo >/dev/null 2>&1 || { \
	  echo "A Rust toolchain is needed and cargo was not found."; \
	  echo "Install Rust 1.90 or newer with rustup (see the Rust project's site), open a new shell, and try again."; exit 1; }
	@command -v cc >/dev/null 2>&1 || { echo "A C compiler is needed and cc was not found: install gcc or clang."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed; name it with make PYTHON=python3.12"; exit 1; }
	@command -v nasm >/dev/null 2>&1 || echo "note: nasm was not found: JPEGs are decoded without SIMD (same pixels, slower)"

quickstart: need-rust ## Build, install into .venv, load sample data from an embedded hub
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --upgrade pip
	$(VENV)/bin/python -m pip install --quiet .
	$(VENV)/bin/python -m crucible_datasets quickstart

$(TEST_VENV)/.tools: tests/requirements.txt tests/oracle-requirements.txt
	$(PYTHON) -m venv $(TEST_VENV)
	$(TEST_PY) -m pip install --quiet --upgrade pip
	$(TEST_PY) -m pip install --quiet -r tests/requirements.txt -r tests/oracle-requirements.txt
	touch $@

# The older official client, for the tests that share a cache with it.
$(OLD_HUB_VENV)/.tools: tests/oracle-036-requirements.txt
	$(PYTHON) -m venv $(OLD_HUB_VENV)
	$(OLD_HUB_VENV)/bin/python -m pip install --quiet -r tests/oracle-036-requirements.txt
	touch $@

$(TEST_VENV)/.wheel: $(TEST_VENV)/.tools $(SOURCES)
	rm -rf dist
	PATH="$(CURDIR)/$(TEST_VENV)/bin:$$PATH" CFLAGS="$$CFLAGS $(NO_TABLES)" $(TEST_VENV)/bin/maturin build --profile wheel --locked --quiet --out dist $(TIGHT)
	$(TEST_PY) scripts/pack-wheel.py dist/*.whl
	$(TEST_PY) -m pip install --quiet --force-reinstall --no-deps dist/*.whl
	touch $@

wheel: need-rust $(TEST_VENV)/.wheel ## Build the wheel into dist/

dev: need-rust $(TEST_VENV)/.tools ## Build the extension in place, quickly; then PYTHONPATH=python .venv-test/bin/python -m pytest
	PATH="$(CURDIR)/$(TEST_VENV)/bin:$$PATH" PYO3_BUILD_EXTENSION_MODULE=1 cargo build --profile fast -p crucible-python
	cp target/fast/lib*.so python/_crucible/_native.abi3.so

test: need-rust test-rust test-python ## All tests, with all set-up

test-rust: $(TEST_VENV)/.tools
	PATH="$(CURDIR)/$(TEST_VENV)/bin:$$PATH" cargo test --locked -p crucible-hub -p crucible-data

test-python: $(TEST_VENV)/.wheel $(OLD_HUB_VENV)/.tools
	$(TEST_PY) -m pytest -q -n 2 tests

lint: need-rust $(TEST_VENV)/.wheel ## Formatting, lints, types, import contracts
	cargo fmt --check
	PATH="$(CURDIR)/$(TEST_VENV)/bin:$$PATH" cargo clippy --locked --workspace --all-targets -- -D warnings
	sh scripts/check-rooms.sh
	$(TEST_VENV)/bin/ruff check .
	$(TEST_VENV)/bin/ruff format --check .
	$(TEST_VENV)/bin/mypy
	$(TEST_PY) -m mypy.stubtest _crucible._native --ignore-disjoint-bases --allowlist tests/stubtest-allow.txt --ignore-unused-allowlist
	PYTHONPATH=python $(TEST_VENV)/bin/lint-imports

format: ## Format everything
	cargo fmt
	$(TEST_VENV)/bin/ruff check --fix .
	$(TEST_VENV)/bin/ruff format .

check: test lint ## What CI runs

bench: $(TEST_VENV)/.wheel ## Benchmarks against the peers (benches/README.md)
	$(TEST_PY) -m benches

clean: ## Remove what was built
	rm -rf target dist build $(VENV) $(TEST_VENV) $(OLD_HUB_VENV)
