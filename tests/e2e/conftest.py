"""One installation and one browser for all browser tests."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.browser import FLAGS, chromium
from tests.supervisor.installation import Installation
from tests.supervisor.processes import until


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    return {"executable_path": str(chromium()), "args": list(FLAGS)}


@pytest.fixture(scope="session")
def installation() -> Iterator[Installation]:
    """Everything that `polytraders up` starts, in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="pt-") as folder:
        made = Installation(Path(folder) / "home")
        made.start()
        try:
            made.wait_ready()
            until(lambda: "/setup/" in made.said(), "the set-up link is shown")
            yield made
        finally:
            made.stop()
