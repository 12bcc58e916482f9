"""`manage.py loop` as a process of a test: started, killed, stopped, and asked what it said."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import psycopg

from apps.eventlog import inbox
from polytraders.supervisor.spawn import spawn
from tests.faults.exchange import ROOT, Exchange
from tests.sessions import strategies
from tests.supervisor.processes import until

READY_S_MAX = 10.0
"""What a restart may take, from the start of the process on, without the time in which others had the processor."""
WAIT_S_MAX = 60.0
"""What it may take all the same: beyond this a machine is no place to test on."""
SHARD = 0


class LoopProcess:
    """One loop process of shard 0; it ends with its parent."""

    def __init__(
        self, dsn: str, home: Path, exchange: Exchange, *, crash_at: str = "", checkpoint_inputs: int = 1_000_000
    ) -> None:
        """Start it. It reads nothing of the environment's but what is needed to run Python."""
        self.dsn = dsn
        home.mkdir(parents=True, exist_ok=True)
        folder = home / "strategies"
        folder.mkdir(exist_ok=True)
        number = uuid.uuid4().hex[:8]
        self._said = home / f"loop-{number}.said"
        self._ready = home / f"loop-{number}.ready"
        environ = {
            **{name: os.environ[name] for name in ("PATH", "HOME", "LANG", "NUMBA_CACHE_DIR") if name in os.environ},
            "DATABASE_URL": dsn,
            "POLYTRADERS_HOME": str(home),
            "POLYTRADERS_SPEED": str(exchange.speed),
            "POLYTRADERS_SIMULATOR_URL": exchange.url,
            "POLYTRADERS_STRATEGIES": ",".join(str(path) for path in strategies(folder)),
            "POLYTRADERS_CHECKPOINT_INPUTS": str(checkpoint_inputs),
            "POLYTRADERS_READY_FILE": str(self._ready),
            "PYTHONUNBUFFERED": "1",
        }
        if crash_at:
            environ["POLYTRADERS_CRASH_AT"] = crash_at
        self._began = time.monotonic()
        with self._said.open("wb") as said:
            self.process = spawn(
                [sys.executable, "manage.py", "loop", "--shard", str(SHARD)],
                death=signal.SIGKILL, environ=environ, folder=ROOT, output=said,
            )  # fmt: skip

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def is_ready(self) -> bool:
        return self._ready.exists()

    @property
    def code(self) -> int | None:
        """Exit code; None = it runs."""
        return self.process.poll()

    def said(self) -> str:
        return self._said.read_text(errors="replace")

    def wait_ready(self, *, or_dead: bool = False) -> float:
        """Seconds from the start to being ready, READY_S_MAX at most."""

        def holds() -> bool:
            if self.code is not None and not self.is_ready:
                assert or_dead, f"the loop ended with {self.code}: {self.said()}"
                return True
            return self.is_ready

        until(holds, "the loop is ready", WAIT_S_MAX, self.said)
        passed_s = time.monotonic() - self._began
        own_s = passed_s - self._queued_s()
        assert own_s <= READY_S_MAX, f"ready after {own_s:.1f} s ({passed_s:.1f} s on the wall): {self.said()}"
        return own_s

    def _queued_s(self) -> float:
        """How long its main thread could have run and others did."""
        try:
            return int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[1]) / 1e9
        except (OSError, IndexError):
            return 0.0

    def wait_end(self, within_s: float) -> int:
        """The exit code, negative for a signal."""
        until(lambda: self.code is not None, "the loop has ended", within_s, lambda: self.said()[-2_000:])
        assert self.code is not None
        return self.code

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def stop(self) -> int:
        """Ask it to end in order."""
        if self.code is None:
            self.send(signal.SIGTERM)
        return self.wait_end(20.0)

    def end(self) -> None:
        """Whatever state it is in, it is gone afterwards."""
        if self.code is None:
            self.process.kill()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired as error:
                raise AssertionError("a process survived SIGKILL") from error


def command(dsn: str, kind: str, permission: str, payload: dict[str, Any]) -> str:
    """Put a command into the inbox; the key by which its COMMAND input is found."""
    key = uuid.uuid4().hex
    with psycopg.connect(dsn, autocommit=True) as conn:
        assert inbox.put(conn, kind, "tester", permission, key, payload, 300.0)
    return key


def answer_to(dsn: str, key: str) -> dict[str, Any] | None:
    """What a command came to, None = it is not in the log yet; `in_seq` is its input."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        found = conn.execute("SELECT in_seq, payload FROM log_control WHERE key = %s", (key,)).fetchone()
    return None if found is None else {**json.loads(bytes(found[1])), "in_seq": found[0]}
