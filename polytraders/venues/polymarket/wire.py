"""The market channel's bytes to input rows: the door of the system for Polymarket's market data.

A frame is taken whole or refused whole. Usual frames, one level told for both tokens, take a short way that only ever
accepts; whatever it does not accept takes the long way, which knows all event types and names what is wrong.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

from msgspec import UNSET, DecodeError, ValidationError

from polytraders.contracts.inputs import Flag, Kind
from polytraders.contracts.reasons import number
from polytraders.venues.polymarket import messages
from polytraders.venues.polymarket.door import FRAME_MAX, Reading, is_deep, is_utf8, read, unknown_fields
from polytraders.venues.polymarket.events import ROWS, Row
from polytraders.venues.polymarket.known import Known
from polytraders.venues.polymarket.numbers import CAPACITY, MISSING, REFUSALS
from polytraders.venues.polymarket.usual import PAIR_KEYS, pair

NAMES_MAX: Final = 64
"""Distinct names counted of each sort of surprise; the rest is counted together, so that memory stays bounded."""
NAME_MAX: Final = 64

_LEVEL: Final = int(Kind.LEVEL)
_COUNTED_KINDS: Final = {int(Kind.TRADE): "trades", int(Kind.TICK_SIZE): "tick_sizes", int(Kind.RESOLVED): "resolved"}
_LEVEL_FLAGS: Final = {int(Flag.MIRRORED): "mirrored", int(Flag.MIRROR_BROKEN): "mirror_broken", 0: "unpaired"}
_HASH_FLAGS: Final = {
    int(Flag.HASH_OK): "hash_ok",
    int(Flag.HASH_BAD): "hash_bad",
    int(Flag.HASH_EMPTY): "hash_empty",
    0: "hash_unchecked",
}


class Decoded(NamedTuple):
    """What a frame became.

    Attributes:
        rows: Input rows, `(kind, side, flags, market, price, size, a, b, source_ts)` each; `contracts/inputs.py`.
        source_ts: Newest timestamp of the frame, ns UTC; 0 when it has none or was refused.
        code: Why the frame is worth keeping, None for nearly all. The frame was refused if its rows are REFUSED ones;
            INTEL_UNKNOWN_EVENT refuses nothing.
    """

    rows: list[Row]
    source_ts: int
    code: str | None


class Decoder:
    """Decodes the frames of one connection, in the order received.

    Attributes:
        markets: Condition id of each market index, in order of first sight or registration.
        tokens: Token ids of each market, YES first, as far as told.
    """

    def __init__(self, capacity: int = 1024, connection: int = 0) -> None:
        """Know nothing yet.

        Args:
            capacity: Markets the block has room for.
            connection: Number written into ALIVE and REFUSED rows.
        """
        self._known = Known(capacity)
        self._connection = connection
        self._previous = b""
        self._frames = 0
        self._usual = 0
        self._counts: Counter[str] = Counter()
        self._names: dict[str, set[str]] = {}
        self.markets: list[str] = self._known.markets
        self.tokens: list[list[str]] = self._known.tokens

    @property
    def counters(self) -> Counter[str]:
        """What was seen so far.

        frames, refused, duplicates, pongs, price_changes; mirrored, mirror_broken, unpaired (LEVEL rows); trades,
        tick_sizes, resolved, snapshots, twins, hash_ok, hash_bad, hash_empty, hash_unchecked; refused:CODE; and by name
        event:TYPE (known, only counted), unknown_event:TYPE, unknown_field:EVENT.FIELD.
        """
        total = self._counts.copy()
        total.update(frames=self._frames, price_changes=self._usual, mirrored=self._usual)
        return total

    def register(
        self,
        condition_id: str,
        tokens: Sequence[str],
        *,
        min_size: str | None = None,
        neg_risk: bool | None = None,
    ) -> int:
        """Tell a market before the feed does; `tokens[0]` is YES. Saying it again changes nothing.

        Args:
            condition_id: 62 or 64 hex digits; both spellings of a Protocol v2 id are one market.
            tokens: Token ids, YES first.
            min_size: Smallest order in shares as the venue writes it; needed, with neg_risk, to check book hashes.
            neg_risk: The market is one of a negative-risk event.

        Returns:
            The market's index; -1 when it contradicts what is known or there is no room.
        """
        return max(self._known.register(condition_id, tokens, min_size, neg_risk), -1)

    def decode(self, raw: bytes, connection: int | None = None) -> Decoded:
        """Turn one frame into rows, or into REFUSED rows and a code; never raises.

        Args:
            raw: One message as received: a JSON object, an array of them, or the text PONG.
            connection: Where it came in, None = where the last one did.
        """
        if connection is not None:
            self._connection = connection
        self._frames += 1
        if raw == self._previous:
            self._counts["duplicates"] += 1
        if len(raw) > FRAME_MAX:
            return self._refuse("INTEL_FRAME_TOO_LARGE", None)
        self._previous = raw
        if is_deep(raw):
            return self._refuse("INTEL_FRAME_TOO_DEEP", None)
        if not raw.isascii() and not is_utf8(raw):
            return self._refuse("INTEL_FRAME_NOT_UTF8", None)
        try:
            event = messages.price_change(raw)
        except (DecodeError, UnicodeDecodeError):
            return self._long_way(raw)
        changes = event.price_changes
        if type(changes) is list and len(changes) == 2 and raw.count(b":") == PAIR_KEYS + (event.version is not UNSET):
            row = pair(self._known, event, changes[0], changes[1])
            if row is not None:
                self._usual += 1
                return _decoded(Decoded, ([row], row[-1], None))
        return self._long_way(raw)

    def _long_way(self, raw: bytes) -> Decoded:
        """Every event type, arrays, first sights, and a name for what is wrong."""
        if raw.strip() == b"PONG":
            self._counts["pongs"] += 1
            return Decoded([(int(Kind.ALIVE), 0, 0, -1, 0, 0, 0, self._connection, 0)], 0, None)
        rows: list[Row] = []
        newest = keys = 0
        code = None
        names: list[str] = []
        try:
            parts = messages.many(raw) if raw.lstrip()[:1] == b"[" else [raw]
            for part in parts:
                name = messages.head(part).event_type
                if not isinstance(name, str) or not name:
                    return self._refuse(REFUSALS[MISSING], read(raw))
                names.append(name)
                if name not in messages.READERS:
                    continue
                event = messages.READERS[name](part)
                time = ROWS[name](self._known, event, rows)
                if time < 0:
                    return self._refuse(REFUSALS[time], read(raw))
                newest = max(newest, time)
                keys += messages.told(event)
        except (DecodeError, UnicodeDecodeError) as error:
            return self._refuse(_code_of(error), read(raw))
        if raw.count(b":") != keys:
            reading = read(raw)
            if reading is None or reading.repeated:
                return self._refuse("INTEL_FRAME_NOT_JSON", reading)
            for field in unknown_fields(reading):
                self._count_name("unknown_field", field)
        for name in names:
            if name == "price_change":
                self._counts["price_changes"] += 1
            elif name in messages.COUNTED:
                self._counts[f"event:{name}"] += 1
            elif name not in messages.READERS:
                self._count_name("unknown_event", name)
                code = "INTEL_UNKNOWN_EVENT"
        self._known.keep()
        self._count(rows)
        return Decoded(rows, newest, code)

    def _refuse(self, code: str, reading: Reading | None) -> Decoded:
        """Take back what the frame taught, and say which books can no longer be trusted.

        A frame whose every market is known invalidates those. Otherwise nobody can tell what was in it, so all markets
        of the connection are; except where there is no room for a market: that frame was about none of ours.
        """
        self._known.forget()
        markets = [-1]
        if reading is not None:
            if reading.repeated:
                code = "INTEL_FRAME_REPEATED_KEY"
            found = {self._known.find(market) for market in reading.markets}
            if reading.readable and (None not in found or code == REFUSALS[CAPACITY]):
                owners = {self._known.spots[token] >> 1 for token in reading.tokens if token in self._known.spots}
                markets = sorted({index for index in found if index is not None} | owners)
        self._counts["refused"] += 1
        self._counts[f"refused:{code}"] += 1
        why = number(code)
        rows = [(int(Kind.REFUSED), 0, 0, market, 0, 0, why, self._connection, 0) for market in markets]
        return Decoded(rows, 0, code)

    def _count(self, rows: list[Row]) -> None:
        """Count what the rows of an accepted frame say."""
        counts = self._counts
        for kind, _, flags, *_ in rows:
            if kind == _LEVEL:
                counts[_LEVEL_FLAGS[flags & (Flag.MIRRORED | Flag.MIRROR_BROKEN)]] += 1
            elif kind == Kind.SNAP_OPEN:
                counts["snapshots"] += 1
                counts["twins"] += flags & Flag.TWIN != 0
                counts[_HASH_FLAGS[flags & (Flag.HASH_OK | Flag.HASH_BAD | Flag.HASH_EMPTY)]] += 1
            elif kind in _COUNTED_KINDS:
                counts[_COUNTED_KINDS[kind]] += 1

    def _count_name(self, sort: str, name: str) -> None:
        """Count a surprise by its name, within bounds."""
        names = self._names.setdefault(sort, set())
        name = name[:NAME_MAX]
        if name not in names and len(names) >= NAMES_MAX:
            name = "other"
        names.add(name)
        self._counts[f"{sort}:{name}"] += 1


_decoded = tuple.__new__
# Half the cost of calling the NamedTuple, once for every frame.


def _code_of(error: Exception) -> str:
    """Reason code of what the JSON reader said."""
    if isinstance(error, ValidationError):
        return "INTEL_NUMBER_INVALID" if "out of range" in str(error) else "INTEL_FIELD_TYPE"
    return "INTEL_FRAME_NOT_JSON"
