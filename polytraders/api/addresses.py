"""Where a webhook may point: public https addresses, looked up once and then connected to by number.

A name is looked up here and nowhere else, so what was found to be public is what is connected to.
"""

import ipaddress
import socket
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple
from urllib.parse import SplitResult, urlsplit

URL_MAX: Final = 2_000
REFUSED: Final = "GOV_WEBHOOK_ADDRESS_REFUSED"
HTTPS, HTTP = 443, 80
HIDDEN: Final = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "2002::/16", "2001::/32", "::/96")))
"""Addresses in which another one is hidden."""
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
LookUp = Callable[[str, int], Iterable[str]]


class AddressError(ValueError):
    """It may not be told anything."""

    code = REFUSED


class Target(NamedTuple):
    """What to connect to.

    Attributes:
        url: With the number in place of the name.
        host: Name and port as the header Host has them.
        name: For TLS.
    """

    url: str
    host: str
    name: str


def looked_up(name: str, port: int) -> Iterable[str]:
    """All addresses of a name.

    Raises:
        AddressError: It has none.
    """
    try:
        return [str(found[4][0]) for found in socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError) as error:
        raise AddressError("the name has no address") from error


def checked(url: str, *, loopback: bool) -> SplitResult:
    """The parts of an address that may be kept; nothing is looked up.

    Args:
        url: As somebody wrote it.
        loopback: Whether http to this machine is allowed.

    Raises:
        AddressError: It may not.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise AddressError("this is no address") from error
    if len(url) > URL_MAX or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise AddressError(f"an address has at most {URL_MAX} printable ASCII characters")
    if not parts.hostname or parts.username is not None or parts.password is not None or parts.fragment or port == 0:
        raise AddressError("an address has a host, and no user, password or fragment")
    if parts.scheme != "https" and not (loopback and parts.scheme == "http"):
        raise AddressError("only https is allowed")
    literal = _literal(parts.hostname)
    if literal is not None and not _allowed(literal, loopback and parts.scheme == "http"):
        raise AddressError("only public addresses are allowed")
    return parts


def target(url: str, *, loopback: bool, look_up: LookUp = looked_up) -> Target:
    """Where to connect to, now.

    Raises:
        AddressError: One of the name's addresses is not public, or there is none.
    """
    parts = checked(url, loopback=loopback)
    name = parts.hostname or ""
    port = parts.port or (HTTPS if parts.scheme == "https" else HTTP)
    found = [ipaddress.ip_address(one.partition("%")[0]) for one in look_up(name, port)]
    local = loopback and parts.scheme == "http"
    if not found or not all(_allowed(one, local) for one in found):
        raise AddressError("only public addresses are allowed")
    number = f"[{found[0]}]" if found[0].version == 6 else str(found[0])
    host = f"[{name}]" if ":" in name else name
    told = host if parts.port is None else f"{host}:{port}"
    return Target(parts._replace(netloc=f"{number}:{port}").geturl(), told, name)


def _literal(name: str) -> Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def _allowed(address: Address, local: bool) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return _allowed(address.ipv4_mapped, local)
        if any(address in network for network in HIDDEN) and not address.is_loopback:
            return False
    if local:
        return address.is_loopback
    return address.is_global and not address.is_multicast
