"""One decision once more: the book that it was made on, and the same bytes again; in the child's own code."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connections

from apps.oms.models import FillRecord, OrderRecord
from apps.replay import scoring
from apps.replay.models import ExecutedRecord, ExecutionRecord
from apps.risk.models import DecisionRecord
from polytraders import packets, revisiting, working
from polytraders.console import decisions, steps
from polytraders.contracts import job as j
from polytraders.contracts.inputs import SIZE_UNIT
from tests import servers
from tests.packets.made import example
from tests.packets.test_packets import told as in_full
from tests.shard.rig import Rig, frames


@pytest.fixture(scope="module")
def log(postgres_server: Any, tmp_path_factory: pytest.TempPathFactory, django_db_blocker: Any) -> Iterator[str]:
    """A log of a real loop process, with a checkpoint on the way."""
    from django.conf import settings

    home = tmp_path_factory.mktemp("home")
    with servers.copied(postgres_server) as made, django_db_blocker.unblock():
        before = dict(connections["default"].settings_dict)
        kept = settings.DATABASE_URL, settings.HOME
        settings.DATABASE_URL, settings.HOME = made.app_dsn, home
        servers.point_django_at(made.app_dsn, "default")
        with Rig(made.app_dsn, home, checkpoint_inputs=1_000) as rig:
            rig.list_markets()
            rig.play(frames(3_000))
        try:
            yield made.app_dsn
        finally:
            settings.DATABASE_URL, settings.HOME = kept
            connections.close_all()
            connections["default"].settings_dict.update(before)


def told(runner: str, **arguments: Any) -> list[dict[str, Any]]:
    out = io.StringIO()
    working.do(f"polytraders.revisiting:{runner}", arguments, out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_every_kind_of_decision_is_made_again_byte_for_byte(log: str) -> None:
    rows = list(DecisionRecord.objects.order_by("-id"))
    newest = {(row.verdict, row.code): row for row in rows}
    assert len(newest) >= 3
    for row in newest.values():
        *steps, last = told("again", decision=row.decision_id)
        found = last["result"]
        assert steps[0]["words"] == "loading the loop" and steps[-1]["part"] <= 1
        assert (found["code"], found["differences"], found["differing"]) == ("GOV_REPLAY_MATCH", [], 0)
        assert found["recorded"] == found["replayed"] == packets.packet_id(decisions.rendered(row)[0])
        assert found["build"] == found["recorded_build"]
        assert found["stepped"] == row.in_seq - found["checkpoint"]


def test_it_begins_at_the_nearest_checkpoint(log: str) -> None:
    last = DecisionRecord.objects.order_by("-id")[0]
    found = told("again", decision=last.decision_id)[-1]["result"]
    assert found["checkpoint"] > 0 and found["stepped"] < last.in_seq


def test_the_book_is_the_one_that_the_packet_speaks_of(log: str) -> None:
    seen = 0
    for row in DecisionRecord.objects.filter(net_edge__isnull=False).order_by("-id")[:5]:
        packet = decisions.rendered(row)[0]
        found = told("book", decision=row.decision_id)[-1]["result"]
        assert packet.execution is not None and packet.features is not None
        assert found["is_valid"]
        assert (found["bids"][0][0], found["asks"][0][0]) == (packet.execution.best_bid, packet.execution.best_ask)
        assert [level[0] for level in found["bids"]] == sorted((level[0] for level in found["bids"]), reverse=True)
        assert [level[0] for level in found["asks"]] == sorted(level[0] for level in found["asks"])
        for side, name in (("bids", "bid_depth"), ("asks", "ask_depth")):
            shown = sum(size for _, size, _ in found[side][:5])
            assert shown / SIZE_UNIT == pytest.approx(packet.features.value(name))
        seen += 1
    assert seen == 5


def test_a_difference_is_named_by_field_and_check() -> None:
    packet = in_full(example())
    other = replace(packet, net_edge=packet.net_edge - 1, votes=(replace(packet.votes[0], limit=7), *packet.votes[1:]))
    assert revisiting.unlike(packet, other) == [
        ["net_edge", str(packet.net_edge), str(packet.net_edge - 1)],
        ["votes.kill_global.limit", "0", "7"],
    ]
    assert revisiting.unlike(packet, packet) == []


@pytest.mark.parametrize("wrong", ["1:99999", "0:0", "", "x", None, 7, "9" * 40 + ":1"])
def test_what_is_no_decision_is_refused_with_a_code(log: str, wrong: Any) -> None:
    for runner in ("book", "again"):
        assert told(runner, decision=wrong) == [{"code": "GOV_NOT_FOUND", "words": "there is no such decision"}]


def test_a_log_that_is_damaged_refuses_with_the_logs_own_code(log: str, tmp_path: Path, settings: Any) -> None:
    row = DecisionRecord.objects.order_by("-id")[0]
    settings.HOME = tmp_path
    last = told("book", decision=row.decision_id)[-1]
    assert last["code"] == "GOV_CHAIN_BROKEN"
    assert "segment" in last["words"]
    assert j.REFUSED not in last["code"]


def test_a_trace_has_every_step_from_the_input_to_the_ledger(log: str) -> None:
    order = OrderRecord.objects.filter(filled__gt=0).order_by("id")[0]
    found = steps.trace(order.order_seq, order.market, order.strategy)
    assert found is not None and found.missing == "" and found.block is not None
    names = [step.what for step in found.steps]
    for what in ("approval", "fill", "ledger: hold", "ledger: money", "ledger: shares"):
        assert what in names, names
    assert names.index("approval") < names.index("ledger: hold") < names.index("fill") < names.index("ledger: money")
    # Another order of the pair may have been filled by the same input: that one is no part of this.
    fills = FillRecord.objects.filter(order_seq=order.order_seq, market=order.market, strategy=order.strategy)
    assert names.count("fill") == fills.count()
    mine = [step for step in found.steps if step.where == str(order.order_seq)]
    assert len(mine) == 1 and mine[0].is_ours and len(mine[0].digest) == 64
    assert [step.delay for step in found.steps[:1]] == [None]
    assert all(step.delay == step.ts - before.ts for before, step in zip(found.steps, found.steps[1:], strict=False))
    # The packet's page shows the same movements, and they are those of the order and of nothing else.
    booked = list(decisions.bookings_of(0, order.order_seq, order.market, order.strategy))
    assert {made.correlation for made in booked} == {order.correlation_id}
    assert sum(made.amount for made in booked if made.part == "money") == abs(order.spent)
    assert sum(made.amount for made in booked if made.part == "shares") == order.filled
    assert {f"ledger: {made.part}" for made in booked} <= set(names)


def test_a_trace_of_a_frame_shows_the_bytes_as_they_came(log: str) -> None:
    for row in DecisionRecord.objects.order_by("-id")[:200]:
        found = steps.trace(row.in_seq, row.market, row.strategy)
        assert found is not None
        if found.frames:
            market = json.loads(found.frames[0])
            assert market
            return
    raise AssertionError("no decision of this log was made on a frame")


def test_the_tasks_judge_each_order_once_and_as_it_was(log: str) -> None:
    with psycopg.connect(log, autocommit=True) as connection:
        done = scoring.score_orders(connection, 0)
        assert scoring.score_orders(connection, 0) == 0
    over = list(OrderRecord.objects.filter(is_open=False))
    assert done == len(over) == ExecutedRecord.objects.count() > 5
    for order in over:
        made = ExecutedRecord.objects.get(id=order.id)
        packet = decisions.rendered(DecisionRecord.objects.get(id=order.id))[0]
        assert packet.execution is not None
        assert (made.q_exec, made.p_fill) == (packet.execution.q_exec, packet.execution.p_fill)
        if order.filled:
            price = abs(order.spent) / order.filled
            worse = price - made.q_exec / 1e9 if order.action == 0 else made.q_exec / 1e9 - price
            assert made.slippage is not None and made.slippage / 1e9 == pytest.approx(worse, abs=1e-8)
    sums = list(ExecutionRecord.objects.all())
    assert sum(row.count for row in sums if row.what == scoring.FILLING) == done
    assert sum(row.count for row in sums if row.what == scoring.SLIPPAGE) == sum(order.filled > 0 for order in over)
