"""The truth, for tests and for whoever checks the books: what really happened, what things were really worth.

JSON over HTTP on a loopback port of its own, which no customer would have. Prices are price units of YES, sizes 1e-6
shares, times ns of exchange time; money is text in pUSD.
"""

import asyncio
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import msgspec

from polytraders.contracts.inputs import ASK, BID, PRICE_UNIT, SIZE_UNIT
from polytraders.venues.simulator.faces import Faces
from polytraders.venues.simulator.listing import Market

BODY_MAX: Final = 1024 * 1024
HEAD_S: Final = 5.0
ROWS_MAX: Final = 100_000

Query = dict[str, str]
Answer = tuple[int, Any]
_PHRASES: Final = {200: "OK", 400: "Bad Request", 404: "Not Found", 410: "Gone", 413: "Content Too Large"}


class Refusal(Exception):  # noqa: N818 - an answer, not an error of ours
    """Ends a request with a status and a reason."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class Admin:
    """Answers requests about a running exchange, and takes faults and the wish to stop."""

    def __init__(self, faces: Faces, stop: Callable[[], None]) -> None:
        self._faces = faces
        self._world = faces.world
        self._stop = stop
        self._pages: dict[tuple[str, str], Callable[[Query, bytes], Answer]] = {
            ("GET", "/state"): self._state,
            ("GET", "/markets"): self._markets,
            ("GET", "/outcomes"): lambda query, body: (200, list(self._world.outcomes.values())),
            ("GET", "/trades"): self._trades,
            ("GET", "/book_at"): self._book_at,
            ("GET", "/changes"): self._changes,
            ("GET", "/fees"): self._fees,
            ("GET", "/fee"): self._fee,
            ("GET", "/faults"): self._faults,
            ("POST", "/faults"): self._add_faults,
            ("POST", "/shutdown"): self._shutdown,
        }

    async def open(self, host: str, port: int) -> asyncio.Server:
        """Listen; with port 0 on one that is free."""
        return await asyncio.start_server(self._talk, host, port, limit=64 * 1024)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request, one answer, one connection."""
        try:
            async with asyncio.timeout(HEAD_S):
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                method, target, _ = head.split("\r\n", 1)[0].split(" ", 2)
                fields = dict(line.lower().split(":", 1) for line in head.split("\r\n")[1:] if ":" in line)
                length = int(fields.get("content-length", "0"))
                body = await reader.readexactly(length) if 0 <= length <= BODY_MAX else b""
            status, page = (413, {"error": "too long"}) if length > BODY_MAX else self.answer(method, target, body)
            raw = msgspec.json.encode(page)
            writer.write(
                f"HTTP/1.1 {status} {_PHRASES.get(status, '')}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(raw)}\r\nConnection: close\r\n\r\n".encode()
                + raw
            )
            await writer.drain()
        except (ValueError, OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
            pass  # nobody to answer: the request was not one, or its sender has gone
        finally:
            writer.close()

    def answer(self, method: str, target: str, body: bytes) -> Answer:
        """Status and page for a request."""
        address = urlsplit(target)
        page = self._pages.get((method, address.path))
        if page is None:
            return 404, {"error": f"no such page; there are {sorted(f'{m} {path}' for m, path in self._pages)}"}
        self._faces.advance()
        try:
            return page({key: values[0] for key, values in parse_qs(address.query).items()}, body)
        except Refusal as refusal:
            return refusal.status, {"error": str(refusal)}
        except (ValueError, InvalidOperation, msgspec.DecodeError) as error:
            return 400, {"error": str(error)}

    def _market(self, query: Query) -> Market:
        name = query.get("market", "")
        found = self._world.markets.get(name)
        if found is None:
            found = next((market for market in self._world.markets.values() if market.name == name), None)
        if found is None:
            raise Refusal(404, f"no market {name!r}")
        return found

    def _state(self, query: Query, body: bytes) -> Answer:
        world, faces = self._world, self._faces
        plan = {name: getattr(world.plan, name) for name in world.plan.__dataclass_fields__}
        return 200, {
            "plan": plan,
            "speed": faces.clock.speed,
            "now_ns": faces.clock.now_ns(),
            "world_ns": world.now_ns,
            "behind_ns": faces.behind_ns,
            "slipped_ns": faces.slipped_ns,
            "btc_cents": world.bitcoin.cents,
            "told": dict(world.counts),
            "trades": world.floor.trade_count,
            "served": dict(faces.counts),
            "listeners": len(faces.listeners.here),
            "slow_listeners_cut": faces.listeners.slow,
        }

    def _markets(self, query: Query, body: bytes) -> Answer:
        return 200, [
            {
                "market": market.condition,
                "slug": market.name,
                "event": market.event.slug,
                "neg_risk": market.event.neg_risk,
                "tokens": list(market.tokens),
                "tick": market.tick,
                "value": market.value,
                "quoted": market.quoted,
                "best_bid": market.best(BID),
                "best_ask": market.best(ASK),
                "start_ns": market.start_ns,
                "close_ns": market.close_ns,
                "strike": None if market.strike_cents is None else market.strike_cents / 100,
                "closed": market.closed,
                "outcome": market.outcome,
            }
            for market in self._world.markets.values()
        ]

    def _trades(self, query: Query, body: bytes) -> Answer:
        trades = self._world.floor.trades
        first, last = int(query.get("from_ns", "0")), int(query.get("to_ns", str(2**62)))
        market = self._market(query).condition if "market" in query else ""
        found = [trade for trade in trades if first <= trade.ts_ns <= last and market in ("", trade.market)]
        most = min(int(query.get("limit", str(ROWS_MAX))), ROWS_MAX)
        kept_from = trades[0].ts_ns if self._world.floor.trade_count > len(trades) else self._world.start_ns
        return 200, {
            "trades": [trade._asdict() for trade in found[:most]],
            "more": len(found) > most,
            "kept_from_ns": kept_from,
        }

    def _book_at(self, query: Query, body: bytes) -> Answer:
        market, ts_ns = self._market(query), int(query.get("ts_ns", "none"))
        if ts_ns > self._world.now_ns:
            raise Refusal(400, f"not yet: the exchange is at {self._world.now_ns}")
        sides = market.history.at(ts_ns)
        if sides is None:
            raise Refusal(410, "no such book: before its first order, or before what is kept")
        return 200, {
            "market": market.condition,
            "ts_ns": ts_ns,
            "bids": sorted(sides[BID].items(), reverse=True),
            "asks": sorted(sides[ASK].items()),
        }

    def _changes(self, query: Query, body: bytes) -> Answer:
        market = self._market(query)
        first, last = int(query.get("from_ns", "0")), int(query.get("to_ns", str(2**62)))
        rows = market.history.changes(first, last, ROWS_MAX)
        return 200, {"market": market.condition, "columns": ["ts_ns", "side", "price", "size"], "rows": rows}

    def _fees(self, query: Query, body: bytes) -> Answer:
        return 200, {market.condition: market.fees.row() for market in self._world.markets.values()}

    def _fee(self, query: Query, body: bytes) -> Answer:
        """What a taker pays for one fill: price and size in units, as everywhere here."""
        price, size = Decimal(query.get("price", "")) / PRICE_UNIT, Decimal(query.get("size", "")) / SIZE_UNIT
        if not 0 <= price <= 1 or size <= 0:
            raise Refusal(400, "price is 0 to 10000, size above 0")
        return 200, {"fee": format(self._market(query).fees.taker_fee(price, size), "f")}

    def _faults(self, query: Query, body: bytes) -> Answer:
        faults = self._world.faults
        return 200, {"injected": faults.injected, "counts": dict(faults.counts), "coming": faults.coming}

    def _add_faults(self, query: Query, body: bytes) -> Answer:
        return 200, {"added": self._world.faults.add(msgspec.json.decode(body))}

    def _shutdown(self, query: Query, body: bytes) -> Answer:
        self._stop()
        return 200, {"stopping": True}
