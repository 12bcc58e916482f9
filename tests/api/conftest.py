"""The interface over a log that a world has written: people with roles, keys with scopes, a fence of the test's own."""

import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from polytraders import fence
from polytraders.access import keys
from polytraders.access.permissions import MARK, Role
from polytraders.api.places import raw
from tests.ledger.booked import book, example
from tests.web.conftest import ada, empty, entered, log, says

__all__ = ["ada", "empty", "log", "says"]

Keyed = Callable[..., "Program"]


class Program:
    """Asks with a key."""

    def __init__(self, key: str) -> None:
        self.key = key
        self._client = Client()

    def headers(self, **more: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}", **more}

    def get(self, address: str, **more: str) -> Any:
        return self._client.get(address, headers=self.headers(**more))

    def send(self, method: str, address: str, body: Any = None, *, key: str | None = None, **more: str) -> Any:
        named = {"Idempotency-Key": uuid.uuid4().hex if key is None else key}
        return self._client.generic(
            method, address, b"" if body is None else as_json(body), "application/json",
            headers=self.headers(**named, **more),
        )  # fmt: skip

    def post(self, address: str, body: Any = None, **more: Any) -> Any:
        return self.send("POST", address, body, **more)


def as_json(body: Any) -> bytes:
    import json

    return body if isinstance(body, bytes) else json.dumps(body).encode()


@pytest.fixture
def home(tmp_path: Path, settings: Any) -> Path:
    """A fence of the test's own, in which nothing is killed."""
    fence.create(tmp_path / fence.FILE)
    settings.HOME = tmp_path
    return tmp_path


@pytest.fixture
def keyed(log: Any) -> Keyed:
    """A program with a key of these scopes, whose owner has all roles unless others are named."""

    def make(*scopes: str, roles: tuple[Role, ...] = (Role.ADMIN,), days: int = 1) -> Program:
        from django.contrib.auth import get_user_model

        name = f"owner-{uuid.uuid4().hex[:8]}"
        entered(name, *roles)
        owner = get_user_model().objects.get(username=name)
        return Program(keys.make("a test", owner, scopes, days)[1])

    return make


@pytest.fixture
def stepped(ada: Client) -> Client:
    """Ada, who has just given a code of her second factor."""
    session = ada.session
    session[MARK] = time.time()
    session.save()
    return ada


@pytest.fixture
def booked(log: Any) -> None:
    """The ledger's worked example in the log's books."""
    from apps.ledger.models import Movement

    if not Movement.objects.exists():
        book(raw(), example(), 0)
