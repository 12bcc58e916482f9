"""`make mutants`: break one line at a time in a copy of the tree and see which test notices.

Ends with 1 when a mutant survives, that is, when no test does.
"""

import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.mutations import Mutant, applied, every

ROOT = Path(__file__).resolve().parents[1]
WORKERS = 2
TIMEOUT_S = 120


class Outcome(NamedTuple):
    """What became of a mutant; `killer` is "" when it survived."""

    mutant: Mutant
    killer: str
    seconds: float


def copied(folder: Path) -> Path:
    """A copy of everything that the tests import."""
    for name in ("polytraders", "apps", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def ran(tree: Path, tests: tuple[str, ...]) -> str:
    """The first test that fails in a tree, "" when all pass."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider", *tests]
    # Not compiled: a second each instead of a minute, and the same sources.
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(tree)}
    try:
        done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return "no end within two minutes"
    if done.returncode == 0:
        return ""
    found = re.search(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
    if done.returncode != 1 or found is None:
        raise RuntimeError(f"the tests could not be run:\n{done.stdout}{done.stderr}")
    return found.group(1)


@contextmanager
def changed(tree: Path, mutant: Mutant) -> Iterator[None]:
    """The tree with one line broken, for a while."""
    path = tree / mutant.file
    text = path.read_text(encoding="utf-8")
    path.write_text(applied(mutant, text), encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(text, encoding="utf-8")


def tried(trees: "queue.Queue[Path]", mutant: Mutant) -> Outcome:
    """One mutant's fate."""
    began = time.monotonic()
    tree = trees.get()
    try:
        with changed(tree, mutant):
            killer = ran(tree, mutant.tests)
    finally:
        trees.put(tree)
    return Outcome(mutant, killer, time.monotonic() - began)


def main() -> int:
    """Try them all; 0 when every one was noticed."""
    mutants = every(ROOT)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        trees: queue.Queue[Path] = queue.Queue()
        for number in range(WORKERS):
            trees.put(copied(Path(folder) / str(number)))
        whole = copied(Path(folder) / "whole")
        print(f"{len(mutants)} mutants; first the tests with nothing broken ...", flush=True)
        if failing := ran(whole, tuple(sorted({test for mutant in mutants for test in mutant.tests}))):
            print(f"fails without a mutant: {failing}")
            return 1
        survivors = []
        with ThreadPoolExecutor(WORKERS) as pool:
            for done, outcome in enumerate(pool.map(lambda mutant: tried(trees, mutant), mutants), 1):
                verdict = f"killed by {outcome.killer}" if outcome.killer else "SURVIVED"
                print(f"{done:>3}/{len(mutants)} {outcome.mutant.name:<44} {verdict}", flush=True)
                survivors += [outcome.mutant] if not outcome.killer else []
    print(f"\n{len(mutants) - len(survivors)} of {len(mutants)} killed in {time.monotonic() - began:.0f} s")
    for mutant in survivors:
        print(f"SURVIVED: {mutant.name} ({mutant.file}: {mutant.old.strip()!r})")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
