"""Kills that somebody has made and the database may not know yet: one file each, on disk before anybody is answered.

A file stays until its kill is in the control table and its row in the audit is written, by whoever comes first.
"""

import json
import os
from pathlib import Path
from typing import Final, NamedTuple

FOLDER: Final = "kills"
BROKEN: Final = ".broken"


class Kill(NamedTuple):
    """One kill as it was asked for.

    Attributes:
        key: Names it everywhere: file, control table, inbox, audit.
        scope: global, venue, cluster, market or strategy.
        name: Of the scope, "" = global.
        actor: Who.
        reason: Why, "" = asked afterwards.
        at_ns: Wall clock, ns UTC.
        fence_us: From the request to the written fence.
        fence: "" = written, else why not.
        through: Which door it came through.
        session: Digest of the session of the page.
        shard: Whose loop.
    """

    key: str
    scope: str
    name: str
    actor: str
    reason: str
    at_ns: int
    fence_us: int
    fence: str
    through: str
    session: str = ""
    shard: int = 0


def keep(home: Path, kill: Kill) -> None:
    """Write a kill down, synced; the same key is written once.

    Raises:
        OSError: The disk does not take it.
    """
    folder = home / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = folder / f".{kill.key}.{os.getpid()}.new"
    with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(kill._asdict(), file, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    made.replace(_path(home, kill.key))
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def waiting(home: Path) -> list[Kill]:
    """Every kill that is kept, oldest first; a file that cannot be read is set aside and never lost."""
    found = []
    for path in (home / FOLDER).glob("*.json"):
        try:
            found.append(Kill(**json.loads(path.read_text(encoding="utf-8"))))
        except FileNotFoundError:
            continue
        except (ValueError, TypeError):
            path.replace(path.with_name(path.name + BROKEN))
    return sorted(found, key=lambda kill: (kill.at_ns, kill.key))


def done(home: Path, key: str) -> None:
    """The kill and its audit row are in the database."""
    _path(home, key).unlink(missing_ok=True)


def _path(home: Path, key: str) -> Path:
    return home / FOLDER / f"{key.replace(':', '-')}.json"
