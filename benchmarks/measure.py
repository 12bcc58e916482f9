"""What every benchmark script shares: CPU time, a control, peak memory, the JSON line; standard library only."""

import gc
import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "bench"

SPIN_STEPS = 4_000_000
COMMIT_BYTES = 242
"""Size of one row of the log as other systems were measured with."""


def spin() -> float:
    """CPU seconds of a fixed loop of plain arithmetic: how fast this machine is right now."""
    began = time.process_time()
    x = 0
    for i in range(SPIN_STEPS):
        x += i & 3
    return time.process_time() - began


def cpu(work: Callable[[], Any]) -> tuple[float, Any]:
    """Process CPU seconds of one call, garbage collected before, and what it returned."""
    gc.collect()
    began = time.process_time()
    result = work()
    return time.process_time() - began, result


def durable_commit_us(commits: int = 300) -> tuple[float, float]:
    """Median and 99th percentile of the wall time of an empty durable commit: append 242 bytes, fdatasync."""
    CACHE.mkdir(parents=True, exist_ok=True)
    path = CACHE / "commit.bin"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
    took = []
    try:
        for _ in range(commits):
            began = time.perf_counter()
            os.write(handle, bytes(COMMIT_BYTES))
            os.fdatasync(handle)
            took.append((time.perf_counter() - began) * 1e6)
    finally:
        os.close(handle)
        path.unlink()
    cuts = statistics.quantiles(took, n=100)
    return cuts[49], cuts[98]


def per_call_us(work: Callable[[], object], calls: int, rounds: int = 5) -> float:
    """Median over `rounds` of the CPU microseconds of one call, `calls` of them timed together."""
    found = []
    for _ in range(rounds):
        began = time.process_time()
        for _ in range(calls):
            work()
        found.append((time.process_time() - began) / calls * 1e6)
    return statistics.median(found)


def peak_rss_mb() -> float:
    """Most memory this process has ever held, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def report(system: str, task: str, events: int, cpu_seconds: float, **more: Any) -> dict[str, Any]:
    """Print the one JSON line of a measurement and return it.

    Args:
        system: Who was measured.
        task: What it did.
        events: Level updates and trades it went through.
        cpu_seconds: Process CPU time of the run alone.
        more: Anything else worth keeping.
    """
    line = {
        "system": system,
        "task": task,
        "events": events,
        "cpu_seconds": round(cpu_seconds, 6),
        "ns_per_event": round(cpu_seconds / events * 1e9, 1),
        "peak_rss_mb": round(peak_rss_mb(), 1),
        **more,
    }
    json.dump(line, sys.stdout)
    print(flush=True)
    return line
