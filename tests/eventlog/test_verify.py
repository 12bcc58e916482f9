"""Verify: a whole log is whole, and a change in any kind of place is found and named."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest

from apps.eventlog import bodies, packed, reading
from apps.eventlog.segments import canonical_folder, raw_folder
from apps.eventlog.store import Writer
from apps.eventlog.verify import Finding, prove, verify
from polytraders import settings
from polytraders.cli import main
from polytraders.contracts import state as s
from polytraders.supervisor.postgres import Postgres
from tests.eventlog import made
from tests.servers import Database, Outside, copied


def flip(path: Path, place: int) -> None:
    """One bit of a file turned round."""
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


class Log(NamedTuple):
    """A log that somebody is about to change, as only somebody with the machine in their hands can."""

    database: Database
    home: Path
    connection: psycopg.Connection[Any]

    def change(self, statement: str, *values: Any) -> None:
        assert self.connection.execute(statement.encode(), values or None).rowcount > 0

    def found(self, deep: bool = False) -> Finding | None:
        return prove(self.connection, self.home, deep)

    def flip(self, path: Path, place: int) -> None:
        flip(path, place)

    def rows(self, name: str = "000001-000001.rows") -> Path:
        return canonical_folder(self.home, 0) / name


@pytest.fixture(scope="module")
def original(
    postgres_server: "Postgres | Outside", tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Database, Path]]:
    """A whole log, made once."""
    home = tmp_path_factory.mktemp("original")
    with copied(postgres_server) as database:
        made.log(database.app_dsn, home)
        yield database, home


@pytest.fixture
def log(original: tuple[Database, Path], home: Path) -> Iterator[Log]:
    """Its files copied, its rows in a transaction that no trigger sees and that is rolled back."""
    database, files = original
    shutil.copytree(files, home)
    with psycopg.connect(database.superuser_dsn) as connection:
        connection.execute("SET session_replication_role = replica")
        yield Log(database, home, connection)
        connection.rollback()


def test_a_whole_log_is_whole(log: Log) -> None:
    assert log.found() is None
    assert log.found(deep=True) is None


def test_an_empty_database_is_whole(app_dsn: str, home: Path) -> None:
    assert verify(app_dsn, home, True) is None


def test_it_is_whole_while_it_is_written_and_with_bytes_that_no_commit_vouches_for(app_dsn: str, home: Path) -> None:
    with Writer.open(app_dsn, 0, home) as writer:
        made.fill(writer, 100, [100])
        with (canonical_folder(home, 0) / "000001-000001.rows").open("ab") as file:
            file.write(b"torn")
        assert verify(app_dsn, home, True) is None


def test_packed_segments_verify_and_read_like_plain_ones(log: Log) -> None:
    before = [rows.tobytes() for rows in reading.inputs(log.database.app_dsn, log.home, 0)]
    assert packed.pack_closed(canonical_folder(log.home, 0), "000001-000002.rows") == ["000001-000001.rows"]
    assert log.found() is None
    assert [rows.tobytes() for rows in reading.inputs(log.database.app_dsn, log.home, 0)] == before
    log.flip(log.rows("000001-000001.rows.zst"), 700)
    found = log.found()
    assert found is not None and found.table == "segment 000001-000001.rows"


Change = Callable[[Log], None]

BROKEN, ORDER, UNAPPROVED = "GOV_CHAIN_BROKEN", "GOV_EVENT_ORDER", "GOV_APPROVAL_MISSING"


def repacked(field: str, value: int, in_seq: int) -> Change:
    """Change a field of an output's body and its column, so that only the chain or the checks can tell."""

    def change(log: Log) -> None:
        ask = "SELECT body FROM log_output WHERE in_seq = %s AND ordinal = 1"
        found = log.connection.execute(ask, (in_seq,)).fetchone()
        assert found is not None
        out, detail = bodies.unbody(found[0])
        out, detail = out.copy(), None if detail is None else detail.copy()
        out[field] = value
        log.change(
            "UPDATE log_output SET body = %s WHERE in_seq = %s AND ordinal = 1", bodies.body(out, detail), in_seq
        )
        if field in ("votes", "market"):
            log.change(f"UPDATE log_output SET {field} = %s WHERE in_seq = %s AND ordinal = 1", value, in_seq)

    return change


def sql(statement: str, *values: Any) -> Change:
    return lambda log: log.change(statement, *values)


def body_flipped(table: str, where: str) -> Change:
    return sql(f"UPDATE {table} SET body = set_byte(body, 12, get_byte(body, 12) # 1) WHERE {where}")


