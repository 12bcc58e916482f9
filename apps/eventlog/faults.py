"""What can go wrong with the stored log, each with its reason code: in all of them nothing of the block counts."""


class LogFault(RuntimeError):  # noqa: N818  a fault of the log, whatever it is raised for
    """The log cannot be written or trusted; `code` says why."""

    code = "GOV_CHAIN_BROKEN"

    def __str__(self) -> str:
        return f"{self.code}: {super().__str__()}"


class Corrupt(LogFault):
    """Stored bytes are not the ones that were recorded."""

    code = "GOV_CHAIN_BROKEN"


class OutOfOrder(LogFault):
    """A block does not follow the one before it, or does not fit itself."""

    code = "GOV_EVENT_ORDER"


class ShardTaken(LogFault):
    """Another process holds the writer's lock of the shard."""

    code = "GOV_SHARD_TAKEN"


class Fenced(LogFault):
    """Another process has become the writer; this one must end."""

    code = "GOV_FENCE_LOST"


class Unavailable(LogFault):
    """The database did not answer; whether the last block was committed is not known here."""

    code = "GOV_DB_UNAVAILABLE"


class StorageFull(LogFault):
    """There is no room for the segment."""

    code = "GOV_DISK_FULL"


class LogNewer(LogFault):
    """The log has a layout that this build does not know."""

    code = "GOV_LOG_NEWER"


class CommandTwice(LogFault):
    """A row of the inbox that the block consumes is no longer there."""

    code = "GOV_COMMAND_TWICE"


class Dropped(LogFault):
    """The stretch was let go by the retention setting."""

    code = "GOV_LOG_DROPPED"
