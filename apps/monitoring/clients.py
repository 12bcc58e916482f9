"""The ways to people: e-mail, webhook, Telegram, Slack, Discord. A message is handed over, or refused with a reason.

Secrets (passwords, tokens, addresses that are secrets) stand in the settings only. A route names them; errors that are
kept never repeat an address.
"""

import hashlib
import hmac
import json
import smtplib
import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import httpx
from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.smtp import EmailBackend

TIMEOUT_S: Final = 10.0
OK_BELOW: Final = 300
TOO_MANY: Final = 429
GONE: Final = range(400, 500)
TEXT_MOST: Final = 1_900
"""Signs of a chat's message; the strictest of the three takes 2,000."""
SIGNATURE: Final = "X-Polytraders-Signature"
Message = Mapping[str, Any]


class UndeliveredError(Exception):
    """It could not be handed over. `permanent`: trying again without changing something would give the same."""

    def __init__(self, words: str, *, permanent: bool = False) -> None:
        """`words` are kept and shown: no address, no secret."""
        super().__init__(words)
        self.permanent = permanent


def send(client: str, target: str, message: Message, delivery: int) -> None:
    """Hand a message over.

    Args:
        client: One of CLIENTS.
        target: As `RouteRecord` keeps it.
        message: As `alerting.message` makes it.
        delivery: Its number: the same for every attempt, so that a receiver can tell a second one from a new message.

    Raises:
        UndeliveredError: It is not known to have arrived.
    """
    try:
        CLIENTS[client](target, message, delivery)
    except KeyError:
        raise UndeliveredError(f"there is no client {client}", permanent=True) from None


def subject(message: Message) -> str:
    """One line for a list of mails."""
    state = {"over": "over: ", "test": "test: ", "escalated": f"nobody answers ({message['level']}): "}
    scope = f", {message['scope']}" if message["scope"] else ""
    return f"[{message['priority']}] {state.get(message['what'], '')}{message['code']}{scope}"


def text(message: Message) -> str:
    """The message in words."""
    lines = (
        subject(message), "",
        f"What happened: {message['happened']}",
        f"Which means: {message['meaning']}",
        f"What the system did: {message['did']}",
        f"What you can do: {message['do']}",
        f"Since: {message['first_at']}",
        message["link"],
    )  # fmt: skip
    return "\n".join(lines)


def short(message: Message) -> str:
    """The same as a chat takes it."""
    said = text(message)
    return said if len(said) <= TEXT_MOST else said[: TEXT_MOST - 1] + "…"


def by_mail(target: str, message: Message, delivery: int) -> None:
    """Through the server of POLYTRADERS_SMTP_URL, to addresses separated by commas."""
    if not settings.ALERTS.smtp:
        raise UndeliveredError("POLYTRADERS_SMTP_URL is not set", permanent=True)
    server = urlsplit(settings.ALERTS.smtp)
    backend = EmailBackend(
        host=server.hostname or "",
        port=server.port or (465 if server.scheme == "smtps" else 25),
        username=unquote(server.username or ""),
        password=unquote(server.password or ""),
        use_ssl=server.scheme == "smtps",
        use_tls=server.scheme == "smtp+tls",
        timeout=TIMEOUT_S,
    )
    # Times and ids that stay the same let a mail program show a second attempt as what it is.
    headers = {"Message-ID": f"<delivery-{delivery}@polytraders.invalid>", "X-Polytraders-Delivery": str(delivery)}
    mail = EmailMessage(
        subject(message), text(message), settings.ALERTS.mail_from, [word.strip() for word in target.split(",")],
        headers=headers, connection=backend,
    )  # fmt: skip
    try:
        mail.send()
    except smtplib.SMTPRecipientsRefused as error:
        raise UndeliveredError("the mail server refused every recipient", permanent=True) from error
    except (OSError, smtplib.SMTPException) as error:
        raise UndeliveredError(f"the mail server did not take it ({type(error).__name__})") from error


def by_webhook(target: str, message: Message, delivery: int) -> None:
    """As JSON to an address of POLYTRADERS_WEBHOOK_URLS, signed: HMAC-SHA256 over time and body.

    The header `X-Polytraders-Signature: t=SECONDS,v1=HEX` has the HMAC of `SECONDS.BODY` with POLYTRADERS_WEBHOOK_KEY,
    so a receiver can refuse what is old or not from here.
    """
    address = _named("POLYTRADERS_WEBHOOK_URLS", settings.ALERTS.webhooks, target)
    if not settings.ALERTS.webhook_key:
        raise UndeliveredError("POLYTRADERS_WEBHOOK_KEY is not set", permanent=True)
    body = json.dumps({"event": "risk.alert", "delivery": delivery, **message}, sort_keys=True).encode()
    headers = {
        "Content-Type": "application/json",
        "X-Polytraders-Event": "risk.alert",
        "X-Polytraders-Delivery": str(delivery),
        SIGNATURE: signature(settings.ALERTS.webhook_key, int(time.time()), body),
    }
    _post(address, headers=headers, content=body)


def signature(key: str, at: int, body: bytes) -> str:
    """The header of a body sent at a second of Unix time."""
    made = hmac.new(key.encode(), str(at).encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={made}"


def by_telegram(target: str, message: Message, delivery: int) -> None:
    """To a chat, as the bot of POLYTRADERS_TELEGRAM_TOKEN."""
    if not settings.ALERTS.telegram_token:
        raise UndeliveredError("POLYTRADERS_TELEGRAM_TOKEN is not set", permanent=True)
    body = {"chat_id": target, "text": short(message), "link_preview_options": {"is_disabled": True}}
    _post(f"{settings.ALERTS.telegram}/bot{settings.ALERTS.telegram_token}/sendMessage", json=body)


def by_slack(target: str, message: Message, delivery: int) -> None:
    """To an incoming webhook of POLYTRADERS_SLACK_URLS."""
    # In Slack's text three signs are commands; nobody is to be called by what a market is called.
    plain = short(message).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    _post(_named("POLYTRADERS_SLACK_URLS", settings.ALERTS.slack, target), json={"text": plain})


def by_discord(target: str, message: Message, delivery: int) -> None:
    """To a webhook of POLYTRADERS_DISCORD_URLS; nothing in it calls anybody."""
    body = {"content": short(message), "allowed_mentions": {"parse": []}}
    _post(_named("POLYTRADERS_DISCORD_URLS", settings.ALERTS.discord, target), json=body)


CLIENTS: Final[dict[str, Callable[[str, Message, int], None]]] = {
    "email": by_mail,
    "webhook": by_webhook,
    "telegram": by_telegram,
    "slack": by_slack,
    "discord": by_discord,
}


def _named(setting: str, addresses: Mapping[str, str], name: str) -> str:
    try:
        return addresses[name]
    except KeyError:
        raise UndeliveredError(f"{setting} has no address called {name}", permanent=True) from None


def _post(address: str, **what: Any) -> None:
    try:
        # No redirect is followed: the address is where a secret may go, and nowhere else.
        with httpx.Client(timeout=TIMEOUT_S, follow_redirects=False, trust_env=False) as client:
            status = client.post(address, **what).status_code
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise UndeliveredError(f"nobody answered ({type(error).__name__})") from None
    if status >= OK_BELOW:
        raise UndeliveredError(f"the answer was {status}", permanent=status in GONE and status not in (408, TOO_MANY))
