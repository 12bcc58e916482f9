"""What a run of the exchange leaves to the next one: its time, bitcoin's price, and the windows that it has opened.

Whoever traded there has a log whose time must not step back and positions that must be paid out. So the next run goes
on later than this one was, and knows every window: one whose end nobody saw has no price to be settled by, and pays
half to each side.
"""

import os
from pathlib import Path
from typing import Final

import msgspec

from polytraders.contracts.inputs import NANO

VERSION: Final = 1


class Window(msgspec.Struct, frozen=True, array_like=True):
    """An up/down market.

    Attributes:
        minutes: Its length.
        start_ns: Its beginning.
        strike_cents: The price then, None where nobody saw it.
        settled_cents: The price at its end, likewise.
    """

    minutes: int
    start_ns: int
    strike_cents: int | None
    settled_cents: int | None

    @property
    def close_ns(self) -> int:
        """Its end."""
        return self.start_ns + self.minutes * 60 * NANO


class Past(msgspec.Struct, frozen=True):
    """What is known at some moment.

    Attributes:
        version: Of this layout.
        seed: Of the run; another seed makes other markets.
        resume_ns: The earliest exchange time of a later run.
        since_ns: When the slow markets were first listed.
        bitcoin_cents: The price that settles.
        windows: Those that are listed, open or not.
    """

    version: int
    seed: int
    resume_ns: int
    since_ns: int
    bitcoin_cents: int
    windows: tuple[Window, ...]


def write(file: Path, past: Past) -> None:
    """Whole or not at all; the last one stays if this one cannot be written.

    Raises:
        OSError: It cannot.
    """
    part = file.with_name(file.name + ".part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as written:
        written.write(msgspec.json.encode(past) + b"\n")
    part.replace(file)


def read(file: Path) -> Past | None:
    """What the last run left; None when there was none.

    Raises:
        ValueError: The file is not one of these: to go on without it could turn time back.
        OSError: It cannot be read.
    """
    try:
        raw = file.read_bytes()
    except FileNotFoundError:
        return None
    try:
        past = msgspec.json.decode(raw, type=Past)
    except msgspec.MsgspecError as error:
        raise ValueError(f"{file.name} cannot be read: {error}") from error
    if past.version != VERSION:
        raise ValueError(f"{file.name} is of version {past.version}, this is {VERSION}")
    return past
