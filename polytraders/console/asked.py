"""Commands from pages to the loop: put into its inbox, and answered by its log."""

import time
from collections.abc import Mapping
from typing import Any, Final

import psycopg
from django.db import connection

from polytraders import commands
from polytraders.commands import Answered, By, Command

WAIT_S: Final = 3.0
LOOK_S: Final = 0.05


def raw() -> "psycopg.Connection[Any]":
    """The driver's connection beneath Django's."""
    connection.ensure_connection()
    found: psycopg.Connection[Any] = connection.connection
    return found


def put(kind: str, permission: str, actor: str, told: Mapping[str, Any], key: str, shard: int = 0) -> Command:
    """Hand a command to the loop with the caller's transaction."""
    return commands.put(raw(), kind, permission, By(actor, key=key, shard=shard), told)


def answer(command: Command, wait_s: float | None = None) -> Answered | None:
    """Wait for the loop's answer, None = it says nothing yet; call it outside of a transaction."""
    ends = time.monotonic() + (WAIT_S if wait_s is None else wait_s)
    while True:
        found = commands.answered(raw(), command)
        if found is not None or time.monotonic() >= ends:
            return found
        time.sleep(LOOK_S)
