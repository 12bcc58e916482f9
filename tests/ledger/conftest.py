"""Ledgers of the two roles. Most tests share a database and take a shard of their own: nothing in it can be undone."""

import itertools
from collections.abc import Iterator

import psycopg
import pytest

from polytraders.supervisor.postgres import Postgres
from tests import servers

SHARDS = itertools.count(1)


@pytest.fixture
def shard() -> int:
    """Books that nobody has written in."""
    return next(SHARDS)


@pytest.fixture(scope="module")
def shared(postgres_server: "Postgres | servers.Outside") -> Iterator[servers.Database]:
    """A database for all tests of a module that cannot damage it."""
    with servers.copied(postgres_server) as made:
        yield made


@pytest.fixture(scope="module")
def app(shared: servers.Database) -> Iterator[psycopg.Connection]:
    """What everything at run time is."""
    with psycopg.connect(shared.app_dsn, autocommit=True) as conn:
        yield conn


@pytest.fixture(scope="module")
def owner(shared: servers.Database) -> Iterator[psycopg.Connection]:
    """Who made the tables."""
    with psycopg.connect(shared.owner_dsn, autocommit=True) as conn:
        yield conn


@pytest.fixture
def breaker(owner_dsn: str) -> Iterator[psycopg.Connection]:
    """The owner of a database of its own, in which it may take the triggers away."""
    with psycopg.connect(owner_dsn, autocommit=True) as conn:
        yield conn
