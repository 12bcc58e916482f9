"""What the children say: with a prefix on the terminal, as JSON in files that turn over, without secrets in both."""

import asyncio
import contextlib
import datetime as dt
import json
import os
import re
import sys
from logging import INFO, LogRecord
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final, TextIO

from polytraders.supervisor.secret import private_folder

CREDENTIALS: Final = re.compile(r"(?<=://)[^\s/@]*:[^\s/@]*@")
SETUP_LINK: Final = re.compile(r"/setup/[\w-]{8,}")
LOUD: Final = re.compile(r"\b(ERROR|FATAL|PANIC|CRITICAL)\b")
FILE_BYTES_MAX: Final = 16 * 2**20
FILES_KEPT: Final = 4
LINE_BYTES_MAX: Final = 64 * 2**10
SELF: Final = "polytraders"
"""Name under which the supervisor itself speaks."""


def without_secrets(text: str) -> str:
    """The text with the credentials of addresses and the tokens of set-up links taken out."""
    return SETUP_LINK.sub("/setup/***", CREDENTIALS.sub("***@", text))


def for_people(line: str) -> str:
    """A JSON line as a sentence: level, event, the rest as key=value. Anything else as it is."""
    if not line.startswith("{"):
        return line
    try:
        told = json.loads(line)
    except ValueError:
        return line
    told = {key: value for key, value in told.items() if key not in ("at", "ts", "timestamp", "process", "logger")}
    level, event = str(told.pop("level", "info")).upper(), told.pop("event", "")
    rest = " ".join(f"{key}={value}" for key, value in told.items())
    return f"{level} {event} {rest}".rstrip()


class Output:
    """The one place where anything is shown or written.

    `folder` gets `<name>.jsonl` for each speaker: `{"at", "process", "line"}`, or the speaker's own object with the
    process added where it speaks JSON itself. Files turn over at 16 MB; four old ones are kept.
    """

    def __init__(self, folder: Path, terminal: TextIO | None = None) -> None:
        self.folder = private_folder(folder)
        self._terminal: TextIO | None = terminal or sys.stdout
        self._files: dict[str, RotatingFileHandler] = {}

    def say(self, text: str) -> None:
        """A line of the supervisor itself."""
        self.line(SELF, text)

    def secret(self, text: str) -> None:
        """A line for the person at the terminal and for nobody else: it is written to no file."""
        self._show(SELF, text)

    def line(self, name: str, text: str, *, quiet: bool = False) -> None:
        """A line of a child; a quiet one is on the terminal only where it is about trouble."""
        text = without_secrets(text.rstrip("\r\n"))
        self._write(name, text)
        shown = for_people(text)
        if not quiet or LOUD.search(shown):
            self._show(name, shown)

    def _show(self, name: str, text: str) -> None:
        if self._terminal is None:
            return
        try:
            print(f"{name:<11} | {text}", file=self._terminal, flush=True)
        except (OSError, ValueError):
            # Nobody reads any more. What runs goes on, and the files have it.
            self._terminal = None

    def _write(self, name: str, text: str) -> None:
        at = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
        told: dict[str, object] = {"at": at, "process": name, "line": text}
        if text.startswith("{"):
            with contextlib.suppress(ValueError):
                told = {"at": at, **json.loads(text), "process": name}
        if name not in self._files:
            self._files[name] = RotatingFileHandler(
                self.folder / f"{name}.jsonl", maxBytes=FILE_BYTES_MAX, backupCount=FILES_KEPT, encoding="utf-8"
            )
        record = LogRecord(name, INFO, "", 0, json.dumps(told, ensure_ascii=False), None, None)
        self._files[name].emit(record)

    async def pump(self, descriptor: int, name: str, *, quiet: bool = False) -> None:
        """Tell every line that comes out of a pipe until its last writer is gone."""
        reader = asyncio.StreamReader(limit=LINE_BYTES_MAX)
        protocol = asyncio.StreamReaderProtocol(reader)
        pipe = os.fdopen(descriptor, "rb", 0)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, pipe)
        try:
            rest = b""
            while chunk := await reader.read(LINE_BYTES_MAX):
                *lines, rest = (rest + chunk).split(b"\n")
                if len(rest) > LINE_BYTES_MAX:
                    lines, rest = [*lines, rest], b""
                for line in lines:
                    self.line(name, line.decode(errors="replace"), quiet=quiet)
            if rest:
                self.line(name, rest.decode(errors="replace"), quiet=quiet)
        finally:
            transport.close()

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()
        self._files.clear()
