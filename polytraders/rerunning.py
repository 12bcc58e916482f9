"""Verbs that run the loop over what is recorded: `replay` for a capture or the stored log, and `demo`."""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from polytraders.contracts.replay import ReplayReport
    from polytraders.proving import LogReplay
    from polytraders.replaying import Plan, Replay

OK, REGRESSION, UNUSABLE, BROKEN = 0, 1, 2, 4
DEMO_FRAMES: Final = 40_000
STORED: Final = Path("log")
"""In place of a capture: the log in the database. A capture of that name is told by a longer path."""
CAPTURE_ONLY: Final = ("registry", "strategy", "limits", "frames", "against")


def add(verbs: Any) -> None:
    """The verbs' arguments."""
    replay = verbs.add_parser("replay", help="drive a capture, or the stored log, through the loop")
    replay.add_argument(
        "source",
        type=Path,
        metavar="SOURCE",
        help="capture (JSON lines, plain, .gz or .zst), or the word log: the stored log",
    )
    replay.add_argument("--registry", type=Path, metavar="FILE", help="what the capture cannot tell (TOML)")
    replay.add_argument(
        "--strategy", type=Path, metavar="FILE", action="append", help="template (TOML) or a shipped name; repeatable"
    )
    replay.add_argument("--limits", type=Path, metavar="FILE", help="portfolio limits instead of the shipped ones")
    replay.add_argument("--frames", type=int, metavar="N", help="stop after N frames")
    replay.add_argument("--block", type=int, metavar="ROWS", help="rows handed to the loop at once (default 65,536)")
    replay.add_argument("--json", action="store_true", help="print the report as JSON")
    replay.add_argument("--explain", type=int, metavar="IN_SEQ", help="explain the decisions at one input")
    replay.add_argument("--against", type=Path, metavar="REPORT", help="compare with an earlier report (JSON)")
    replay.add_argument("--shard", type=int, metavar="N", help="log only: of which shard (default 0)")
    replay.add_argument("--until", type=int, metavar="SEQ", help="log only: stop behind this input")
    demo = verbs.add_parser("demo", help="generate a capture and replay it with a live summary")
    demo.add_argument("--frames", type=int, default=DEMO_FRAMES, metavar="N", help="frames to generate")
    demo.add_argument("--seed", type=int, default=7)
    demo.add_argument("--folder", type=Path, metavar="DIR", help="where to put the capture (default .cache/demo)")


def replay(given: argparse.Namespace) -> int:
    """`polytraders replay`."""
    if given.source == STORED:
        return stored(given)
    from polytraders.config import LIMITS_FILE, ConfigError
    from polytraders.replaying import Plan
    from polytraders.sequencing import BLOCK_ROWS

    if given.shard is not None or given.until is not None:
        print(f"polytraders: {ConfigError.code}: --shard and --until belong to `replay log`", file=sys.stderr)
        return UNUSABLE
    if not given.source.is_file():
        print(f"polytraders: {ConfigError.code}: {given.source}: no such capture", file=sys.stderr)
        return UNUSABLE
    plan = Plan(
        source=given.source,
        registry=given.registry,
        strategies=tuple(given.strategy or (Path("logit"),)),
        limits=given.limits or LIMITS_FILE,
        block_rows=max(given.block or BLOCK_ROWS, 1),
        frames_most=given.frames,
    )
    try:
        if given.explain is not None:
            return explain(plan, given.explain)
        return _replay(plan, given.json, given.against)[0]
    except BrokenPipeError:
        raise
    except (ConfigError, OSError) as error:
        code = getattr(error, "code", "GOV_CONFIG_INVALID")
        print(f"polytraders: {code}: {error}", file=sys.stderr)
        return UNUSABLE


def _replay(plan: "Plan", as_json: bool, against: Path | None) -> "tuple[int, Replay]":
    from polytraders import replaying
    from polytraders.summary import text

    recorded = _recorded(against)
    run = prepared(plan)
    report = run.run(progress(run))
    run.keep(report)
    if recorded is not None:
        report = replaying.against(report, recorded)
    _clear_line()
    if run.capture.broken:
        print(f"polytraders: the capture ends early: {run.capture.broken}", file=sys.stderr)
    print(replaying.to_json(report) if as_json else text(report), flush=True)
    return (REGRESSION if report.verdict_code == "GOV_REPLAY_REGRESSION" else OK), run


def _recorded(path: Path | None) -> Any:
    from polytraders.config import ConfigError

    if path is None:
        return None
    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        raise ConfigError(f"{path.name}: not a replay report ({error})") from error


def prepared(plan: "Plan") -> "Replay":
    """The replay, with a word about compilation where it will take a while."""
    from polytraders.replaying import Replay

    _tell_compiling()
    return Replay(plan)


def _tell_compiling() -> None:
    from polytraders.kernel.jit import JIT_OFF, is_warm

    if not JIT_OFF and not is_warm():
        print("polytraders: first run of this build: compiling the loop, up to a minute", file=sys.stderr)


