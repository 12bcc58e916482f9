"""Captures that never happened: seeded frames in Polymarket's wire format, with the habits of the real channel.

All books of both tokens come first, in one array. Then changes told for both tokens, the NO one first in a third of
them; trades printed for one token only; one market on tick 0.001; timestamps that step back by up to 2.9 s; frames sent
twice; now and then whole books, without hashes; and about once in 500 frames an order that takes out levels and rests:
the levels it took are not reported as gone, only best prices and the next whole book show it.
"""

import gzip
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from random import Random
from typing import IO, Any, Final

import msgspec
import zstandard

from polytraders.contracts.inputs import ASK, BID, PRICE_UNIT
from polytraders.venues.simulator.crowd import Market, Told
from polytraders.venues.simulator.texts import identifiers, price_text, size_text

START_MS: Final = 1_780_272_000_000
"""2026-06-01 00:00 UTC."""

GAPS_MS: Final = (20.0, 253.0)
"""Longest gap in a busy and in a quiet moment; with one quiet moment in five, 30 frames a second."""
QUIET: Final = 0.2
BACK_MS_MAX: Final = 2_900
BACK: Final = 0.008
TWICE: Final = 0.0025
INCIDENT: Final = 1 / 450
BOOKS: Final = 1 / 600
NO_FIRST: Final = 1 / 3
ACT_FRAMES_MAX: Final = 3
"""Two trades and a change: the longest story told in one go."""

CLUSTERS: Final = ("sports", "politics", "crypto")


class Capture(Iterator[bytes]):
    """Frames of a made-up capture, one at a time; the same for the same arguments, on every machine.

    Attributes:
        ids: (condition id, YES token, NO token) of each market.
        ticks: Tick of each market in price units.
        truth: True book of each market as (bids, asks), price to size, YES terms and the units of the inputs; it is the
            state after the frame handed out last, once all frames have been.
        incidents: 0-based numbers of the frames that told a match-then-rest.
        emitted: Frames handed out.
    """

    def __init__(self, *, seed: int, count: int, markets: int = 6) -> None:
        """Set up the books.

        Args:
            seed: Any integer.
            count: Frames in all.
            markets: 1 or more; from 3 on, the third is on tick 0.001.
        """
        self._rng = Random(seed)  # noqa: S311 - chance for a made-up market, not for a secret
        self._count = count
        self.ids = [identifiers(seed, index) for index in range(markets)]
        self._markets = [self._market(index) for index in range(markets)]
        self.ticks = [market.tick for market in self._markets]
        self._last_prices: list[int | None] = [None] * markets
        self._seen_ms = [float(START_MS)] * markets
        self._now_ms = float(START_MS)
        self._waiting: list[bytes] = []
        self._repeatable = b""
        self.incidents: list[int] = []
        self.emitted = 0

    @property
    def truth(self) -> dict[str, tuple[dict[int, int], dict[int, int]]]:
        """See the class."""
        return {ids[0]: market.sides for ids, market in zip(self.ids, self._markets, strict=True)}

    def __next__(self) -> bytes:
        """The next frame."""
        if self.emitted >= self._count:
            raise StopIteration
        if not self._waiting:
            self._waiting = self._first() if self.emitted == 0 else self._next_frames()
        self.emitted += 1
        return self._waiting.pop(0)

    def _market(self, index: int) -> Market:
        fine = index == 2
        middle = 9_000 if fine else self._rng.randrange(3_000, 7_000)
        return Market(self._rng, 10 if fine else 100, middle, 0.25 if fine else 1.0)

    def _first(self) -> list[bytes]:
        books = [self._book(index, token) for index in range(len(self.ids)) for token in (0, 1)]
        return [msgspec.json.encode(books)]

    def _next_frames(self) -> list[bytes]:
        """Whatever happens next, told completely within the frames that are left."""
        rng = self._rng
        self._now_ms += GAPS_MS[rng.random() < QUIET] * rng.random()
        left = self._count - self.emitted
        chance = rng.random()
        if chance < TWICE and self._repeatable:
            return [self._repeatable]
        index = rng.randrange(len(self.ids))
        market = self._markets[index]
        market.wander((self._now_ms - self._seen_ms[index]) / 1_000)
        self._seen_ms[index] = self._now_ms
        if chance > 1 - BOOKS and left >= ACT_FRAMES_MAX:
            order = (1, 0) if rng.random() < NO_FIRST else (0, 1)
            return [msgspec.json.encode(self._book(index, token)) for token in order]
        told = None
        if left >= ACT_FRAMES_MAX:
            if TWICE <= chance < TWICE + INCIDENT:
                told = market.match_then_rest()
                if told is not None:
                    self.incidents.append(self.emitted + len(told.prints))
            told = told or market.act()
        else:
            told = market.touch()
        return self._tell(index, told)

    def _tell(self, index: int, told: Told) -> list[bytes]:
        frames: list[dict[str, Any]] = []
        for side, price, size in told.prints:
            token = int(self._rng.random() < 0.5)
            self._last_prices[index] = price
            frames.append(
                {
                    "market": self.ids[index][0],
                    "asset_id": self.ids[index][1 + token],
                    "price": price_text(_of(token, price)),
                    "size": size_text(size),
                    "fee_rate_bps": "0",
                    "side": ("BUY", "SELL")[side ^ token],
                    "timestamp": self._stamp(),
                    "event_type": "last_trade_price",
                    "transaction_hash": "",
                }
            )
            self._now_ms += GAPS_MS[0] * self._rng.random()
        order = (1, 0) if self._rng.random() < NO_FIRST else (0, 1)
        frames.append(
            {
                "market": self.ids[index][0],
                "price_changes": [self._change(index, token, *level) for level in told.levels for token in order],
                "timestamp": self._stamp(),
                "event_type": "price_change",
            }
        )
        encoded = [msgspec.json.encode(frame) for frame in frames]
        self._repeatable = encoded[-1]
        return encoded

    def _change(self, index: int, token: int, side: int, price: int) -> dict[str, str]:
        market = self._markets[index]
        bests = market.best(BID), market.best(ASK)
        return {
            "asset_id": self.ids[index][1 + token],
            "price": price_text(_of(token, price)),
            "size": size_text(market.sides[side].get(price, 0)),
            "side": ("BUY", "SELL")[side ^ token],
            "hash": "",
            "best_bid": price_text(_of(token, bests[token])),
            "best_ask": price_text(_of(token, bests[1 - token])),
        }

    def _book(self, index: int, token: int) -> dict[str, Any]:
        """A whole book as sent: the best level last on both sides."""
        market = self._markets[index]
        sides = [
            [
                {"price": price_text(_of(token, price)), "size": size_text(size)}
                for price, size in sorted(market.sides[side].items(), reverse=side == ASK)
            ]
            for side in (BID, ASK)
        ]
        last = self._last_prices[index]
        return {
            "market": self.ids[index][0],
            "asset_id": self.ids[index][1 + token],
            "timestamp": str(int(self._now_ms)),
            "hash": "",
            "bids": sides[token],
            "asks": sides[1 - token],
            "tick_size": price_text(market.tick),
            "event_type": "book",
            "last_trade_price": "" if last is None else price_text(_of(token, last)),
        }

    def _stamp(self) -> str:
        """The venue's milliseconds, sometimes of a moment ago."""
        back = self._rng.randrange(1, BACK_MS_MAX + 1) if self._rng.random() < BACK else 0
        return str(int(self._now_ms) - back)


