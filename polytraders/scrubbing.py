"""Jobs about the whole log: replay it up to an input and keep the report, or tell the loop's state behind an input."""

import hashlib
import json
import time
from typing import Any, Final

import numpy as np
import psycopg
from django.conf import settings

from apps.eventlog.faults import LogFault
from apps.replay.models import ReplayRecord
from apps.replay.runner import KernelFault
from apps.replay.tasks import columns
from polytraders import replaying
from polytraders.contracts import job as j
from polytraders.contracts.inputs import MarketStatus
from polytraders.kernel.jit import build_hash
from polytraders.proving import LogReplay
from polytraders.sequencing import BLOCK_ROWS
from polytraders.shard import snapshots
from polytraders.sources import LogMissing
from polytraders.working import Tell

ALMOST: Final = 0.98
SEQ_MOST: Final = 1 << 40


def whole(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """Replay the log and compare every output; the report is kept like a nightly one.

    Args:
        arguments: `until`: last input, None = all that is committed.
        tell: Progress.

    Returns:
        `replay`: the report's id; `code` and `to_seq` of it.

    Raises:
        JobRefused: There is no such input, or the log no longer holds what is needed.
    """
    until = arguments.get("until")
    if until is not None:
        until = _seq(until)
    tell(0.0, "loading the loop")
    began = time.perf_counter()

    def progress(run: LogReplay) -> None:
        done, last = run.runner.inputs.rows, run.log.until
        tell(ALMOST * done / max(last, 1), f"input {done:,} of {last:,}")

    try:
        with psycopg.connect(settings.DATABASE_URL or "", autocommit=True) as connection:
            report = LogReplay(connection, settings.HOME, 0, until=until).run(progress)
    except (LogFault, LogMissing) as error:
        raise j.JobRefused(str(error), error.code) from error
    except KernelFault as error:
        raise j.JobRefused(str(error), j.BROKEN) from error
    told = json.loads(replaying.to_json(report))
    seconds = round(time.perf_counter() - began, 3)
    row = ReplayRecord.objects.create(shard=0, seconds=seconds, report=told, **columns(told))
    return {"replay": row.id, "code": row.verdict_code, "to_seq": row.to_seq}


def state(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """The loop's state behind one input, as a digest and its main numbers.

    Args:
        arguments: `in_seq`: the input.
        tell: Progress.

    Returns:
        `state_hash`: what an EPOCH input behind it would name; money in micro-pUSD; counts.

    Raises:
        JobRefused: There is no such input, or the log no longer holds what is needed.
    """
    in_seq = _seq(arguments.get("in_seq"))
    tell(0.0, "loading the loop")
    try:
        with psycopg.connect(settings.DATABASE_URL or "", autocommit=True) as connection:
            run = LogReplay(connection, settings.HOME, 0, block_rows=BLOCK_ROWS, explain=in_seq)
            after = run.log.after
            for rows in run:
                run.runner.feed(rows)
                last = int(rows["in_seq"][-1])
                tell(ALMOST * (last - after) / max(in_seq - after, 1), f"input {last:,} of {in_seq:,}")
    except (LogFault, LogMissing) as error:
        raise j.JobRefused(str(error), error.code) from error
    except KernelFault as error:
        raise j.JobRefused(str(error), j.BROKEN) from error
    portfolio, markets = run.runner.state.portfolio[0], run.runner.state.markets
    money = {name: int(portfolio[name]) for name in ("cash", "reserved", "equity", "realised", "fees", "deposited")}
    return {
        "in_seq": in_seq,
        "loop_ts": int(portfolio["now"]),
        "state_hash": _digest(run),
        "is_killed": bool(portfolio["killed"]),
        "checkpoint": after,
        "build": build_hash().hex(),
        "money": money,
        "counts": {name: int(portfolio[name]) for name in ("evaluations", "packets", "approvals", "fills", "expiries")},
        "markets": int((markets["events"] > 0).sum()),
        "open_markets": int(((markets["events"] > 0) & (markets["status"] < MarketStatus.RESOLVING)).sum()),
    }


def _digest(run: LogReplay) -> str:
    """Of the state with the markets that have come, wherever the fold began: a checkpoint does not tell their FACTs."""
    known = np.flatnonzero(run.runner.state.markets["known"])
    packed = snapshots.pack(run.runner.block, int(known[-1]) + 1 if len(known) else 0)
    return hashlib.sha256(packed.tobytes()).hexdigest()


def _seq(told: Any) -> int:
    if not isinstance(told, int) or isinstance(told, bool) or not 1 <= told < SEQ_MOST:
        raise j.JobRefused("inputs are numbered from 1 on", "GOV_NOT_FOUND")
    return told
