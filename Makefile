# Every target sets up what it needs: a virtual environment with pinned dependencies in .venv. The ledger needs the core
# alone, so that the first table of verdicts does not wait for the tools of development.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
CORE   := $(VENV)/.core
READY  := $(VENV)/.ready
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: verify test slow lint bench notebooks docs extras clean

verify: $(CORE) ## the quick ledger; table of verdicts, report in ./report (a small site that opens from disk)
	$(BIN)/lemmata verify --out report

test: $(READY)
	$(BIN)/python -m pytest

slow: $(READY)
	$(BIN)/python -m pytest -m slow

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

notebooks: $(READY)
	$(BIN)/python -m pytest --nbmake --nbmake-timeout=300 notebooks

bench: $(READY) ## CAC against C, NumPy and JAX; samplers; exact moments; exact quantities at size against SciPy and QuantEcon
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.cac_all
	$(BIN)/python -m benchmarks.samplers
	$(BIN)/python -m benchmarks.moments
	$(BIN)/python -m benchmarks.exact_dense
	$(BIN)/python -m benchmarks.exact_large --agents 2
	$(BIN)/python -m benchmarks.neural_c
	$(BIN)/python -m benchmarks.neural_torch || test $$? -eq 2   # optional: needs PyTorch

docs: $(READY) ## the site in build/site; warnings are errors, and nothing is fetched when it is built or read
	$(INSTALL) -e ".[docs]"
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
	$(BIN)/python -m pytest -q tests/test_docs.py tests/test_docs_coverage.py -k "not every_block"

extras: $(READY) ## the two large experiments on their real libraries: installs them (torch and friends) and runs their tests
	$(INSTALL) -e ".[pursuit,rlhf]"
	$(BIN)/python -m pytest tests/test_algorithms_pursuit.py tests/test_verify_pursuit.py \
	  tests/test_algorithms_rlhf.py tests/test_algorithms_rlhf_materials.py tests/test_verify_rlhf.py

$(CORE): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) -e .
	touch $@

$(READY): $(CORE)
	$(INSTALL) -e ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) report build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
