"""Where alerts may be sent: servers, addresses and secrets, from the environment and from nowhere else.

Rows and pages name an address by its name only; what is secret of it is never told, wherever it may stand.
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from polytraders.logs import SHORT, hide

NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
KEY_MIN: Final = 32
LOCAL: Final = ("127.0.0.1", "localhost", "::1")


class MeaninglessError(ValueError):
    """A setting that cannot be meant; its value is not repeated."""


class AddressBook(NamedTuple):
    """What clients of alerts read.

    Attributes:
        console: Beginning of links in messages, without a slash at the end.
        smtp: smtp://, smtp+tls:// or smtps:// with user and password; "" = no e-mail.
        mail_from: Sender of mails.
        telegram: Address of the bots' interface.
        telegram_token: Of our bot; "" = no Telegram.
        slack: Incoming webhooks by name.
        discord: Likewise.
        webhooks: Addresses of our own programs by name.
        webhook_key: What their messages are signed with.
    """

    console: str = ""
    smtp: str = ""
    mail_from: str = "polytraders@localhost"
    telegram: str = "https://api.telegram.org"
    telegram_token: str = ""
    slack: Mapping[str, str] = {}
    discord: Mapping[str, str] = {}
    webhooks: Mapping[str, str] = {}
    webhook_key: str = ""

    def targets(self) -> dict[str, tuple[str, ...]]:
        """Names that a route can have by client; e-mail and Telegram are told an address instead."""
        return {"slack": tuple(self.slack), "discord": tuple(self.discord), "webhook": tuple(self.webhooks)}

    def ready(self) -> dict[str, bool]:
        """Whether the settings have what a client needs."""
        return {
            "email": bool(self.smtp),
            "telegram": bool(self.telegram_token),
            "slack": bool(self.slack),
            "discord": bool(self.discord),
            "webhook": bool(self.webhooks and self.webhook_key),
        }


def address_book(environ: Mapping[str, str]) -> AddressBook:
    """Read the environment; every secret in it is hidden from logs from now on.

    Raises:
        MeaninglessError: One of the settings cannot be meant.
    """
    usual = AddressBook()
    port = environ.get("PORT", "0")
    book = AddressBook(
        console=_url("POLYTRADERS_CONSOLE_URL", environ, f"http://127.0.0.1:{port}", local=True),
        smtp=_smtp(environ.get("POLYTRADERS_SMTP_URL", "")),
        mail_from=environ.get("POLYTRADERS_MAIL_FROM") or usual.mail_from,
        telegram=_url("POLYTRADERS_TELEGRAM_URL", environ, usual.telegram),
        telegram_token=environ.get("POLYTRADERS_TELEGRAM_TOKEN", ""),
        slack=_named("POLYTRADERS_SLACK_URLS", environ),
        discord=_named("POLYTRADERS_DISCORD_URLS", environ),
        webhooks=_named("POLYTRADERS_WEBHOOK_URLS", environ),
        webhook_key=environ.get("POLYTRADERS_WEBHOOK_KEY", ""),
    )
    if book.webhook_key and len(book.webhook_key) < KEY_MIN:
        raise MeaninglessError(f"POLYTRADERS_WEBHOOK_KEY is shorter than {KEY_MIN} characters")
    password = unquote(urlsplit(book.smtp).password or "")
    addresses = (*book.slack.values(), *book.discord.values(), *book.webhooks.values())
    for secret in (password, book.telegram_token, book.webhook_key, *addresses):
        if len(secret) >= SHORT:
            hide(secret)
    return book


def _smtp(address: str) -> str:
    found = _split("POLYTRADERS_SMTP_URL", address)
    if address and (found.scheme not in ("smtp", "smtp+tls", "smtps") or not found.hostname):
        raise MeaninglessError("POLYTRADERS_SMTP_URL must look like smtp+tls://user:password@host:587")
    return address


def _url(name: str, environ: Mapping[str, str], default: str, *, local: bool = False) -> str:
    return _address(name, environ.get(name) or default, local=local).rstrip("/")


def _named(name: str, environ: Mapping[str, str]) -> dict[str, str]:
    """`name=address` pairs, separated by white space: an address may hold commas."""
    found = {}
    for pair in environ.get(name, "").split():
        called, _, address = pair.partition("=")
        if not NAME.fullmatch(called) or called in found:
            raise MeaninglessError(f"{name} must be NAME=ADDRESS pairs with a space between them; names are told once")
        found[called] = _address(name, address)
    return found


def _address(name: str, address: str, *, local: bool = False) -> str:
    """https, or http on this machine, where nobody can listen on the way."""
    found = _split(name, address)
    fits = found.scheme == "https" or (found.scheme == "http" and (local or found.hostname in LOCAL))
    if not fits or not found.hostname:
        raise MeaninglessError(f"{name} has an address that is not https")
    return address


def _split(name: str, address: str) -> SplitResult:
    try:
        found = urlsplit(address)
        _ = found.port
    except ValueError:
        raise MeaninglessError(f"{name} has an address that cannot be read") from None
    return found
