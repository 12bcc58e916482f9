"""One decision of the log once more, for jobs: the book as it was then, and whether we would decide the same again.

The inputs behind the nearest checkpoint are stepped up to the decision's own. Nothing is written.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Final

import numpy as np
import psycopg
from django.conf import settings

from apps.eventlog.faults import LogFault
from apps.replay.runner import KernelFault
from apps.risk.models import DecisionRecord
from polytraders import packets, reporting
from polytraders.console import decisions
from polytraders.contracts import job as j
from polytraders.contracts import state as s
from polytraders.contracts.decision import DecisionPacket
from polytraders.contracts.inputs import ASK, BID
from polytraders.kernel.jit import build_hash
from polytraders.naming import Names, moment
from polytraders.proving import LogReplay
from polytraders.sequencing import BLOCK_ROWS
from polytraders.sources import LogMissing
from polytraders.working import Tell

LEVELS: Final = 40
"""Of each side, the best ones; what lies behind them is told as one sum."""
DIFFERENCES: Final = 60
HERE: Final = 0.98
"""How far it is when the decision's own input is reached."""


def book(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """The book that a decision was made on.

    Args:
        arguments: `decision`: its id.
        tell: Progress.

    Returns:
        `bids` and `asks`, best first, as [price in 1e-4, size in 1e-6 shares, of it taken by our paper]; what lies
        behind them, `tick`, `hash` and after which `checkpoint` it began.

    Raises:
        JobRefused: There is no such decision, or the log no longer holds what is needed.
    """
    row = _row(arguments)
    with _replayed(row, tell) as run:
        state = run.runner.state
        sides = {name: _levels(state, row.market, side) for name, side in (("bids", BID), ("asks", ASK))}
        record = state.markets[row.market]
        return {
            "decision": row.decision_id,
            **{name: levels[:LEVELS] for name, levels in sides.items()},
            **{f"{name}_behind": sum(level[1] for level in levels[LEVELS:]) for name, levels in sides.items()},
            **{f"{name}_levels": len(levels) for name, levels in sides.items()},
            "tick": int(record["tick"]),
            "is_valid": int(record["state"]) == s.BOOK_OK,
            "hash": reporting.hash_of_book(state, row.market),
            "checkpoint": run.log.after,
        }


def _levels(state: s.State, market: int, side: int) -> list[list[int]]:
    record = state.markets[market]
    name = "bid" if side == BID else "ask"
    slots = np.flatnonzero(state.levels[market, side])
    prices = (slots + int(record[f"{name}_base"])) * int(record["tick"])
    inside = zip(prices.tolist(), state.levels[market, side][slots].tolist(), state.taken[market, side][slots].tolist(),
                 strict=True)  # fmt: skip
    outside = state.overflow[market, side, : int(record[f"{name}_overflow"])].tolist()
    found = [list(level) for level in inside] + [[price, size, 0] for price, size in outside]
    return sorted(found, key=lambda level: level[0], reverse=side == BID)


def again(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """Whether this build decides the same on the same inputs, byte by byte of the packet.

    Args:
        arguments: `decision`: its id.
        tell: Progress.

    Returns:
        `code` GOV_REPLAY_MATCH, or GOV_REPLAY_REGRESSION, or GOV_REPLAY_DRIFT where another build recorded it; both
        digests; `differences` as [field, recorded, replayed]; the builds; how many inputs were stepped.

    Raises:
        JobRefused: There is no such decision, or the log no longer holds what is needed.
    """
    row = _row(arguments)
    try:
        recorded, names = decisions.rendered(row)
    except LookupError as error:
        raise j.JobRefused("the log no longer holds this decision", "GOV_NOT_FOUND") from error
    with _replayed(row, tell) as run:
        replayed = _made(run, row, names)
        epoch = run.log.epoch_of(row.in_seq)
        differences = [["packet", "present", "absent"]] if replayed is None else unlike(recorded, replayed)
        same = replayed is not None and packets.canonical(recorded) == packets.canonical(replayed)
        ours = build_hash().hex()
        is_ours = epoch.build == ours
        code = "GOV_REPLAY_MATCH" if same else "GOV_REPLAY_REGRESSION" if is_ours else "GOV_REPLAY_DRIFT"
        return {
            "decision": row.decision_id,
            "code": code,
            "recorded": packets.packet_id(recorded),
            "replayed": None if replayed is None else packets.packet_id(replayed),
            "differences": differences[:DIFFERENCES],
            "differing": len(differences),
            "build": ours,
            "recorded_build": epoch.build,
            "checkpoint": run.log.after,
            "stepped": row.in_seq - run.log.after,
            "verdict": None if replayed is None else replayed.verdict.value,
            "reason": None if replayed is None else replayed.code,
        }


def _made(run: LogReplay, row: DecisionRecord, names: Names) -> DecisionPacket | None:
    """The packet that the replay made in the decision's place."""
    outs, details = run.runner.outs(), run.runner.details()
    for out in outs:
        is_here = (int(out["in_seq"]), int(out["ordinal"])) == (row.in_seq, row.ordinal)
        if is_here and out["kind"] in (s.PACKET, s.APPROVAL):
            at = moment(run.runner.state, int(out["market"]), int(out["strategy"]))
            return packets.packet(out, details[out["detail"]], names=names, at=at)
    return None


def unlike(recorded: DecisionPacket, replayed: DecisionPacket) -> list[list[str]]:
    """Fields in which two packets differ: where, what it was, what it is."""
    was, now = dict(_flat("", asdict(recorded))), dict(_flat("", asdict(replayed)))
    fields = [*was, *(field for field in now if field not in was)]
    pairs = ((field, was.get(field, "absent"), now.get(field, "absent")) for field in fields)
    return [[field, before, after] for field, before, after in pairs if before != after]


def _flat(where: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _flat(f"{where}.{name}" if where else name, inner)
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            # A vote is known by its check, not by its place.
            label = inner["check"] if isinstance(inner, dict) and "check" in inner else str(index)
            yield from _flat(f"{where}.{label}", inner)
    else:
        yield where, repr(value)


def _row(arguments: dict[str, Any]) -> DecisionRecord:
    told = arguments.get("decision")
    found = decisions.find(told) if isinstance(told, str) else None
    if found is None:
        raise j.JobRefused("there is no such decision", "GOV_NOT_FOUND")
    return found


@contextmanager
def _replayed(row: DecisionRecord, tell: Tell) -> Iterator[LogReplay]:
    """The log stepped up to the decision's own input, which is the last call's."""
    tell(0.0, "loading the loop")
    try:
        with psycopg.connect(settings.DATABASE_URL or "", autocommit=True) as connection:
            run = LogReplay(connection, settings.HOME, row.shard, block_rows=BLOCK_ROWS, explain=row.in_seq)
            after = run.log.after
            for rows in run:
                last = int(rows["in_seq"][-1])
                if last < row.in_seq:
                    run.runner.feed(rows)
                else:
                    if len(rows) > 1:
                        run.runner.feed(rows[:-1])
                    run.runner.feed(rows[-1:])
                part = (last - after) / max(row.in_seq - after, 1)
                tell(HERE * part, f"input {last:,} of {row.in_seq:,}, from {after:,} on")
            yield run
    except LogFault as error:
        raise j.JobRefused(str(error), error.code) from error
    except LogMissing as error:
        raise j.JobRefused(str(error), error.code) from error
    except KernelFault as error:
        raise j.JobRefused(str(error), j.BROKEN) from error
