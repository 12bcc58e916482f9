"""Logs as JSON lines, each with what it belongs to, and without secrets.

`bind(correlation_id=...)` joins all lines of a decision, request or task; every process says once who it is. A secret is
hidden by its field's name, by its shape in an address, and by its value when the process knows it.
"""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Final, TextIO

import structlog
from structlog.contextvars import bind_contextvars, bound_contextvars, clear_contextvars, merge_contextvars

__all__ = ["HIDDEN", "bind", "bound", "configure", "hide", "unbind"]

HIDDEN: Final = "(hidden)"
NAMES: Final = re.compile(
    r"pass(word|wd|phrase)?$|secret|credential|private_?key|signing_?key|api_?key|auth(orization)?$|cookie|session_?(id|key)"
    r"|csrf|dsn$|set_?up_?(token|link|url)|bearer|totp|otp$|_url$",
    re.IGNORECASE,
)
"""Fields that are never told. A market's token is public and is none of them."""
IN_ADDRESS: Final = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)[^\s/@:]*:[^\s@]*@", re.IGNORECASE)
IN_TEXT: Final = re.compile(
    r"(?P<name>\b(?:password|secret|api_?key|token|authorization)\b['\"]?\s*[=:]\s*)\S+", re.IGNORECASE
)
SHORT: Final = 8
"""A known value shorter than this is not hidden by value: it would blank out words."""

_known: set[str] = set()

bind = bind_contextvars
bound = bound_contextvars
unbind = clear_contextvars


def hide(value: str) -> None:
    """From now on this value is never told, wherever it stands.

    Raises:
        ValueError: It is too short to be recognised without hiding other things.
    """
    if len(value) < SHORT:
        raise ValueError(f"a secret of fewer than {SHORT} characters cannot be hidden by value")
    _known.add(value)


def clean(value: Any) -> Any:
    """The value without secrets, containers included."""
    if isinstance(value, str):
        for secret in _known:
            value = value.replace(secret, HIDDEN)
        value = IN_ADDRESS.sub(rf"\g<scheme>{HIDDEN}@", value)
        return IN_TEXT.sub(rf"\g<name>{HIDDEN}", value)
    if isinstance(value, bytes):
        return clean(value.decode(errors="replace"))
    if isinstance(value, Mapping):
        return {name: HIDDEN if NAMES.search(str(name)) else clean(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [clean(inner) for inner in value]
    return value if isinstance(value, int | float | bool | None) else clean(str(value))


def _redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    cleaned: Mapping[str, Any] = clean(event)
    return cleaned


def configure(process: str, *, level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """Everything this process logs, by structlog or by the standard library, becomes JSON lines on `stream`.

    Args:
        process: What it is: loop, web, worker, beat.
        level: Least severity that is told.
        stream: Where to; standard error if None.
    """

    def named(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event.setdefault("process", process)
        return event

    shared: list[Any] = [
        merge_contextvars,
        named,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.stdlib.ExtraAdder(),
    ]
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _redact,
                structlog.processors.JSONRenderer(sort_keys=True, ensure_ascii=False),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
