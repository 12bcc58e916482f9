"""A whole session booked block by block: after every commit the database has the loop's own sums, over restarts too."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import psycopg
import pytest

from apps.eventlog.reading import body
from apps.ledger.comparison import difference
from apps.ledger.posting import LedgerError, open_holds, post
from apps.ledger.verification import check
from polytraders.contracts import state as s
from polytraders.contracts.inputs import Kind
from polytraders.contracts.ledger import Phase
from polytraders.journal import Journal, verify
from polytraders.supervisor.postgres import Postgres
from tests import servers
from tests.packets.made import NAMES
from tests.packets.played import Played, Step

RESTART_EVERY = 7


class Booked(NamedTuple):
    """The session's database, and how often it was compared and restarted with holds open."""

    database: servers.Database
    compared: int
    restarts: int


def log(cursor: psycopg.Cursor, step: Step) -> None:
    """What the log keeps of a block, as far as the ledger has to do with it."""
    for row in step.inputs[step.inputs["kind"] == Kind.CAPITAL]:
        cursor.execute(
            "INSERT INTO log_control (shard, in_seq, kind, market, actor, key, row)"
            " VALUES (0, %s, %s, -1, 'test', '', %s)",
            (int(row["in_seq"]), int(row["kind"]), row.tobytes()),
        )
    for out in step.out:
        detail = None if out["detail"] == s.NONE else step.detail[out["detail"]]
        approval = out["kind"] == s.APPROVAL
        told = [int(out[name]) for name in ("in_seq", "ordinal", "market", "strategy", "kind", "first", "votes")]
        cursor.execute(
            "INSERT INTO log_output (shard, in_seq, ordinal, market, strategy, kind, first, votes, order_seq, body)"
            " VALUES (0, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (*told, int(out["order_seq"]) if approval else None, body(out, detail)),
        )


@pytest.fixture(scope="module")
def booked(postgres_server: "Postgres | servers.Outside", played: Played) -> Iterator[Booked]:
    compared = restarts = 0
    with servers.copied(postgres_server) as database, psycopg.connect(database.app_dsn, autocommit=True) as conn:
        journal = Journal(played.names)
        for number, step in enumerate(played.steps):
            made = journal.block(step.inputs, step.out)
            with conn.transaction(), conn.cursor() as cursor:
                log(cursor, step)
                post(cursor, 0, made)
            if made:
                with conn.cursor() as cursor:
                    assert difference(cursor, 0, step.sums) is None
                compared += 1
            if number % RESTART_EVERY == 0:
                again = Journal.restore(played.names, conn, 0)
                assert again.holds == journal.holds
                restarts += bool(journal.holds)
                journal = again
        yield Booked(database, compared, restarts)


def test_after_every_commit_the_ledger_has_the_loops_sums(booked: Booked) -> None:
    assert booked.compared > 20
    assert booked.restarts > 0, "no restart had a hold to find"


def test_verify_finds_nothing_wrong(booked: Booked, played: Played) -> None:
    with psycopg.connect(booked.database.app_dsn, autocommit=True) as conn:
        assert check(conn, 0) is None
        assert verify(conn, 0, played.names) is None


def test_verify_names_the_first_event_that_another_strategy_was_booked_for(booked: Booked, played: Played) -> None:
    names = played.names._replace(strategies=("somebody", *played.names.strategies[1:]))
    with psycopg.connect(booked.database.app_dsn, autocommit=True) as conn:
        assert check(conn, 0) is None
        found = verify(conn, 0, names)
    assert found is not None
    assert found.startswith("EXEC_LEDGER_UNBOOKED: the log says ")
    assert "position:somebody" in found


def test_blocks_of_any_size_make_the_same_movements(played: Played) -> None:
    whole, parts = Journal(played.names), Journal(played.names)
    inputs = np.concatenate([step.inputs for step in played.steps])
    outs = np.concatenate([step.out for step in played.steps])
    one = whole.block(inputs, outs)
    assert one == [made for step in played.steps for made in parts.block(step.inputs, step.out)]
    assert [made.source_event[0] for made in one] == sorted(made.source_event[0] for made in one)
    kinds = {made.part for made in one}
    assert kinds == {"capital", "hold", "void", "money", "fee", "shares"}


def test_only_open_holds_are_kept_in_memory(played: Played) -> None:
    journal = Journal(played.names)
    made = [one for step in played.steps for one in journal.block(step.inputs, step.out)]
    assert sum(one.phase is Phase.PENDING for one in made) > 20
    assert journal.holds == {}


def test_a_row_that_contradicts_the_open_holds_is_refused() -> None:
    done = np.zeros(1, s.OUT)
    done["kind"], done["in_seq"], done["order_seq"] = s.DONE, 9, 7
    with pytest.raises(AssertionError, match="EXEC_LEDGER_PENDING_MISMATCH: input 9: nothing is held for 7:0:0"):
        Journal(NAMES).add(done)


def test_books_that_lost_a_hold_do_not_start(database: servers.Database, played: Played) -> None:
    journal = Journal(played.names)
    with psycopg.connect(database.owner_dsn, autocommit=True) as conn:
        for step in played.steps:
            with conn.transaction(), conn.cursor() as cursor:
                post(cursor, 0, journal.block(step.inputs, step.out))
            if journal.holds:
                break
        assert open_holds(conn, 0) == list(journal.holds.values())
        conn.execute("ALTER TABLE ledger_account DISABLE TRIGGER USER")
        conn.execute("UPDATE ledger_account SET outgoing = outgoing + 1 WHERE code = 'cash'")
        with pytest.raises(LedgerError, match="EXEC_LEDGER_BALANCE_DRIFT: open holds of cash pUSD"):
            Journal.restore(played.names, conn, 0)
