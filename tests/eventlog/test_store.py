"""The writer: what is appended comes back, one writer at a time, and nothing half."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest

from apps.eventlog import bodies, inbox, reading
from apps.eventlog.core.chain import InputChain, OutputChain
from apps.eventlog.faults import (
    CommandTwice,
    Corrupt,
    Fenced,
    LogNewer,
    OutOfOrder,
    ShardTaken,
    StorageFull,
    Unavailable,
)
from apps.eventlog.segments import canonical_folder
from apps.eventlog.store import Block, Record, What, Writer
from apps.eventlog.verify import verify
from polytraders.contracts import state as s
from polytraders.contracts.inputs import MARKET_DATA, Kind
from tests.eventlog import made

Connection = psycopg.Connection[Any]


def test_what_is_appended_comes_back_bit_by_bit(app_dsn: str, app: Connection, home: Path) -> None:
    first, second = made.block(1, 1_500), made.block(1_501, 400)
    with Writer.open(app_dsn, 0, home) as writer:
        writer.append(first)
        head = writer.append(second)
    assert (head.seq, head.epoch_seq, head.canonical_bytes) == (1_900, 1, 1_900 * 80)
    whole = np.concatenate([first.inputs, second.inputs])
    assert np.array_equal(np.concatenate(list(reading.inputs(app_dsn, home, 0))), whole)
    assert np.array_equal(np.concatenate(list(reading.inputs(app, home, 0, after=600, until=1_601))), whole[600:1_601])
    assert [len(part) for part in reading.inputs(app, home, 0, block_rows=800)] == [800, 800, 300]
    outs, details = zip(*reading.outputs(app, 0, most=50), strict=True)
    kept = np.concatenate([first.outs, second.outs])
    plain = np.concatenate(outs)
    for field in s.OUT.names or ():
        if field != "detail":
            assert np.array_equal(plain[field], kept[field]), field
    assert np.array_equal(np.concatenate(details), np.concatenate([first.details, second.details]))
    stored = app.execute("SELECT row, payload FROM log_control ORDER BY in_seq").fetchall()
    assert stored == [(control.row, control.payload) for control in (*first.controls, *second.controls)]
    assert verify(app_dsn, home, True) is None


def test_outputs_of_one_input_are_never_split(app_dsn: str, app: Connection, home: Path) -> None:
    rows = made.inputs(1, 10)
    outs = np.zeros(9, s.OUT)
    outs["in_seq"], outs["ordinal"], outs["kind"], outs["detail"] = [2] * 7 + [3, 9], range(9), s.COUNTS, s.NONE
    with Writer.open(app_dsn, 0, home) as writer:
        writer.append(Block(rows, made.controls(rows), outs, np.zeros(0, s.DETAIL), [], 1))
    assert [part["in_seq"].tolist() for part, _ in reading.outputs(app, 0, most=8)] == [[2] * 7, [3, 9]]
    assert [part["in_seq"].tolist() for part, _ in reading.outputs(app, 0, most=3)] == [[2] * 7 + [3, 9]]
    assert [part["in_seq"].tolist() for part, _ in reading.outputs(app, 0, after=2, until=8)] == [[3]]


@pytest.mark.parametrize("cuts", [[1], [1_024], [1_023, 2], [5_000], [1, 333, 2_048]])
def test_the_heads_are_the_same_for_any_cutting_into_blocks(app_dsn: str, home: Path, cuts: list[int]) -> None:
    total = 300 if cuts == [1] else 5_000
    with Writer.open(app_dsn, 0, home) as writer:
        made.fill(writer, total, cuts)
        head = writer.head
    whole = made.block(1, 1)
    expected_in, expected_out = InputChain(), OutputChain()
    done, at = 0, 0
    while done < total:
        count = min(cuts[at % len(cuts)], total - done)
        whole = made.block(done + 1, count)
        expected_in.update(whole.inputs)
        expected_out.update(whole.outs, whole.details)
        done, at = done + count, at + 1
    assert head.inputs == expected_in.state()
    assert head.outputs == expected_out.state()
    assert verify(app_dsn, home) is None


def test_a_new_writer_goes_on_with_the_same_chains(app_dsn: str, home: Path) -> None:
    with Writer.open(app_dsn, 0, home) as writer:
        made.fill(writer, 2_500, [999])
        before = writer.head
    with Writer.open(app_dsn, 0, home) as writer:
        assert writer.head == before._replace(fence=before.fence + 1)
        made.fill(writer, 700, [700])
        assert writer.head.canonical_file.startswith(f"{writer.head.fence:06d}-")
    assert verify(app_dsn, home) is None


def test_a_second_writer_is_refused_and_changes_nothing(app_dsn: str, home: Path) -> None:
    with Writer.open(app_dsn, 0, home) as writer:
        with pytest.raises(ShardTaken, match="GOV_SHARD_TAKEN"):
            Writer.open(app_dsn, 0, home)
        writer.append(made.block(1, 10))
        with Writer.open(app_dsn, 1, home) as other:
            assert other.head.seq == 0
    with Writer.open(app_dsn, 0, home) as writer:
        assert (writer.head.seq, writer.head.fence) == (10, 2)


def lose_lock(app_dsn: str) -> None:
    """End the writer's connection from the server's side, as happens to a process that is stopped for too long."""
    with psycopg.connect(app_dsn, autocommit=True) as connection:
        ended = connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE application_name LIKE 'polytraders-loop-%' AND datname = current_database()"
        ).fetchall()
    assert ended == [(True,)]


def test_a_writer_that_lost_its_lock_cannot_append_and_leaves_no_bytes_that_count(app_dsn: str, home: Path) -> None:
    stalled = Writer.open(app_dsn, 0, home)
    stalled.append(made.block(1, 100))
    lose_lock(app_dsn)
    with Writer.open(app_dsn, 0, home) as writer:
        writer.append(made.block(101, 50, seed=1))
        with pytest.raises(Fenced, match="GOV_FENCE_LOST"):
            stalled.append(made.block(101, 70, seed=2))
        with pytest.raises(Fenced):
            stalled.append(made.block(101, 70, seed=2))
        writer.append(made.block(151, 50, seed=1))
        files = sorted(path.name for path in canonical_folder(home, 0).iterdir())
        assert files == ["000001-000001.rows", "000002-000001.rows"]
    stalled.close()
    rows = np.concatenate(list(reading.inputs(app_dsn, home, 0, after=100)))
    assert np.array_equal(rows, np.concatenate([made.inputs(101, 50, 1), made.inputs(151, 50, 1)]))
    assert verify(app_dsn, home, True) is None


def test_a_writer_whose_fence_was_passed_cannot_append_even_on_a_live_connection(
    app_dsn: str, app: Connection, home: Path
) -> None:
    with Writer.open(app_dsn, 0, home) as writer:
        writer.append(made.block(1, 100))
        app.execute("UPDATE log_head SET fence = fence + 1 WHERE shard = 0")
        with pytest.raises(Fenced, match="does not stand"):
            writer.append(made.block(101, 5))
        assert app.execute("SELECT count(*), max(last_seq) FROM log_block").fetchone() == (1, 100)


def test_when_the_server_is_gone_nothing_is_claimed(app_dsn: str, home: Path) -> None:
    with Writer.open(app_dsn, 0, home) as writer:
        writer.append(made.block(1, 100))
        lose_lock(app_dsn)
        with pytest.raises(Unavailable, match="GOV_DB_UNAVAILABLE"):
            writer.append(made.block(101, 5))


def altered(name: str) -> Block:
    """A block that does not fit the log or itself."""
    good = made.block(101, 60)
    rows = good.inputs.copy()
    if name == "hole":
        return made.block(102, 60)
    if name == "repetition":
        return made.block(100, 60)
    if name == "hole inside":
        rows["in_seq"][30:] += 1
        return good._replace(inputs=rows)
    if name == "control left out":
        return good._replace(controls=good.controls[1:])
    if name == "control of other bytes":
        return good._replace(controls=[good.controls[0]._replace(row=bytes(80)), *good.controls[1:]])
    if name == "output of an older input":
        outs = good.outs.copy()
        outs["in_seq"][0] = 7
        return good._replace(outs=outs)
    if name == "output of a later input":
        outs = good.outs.copy()
        outs["in_seq"][-1] = 161
        return good._replace(outs=outs)
    if name == "detail that is not there":
        return good._replace(details=good.details[:1])
    return good._replace(inputs=rows[:0], controls=[], outs=good.outs[:0])


@pytest.mark.parametrize(
    "name",
    [
        "hole", "repetition", "hole inside", "control left out", "control of other bytes", "output of an older input",
        "output of a later input", "detail that is not there", "no inputs",
    ],
)  # fmt: skip
def test_a_block_that_does_not_fit_is_refused_before_a_byte_is_written(app_dsn: str, home: Path, name: str) -> None:
    with Writer.open(app_dsn, 0, home) as writer:
        writer.append(made.block(1, 100))
        before = writer.head
        with pytest.raises(OutOfOrder, match="GOV_EVENT_ORDER"):
            writer.append(altered(name))
        assert writer.head == before
        assert (canonical_folder(home, 0) / before.canonical_file).stat().st_size == before.canonical_bytes
        writer.append(made.block(101, 60))


def test_the_database_refuses_an_approval_with_a_rejecting_vote(app_dsn: str, home: Path) -> None:
    block = made.block(1, 60)
    block.outs["votes"][block.outs["kind"] == s.APPROVAL] = 4
    with Writer.open(app_dsn, 0, home) as writer, pytest.raises(psycopg.errors.CheckViolation):
        writer.append(block)
    with Writer.open(app_dsn, 0, home) as writer:
        assert writer.head.seq == 0


POINTS = ["segment written", "segment synced", "log rows written", "before commit"]


@pytest.mark.parametrize("point", POINTS)
def test_what_ends_before_the_commit_leaves_the_log_as_it_was(app_dsn: str, home: Path, point: str) -> None:
    def ends(reached: str) -> None:
        if reached == point and writer.head.seq == 100:
            raise KeyboardInterrupt

    writer = Writer.open(app_dsn, 0, home, reached=ends)
    writer.append(made.block(1, 100))
    before = writer.head
    with pytest.raises(KeyboardInterrupt):
        writer.append(made.block(101, 40))
    with pytest.raises(Fenced):
        writer.append(made.block(101, 40))
    writer.close()
    with Writer.open(app_dsn, 0, home) as again:
        assert again.head == before._replace(fence=2)
        orphan = canonical_folder(home, 0) / f"{before.canonical_file}.orphan-0"
        assert again.orphans == (orphan,)
        assert again.notices() == [("GOV_SEGMENT_TORN", f"{orphan.name}: 3200 bytes that no commit vouches for")]
        assert orphan.read_bytes() == made.inputs(101, 40).tobytes()
        again.append(made.block(101, 30))
    assert verify(app_dsn, home) is None


def test_a_fault_in_the_callers_part_takes_the_whole_block_back(app_dsn: str, app: Connection, home: Path) -> None:
    def also(cursor: psycopg.Cursor[Any]) -> None:
        cursor.execute("INSERT INTO log_record VALUES (0, 2, 9, 1, '')")
        raise ValueError("ledger")

    with Writer.open(app_dsn, 0, home) as writer, pytest.raises(ValueError, match="ledger"):
        writer.append(made.block(1, 60), also=also)
    for table in ("log_block", "log_control", "log_output", "log_record"):
        assert app.execute(f"SELECT count(*) FROM {table}".encode()).fetchone() == (0,), table
    assert app.execute("SELECT seq FROM log_head").fetchone() == (0,)


def test_the_callers_part_is_in_the_same_transaction(app_dsn: str, app: Connection, home: Path) -> None:
    seen = []

    def also(cursor: psycopg.Cursor[Any]) -> None:
        cursor.execute("SELECT seq FROM log_head")
        seen.append((cursor.fetchone(), app.execute("SELECT seq FROM log_head").fetchone()))

    with Writer.open(app_dsn, 0, home) as writer:
        writer.append(made.block(1, 60), also=also)
    assert seen == [((60,), (0,))]


def test_a_block_consumes_its_commands_once(app_dsn: str, app: Connection, home: Path) -> None:
    inbox.put(app, "kill", "ann", "kill", "k1", {"scope": "global"}, 60)
    (row,) = inbox.take(app, 0)
    with Writer.open(app_dsn, 0, home) as writer:
        writer.append(made.block(1, 10)._replace(inbox_ids=[row.id]))
        assert inbox.take(app, 0) == []
        with pytest.raises(CommandTwice, match="GOV_COMMAND_TWICE"):
            writer.append(made.block(11, 10)._replace(inbox_ids=[row.id]))
    with Writer.open(app_dsn, 0, home) as writer:
        assert writer.head.seq == 10


def test_no_room_for_the_segment_is_said_and_nothing_is_committed(
    app_dsn: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with Writer.open(app_dsn, 0, home) as writer:
        writer.append(made.block(1, 10))
        monkeypatch.setattr(os, "pwrite", no_room)
        with pytest.raises(StorageFull, match="GOV_DISK_FULL"):
            writer.append(made.block(11, 10))
    with Writer.open(app_dsn, 0, home) as writer:
        assert writer.head.seq == 10


def test_a_log_of_a_newer_build_is_neither_written_nor_read(app_dsn: str, app: Connection, home: Path) -> None:
    with Writer.open(app_dsn, 0, home) as writer:
        writer.append(made.block(1, 10))
    app.execute("UPDATE log_head SET version = 2")
    with pytest.raises(LogNewer, match="GOV_LOG_NEWER"):
        Writer.open(app_dsn, 0, home)
    with pytest.raises(LogNewer):
        verify(app_dsn, home)
    assert app.execute("SELECT fence, version FROM log_head").fetchone() == (1, 2)


@pytest.mark.parametrize("damage", ["cut", "changed", "gone"])
def test_a_writer_does_not_start_on_damaged_committed_rows(app_dsn: str, home: Path, damage: str) -> None:
    with Writer.open(app_dsn, 0, home) as writer:
        writer.append(made.block(1, 100))
        path = canonical_folder(home, 0) / writer.head.canonical_file
    data = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(data[:-1] if damage == "cut" else data[:-1] + bytes((data[-1] ^ 1,)))
    with pytest.raises(Corrupt, match="GOV_CHAIN_BROKEN"):
        Writer.open(app_dsn, 0, home)


def test_names_and_what_was_in_force_come_from_the_log(app_dsn: str, app: Connection, home: Path) -> None:
    rows = made.inputs(1, 6)
    rows["kind"] = [Kind.EPOCH, Kind.SETTING, Kind.FACT, Kind.FACT, Kind.LEVEL, Kind.FACT]
    payloads = [
        b'{"venues": ["paper"], "clusters": ["crypto"]}',
        b'{"strategy": 1, "name": "logit"}',
        b'{"market": 2, "id": "0xab", "tokens": ["11", "22"], "title": "Up?", "cluster": "rain", "cluster_index": 1}',
        None,
        b'{"market": 0, "id": "0xcd", "title": "Down?"}',
    ]
    told = [control._replace(payload=p) for control, p in zip(made.controls(rows), payloads, strict=True)]
    market, params = np.zeros(1, s.MARKET), np.arange(s.PARAMS, dtype="<f8")
    records = [
        Record(What.STRATEGY, 1, 2, np.zeros(1, s.STRATEGY).tobytes()),
        Record(What.PARAMS, 1, 2, params.tobytes()),
        Record(What.LIMITS, 0, 1, np.zeros(1, s.LIMITS).tobytes()),
    ]
    for in_seq in (3, 5):
        market["tick"] = in_seq
        records.append(Record(What.MARKET, 2, in_seq, market.tobytes()))
    with Writer.open(app_dsn, 0, home) as writer:
        writer.append(Block(rows, told, np.zeros(0, s.OUT), np.zeros(0, s.DETAIL), records, 1))
    names = reading.names(app, 0)
    assert names.markets == ("0xcd", "", "0xab")
    assert (names.token(2, 0), names.token(2, 1), names.token(0, 1)) == ("11", "22", "")
    assert names.strategies == ("", "logit")
    assert names.clusters == ("crypto", "rain")
    assert (names.venues, names.titles) == (("paper",), ("Down?", "", "Up?"))
    assert [int(reading.moment(app, 0, 2, 1, seq).market["tick"]) for seq in (3, 4, 5, 99)] == [3, 3, 5, 5]
    assert np.array_equal(reading.moment(app, 0, 2, 1, 4).params, params)
    with pytest.raises(LookupError, match="MARKET 2"):
        reading.moment(app, 0, 2, 1, 2)
    assert verify(app_dsn, home) is None


def test_every_kind_of_input_is_market_data_or_a_control() -> None:
    rows = made.inputs(1, 256)
    rows["kind"] = np.arange(256)
    assert set(range(256)) - set(bodies.controls(rows)["kind"].tolist()) == {int(kind) for kind in MARKET_DATA}
