"""Checkpoints of a run: the one of an orderly end waits for the one before it."""

import time
from pathlib import Path

import numpy as np
import psycopg
import pytest

from apps.eventlog import checkpoints
from polytraders.shard import keeping
from polytraders.shard.keeping import Keeper

BUILD = bytes(32)
SLOW_S = 0.2


def test_an_orderly_end_spoils_no_checkpoint_that_is_being_written(
    app_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The first write is made to take its time at the very place where its file has a temporary name.
    slow = {"checkpoint written": SLOW_S}
    monkeypatch.setattr(keeping, "reach", lambda point: time.sleep(slow.pop(point, 0.0)))
    keeper = Keeper(app_dsn, tmp_path, 0, BUILD, in_seq=0, now=0)
    keeper.save(1, np.zeros(100, np.uint8))
    keeper.close((2, np.ones(100, np.uint8)))
    with psycopg.connect(app_dsn, autocommit=True) as conn:
        found = [row[0] for row in conn.execute("SELECT in_seq FROM log_checkpoint ORDER BY in_seq")]
        latest = checkpoints.latest(conn, tmp_path, 0, BUILD)
    assert found == [1, 2]
    assert latest is not None and latest.in_seq == 2
