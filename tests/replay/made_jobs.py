"""Runners for tests of jobs."""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from polytraders.contracts.job import JobRefused
from polytraders.working import Tell


def doubled(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """An answer, and a print that must not be taken for one."""
    print("nobody asked")
    tell(0.5, "half of it")
    return {"doubled": 2 * arguments["number"]}


def refused(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    raise JobRefused("there is no such thing", "GOV_NOT_FOUND")


def broken(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    raise ZeroDivisionError("nought")


def killed(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def lasting(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """Goes on until it is ended; says who it is, once."""
    with Path(arguments["file"]).open("a", encoding="utf-8") as file:
        file.write(f"{os.getpid()}\n")
    tell(0.25, "at it")
    time.sleep(60)
    sys.exit(1)
