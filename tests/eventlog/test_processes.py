"""The log in processes of its own: light to load, and a stopped writer that wakes up too late."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from apps.eventlog.store import Writer
from apps.eventlog.verify import verify
from tests.eventlog import made

ROOT = Path(__file__).resolve().parents[2]
STALLED = """
import sys
from pathlib import Path
from apps.eventlog.faults import LogFault
from apps.eventlog.store import Writer
from tests.eventlog import made
writer = Writer.open(sys.argv[1], 0, Path(sys.argv[2]))
writer.append(made.block(1, 100))
print("ready", flush=True)
sys.stdin.readline()
try:
    writer.append(made.block(101, 70, seed=2))
except LogFault as error:
    print(error.code, flush=True)
else:
    print("appended", flush=True)
"""


def test_the_log_needs_neither_django_nor_compiled_code() -> None:
    modules = "store reading segments packed inbox checkpoints verify retention"
    program = (
        "import importlib, sys\n"
        f"for name in '{modules}'.split(): importlib.import_module('apps.eventlog.' + name)\n"
        "print(sorted({'django', 'numba', 'llvmlite', 'polytraders.loop', 'polytraders.kernel'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("connection", ["lost", "alive"])
def test_a_writer_that_was_stopped_and_wakes_up_after_another_took_over_cannot_append(
    app_dsn: str, home: Path, connection: str
) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", STALLED, app_dsn, str(home)],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert child.stdin is not None and child.stdout is not None
    try:
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGSTOP)
        with psycopg.connect(app_dsn, autocommit=True) as other:
            if connection == "lost":
                ask = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = %s"
                assert other.execute(ask, ("polytraders-loop-0",)).fetchall() == [(True,)]
                with Writer.open(app_dsn, 0, home) as writer:
                    writer.append(made.block(101, 50, seed=1))
            else:
                other.execute("UPDATE log_head SET fence = fence + 1")
        child.send_signal(signal.SIGCONT)
        child.stdin.write("go\n")
        child.stdin.flush()
        assert child.stdout.readline() == "GOV_FENCE_LOST\n"
        assert child.wait(30) == 0
    finally:
        child.kill()
        child.wait()
        child.stdin.close()
        child.stdout.close()
    with Writer.open(app_dsn, 0, home) as writer:
        assert writer.head.seq == (150 if connection == "lost" else 100)
    assert verify(app_dsn, home) is None
