"""Home, orders, fills, positions and ledger: in every state, with others' text, and what a person may do there."""

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client

from apps.eventlog.models import Command
from apps.ledger.marks import MINUTE_NS, write_money
from apps.ledger.models import PositionRecord
from apps.oms.models import FillRecord, OrderRecord
from apps.registry.models import MarketRecord
from polytraders.access.permissions import Role
from polytraders.console import live, trades
from polytraders.contracts.inputs import Scope
from tests import servers
from tests.web.conftest import Says, entered
from tests.written import Written

PAGES = ("/", "/orders/", "/fills/", "/positions/", "/ledger/")
SECOND_NS = 1_000_000_000


def page(client: Client, address: str, status: int = 200) -> str:
    answer = client.get(address)
    assert answer.status_code == status, (address, answer.status_code)
    return answer.content.decode()


def sql(statement: str, parameters: Any = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall()) if cursor.description else []


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trades, "ANSWER_S", 0.0)


@pytest.fixture
def inbox(log: Written) -> Iterator[None]:
    yield
    sql("DELETE FROM inbox")


def one(rows: Any) -> Any:
    found = rows.order_by("-id").first()
    assert found is not None
    return found


# --- states ----------------------------------------------------------------------------------------------------------


def test_an_empty_system_says_so_on_each_page(empty: servers.Database, ada: Client) -> None:
    said = {
        "/": "The line begins when the loop has run", "/orders/": "No order yet.", "/fills/": "Nothing has traded yet.",
        "/positions/": "Nothing is held", "/ledger/": "The ledger is empty",
    }  # fmt: skip
    for address, words in said.items():
        text = page(ada, address)
        assert words in text, address
        assert "NO LOOP" in text


def test_a_silent_loop_greys_each_page(log: Written, ada: Client, says: Says) -> None:
    says(at_ns=time.time_ns() - 20 * SECOND_NS)
    for address in PAGES:
        assert "is-stale" in page(ada, address), address
    assert "<b>UNKNOWN</b>" in page(ada, "/")


def test_the_first_word_is_the_worst_that_holds(log: Written, ada: Client, says: Says) -> None:
    says()
    assert "<b>READY</b>" in page(ada, "/")
    says(books={"ok": 0, "none": 3, "resync": 0})
    assert "<b>PAUSED</b><span>no book is valid" in page(ada, "/")
    says(state="starting")
    assert "<b>PAUSED</b><span>the loop is starting" in page(ada, "/")
    says(is_killed=True, state="starting")
    assert "<b>KILLED</b>" in page(ada, "/")


def test_home_draws_money_and_limits(log: Written, ada: Client, says: Says) -> None:
    told = says(money={
        "cash": 9_000_000_000, "reserved": 0, "equity": 10_012_340_000, "realised": 7_000_000, "fees": 1_000_000,
        "deposited": 10_000_000_000, "exposure": 4_500_000_000, "mark": 5, "drawdown_day": 41_000, "drawdown_week": 1,
    })  # fmt: skip
    with connection.cursor() as cursor:
        raw: Any = cursor
        for minute, earned in enumerate((0, 30_000_000, 12_340_000)):
            write_money(raw, 0, told.loop_ts + (minute - 2) * MINUTE_NS, {**told.money, "equity": 10**10 + earned})
    try:
        text = page(ada, "/")
    finally:
        sql("DELETE FROM ledger_money")
    assert "Profit is +12.34 pUSD; at its deepest it was 17.66 pUSD below its highest." in text
    assert '<tr class="full"><th scope="row"><a href="/risk/">Drawdown today</a></th>' in text
    assert "4.10 % of 4.00 %" in text
    assert "4,500.00 of " in text
    assert ">+12.34</b>" in text
    assert page(ada, "/?span=nonsense")


