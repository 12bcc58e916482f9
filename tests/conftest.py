"""What holds for all tests: the loop is compiled before any of them is timed, and made-up cases can be repeated."""

import os

import numpy as np
import pytest
from hypothesis import settings

from polytraders.contracts import state as s
from polytraders.contracts.inputs import INPUT

settings.register_profile("repeat", deadline=None, derandomize=True)
# HYPOTHESIS_PROFILE=explore looks for cases that nobody has seen yet.
settings.register_profile("explore", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeat"))


def pytest_sessionstart(session: pytest.Session) -> None:
    """Load the loop from the cache, or compile it, which takes up to a minute, outside of any test's time."""
    from polytraders import loop
    from polytraders.kernel.block import new_block

    if session.config.option.collectonly:
        return
    empty = [np.zeros(dtype.itemsize, np.uint8) for dtype in (INPUT, s.OUT, s.DETAIL)]
    loop.run(new_block(s.Sizes(markets=1, strategies=1)), empty[0], 0, 0, empty[1], empty[2])
