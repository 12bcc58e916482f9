"""How kernels are compiled: the only module that knows.

`kernel` compiles stage functions, which are inlined into their caller; `entry` compiles what Python calls. Two options
carry the speed: `_nrt=False` leaves out reference counts (and makes a kernel that allocates fail to compile, a rule we
want), `forceinline` merges the stages into one loop. The sources do not change with either. All of the loop is
optimised once, see merging.py.

Numba's disk cache of a caller does not notice an edit in a callee in another file, so the cache folder is named by a
hash of every source that is compiled, of the options and of the versions. It must be set before numba is imported.
"""

import hashlib
import os
import platform
import shutil
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])

ROOT: Final = Path(__file__).resolve().parents[2]
COMPILED: Final = (
    "polytraders/contracts",
    "polytraders/kernel",
    "polytraders/strategies",
    "polytraders/venues/paper",
    "polytraders/controlling.py",
    "polytraders/deciding.py",
    "polytraders/emit.py",
    "polytraders/loop.py",
    "polytraders/receiving.py",
    "polytraders/trading.py",
    "apps/*/core",
)
OPTIONS: Final[dict[str, Any]] = {"_nrt": False, "error_model": "numpy"}


def sources() -> list[Path]:
    """Every source file whose text decides what is compiled, in a fixed order."""
    found: set[Path] = set()
    for pattern in COMPILED:
        for path in ROOT.glob(pattern):
            found.update(path.rglob("*.py") if path.is_dir() else [path])
    return sorted(found)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def build_hash() -> bytes:
    """SHA-256 of the build: sources, compile options, interpreter, numba and numpy versions."""
    digest = hashlib.sha256()
    for path in sources():
        digest.update(str(path.relative_to(ROOT)).encode())
        digest.update(path.read_bytes())
    marks = (OPTIONS, sys.version, _version("numba"), _version("llvmlite"), _version("numpy"))
    digest.update(repr(marks).encode())
    return digest.digest()


def _cpu() -> str:
    # Machine code depends on the processor; the results do not.
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor()
    return next((line for line in text.splitlines() if line.startswith("model name")), platform.machine())


def _place_cache() -> None:
    if "NUMBA_CACHE_DIR" in os.environ or "numba" in sys.modules:
        return
    base = Path(os.environ.get("POLYTRADERS_CACHE", ROOT / ".cache")) / "numba"
    key = hashlib.sha256(build_hash() + _cpu().encode()).hexdigest()[:16]
    os.environ["NUMBA_CACHE_DIR"] = str(base / key)
    _prune(base, keep=key)


def _prune(base: Path, keep: str, most: int = 6) -> None:
    """Forget the oldest builds' machine code; each is a few megabytes."""
    if not base.is_dir():
        return
    old = sorted((path for path in base.iterdir() if path.name != keep), key=lambda path: path.stat().st_mtime)
    for path in old[: max(0, len(old) - most)]:
        shutil.rmtree(path, ignore_errors=True)


_place_cache()

from numba import config, njit  # noqa: E402  the cache folder must be known first

from polytraders.kernel import merging  # noqa: E402

JIT_OFF: Final = bool(config.DISABLE_JIT)  # type: ignore[attr-defined]
"""True when the same sources run as plain Python: the slow, exact oracle of the compiled loop."""


def _kernel(function: F, forceinline: bool) -> F:
    # Said both ways: numba hands an option that is not said down from a caller to what it calls.
    options = OPTIONS | {"forceinline": forceinline}
    return function if JIT_OFF else cast(F, merging.Kernel(function, options))


def entry(function: F) -> F:
    """Compile a function that Python calls."""
    return function if JIT_OFF else cast(F, merging.whole(function, OPTIONS))


def kernel(function: F) -> F:
    """Compile a function that other kernels call; it is always inlined."""
    return _kernel(function, True)


def cold(function: F) -> F:
    """Compile a function that kernels call rarely: left to itself, so that the hot path stays short."""
    return _kernel(function, False)


def merged(function: F) -> F:
    """Merge a function into its caller before either is compiled, for what a compiled function cannot return."""
    return cast(F, njit(inline="always", **OPTIONS)(function))


def is_warm() -> bool:
    """Whether machine code of this build is on disk, so that the first call takes about a second and not twenty."""
    folder = Path(os.environ["NUMBA_CACHE_DIR"])
    return folder.is_dir() and any(folder.rglob("*.nbc"))
