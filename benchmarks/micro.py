"""The small numbers behind the ratios: one live call, start-up, memory, hashing, decoding.

python -m benchmarks.micro
"""

import hashlib
import itertools
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import msgspec
import numpy as np

from apps.eventlog.core.chain import InputChain
from benchmarks import dataset, portfolio, rounds
from benchmarks.measure import ROOT, cpu, per_call_us
from benchmarks.ours import Runner
from polytraders import loop
from polytraders.contracts.inputs import GROUP
from polytraders.venues.polymarket.wire import Decoder
from polytraders.venues.simulator import capture

FIRST_DECISION = (
    "from benchmarks import dataset, portfolio; from benchmarks.ours import Runner;"
    "Runner(1, 3).take(dataset.rows(dataset.load('one', 500), setup=portfolio.setup(1, 3)))"
)


def live_call(calls: int = 4_000, times: int = 5) -> dict[str, float]:
    """Microseconds of CPU for one event handed over from Python, the call included, after a warm stretch."""
    rows = dataset.rows(dataset.load("one", 60_000), setup=portfolio.setup(1, 3))
    runner = Runner(1, 3)
    at = len(rows) - calls * times - 1
    runner.take(rows[:at])
    # Where the bytes lie is looked up once per stretch of inputs, as the live loop does.
    inputs, run = rows.view(np.uint8), loop.run
    block, out, details = runner.block, runner.out_bytes, runner.detail_bytes
    place = itertools.count(at)

    def one() -> None:
        i = next(place)
        run(block, inputs, i, i + 1, out, details)

    return {"live_call_us": per_call_us(one, calls, times), "empty_python_call_us": per_call_us(lambda: None, 100_000)}


def start_up() -> dict[str, float]:
    """CPU seconds from `python` to the first decision, without and with machine code on disk."""
    found = {}
    with tempfile.TemporaryDirectory(dir=ROOT / ".cache") as folder:
        for name in ("cold_start_cpu_s", "warm_start_cpu_s"):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            environment = {key: value for key, value in os.environ.items() if key != "NUMBA_CACHE_DIR"}
            environment |= {"POLYTRADERS_CACHE": folder, "PYTHONPATH": str(ROOT)}
            subprocess.run([sys.executable, "-c", FIRST_DECISION], cwd=ROOT, env=environment, check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            found[name] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return found


def memory() -> dict[str, float]:
    """Peak MiB over 2 and 20 million inputs made on the fly."""
    few, many = (
        rounds.run([sys.executable, "-m", "benchmarks.memory", "--inputs", str(count)])["peak_rss_mb"]
        for count in (2_000_000, 20_000_000)
    )
    return {"peak_mb_2m": few, "peak_mb_20m": many, "peak_ratio": many / few}


def hashing() -> dict[str, float]:
    """Nanoseconds of the chains per row, and what a hash per row would have cost; the state's digest in ms."""
    rows = dataset.rows(dataset.load("one", 60_000), setup=portfolio.setup(1, 3))
    seconds, _ = cpu(lambda: InputChain().update(rows))
    singly = memoryview(rows[: 16 * GROUP].tobytes())
    each, _ = cpu(lambda: [hashlib.sha256(singly[i : i + 80]).digest() for i in range(0, len(singly), 80)])
    runner, plain = Runner(1, 3), Runner(1, 3, chained=False)
    chained, _ = cpu(lambda: runner.take(rows))
    unchained, _ = cpu(lambda: plain.take(rows))
    digest, _ = cpu(lambda: hashlib.sha256(runner.block.data).digest())
    return {
        "input_chain_ns_per_row": seconds / len(rows) * 1e9,
        "sha256_of_each_row_ns": each / (16 * GROUP) * 1e9,
        "output_chain_ns_per_event": (chained - unchained) / len(rows) * 1e9,
        "output_chain_us_per_link": (chained - unchained) / max(runner.chain.links, 1) * 1e6,
        "state_digest_ms": digest * 1e3,
        "state_mb": runner.block.nbytes / 2**20,
    }


def _all(decode: Callable[[bytes], Any], frames: Iterable[bytes]) -> None:
    for frame in frames:
        decode(frame)


def decoding(count: int = 12_000) -> dict[str, float]:
    """Microseconds a frame: our decoder to input rows, beside parsers that make dicts and do nothing with them."""
    frames = list(capture.frames(seed=7, count=count))
    decoder = Decoder()
    contenders: dict[str, Callable[[bytes], Any]] = {
        "decode_to_rows_us": decoder.decode,
        "msgspec_to_dicts_us": msgspec.json.Decoder().decode,
        "json_to_dicts_us": json.loads,
    }
    found = {"frame_bytes": sum(map(len, frames)) / count}
    for name, decode in contenders.items():
        seconds, _ = cpu(partial(_all, decode, frames))
        found[name] = seconds / count * 1e6
    return found


def measure() -> dict[str, float]:
    """All of it, printed line by line."""
    found: dict[str, float] = {}
    for part in (live_call, start_up, memory, hashing, decoding):
        told = part()
        for name, value in told.items():
            print(f"{name:32} {value:>12.3f}", flush=True)
        found |= told
    return {name: round(value, 4) for name, value in found.items()}


if __name__ == "__main__":
    measure()
