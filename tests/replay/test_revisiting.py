"""One decision once more: the book that it was made on, and the same bytes again; in the child's own code."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

from apps.risk.models import DecisionRecord
from polytraders import packets, revisiting, working
from polytraders.console import decisions
from polytraders.contracts import job as j
from polytraders.contracts.inputs import SIZE_UNIT
from tests import servers
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
    from dataclasses import replace

    from tests.packets import made

    packet = made.approved()
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
