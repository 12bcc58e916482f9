"""The books for other programs: CSV for spreadsheets, beancount for accountants. Both are written as they are read."""

import csv
import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Any, Final, Protocol

import psycopg

from apps.ledger.reports import decimal, journal, moment, movement_fields
from polytraders.contracts.ledger import CASH, FEES, HELD, MONEY, OUTSIDE, POSITION, VENUE, Movement, Phase

FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What makes a spreadsheet run a cell instead of showing it."""
COLUMNS: Final = (
    "in_seq", "ordinal", "part", "phase", "time", "from", "to", "asset", "amount", "correlation", "resolves",
)  # fmt: skip
ACCOUNTS: Final = {
    CASH: "Assets:Cash",
    HELD: "Assets:Held",
    FEES: "Expenses:Fees",
    VENUE: "Equity:Venue",
    OUTSIDE: "Equity:Outside",
}
SHORT: Final = re.compile(r"[a-z0-9][a-z0-9_]{0,39}")


class Out(Protocol):
    """Where the text goes."""

    def write(self, text: str, /) -> object:
        """Take a piece of it."""


def cell(text: str) -> str:
    """A cell that every spreadsheet shows as it is: names of markets and strategies come from elsewhere."""
    return f"'{text}" if text.startswith(FORMULA) else text


def write_csv(conn: psycopg.Connection[Any], shard: int, since: int, out: Out) -> int:
    """All movements from input `since` on, amounts in pUSD or shares. Returns how many."""
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    count = 0
    for made in journal(conn, shard, since):
        count += 1
        fields = movement_fields(made) | {
            "time": moment(made.ts).isoformat(timespec="microseconds"),
            "amount": decimal(made.amount),
        }
        writer.writerow([cell(str(fields[name])) for name in COLUMNS])
    return count


def write_beancount(conn: psycopg.Connection[Any], shard: int, since: int, out: Out) -> int:
    """Posted movements as a beancount file, one transaction per event, with its own proof. Returns how many events.

    Held amounts are not postings: what is only held is still in its account. Where the file begins after the books do,
    its first transaction brings in what was there. At its end every balance is asserted, so beancount finds by itself
    whether it is what the database says.
    """
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        opening, closing = _balances(conn, shard, 0, since), _balances(conn, shard, 0, None)
        first, last = _days(conn, shard, since)
        out.write(f"; Books of shard {shard}. Amounts that are only held stay in the account that holds them.\n")
        out.write(f'option "title" "polytraders shard {shard}"\noption "operating_currency" "{commodity(MONEY)}"\n\n')
        _declare(conn, shard, first, out)
        if any(opening.values()):
            out.write(f'{first} * "opening" "what was there before input {since}"\n')
            _postings(opening, out)
        count = 0
        for source, group in groupby(_posted(conn, shard, since), _source):
            count += 1
            _transaction(source, list(group), out)
        for (account, asset), amount in closing.items():
            out.write(f"{last + timedelta(days=1)} balance {name(account)} {decimal(amount)} {commodity(asset)}\n")
    return count


def commodity(asset: str) -> str:
    """An asset as beancount spells one: capitals, at most 24 of them, and the same asset always the same."""
    return asset.upper() if asset == MONEY else f"T{hashlib.sha256(asset.encode()).hexdigest()[:20].upper()}"


def name(account: str) -> str:
    """An account as beancount spells one; two accounts never get the same name."""
    if not account.startswith(POSITION):
        return ACCOUNTS[account]
    strategy = account.removeprefix(POSITION)
    plain = re.sub(r"[^A-Za-z0-9]", "-", strategy)[:40]
    if SHORT.fullmatch(strategy):
        return f"Assets:Position:{plain[0].upper()}{plain[1:]}"
    return f"Assets:Position:Other:S{plain}-{hashlib.sha256(strategy.encode()).hexdigest()[:16]}"


def quoted(text: str) -> str:
    """A string of beancount, on one line."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ").replace("\r", " ") + '"'


def _balances(conn: psycopg.Connection[Any], shard: int, first: int, before: int | None) -> dict[tuple[str, str], int]:
    rows = conn.execute(
        "SELECT a.code, a.asset, sum(e.posted)::bigint FROM ledger_entry e JOIN ledger_account a ON a.id = e.account_id"
        " WHERE e.shard = %(shard)s AND e.in_seq >= %(first)s AND (%(before)s::bigint IS NULL OR e.in_seq < %(before)s)"
        " GROUP BY a.code, a.asset HAVING sum(e.posted) <> 0 OR %(before)s::bigint IS NULL ORDER BY a.asset, a.code",
        {"shard": shard, "first": first, "before": before},
    )
    return {(code, asset): amount for code, asset, amount in rows}


def _days(conn: psycopg.Connection[Any], shard: int, since: int) -> tuple[date, date]:
    found = conn.execute(
        "SELECT min(ts), max(ts) FROM ledger_transfer WHERE shard = %s AND in_seq >= %s", (shard, since)
    ).fetchone()
    if not found or found[0] is None:
        today = datetime.now(UTC).date()
        return today, today
    return moment(found[0]).date(), moment(found[1]).date()


def _declare(conn: psycopg.Connection[Any], shard: int, first: date, out: Out) -> None:
    rows = conn.execute(
        "SELECT code, asset FROM ledger_account WHERE shard = %s ORDER BY asset, code", (shard,)
    ).fetchall()
    for asset in dict.fromkeys(asset for _, asset in rows):
        out.write(f"{first} commodity {commodity(asset)}\n  asset: {quoted(asset)}\n")
    for account in dict.fromkeys(code for code, _ in rows):
        out.write(f"{first} open {name(account)}\n  account: {quoted(account)}\n")
    out.write("\n")


def _posted(conn: psycopg.Connection[Any], shard: int, since: int) -> Iterator[Movement]:
    return (made for made in journal(conn, shard, since) if made.phase in (Phase.POSTED, Phase.POST_PENDING))


def _source(made: Movement) -> tuple[int, int]:
    return made.source_event


def _transaction(source: tuple[int, int], group: list[Movement], out: Out) -> None:
    parts = " ".join(made.part for made in group)
    out.write(f'{moment(group[0].ts).date()} * "event {source[0]}:{source[1]}" {quoted(parts)}\n')
    out.write(f'  correlation: {quoted(group[0].correlation)}\n  time: "{moment(group[0].ts).isoformat()}"\n')
    for made in group:
        _postings({(made.to_account, made.asset): made.amount, (made.from_account, made.asset): -made.amount}, out, "")
    out.write("\n")


def _postings(amounts: dict[tuple[str, str], int], out: Out, end: str = "\n") -> None:
    for (account, asset), amount in amounts.items():
        out.write(f"  {name(account)}  {decimal(amount)} {commodity(asset)}\n")
    out.write(end)
