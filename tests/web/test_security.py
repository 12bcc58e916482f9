"""Who gets where: every address and every role, found by walking the URL table: a new page cannot be forgotten."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from polytraders.access.permissions import MATRIX, Permission, Role
from polytraders.console.pages import PAGES, served
from polytraders.urls import websocket_urlpatterns
from tests.web.conftest import entered
from tests.written import Written

OPEN = {"login", "login-code", "logout", "setup", "healthz", "metrics"}
"""Addresses in front of the log-in, each tested by itself."""
ELSEWHERE = ("admin/", "api/v1/")
"""Parts with tables of their own: tests of the admin, tests of the interface."""
UUID = "00000000-0000-4000-8000-000000000000"
EXAMPLES = ("7:1", "1", "x", "EXEC_FILL", "1:1:1", "0:1", "a" * 64, "0x" + "a" * 64, UUID)
HEADERS = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Address(NamedTuple):
    """One entry of the URL table."""

    name: str
    path: str
    view: Any

    @property
    def permission(self) -> Permission | None:
        return getattr(self.view, "permission", None)


def found(patterns: list[Any], before: str = "") -> Iterator[Address]:
    for entry in patterns:
        route = before + str(entry.pattern).lstrip("^")
        if route.startswith(ELSEWHERE):
            continue
        if isinstance(entry, URLResolver):
            yield from found(entry.url_patterns, route)
        elif isinstance(entry, URLPattern):
            yield Address(entry.name or route, "/" + before + example(entry), entry.callback)


def example(entry: URLPattern) -> str:
    """An address that this entry takes."""
    if not entry.pattern.regex.groups:
        return str(entry.pattern).strip("^$").replace("\\", "")
    groups = list(entry.pattern.regex.groupindex)
    for value in EXAMPLES:
        path = written(entry, dict.fromkeys(groups, value))
        if path is not None and entry.pattern.match(path):
            return path
    raise AssertionError(f"no example for {entry.pattern}: add one to EXAMPLES")


def written(entry: URLPattern, values: dict[str, str]) -> str | None:
    from django.urls import NoReverseMatch, reverse

    try:
        return reverse(entry.name or "", kwargs=values).lstrip("/")
    except NoReverseMatch:
        return None


TABLE = list(found(get_resolver().url_patterns))
GUARDED = [address for address in TABLE if address.name not in OPEN]


def answered(client: Client, address: Address, **more: Any) -> Any:
    """By GET, or by an empty POST where that is what it takes."""
    answer = client.get(address.path, **more)
    return client.post(address.path, **more) if answer.status_code == 405 else answer


def test_every_address_says_which_permission_it_needs() -> None:
    assert len(GUARDED) > 20
    assert [address.name for address in GUARDED if address.permission is None] == [], "a view without @needs"
    assert {address.name for address in TABLE} >= OPEN
    assert [address.name for address in TABLE if getattr(address.view, "csrf_exempt", False)] == []


@pytest.mark.parametrize("address", GUARDED, ids=lambda address: address.name)
def test_nobody_gets_anywhere_without_a_log_in(log: Written, address: Address) -> None:
    answer = answered(Client(), address)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/login?next=/")


@pytest.mark.parametrize("address", GUARDED, ids=lambda address: address.name)
def test_every_role_gets_where_the_table_lets_it_and_nowhere_else(log: Written, address: Address) -> None:
    assert address.permission is not None
    for role in [*Role, None]:
        client = entered(f"only-{role}", *([role] if role else []))
        looked = client.get(address.path)
        if role in MATRIX[address.permission]:
            # What changes something is done by the tests of its page; here it is enough that the door is open.
            assert looked.status_code == 405 or looked.status_code < 500, (role, looked.status_code)
            assert looked.status_code != 403, role
        else:
            answer = answered(client, address)
            assert answer.status_code == 403, (role, answer.status_code)
            assert f"<code>{address.permission}</code>" in answer.content.decode()


@pytest.mark.parametrize("name", [name for name, page in PAGES.items() if served(page)])
def test_every_page_of_the_navigation_opens_for_who_sees_it_there(log: Written, name: str) -> None:
    page = PAGES[name]
    for role in Role:
        client = entered(f"only-{role}", role)
        assert client.get(page.address).status_code == (200 if role in MATRIX[page.permission] else 403)
        menu = client.get("/account/").content.decode().split('class="pages"')[1].split("</nav>")[0]
        assert (f'href="{page.address}"' in menu) == (role in MATRIX[page.permission])


@pytest.mark.parametrize("address", TABLE, ids=lambda address: address.name)
def test_a_form_from_elsewhere_changes_nothing(log: Written, address: Address) -> None:
    client = entered("ada", Role.ADMIN)
    client.handler.enforce_csrf_checks = True
    for origin in ("https://elsewhere.invalid", "null"):
        answer = client.post(address.path, headers={"Origin": origin})
        assert answer.status_code in (403, 405), answer.status_code
        assert answer.status_code == 405 or "GOV_REQUEST_INVALID" in answer.content.decode()
    json = client.post(address.path, headers={"Accept": "application/json"})
    assert json.status_code in (403, 405)


@pytest.mark.parametrize("address", TABLE, ids=lambda address: address.name)
def test_every_answer_says_what_a_browser_may_do_with_it(log: Written, address: Address) -> None:
    for client in (Client(), entered("ada", Role.ADMIN)):
        headers = client.get(address.path).headers
        assert {name: headers.get(name) for name in HEADERS} == HEADERS
        policy = headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy


def test_cookies_are_for_this_site_and_for_no_script(log: Written, settings: Any) -> None:
    assert settings.SESSION_COOKIE_AGE == 12 * 3600
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    client = Client()
    client.get("/login")
    assert (client.cookies["csrftoken"]["secure"], client.cookies["csrftoken"]["samesite"]) == (True, "Lax")


@pytest.mark.parametrize("host", ["elsewhere.invalid", "127.0.0.1@elsewhere.invalid", "a b"])
def test_a_host_that_is_not_ours_is_refused(log: Written, host: str, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["127.0.0.1"]
    answer = Client().get("/login", headers={"Host": host})
    assert (answer.status_code, answer.json()["reason_code"]) == (400, "GOV_REQUEST_INVALID")


def test_too_many_fields_are_refused(log: Written) -> None:
    answer = Client().post("/login", {f"f{n}": "x" for n in range(201)})
    assert (answer.status_code, answer.json()["reason_code"]) == (400, "GOV_REQUEST_INVALID")


def test_a_body_larger_than_allowed_is_not_read(log: Written) -> None:
    answer = Client().post("/login", b"x" * 1_048_577, content_type="application/x-www-form-urlencoded")
    assert (answer.status_code, answer.json()["reason_code"]) == (400, "GOV_REQUEST_INVALID")


# --- sockets --------------------------------------------------------------------------------------------------------


async def code_of(path: str, cookie: str, origin: bytes = b"http://127.0.0.1") -> int | None:
    """The code with which a socket is closed; None = it stays open."""
    from polytraders.asgi import application

    headers = [(b"origin", origin), (b"host", b"127.0.0.1")]
    if cookie:
        headers.append((b"cookie", f"sessionid={cookie}".encode()))
    socket = WebsocketCommunicator(application, path, headers=headers)
    is_open, code = await socket.connect(timeout=10)
    try:
        if not is_open:
            return int(code or 0)
        first = await socket.receive_output(timeout=10)
        return int(first["code"]) if first["type"] == "websocket.close" else None
    finally:
        await socket.disconnect(timeout=10)


def sockets() -> list[str]:
    return [f"/{entry.pattern}" for entry in websocket_urlpatterns if not entry.pattern.regex.groups]


@pytest.mark.parametrize("path", sockets())
async def test_a_socket_is_for_who_is_logged_in_and_has_a_role(log: Written, path: str) -> None:
    def key(*roles: Role) -> str:
        return str(entered(f"socket-{len(roles)}", *roles).session.session_key)

    without, reader = await sync_to_async(key)(), await sync_to_async(key)(Role.READ_ONLY)
    assert await code_of(path, "") == 4401
    assert await code_of(path, "x" * 32) == 4401
    assert await code_of(path, without) == 4401
    assert await code_of(path, reader) is None


@pytest.mark.parametrize("path", sockets())
async def test_a_socket_opened_by_another_site_is_refused(log: Written, path: str) -> None:
    reader = await sync_to_async(lambda: str(entered("reader", Role.READ_ONLY).session.session_key))()
    for origin in (b"https://elsewhere.invalid", b"null", b""):
        assert await code_of(path, reader, origin) not in (None, 4401)
