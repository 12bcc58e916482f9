"""What lets a page kill: who it was made for and until when, under a key that is used for nothing else.

A token can stop trading and cannot start it, read anything or log anybody in. It is made when a page is rendered for
somebody who may kill, travels in the body of a request and never in an address or a cookie.
"""

import base64
import hashlib
import hmac
import json
from typing import Final, NamedTuple

VERSION: Final = "k1"
LIFE_S: Final = 12 * 3600
"""As long as a session: the page that holds it may be open while the web process is away."""
LENGTH_MAX: Final = 1_024
AHEAD_S: Final = 60
"""How far the clocks of the two processes may lie apart."""


class TokenError(ValueError):
    """A token that opens nothing."""

    code = "GOV_KILL_TOKEN_INVALID"


class Holder(NamedTuple):
    """Whom a token was made for.

    Attributes:
        actor: User name.
        session: Digest of the session it was made in, for the audit.
        ends: Unix time, s.
    """

    actor: str
    session: str
    ends: int


def make(key: str, actor: str, session: str, now: float) -> str:
    """A token for `actor`, good for LIFE_S.

    Args:
        key: Of the kill endpoint.
        actor: User name.
        session: The session's key, of which only a digest is kept.
        now: Unix time, s.
    """
    digest = hashlib.sha256(session.encode()).hexdigest()[:16]
    told = json.dumps([actor, digest, int(now) + LIFE_S], ensure_ascii=False, separators=(",", ":")).encode()
    body = f"{VERSION}.{base64.urlsafe_b64encode(told).decode().rstrip('=')}"
    return f"{body}.{_sign(key, body)}"


def read(key: str, token: str, now: float) -> Holder:
    """Whom the token was made for.

    Raises:
        TokenError: It was made with another key, changed, or is over.
    """
    body, dot, signature = token.rpartition(".") if len(token) <= LENGTH_MAX and token.isascii() else ("", "", "")
    if not dot or not hmac.compare_digest(signature, _sign(key, body)):
        raise TokenError("the token is not one of this installation")
    version, _, told = body.partition(".")
    if version != VERSION:
        raise TokenError("the token is of another version")
    holder = Holder(*json.loads(base64.urlsafe_b64decode(told + "=" * (-len(told) % 4))))
    if not now < holder.ends <= now + LIFE_S + AHEAD_S:
        raise TokenError("the token is over")
    return holder


def _sign(key: str, body: str) -> str:
    return hmac.new(key.encode(), f"polytraders kill {body}".encode(), hashlib.sha256).hexdigest()