def progress(run: "Replay") -> "Callable[[Replay], None] | None":
    """A bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        return None
    size = max(run.plan.source.stat().st_size, 1)
    began = time.monotonic()

    def show(now: "Replay") -> None:
        portfolio = now.runner.state.portfolio[0]
        seconds = max(time.monotonic() - began, 1e-9)
        done = min(now.capture.read_bytes / size, 1.0)
        bar = "#" * int(done * 24)
        line = (
            f"[{bar:<24}] {done:4.0%}  {now.capture.frames:>9,} frames"
            f"  {now.runner.inputs.rows / seconds:>9,.0f} inputs/s"
            f"  {int(portfolio['approvals']):>5} approved  {int(portfolio['fills']):>5} fills"
        )
        print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)

    return show


def explain(plan: "Plan", in_seq: int) -> int:
    """`polytraders replay SOURCE --explain IN_SEQ`."""
    from polytraders.explaining import explained

    run = prepared(plan._replace(keep_outputs=False))
    found = explained(run, run.capture, in_seq)
    print(found.text)
    return OK if found.decided else UNUSABLE


def shown(path: Path) -> Path:
    """A path as one would type it here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def demo(given: argparse.Namespace) -> int:
    """`polytraders demo`: what `make run` starts."""
    from polytraders.replaying import Plan, cache_folder
    from polytraders.venues.simulator import capture

    folder = given.folder or cache_folder() / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    source, registry = folder / "capture.jsonl.zst", folder / "registry.toml"
    print(f"polytraders: generating {given.frames:,} frames of six made-up markets ...", file=sys.stderr)
    capture.write(source, seed=given.seed, count=given.frames)
    registry.write_text(capture.registry_toml(seed=given.seed), encoding="utf-8")
    plan = Plan(source=source, registry=registry, strategies=(Path("logit"), Path("microprice")), block_rows=4_096)
    code, run = _replay(plan, False, None)
    if run.runner.last_approval:
        print("\nIts last approval, with every number it was made of:")
        files = f"{shown(source)} --registry {shown(registry)} --strategy logit --strategy microprice"
        print(f"  .venv/bin/polytraders replay {files} --explain {run.runner.last_approval}")
    return code


# --- the stored log --------------------------------------------------------------------------------------------------


def stored(given: argparse.Namespace) -> int:
    """`polytraders replay log`: 0 parity, 1 a difference, 2 cannot be replayed, 4 the log is broken."""
    import psycopg

    from apps.eventlog.faults import Corrupt, LogFault, Unavailable
    from polytraders import settings
    from polytraders.config import ConfigError
    from polytraders.sources import LogMissing

    wrong = [name for name in CAPTURE_ONLY if getattr(given, name) is not None]
    if wrong:
        print(
            f"polytraders: {ConfigError.code}: the log has its own {wrong[0]}: leave --{wrong[0]} out", file=sys.stderr
        )
        return UNUSABLE
    if not settings.DATABASE_URL:
        words = "no database: start `polytraders up`, or set DATABASE_URL"
        print(f"polytraders: {ConfigError.code}: {words}", file=sys.stderr)
        return UNUSABLE
    _tell_compiling()
    try:
        with psycopg.connect(settings.DATABASE_URL, autocommit=True) as connection:
            return _stored(given, connection, settings.HOME)
    except Corrupt as error:
        _clear_line()
        print(f"polytraders: {error}", file=sys.stderr)
        return BROKEN
    except LogFault as error:
        print(f"polytraders: {error}", file=sys.stderr)
    except LogMissing as error:
        print(f"polytraders: {error.code}: {error}", file=sys.stderr)
    except psycopg.Error as error:
        # The first line is enough, and no driver's text repeats the address, which holds a password.
        words = str(error).strip().partition("\n")[0]
        print(f"polytraders: {Unavailable.code}: the log cannot be read: {words}", file=sys.stderr)
    return UNUSABLE


def _stored(given: argparse.Namespace, connection: Any, home: Path) -> int:
    from polytraders.explaining import explained
    from polytraders.proving import LogReplay
    from polytraders.replaying import to_json
    from polytraders.sequencing import BLOCK_ROWS
    from polytraders.summary import text

    rows = max(given.block or BLOCK_ROWS, 1)
    run = LogReplay(connection, home, given.shard or 0, until=given.until, block_rows=rows, explain=given.explain)
    if given.explain is not None:
        found = explained(run, run, given.explain)
        print(found.text)
        return OK if found.decided else UNUSABLE
    report = run.run(_progress_of_log(run))
    _clear_line()
    print(to_json(report) if given.json else text(report), flush=True)
    return exit_code(report)


def exit_code(report: "ReplayReport") -> int:
    """1 for a difference: in an epoch of this build, or in any where none is of this build."""
    is_drift = report.verdict_code == "GOV_REPLAY_DRIFT" and report.log is not None and report.log.parity is None
    return REGRESSION if is_drift or report.verdict_code == "GOV_REPLAY_REGRESSION" else OK


def _progress_of_log(run: "LogReplay") -> "Callable[[LogReplay], None] | None":
    if not sys.stderr.isatty():
        return None
    began = time.monotonic()

    def show(now: "LogReplay") -> None:
        seq = now.runner.inputs.rows
        share = seq / now.log.until
        rate = seq / max(time.monotonic() - began, 1e-9)
        bar = "#" * int(share * 24)
        print(
            f"\r\x1b[K[{bar:<24}] {share:4.0%}  input {seq:>12,}  {rate:>9,.0f} a second",
            end="",
            file=sys.stderr,
            flush=True,
        )

    return show


def _clear_line() -> None:
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr)
