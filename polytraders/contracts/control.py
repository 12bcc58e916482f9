"""What a kill names, wherever it is written down: fence, control table, log."""

from typing import Final, NamedTuple

from polytraders.contracts.scope import Scope


class Killed(NamedTuple):
    """One killed scope; `name` is "" for the global one, else the venue's id, cluster, market or strategy."""

    scope: Scope
    name: str = ""


EVERYTHING: Final = frozenset({Killed(Scope.GLOBAL)})
"""What a record of kills that cannot be read says."""
