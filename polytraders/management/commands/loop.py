"""`manage.py loop --shard N`: the loop process of one shard. Ends with 0 only when it was asked to."""

import argparse
import logging
import os
import sys
from functools import partial
from typing import Any, Final, NoReturn

import psycopg
from channels.layers import get_channel_layer
from django.conf import settings
from django.core.management.base import BaseCommand

from polytraders.contracts.reasons import PATTERN, reason
from polytraders.shard.worker import LoopWorker
from polytraders.wiring import Shard, setup_from

FAILED, UNUSABLE, TAKEN, DAMAGED = 1, 2, 3, 4
ENDS: Final = {
    "GOV_CONFIG_INVALID": UNUSABLE, "GOV_SHARD_TAKEN": TAKEN, "GOV_FENCE_LOST": TAKEN,
    "GOV_CHAIN_BROKEN": DAMAGED, "GOV_LOG_NEWER": DAMAGED,
}  # fmt: skip
"""Exit code by reason code: 2 a setting, 3 another process has the shard, 4 what is recorded contradicts itself."""


class Command(BaseCommand):
    """The loop process."""

    help = "Run the loop of one shard: feeds, decisions, paper orders, log. Ends with 0 only when it was asked to."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Which shard."""
        parser.add_argument("--shard", type=int, default=0, metavar="N", help="number of the shard (default 0)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until SIGTERM; any other end has an exit code above 0 and a reason on standard error."""
        shard = options["shard"]
        try:
            setup = setup_from({name: getattr(settings, name) for name in SETTINGS}, shard)
            LoopWorker(shard, partial(Shard.run, Shard(setup)), get_channel_layer()).run()  # type: ignore[no-untyped-call]
        except Exception as error:
            code = code_of(error)
            if code is None:
                raise
            self.stderr.write(f"loop: {code}: {error}")
            sys.exit(DAMAGED if reason(code).owner == "ledger" else ENDS.get(code, FAILED))
        _leave()


def _leave() -> NoReturn:
    """End at once: everything is committed and closed.

    Taking the compiler apart would cost more than a second of the three between SIGTERM and SIGKILL.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


SETTINGS: Final = ("DATABASE_URL", "HOME", "VENUE", "SPEED", "SEED", "SIMULATOR_URL", "STRATEGIES", "CHECKPOINT_INPUTS")


def code_of(error: BaseException) -> str | None:
    """Reason code of an error, or of the first one in a group that has one."""
    if isinstance(error, BaseExceptionGroup):
        found = (code_of(each) for each in error.exceptions)
        return next((code for code in found if code is not None), None)
    if isinstance(error, psycopg.IntegrityError | AssertionError):
        # What the database refuses, or the journal cannot be true: nothing of that block was committed.
        return "EXEC_LEDGER_REFUSED"
    code = getattr(error, "code", None)
    return code if isinstance(code, str) and PATTERN.match(code) else None
