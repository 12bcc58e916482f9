"""The simulated exchange as a process of a test: markets, faults on demand, and its own truth."""

import asyncio
import json
import random
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from apps.eventlog import inbox
from polytraders.supervisor.spawn import spawn
from polytraders.venues.asking import Asker, open_client
from polytraders.venues.polymarket import catalogue
from polytraders.venues.polymarket.listing import Listing
from tests.supervisor.processes import until

ROOT = Path(__file__).resolve().parents[2]
READY_S_MAX = 30.0
ANSWER_S_MAX = 10.0


class Exchange:
    """One run of the simulator on loopback; ends with its parent."""

    def __init__(self, folder: Path, *, seed: int, speed: int, rate: float = 1.0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.speed = speed
        self._told: set[bytes] = set()
        self._said = folder / "simulator.said"
        ready = folder / "simulator.ready"
        ready.unlink(missing_ok=True)
        command = [
            sys.executable, "-m", "polytraders.venues.simulator.serve", "--seed", str(seed), "--speed", str(speed),
            "--rate", str(rate), "--ready-file", str(ready),
        ]  # fmt: skip
        with self._said.open("wb") as said:
            self.process = spawn(command, death=signal.SIGKILL, folder=ROOT, output=said)

        def is_up() -> bool:
            assert self.process.poll() is None, self._said.read_text()
            return ready.exists()

        until(is_up, "the exchange is up", READY_S_MAX)
        self.addresses: dict[str, Any] = json.loads(ready.read_text())

    @property
    def url(self) -> str:
        return str(self.addresses["http"])

    def ask(self, path: str, body: object | None = None) -> Any:
        """A page of the admin port."""
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(self.addresses["admin"] + path, data, timeout=ANSWER_S_MAX) as answer:
            return json.load(answer)

    def inject(self, *faults: dict[str, Any]) -> None:
        """Faults that begin now."""
        assert self.ask("/faults", {"faults": list(faults)})["added"] == len(faults)

    def listings(self) -> list[Listing]:
        """What the catalogue tells now."""

        async def read() -> list[Listing]:
            async with open_client() as client:
                asker = Asker(client, chance=random.Random(0))
                found = await catalogue.markets(asker, self.url, self.url)
                return [one for one in found if isinstance(one, Listing)]

        return asyncio.run(read())

    def tell_markets(self, dsn: str, *, again: bool = False) -> int:
        """Put the listings into the inbox, as the registry's task does: what is new, or `again` all of them."""
        told = 0
        with psycopg.connect(dsn, autocommit=True) as conn:
            for listing in self.listings():
                plain = msgspec.to_builtins(listing)
                text = msgspec.json.encode(plain)
                if again or text not in self._told:
                    told += inbox.put(conn, "market", "registry", "registry", f"market:{hash(text)}", plain, 300.0)
                self._told.add(text)
        return told

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(5)
