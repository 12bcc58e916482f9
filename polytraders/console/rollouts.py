"""The ladder: where each strategy stands, since when, what it has shown there, and what the next stage lacks."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from apps.eventlog.bodies import What, unpack
from apps.monitoring.core import rollout
from apps.monitoring.core.rollout import Evidence
from apps.monitoring.models import StrategyRecord
from apps.oms.models import FillRecord
from apps.replay.models import ReplayRecord
from polytraders.console import asked
from polytraders.contracts.inputs import INPUT, Stage
from polytraders.contracts.state import STRATEGY
from polytraders.contracts.stretch import row_id

HOUR_NS: Final = 3_600_000_000_000
VERSIONS: Final = """
SELECT in_seq, body FROM log_record WHERE shard = %s AND what = %s AND index = %s ORDER BY in_seq DESC LIMIT 200"""
ROW: Final = "SELECT row, actor FROM log_control WHERE shard = %s AND in_seq = ANY(%s)"
PPM: Final = 1_000_000


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


def ladder(now_ts: int, incidents: dict[int, int] | None = None, shard: int = 0) -> list[Rung]:
    """All strategies; two queries each, and two more.

    Args:
        now_ts: Loop time.
        incidents: Open incidents by strategy; None = nobody keeps them, which counts as none open.
        shard: Whose.
    """
    replay = ReplayRecord.objects.filter(shard=shard).order_by("-id").first()
    parity = int((replay.parity or 0.0) * PPM) if replay and replay.verdict_code == "GOV_REPLAY_MATCH" else 0
    drift = int((replay.drift or 0.0) * PPM) if replay else PPM
    return [
        _rung(row, now_ts, parity, drift, (incidents or {}).get(row.strategy, 0), shard)
        for row in StrategyRecord.objects.filter(shard=shard).order_by("strategy")[:8]
    ]


def rung(name: str, now_ts: int, shard: int = 0) -> Rung | None:
    """One strategy by its name."""
    return next((one for one in ladder(now_ts, shard=shard) if one.name == name), None)


def _rung(row: StrategyRecord, now_ts: int, parity: int, drift: int, incidents: int, shard: int) -> Rung:
    stage = Stage(row.stage if row.stage is not None else Stage.REPLAY)
    in_seq, fills = _since(row.strategy, shard)
    since_ts = _time(in_seq, shard) if in_seq else None
    hours = max(0, (now_ts - since_ts) // HOUR_NS) if since_ts else 0
    shown = Evidence(parity, int(hours), fills, drift, incidents, "")
    following = Stage(stage + 1) if stage < Stage.LIVE else None
    missing = rollout.move(stage, following, shown._replace(person="?")).missing if following else ()
    return Rung(
        row.name, row.strategy, stage, following, tuple(Stage(one) for one in range(int(stage))), since_ts, in_seq,
        shown, _needs(following, shown), missing,
    )  # fmt: skip


def _needs(following: Stage | None, shown: Evidence) -> tuple[Need, ...]:
    asks = rollout.NEEDED.get(following) if following else None
    if asks is None:
        return ()
    return (
        Need("Replay parity", f"{shown.parity_ppm / 1e4:.4g} %", f"{asks.parity_ppm / 1e4:.4g} %",
             shown.parity_ppm >= asks.parity_ppm),
        Need("Hours on the stage", f"{shown.hours:,}", f"{asks.hours:,}", shown.hours >= asks.hours),
        Need("Fills on the stage", f"{shown.fills:,}", f"{asks.fills:,}", shown.fills >= asks.fills),
        Need("Drift", f"{shown.drift_ppm / 1e4:.4g} %", f"at most {asks.drift_ppm / 1e4:.4g} %",
             shown.drift_ppm <= asks.drift_ppm),
        Need("Open incidents", f"{shown.incidents}", "0", shown.incidents == 0),
    )  # fmt: skip


def versions(strategy: int, shard: int = 0) -> list[tuple[int, np.void]]:
    """(input, record in force from it on) of a strategy, newest first, at most 200."""
    rows = asked.raw().execute(VERSIONS, (shard, int(What.STRATEGY), strategy)).fetchall()
    return [(int(in_seq), np.frombuffer(unpack(bytes(body)), STRATEGY)[0]) for in_seq, body in rows]


def _since(strategy: int, shard: int) -> tuple[int | None, int]:
    """Input at which the strategy came to its stage, and its fills since then as far as the records say."""
    found = versions(strategy, shard)
    if not found:
        return None, 0
    stage = int(found[0][1]["stage"])
    came = found[0]
    for one in found:
        if int(one[1]["stage"]) != stage:
            break
        came = one
    return came[0], fills_since(strategy, came[0], shard)


def fills_since(strategy: int, in_seq: int, shard: int = 0) -> int:
    """Fills of a strategy behind an input, among the shard's newest 2,000: no stage asks for more than 100."""
    newest = FillRecord.objects.filter(id__gte=row_id(shard, in_seq, 0)).order_by("-id")[:2_000]
    return sum(1 for found in newest.values_list("strategy", flat=True) if found == strategy)


def _time(in_seq: int, shard: int) -> int | None:
    row: Any = asked.raw().execute(ROW, (shard, [in_seq])).fetchone()
    return int(np.frombuffer(bytes(row[0]), INPUT)[0]["recv_ts"]) if row else None
