"""Stage 10's artefact: what a replay found."""

from collections.abc import Mapping
from dataclasses import dataclass

from polytraders.contracts.ledger import Position


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochParity:
    """One run of a build in the log, replayed.

    Attributes:
        epoch_seq: Input that opened it.
        last_seq: Last input of it that was replayed.
        build: Hash of the build that recorded it, hex.
        claimed: That build is the one that replays, so that every output must be the same. Elsewhere a difference is
            called drift.
        state_equal: The state handed over to it is the one that its EPOCH input names; None = it names none.
        recorded: Output rows in the log.
        replayed: Output rows computed.
        equal: Rows that both have, alike in every byte.
        first_difference: First differing input, packet and field, in words; None = there is none.
    """

    epoch_seq: int
    last_seq: int
    build: str
    claimed: bool
    state_equal: bool | None
    recorded: int
    replayed: int
    equal: int
    first_difference: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogParity:
    """What comparing a stored log with its replay found.

    Attributes:
        shard: Which log.
        from_seq: First input replayed.
        to_seq: Last one.
        parity: Equal rows by rows of either side, over the epochs of this build, 0..1; None = there is none of them.
        drift: 1 less the same number over the epochs of other builds; None = there is none of them.
        input_head_recorded: Hex, from the log's head; None where the replay ends before it. So below.
        output_head_recorded: Likewise.
        state_hash: SHA-256 of the state behind the last input, hex.
        seconds: Wall time of everything: reading, loop, comparing.
        epochs: In the order of the log.
    """

    shard: int
    from_seq: int
    to_seq: int
    parity: float | None
    drift: float | None
    input_head_recorded: str | None
    output_head_recorded: str | None
    state_hash: str
    seconds: float
    epochs: tuple[EpochParity, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayReport:
    """The result of driving one source of inputs through the loop.

    Attributes:
        source: Name of the source, without its folder.
        clock: "synthetic" when the source had no receive times, else "recorded".
        ages: How staleness was judged: which of the three ages the source can show, and what stood in for the others.
        frames: Raw frames read.
        frames_rejected: Of them, refused at the door.
        events: Input rows, ticks included.
        rows_mirrored: Level changes whose other token said the same.
        markets: Markets seen.
        mismatch_before_repair: Frames whose told best prices differed from ours before the repair.
        first_mismatch_frame: 0-based number of the first of them; None = there was none.
        best_mismatch: Frames whose told best prices still differed afterwards.
        repairs: Levels removed by repairs.
        snapshots: Whole books received.
        snapshot_differences: Levels in which later whole books differed from ours.
        evaluations: Verdicts given; equals the sum of counts_by_code.
        packets: Packets made, approvals among them.
        approved: Approvals.
        orders: Orders made.
        fills: Fills.
        expired: Orders whose life ended.
        counts_by_code: Evaluations by the verdict's reason code.
        refused_by_code: Refused frames by reason code.
        door: Counters of the decoder.
        input_head: Head of the input chain, hex, like the two below.
        output_head: Head of the output chain.
        chain_head: Both together.
        build: Hash of the sources, options and versions that computed it.
        events_per_second: Input rows by wall time of the loop; the only field that two equal replays differ in.
        assumed: Facts that came from a file, by market.
        limits: Limits in force at the end, by name.
        strategies: Names of the strategies.
        capital: Micro-pUSD deposited, like the four below.
        equity: Cash plus positions at the mid.
        realised: Earned by closed positions.
        unrealised: Equity minus capital minus realised.
        fees: Paid.
        positions: What is held at the end.
        verdict_code: GOV_REPLAY_MATCH or GOV_REPLAY_REGRESSION against another report; None = not compared.
        first_difference: First differing packet and field, in words; None = there is none.
        log: The comparison with the outputs that are stored; None where the source is a capture, which has none.
    """

    source: str
    clock: str
    ages: str
    frames: int
    frames_rejected: int
    events: int
    rows_mirrored: int
    markets: int
    mismatch_before_repair: int
    first_mismatch_frame: int | None
    best_mismatch: int
    repairs: int
    snapshots: int
    snapshot_differences: int
    evaluations: int
    packets: int
    approved: int
    orders: int
    fills: int
    expired: int
    counts_by_code: Mapping[str, int]
    refused_by_code: Mapping[str, int]
    door: Mapping[str, int]
    input_head: str
    output_head: str
    chain_head: str
    build: str
    events_per_second: float
    assumed: Mapping[str, tuple[str, ...]]
    limits: Mapping[str, int]
    strategies: tuple[str, ...]
    capital: int
    equity: int
    realised: int
    unrealised: int
    fees: int
    positions: tuple[Position, ...]
    verdict_code: str | None
    first_difference: str | None
    log: LogParity | None
