"""The `polytraders` command. Each verb imports what it needs, so that `--help` is instant."""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence

from polytraders import acting, admitting, asking, rerunning

OK, REGRESSION, UNUSABLE, BROKEN = 0, 1, 2, 4


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    top = argparse.ArgumentParser(prog="polytraders", description="Operate trading strategies on prediction markets.")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    rerunning.add(verbs)
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
    admitting.add(verbs)
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
        verbs = {"up": up, "verify": verify, "ledger": ledger, "replay": rerunning.replay, "demo": rerunning.demo}
        verbs |= dict.fromkeys(asking.VERBS, asking.ask) | dict.fromkeys(acting.VERBS, acting.act)
        verbs |= dict.fromkeys(admitting.VERBS, admitting.admit)
        return verbs[given.verb](given)
    except BrokenPipeError:
        # Whoever read this has gone. The interpreter's last flush must not complain about it either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130


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


def verify(given: argparse.Namespace) -> int:
    """`polytraders verify`."""
    import psycopg

    from apps.eventlog.faults import LogFault, Unavailable
    from apps.eventlog.verify import verify as first_wrong
    from polytraders import journal, settings
    from polytraders.access import chain

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
        wrong = chain.first_wrong(settings.DATABASE_URL)
    except LogFault as error:
        print(f"polytraders: {error}", file=sys.stderr)
        return UNUSABLE
    except psycopg.Error as error:
        # The first line is enough, and no driver's text repeats the address, which holds a password.
        words = str(error).strip().partition("\n")[0]
        print(f"polytraders: {Unavailable.code}: the log cannot be read: {words}", file=sys.stderr)
        return UNUSABLE
    findings = [finding.in_words() for finding in (found, wrong) if finding is not None]
    if given.json:
        shown = found._asdict() if found else wrong.as_dict() if wrong else None
        print(json.dumps({"ok": shown is None, "finding": shown}))
    else:
        print("\n".join(findings) or "the log is whole")
    return BROKEN if findings else OK


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