@pytest.mark.parametrize("span", ["day", "week", "month", "nonsense"])
def test_what_the_socket_sends_never_replaces_the_picture_of_another_span(
    log: Written, ada: Client, says: Says, span: str
) -> None:
    says()
    text = page(ada, f"/?span={span}")
    sent = live.fragments(frozenset({"money"}), {"money": "another"})["money"].html
    named, asked = re.findall(r'<section id="(money[^"]*)"', text), re.findall(r'ws-connect="[^"]*parts=([^"]*)"', text)
    assert re.findall(r'<section id="(money[^"]*)"', sent) == ["money"]
    if span in ("week", "month"):
        assert named == [f"money-{span}"]
        assert "money" not in asked[0].split(",")
        assert f'hx-get="/?span={span}" hx-select="#money-{span}"' in text, "it asks for itself"
    else:
        assert named == ["money"]
        assert "money" in asked[0].split(",")


def test_stage_ten_shows_its_replays(log: Written, ada: Client, says: Says) -> None:
    from apps.replay.models import ReplayRecord

    says()
    assert "the log has not been replayed as a whole yet" in page(ada, "/")
    with transaction.atomic():
        ReplayRecord.objects.create(shard=0, verdict_code="GOV_REPLAY_MATCH", seconds=1.0)
        text = page(ada, "/")
        transaction.set_rollback(True)
    assert "the log has not been replayed as a whole yet" not in text
    assert "GOV_REPLAY_MATCH" in text


# --- orders ----------------------------------------------------------------------------------------------------------


def test_an_unknown_order_stands_first_whatever_is_asked_for(log: Written, ada: Client, says: Says) -> None:
    says()
    row = OrderRecord.objects.filter(strategy=0).order_by("id").first()
    assert row is not None
    before = (row.status, row.is_open, row.id)
    OrderRecord.objects.filter(id=row.id).update(status="unknown_pending", is_open=True)
    try:
        for address in ("/orders/", "/orders/?state=filled&strategy=1", "/orders/?market=nothing", "/orders/?before=1"):
            text = page(ada, address)
            assert "1 order of unknown fate" in text
            assert text.index(f'href="/orders/{row}"') < text.index('id="list-title"'), address
        assert "<b>PAUSED</b>" in page(ada, "/")
    finally:
        OrderRecord.objects.filter(id=row.id).update(status=before[0], is_open=before[1])


def test_filters_find_their_orders_and_say_what_means_nothing(log: Written, ada: Client, says: Says) -> None:
    says()
    text = page(ada, "/orders/?strategy=makes&state=ended")
    makers = OrderRecord.objects.filter(strategy=1, is_open=False)
    assert makers.exists()
    assert all(f'href="/orders/{row}"' in text for row in makers)
    assert not any(f'href="/orders/{row}"' in text for row in OrderRecord.objects.exclude(strategy=1))
    assert f'href="/orders/{makers.first()}"' in page(ada, f"/orders/?market=market-{makers.first().market}")  # type: ignore[union-attr]
    assert "There is no such market." in page(ada, "/orders/?market=nope")
    assert "There is no such market." in page(ada, "/orders/?market=%00")
    assert "There is no such strategy." in page(ada, "/orders/?strategy=%00")
    assert page(ada, "/orders/?state=;drop&before=-3&market=" + "9" * 200)


def test_an_order_tells_its_life_from_the_approval_to_its_end(log: Written, ada: Client, says: Says) -> None:
    says()
    fill = FillRecord.objects.filter(is_maker=False).order_by("id").first()
    assert fill is not None
    row = OrderRecord.objects.get(order_seq=fill.order_seq, market=fill.market, strategy=fill.strategy)
    text = page(ada, f"/orders/{row}")
    places = [text.index(words) for words in ("<b>approved</b>", "<b>at the venue</b>", "as taker", "What it did to")]
    assert places == sorted(places)
    assert f'href="/decisions/{row.order_seq}:' in text
    assert "taker: it has what it meets on arrival" in text
    assert "after 60 ms" in text, "our latency"
    assert "It has ended." in text
    expired = OrderRecord.objects.filter(cancelled__gt=0, is_open=False).first()
    assert expired is not None
    assert "given up, nothing is held any more" in page(ada, f"/orders/{expired}")


@pytest.mark.parametrize("order_id", ["1:2", "a:b:c", "1:2:3:4", "9" * 30 + ":1:1", "1:99999999999:1", "1:1:1"])
def test_an_order_that_is_not_there_is_not_found(log: Written, ada: Client, order_id: str) -> None:
    page(ada, f"/orders/{order_id}", 404)


