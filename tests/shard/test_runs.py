"""Whole runs of a loop process over a real database: what is recorded, restored and replayed."""

from pathlib import Path

import numpy as np
import psycopg

from apps.eventlog import reading, verify
from apps.replay.runner import Drive, Kernel
from polytraders import loop
from polytraders.contracts import state as s
from polytraders.contracts.inputs import Kind
from polytraders.kernel import block
from polytraders.shard import snapshots
from tests.shard.rig import Rig, frames

FRAMES = 3_000


def all_outputs(dsn: str) -> tuple[np.ndarray, int]:
    with psycopg.connect(dsn, autocommit=True) as conn:
        parts = [out for out, _ in reading.outputs(conn, 0)]
    made = np.concatenate(parts)
    return made, len(made)


def test_a_run_is_recorded_whole(app_dsn: str, tmp_path: Path) -> None:
    with Rig(app_dsn, tmp_path) as rig:
        rig.list_markets()
        rig.play(frames(FRAMES))
        seq = rig.head.seq
    assert seq > FRAMES
    outs, _ = all_outputs(app_dsn)
    assert (outs["kind"] == s.APPROVAL).sum() > 5
    assert (outs["kind"] == s.FILL).sum() > 0
    assert verify.verify(app_dsn, tmp_path, deep=True) is None


def test_the_next_run_goes_on_where_the_last_one_ended(app_dsn: str, tmp_path: Path) -> None:
    told = frames(FRAMES)
    with Rig(app_dsn, tmp_path) as rig:
        rig.list_markets()
        rig.play(told[: FRAMES // 2])
        seq, cash = rig.head.seq, int(rig.loop.state.portfolio["cash"][0])
        held = rig.loop.state.pairs[["qty_yes", "qty_no", "order", "order_held"]][:6].copy()
    with Rig(app_dsn, tmp_path) as rig:
        assert rig.head.seq == seq
        assert int(rig.loop.state.portfolio["cash"][0]) == cash
        assert (rig.loop.state.pairs[["qty_yes", "qty_no", "order", "order_held"]][:6] == held).all()
        rig.play(told[FRAMES // 2 :])
        assert rig.head.seq > seq
    with psycopg.connect(app_dsn) as conn:
        kinds = [row[0] for row in conn.execute("SELECT kind FROM log_control WHERE kind IN (1, 12) ORDER BY in_seq")]
    assert kinds == [Kind.EPOCH, Kind.EPOCH, *[Kind.GAP] * 7]
    assert verify.verify(app_dsn, tmp_path, deep=True) is None


def test_a_packed_state_does_not_depend_on_how_its_inputs_were_cut_into_calls(app_dsn: str, tmp_path: Path) -> None:
    with Rig(app_dsn, tmp_path) as rig:
        rig.list_markets()
        rig.play(frames(1_000))
        sizes = s.Sizes(*snapshots.pack(rig.parts.drive.block, 0)[: 7 * 8].view("<i8").tolist()[:6])
    with psycopg.connect(app_dsn, autocommit=True) as conn:
        rows = np.concatenate(list(reading.inputs(conn, tmp_path, 0)))
    made = []
    for cut in (len(rows), 1):
        drive = Drive(Kernel(loop.run, block.views), block.new_block(sizes))
        for first in range(0, len(rows), cut):
            for _ in drive.outputs(rows[first : first + cut]):
                pass
        made.append(snapshots.pack(drive.block, 6).tobytes())
    assert made[0] == made[1]
