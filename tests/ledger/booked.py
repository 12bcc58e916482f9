"""Movements as tests write them, and what the database holds after them."""

from collections.abc import Sequence

import psycopg

from apps.ledger.posting import post
from polytraders.contracts.ledger import CASH, FEES, HELD, MONEY, OUTSIDE, VENUE, Movement, Phase

SHARE = 1_000_000
LOGIT = "position:logit"
YES = "111"
NOW = 1_700_000_050_840_000_000
Balances = dict[tuple[str, str], tuple[int, int, int]]


def move(
    seq: int,
    part: str,
    from_account: str,
    to_account: str,
    amount: int,
    *,
    asset: str = MONEY,
    phase: Phase = Phase.POSTED,
    ordinal: int = 0,
    resolves: tuple[int, int, str] | None = None,
    correlation: str = "7:0:0",
) -> Movement:
    return Movement(
        source_event=(seq, ordinal),
        part=part,
        phase=phase,
        from_account=from_account,
        to_account=to_account,
        asset=asset,
        amount=amount,
        ts=NOW + seq * 1_000_000,
        correlation=correlation,
        resolves=resolves,
    )


def capital(seq: int, amount: int) -> Movement:
    return move(seq, "capital", OUTSIDE, CASH, amount, correlation="")


def hold(seq: int, amount: int) -> Movement:
    return move(seq, "hold", CASH, HELD, amount, phase=Phase.PENDING)


def end(seq: int, held: Movement, phase: Phase = Phase.VOID_PENDING, part: str = "void") -> Movement:
    return move(
        seq, part, held.from_account, held.to_account, held.amount, asset=held.asset, phase=phase,
        resolves=(*held.source_event, held.part),
    )  # fmt: skip


def example() -> list[Movement]:
    """BUY 2,000 YES at 0.65 at most: 1,200 fill at 0.64 for a fee of 3.84, the rest expires, the market pays out."""
    first, second = hold(7, 1_300 * SHARE), hold(9, 520 * SHARE)
    return [
        capital(1, 10_000 * SHARE),
        first,
        end(9, first),
        move(9, "money", CASH, VENUE, 768 * SHARE),
        move(9, "fee", CASH, FEES, 3_840_000),
        move(9, "shares", VENUE, LOGIT, 1_200 * SHARE, asset=YES),
        second,
        end(12, second),
        move(20, "shares", LOGIT, VENUE, 1_200 * SHARE, asset=YES),
        move(20, "money", VENUE, CASH, 1_200 * SHARE),
    ]


def book(conn: psycopg.Connection, movements: Sequence[Movement], shard: int = 0) -> None:
    """Post and commit."""
    with conn.transaction(), conn.cursor() as cursor:
        post(cursor, shard, movements)


def balances(conn: psycopg.Connection, shard: int = 0) -> Balances:
    """Posted, incoming and outgoing of every account."""
    rows = conn.execute(
        "SELECT code, asset, balance, incoming, outgoing FROM ledger_account WHERE shard = %s", (shard,)
    )
    return {(code, asset): (balance, incoming, outgoing) for code, asset, balance, incoming, outgoing in rows}


def entry_sums(conn: psycopg.Connection, shard: int = 0) -> Balances:
    """The same, added up from the entries."""
    rows = conn.execute(
        "SELECT a.code, a.asset, sum(e.posted)::bigint, sum(e.incoming)::bigint, sum(e.outgoing)::bigint"
        " FROM ledger_entry e JOIN ledger_account a ON a.id = e.account_id WHERE e.shard = %s GROUP BY 1, 2",
        (shard,),
    )
    return {(code, asset): (posted, incoming, outgoing) for code, asset, posted, incoming, outgoing in rows}