def test_pulling_an_order_is_a_command_with_its_audit_row(
    log: Written, says: Says, inbox: None, no_waiting: None
) -> None:
    says()
    row = one(OrderRecord.objects)
    before = (row.is_open, row.status)
    address = f"/orders/{row}/pull"
    OrderRecord.objects.filter(id=row.id).update(is_open=True, status="resting")
    try:
        for role in (Role.REVIEWER, Role.READ_ONLY):
            assert entered("eve", role).post(address).status_code == 403
            assert "Only an Operator or an Admin can pull" in page(entered("eve", role), f"/orders/{row}")
        assert Command.objects.count() == 0
        ops = entered("ops", Role.OPERATOR)
        assert ops.get(address).status_code == 405
        for _ in range(2):
            assert ops.post(address, {"reason": "too\x00 large"}).status_code == 302
        command = Command.objects.get()
        assert (command.kind, command.actor, command.permission) == ("pull", "operator:ops", "pull")
        assert json.loads(command.payload) == {"order": str(row), "reason": "too  large"}
        audited = sql("SELECT actor, target, reason FROM access_audit WHERE act = 'order.pull'")
        assert audited == [("ops", f"order {row}", "too  large")]
        assert "The same has been asked already" in page(ops, "/orders/")
    finally:
        OrderRecord.objects.filter(id=row.id).update(is_open=before[0], status=before[1])
    sql("DELETE FROM inbox")
    if not before[0]:
        ops.post(address)
        assert Command.objects.count() == 0, "what has ended is not pulled"
        assert "It has ended already" in page(ops, "/orders/")


# --- fills -----------------------------------------------------------------------------------------------------------


def test_a_fill_stands_beside_what_was_thought_of_it(log: Written, ada: Client, says: Says) -> None:
    from apps.risk.models import DecisionRecord

    says()
    fill = FillRecord.objects.filter(is_maker=False).order_by("-id").first()
    assert fill is not None
    decision = DecisionRecord.objects.get(in_seq=fill.order_seq, market=fill.market, strategy=fill.strategy, verdict=0)
    text = page(ada, "/fills/")
    row = text[text.index(f"event {fill}") :].split("</tr>")[0]
    assert f"{fill.price / 1e4:.4f}" in row
    assert decision.q_exec is not None and f"{decision.q_exec / 1e9:.4f}"[:6] in row
    assert f'href="/decisions/{decision.decision_id}"' in row
    assert "not booked" in row, "this log has no ledger"
    assert f"event {fill}" not in page(ada, "/fills/?role=maker")


def test_a_file_of_fills_is_never_run_by_a_spreadsheet(log: Written, ada: Client, says: Says) -> None:
    says()
    MarketRecord.objects.filter(market=1).update(title='=HYPERLINK("http://x")')
    try:
        answer = ada.get("/fills.csv?market=1")
    finally:
        MarketRecord.objects.filter(market=1).update(title="Will it rain tomorrow?")
    lines = answer.content.decode().splitlines()
    assert len(lines) == 1 + FillRecord.objects.filter(market=1).count() > 1
    assert "'=HYPERLINK" in lines[1] and ",=HYPERLINK" not in answer.content.decode()
    assert entered("eve", Role.READ_ONLY).get("/fills.csv").status_code == 403


# --- positions -------------------------------------------------------------------------------------------------------


