"""`python -m polytraders.venues.simulator.serve`: the simulated exchange as a process of its own, on loopback only."""

import argparse
import asyncio
import ipaddress
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from polytraders.contracts.inputs import NANO
from polytraders.venues.simulator import past
from polytraders.venues.simulator.admin import Admin
from polytraders.venues.simulator.faces import Clock, Faces
from polytraders.venues.simulator.faults import Faults
from polytraders.venues.simulator.floor import MS
from polytraders.venues.simulator.world import Plan, World

SPEED_MAX: Final = 100.0
KEEP_S: Final = 1.0
MARGIN_S: Final = 3.0
"""Wall seconds, at the speed of the run, by which the next run is later than what was kept last: a customer may have
seen the exchange's time up to `KEEP_S` after that."""
DEFAULTS: Final = Plan(seed=0, start_ms=0)


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(prog="python -m polytraders.venues.simulator.serve", description=__doc__)
    made.add_argument("--host", default="127.0.0.1", help="a loopback address; no other is taken")
    made.add_argument("--port", type=int, default=0, help="0: one that is free")
    made.add_argument("--admin-port", type=int, default=0, help="0: one that is free")
    made.add_argument("--seed", type=int, default=1, help="the same seed and start make the same market data")
    made.add_argument("--start-ms", type=int, help="where exchange time begins, unix ms; default: the whole second now")
    made.add_argument("--speed", type=float, default=1.0, help="exchange seconds in one second, 1 to 100")
    made.add_argument("--rate", type=float, default=DEFAULTS.rate, help="factor on the number of messages")
    made.add_argument("--maker-lag-ms", type=int, default=DEFAULTS.maker_lag_ms, help="0 leaves nothing to win")
    made.add_argument("--history-s", type=int, default=DEFAULTS.history_s, help="how far back books can be asked for")
    made.add_argument("--faults", type=Path, help="a fault script, JSON")
    made.add_argument("--ready-file", type=Path, help="also write the ready line here")
    made.add_argument("--state-file", type=Path, help="kept each second; a later run goes on behind it")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM, SIGINT or the admin port says stop; 2 when an option makes no sense."""
    options = parser().parse_args(arguments)
    try:
        if not ipaddress.ip_address(options.host).is_loopback:
            raise ValueError(f"{options.host} is not a loopback address")
        if not 1 <= options.speed <= SPEED_MAX:
            raise ValueError(f"the speed is 1 to {SPEED_MAX:.0f}")
        start_ms = options.start_ms if options.start_ms is not None else int(time.time()) * 1_000
        before = past.read(options.state_file) if options.state_file else None
        if before is not None:
            start_ms = max(start_ms, before.resume_ns // MS)
        plan = Plan(
            seed=options.seed,
            start_ms=start_ms,
            rate=options.rate,
            maker_lag_ms=options.maker_lag_ms,
            history_s=options.history_s,
        )
        script = json.loads(options.faults.read_text(encoding="utf-8")) if options.faults else None
        faults = Faults(script, start_ms * MS)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"simulator: {error}\n")
        return 2
    return asyncio.run(_serve(World(plan, faults, before), options))


async def _serve(world: World, options: argparse.Namespace) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    faces = Faces(world, Clock(world.start_ns, options.speed))
    try:
        public = await faces.open(options.host, options.port)
        private = await Admin(faces, stop.set).open(options.host, options.admin_port)
    except OSError as error:
        sys.stderr.write(f"simulator: {error}\n")
        return 1
    keep = partial(_keep, world, options)
    keep()
    beat = asyncio.create_task(_beat(faces, keep))
    _ready(_addresses(faces, options, _port(public), _port(private)), options.ready_file)
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({beat, stopped}, return_when=asyncio.FIRST_COMPLETED)
    for task in (beat, stopped):
        task.cancel()
    # Abrupt, as a venue is: no closing handshakes to wait for.
    for stream in ("market", "binance"):
        faces.listeners.cut(stream)
    public.close()
    private.close()
    keep()
    failed = beat.done() and not beat.cancelled() and beat.exception()
    if failed:
        sys.stderr.write(f"simulator: {failed!r}\n")
    return 1 if failed else 0


async def _beat(faces: Faces, keep: Callable[[], None]) -> None:
    """The exchange's life, and what is kept of it; the first of both that fails ends both."""
    async with asyncio.TaskGroup() as group:
        group.create_task(faces.run())
        while True:
            await asyncio.sleep(KEEP_S)
            keep()


def _keep(world: World, options: argparse.Namespace) -> None:
    if options.state_file is not None:
        past.write(options.state_file, world.past(int(MARGIN_S * options.speed * NANO)))


def _port(server: Any) -> int:
    port: int = server.sockets[0].getsockname()[1]
    return port


def _addresses(faces: Faces, options: argparse.Namespace, port: int, admin_port: int) -> dict[str, Any]:
    host = f"[{options.host}]" if ":" in options.host else options.host
    return {
        "http": f"http://{host}:{port}",
        "market": f"ws://{host}:{port}/ws/market",
        "binance": f"ws://{host}:{port}",
        "admin": f"http://{host}:{admin_port}",
        "seed": options.seed,
        "start_ms": faces.world.plan.start_ms,
        "speed": options.speed,
        "pid": os.getpid(),
    }


def _ready(addresses: dict[str, Any], file: Path | None) -> None:
    """One line, whole or not there at all."""
    line = json.dumps(addresses)
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
    if file is not None:
        part = file.with_name(file.name + ".part")
        part.write_text(line + "\n", encoding="utf-8")
        part.replace(file)


if __name__ == "__main__":
    sys.exit(main())
