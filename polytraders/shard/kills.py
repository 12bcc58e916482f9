"""Everything outside of the log that may say that a scope is killed: the fence and the control table.

Either one is enough. The fence is looked at before every block; the table by the inbox's watcher, twice a second.
"""

from polytraders.contracts.control import Killed
from polytraders.fence import Fence


class Kills:
    """The two witnesses.

    Attributes:
        recorded: What the control table said last; replaced, never changed, so any thread may set it.
    """

    def __init__(self, fence: Fence, recorded: frozenset[Killed]) -> None:
        """Begin with what the table says now."""
        self._fence = fence
        self.recorded = recorded

    def now(self) -> frozenset[Killed]:
        """Every scope that one of them says is killed."""
        return self._fence.killed() | self.recorded
