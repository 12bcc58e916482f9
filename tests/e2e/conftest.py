"""One installation with everything in it, one browser and one account for all tests of this folder."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.e2e.audit import Audit
from tests.e2e.browser import FLAGS, chromium
from tests.e2e.visit import Visit, first_visit
from tests.e2e.whole import Counts, Platform
from tests.supervisor.processes import until


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    return {"executable_path": str(chromium()), "args": list(FLAGS)}


@pytest.fixture(scope="session")
def platform() -> Iterator[Platform]:
    """Everything that `polytraders up` starts, in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="pt-") as folder:
        made = Platform(Path(folder) / "home")
        made.run()
        try:
            until(lambda: "/setup/" in made.said(), "the set-up link is shown")
            made.bear_losses()
            yield made
        finally:
            made.stop()


@pytest.fixture(scope="session")
def at_ready(platform: Platform) -> Counts:
    """What was committed when everything was ready."""
    return platform.counts()


@pytest.fixture(scope="session")
def visit(platform: Platform, browser: Browser) -> Visit:
    """The first person has made an account by the link; what was seen then, and the cookies of being logged in."""
    return first_visit(browser, platform.web, platform.link())


@pytest.fixture(scope="session")
def audit(platform: Platform) -> Iterator[Audit]:
    """Compares fills with the exchange's book; `look` again before the exchange forgets them."""
    made = Audit(platform.home)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def looked(platform: Platform, at_ready: Counts, audit: Audit) -> Iterator[None]:
    """After each test the fills made meanwhile are compared: the exchange forgets after three minutes at this speed."""
    yield
    audit.look()
