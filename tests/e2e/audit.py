"""The books against the exchange's own truth: `python -m tests.e2e.audit HOME` while `polytraders up` runs there.

Money is worked out a second time, from the committed fills alone, in exact fractions: nothing of the ledger, the
journal or the kernel is called. Fees and outcomes are the simulated exchange's, from its admin port.

A taker fill is compared with the exchange's own book at the moment of the last frame that the loop had seen of that
market. What must hold: at that moment, in the millisecond that the frame is stamped with, the level showed what was
filled. Two habits of the market channel may move the moment, and are counted apart:

- `stamped back`: a frame may carry a time of a moment ago, so the moment is somewhere before the next frame's.
- `not told yet`: when an order takes out a level and rests, the level is told as gone only with the next book, up to
  300 ms later. Then a trade at that price must be on record within that time before.
"""

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
import numpy as np
import psycopg

from apps.eventlog import reading
from apps.eventlog.bodies import unbody
from polytraders.contracts.inputs import Kind

SHARD: Final = 0
MS: Final = 1_000_000
UNTOLD_MS: Final = 300
AROUND_MS: Final = 3_000
PRICE: Final = 10_000
FILL, SETTLED = 3, 6
BUY, SELL = 0, 1
BID, ASK = 0, 1
BOOK_KINDS: Final = [int(kind) for kind in (Kind.SNAP_OPEN, Kind.SNAP_LEVEL, Kind.SNAP_CLOSE, Kind.LEVEL)]
MICRO: Final = Fraction(1)
"""The tolerance, 1e-6 pUSD, in the unit of everything here."""


class Market(NamedTuple):
    """What the registry's table says."""

    number: int
    condition: str
    slug: str
    payout: int | None


class Books(NamedTuple):
    """One snapshot of what is committed."""

    seq: int
    fills: list[Any]
    makers: set[tuple[int, int]]
    settled: list[Any]
    capital: int
    accounts: dict[str, int]
    positions: list[tuple[int, int, int, int, int, int, int]]
    markets: dict[int, Market]


class Money(NamedTuple):
    """Micro-pUSD."""

    cash: Fraction
    fees: Fraction
    realised: Fraction
    cost: Fraction


def _key(row: Any) -> tuple[int, int]:
    return int(row["in_seq"]), int(row["ordinal"])


