"""One session for all tests of the rendering."""

import pytest

from tests.packets.played import Played, started


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    return started(tmp_path_factory.mktemp("played"))
