"""Processes of a test: found by a mark in their environment, waited for with a deadline."""

import time
from collections.abc import Callable
from pathlib import Path


def until(holds: Callable[[], object], what: str, within_s: float = 20.0) -> None:
    """Wait for a condition; an AssertionError names it when it does not come true in time."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(0.02)


def marked(mark: str) -> dict[int, str]:
    """Living processes whose environment holds `mark`: number and command line."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (entry / "environ").read_bytes():
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                if state != "Z":
                    found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
    return found
