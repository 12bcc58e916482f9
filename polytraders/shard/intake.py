"""What arrives becomes numbered rows: frames, reference prices, commands, kills and losses, in the order of arrival.

Each control row is noted with its actor and payload, because it gets a row of the log of its own.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np

from apps.eventlog import bodies
from apps.eventlog.segments import FRAME_MAX, Received
from apps.eventlog.store import Control
from polytraders.config import Row
from polytraders.contracts.control import Killed
from polytraders.contracts.inputs import MARKET_DATA, Kind, Scope
from polytraders.contracts.reasons import number
from polytraders.crashpoints import reach
from polytraders.quarantine import Quarantine
from polytraders.sequencing import Sequencer
from polytraders.shard.commands import Asked, Desk, as_payload, command_row
from polytraders.shard.directory import Directory
from polytraders.venues.binance.wire import Decoder as ReferenceDecoder
from polytraders.venues.polymarket.wire import Decoder

log = logging.getLogger(__name__)

FEED, FENCE, LOOP = "feed", "fence", "loop"
CONFLICT: Final = "EXEC_LEDGER_RESOLUTION_CONFLICT"
LAG_S_MAX: Final = 10
"""Seconds on the wall that news may take; the venue's own times step back by up to three."""
KEPT_OF_LARGE: Final = 64 * 1024
"""Bytes kept of a frame that the door refuses for its size."""


class Taken(NamedTuple):
    """Rows that have been numbered and not yet stepped, with what belongs to them."""

    inputs: np.ndarray
    controls: list[Control]
    raws: list[Received]
    inbox_ids: list[int]


