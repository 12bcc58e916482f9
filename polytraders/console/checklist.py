"""What must be true before a scope is released: each line ticked by the system, and unknown is not ticked."""

from dataclasses import dataclass
from typing import Final

from apps.risk.models import ControlRecord
from polytraders.console import asked
from polytraders.console.board import STALE_NS, Board
from polytraders.console.scopes import Line, Tree
from polytraders.contracts.scope import Scope

WHY: Final = "SELECT reason FROM risk_why WHERE key = %s"
BY_THEMSELVES: Final = frozenset({"fence", ""})


@dataclass(frozen=True)
class Check:
    """One line of the list.

    Attributes:
        title: What is asked.
        is_ok: True yes, False no, None nobody knows.
        words: What was found.
        needed: Whether a release is refused without it; the others are advice.
    """

    title: str
    is_ok: bool | None
    words: str
    needed: bool = True

    @property
    def blocks(self) -> bool:
        """Whether it stands in the way."""
        return self.needed and self.is_ok is not True


def release(line: Line, tree: Tree, board: Board, shard: int = 0) -> list[Check]:
    """The list for one scope; at most two queries."""
    loop = board.loop
    alive = None if loop is None else board.age_ns <= STALE_NS and loop.state == "running"
    resync = loop.books.get("resync", 0) if loop and alive else None
    cause = _cause(line, shard)
    feeds = board.feed_state if loop and alive else "unknown"
    return [
        Check("The loop answers", alive, "no loop has run here" if loop is None else f"{board.age_ns / 1e9:.1f} s ago"),
        Check("No order's fate is unknown", board.unknown_orders == 0, f"{board.unknown_orders} unknown"),
        Check("No order is on the books", board.open_orders == 0 or line.scope is not Scope.GLOBAL,
              f"{board.open_orders} open" + ("" if line.scope is Scope.GLOBAL else " in all scopes")),
        Check("The cause is named", bool(cause), cause or "say below the kill why it was made", True),
        Check("The fence can be read", tree.has_fence or line.scope is Scope.GLOBAL,
              f"epoch {tree.epoch}" if tree.has_fence else "missing: releasing everything makes it anew"),
        Check("Fence, table and log agree", line.agree, _witnesses(line), needed=False),
        Check("All feeds are up", None if feeds == "unknown" else feeds == "up", feeds, needed=False),
        Check("All books are valid", None if resync is None else resync == 0,
              "unknown" if resync is None else f"{resync} resyncing", needed=False),
    ]  # fmt: skip


def _witnesses(line: Line) -> str:
    words = {True: "killed", False: "trading", None: "silent"}
    return f"fence {words[line.fenced]}, table {words[line.table]}, log {words[line.log]}"


def _cause(line: Line, shard: int) -> str:
    """Why it was killed, as anybody has said it; a kill by the fence alone has no author who could."""
    kept = (
        ControlRecord.objects.filter(shard=shard, scope=int(line.scope), name=line.name, act="kill")
        .order_by("-id")
        .values_list("key", "reason")
        .first()
    )
    if kept is None:
        if line.actor in BY_THEMSELVES and line.is_killed:
            return "the fence alone says so: name the cause in the release's reason"
        return line.reason
    row = asked.raw().execute(WHY, (kept[0],)).fetchone()
    return kept[1] or (row[0] if row else "")
