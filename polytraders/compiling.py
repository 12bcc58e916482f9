"""Compiles the loop ahead of its first use: `python -m polytraders.compiling`. Quick where it is compiled already."""

import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from polytraders.contracts import state as s
from polytraders.contracts.inputs import INPUT
from polytraders.kernel.jit import JIT_OFF, is_warm

TELL_EVERY_S = 5.0
WHOLE = "whole"
"""A file beside the machine code: all of it has been compiled, so there is no need to load it to find out."""


def compile_loop() -> None:
    """Run the loop over no input, which compiles all of it or loads it from the cache."""
    from polytraders import loop  # noqa: PLC0415 - quick where there is nothing to compile
    from polytraders.kernel.block import new_block  # noqa: PLC0415

    empty = [np.zeros(dtype.itemsize, np.uint8) for dtype in (INPUT, s.OUT, s.DETAIL)]
    loop.run(new_block(s.Sizes(markets=1, strategies=1)), empty[0], 0, 0, empty[1], empty[2])


def main() -> None:
    """Compile, and say now and then that it still goes on."""
    whole = Path(os.environ["NUMBA_CACHE_DIR"]) / WHOLE
    if JIT_OFF or whole.exists():
        return
    if is_warm():
        # Another program may have been stopped half-way.
        compile_loop()
    else:
        _tell_while(compile_loop)
    whole.touch()


def _tell_while(act: Callable[[], None]) -> None:
    sys.stdout.write("first run of this build: compiling the loop, up to a minute\n")
    sys.stdout.flush()
    began = time.monotonic()
    done = threading.Event()

    def tell() -> None:
        while not done.wait(TELL_EVERY_S):
            sys.stdout.write(f"still compiling, {time.monotonic() - began:.0f} s\n")
            sys.stdout.flush()

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    act()
    done.set()
    teller.join()
    sys.stdout.write(f"compiled in {time.monotonic() - began:.0f} s\n")


if __name__ == "__main__":
    main()
