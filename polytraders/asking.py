"""Verbs that ask a running system, or its database, from a terminal: `status`, `why`, and `rebuild` for projections."""

import argparse
import json
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from apps.replay.models import ReplayRecord
    from polytraders.console.board import Board
    from polytraders.console.health import Health

OK, UNHEALTHY, UNUSABLE, BROKEN = 0, 1, 2, 4
VERBS: Final = ("status", "why", "rebuild")
WATCH_S: Final = 1.0
SHOWN: Final = 5


class Unreachable(Exception):  # noqa: N818
    """There is no database to ask."""

    code = "GOV_DB_UNAVAILABLE"


class Seen(NamedTuple):
    """What `status` looked at."""

    health: "Health"
    board: "Board"
    replay: "ReplayRecord | None"


def add(verbs: Any) -> None:
    """The verbs' arguments."""
    status = verbs.add_parser("status", help="how the running system is")
    status.add_argument("--watch", action="store_true", help="again each second, until Ctrl-C")
    status.add_argument("--json", action="store_true", help="one JSON object")
    why = verbs.add_parser("why", help="why a decision was made, or a market's latest one")
    why.add_argument("which", metavar="MARKET|DECISION", help="in_seq:ordinal, or a market's index, id or slug")
    why.add_argument("--json", action="store_true", help="the packet's canonical JSON")
    rebuild = verbs.add_parser("rebuild", help="make the projections again from the log")
    rebuild.add_argument("--check", action="store_true", help="only compare; exit 4 where they differ")
    rebuild.add_argument("--shard", type=int, default=0, metavar="N")


def ask(given: argparse.Namespace) -> int:
    """Run one of VERBS; 0 good, 1 not healthy, 2 cannot be used, 4 a projection is not what the log says."""
    import os

    import django
    from django.core.exceptions import ImproperlyConfigured
    from django.db import DatabaseError

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "polytraders.settings")
    acts: dict[str, Callable[[argparse.Namespace], int]] = {"status": status, "why": why, "rebuild": rebuild}
    try:
        django.setup()
        _reach()
        return acts[given.verb](given)
    except Unreachable as error:
        print(f"polytraders: {error.code}: {error}", file=sys.stderr)
    except ImproperlyConfigured as error:
        print(f"polytraders: GOV_CONFIG_INVALID: {error}", file=sys.stderr)
    except DatabaseError as error:
        print(f"polytraders: GOV_DB_UNAVAILABLE: {_first_line(error)}", file=sys.stderr)
    return UNUSABLE


def _first_line(error: Exception) -> str:
    from polytraders.logs import without_secrets

    return without_secrets(str(error).strip().partition("\n")[0])


def _reach() -> None:
    from django.conf import settings
    from django.db import DatabaseError, connection

    try:
        connection.ensure_connection()
    except DatabaseError as error:
        if settings.DATABASE_URL is None and not connection.settings_dict["PASSWORD"]:
            raise Unreachable("nothing runs here: start with `make run`, or set DATABASE_URL") from error
        raise Unreachable(f"the database does not answer ({_first_line(error)})") from error


# --- status ----------------------------------------------------------------------------------------------------------


def status(given: argparse.Namespace) -> int:
    """`polytraders status`."""
    while True:
        seen = look()
        text = json.dumps(as_json(seen)) if given.json else told(seen)
        if given.watch and not given.json and sys.stdout.isatty():
            print("\x1b[H\x1b[2J", end="")
        print(text, flush=True)
        if not given.watch:
            return OK if seen.health.ok else UNHEALTHY
        time.sleep(WATCH_S)


def look() -> Seen:
    """Health, board and last replay as they are now."""
    from apps.replay.models import ReplayRecord
    from polytraders.console import board, health

    return Seen(health.check(), board.read(), ReplayRecord.objects.defer("report").filter(shard=0).first())


def as_json(seen: Seen) -> dict[str, Any]:
    """For programs: names and integers."""
    loop = seen.board.loop
    return {
        **seen.health.as_dict(),
        "mode": seen.board.mode,
        "killed": list(seen.board.killed),
        "unknown_orders": seen.board.unknown_orders,
        "open_orders": seen.board.open_orders,
        "markets": seen.board.markets,
        "in_seq": loop.in_seq if loop else None,
        "lag_ms": loop.lag_ms if loop else None,
        "chain_head": loop.chain_head if loop else None,
        "books": loop.books if loop else {},
        "queues": loop.queues if loop else {},
        "money": loop.money if loop else {},
        "stages": {line.stage.app: dict(line.counts) for line in seen.board.stages},
        "codes": {line.reason.code: line.count for line in seen.board.codes},
        "replay": _replay_as_json(seen.replay),
    }