class Audit:
    """Compares again and again; each fill is compared with the exchange's book once, while the exchange remembers it.

    Attributes:
        found: How many taker fills were compared, by how they agreed.
        wrong: What cannot be, in words.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.dsn = ""
        self.start_ns = 0
        self.found: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.admin = httpx.Client(timeout=10)
        self._seen: set[tuple[int, int]] = set()
        self._read_to = 0
        self._moments: dict[int, int] = defaultdict(int)
        self._taken: Counter[tuple[int, int, int, int]] = Counter()

    def reach(self) -> None:
        """Find the servers where they are now: each start has other addresses."""
        self.dsn = json.loads((self.home / "run.json").read_text())["environ"]["DATABASE_URL"]
        ready = json.loads((self.home / "run" / "simulator.ready").read_text())
        self.start_ns = ready["start_ms"] * MS
        self.admin.base_url = ready["admin"]

    def close(self) -> None:
        self.admin.close()

    def _ask(self, path: str, **query: Any) -> httpx.Response:
        return self.admin.get(path, params=query)

    def books(self) -> Books:
        """Everything that money is made of, in one snapshot."""
        self.reach()
        with psycopg.connect(self.dsn) as conn:
            conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            seq = conn.execute("SELECT seq FROM log_head WHERE shard = %s", (SHARD,)).fetchone()
            rows: dict[int, list[Any]] = {FILL: [], SETTLED: []}
            query = "SELECT kind, body FROM log_output WHERE shard = %s AND kind IN (%s, %s) ORDER BY in_seq, ordinal"
            for kind, body in conn.execute(query, (SHARD, FILL, SETTLED)):
                rows[kind].append(unbody(body)[0])
            capital = conn.execute(
                "SELECT row FROM log_control WHERE shard = %s AND kind = %s", (SHARD, int(Kind.CAPITAL))
            ).fetchall()
            sizes = [int.from_bytes(bytes(row[0])[48:56], "little", signed=True) for row in capital]
            accounts = conn.execute(
                "SELECT code, sum(balance)::bigint FROM ledger_account WHERE shard = %s AND asset = 'pUSD' GROUP BY 1",
                (SHARD,),
            ).fetchall()
            positions = conn.execute(
                "SELECT market, strategy, outcome, size, cost, realised, fees FROM ledger_position WHERE shard = %s",
                (SHARD,),
            ).fetchall()
            markets = conn.execute(
                "SELECT market, condition_id, slug, payout FROM registry_market WHERE shard = %s", (SHARD,)
            ).fetchall()
            makers = conn.execute("SELECT in_seq, ordinal FROM oms_fill WHERE shard = %s AND is_maker", (SHARD,))
            return Books(
                seq=seq[0] if seq else 0,
                fills=rows[FILL],
                makers=set(makers.fetchall()),
                settled=rows[SETTLED],
                capital=sum(sizes),
                accounts=dict(accounts),
                positions=positions,
                markets={row[0]: Market(*row) for row in markets},
            )

    # --- money --------------------------------------------------------------------------------------------------------

    def outcomes(self) -> dict[str, Fraction]:
        """What a YES share of each resolved market is worth, by condition id."""
        return {one["market"]: Fraction(str(one["payout_yes"])) for one in self._ask("/outcomes").json()}

    def fee(self, market: Market, fill: Any) -> Fraction:
        """What the exchange would have taken for it."""
        price, size = int(fill["price"]), int(fill["size"])
        answer = self._ask("/fee", market=market.condition, price=price, size=size)
        if answer.status_code != 200:
            raise LookupError(f"{market.slug}: the exchange does not know its fee any more")
        return Fraction(answer.json()["fee"]) * 10**6

    def money(self, books: Books) -> Money:
        """Cash, fees, realised gains and the cost of what is held, from fills, outcomes and the exchange's fees."""
        outcomes = self.outcomes()
        cash, fees, realised = Fraction(books.capital), Fraction(0), Fraction(0)
        held: dict[tuple[int, int, int], tuple[int, Fraction]] = {}
        for row in sorted([*books.fills, *books.settled], key=_key):
            pair = int(row["market"]), int(row["strategy"]), int(row["outcome"])
            market, size = books.markets[pair[0]], int(row["size"])
            quantity, cost = held.get(pair, (0, Fraction(0)))
            if int(row["kind"]) == SETTLED:
                yes = outcomes.get(market.condition)
                if yes is None:
                    self.wrong.append(f"{market.slug} was paid out and the exchange has no outcome")
                    continue
                proceeds, spent = size * (1 - yes if pair[2] else yes), Fraction(0)
            elif int(row["action"]) == SELL:
                proceeds, spent = Fraction(int(row["price"]) * size, PRICE), Fraction(0)
            else:
                proceeds, spent = Fraction(0), Fraction(int(row["price"]) * size, PRICE)
            if int(row["kind"]) == FILL and _key(row) not in books.makers:
                charged = self.fee(market, row)
                fees, cash = fees + charged, cash - charged
            cash += proceeds - spent
            if spent:
                held[pair] = quantity + size, cost + spent
            else:
                if size > quantity:
                    self.wrong.append(f"{market.slug}: {size} shares went and {quantity} were held")
                # A part of what is held takes its part of the cost with it, in whole micros; the last of it the rest.
                share = Fraction(cost * size // quantity) if size < quantity else cost
                realised += proceeds - share
                held[pair] = quantity - size, cost - share
        return Money(cash, fees, realised, sum((cost for _, cost in held.values()), Fraction(0)))

    def differences(self, books: Books) -> dict[str, Fraction]:
        """Ours minus the ledger's, micro-pUSD: cash, fees, realised gains after fees, and the cost of what is held."""
        ours = self.money(books)
        told = books.accounts
        cash = told.get("cash", 0) + told.get("held", 0)
        return {
            "cash": ours.cash - cash,
            "fees": ours.fees - told.get("fees", 0),
            "realised": ours.realised - ours.fees - sum(row[5] for row in books.positions),
            "cost": ours.cost - sum(row[4] for row in books.positions),
        }

    def payouts(self, books: Books) -> int:
        """Resolved markets whose payout is the exchange's; any other is wrong."""
        outcomes, agreed = self.outcomes(), 0
        for market in books.markets.values():
            truth = outcomes.get(market.condition)
            if market.payout is None or truth is None:
                continue
            agreed += truth * PRICE == market.payout
            if truth * PRICE != market.payout:
                self.wrong.append(f"{market.slug} pays {truth}, the log says {market.payout}")
        return agreed

    # --- fills --------------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Compare the taker fills that are new."""
        books = self.books()
        new = [row for row in books.fills if _key(row) not in self._seen | books.makers]
        moments = self._moments_of({int(row["in_seq"]): int(row["market"]) for row in new}, books.seq)
        for row in new:
            self._seen.add(_key(row))
            if int(row["ts"]) < self.start_ns:
                self.found["of an earlier run"] += 1
                continue
            after, before = moments[int(row["in_seq"])]
            self._compare(books.markets[int(row["market"])], row, after, before)

    def _moments_of(self, wanted: dict[int, int], until: int) -> dict[int, tuple[int, int]]:
        """For each input: the newest stamp among its market's frames before it, and the first newer one after; ms."""
        found: dict[int, tuple[int, int]] = {}
        open_ones: dict[int, int] = {}
        for rows in reading.inputs(self.dsn, self.home, SHARD, self._read_to, until):
            told = rows[np.isin(rows["kind"], BOOK_KINDS)]
            fills = [in_seq for in_seq in wanted if rows["in_seq"][0] <= in_seq <= rows["in_seq"][-1]]
            for market in {*told["market"].tolist()}:
                mine = told[told["market"] == market]
                stamps = np.maximum.accumulate(np.maximum(mine["source_ts"] // MS, self._moments[market]))
                for in_seq in [one for one in [*open_ones, *fills] if wanted[one] == market]:
                    at = int(np.searchsorted(mine["in_seq"], in_seq))
                    if in_seq not in open_ones:
                        open_ones[in_seq] = int(stamps[at - 1]) if at else self._moments[market]
                    newer = np.flatnonzero(stamps > open_ones[in_seq])
                    if len(newer):
                        found[in_seq] = open_ones.pop(in_seq), int(stamps[newer[0]])
                self._moments[market] = int(stamps[-1])
            for in_seq in fills:
                if in_seq not in found and in_seq not in open_ones:
                    open_ones[in_seq] = self._moments[wanted[in_seq]]
            self._read_to = int(rows["in_seq"][-1])
        return found | {in_seq: (stamp, stamp + 1) for in_seq, stamp in open_ones.items()}

    def _compare(self, market: Market, row: Any, stamp_ms: int, next_ms: int) -> None:
        """One fill with the exchange's book."""
        buys_yes = (int(row["action"]) == BUY) == (int(row["outcome"]) == 0)
        side = ASK if buys_yes else BID
        price = PRICE - int(row["price"]) if int(row["outcome"]) else int(row["price"])
        # What earlier fills of the same input had of the level was no longer there for this one.
        key = int(row["in_seq"]), int(row["market"]), side, price
        self._taken[key] += int(row["size"])
        wanted = self._taken[key]
        shown = self._shown(market, side, price, stamp_ms * MS - 1, (stamp_ms + 1) * MS - 1)
        if shown is None:
            self.found["the exchange has forgotten"] += 1
        elif max(shown) >= wanted:
            self.found["as the book was"] += 1
        elif max(self._shown(market, side, price, stamp_ms * MS - 1, next_ms * MS - 1) or [0]) >= wanted:
            self.found["stamped back"] += 1
        elif self._untold(market, side, price, stamp_ms, wanted):
            self.found["not told yet"] += 1
        else:
            self.found["wrong"] += 1
            self.wrong.append(
                f"fill {key[0]} of {wanted} at {price} in {market.slug}: the book showed {shown} at {stamp_ms} ms; "
                + self._around(market, side, price, stamp_ms)
            )

    def _shown(self, market: Market, side: int, price: int, from_ns: int, to_ns: int) -> list[int] | None:
        """Sizes of a level from one instant to another, the first one's with it; None when that is forgotten."""
        book = self._ask("/book_at", market=market.condition, ts_ns=from_ns)
        if book.status_code != 200:
            return None
        levels = dict(map(tuple, book.json()["asks" if side == ASK else "bids"]))
        sizes = [levels.get(price, 0)]
        changes = self._ask("/changes", market=market.condition, from_ns=from_ns, to_ns=to_ns).json()["rows"]
        return sizes + [size for _, at_side, at_price, size in changes if (at_side, at_price) == (side, price)]

    def _untold(self, market: Market, side: int, price: int, stamp_ms: int, wanted: int) -> bool:
        """Whether a trade took the level within the time in which the channel may keep it to itself."""
        first = (stamp_ms - UNTOLD_MS) * MS
        trades = self._ask("/trades", market=market.condition, from_ns=first, to_ns=(stamp_ms + 1) * MS).json()
        took = any(one["price"] == price and one["side"] == 1 - side for one in trades["trades"])
        return took and max(self._shown(market, side, price, first, (stamp_ms + 1) * MS) or [0]) >= wanted

    def _around(self, market: Market, side: int, price: int, stamp_ms: int) -> str:
        """What became of a level within some seconds of a moment, for whoever has to find out why."""
        first, last = (stamp_ms - AROUND_MS) * MS, (stamp_ms + AROUND_MS) * MS
        rows = self._ask("/changes", market=market.condition, from_ns=first, to_ns=last).json()["rows"]
        trades = self._ask("/trades", market=market.condition, from_ns=first, to_ns=last).json()["trades"]
        sizes = [(at / MS - stamp_ms, size) for at, *where, size in rows if where == [side, price]]
        taken = [(one["ts_ns"] / MS - stamp_ms, one["side"]) for one in trades if one["price"] == price]
        return f"(ms, size) of the level around it: {sizes}; (ms, side) of trades at it: {taken}"

    @property
    def compared(self) -> int:
        """Taker fills that the exchange could be asked about."""
        return sum(self.found[how] for how in ("as the book was", "stamped back", "not told yet", "wrong"))


def report(audit: Audit, books: Books) -> Iterable[str]:
    """What was found, line by line."""
    yield f"input {books.seq}: {len(books.fills)} fills, {len(books.settled)} positions paid out"
    for what, difference in audit.differences(books).items():
        yield f"{what:<10} differs by {float(difference):.6f} micro-pUSD"
    yield f"{audit.payouts(books)} payouts are the exchange's"
    yield f"{audit.compared} taker fills compared: " + ", ".join(f"{n} {how}" for how, n in audit.found.items())
    yield from audit.wrong


def main() -> int:
    """0 when everything agrees."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.audit", description="The books against the exchange.")
    parser.add_argument("home", type=Path)
    audit = Audit(parser.parse_args().home)
    audit.look()
    books = audit.books()
    sys.stdout.writelines(f"{line}\n" for line in report(audit, books))
    return 1 if audit.wrong or any(abs(each) > MICRO for each in audit.differences(books).values()) else 0


if __name__ == "__main__":
    sys.exit(main())
