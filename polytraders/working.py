"""The child process of a job: `python -m polytraders.working MODULE:FUNCTION`, arguments as JSON on standard input.

Here the loop and numba may be loaded. Every line on standard output is progress, the result or a refusal; whatever
else is printed goes to standard error.
"""

import json
import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import IO, Any

import django

from polytraders.contracts import job as j

Tell = Callable[[float, str], None]
"""How a runner says how far it is: a part of one, and words."""
Runner = Callable[[dict[str, Any], Tell], dict[str, Any]]


def main(argv: list[str] | None = None) -> int:
    """Do one job; 0 when there is a result."""
    (where,) = sys.argv[1:] if argv is None else argv
    arguments = json.load(sys.stdin)
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as out:
        os.dup2(2, 1)
        return do(where, arguments, out)


def do(where: str, arguments: dict[str, Any], out: IO[str]) -> int:
    """Call the runner and write what becomes of it."""

    def say(**told: Any) -> None:
        out.write(json.dumps(told) + "\n")
        out.flush()

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "polytraders.settings")
    django.setup()
    module, _, name = where.partition(":")
    runner: Runner = getattr(import_module(module), name)
    try:
        say(result=runner(arguments, lambda part, words: say(part=part, words=words)))
    except j.JobRefused as error:
        say(code=error.code, words=str(error))
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
