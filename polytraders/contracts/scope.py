"""What a kill covers, by itself: the process that kills needs this and no numpy."""

from enum import IntEnum


class Scope(IntEnum):
    """What a kill covers."""

    GLOBAL = 0
    VENUE = 1
    CLUSTER = 2
    MARKET = 3
    STRATEGY = 4
