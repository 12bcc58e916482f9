"""One JSON object a line, with no secret in it."""

import re
import sys
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

CREDENTIALS: Final = re.compile(r"(?<=://)[^\s/@]*:[^\s/@]*@")
SETUP_LINK: Final = re.compile(r"/setup/[\w-]{8,}")


def without_secrets(text: str) -> str:
    """The text with the credentials of addresses and the tokens of set-up links taken out."""
    return SETUP_LINK.sub("/setup/***", CREDENTIALS.sub("***@", text))


def _redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = without_secrets(value)
    return event


def logging_config() -> dict[str, Any]:
    """Django's LOGGING: everything to standard error, as JSON unless a person looks at it."""
    chain = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Any] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if sys.stderr.isatty():
        last.append(structlog.dev.ConsoleRenderer())
    else:
        last += [structlog.processors.format_exc_info, _redact, structlog.processors.JSONRenderer()]
    formatter = {"()": structlog.stdlib.ProcessorFormatter, "foreign_pre_chain": chain, "processors": last}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": formatter},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": "INFO"},
        "loggers": {"django.server": {"level": "WARNING"}},
    }
