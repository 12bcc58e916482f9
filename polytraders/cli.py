"""The `polytraders` command. Each verb imports what it needs, so that `--help` is instant."""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polytraders import acting, asking

if TYPE_CHECKING:
    from polytraders.replaying import Plan, Replay

OK, REGRESSION, UNUSABLE, BROKEN = 0, 1, 2, 4
DEMO_FRAMES = 40_000


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    top = argparse.ArgumentParser(prog="polytraders", description="Operate trading strategies on prediction markets.")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    replay = verbs.add_parser("replay", help="drive a recorded capture through the loop and report")
    replay.add_argument("source", type=Path, metavar="SOURCE", help="capture: JSON lines, plain, .gz or .zst")
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
    demo = verbs.add_parser("demo", help="generate a capture and replay it with a live summary")
    demo.add_argument("--frames", type=int, default=DEMO_FRAMES, metavar="N", help="frames to generate")
    demo.add_argument("--seed", type=int, default=7)
    demo.add_argument("--folder", type=Path, metavar="DIR", help="where to put the capture (default .cache/demo)")
    verify = verbs.add_parser("verify", help="prove the stored log, or name the first row that is wrong")
    verify.add_argument("--deep", action="store_true", help="unpack every raw frame too")
    verify.add_argument("--json", action="store_true", help="print the result as JSON")
    up = verbs.add_parser("up", help="start everything: servers, exchange simulator, loop, console, jobs")
    up.add_argument("--port", type=int, metavar="N", help="port of the console on loopback (default: PORT, or any)")
    up.add_argument("--speed", type=int, metavar="X", help="speed of the simulator's time, 1 to 100")
    up.add_argument("--seed", type=int, metavar="N", help="seed of the simulator")
    up.add_argument(
        "--without", action="append", default=[], metavar="NAME", help="leave a process out, and see to it yourself"
    )
    ledger_arguments(verbs.add_parser("ledger", help="the books: trial balance, journal, exports"))
    asking.add(verbs)
    acting.add(verbs)
    return top