CASES: dict[str, tuple[Change, tuple[str, str, int, str]]] = {
    "first byte of a segment": (
        lambda log: log.flip(log.rows(), 0), (BROKEN, "segment 000001-000001.rows", 1, "digest"),
    ),
    "a byte of the second block": (
        lambda log: log.flip(log.rows(), 700 * 80 + 3), (BROKEN, "segment 000001-000001.rows", 701, "digest"),
    ),
    "a byte of the open group": (
        lambda log: log.flip(log.rows("000001-000002.rows"), -1),
        (BROKEN, "segment 000001-000002.rows", 2704, "digest"),
    ),
    "a segment cut short": (
        lambda log: os.truncate(log.rows(), log.rows().stat().st_size - 80),
        (BROKEN, "segment 000001-000001.rows", 1002, "digest"),
    ),
    "a segment gone": (lambda log: log.rows().unlink(), (BROKEN, "segment 000001-000001.rows", 1, "digest")),
    "a block gone": (sql("DELETE FROM log_block WHERE first_seq = 701"), (ORDER, "log_block", 702, "first_seq")),
    "the last block gone": (
        sql("DELETE FROM log_block WHERE first_seq = 2704"), (ORDER, "log_control", 2704, "in_seq"),
    ),
    "a digest": (
        sql("UPDATE log_block SET digest = set_byte(digest, 5, get_byte(digest, 5) # 1) WHERE first_seq = 701"),
        (BROKEN, "segment 000001-000001.rows", 701, "digest"),
    ),
    "a place in the segment": (
        sql("UPDATE log_block SET byte_from = byte_from + 80 WHERE first_seq = 702"),
        (ORDER, "log_block", 702, "byte_from"),
    ),
    "an epoch": (
        sql("UPDATE log_block SET epoch_seq = 7 WHERE first_seq = 702"), (ORDER, "log_block", 702, "epoch_seq"),
    ),
    "a control gone": (sql("DELETE FROM log_control WHERE in_seq = 1"), (BROKEN, "log_control", 1, "in_seq")),
    "a control more": (
        sql("INSERT INTO log_control SELECT 0, 3, kind, market, actor, key, row FROM log_control WHERE in_seq = 1"),
        (BROKEN, "log_control", 3, "in_seq"),
    ),
    "a control after the head": (
        sql("INSERT INTO log_control SELECT 0, 3009, kind, market, actor, key, row FROM log_control WHERE in_seq = 1"),
        (ORDER, "log_control", 3009, "in_seq"),
    ),
    "a control's row": (
        sql("UPDATE log_control SET row = set_byte(row, 40, get_byte(row, 40) # 1) WHERE in_seq = 1"),
        (BROKEN, "log_control", 1, "row"),
    ),
    "a control's kind": (sql("UPDATE log_control SET kind = 20 WHERE in_seq = 1"), (BROKEN, "log_control", 1, "kind")),
    "a control's market": (
        sql("UPDATE log_control SET market = 77 WHERE in_seq = 1"), (BROKEN, "log_control", 1, "market"),
    ),
    "an output gone": (sql("DELETE FROM log_output WHERE in_seq = 714"), (BROKEN, "log_output", 702, "in_seq")),
    "an output more": (
        sql("INSERT INTO log_output SELECT 0, 714, votes, order_seq, 9, market, strategy, first, kind, body"
            " FROM log_output WHERE in_seq = 714"),
        (BROKEN, "log_output", 714, "ordinal"),
    ),
    "a byte of an output": (body_flipped("log_output", "in_seq = 714"), (BROKEN, "log_output", 714, "body")),
    "an output's size, repacked": (repacked("size", 5, 714), (BROKEN, "log_output", 702, "body")),
    "an output's market, repacked": (repacked("market", 9, 714), (BROKEN, "log_output", 702, "body")),
    "an output's votes, repacked": (repacked("votes", 1 << 40, 714), (UNAPPROVED, "log_output", 714, "votes")),
    "an approval's column": (
        sql("UPDATE log_output SET order_seq = 49 WHERE in_seq = 50 AND ordinal = 2"),
        (BROKEN, "log_output", 50, "order_seq"),
    ),
    "an output's column first": (
        sql("UPDATE log_output SET first = 63 WHERE in_seq = 714"), (BROKEN, "log_output", 714, "first"),
    ),
    "the head's number": (sql("UPDATE log_head SET seq = 2999"), (ORDER, "log_head", 3000, "seq")),
    "the head's input link": (
        sql("UPDATE log_head SET input_link = set_byte(input_link, 0, get_byte(input_link, 0) # 1)"),
        (BROKEN, "log_head", 3000, "input_link"),
    ),
    "the head's output link": (
        sql("UPDATE log_head SET output_link = set_byte(output_link, 0, get_byte(output_link, 0) # 1)"),
        (BROKEN, "log_head", 3000, "output_link"),
    ),
    "the head's bytes": (
        sql("UPDATE log_head SET canonical_bytes = canonical_bytes - 80"),
        (BROKEN, "log_head", 3000, "canonical_bytes"),
    ),
    "a byte of a record": (body_flipped("log_record", "in_seq = 701"), (BROKEN, "log_record", 701, "body")),
    "a record of another kind": (
        sql("UPDATE log_record SET what = 1 WHERE in_seq = 701"), (BROKEN, "log_record", 701, "body"),
    ),
    "a record of the future": (
        sql("UPDATE log_record SET in_seq = 3001 WHERE in_seq = 701"), (ORDER, "log_record", 3001, "in_seq"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_change_in_any_kind_of_place_is_found_and_named(log: Log, case: str) -> None:
    change, (code, table, in_seq, field) = CASES[case]
    change(log)
    found = log.found()
    assert found is not None
    assert (found.code, found.table, found.shard, found.in_seq, found.field) == (code, table, 0, in_seq, field), found


def test_a_raw_byte_is_found_by_the_deep_walk_only(log: Log) -> None:
    log.flip(raw_folder(log.home, 0) / "000001-000001.raw", 40)
    assert log.found() is None
    found = log.found(deep=True)
    assert found is not None
    assert (found.code, found.table, found.in_seq, found.field) == (BROKEN, "segment 000001-000001.raw", 1, "frames")


def test_a_fill_without_an_approval_is_found_even_where_everything_else_agrees(app_dsn: str, home: Path) -> None:
    block = made.block(1, 60)
    outs = block.outs.copy()
    outs["strategy"][outs["kind"] == s.FILL] = 4
    with Writer.open(app_dsn, 0, home) as writer:
        writer.append(block._replace(outs=outs))
    found = verify(app_dsn, home)
    assert found is not None
    assert (found.code, found.table, found.in_seq, found.field) == (UNAPPROVED, "log_output", 50, "order_seq")
    assert "no approval" in found.in_words()


def test_an_approval_whose_numbers_reject_is_found(app_dsn: str, home: Path) -> None:
    block = made.block(1, 60)
    details = block.details.copy()
    details["values"][block.outs["detail"][block.outs["kind"] == s.APPROVAL], 0] = 1
    with Writer.open(app_dsn, 0, home) as writer:
        writer.append(block._replace(details=details))
    found = verify(app_dsn, home)
    assert found is not None
    assert (found.code, found.table, found.in_seq, found.field) == (UNAPPROVED, "log_output", 50, "votes")


def test_a_further_check_speaks_last(log: Log) -> None:
    wrong = Finding("EXEC_LEDGER_UNBALANCED", "ledger_entry", 0, 5, "amount", "it is 1 too much")
    assert verify(log.database.app_dsn, log.home, checks=[lambda *_: None, lambda *_: wrong]) == wrong
    log.change("DELETE FROM log_control WHERE in_seq = 1")
    found = prove(log.connection, log.home, checks=[lambda *_: wrong])
    assert found is not None and found.table == "log_control"


def test_progress_is_told_block_by_block(log: Log) -> None:
    seen: list[tuple[int, int, int]] = []
    verify(log.database.app_dsn, log.home, progress=lambda *told: seen.append(told))
    assert seen[0] == (0, 700, 3_000) and seen[-1] == (0, 3_000, 3_000)


def test_the_command_says_it_in_words_and_by_its_exit_code(
    database: Database, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "DATABASE_URL", database.app_dsn)
    monkeypatch.setattr(settings, "HOME", home)
    made.log(database.app_dsn, home, 40, (20,))  # too short for an approval, so nothing had to be booked
    assert main(["verify", "--deep"]) == 0
    assert "whole" in capsys.readouterr().out
    flip(canonical_folder(home, 0) / "000001-000001.rows", 20 * 80 + 3)
    assert main(["verify"]) == 4
    assert "GOV_CHAIN_BROKEN: segment 000001-000001.rows, shard 0, input 21" in capsys.readouterr().out
    assert main(["verify", "--json"]) == 4
    said = json.loads(capsys.readouterr().out)
    assert (said["ok"], said["finding"]["in_seq"], said["finding"]["field"]) == (False, 21, "digest")


def test_the_command_looks_into_the_ledger_too(
    log: Log, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "DATABASE_URL", log.database.app_dsn)
    monkeypatch.setattr(settings, "HOME", log.home)
    assert log.found() is None
    assert main(["verify", "--json"]) == 4
    found = json.loads(capsys.readouterr().out)["finding"]
    assert (found["code"], found["in_seq"]) == ("EXEC_LEDGER_UNBOOKED", 50)


def test_the_command_says_when_there_is_no_database(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "DATABASE_URL", None)
    assert main(["verify"]) == 2
    monkeypatch.setattr(settings, "DATABASE_URL", "postgresql://nobody:secret@127.0.0.1:9/none")
    assert main(["verify"]) == 2
    said = capsys.readouterr().err
    assert "DATABASE_URL" in said and "GOV_DB_UNAVAILABLE" in said and "secret" not in said
