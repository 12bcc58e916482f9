"""Reason codes, strategies and the loop itself."""

from typing import Any

import numpy as np
from django.http import HttpRequest
from ninja import Field, Schema

from apps.eventlog.bodies import What, unpack
from apps.monitoring.models import LoopRecord, StrategyRecord
from polytraders.access.permissions import Permission
from polytraders.api.endpoint import Resource, missing
from polytraders.api.places import Page, Shard, iso, raw, strategies, strategy_index
from polytraders.console import health
from polytraders.console.problems import Refused
from polytraders.contracts.inputs import Setting, Stage
from polytraders.contracts.reason import Reason
from polytraders.contracts.reasons import REASONS, precedence, reason
from polytraders.contracts.state import STRATEGY

reasons = Resource("reason-codes")
named = Resource("strategies")
loops = Resource("loop")
SETTINGS = "SELECT body FROM log_record WHERE shard = %s AND what = %s AND index = %s ORDER BY in_seq DESC LIMIT 1"


class ReasonCode(Schema):
    """One line of the closed registry."""

    code: str = Field(examples=["STRAT_EDGE_DETECTED"])
    number: int
    stage: int
    owner: str
    severity: str
    meaning: str
    action: str = Field(description="What the operator does.")
    precedence: int | None = Field(description="Place among the checks, the lowest wins; null = no check says it.")
    can_occur: bool


class StrategyItem(Schema):
    """A strategy of the loop."""

    index: int
    name: str
    stage: str | None
    changed_seq: int


class StrategyDetail(StrategyItem):
    """A strategy with the settings in force, units as in `contracts/inputs.py` Setting."""

    settings: dict[str, int]


class Heads(Schema):
    """Ends of the chains, hex."""

    input: str
    output: str
    chain: str


class LoopState(Schema):
    """The loop's own row with its age."""

    shard: int
    state: str
    kill: str
    loop_age_ms: int | None
    mode: str
    venue: str
    speed: float
    build_hash: str
    epoch_seq: int
    in_seq: int
    loop_ts: int
    loop_at: str
    lag_ms: int
    heads: Heads
    rss_bytes: int
    queues: dict[str, int]
    books: dict[str, int]
    feeds: list[dict[str, Any]]
    money: dict[str, int]


@reasons.get("/reason-codes", Permission.VIEW, Page[ReasonCode], tagged=True)
def list_reason_codes(request: HttpRequest) -> dict[str, Any]:
    """The whole registry, by number; it is one page."""
    return {"items": [_reason(entry) for entry in REASONS], "next": None}


@reasons.get("/reason-codes/{code}", Permission.VIEW, ReasonCode, tagged=True)
def get_reason_code(request: HttpRequest, code: str) -> dict[str, Any]:
    """What a code means and what to do about it."""
    try:
        return _reason(reason(code))
    except KeyError as error:
        raise missing("no such reason code") from error


def _reason(entry: Reason) -> dict[str, Any]:
    same = ("code", "number", "stage", "owner", "severity", "meaning", "action")
    return {name: getattr(entry, name) for name in same} | {
        "precedence": precedence(entry.code),
        "can_occur": not entry.reserved_for and not entry.retired,
    }


@named.get("/strategies", Permission.VIEW, Page[StrategyItem])
def list_strategies(request: HttpRequest, shard: Shard) -> dict[str, Any]:
    """Strategies of the loop, the last told first; it is one page."""
    rows = StrategyRecord.objects.filter(shard=shard).order_by("-strategy")
    return {"items": [_strategy(row) for row in rows], "next": None}


@named.get("/strategies/{name}", Permission.VIEW, StrategyDetail, tagged=True)
def get_strategy(request: HttpRequest, name: str, shard: Shard) -> dict[str, Any]:
    """One strategy by name or index, with its settings in force."""
    try:
        index = strategy_index(name, strategies(shard))
    except Refused as error:
        raise missing("no such strategy") from error
    row = StrategyRecord.objects.get(shard=shard, strategy=index)
    found = raw().execute(SETTINGS, (shard, int(What.STRATEGY), index)).fetchone()
    record = np.frombuffer(unpack(found[0]), STRATEGY)[0] if found else None
    names = [setting.name.lower() for setting in Setting]
    return _strategy(row) | {"settings": {} if record is None else {each: int(record[each]) for each in names}}


def _strategy(row: StrategyRecord) -> dict[str, Any]:
    return {
        "index": row.strategy,
        "name": row.name or f"strategy {row.strategy}",
        "stage": None if row.stage is None else Stage(row.stage).name.lower(),
        "changed_seq": row.changed_seq,
    }


@loops.get("/loop", Permission.VIEW, LoopState)
def get_loop(request: HttpRequest, shard: Shard) -> dict[str, Any]:
    """How the loop is: its own row with its age, its kill state and its health."""
    found = LoopRecord.objects.filter(shard=shard).first()
    if found is None:
        raise Refused(missing("").status, "GOV_LOOP_SILENT", f"no loop has run on shard {shard}")
    state = health.check(shard)
    same = (
        "mode", "venue", "speed", "build_hash", "epoch_seq", "in_seq", "loop_ts", "lag_ms", "rss_bytes", "queues",
        "books", "feeds", "money",
    )  # fmt: skip
    return {name: getattr(found, name) for name in same} | {
        "shard": shard,
        "state": state.loop,
        "kill": state.kill,
        "loop_age_ms": state.loop_age_ms,
        "loop_at": iso(found.loop_ts),
        "heads": {"input": found.input_head, "output": found.output_head, "chain": found.chain_head},
    }
