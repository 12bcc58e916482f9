"""Prometheus metrics of the loop's process: what its numbers are called, and how a block changes them.

Base units (seconds, bytes, ratios), one prefix, and labels of few values: never a market, an order or a person.
"""

from collections.abc import Mapping, Sequence
from threading import Thread
from typing import Any, Final, NamedTuple
from wsgiref.simple_server import WSGIServer

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, start_http_server

from polytraders.contracts import checks as c
from polytraders.contracts import state as s
from polytraders.contracts.inputs import Kind, Scope
from polytraders.contracts.reasons import by_number

FAST: Final = (1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 5e-2, 0.25)
"""Buckets of what the loop itself does, seconds."""
DURABLE: Final = (5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.25, 0.5, 1.0, 5.0)
"""Buckets of what waits for a disk, seconds."""
ACTIONS: Final = ("buy", "sell")
MONEY: Final = 1e6
SECOND_NS: Final = 1e9
KINDS: Final = {int(kind): kind.name.lower() for kind in Kind}


class LoopMetrics:
    """The registry of one loop's process. Every method is cheap enough for every block."""

    def __init__(self, *, version: str, build_hash: str) -> None:
        """An empty registry, nothing global, so that a test or a second shard has its own."""
        self.registry = CollectorRegistry()
        made: dict[str, Any] = {"registry": self.registry, "namespace": "polytraders"}
        self.feed_age = Gauge(
            "feed_last_event_age_seconds", "Since the feed's last frame.", ["venue", "stream"], **made
        )
        self.book_state = Gauge("book_state", "Books by state.", ["venue", "state"], **made)
        self.hash_match = Gauge("book_hash_match_ratio", "Snapshots whose venue hash was reproduced.", **made)
        self.events = Counter("events", "Inputs by kind.", ["kind"], **made)
        self.log_seq = Gauge("event_log_seq", "Last committed input.", **made)
        self.decisions = Counter(
            "decisions", "Evaluations by their verdict.", ["strategy", "action", "reason_code"], **made
        )
        self.decision = Histogram(
            "decision_duration_seconds", "From receiving a frame to the end of its block.", buckets=FAST, **made
        )
        self.commit = Histogram(
            "commit_duration_seconds", "From the end of a block to its commit.", buckets=DURABLE, **made
        )
        self.ack = Histogram("order_ack_duration_seconds", "From sending to the answer.", buckets=DURABLE, **made)
        self.orders = Counter("orders", "Orders by what became of them.", ["venue", "state", "reason_code"], **made)
        self.orders_unknown = Gauge("orders_unknown", "Orders whose fate is not known.", **made)
        self.fills = Counter("fills", "Fills by where their settlement stands.", ["settlement"], **made)
        self.settlement = Histogram(
            "settlement_duration_seconds", "From a fill to its money.", buckets=(1, 5, 30, 60, 300, 3_600), **made
        )
        self.ledger_drift = Gauge("ledger_drift_units", "Loop's sum minus the ledger's.", ["asset"], **made)
        self.exposure = Gauge("exposure_ratio", "Part of a limit that is used.", ["cap"], **made)
        self.kill_state = Gauge("kill_state", "Killed scopes.", ["scope"], **made)
        self.kill_fence = Histogram(
            "kill_fence_duration_seconds", "From asking for a kill to the fence's file.", buckets=DURABLE, **made
        )
        self.replay_mismatch = Counter("replay_mismatch", "Outputs that a replay made differently.", **made)
        self.alert_delivery = Histogram(
            "alert_delivery_duration_seconds", "From an alert to its delivery.", buckets=DURABLE, **made
        )
        self.queue = Gauge("queue_length", "Waiting in the loop's process.", ["queue"], **made)
        self.rss = Gauge("resident_memory_bytes", "Resident memory of the loop's process.", **made)
        self.build = Gauge("build_info", "Always 1.", ["version", "config_hash"], **made)
        self.build.labels(version, build_hash).set(1)
        for scope in Scope:
            self.kill_state.labels(scope.name.lower()).set(0)

    def saw(self, inputs: np.ndarray) -> None:
        """Count a block's INPUT rows."""
        kinds = np.bincount(inputs["kind"], minlength=1)
        for kind in np.flatnonzero(kinds).tolist():
            self.events.labels(KINDS.get(kind, "other")).inc(int(kinds[kind]))

    def said(self, outs: np.ndarray, strategies: "Mapping[int, str] | Sequence[str]", venue: str) -> None:
        """Count a block's OUT rows."""
        counted = outs[(outs["counted"] > 0) & (outs["counted_first"] != s.NONE)]
        for key, rows in _grouped(counted, ("strategy", "action", "counted_first")):
            strategy, action, first = key
            labels = (strategies[strategy], ACTIONS[action], c.code_of(first))
            self.decisions.labels(*labels).inc(int(rows["counted"].sum()))
        approvals = int(np.count_nonzero(outs["kind"] == s.APPROVAL))
        if approvals:
            self.orders.labels(venue, "sent", c.code_of(c.APPROVED)).inc(approvals)
        for (reason,), rows in _grouped(outs[outs["kind"] == s.DONE], ("first",)):
            self.orders.labels(venue, "ended", by_number(reason).code).inc(len(rows))
        fills = int(np.count_nonzero(outs["kind"] == s.FILL))
        if fills:
            # A paper fill is money at once; a real one will be matched first.
            self.fills.labels("paper" if venue in ("simulator", "paper") else "matched").inc(fills)

    def timed(self, receive_ns: int, decided_ns: int, committed_ns: int) -> None:
        """One block's three moments, of one clock."""
        self.decision.observe((decided_ns - receive_ns) / SECOND_NS)
        self.commit.observe((committed_ns - decided_ns) / SECOND_NS)

    def text(self) -> str:
        """The exposition format, for the loop's own row and for `/metrics`."""
        return generate_latest(self.registry).decode()

    def serve(self, port: int) -> "Served":
        """Serve the registry on loopback, at a random port if 0."""
        server, thread = start_http_server(port, addr="127.0.0.1", registry=self.registry)
        return Served(server, thread)


class Served(NamedTuple):
    """A running server of metrics."""

    server: WSGIServer
    thread: Thread

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.server.server_port

    def close(self) -> None:
        """Stop listening and let the thread end."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def _grouped(rows: np.ndarray, fields: tuple[str, ...]) -> list[tuple[tuple[int, ...], np.ndarray]]:
    """Rows by the values of some of their fields; a block has few groups."""
    if not len(rows):
        return []
    keys = np.stack([rows[name].astype(np.int64) for name in fields], axis=1)
    groups, which = np.unique(keys, axis=0, return_inverse=True)
    flat = which.reshape(-1)
    return [(tuple(key), rows[flat == number]) for number, key in enumerate(groups.tolist())]
