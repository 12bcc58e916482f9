"""Books a block's movements: accounts are opened at first use, then all rows go in by one COPY.

The caller owns the transaction: a block, its outputs and its movements are committed together or not at all. Everything
that the ledger refuses is refused by the database; here its words become a reason code.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import psycopg
from psycopg import errors

from polytraders.contracts.ledger import Movement, Phase

COLUMNS: Final = (
    "shard, in_seq, ordinal, part, phase, from_account, to_account, asset, amount, ts, correlation, resolves_seq,"
    " resolves_ordinal, resolves_part"
)
TYPES: Final = (
    "int4", "int8", "int8", "text", "text", "int8", "int8", "text", "int8", "int8", "text", "int8", "int8", "text",
)  # fmt: skip
BY_CONSTRAINT: Final = {
    "ledger_transfer_event": "EXEC_LEDGER_DUPLICATE",
    "ledger_transfer_ended": "EXEC_LEDGER_CLOSED",
    "ledger_transfer_amount": "EXEC_LEDGER_AMOUNT_INVALID",
    "ledger_transfer_accounts": "EXEC_LEDGER_ACCOUNTS_EQUAL",
    "ledger_transfer_from": "EXEC_LEDGER_ASSET_MISMATCH",
    "ledger_transfer_to": "EXEC_LEDGER_ASSET_MISMATCH",
    "ledger_transfer_resolves": "EXEC_LEDGER_PENDING_MISMATCH",
    "ledger_entry_asset": "EXEC_LEDGER_ASSET_MISMATCH",
    "ledger_account_overdraft": "EXEC_LEDGER_OVERDRAFT",
}
BY_TRIGGER: Final = frozenset(
    {
        "EXEC_LEDGER_OVERDRAFT",
        "EXEC_LEDGER_UNBALANCED",
        "EXEC_LEDGER_PENDING_MISMATCH",
        "EXEC_LEDGER_LATE",
        "EXEC_LEDGER_IMMUTABLE",
    }
)
"""Codes with which the words of the database's own triggers begin."""
HOLDS_AT_ONCE: Final = 500


class LedgerError(Exception):
    """The database refused a booking. Nothing of the transaction may be kept.

    Attributes:
        code: Reason code.
    """

    def __init__(self, code: str, words: str) -> None:
        """What was refused, in the database's words."""
        super().__init__(f"{code}: {words}")
        self.code = code


def refusal(error: psycopg.Error) -> LedgerError:
    """The database's error as a reason code, for errors of this module's statements and of the commit after them."""
    words = str(error.diag.message_primary or error)
    said, _, rest = words.partition(": ")
    if said in BY_TRIGGER:
        return LedgerError(said, rest)
    code = BY_CONSTRAINT.get(error.diag.constraint_name or "", "")
    if not code:
        code = "EXEC_LEDGER_IMMUTABLE" if isinstance(error, errors.InsufficientPrivilege) else "EXEC_LEDGER_REFUSED"
    return LedgerError(code, f"{words} {error.diag.message_detail or ''}".strip())


