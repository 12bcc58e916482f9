"""Loaded by pytest before anything of ours: no test ever sees a server, a folder or a secret of the environment."""

import os
import tempfile
from pathlib import Path

NEVER = (
    "DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE",
    "PGSERVICE", "PORT",
)  # fmt: skip
"""Names that a run would take servers from."""
KEPT = ("POLYTRADERS_TEST_DATABASE_URL", "POLYTRADERS_CACHE", "POLYTRADERS_DATA")
"""Meant for tests, or about how the loop is compiled, or where recordings lie."""


def isolate(environ: os._Environ[str]) -> None:
    """Forget all of it, and put the installation's folder where nothing is."""
    for name in [*NEVER, *(name for name in environ if name.startswith("POLYTRADERS_"))]:
        if name not in KEPT:
            environ.pop(name, None)
    environ["POLYTRADERS_HOME"] = str(Path(tempfile.gettempdir()) / f"polytraders-test-{os.getpid()}" / "nothing-here")


isolate(os.environ)
