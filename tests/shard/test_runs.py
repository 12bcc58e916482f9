"""Whole runs of a loop process over a real database: what is recorded, restored and replayed."""

from pathlib import Path

import numpy as np
import psycopg
import pytest

from apps.eventlog import reading, verify
from apps.eventlog.store import Writer
from apps.replay.runner import Drive, Kernel
from polytraders import loop
from polytraders.config import ConfigError
from polytraders.contracts import state as s
from polytraders.contracts.inputs import INPUT, NANO, Kind
from polytraders.contracts.reasons import by_number
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


def test_a_connection_that_tells_of_long_ago_is_a_gap_and_nothing_is_traded_on_it(app_dsn: str, tmp_path: Path) -> None:
    late = [(recv_ts + 11 * NANO, raw) for recv_ts, raw in frames(FRAMES // 2)]
    with Rig(app_dsn, tmp_path) as rig:
        rig.list_markets()
        rig.play(late)
    with psycopg.connect(app_dsn) as conn:
        rows = [row for (row,) in conn.execute("SELECT row FROM log_control WHERE kind = %s", (Kind.GAP,))]
    gaps = np.frombuffer(b"".join(rows), INPUT)
    assert {by_number(code).code for code in gaps["a"].tolist()} == {"INTEL_FEED_LAG"}
    assert len(gaps) == 1, "not one a frame"
    outs, _ = all_outputs(app_dsn)
    # Whole books may be old by right, so the first ones are believed; nothing is after that.
    assert outs["in_seq"][outs["kind"] == s.APPROVAL].max() < gaps["in_seq"][0]


def test_a_connection_that_is_in_time_again_is_believed_again(app_dsn: str, tmp_path: Path) -> None:
    told = frames(FRAMES)
    late = [(recv_ts + 11 * NANO, raw) for recv_ts, raw in told[:200]]
    with Rig(app_dsn, tmp_path) as rig:
        rig.list_markets()
        # The same frames again, in time: the whole books among them make the books valid.
        rig.play(
            late + [(recv_ts + 12 * NANO, raw) for recv_ts, raw in told[:1]] + [(r + 3 * NANO, x) for r, x in told]
        )
        valid = rig.loop.state.markets["state"][:6] == s.BOOK_OK
    assert valid.any()
    outs, _ = all_outputs(app_dsn)
    assert (outs["kind"] == s.APPROVAL).any()


def test_three_seconds_late_is_usual(app_dsn: str, tmp_path: Path) -> None:
    with Rig(app_dsn, tmp_path) as rig:
        rig.list_markets()
        rig.play([(recv_ts + 3 * NANO, raw) for recv_ts, raw in frames(200)])
    with psycopg.connect(app_dsn) as conn:
        assert conn.execute("SELECT count(*) FROM log_control WHERE kind = %s", (Kind.GAP,)).fetchone() == (0,)


def test_a_log_begun_with_other_strategies_is_not_gone_on_with(app_dsn: str, tmp_path: Path) -> None:
    with Rig(app_dsn, tmp_path) as rig:
        rig.list_markets()
        rig.play(frames(100))
        seq = rig.head.seq
    with pytest.raises(ConfigError, match="eager, patient"):
        Rig(app_dsn, tmp_path, turned=True)
    with Writer.open(app_dsn, 0, tmp_path) as writer:
        assert writer.head.seq == seq
