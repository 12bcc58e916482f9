"""Logs as JSON lines, each with what it belongs to, and without secrets.

`bind(correlation_id=...)` joins all lines of a decision, request or task; every process says once who it is. A secret
is hidden by its field's name, by its shape in an address or a link, and by its value when the process knows it.
"""

import logging
import logging.config
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Final, TextIO

import structlog
from structlog.contextvars import bind_contextvars, bound_contextvars, clear_contextvars, merge_contextvars

__all__ = ["HIDDEN", "bind", "bound", "clean", "configure", "hide", "logging_config", "unbind", "without_secrets"]

HIDDEN: Final = "***"
NAMES: Final = re.compile(
    r"pass(word|wd|phrase)?$|secret|credential|private_?key|signing_?key|api_?key|auth(orization)?$|cookie"
    r"|session_?(id|key)|csrf|dsn$|set_?up_?(token|link|url)|bearer|totp|otp$|_url$",
    re.IGNORECASE,
)
"""Fields that are never told. A market's token is public and is none of them."""
CREDENTIALS: Final = re.compile(r"(?<=://)[^\s/@]*:[^\s/@]*@")
SETUP_LINK: Final = re.compile(r"/setup/[\w-]{8,}")
TOLD: Final = re.compile(
    r"(?P<name>\b(?:password|secret|api_?key|token|authorization)\b['\"]?\s*[=:]\s*)(?:Bearer\s+)?\S+", re.IGNORECASE
)
QUIET: Final = ("django.server", "httpx", "celery.worker.strategy", "axes")
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


def without_secrets(text: str) -> str:
    """The text without credentials of addresses, tokens of set-up links, and secrets that are known or called so."""
    for secret in _known:
        text = text.replace(secret, HIDDEN)
    text = SETUP_LINK.sub(f"/setup/{HIDDEN}", CREDENTIALS.sub(f"{HIDDEN}@", text))
    return TOLD.sub(rf"\g<name>{HIDDEN}", text)


def clean(value: Any) -> Any:
    """The value without secrets, containers included."""
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, bytes):
        return without_secrets(value.decode(errors="replace"))
    if isinstance(value, Mapping):
        return {name: HIDDEN if NAMES.search(str(name)) else clean(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [clean(inner) for inner in value]
    return value if isinstance(value, int | float | bool | None) else without_secrets(str(value))


def _redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    cleaned: Mapping[str, Any] = clean(event)
    return cleaned


def _shared(process: str) -> list[Any]:
    def named(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if process:
            event.setdefault("process", process)
        return event

    return [
        merge_contextvars,
        named,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def logging_config(process: str = "", *, stream: TextIO | None = None, level: str = "INFO") -> dict[str, Any]:
    """Django's LOGGING: everything to `stream` (standard error), as JSON unless a person looks at it."""
    last: list[Any] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if (stream or sys.stderr).isatty():
        last.append(structlog.dev.ConsoleRenderer())
    else:
        last += [
            structlog.processors.format_exc_info,
            _redact,
            structlog.processors.JSONRenderer(sort_keys=True, ensure_ascii=False),
        ]
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": _shared(process),
        "processors": last,
    }
    handler: dict[str, Any] = {"class": "logging.StreamHandler", "formatter": "line"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": formatter},
        "handlers": {"stderr": handler | ({} if stream is None else {"stream": stream})},
        "root": {"handlers": ["stderr"], "level": level},
        # What a library says about each request of its own is nobody's news.
        "loggers": {name: {"level": "WARNING"} for name in QUIET},
    }


def configure(process: str, *, stream: TextIO | None = None, level: str = "INFO") -> None:
    """Everything this process logs, by structlog or by the standard library, takes the one way out.

    Args:
        process: What it is: loop, web, worker, beat.
        stream: Where to; standard error if None.
        level: Least severity that is told.
    """
    logging.config.dictConfig(logging_config(process, stream=stream, level=level))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared(process),
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
