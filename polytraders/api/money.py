"""Positions and the ledger: what is held, the accounts, the trial balance, and the journal."""

from typing import Any, Literal

from django.http import HttpRequest
from ninja import Field, Schema

from apps.ledger import reports
from apps.ledger.models import Account, Movement, PositionRecord
from polytraders.access.permissions import Permission
from polytraders.api.endpoint import Resource, invalid, missing
from polytraders.api.places import (
    Cursor,
    Limit,
    MarketRef,
    Page,
    Shard,
    iso,
    listed,
    market_ref,
    markets,
    one,
    raw,
    strategies,
)
from polytraders.contracts.market import Outcome

positions = Resource("positions")
ledger = Resource("ledger")
PARTS = 3


class Position(Schema):
    """A strategy's holding of one outcome: 1e-6 shares, micro-pUSD; `realised` is net of fees."""

    id: str = Field(description="market:strategy:outcome", examples=["0:1:0"])
    market: MarketRef
    strategy: str
    outcome: str
    size: int
    cost: int
    realised: int
    fees: int
    changed_ts: int
    changed_at: str
    changed_seq: int


class AccountItem(Schema):
    """One account in one asset, micro-pUSD or 1e-6 shares."""

    id: int
    code: str
    asset: str
    kind: str
    may_be_negative: bool
    balance: int
    incoming: int = Field(description="What pending movements will bring.")
    outgoing: int = Field(description="Held back by pending movements.")
    free: int


class BalanceLine(Schema):
    """One account of the trial balance; one of debit and credit is 0."""

    asset: str
    account: str
    kind: str
    debit: int
    credit: int
    incoming: int
    outgoing: int


class Total(Schema):
    """Sums of one asset; equal, or the books are damaged."""

    asset: str
    debit: int
    credit: int


class TrialBalance(Schema):
    """The whole of it, read in one statement."""

    in_seq: int = Field(description="Input of the last booked event; 0 = nothing is booked.")
    foots: bool = Field(description="Debits equal credits in every asset.")
    totals: list[Total]
    lines: list[BalanceLine]
    empty_accounts: int


class Transfer(Schema):
    """One movement of the journal; `amount` in micro-pUSD or 1e-6 shares."""

    id: int
    source: str = Field(description="in_seq:ordinal:part of the event that caused it.")
    phase: Literal["posted", "pending", "post_pending", "void_pending"]
    ts: int
    at: str
    from_account: str
    to_account: str
    asset: str
    amount: int
    correlation_id: str
    resolves: str | None


@positions.get("/positions", Permission.VIEW, Page[Position])
def list_positions(request: HttpRequest, cursor: Cursor, limit: Limit, shard: Shard) -> dict[str, Any]:
    """What is held, and what has been: the last told market first."""
    rows = PositionRecord.objects.filter(shard=shard)
    if cursor is not None:
        rows = rows.filter(pk__lt=(shard, *_position_key(cursor)))
    found = list(rows.order_by("-shard", "-market", "-strategy", "-outcome")[: limit + 1])
    shown = found[:limit]
    names, known = strategies(shard), markets(shard, (row.market for row in shown))
    items = [_position(row, names, known) for row in shown]
    return {"items": items, "next": items[-1]["id"] if len(found) > limit else None}


@positions.get("/positions/{position_id}", Permission.VIEW, Position, tagged=True)
def get_position(request: HttpRequest, position_id: str, shard: Shard) -> dict[str, Any]:
    """One position by market:strategy:outcome."""
    row = PositionRecord.objects.filter(pk=(shard, *_position_key(position_id))).first()
    if row is None:
        raise missing("no such position")
    return _position(row, strategies(shard), markets(shard, [row.market]))


def _position_key(told: str) -> tuple[int, int, int]:
    parts = told.split(":")
    if len(parts) == PARTS and all(part.isascii() and part.isdigit() and len(part) <= 9 for part in parts):
        market, strategy, outcome = map(int, parts)
        if outcome < len(Outcome):
            return market, strategy, outcome
    raise invalid("a position is market:strategy:outcome")


def _position(row: PositionRecord, names: dict[int, str], known: Any) -> dict[str, Any]:
    same = ("size", "cost", "realised", "fees", "changed_ts", "changed_seq")
    return {name: getattr(row, name) for name in same} | {
        "id": f"{row.market}:{row.strategy}:{row.outcome}",
        "market": market_ref(row.market, known),
        "strategy": names.get(row.strategy) or f"strategy {row.strategy}",
        "outcome": Outcome(row.outcome).name,
        "changed_at": iso(row.changed_ts),
    }


@ledger.get("/ledger/trial-balance", Permission.VIEW, TrialBalance, tagged=True)
def get_trial_balance(request: HttpRequest, shard: Shard) -> dict[str, Any]:
    """The trial balance.

    What enters an account is its debit, what leaves it its credit; only posted amounts are balances.
    """
    found = reports.trial_balance(raw(), shard)
    totals = [{"asset": asset, "debit": debit, "credit": credit} for asset, (debit, credit) in found.totals().items()]
    return {
        "in_seq": found.in_seq,
        "foots": found.foots,
        "totals": totals,
        "lines": [line._asdict() for line in found.lines],
        "empty_accounts": found.empty,
    }


@ledger.get("/ledger/accounts", Permission.VIEW, Page[AccountItem])
def list_accounts(request: HttpRequest, cursor: Cursor, limit: Limit, shard: Shard) -> dict[str, Any]:
    """Accounts with their balances, the last opened first."""
    return listed(Account.objects.filter(shard=shard), limit, cursor, _account)


def _account(row: Account) -> dict[str, Any]:
    same = ("id", "code", "asset", "kind", "may_be_negative", "balance", "incoming", "outgoing", "free")
    return {name: getattr(row, name) for name in same}


@ledger.get("/ledger/transfers", Permission.VIEW, Page[Transfer])
def list_transfers(request: HttpRequest, cursor: Cursor, limit: Limit, shard: Shard) -> dict[str, Any]:
    """The journal, newest first."""
    rows = Movement.objects.filter(shard=shard).select_related("from_account", "to_account")
    return listed(rows, limit, cursor, _transfer)


@ledger.get("/ledger/transfers/{transfer_id}", Permission.VIEW, Transfer, tagged=True)
def get_transfer(request: HttpRequest, transfer_id: str, shard: Shard) -> dict[str, Any]:
    """One movement; booked ones never change."""
    rows = Movement.objects.filter(shard=shard).select_related("from_account", "to_account")
    return _transfer(one(rows, transfer_id, "movement"))


def _transfer(row: Movement) -> dict[str, Any]:
    resolves = (row.resolves_seq, row.resolves_ordinal, row.resolves_part)
    return {
        "id": row.id,
        "source": str(row),
        "phase": row.phase,
        "ts": row.ts,
        "at": iso(row.ts),
        "from_account": row.from_account.code,
        "to_account": row.to_account.code,
        "asset": row.asset,
        "amount": row.amount,
        "correlation_id": row.correlation,
        "resolves": None if resolves[0] is None else ":".join(map(str, resolves)),
    }