def _replay_as_json(replay: "ReplayRecord | None") -> dict[str, Any] | None:
    if replay is None:
        return None
    told = (
        "verdict_code",
        "from_seq",
        "to_seq",
        "parity",
        "drift",
        "chain_head",
        "first_difference",
        "seconds",
        "build",
    )
    return {"made_at": replay.made_at.isoformat(), **{name: getattr(replay, name) for name in told}}


def _replay_told(replay: "ReplayRecord | None") -> str:
    if replay is None:
        return "The log has not been replayed yet; a job does each night, `polytraders replay log` does now."
    to = "" if replay.to_seq is None else f" to input {replay.to_seq:,}"
    parity = "" if replay.parity is None else f", parity {replay.parity:.6f}"
    why = f": {replay.first_difference}" if replay.first_difference else ""
    return f"replayed {replay.made_at:%Y-%m-%d %H:%M} UTC{to}: {replay.verdict_code}{parity}{why}"[:100]


def told(seen: Seen) -> str:
    """For a person, at most 100 columns."""
    from polytraders import figures as f

    health, board = seen.health, seen.board
    age = "never" if health.loop_age_ms is None else f.span(health.loop_age_ms * 1_000_000) + " ago"
    killed = f" ({', '.join(board.killed)})" if board.killed else ""
    lines = [f"{board.mode}  {health.kill}{killed}  loop {health.loop}, last heard {age}"]
    if board.loop is None:
        lines.append("No loop has run on this database yet; `make run` starts one.")
    else:
        loop = board.loop
        if loop.breached:
            lines.append(f"LIMIT: {loop.breached}; only what reduces a position is approved")
        books = ", ".join(f"{count} {state}" for state, count in loop.books.items())
        equity = f.shares(loop.money.get("equity", 0))
        lines += [
            f"input {loop.in_seq:,}  lag {loop.lag_ms:,} ms  books {books}  equity {equity} pUSD",
            f"orders {board.open_orders} open, {board.unknown_orders} unknown  head {loop.chain_head[:16]}",
        ]
    lines += [_replay_told(seen.replay), ""]
    for line in board.stages:
        counts = "  ".join(f"{count:,} {what}" for what, count in line.counts) or "nothing yet"
        lines.append(f"{line.stage.number:>2}  {line.stage.title[:42]:<42}  {counts}"[:100])
    if board.codes:
        lines += ["", "Why not, last hour of loop time"]
        lines += [f"{line.count:>12,}  {line.share:>6.1%}  {line.reason.code}" for line in board.codes]
    if board.packets:
        lines += ["", "Last decisions"]
        for packet in board.packets[:SHOWN]:
            name = "".join(sign if sign.isprintable() else " " for sign in packet.market)
            lines.append(f"{packet.row.decision_id:>14}  {packet.reason.code:<28}  {name}"[:100])
    return "\n".join(lines)


# --- why -------------------------------------------------------------------------------------------------------------


def why(given: argparse.Namespace) -> int:
    """`polytraders why MARKET|DECISION`."""
    from polytraders.console import decisions
    from polytraders.explain import explain
    from polytraders.packets import canonical

    if decisions.parsed(given.which) is not None:
        row, missing = decisions.find(given.which), f"no decision {given.which}"
    else:
        market = decisions.market_index(given.which)
        row = None if market is None else decisions.latest(market)
        missing = f"no market {given.which}" if market is None else f"no decision about market {given.which} yet"
    if row is None:
        print(f"polytraders: GOV_NOT_FOUND: {missing}", file=sys.stderr)
        return UNUSABLE
    try:
        packet, names = decisions.rendered(row)
    except LookupError as error:
        print(f"polytraders: GOV_NOT_FOUND: the log no longer holds it ({error})", file=sys.stderr)
        return UNUSABLE
    print(canonical(packet).decode() if given.json else explain(packet, names))
    return OK


# --- rebuild ---------------------------------------------------------------------------------------------------------


def rebuild(given: argparse.Namespace) -> int:
    """`polytraders rebuild [--check]`."""
    from django.db import connection

    from apps.monitoring import projecting

    parameters = connection.get_connection_params()
    import psycopg

    dsn = psycopg.conninfo.make_conninfo(
        **{name: parameters[name] for name in ("dbname", "user", "password", "host", "port") if name in parameters}
    )
    try:
        found = projecting.rebuild(dsn, given.shard, only_check=given.check)
    except LookupError as error:
        print(f"polytraders: GOV_NOT_FOUND: {error}", file=sys.stderr)
        return UNUSABLE
    for line in found:
        state = "as the log says" if line.is_equal else f"{line.missing:,} missing, {line.surplus:,} surplus"
        print(f"{line.table:<20} {line.rows:>12,} rows  {state}")
    if all(line.is_equal for line in found):
        return OK
    print("differences were found" if given.check else "made again from the log")
    return BROKEN if given.check else OK