def post(cursor: psycopg.Cursor[Any], shard: int, movements: Sequence[Movement]) -> None:
    """Book movements, in their order, inside the caller's transaction.

    Args:
        cursor: Of a connection that may insert into the ledger; its rows are tuples.
        shard: Whose books.
        movements: Of one block, or of several in the order of their events.

    Raises:
        LedgerError: The ledger does not take one of them; the transaction can only be rolled back.
        psycopg.OperationalError: The server went away.
    """
    if not movements:
        return
    try:
        ids = _accounts(cursor, shard, movements)
        with cursor.copy(f"COPY ledger_transfer ({COLUMNS}) FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(TYPES)
            for movement in movements:
                copy.write_row(_row(shard, movement, ids))
    except psycopg.OperationalError:
        # A server that went away has refused nothing.
        raise
    except psycopg.Error as error:
        raise refusal(error) from error


def _row(shard: int, made: Movement, ids: dict[tuple[str, str], int]) -> tuple[object, ...]:
    return (
        shard, *made.source_event, made.part, made.phase.value, ids[made.from_account, made.asset],
        ids[made.to_account, made.asset], made.asset, made.amount, made.ts, made.correlation,
        *(made.resolves or (None, None, None)),
    )  # fmt: skip


def _accounts(cursor: psycopg.Cursor[Any], shard: int, movements: Iterable[Movement]) -> dict[tuple[str, str], int]:
    """Ids of all accounts that the movements name; those that are not there yet are opened."""
    wanted = {(code, made.asset) for made in movements for code in (made.from_account, made.to_account)}
    known = _ids(cursor, shard, wanted)
    if missing := sorted(wanted - known.keys()):
        codes, assets = [code for code, _ in missing], [asset for _, asset in missing]
        cursor.execute(
            "INSERT INTO ledger_account (shard, code, asset)"
            " SELECT %s, * FROM unnest(%s::text[], %s::text[]) ON CONFLICT DO NOTHING",
            (shard, codes, assets),
        )
        known |= _ids(cursor, shard, missing)
    return known


def _ids(cursor: psycopg.Cursor[Any], shard: int, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
    pairs = list(wanted)
    cursor.execute(
        "SELECT a.code, a.asset, a.id FROM unnest(%s::text[], %s::text[]) w (code, asset)"
        " JOIN ledger_account a ON a.shard = %s AND a.code = w.code AND a.asset = w.asset",
        ([code for code, _ in pairs], [asset for _, asset in pairs], shard),
    )
    return {(code, asset): found for code, asset, found in cursor.fetchall()}


def movement(row: Sequence[Any]) -> Movement:
    """A row of `SELECT_MOVEMENTS` as it was posted."""
    in_seq, ordinal, part, phase, from_account, to_account, asset, amount, ts, correlation, *resolves = row
    return Movement(
        source_event=(in_seq, ordinal),
        part=part,
        phase=Phase(phase),
        from_account=from_account,
        to_account=to_account,
        asset=asset,
        amount=amount,
        ts=ts,
        correlation=correlation,
        resolves=None if resolves[0] is None else (resolves[0], resolves[1], resolves[2]),
    )


SELECT_MOVEMENTS: Final = (
    "SELECT t.in_seq, t.ordinal, t.part, t.phase, f.code, o.code, t.asset, t.amount, t.ts, t.correlation,"
    " t.resolves_seq, t.resolves_ordinal, t.resolves_part FROM ledger_transfer t"
    " JOIN ledger_account f ON f.id = t.from_account JOIN ledger_account o ON o.id = t.to_account"
)

SELECT_PENDING: Final = (
    f"{SELECT_MOVEMENTS.replace(' FROM', ', t.id, e.id IS NOT NULL FROM', 1)}"
    " LEFT JOIN ledger_transfer e ON e.shard = t.shard AND e.resolves_seq = t.in_seq AND e.resolves_ordinal = t.ordinal"
    " AND e.resolves_part = t.part AND e.resolves_seq IS NOT NULL"
    " WHERE t.shard = %s AND t.phase = 'pending' AND (t.in_seq, t.id) < (%s, %s)"
    " ORDER BY t.in_seq DESC, t.id DESC LIMIT %s"
)
"""Pending rows from the newest backwards, each with its id and whether something has ended it."""


def open_holds(conn: psycopg.Connection[Any], shard: int) -> list[Movement]:
    """Every pending movement that nothing has ended, oldest first.

    Reads pending rows from the newest backwards, and only until they make up what the accounts say is held: what a
    restart costs does not grow with the age of the books.

    Raises:
        LedgerError: The rows do not make up what the accounts say.
    """
    with conn.cursor() as cursor:
        cursor.execute("SELECT code, asset, outgoing FROM ledger_account WHERE shard = %s AND outgoing <> 0", (shard,))
        left = {(code, asset): outgoing for code, asset, outgoing in cursor.fetchall()}
        found: list[Movement] = []
        before: tuple[int, int] = (2**63 - 1, 2**63 - 1)
        while any(left.values()):
            cursor.execute(SELECT_PENDING, (shard, *before, HOLDS_AT_ONCE))
            rows = cursor.fetchall()
            if not rows:
                break
            before = (rows[-1][0], rows[-1][-2])
            still = [movement(row) for *row, _, ended in rows if not ended]
            for made in still:
                key = made.from_account, made.asset
                left[key] = left.get(key, 0) - made.amount
            found += still
    if wrong := [key for key, amount in left.items() if amount]:
        raise LedgerError("EXEC_LEDGER_BALANCE_DRIFT", f"open holds of {' '.join(wrong[0])} are not what it holds")
    return found[::-1]
