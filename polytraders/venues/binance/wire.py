"""Binance's combined stream to REFERENCE rows.

The price is the mid of the best quotes (`bookTicker`), not the last trade: quotes move before trades do, and a last
trade jumps between bid and ask without any news. But spot quotes carry no time. The trades of the same connection do,
so a trade tells how late the connection is: while the newest one is too old, no quote of it is believed, and before the
first one none is. A quote of an older update than the last one is refused as well.

An unchanged mid is said again only every 250 ms: enough to keep it fresh, a fraction of the rows.

Binance is a proxy: the markets settle on another source (an average of Chainlink prices).
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from polytraders.contracts.inputs import TICK_NS, Kind
from polytraders.contracts.reasons import number
from polytraders.venues.polymarket.door import FRAME_MAX, is_deep, is_utf8
from polytraders.venues.polymarket.door import read as read_slowly
from polytraders.venues.polymarket.events import Row
from polytraders.venues.polymarket.numbers import INVALID, MS, TIME_MAX_MS, TIME_MIN_MS, fixed

REFERENCE_DECIMALS: Final = 8
REFERENCE_MAX: Final = 10**16
"""Largest reference price, 1e-8: a hundred million, so that squares of returns and sums stay far from 2**63."""

JUMP_MAX: Final = 2
"""A price more than so many times higher or lower than the last one is not believed."""

UPDATE_MAX: Final = 1 << 63

SPREAD_PARTS: Final = 100
"""Quotes further apart than one part in so many are no market, and their middle is no price."""

_REPEAT_NS: Final = TICK_NS
_SECOND: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is believed. All in ns.

    Attributes:
        late_max: How much older than its arrival the newest trade may be.
        early_max: How far after its arrival its time may lie: clocks differ, by little.
        silent_max: How long after the last trade quotes are still believed.
        memory: How long a price is remembered for the comparison with the next.
    """

    late_max: int = 3 * _SECOND
    early_max: int = 3 * _SECOND
    silent_max: int = 10 * _SECOND
    memory: int = 60 * _SECOND


BOUNDS: Final = Bounds()


class _Envelope(Struct):
    stream: str | UnsetType = UNSET
    data: Raw | UnsetType = UNSET


class _Trade(Struct):
    """`T` is the time of the trade in ms."""

    s: str | UnsetType = UNSET
    p: str | UnsetType = UNSET
    T: int | UnsetType = UNSET


class _Quote(Struct):
    """`u` numbers the updates of the book."""

    u: int | UnsetType = UNSET
    s: str | UnsetType = UNSET
    b: str | UnsetType = UNSET
    a: str | UnsetType = UNSET


_envelope: Final = msgspec.json.Decoder(_Envelope).decode
_trade: Final = msgspec.json.Decoder(_Trade).decode
_quote: Final = msgspec.json.Decoder(_Quote).decode


class Decoded(NamedTuple):
    """What a frame became.

    Attributes:
        rows: REFERENCE rows, or one REFUSED row.
        source_ts: The venue's time of it, ns; 0 when it told none.
        code: Why the frame is worth keeping, None for nearly all.
    """

    rows: list[Row]
    source_ts: int
    code: str | None


@dataclass(slots=True)
class _Seen:
    """What is known of one symbol."""

    update: int = -1
    trade_ts: int = 0
    trade_recv: int = 0
    price: int = 0
    price_recv: int = 0
    said: int = 0
    said_recv: int = 0


class _Refusal(Exception):  # noqa: N818 - carries a code out of the reading of one frame, and never leaves this file
    pass


