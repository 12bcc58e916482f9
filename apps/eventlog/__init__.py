"""Stage 3: Canonical state and the event log.

What happened, in which order, and can it be proved?

Numbers the inputs without a gap, stamps their lag, and chains inputs and outputs by SHA-256, so that two runs can be
compared by one line and a changed byte is found. One writer a shard puts a block on disk, then, in one transaction with
all that follows from it, into the database; everybody else reads, or puts a command into the inbox.

In:     inputs and outputs of the loop; commands, from anybody who may
Out:    Event, and the heads of the chains; the log itself, read back and proved
Codes:  GOV_EVENT_ORDER, GOV_CHAIN_BROKEN, GOV_FENCE_LOST, GOV_SHARD_TAKEN, GOV_LOG_NEWER, GOV_DB_UNAVAILABLE,
        GOV_DISK_FULL, GOV_SEGMENT_TORN, GOV_CHECKPOINT_UNUSABLE, GOV_COMMAND_EXPIRED, GOV_COMMAND_TWICE,
        GOV_APPROVAL_MISSING, GOV_LOG_DROPPED
Never:  reorders by a venue's time; changes what is written; imports another stage.
Change: kinds of inputs are only ever added (`polytraders/contracts/inputs.py`); how long it is kept,
        POLYTRADERS_RETENTION_DAYS.

To read: store.py (the writer) and blocks.py (what it is given), then segments.py, bodies.py and packed.py (bytes),
reading.py, walk.py and verify.py (proof), inbox.py, checkpoints.py, retention.py; core/ holds the arithmetic.
"""
