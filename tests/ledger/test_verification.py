"""What somebody with the owner's rights does to the books is found, and the first bad row is named."""

import psycopg
import pytest

from apps.ledger.verification import check
from polytraders.contracts import state as s
from polytraders.contracts.inputs import Kind
from tests.ledger.booked import book, end, example, hold

Connection = psycopg.Connection

CAUSES = ((1, -1, Kind.CAPITAL), (7, 0, s.APPROVAL), (9, 0, s.FILL), (12, 0, s.DONE), (20, 0, s.SETTLED))


def cause(conn: Connection, seq: int, ordinal: int, kind: int) -> None:
    """An event of the log that moves money; ordinal -1 = an input."""
    if ordinal < 0:
        conn.execute(
            "INSERT INTO log_control (shard, in_seq, kind, market, actor, key, row)"
            " VALUES (0, %s, %s, -1, 't', '', %s)",
            (seq, kind, bytes(80)),
        )
    else:
        conn.execute(
            "INSERT INTO log_output (shard, in_seq, ordinal, market, strategy, kind, first, votes, order_seq, body)"
            " VALUES (0, %s, %s, 0, 0, %s, 0, 0, %s, %s)",
            (seq, ordinal, kind, seq if kind == s.APPROVAL else None, b"\1"),
        )


@pytest.fixture
def books(breaker: Connection) -> Connection:
    """The worked example with the log that it comes from."""
    for seq, ordinal, kind in CAUSES:
        cause(breaker, seq, ordinal, kind)
    book(breaker, example())
    return breaker


def test_sound_books_pass(books: Connection) -> None:
    assert check(books, 0) is None


def test_empty_books_pass(books: Connection) -> None:
    assert check(books, 5) is None


DRIFT = (
    "EXEC_LEDGER_BALANCE_DRIFT: cash pUSD says 10428160001, 0 in and 0 out are pending; its entries add up to"
    " 10428160000, 0 and 0"
)
TAMPERED = [
    ("UPDATE ledger_account SET balance = balance + 1 WHERE code = 'cash'", DRIFT),
    ("UPDATE ledger_entry SET posted = posted + 1 WHERE in_seq = 9 AND posted = 3840000",
     "EXEC_LEDGER_UNCAUSED: transfer 9:0:fee has not the two entries that it must have"),
    ("DELETE FROM ledger_entry WHERE in_seq = 1 AND leg = 0",
     "EXEC_LEDGER_UNCAUSED: transfer 1:0:capital has not the two entries that it must have"),
    ("UPDATE ledger_transfer SET amount = 1 WHERE in_seq = 20 AND part = 'money'",
     "EXEC_LEDGER_UNCAUSED: transfer 20:0:money has not the two entries that it must have"),
    ("UPDATE ledger_transfer SET resolves_part = 'none' WHERE in_seq = 12",
     "EXEC_LEDGER_PENDING_MISMATCH: transfer 12:0:void ends a pending one that is not there or is another"),
    ("DELETE FROM log_output WHERE in_seq = 12",
     "EXEC_LEDGER_UNCAUSED: transfer 12:0:void has no event in the log"),
    ("DELETE FROM log_control WHERE in_seq = 1",
     "EXEC_LEDGER_UNCAUSED: transfer 1:0:capital has no event in the log"),
]  # fmt: skip


@pytest.mark.parametrize(("statement", "words"), TAMPERED)
def test_what_was_tampered_with_is_named(books: Connection, statement: str, words: str) -> None:
    for table in ("ledger_account", "ledger_entry", "ledger_transfer", "log_output", "log_control"):
        books.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER".encode())
    books.execute(statement.encode())
    assert check(books, 0) == words


@pytest.mark.parametrize("kind", [s.APPROVAL, s.FILL, s.DONE, s.SETTLED])
def test_an_event_without_a_transfer_is_named(books: Connection, kind: int) -> None:
    cause(books, 30, 2, kind)
    assert check(books, 0) == "EXEC_LEDGER_UNBOOKED: event 30:2 of the log moved money and has no transfer"


def test_capital_without_a_transfer_is_named(books: Connection) -> None:
    cause(books, 30, -1, Kind.CAPITAL)
    assert check(books, 0) == "EXEC_LEDGER_UNBOOKED: event 30:0 of the log moved money and has no transfer"


def test_a_transfer_without_an_event_is_named(books: Connection) -> None:
    made = hold(30, 5)
    book(books, [made, end(31, made)])
    assert check(books, 0) == "EXEC_LEDGER_UNCAUSED: transfer 30:0:hold has no event in the log"


def test_a_row_that_moves_nothing_is_no_event(books: Connection) -> None:
    cause(books, 30, 0, s.PACKET)
    assert check(books, 0) is None
