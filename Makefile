.PHONY: demo test check fix cover slow test-oracle test-celestia bench dev lock clean
PYTHON ?= python3
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK = 1
# Numba would otherwise write its compiled code into the source tree.
export NUMBA_CACHE_DIR ?= $(CURDIR)/.venv/cache/numba

demo: .venv/ready
	$(BIN)/rootline demo

test: .venv/ready
	$(BIN)/pytest

check: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: .venv/ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

cover: .venv/ready
	$(BIN)/pytest --cov --cov-report=term-missing

slow: .venv/ready
	$(BIN)/pytest -m slow

test-oracle: .venv/ready
	$(BIN)/pytest -m oracle

# A real chain and a real node, built with Go (6 minutes the first time); where that cannot be, the
# reason is said and the tests are skipped.
test-celestia: .venv/ready
	$(BIN)/python -m tests.devnet.building
	$(BIN)/pytest -m devnet

bench: .venv/ready .venv/peers/ready
	$(BIN)/python -m benchmarks.poseidon
	$(BIN)/python -m benchmarks.commit
	$(BIN)/python -m benchmarks.proofs
	$(BIN)/python -m benchmarks.celestia
	$(BIN)/python -m benchmarks.ledger
	$(BIN)/python -m benchmarks.posting
	$(BIN)/python -m benchmarks.scanning

# What the benchmarks compare with, in an environment of its own.
.venv/peers/ready: .venv/ready
	$(PYTHON) -m venv .venv/peers
	.venv/peers/bin/pip install --quiet model-signing==1.1.1 pyopenssl==26.4.0 garaga==1.1.0 \
	  light-poseidon-python==0.1.10
	touch $@

dev: .venv/ready
	$(BIN)/rootline dev

# The environment is made from the lock file alone, every file checked against its hash. Compiling
# all of it beforehand would take longer than compiling what is used when it is used.
.venv/ready: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 to 3.13 is needed" if not (3, 11) <= sys.version_info < (3, 14) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --no-compile --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

# For maintainers; needs uv.
lock:
	uv pip compile pyproject.toml --universal --generate-hashes --no-strip-extras \
	  --prerelease=if-necessary-or-explicit --all-extras --group dev --python-version 3.11 \
	  --no-emit-find-links --no-emit-index-url --custom-compile-command "make lock" \
	  -o requirements.lock

clean:
	rm -rf .venv
