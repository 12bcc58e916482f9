"""Migrations run as the owner, and only when they have changed: the database itself remembers which it has."""

import hashlib
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql

from polytraders.supervisor.spawn import spawn

PROJECT: Final = Path(__file__).resolve().parents[2]
MARK: Final = "migrations "


def migrations_hash() -> str:
    """Changes when a migration, a right of a role, or a dependency (which may bring migrations) does."""
    digest = hashlib.sha256()
    files = [*PROJECT.glob("apps/*/migrations/*.py"), *PROJECT.glob("polytraders/*/migrations/*.py")]
    for path in sorted([*files, PROJECT / "polytraders/supervisor/roles.sql", PROJECT / "requirements.lock"]):
        digest.update(f"{path.relative_to(PROJECT)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def are_applied(url: str) -> bool:
    """Whether the database says that it has exactly these migrations."""
    query = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"
    with psycopg.connect(url, connect_timeout=5) as connection:
        found = connection.execute(query).fetchone()
    return bool(found and found[0] == MARK + migrations_hash())


def main() -> int:
    """`python -m polytraders.supervisor.migrations`: what the supervisor's step runs."""
    return migrate(os.environ)


def migrate(environ: Mapping[str, str]) -> int:
    """Bring the database of DATABASE_OWNER_URL up to date; returns the exit code of Django's command."""
    url = environ["DATABASE_OWNER_URL"]
    if are_applied(url):
        sys.stdout.write("nothing has changed\n")
        return 0
    command = [sys.executable, "manage.py", "migrate", "--database", "owner", "--no-input"]
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as output:
        code = spawn(command, death=signal.SIGTERM, environ=environ, folder=PROJECT, output=output).wait()
    if code == 0:
        with psycopg.connect(url, autocommit=True) as connection:
            name = sql.Identifier(connection.info.dbname)
            mark = sql.Literal(MARK + migrations_hash())
            connection.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(name, mark))
    return code


if __name__ == "__main__":
    sys.exit(main())
