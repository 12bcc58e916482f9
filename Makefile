# One definition of each command: README, .ci/run and people use these.
# The first call of any of them sets up `.venv`; later calls find it ready.

BIN := .venv/bin
READY := .venv/.ready
PEERS := .peers/.ready

# Where bytecode is not kept, each of the hundred processes of a run would compile its imports again.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: setup run test check static bench bench-peers format mutants faults soak

setup: $(READY)
	@:

$(READY): .ci/setup requirements-uv.lock requirements-dev.lock pyproject.toml
	@.ci/setup .venv requirements-dev.lock
	@$(BIN)/pip install -q --no-deps --no-build-isolation --editable .
	@touch $@
	@echo "set up; now: make run, or make test"

$(PEERS): .ci/setup requirements-uv.lock benchmarks/peers/requirements-peers.lock
	@.ci/setup .peers benchmarks/peers/requirements-peers.lock
	@touch $@

run: setup
	@$(BIN)/polytraders up

# The browser's event loop and the other tests' do not share a process, so each have one; all run whatever the others say.
# What only computes takes the processors that the browser's tests leave idle, and so does what is long to collect, which
# each worker would do. Of the rest, three workers have a file's tests together each: much of their time is spent waiting
# for processes to start and end.
COMPUTING := $(addprefix tests/,api/test_schemathesis.py architecture contracts fairvalue ingest kernel packets \
	test_mutants.py venues/polymarket)
define tests
mkdir -p .cache; nice -n 19 $(BIN)/pytest --timeout 600 $(COMPUTING) > .cache/computing.log 2>&1 & computing=$$!; \
trap "kill $$computing; exit 130" INT TERM; status=0; \
$(BIN)/pytest -c tests/e2e/pytest.ini tests/e2e || status=$$?; \
$(BIN)/pytest -n 3 --dist loadfile $(COMPUTING:%=--ignore=%) || status=$$?; \
wait $$computing || status=$$?; cat .cache/computing.log; exit $$status
endef

test: setup
	@$(tests)

# Style, types and import contracts keep one processor busy for a minute, which the browser's tests leave to them.
check: setup
	@mkdir -p .cache; nice -n 19 $(MAKE) -s static > .cache/static.log 2>&1 & static=$$!; \
	checked=0; ( $(tests) ) || checked=1; \
	wait $$static || checked=1; cat .cache/static.log; exit $$checked

static: setup
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python manage.py check

format: setup
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

bench: setup
	@$(BIN)/python -m benchmarks.run

bench-peers: setup $(PEERS)
	@$(BIN)/python -m benchmarks.peers.run

# Every crash point and the database server killed, five seeds each, then every fault of the exchange. About ten
# minutes; stopped with Ctrl-C it goes on from there the next time. FAULTS="--again" begins anew.
faults: setup
	@$(BIN)/python -m tests.faults.campaign $(FAULTS)
	@FAULTS_SLOW=1 $(BIN)/pytest tests/faults/test_feed.py -s

# Half an hour at ten times the usual rate. SOAK="--minutes 2 --step-s 5" for a short one.
soak: setup
	@$(BIN)/python -m tests.faults.soak $(SOAK)

mutants: setup
	@$(BIN)/python -m tests.mutants