def test_positions_say_what_they_pay(log: Written, ada: Client, says: Says) -> None:
    says()
    held = PositionRecord.objects.exclude(size=0)
    assert held.exists()
    market = held[0].market
    mine = [row for row in held if row.market == market]
    cost = sum(row.cost for row in mine)
    yes = sum(row.size for row in mine if row.outcome == 0)
    sql(
        "INSERT INTO ledger_mark (shard, market, bid, ask, state, row_ts, exposure, worst)"
        " VALUES (0, %s, 6100, 6300, 0, 0, 0, 0)", [market],
    )  # fmt: skip
    try:
        text = page(ada, f"/positions/?market={market}")
        assert f"{(yes - cost) / 1e6:+,.2f}" in text
        assert f"{-cost / 1e6:+,.2f}" in text or any(row.outcome == 1 for row in mine)
        assert "0.6100" in text or not yes
        sql("UPDATE ledger_mark SET state = 2")
        assert "its book is not valid now" in page(ada, "/positions/")
        sql("UPDATE ledger_mark SET state = 0, bid = -1, ask = -1")
        assert "nobody is there to buy" in page(ada, "/positions/")
    finally:
        sql("DELETE FROM ledger_mark")
    assert "the loop has not told a price" in page(ada, "/positions/")
    assert "Nothing is held that fits" in page(ada, "/positions/?market=77")


def test_cashing_out_goes_the_loops_way(log: Written, says: Says, inbox: None, no_waiting: None) -> None:
    says()
    market = PositionRecord.objects.exclude(size=0)[0].market
    address = f"/positions/{market}/cash-out"
    for role in (Role.REVIEWER, Role.READ_ONLY):
        assert entered("eve", role).post(address, {"on": "1"}).status_code == 403
    ops = entered("ops", Role.OPERATOR)
    assert ops.post(address, {"on": "2"}).status_code == 422
    assert ops.post("/positions/999/cash-out", {"on": "1"}).status_code == 404
    assert Command.objects.count() == 0
    for _ in range(2):
        assert ops.post(address, {"on": "1", "reason": "enough"}).status_code == 302
    command = Command.objects.get()
    assert (command.kind, command.permission) == ("flatten", "flatten")
    name = MarketRecord.objects.get(shard=0, market=market).condition_id
    assert json.loads(command.payload) == {"scope": "market", "name": name, "on": True, "reason": "enough"}
    assert sql("SELECT count(*) FROM access_audit WHERE act = 'position.cash-out'") == [(1,)]
    log.world.flatten(Scope.MARKET, market)
    log.commit()
    text = page(ops, "/positions/")
    assert f'Cashing out: <a href="/markets/{market}"><bdi>market {market}</bdi>' in text
    assert "Trade there again" in text
    log.world.flatten(Scope.MARKET, market, on=False)
    log.commit()
    assert "Trade there again" not in page(ops, "/positions/")


def test_the_loops_answer_is_told(log: Written, monkeypatch: pytest.MonkeyPatch, says: Says, inbox: None) -> None:
    says()
    row = one(OrderRecord.objects)
    was = row.is_open
    OrderRecord.objects.filter(id=row.id).update(is_open=True)
    told = {"code": "GOV_COMMAND_INVALID", "words": "order is not open any more"}
    monkeypatch.setattr(trades, "answered", lambda *_: told)
    ops = entered("ops", Role.OPERATOR)
    try:
        ops.post(f"/orders/{row}/pull")
    finally:
        OrderRecord.objects.filter(id=row.id).update(is_open=was)
    assert "GOV_COMMAND_INVALID: order is not open any more" in page(ops, "/orders/")


# --- all of them -----------------------------------------------------------------------------------------------------


def test_somebody_elses_text_stays_text_on_each_page(log: Written, ada: Client, says: Says) -> None:
    says()
    order = OrderRecord.objects.filter(market=0).first()
    for address in (*PAGES, f"/orders/{order}", "/orders/?market=%3Cscript%3E", "/fills/?strategy=%3Cscript%3E"):
        text = page(ada, address)
        assert "<script>alert" not in text
        assert "\u202e" not in text and "\x07" not in text
        assert "very " * 30 not in text, address
        assert "<style" not in text and " style=" not in text and " onclick" not in text
        assert text.count("<script") == text.count("<script src=")
    assert "&lt;script&gt;alert(1)" in page(ada, "/orders/")


def test_nobody_sees_money_without_logging_in(log: Written) -> None:
    for address in (*PAGES, "/fills.csv", "/ledger/export.csv", "/ledger/transfers/1", "/orders/1:1:1"):
        assert Client().get(address).status_code == 302, address
    for address in ("/orders/1:1:1/pull", "/positions/1/cash-out", "/ledger/prove"):
        assert Client().post(address).status_code == 302, address