class Intake:
    """Numbers what arrives.

    Attributes:
        directory: Names of the indices.
        frames: Raw frames so far in this epoch: an input's `frame` counts from its epoch's beginning.
        raws: Frames whose rows have not been taken yet.
    """

    def __init__(
        self,
        sequencer: Sequencer,
        decoder: Decoder,
        references: ReferenceDecoder,
        directory: Directory,
        desk: Desk,
        quarantine: Quarantine,
    ) -> None:
        """Go on with `sequencer`."""
        self._references = references
        self.frames = 0
        self._sequencer = sequencer
        self._decoder = decoder
        self.directory = directory
        self._desk = desk
        self._quarantine = quarantine
        self._late: set[int] = set()
        self._told: dict[int, tuple[str, str, bytes | None]] = {}
        self.raws: list[Received] = []
        self._inbox_ids: list[int] = []

    def tick(self, now: int, proc_ts: int) -> None:
        """Loop time goes on."""
        self._sequencer.advance(now, proc_ts)

    def rows(self, rows: Sequence[Row], at: int, actor: str, *, key: str = "", payload: bytes | None = None) -> None:
        """Control rows; the first carries the payload."""
        self._sequencer.advance(at)
        first = self._sequencer.in_seq + 1
        self._sequencer.frame(-1, at, rows)
        for offset in range(len(rows)):
            self._told[first + offset] = actor, key, payload if offset == 0 else None

    def frame(self, raw: Received, proc_ts: int) -> None:
        """One message of a market-data connection."""
        number_of_frame = self._keep(raw)
        decoded = self._decoder.decode(raw.raw, raw.connection)
        self._judge(decoded.code, number_of_frame, raw)
        for rows, identity in self.directory.first_sights():
            self.rows(rows, raw.recv_ts, FEED, payload=identity)
        if self._is_late(raw, decoded.rows):
            return
        # The frame's own TICKs come first: they are nobody's control rows.
        self._sequencer.advance(raw.recv_ts, proc_ts)
        first = self._sequencer.in_seq + 1
        self._sequencer.frame(number_of_frame, raw.recv_ts, decoded.rows, proc_ts)
        for offset, row in enumerate(decoded.rows):
            if row[0] not in MARKET_DATA:
                self._told[first + offset] = FEED, "", None
                if row[0] == Kind.RESOLVED and not self.directory.note_resolved(row[3], row[5]):
                    self._judge(CONFLICT, number_of_frame, raw)

    def _is_late(self, raw: Received, rows: Sequence[tuple[int, ...]]) -> bool:
        """Whether the connection tells of what was long ago, which tells nothing of now.

        Its market data is kept as bytes and not believed until news comes in time again; its books are lost meanwhile.
        Whole books carry old times by right, so changes and trades are what is judged.
        """
        if any(row[0] not in MARKET_DATA for row in rows):
            return False
        if rows and rows[-1][0] in (Kind.LEVEL, Kind.TRADE):
            lag_ns = raw.recv_ts - rows[-1][8]
            was_late = raw.connection in self._late
            if lag_ns <= LAG_S_MAX * self._sequencer.rate_ppm * 1_000:
                self._late.discard(raw.connection)
            elif not was_late:
                self._late.add(raw.connection)
                log.warning("connection %d is %d ms late", raw.connection, lag_ns // 1_000_000)
                self.lost(raw.connection, raw.recv_ts, "INTEL_FEED_LAG")
        return raw.connection in self._late

    def _judge(self, code: str | None, number_of_frame: int, raw: Received) -> None:
        """Put a frame aside that the door has refused."""
        if code is None:
            return
        try:
            self._quarantine.keep(code, number_of_frame, raw.raw)
        except OSError as error:
            # Evidence is lost, no state: the frame is in the raw segment too.
            log.error("a frame could not be put aside as %s: %s", code, error)

    def reference(self, raw: Received, proc_ts: int) -> None:
        """One message of the reference feed; a window that begins with one of its prices gets its strike."""
        number_of_frame = self._keep(raw)
        decoded = self._references.decode(raw.raw, raw.recv_ts)
        self._judge(decoded.code, number_of_frame, raw)
        self._sequencer.advance(raw.recv_ts, proc_ts)
        first = self._sequencer.in_seq + 1
        self._told |= {first + offset: (FEED, "", None) for offset in range(len(decoded.rows))}
        self._sequencer.frame(number_of_frame, raw.recv_ts, decoded.rows, proc_ts)
        for row in decoded.rows:
            strikes = self.directory.strikes(row[3], row[4], self._sequencer.now)
            if strikes:
                self.rows(strikes, raw.recv_ts, FEED)

    def reference_lost(self) -> None:
        """The reference feed has been lost: what it told is not what the next price is compared with."""
        self._references.reset()

    def _keep(self, raw: Received) -> int:
        """Keep a frame's bytes; its number."""
        self.raws.append(raw if len(raw.raw) <= FRAME_MAX else raw._replace(raw=raw.raw[:KEPT_OF_LARGE]))
        self.frames += 1
        return self.frames - 1

    def opened(self, connection: int) -> None:
        """A connection has been opened anew: nothing is held against it."""
        self._late.discard(connection)

    def lost(self, connection: int, at: int, why: str) -> None:
        """A connection has been lost, and why: what it told is no longer current."""
        self.rows([(Kind.GAP, 0, 0, -1, 0, 0, number(why), connection)], at, FEED)

    def command(self, inbox_id: int, key: str, asked: Asked, at: int) -> None:
        """One row of the inbox: what was asked, then what it causes."""
        self._sequencer.advance(at)
        answer = self._desk.answer(asked, self._sequencer.now)
        self.rows([command_row(answer)], at, asked.actor, key=key, payload=as_payload(asked, answer))
        if answer.rows:
            self.rows(answer.rows, at, asked.actor, payload=answer.identity)
            for row in answer.rows:
                if row[0] == Kind.RESOLVED:
                    self.directory.note_resolved(row[3], row[5])
        self._inbox_ids.append(inbox_id)
        reach("command taken")

    def kill(self, killed: Killed, index: int) -> None:
        """Fence or control table say that a scope is killed: next, before any TICK that is due."""
        self.rows([(Kind.KILL, 0, 0, -1, Scope(killed.scope), index, 0, 0)], 0, FENCE)

    def take(self) -> Taken | None:
        """Everything numbered so far, None when there is nothing."""
        parts = list(self._sequencer.rest())
        if not parts:
            return None
        inputs = np.concatenate(parts) if len(parts) > 1 else parts[0]
        controls = []
        for row in bodies.controls(inputs):
            # A jump of the clock is nobody's: the sequencer makes it.
            actor, key, payload = self._told.get(int(row["in_seq"]), (LOOP, "", None))
            controls.append(Control(row=row.tobytes(), actor=actor, key=key, payload=payload))
        made = Taken(inputs, controls, self.raws, self._inbox_ids)
        self._told, self.raws, self._inbox_ids = {}, [], []
        return made


Arrival = Callable[[Intake, int], None]
"""Something that arrived, waiting to be numbered; called with the time at which the rows are sealed."""
