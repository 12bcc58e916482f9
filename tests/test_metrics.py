"""The loop's metrics: names of the house, base units, few labels, and counts that add up."""

import re
import urllib.request

import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from polytraders.contracts import checks as c
from polytraders.contracts import state as s
from polytraders.contracts.inputs import Kind, empty
from polytraders.contracts.reasons import number
from polytraders.metrics import LoopMetrics

NAMES = {
    "feed_last_event_age_seconds", "book_state", "book_hash_match_ratio", "events", "event_log_seq", "decisions",
    "decision_duration_seconds", "order_ack_duration_seconds", "orders", "orders_unknown", "fills",
    "settlement_duration_seconds", "ledger_drift_units", "exposure_ratio", "kill_state", "kill_fence_duration_seconds",
    "replay_mismatch", "alert_delivery_duration_seconds", "build_info",
}  # fmt: skip


def made() -> LoopMetrics:
    return LoopMetrics(version="0.1.0", build_hash="abc")


def value(metrics: LoopMetrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"polytraders_{name}", labels)


def test_every_metric_of_the_house_is_there_with_one_prefix_and_no_market() -> None:
    families = {family.name for family in text_string_to_metric_families(made().text())}
    assert {f"polytraders_{name}" for name in NAMES} <= families
    labels = {name for metric in made().registry.collect() for sample in metric.samples for name in sample.labels}
    assert labels <= {"venue", "state", "scope", "le", "version", "config_hash"}
    assert not re.search(r"_(ms|us|pct|usd)\b", made().text())


def test_inputs_are_counted_by_kind() -> None:
    metrics, rows = made(), empty(5)
    rows["kind"] = [Kind.TICK, Kind.LEVEL, Kind.LEVEL, Kind.TRADE, 200]
    metrics.saw(rows)
    metrics.saw(rows[:1])
    assert value(metrics, "events_total", kind="tick") == 2
    assert value(metrics, "events_total", kind="level") == 2
    assert value(metrics, "events_total", kind="other") == 1


def test_evaluations_are_counted_by_their_verdict_and_add_up() -> None:
    metrics, outs = made(), np.zeros(5, s.OUT)
    outs["kind"] = [s.PACKET, s.COUNTS, s.APPROVAL, s.FILL, s.DONE]
    outs["counted"] = [4, 3, 1, 0, 0]
    outs["counted_first"] = [c.NET_EDGE, c.NET_EDGE, c.RANK, s.NONE, s.NONE]
    outs["first"][4] = number("EXEC_EXPIRED")
    metrics.said(outs, ["logit"], "simulator")
    labels = {"strategy": "logit", "action": "buy"}
    assert value(metrics, "decisions_total", reason_code="STRAT_NO_EDGE", **labels) == 7
    assert value(metrics, "decisions_total", reason_code="STRAT_AWAITING_RANK", **labels) == 1
    assert value(metrics, "orders_total", venue="simulator", state="ended", reason_code="EXEC_EXPIRED") == 1
    assert value(metrics, "orders_total", venue="simulator", state="sent", reason_code="STRAT_EDGE_DETECTED") == 1
    assert value(metrics, "fills_total", settlement="paper") == 1


def test_times_are_seconds() -> None:
    metrics = made()
    metrics.timed(0, 150_000, 12_150_000)
    assert value(metrics, "decision_duration_seconds_sum") == 0.00015
    assert value(metrics, "commit_duration_seconds_sum") == 0.012
    assert value(metrics, "commit_duration_seconds_bucket", le="0.02") == 1
    assert value(metrics, "commit_duration_seconds_bucket", le="0.01") == 0


def test_they_are_served_on_loopback_until_closed() -> None:
    metrics = made()
    served = metrics.serve(0)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{served.port}/metrics", timeout=5) as answer:
            assert b"polytraders_build_info" in answer.read()
    finally:
        served.close()