def _of(token: int, price: int) -> int:
    """A YES price in terms of a token."""
    return PRICE_UNIT - price if token else price


def frames(*, seed: int, count: int, markets: int = 6) -> Capture:
    """Frames of a made-up capture; see Capture."""
    return Capture(seed=seed, count=count, markets=markets)


def write(path: Path, *, seed: int, count: int, markets: int = 6) -> Capture:
    """Write a made-up capture, one frame a line.

    Args:
        path: Compressed when it ends in .gz or .zst. The bytes are the same each time.
        seed: Any integer.
        count: Frames.
        markets: See Capture.

    Returns:
        The capture, with its truth.

    Raises:
        OSError: The file cannot be written.
    """
    capture = frames(seed=seed, count=count, markets=markets)
    with path.open("wb") as file, _packed(path, file) as packed:
        for frame in capture:
            packed.write(frame + b"\n")
    return capture


def _packed(path: Path, file: IO[bytes]) -> AbstractContextManager[Any]:
    if path.suffix == ".gz":
        return gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0)
    if path.suffix == ".zst":
        return zstandard.ZstdCompressor().stream_writer(file, closefd=False)
    return nullcontext(file)


def registry_toml(*, seed: int, markets: int = 6, close_time: str = "2026-12-31T00:00:00Z") -> str:
    """The registry file that goes with a made-up capture: what a capture cannot tell.

    Args:
        seed: The capture's.
        markets: The capture's.
        close_time: When trading ends, RFC 3339.
    """
    entries = []
    for index in range(markets):
        condition, yes, no = identifiers(seed, index)
        rate = ("0.05", "0.04", "0.07")[index % 3]
        entries.append(
            "[[market]]\n"
            f'id = "{condition}"\n'
            f'tokens = ["{yes}", "{no}"]\n'
            'min_size = "5"\n'
            f'fee = {{ rate = "{rate}", exponent = "1", taker_only = true }}\n'
            "taker_delay_ms = 0\n"
            "neg_risk = false\n"
            f"close_time = {close_time}\n"
            f'cluster = "{CLUSTERS[index % 3]}"\n'
        )
    return "\n".join(entries)
