"""The ladder: where each strategy stands, since when, what it has shown there, and what the next stage lacks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np

from apps.eventlog.bodies import What, unpack
from apps.monitoring import incidents
from apps.monitoring.core import rollout
from apps.monitoring.core.rollout import Evidence
from apps.monitoring.models import StrategyRecord
from apps.oms.models import FillRecord
from apps.replay.models import ReplayRecord
from polytraders.console import asked
from polytraders.contracts.inputs import INPUT, Stage
from polytraders.contracts.state import STRATEGY

HOUR_NS: Final = 3_600_000_000_000
VERSIONS: Final = """
SELECT v.index, v.in_seq, v.body, c.row
FROM unnest(%s::int[]) AS wanted(index)
CROSS JOIN LATERAL (
    SELECT index, in_seq, body FROM log_record WHERE shard = %s AND what = %s AND index = wanted.index
    ORDER BY in_seq DESC LIMIT 100
) AS v LEFT JOIN log_control c ON c.shard = %s AND c.in_seq = v.in_seq ORDER BY v.index, v.in_seq DESC"""
FILLS: Final = 2_000
PPM: Final = 1_000_000
UNKNOWN: Final = -1
PARITY, DRIFT = "Replay parity", "Drift"
"""Open incidents when nobody knows how many there are; the ladder takes nothing but none."""


@dataclass(frozen=True)
class Need:
    """One thing that the next stage asks for."""

    title: str
    has: str
    asks: str
    is_met: bool


@dataclass(frozen=True)
class Rung:
    """A strategy on the ladder.

    Attributes:
        name: Of the strategy.
        index: Of the strategy.
        stage: Where it is.
        following: Next stage, None = it is at the top.
        lower: Stages it can be moved down to.
        since_ts: Loop time at which it came there; None = the log no longer says.
        in_seq: Input of that.
        evidence: What it has shown.
        needs: What the next stage asks for.
        missing: What is lacking, as the loop would say it.
    """

    name: str
    index: int
    stage: Stage
    following: Stage | None
    lower: tuple[Stage, ...]
    since_ts: int | None
    in_seq: int | None
    evidence: Evidence
    needs: tuple[Need, ...]
    missing: tuple[str, ...]


class Version(NamedTuple):
    """What was in force of a strategy from an input on, and when that was told (loop time; None = unknown)."""

    in_seq: int
    record: np.void
    ts: int | None


def ladder(rows: Sequence[StrategyRecord], now_ts: int, shard: int = 0) -> list[Rung]:
    """All strategies; four queries.

    Args:
        rows: Of the strategies.
        now_ts: Loop time.
        shard: Whose.
    """
    replay = ReplayRecord.objects.filter(shard=shard).order_by("-id").first()
    parity = int((replay.parity or 0.0) * PPM) if replay and replay.verdict_code == "GOV_REPLAY_MATCH" else 0
    drift = int((replay.drift or 0.0) * PPM) if replay else PPM
    told = versions([row.strategy for row in rows], shard)
    fills = list(FillRecord.objects.filter(shard=shard).order_by("-id").values_list("strategy", "in_seq")[:FILLS])
    scopes = incidents.urgent_scopes()
    rungs = [_rung(row, now_ts, (parity, drift, _open(row, scopes)), told.get(row.strategy, []), fills) for row in rows]
    return rungs if replay else [replace(rung, needs=_unjudged(rung.needs)) for rung in rungs]


def _unjudged(needs: tuple[Need, ...]) -> tuple[Need, ...]:
    """No number where nothing has been measured."""
    return tuple(replace(need, has="no replay yet") if need.title in (PARITY, DRIFT) else need for need in needs)


def _open(row: StrategyRecord, scopes: Sequence[str] | None) -> int:
    """How many urgent incidents of these are the strategy's; UNKNOWN without them."""
    if scopes is None:
        return UNKNOWN
    return sum(incidents.concerns(scope, row.name, row.strategy) for scope in scopes)


def _rung(
    row: StrategyRecord,
    now_ts: int,
    judged: tuple[int, int, int],
    told: list[Version],
    fills: list[tuple[int, int]],
) -> Rung:
    parity, drift, broken = judged
    stage = Stage(row.stage if row.stage is not None else Stage.REPLAY)
    came = _came(told)
    since_ts, in_seq = (came.ts, came.in_seq) if came else (None, None)
    hours = max(0, (now_ts - since_ts) // HOUR_NS) if since_ts else 0
    own = sum(strategy == row.strategy and seq >= in_seq for strategy, seq in fills) if in_seq else 0
    shown = Evidence(parity, int(hours), own, drift, broken, "")
    following = Stage(stage + 1) if stage < Stage.LIVE else None
    missing = rollout.move(stage, following, shown._replace(person="?")).missing if following else ()
    return Rung(
        row.name, row.strategy, stage, following, tuple(Stage(one) for one in range(int(stage))), since_ts, in_seq,
        shown, _needs(following, shown), missing,
    )  # fmt: skip


def _came(told: list[Version]) -> Version | None:
    """The version with which the strategy came to its stage."""
    came = None
    for one in told:
        if came is not None and int(one.record["stage"]) != int(came.record["stage"]):
            break
        came = one
    return came


def _needs(following: Stage | None, shown: Evidence) -> tuple[Need, ...]:
    asks = rollout.NEEDED.get(following) if following else None
    if asks is None:
        return ()
    return (
        Need(PARITY, f"{shown.parity_ppm / 1e4:.4g} %", f"{asks.parity_ppm / 1e4:.4g} %",
             shown.parity_ppm >= asks.parity_ppm),
        Need("Hours on the stage", f"{shown.hours:,}", f"{asks.hours:,}", shown.hours >= asks.hours),
        Need("Fills on the stage", f"{shown.fills:,}", f"{asks.fills:,}", shown.fills >= asks.fills),
        Need(DRIFT, f"{shown.drift_ppm / 1e4:.4g} %", f"at most {asks.drift_ppm / 1e4:.4g} %",
             shown.drift_ppm <= asks.drift_ppm),
        Need("Open P0 and P1 incidents", "unknown" if shown.incidents == UNKNOWN else f"{shown.incidents}", "0",
             shown.incidents == 0),
    )  # fmt: skip


def versions(strategies: Sequence[int], shard: int = 0) -> dict[int, list[Version]]:
    """What was in force of each strategy, newest first, at most 100 each; one query."""
    found: dict[int, list[Version]] = {}
    asked_for = (list(strategies), shard, int(What.STRATEGY), shard)
    for index, in_seq, body, row in asked.raw().execute(VERSIONS, asked_for).fetchall():
        ts = int(np.frombuffer(bytes(row), INPUT)[0]["recv_ts"]) if row is not None else None
        found.setdefault(index, []).append(Version(in_seq, np.frombuffer(unpack(bytes(body)), STRATEGY)[0], ts))
    return found
