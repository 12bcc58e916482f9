"""Long work that a page asks for: what a job is called, how it can end, and how the process that does it talks.

The web starts one, a Celery worker watches over it, and a child process of its own does it. The child gets the
arguments as JSON and answers in lines of JSON; nothing else passes between them.
"""

from typing import Any, Final, NamedTuple

QUEUED, RUNNING, DONE, FAILED = "queued", "running", "done", "failed"
STATES: Final = (QUEUED, RUNNING, DONE, FAILED)
ALIVE: Final = (QUEUED, RUNNING)

BROKEN: Final = "GOV_JOB_BROKEN"
TIME_OUT: Final = "GOV_JOB_TIMEOUT"
CANCELLED: Final = "GOV_JOB_CANCELLED"
BUSY: Final = "GOV_JOB_BUSY"
REFUSED: Final = "GOV_JOB_REFUSED"
"""How a job ends without a result, or does not begin; a fault of the log has its own code."""

LINE_MAX: Final = 4 << 20
"""Bytes of one line of a child, its result included."""


class Kind(NamedTuple):
    """What can be asked for.

    Attributes:
        title: As a page calls it.
        runner: `module:function`, called in the child with the arguments and a `Tell`; what it gives is the result.
        seconds_max: Wall time after which it is ended.
        template: Shows `job.result` below the job's own line; "" = only that it is done.
    """

    title: str
    runner: str
    seconds_max: float = 120.0
    template: str = ""


class Progress(NamedTuple):
    """How far it is: a part of one, and words."""

    part: float
    words: str


class Result(NamedTuple):
    """What a child found."""

    value: dict[str, Any]


class Refusal(NamedTuple):
    """Why there is no result: a reason code and words."""

    code: str
    words: str


class JobRefused(Exception):  # noqa: N818  what the job is then
    """A runner's way to say that there is nothing to be found, and why."""

    def __init__(self, words: str, code: str = REFUSED) -> None:
        super().__init__(words)
        self.code = code
