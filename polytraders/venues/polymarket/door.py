"""What a frame must be before anybody reads it: its size, its depth, its alphabet, and every key said once."""

import json
import re
from collections.abc import Iterator
from itertools import accumulate
from typing import Any, Final, NamedTuple

from polytraders.venues.polymarket.messages import FIELDS, PARTS

FRAME_MAX: Final = 4 * 1024 * 1024
DEPTH_MAX: Final = 32

_STRING: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
# Possessive, so that a hostile frame costs one pass; a string that never ends runs to the end of the frame.
_BESIDE: Final = bytes(sorted(set(range(256)) - set(b"{}[]")))
_STEP: Final = [1 if byte in b"{[" else -1 if byte in b"}]" else 0 for byte in range(256)]


def is_deep(raw: bytes) -> bool:
    """True when brackets nest deeper than DEPTH_MAX. Counts bytes: nothing here recurses.

    The number of opening brackets bounds the depth, and so does that number without the objects that open right where
    another one closed; in a text, too, since what does not count there is taken off as well. Only the rest is walked.
    """
    opened = raw.count(b"{") + raw.count(b"[")
    if opened <= DEPTH_MAX or opened - raw.count(b"},{") <= DEPTH_MAX:
        return False
    brackets = _STRING.sub(b"", raw).translate(None, _BESIDE)
    return any(depth > DEPTH_MAX for depth in accumulate(map(_STEP.__getitem__, brackets)))


def is_utf8(raw: bytes) -> bool:
    """True when the frame is text at all."""
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


class Reading(NamedTuple):
    """A frame read the slow and complete way.

    Attributes:
        events: The frame's event objects; an element that is no object is an empty one.
        repeated: Some object said a key twice.
        markets: Every text that stood under a key "market".
        tokens: Every text that stood under a key "asset_id".
        readable: Every event names its market.
    """

    events: list[dict[str, Any]]
    repeated: bool
    markets: frozenset[str]
    tokens: frozenset[str]
    readable: bool


def _not_json(text: str) -> None:
    raise ValueError(text)


def read(raw: bytes) -> Reading | None:
    """Read a frame with every key in sight, repeated ones too; None when it is not JSON.

    Costs several times a typed decode, so only frames that are refused, or hold keys nobody asked for, come here.
    """
    repeated = False
    seen: dict[str, set[str]] = {"market": set(), "asset_id": set()}

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal repeated
        whole = dict(pairs)
        repeated = repeated or len(whole) != len(pairs)
        for key, value in pairs:
            if key in seen and isinstance(value, str):
                seen[key].add(value)
        return whole

    try:
        # Numbers stay text: nothing here needs their value, and an endless one costs no time.
        tree = json.loads(
            raw.decode("utf-8"), object_pairs_hook=collect, parse_int=str, parse_float=str, parse_constant=_not_json
        )
    except (ValueError, RecursionError):
        return None
    found = tree if isinstance(tree, list) else [tree]
    events = [event if isinstance(event, dict) else {} for event in found]
    readable = bool(events) and all(isinstance(event.get("market"), str) and event["market"] for event in events)
    return Reading(events, repeated, frozenset(seen["market"]), frozenset(seen["asset_id"]), readable)


def unknown_fields(reading: Reading) -> Iterator[str]:
    """Names of the keys no struct asks for, as "event.key", once per place they stand in."""
    for event in reading.events:
        name = event.get("event_type")
        if not isinstance(name, str) or name not in FIELDS:
            continue
        yield from (f"{name}.{key}" for key in event.keys() - FIELDS[name])
        lists, fields = PARTS.get(name, ((), frozenset()))
        for part in (part for key in lists for part in event.get(key) or () if isinstance(part, dict)):
            yield from (f"{name}.{key}" for key in part.keys() - fields)
