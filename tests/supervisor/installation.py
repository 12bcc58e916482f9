"""`polytraders up` as a process of a test."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from tests.supervisor.processes import marked, until

ROOT = Path(__file__).resolve().parents[2]
READY_S_MAX = 90.0


class Installation:
    """One run of the command and what it has said."""

    def __init__(
        self, home: Path, without: tuple[str, ...] = ("loop", "simulator", "compile"), options: tuple[str, ...] = ()
    ) -> None:
        self.home = home
        self.without = without
        self.options = options
        self.said_path = home.parent / f"{home.name}.said"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, **environ: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "polytraders.cli", "up", *self.options]
        for name in self.without:
            command += ["--without", name]
        with self.said_path.open("wb") as said:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env={**os.environ, "POLYTRADERS_HOME": str(self.home), **environ},
                stdout=said, stderr=subprocess.STDOUT,
            )  # fmt: skip
        return self.process

    def said(self) -> str:
        return self.said_path.read_text(errors="replace")

    def wait_ready(self) -> None:
        def ready() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, self.said()
            return "ready: http://" in self.said() and (self.home / "run.json").exists()

        until(ready, "everything is ready", READY_S_MAX)

    def told(self) -> dict[str, str]:
        found: dict[str, str] = json.loads((self.home / "run.json").read_text())["environ"]
        return found

    @property
    def web(self) -> str:
        return str(json.loads((self.home / "run.json").read_text())["web"])

    def processes(self, name: str = "") -> dict[int, str]:
        found = marked(f"POLYTRADERS_HOME={self.home}", self.home)
        if self.process is not None:
            found.pop(self.process.pid, None)
        return {number: line for number, line in found.items() if name in line}

    def link(self) -> str:
        found = re.search(r"http://\S+/setup/\S+", self.said())
        assert found, self.said()
        return found.group()

    def stop(self) -> None:
        """End it, and whatever it should have ended."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(15)
        for process in self.processes():
            os.kill(process, signal.SIGKILL)
