"""The books as people read them: the trial balance and the journal.

In an accountant's terms: what enters an account is its debit, what leaves it its credit. Amounts are exact decimals of
pUSD or shares. Only posted amounts are balances; what is held is shown beside them.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import psycopg

from apps.ledger.posting import SELECT_MOVEMENTS, movement
from polytraders.contracts.inputs import SIZE_UNIT
from polytraders.contracts.ledger import MONEY, Movement

ROWS_AT_ONCE: Final = 2_000


class Line(NamedTuple):
    """One account in one asset, micro-pUSD or 1e-6 shares; one of debit and credit is 0.

    Attributes:
        outgoing: Held back from the balance by pending movements.
        incoming: What pending movements will bring.
    """

    asset: str
    account: str
    kind: str
    debit: int
    credit: int
    outgoing: int
    incoming: int


class TrialBalance(NamedTuple):
    """The whole of it.

    Attributes:
        in_seq: Input of the last booked event, 0 = nothing has been booked.
        lines: Accounts that are not empty, money first, then by asset and account.
        empty: How many accounts there are besides, with nothing in them.
    """

    in_seq: int
    lines: tuple[Line, ...]
    empty: int

    def totals(self) -> dict[str, tuple[int, int]]:
        """Sums of debits and credits by asset; equal, or the books are damaged."""
        found: dict[str, tuple[int, int]] = {}
        for line in self.lines:
            debit, credit = found.get(line.asset, (0, 0))
            found[line.asset] = debit + line.debit, credit + line.credit
        return found

    @property
    def foots(self) -> bool:
        """Whether debits equal credits in every asset."""
        return all(debit == credit for debit, credit in self.totals().values())


def trial_balance(conn: psycopg.Connection[Any], shard: int) -> TrialBalance:
    """Read it in one statement, so that a loop that goes on booking cannot tear it."""
    rows = conn.execute(
        "SELECT a.asset, a.code, a.kind, a.balance, a.outgoing, a.incoming,"
        " (SELECT coalesce(max(last_seq), 0) FROM ledger_batch b WHERE b.shard = a.shard)"
        " FROM ledger_account a WHERE a.shard = %s ORDER BY a.asset <> %s, a.asset, a.code",
        (shard, MONEY),
    ).fetchall()
    lines = tuple(
        Line(asset, code, kind, max(balance, 0), max(-balance, 0), outgoing, incoming)
        for asset, code, kind, balance, outgoing, incoming, _ in rows
        if balance or outgoing or incoming
    )
    return TrialBalance(rows[0][-1] if rows else 0, lines, len(rows) - len(lines))


def journal(conn: psycopg.Connection[Any], shard: int, since: int = 0) -> Iterator[Movement]:
    """Movements from input `since` on, in the order of their events, read as they are wanted.

    The connection is in a transaction until the last one is read or the iterator is closed.
    """
    with conn.transaction(), conn.cursor("ledger_journal") as cursor:
        cursor.itersize = ROWS_AT_ONCE
        cursor.execute(
            f"{SELECT_MOVEMENTS} WHERE t.shard = %s AND t.in_seq >= %s ORDER BY t.in_seq, t.ordinal, t.id",
            (shard, since),
        )
        yield from map(movement, cursor)


def decimal(amount: int) -> str:
    """Micro-pUSD or 1e-6 shares in whole ones, all six places."""
    whole, part = divmod(abs(amount), SIZE_UNIT)
    return f"{'-' if amount < 0 else ''}{whole}.{part:06d}"


def moment(ts: int) -> datetime:
    """Nanoseconds UTC as a time, to the microsecond."""
    return datetime.fromtimestamp(ts // 1_000_000_000, UTC).replace(microsecond=ts % 1_000_000_000 // 1_000)


def empty(shard: int, since: int) -> str:
    """What is said where there is nothing to show."""
    if since:
        return f"Nothing has been booked for shard {shard} from input {since} on."
    return f"The ledger of shard {shard} is empty: no capital has come in and nothing has been traded."


def trial_balance_text(shard: int, found: TrialBalance) -> str:
    """A table per asset, footed."""
    if not found.lines:
        return empty(shard, 0) if not found.empty else f"All {found.empty} accounts of shard {shard} are empty."
    width = max(len(line.account) + len(line.kind) + 3 for line in found.lines)
    out = [f"Trial balance of shard {shard} after input {found.in_seq}"]
    asset = None
    totals = found.totals()
    for at, line in enumerate(found.lines):
        if line.asset != asset:
            asset = line.asset
            out += ["", asset, _columns("", "debit", "credit", "held", width)]
        held = decimal(line.outgoing) if line.outgoing else ""
        name = f"{line.account} ({line.kind})"
        debit, credit = (decimal(amount) if amount else "" for amount in (line.debit, line.credit))
        out.append(_columns(name, debit, credit, held, width))
        if at + 1 == len(found.lines) or found.lines[at + 1].asset != asset:
            debits, credits_ = totals[asset]
            out.append(_columns("sum", decimal(debits), decimal(credits_), "", width))
            if debits != credits_:
                out.append(f"  EXEC_LEDGER_UNBALANCED: debits and credits differ by {decimal(debits - credits_)}")
    if found.empty:
        out += ["", f"{found.empty} more accounts are empty."]
    return "\n".join(out)


def _columns(name: str, debit: str, credit: str, held: str, width: int) -> str:
    return f"  {name:<{width}} {debit:>20} {credit:>20} {held:>20}".rstrip()


def journal_line(made: Movement) -> str:
    """One movement on one line: when, what caused it, what it does, and what it belongs to."""
    source = f"{made.source_event[0]}:{made.source_event[1]}:{made.part}"
    resolves = f" of {':'.join(map(str, made.resolves))}" if made.resolves else ""
    return (
        f"{moment(made.ts).isoformat(timespec='milliseconds')}  {source:<20} {made.phase.value + resolves:<14} "
        f"{decimal(made.amount):>18} {made.asset}  {made.from_account} -> {made.to_account}  "
        f"{made.correlation or '-'}"
    )


def movement_fields(made: Movement) -> dict[str, Any]:
    """The same for machines: amounts stay integers."""
    return {
        "in_seq": made.source_event[0],
        "ordinal": made.source_event[1],
        "part": made.part,
        "phase": made.phase.value,
        "ts": made.ts,
        "from": made.from_account,
        "to": made.to_account,
        "asset": made.asset,
        "amount": made.amount,
        "correlation": made.correlation,
        "resolves": ":".join(map(str, made.resolves)) if made.resolves else "",
    }