class Decoder:
    """Decodes the frames of one connection, in the order received.

    Attributes:
        counters: frames, trades, quotes, unchanged and undated (quotes without a row), unknown, refused,
            refused:CODE.
    """

    def __init__(self, references: Mapping[str, int], connection: int, bounds: Bounds = BOUNDS) -> None:
        """Know no price yet.

        Args:
            references: Index of the reference price of each symbol, as the venue spells it ("BTCUSDT").
            connection: Number written into REFUSED rows; no market's, since such a row takes its books.
            bounds: What is believed.
        """
        self._references = dict(references)
        self._connection = connection
        self._bounds = bounds
        self._seen = {symbol: _Seen() for symbol in references}
        self.counters: Counter[str] = Counter()

    def reset(self) -> None:
        """Forget what a connection that was lost has told, except the price that the next one is compared with."""
        for seen in self._seen.values():
            seen.update, seen.trade_ts, seen.trade_recv, seen.said_recv = -1, 0, 0, 0

    def decode(self, raw: bytes, recv_ts: int) -> Decoded:
        """Turn one frame into rows, or into a REFUSED row and a code; never raises.

        Args:
            raw: One message as received.
            recv_ts: When it arrived, ns UTC.
        """
        self.counters["frames"] += 1
        try:
            return self._read(raw, recv_ts)
        except _Refusal as refusal:
            code = str(refusal)
        except msgspec.ValidationError as error:
            code = "INTEL_NUMBER_INVALID" if "out of range" in str(error) else "INTEL_FIELD_TYPE"
        except (msgspec.DecodeError, UnicodeDecodeError):
            code = "INTEL_FRAME_NOT_JSON"
        self.counters["refused"] += 1
        self.counters[f"refused:{code}"] += 1
        return Decoded([(int(Kind.REFUSED), 0, 0, -1, 0, 0, number(code), self._connection, 0)], 0, code)

    def _read(self, raw: bytes, recv_ts: int) -> Decoded:
        _check(raw)
        envelope = _envelope(raw)
        if not isinstance(envelope.stream, str) or envelope.data is UNSET:
            raise _Refusal("INTEL_FIELD_MISSING")
        name = envelope.stream.partition("@")[2]
        if name == "trade":
            return self._trade(_trade(envelope.data), recv_ts)
        if name == "bookTicker":
            return self._quote(_quote(envelope.data), recv_ts)
        self.counters["unknown"] += 1
        return Decoded([], 0, "INTEL_UNKNOWN_EVENT")

    def _of(self, symbol: str | UnsetType) -> _Seen:
        if not isinstance(symbol, str) or not symbol:
            raise _Refusal("INTEL_FIELD_MISSING")
        seen = self._seen.get(symbol)
        if seen is None:
            raise _Refusal("INTEL_UNKNOWN_EVENT")
        return seen

    def _trade(self, told: _Trade, recv_ts: int) -> Decoded:
        """A trade gives no row: it tells how late the connection is."""
        seen = self._of(told.s)
        _price(told.p)
        if told.T is UNSET:
            raise _Refusal("INTEL_FIELD_MISSING")
        if not TIME_MIN_MS <= told.T < TIME_MAX_MS:
            raise _Refusal("INTEL_TIMESTAMP_OUT_OF_RANGE")
        seen.trade_ts, seen.trade_recv = told.T * MS, recv_ts
        self.counters["trades"] += 1
        if not self._timely(seen, recv_ts):
            raise _Refusal("INTEL_REFERENCE_STALE")
        return Decoded([], seen.trade_ts, None)

    def _timely(self, seen: _Seen, now: int) -> bool:
        """The newest trade is young enough for the quotes around it to be believed."""
        bounds = self._bounds
        late = seen.trade_recv - seen.trade_ts
        return -bounds.early_max <= late <= bounds.late_max and now - seen.trade_recv <= bounds.silent_max

    def _quote(self, told: _Quote, recv_ts: int) -> Decoded:
        seen = self._of(told.s)
        bid, ask = _price(told.b), _price(told.a)
        if told.u is UNSET:
            raise _Refusal("INTEL_FIELD_MISSING")
        if not 0 <= told.u < UPDATE_MAX:
            raise _Refusal("INTEL_NUMBER_INVALID")
        if told.u <= seen.update:
            raise _Refusal("INTEL_REFERENCE_STALE")
        seen.update = told.u
        mid = (bid + ask) // 2
        last = seen.price if recv_ts - seen.price_recv <= self._bounds.memory else 0
        far = last > 0 and (mid > last * JUMP_MAX or last > mid * JUMP_MAX)
        if bid > ask or (ask - bid) * SPREAD_PARTS > mid or far:
            raise _Refusal("INTEL_REFERENCE_OUT_OF_RANGE")
        self.counters["quotes"] += 1
        if not self._timely(seen, recv_ts):
            if seen.trade_ts == 0:
                self.counters["undated"] += 1
                return Decoded([], 0, None)
            raise _Refusal("INTEL_REFERENCE_STALE")
        seen.price, seen.price_recv = mid, recv_ts
        if mid == seen.said and recv_ts - seen.said_recv < _REPEAT_NS:
            self.counters["unchanged"] += 1
            return Decoded([], 0, None)
        seen.said, seen.said_recv = mid, recv_ts
        index = self._references[str(told.s)]
        return Decoded([(int(Kind.REFERENCE), 0, 0, index, mid, 0, 0, 0, 0)], 0, None)


def _check(raw: bytes) -> None:
    """Refuse what nobody should parse, and what says a key twice."""
    if len(raw) > FRAME_MAX:
        raise _Refusal("INTEL_FRAME_TOO_LARGE")
    if is_deep(raw):
        raise _Refusal("INTEL_FRAME_TOO_DEEP")
    if not is_utf8(raw):
        raise _Refusal("INTEL_FRAME_NOT_UTF8")
    reading = read_slowly(raw)
    if reading is None:
        raise _Refusal("INTEL_FRAME_NOT_JSON")
    if reading.repeated:
        raise _Refusal("INTEL_FRAME_REPEATED_KEY")


def _price(text: str | UnsetType) -> int:
    """A price in 1e-8, above 0 and at most REFERENCE_MAX."""
    if not isinstance(text, str) or not text:
        raise _Refusal("INTEL_FIELD_MISSING")
    value = fixed(text, REFERENCE_DECIMALS, INVALID, 0)
    if value == INVALID:
        raise _Refusal("INTEL_NUMBER_INVALID")
    if not 0 < value <= REFERENCE_MAX:
        raise _Refusal("INTEL_REFERENCE_OUT_OF_RANGE")
    return value
