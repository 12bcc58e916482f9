"""The kill endpoint as a process of a test."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

from polytraders import fence
from polytraders.killing import tokens
from polytraders.supervisor.postgres import free_port
from tests.supervisor.processes import until

ROOT = Path(__file__).resolve().parents[2]
KEY = "kill-key-of-a-test-that-is-long-enough-to-be-one"
ORIGIN = "http://127.0.0.1:18000"


class Endpoint:
    """`python -m polytraders.killing.serve` over a folder; a context manager."""

    def __init__(self, home: Path, dsn: str = "") -> None:
        self.home, self.dsn, self.port = home, dsn, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        if not (home / fence.FILE).exists():
            fence.create(home / fence.FILE)

    def __enter__(self) -> "Endpoint":
        began = time.monotonic()
        environ = {
            "PATH": os.environ["PATH"], "POLYTRADERS_HOME": str(self.home), "POLYTRADERS_KILL_KEY": KEY,
            "PORT": "18000", **({"DATABASE_URL": self.dsn} if self.dsn else {}),
        }  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, "-m", "polytraders.killing.serve", "--port", str(self.port)], cwd=ROOT, env=environ,
            stderr=subprocess.PIPE,
        )  # fmt: skip
        until(self._answers, "the endpoint answers", 20)
        self.ready_s = time.monotonic() - began
        return self

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz").status_code == 200
        except httpx.TransportError:
            return False

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()

    def ask(self, told: dict[str, Any], *, origin: str | None = ORIGIN, path: str = "/kill") -> httpx.Response:
        headers = {"Content-Type": "text/plain"} | ({"Origin": origin} if origin else {})
        return httpx.post(f"{self.url}{path}", content=json.dumps(told), headers=headers, timeout=20)

    def token(self, actor: str = "ada") -> str:
        return tokens.make(KEY, actor, "session", time.time())

    def kill(self, scope: str = "global", name: str = "") -> dict[str, Any]:
        answer = self.ask({"token": self.token(), "scope": scope, "name": name})
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told
