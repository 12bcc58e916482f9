"""Faults as data: what goes wrong, when, and how badly. The stream of messages passes through here on its way out.

A script is `{"seed": 7, "faults": [{"at": {"time_ms": 5000}, "action": "drop", "args": {"count": 3}}]}`. `time_ms` is
exchange time since the start, `nth_frame` the number of market messages told before (so 0 is at once), `nth_subscribe`
counts subscriptions; an empty `at` is now. The seed is for the choices a fault leaves open.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from polytraders.venues.simulator.floor import MS, Told

Args = Mapping[str, Any]

CORRUPTIONS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "json": lambda raw: raw[: len(raw) // 2],
    "utf8": lambda raw: raw[:-2] + b"\xff" + raw[-2:],
    "number": lambda raw: raw.replace(b'"size":"', b'"size":"1e', 1),
    "price": lambda raw: raw.replace(b'"price":"0.', b'"price":"1.', 1),
    "grid": lambda raw: raw.replace(b'"price":"', b'"price":"0.00005', 1),
    "negative": lambda raw: raw.replace(b'"size":"', b'"size":"-', 1),
    "type": lambda raw: raw.replace(b'"event_type":"', b'"event_type":0,"was":"', 1),
    "field": lambda raw: raw.replace(b'"market":', b'"mraket":', 1),
    "repeated": lambda raw: raw.replace(b'{"market":', b'{"market":"0x","market":', 1),
    "deep": lambda raw: b"[" * 64 + raw + b"]" * 64,
}
"""Ways to spoil a message; each leaves one that must be refused if it is a price change."""

ACTIONS: Final[dict[str, dict[str, type]]] = {
    "silence": {"duration_ms": int, "market": str, "stream": str, "pongs": bool},
    "drop": {"count": int, "event": str, "market": str},
    "duplicate": {"count": int, "event": str, "market": str},
    "swap": {"count": int, "event": str, "market": str},
    "corrupt": {"count": int, "event": str, "market": str, "how": str},
    "delay": {"duration_ms": int, "ms": int, "market": str, "stream": str},
    "crossed": {"market": str},
    "match_then_rest": {"market": str, "levels": int},
    "tick_change": {"market": str, "tick": str, "told": bool},
    "disconnect": {"stream": str},
    "flapping": {"times": int, "up_ms": int, "down_ms": int, "stream": str},
    "no_snapshot": {"count": int},
    "rest_stale": {"duration_ms": int},
    "rest_down": {"duration_ms": int, "status": int},
    "clock_skew": {"duration_ms": int, "ms": int},
    "bad_hash": {"duration_ms": int, "market": str},
}
"""Actions and the arguments they know."""

STREAMS: Final = ("market", "binance")
COUNTED: Final = ("drop", "duplicate", "swap", "corrupt")
LASTING: Final = ("silence", "delay", "bad_hash", "rest_stale", "rest_down", "clock_skew")
ON_THE_FLOOR: Final = ("crossed", "match_then_rest", "tick_change")
TICKS: Final = ("0.1", "0.01", "0.005", "0.0025", "0.001", "0.0001")
AT: Final = ("time_ms", "nth_frame", "nth_subscribe")
INJECTED_MAX: Final = 10_000
HELD_NS_MAX: Final = 10_000 * MS
"""So long a message is kept back for one to swap it with."""


@dataclass(slots=True, eq=False)
class Fault:
    """One entry of a script."""

    action: str
    args: Args
    at: str
    when: int
    left: int = 0
    until_ns: int = 0

    def falls_on(self, told: Told) -> bool:
        """The message is one that it is meant for."""
        if self.args.get("market", told.market) != told.market:
            return False
        if self.action in COUNTED:
            return bool(told.event == self.args.get("event", "price_change"))
        return bool(self.args.get("stream", "market") == ("market" if told.market else "binance"))


def read(script: object) -> tuple[int, list[Fault]]:
    """A script's seed and faults.

    Raises:
        ValueError: It is not such a script; the text says where.
    """
    if not isinstance(script, dict) or set(script) - {"seed", "faults"} or not isinstance(script.get("faults"), list):
        raise ValueError('a fault script is {"seed": ..., "faults": [...]}')
    if type(script.get("seed", 0)) is not int:
        raise ValueError("the seed is a whole number")
    return script.get("seed", 0), [_fault(entry, place) for place, entry in enumerate(script["faults"])]


def _fault(entry: object, place: int) -> Fault:
    where = f"faults[{place}]"
    if not isinstance(entry, dict) or set(entry) - {"at", "action", "args"}:
        raise ValueError(f"{where}: an entry has at, action and args")
    action, at, args = entry.get("action"), entry.get("at", {}), entry.get("args", {})
    if action not in ACTIONS:
        raise ValueError(f"{where}: no action {action!r}; there are {', '.join(ACTIONS)}")
    if not isinstance(at, dict) or len(at) > 1 or set(at) - set(AT) or any(type(v) is not int for v in at.values()):
        raise ValueError(f"{where}: at is empty or one of {', '.join(AT)} with a whole number")
    if not isinstance(args, dict):
        raise ValueError(f"{where}: args is an object")
    for name, value in args.items():
        if (
            name not in ACTIONS[action]
            or type(value) is not ACTIONS[action][name]
            or (type(value) is int and value <= 0 and name != "ms")
        ):
            raise ValueError(f"{where}: {action} takes no argument {name} = {value!r}")
    if args.get("stream", "market") not in STREAMS or args.get("how", "json") not in CORRUPTIONS:
        raise ValueError(f"{where}: no such stream or corruption")
    if args.get("tick", "0.001") not in TICKS:
        raise ValueError(f"{where}: a tick is one of {', '.join(TICKS)}")
    name, when = next(iter(at.items()), ("time_ms", 0))
    return Fault(action, args, name, when)


class Faults:
    """The faults of a run: those to come, those in force, those that were.

    Attributes:
        injected: `{"ts_ns", "action", "args", "event", "market"}` of everything that was done, the last 10,000.
        counts: How often each action was done.
    """

    def __init__(self, script: object | None = None, start_ns: int = 0) -> None:
        self._start_ns = start_ns
        seed, self._coming = read(script) if script is not None else (0, [])
        self.rng = Random(seed)  # noqa: S311 - chance for a made-up fault, not for a secret
        self._now: list[Fault] = []
        self._held: Told | None = None
        self._late: list[Told] = []
        self._frames = 0
        self._subscribes = 0
        self.injected: list[dict[str, Any]] = []
        self.counts: Counter[str] = Counter()

    @property
    def coming(self) -> int:
        """Faults that have not begun."""
        return len(self._coming)

    def add(self, script: object) -> int:
        """Add a script to a run; how many faults that were.

        Raises:
            ValueError: As `read`.
        """
        _, faults = read(script)
        self._coming += faults
        return len(faults)

    def due(self, now_ns: int) -> list[Fault]:
        """Begin what is due. Actions on the floor and on connections are returned, the others are kept in force."""
        if self._now:
            self._now = [fault for fault in self._now if fault.action not in LASTING or now_ns < fault.until_ns]
        begun = [fault for fault in self._coming if fault.when <= self._passed(fault.at, now_ns)]
        return [fault for fault in begun if not self._begin(fault, now_ns)]

    def _passed(self, at: str, now_ns: int) -> int:
        if at == "time_ms":
            return (now_ns - self._start_ns) // MS
        return self._frames if at == "nth_frame" else self._subscribes

    def _begin(self, fault: Fault, now_ns: int) -> bool:
        """Whether it is one that messages fall under; the others are for the world to do."""
        self._coming.remove(fault)
        fault.left = fault.args.get("count", 1)
        fault.until_ns = now_ns + fault.args.get("duration_ms", 10_000) * MS
        if fault.action in LASTING:
            self.note(now_ns, fault)
        kept = fault.action in (*COUNTED, *LASTING, "no_snapshot")
        if kept:
            self._now.append(fault)
        return kept

    def note(self, now_ns: int, fault: Fault, told: Told | None = None) -> None:
        """Remember that a fault was done."""
        self.counts[fault.action] += 1
        del self.injected[: len(self.injected) + 1 - INJECTED_MAX]
        on = {"event": told.event, "market": told.market} if told else {"event": "", "market": ""}
        self.injected.append({"ts_ns": now_ns, "action": fault.action, "args": dict(fault.args), **on})

    def lasting(self, action: str, now_ns: int) -> Fault | None:
        """The fault of that sort that is in force."""
        return next((fault for fault in self._now if fault.action == action and now_ns < fault.until_ns), None)

    def mute(self, now_ns: int) -> bool:
        """Not even PINGs are answered."""
        silences = (fault for fault in self._now if fault.action == "silence" and now_ns < fault.until_ns)
        return any(not fault.args.get("pongs", True) for fault in silences)

    def subscribed(self) -> None:
        """Count a subscription."""
        self._subscribes += 1

    def withholds_books(self, now_ns: int) -> bool:
        """The books of this subscription are not to be sent."""
        fault = next((fault for fault in self._now if fault.action == "no_snapshot"), None)
        if fault is None:
            return False
        self._spend(fault)
        self.note(now_ns, fault)
        return True

    def late(self, now_ns: int) -> list[Told]:
        """Messages whose delay is over."""
        ready = sorted((told for told in self._late if told.ts_ns <= now_ns), key=lambda told: told.ts_ns)
        if ready:
            self._late = [told for told in self._late if told.ts_ns > now_ns]
        return ready

    def _spend(self, fault: Fault) -> None:
        fault.left -= 1
        if fault.left <= 0:
            self._now.remove(fault)

    def passes(self, told: Told) -> list[Told]:
        """What becomes of a message: itself, nothing, several."""
        if told.market:
            for fault in [fault for fault in self._coming if fault.at == "nth_frame" and fault.when <= self._frames]:
                if fault.action in COUNTED:  # to the message; everything else waits for the end of the instant
                    self._begin(fault, told.ts_ns)
            self._frames += 1
        if not self._now and self._held is None:
            return [told]
        out = [told]
        for fault in list(self._now):
            if out and fault.falls_on(told):
                out = self._fall(fault, told, out)
        held = self._held
        if held is None or (out and out[0] is held):
            return [one for one in out if one is not held]
        if out and (told.market, told.event) == (held.market, held.event):
            self._held = None
            return [*out, held]
        if told.ts_ns - held.ts_ns > HELD_NS_MAX:
            # Its market has nothing more of the kind to say; whoever waits for the other swaps must not wait for that.
            self._held = None
            return [*out, held]
        return out

    def _fall(self, fault: Fault, told: Told, out: list[Told]) -> list[Told]:
        action = fault.action
        if action in LASTING:
            if action == "silence":
                return []
            if action == "delay":
                self._late += [one._replace(ts_ns=told.ts_ns + fault.args.get("ms", 1_000) * MS) for one in out]
                return []
            if action == "bad_hash" and told.event == "book":
                return [one._replace(raw=one.raw.replace(b'"hash":"', b'"hash":"0bad', 1)) for one in out]
            return out
        if action not in COUNTED or (action == "swap" and self._held is not None):
            return out
        if action == "corrupt":
            raw = CORRUPTIONS[fault.args.get("how", "json")](told.raw)
            if raw == told.raw:
                return out
            out = [one._replace(raw=raw) for one in out]
        self._spend(fault)
        self.note(told.ts_ns, fault, told)
        if action == "drop":
            return []
        if action == "duplicate":
            return out * 2
        if action == "swap":
            self._held = out[0]
        return out