def ledger_arguments(verb: argparse.ArgumentParser) -> None:
    """What may follow `ledger`."""
    kinds = verb.add_subparsers(dest="report", required=True, metavar="REPORT")
    balance = kinds.add_parser("trial-balance", help="every account that is not empty, debits and credits footed")
    balance.add_argument("--json", action="store_true", help="one JSON object; amounts are integers of 1e-6")
    journal = kinds.add_parser("journal", help="every movement with the event that caused it")
    journal.add_argument("--json", action="store_true", help="one JSON object a line; amounts are integers of 1e-6")
    export = kinds.add_parser("export", help="the journal for a spreadsheet, or posted amounts for beancount")
    export.add_argument("--format", choices=("csv", "beancount"), default="csv")
    for made in (balance, journal, export):
        made.add_argument("--shard", type=int, default=0, metavar="N")
    for made in (journal, export):
        made.add_argument("--since", type=int, default=0, metavar="SEQ", help="from this input on")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a verb; returns the exit code: 0 good, 1 a comparison failed, 2 input cannot be used, 4 the log is broken."""
    given = parser().parse_args(arguments)
    try:
        verbs = {"replay": replay, "demo": demo, "up": up, "verify": verify, "ledger": ledger}
        verbs |= dict.fromkeys(asking.VERBS, asking.ask) | dict.fromkeys(acting.VERBS, acting.act)
        return verbs[given.verb](given)
    except BrokenPipeError:
        # Whoever read this has gone. The interpreter's last flush must not complain about it either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130


def replay(given: argparse.Namespace) -> int:
    """`polytraders replay`."""
    from polytraders.config import LIMITS_FILE, ConfigError
    from polytraders.replaying import Plan
    from polytraders.sequencing import BLOCK_ROWS

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


def up(given: argparse.Namespace) -> int:
    """`polytraders up`."""
    for name, value in (("PORT", given.port), ("POLYTRADERS_SPEED", given.speed), ("POLYTRADERS_SEED", given.seed)):
        if value is not None:
            os.environ[name] = str(value)
    from django.core.exceptions import ImproperlyConfigured

    from polytraders.supervisor.plan import NAMES, Options, inherited
    from polytraders.supervisor.up import up as run

    unknown = set(given.without) - set(NAMES)
    if unknown:
        print(f"polytraders: GOV_CONFIG_INVALID: --without is one of {', '.join(NAMES)}", file=sys.stderr)
        return UNUSABLE
    try:
        from polytraders import settings
    except ImproperlyConfigured as error:
        print(f"polytraders: GOV_CONFIG_INVALID: {error}", file=sys.stderr)
        return UNUSABLE
    return run(
        Options(
            home=settings.HOME,
            environ=inherited(),
            venue=settings.VENUE,
            speed=settings.SPEED,
            seed=settings.SEED,
            port=settings.PORT,
            without=tuple(given.without),
        )
    )


def _replay(plan: "Plan", as_json: bool, against: Path | None) -> "tuple[int, Replay]":
    from polytraders import replaying
    from polytraders.summary import text

    recorded = _recorded(against)
    run = prepared(plan)
    report = run.run(progress(run))
    run.keep(report)
    if recorded is not None:
        report = replaying.against(report, recorded)
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr)
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
    from polytraders.kernel.jit import JIT_OFF, is_warm
    from polytraders.replaying import Replay

    if not JIT_OFF and not is_warm():
        print("polytraders: first run of this build: compiling the loop, up to a minute", file=sys.stderr)
    return Replay(plan)


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
    found = explained(run, in_seq)
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


def verify(given: argparse.Namespace) -> int:
    """`polytraders verify`."""
    import psycopg

    from apps.eventlog.faults import LogFault, Unavailable
    from apps.eventlog.verify import verify as first_wrong
    from polytraders import journal, settings

    if not settings.DATABASE_URL:
        print(
            "polytraders: GOV_CONFIG_INVALID: no database: start `polytraders up`, or set DATABASE_URL", file=sys.stderr
        )
        return UNUSABLE
    terminal = sys.stderr.isatty()

    def show(shard: int, seq: int, last: int) -> None:
        if terminal and (seq == last or time.monotonic() - told[0] > 0.2):
            told[0] = time.monotonic()
            line = f"shard {shard}: {seq:,} of {last:,} inputs ({seq / max(last, 1):.0%})"
            print(f"\r\x1b[K{line}", end="" if seq < last else "\n", file=sys.stderr, flush=True)

    told = [0.0]
    try:
        found = first_wrong(settings.DATABASE_URL, settings.HOME, given.deep, checks=(journal.verify,), progress=show)
    except LogFault as error:
        print(f"polytraders: {error}", file=sys.stderr)
        return UNUSABLE
    except psycopg.Error as error:
        # The first line is enough, and no driver's text repeats the address, which holds a password.
        words = str(error).strip().partition("\n")[0]
        print(f"polytraders: {Unavailable.code}: the log cannot be read: {words}", file=sys.stderr)
        return UNUSABLE
    if given.json:
        print(json.dumps({"ok": found is None, "finding": found._asdict() if found else None}))
    else:
        print(found.in_words() if found else "the log is whole")
    return BROKEN if found else OK


def ledger(given: argparse.Namespace) -> int:
    """`polytraders ledger`."""
    import psycopg

    from apps.eventlog.faults import Unavailable
    from apps.ledger import command
    from polytraders import settings

    if not settings.DATABASE_URL:
        print(
            "polytraders: GOV_CONFIG_INVALID: no database: start `polytraders up`, or set DATABASE_URL", file=sys.stderr
        )
        return UNUSABLE
    try:
        with psycopg.connect(settings.DATABASE_URL) as conn:
            return command.run(given, conn, sys.stdout, sys.stderr)
    except psycopg.Error as error:
        # The first line is enough, and no driver's text repeats the address, which holds a password.
        words = str(error).strip().partition("\n")[0]
        print(f"polytraders: {Unavailable.code}: the ledger cannot be read: {words}", file=sys.stderr)
        return UNUSABLE


if __name__ == "__main__":
    sys.exit(main())
