"""Processes of a test: found by a mark in their environment, waited for with a deadline."""

import time
from collections.abc import Callable
from pathlib import Path


def until(
    holds: Callable[[], object], what: str, within_s: float = 20.0, shown: Callable[[], object] = lambda: ""
) -> None:
    """Wait for a condition; an AssertionError names it, and what is shown, when it does not come true in time.

    Looking takes a quarter of the time at most: what is waited for needs the processor too.
    """
    deadline = time.monotonic() + within_s
    began = time.monotonic()
    while not holds():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what} {shown()}"
        time.sleep(max(0.02, 3 * (time.monotonic() - began)))
        began = time.monotonic()


def marked(mark: str, folder: Path | None = None) -> dict[int, str]:
    """Living processes whose environment holds `mark` or which work below `folder`: number and command line.

    Servers overwrite their environment with a title, so they are known by the folder they work in.
    """
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            works_there = folder is not None and (entry / "cwd").readlink().is_relative_to(folder)
            if works_there or mark.encode() in (entry / "environ").read_bytes():
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                if state != "Z":
                    found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
    return found
