"""Ledger and loop side by side: the first account that differs is named."""

from typing import Any

import psycopg
import pytest

from apps.ledger.comparison import Sums, difference, first_difference, ledger_sums
from polytraders.contracts.ledger import HELD, Phase
from tests.ledger.booked import LOGIT, SHARE, YES, book, example, move

Connection = psycopg.Connection

LOOP = Sums(
    cash=9_228_160_000,
    reserved=520_000_000,
    fees=3_840_000,
    deposited=10_000_000_000,
    positions={(LOGIT, YES): (1_200_000_000, 0)},
)


def test_worked_example(app: Connection, shard: int) -> None:
    book(app, example()[:7], shard)
    with app.cursor() as cursor:
        assert ledger_sums(cursor, shard) == LOOP
        assert difference(cursor, shard, LOOP) is None


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"cash": 1, "fees": 1}, "cash pUSD: the ledger has 9228160000, the loop 1"),
        ({"reserved": 0}, "reserved pUSD: the ledger has 520000000, the loop 0"),
        ({"fees": 3_840_001}, "fees pUSD: the ledger has 3840000, the loop 3840001"),
        ({"deposited": 0}, "deposited pUSD: the ledger has 10000000000, the loop 0"),
        ({"positions": {}}, f"{LOGIT} {YES} total: the ledger has 1200000000, the loop 0"),
        ({"positions": {(LOGIT, YES): (1_200_000_000, 7)}}, f"{LOGIT} {YES} held: the ledger has 0, the loop 7"),
        ({"positions": {**LOOP.positions, (LOGIT, "222"): (1, 0)}}, f"{LOGIT} 222 total: the ledger has 0, the loop 1"),
    ],
)
def test_the_first_account_that_differs_is_named(other: dict[str, Any], words: str) -> None:
    assert first_difference(LOOP, LOOP._replace(**other)) == f"EXEC_LEDGER_POSITION_DRIFT: {words}"


def test_empty_books_agree_with_a_loop_that_has_nothing(app: Connection, shard: int) -> None:
    with app.cursor() as cursor:
        assert difference(cursor, shard, Sums(0, 0, 0, 0, {})) is None


def test_what_is_settled_needs_no_place_in_the_comparison(app: Connection, shard: int) -> None:
    book(app, example(), shard)
    with app.cursor() as cursor:
        assert ledger_sums(cursor, shard).positions == {}


def test_shares_held_for_a_sale_are_seen(app: Connection, shard: int) -> None:
    sale = move(15, "hold", LOGIT, HELD, 700 * SHARE, asset=YES, phase=Phase.PENDING)
    book(app, [*example()[:8], sale], shard)
    with app.cursor() as cursor:
        assert ledger_sums(cursor, shard).positions == {(LOGIT, YES): (1_200 * SHARE, 700 * SHARE)}


def test_the_comparison_reads_an_index_of_open_accounts_only(app: Connection, shard: int) -> None:
    book(app, example(), shard)
    with app.transaction():
        app.execute("SET LOCAL enable_seqscan = off")
        plan = app.execute(
            "EXPLAIN SELECT code FROM ledger_account"
            " WHERE shard = %s AND (balance <> 0 OR incoming <> 0 OR outgoing <> 0)",
            (shard,),
        ).fetchall()
    assert "ledger_account_open" in str(plan)
