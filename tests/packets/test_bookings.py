"""Approvals become orders through the gate, and orders go on by their rows, as the one table says."""

import dataclasses

import numpy as np
import pytest

from apps.oms.core.lifecycle import TERMINAL
from apps.risk.core.gate import approved_trade
from polytraders.bookings import fill, followed, order, order_id
from polytraders.contracts import checks as c
from polytraders.contracts import state as s
from polytraders.contracts.decision import Verdict, Vote
from polytraders.contracts.market import Action, Outcome
from polytraders.contracts.orders import Fill, Order, OrderStatus
from polytraders.contracts.reasons import number, reason
from polytraders.packets import packet
from tests.packets.made import NAMES, NOW, SHARE, SIZE, example
from tests.packets.played import Played
from tests.packets.test_packets import told

HELD = 1_325_000_000


def sent() -> Order:
    made = example()
    return order(approved_trade(told(made), 6_500, HELD), made.out, made.detail, made.at)


def row(kind: int, **fields: int) -> np.void:
    out = np.zeros(1, s.OUT)
    for name, value in {"in_seq": 9, "ts": NOW + 1, "kind": kind, "order_seq": 7, **fields}.items():
        out[name] = value
    found: np.void = out[0]
    return found


def test_worked_example() -> None:
    # Stage 8's example: of BUY 2,000 YES, 1,200 have filled.
    made = sent()
    assert (made.size, made.price, made.held, made.status) == (SIZE, 6_500, HELD, OrderStatus.SENT)
    assert (made.arrive_ts, made.expire_ts) == (NOW + 60_000_000, NOW + 2_000_000_000)
    assert (made.order_id, made.decision_id, made.code) == ("7:0:0", "7:1", "STRAT_EDGE_DETECTED")
    part = row(s.FILL, size=1_200 * SHARE, price=6_400, money=768_000_000, fee=3_840_000, first=s.NONE)
    after = followed(made, part, held=530_000_000)
    assert (after.status, after.code) == (OrderStatus.PARTIALLY_FILLED, "EXEC_PARTIAL_FILL_HANDLED")
    assert (after.filled, after.open_size, after.held) == (1_200 * SHARE, 800 * SHARE, 530_000_000)
    assert fill(part, NAMES, left=after.open_size) == Fill(
        fill_id="9:0", order_id="7:0:0", correlation_id="7:0:0", in_seq=9, ordinal=0, ts=NOW + 1, market=0,
        strategy="logit", action=Action.BUY, outcome=Outcome.YES, price=6_400, size=1_200 * SHARE, money=768_000_000,
        fee=3_840_000, maker=False, code="EXEC_PARTIAL_FILL_HANDLED",
    )  # fmt: skip
    rest = followed(after, row(s.FILL, size=800 * SHARE), held=0)
    assert (rest.status, rest.code, rest.open_size, rest.held) == (OrderStatus.FILLED, "EXEC_FILL", 0, 0)


def test_a_resting_order_does_not_wait_for_the_venues_taker_delay() -> None:
    made = example()
    made.at.market["taker_delay_ms"] = 3_000
    trade = approved_trade(told(made), 6_500, HELD)
    taken = order(trade, made.out, made.detail, made.at)
    assert (taken.maker, taken.arrive_ts, taken.expire_ts) == (False, NOW + 3_060_000_000, NOW + 3_060_000_000)
    made.at.strategy["maker"] = 1
    rests = order(trade, made.out, made.detail, made.at)
    assert (rests.maker, rests.arrive_ts, rests.expire_ts) == (True, NOW + 60_000_000, NOW + 2_000_000_000)
    made.detail["values"][c.FLATTEN] = 1
    assert not order(trade, made.out, made.detail, made.at).maker


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("EXEC_NO_MATCH", OrderStatus.CANCELLED),
        ("EXEC_CANCELLED", OrderStatus.CANCELLED),
        ("EXEC_EXPIRED", OrderStatus.EXPIRED),
        ("EXEC_POST_ONLY_CROSSES", OrderStatus.REJECTED),
    ],
)
def test_an_end_has_its_status_and_its_reason(code: str, status: OrderStatus) -> None:
    done = followed(sent(), row(s.DONE, first=number(code), size=SIZE, money=HELD), held=HELD)
    assert (done.status, done.code, done.cancelled, done.held, done.open_size) == (status, code, SIZE, 0, 0)


def test_rows_that_do_not_fit_the_order_are_refused() -> None:
    ended = followed(sent(), row(s.FILL, size=SIZE), held=0)
    with pytest.raises(AssertionError, match="EXEC_FILL_AFTER_TERMINAL"):
        followed(ended, row(s.FILL, size=1), held=0)
    with pytest.raises(AssertionError, match="7:0:0"):
        followed(sent(), row(s.FILL, size=SIZE + 1), held=0)


def test_only_an_approval_makes_a_trade() -> None:
    made = told(example())
    trade = approved_trade(made, 6_500, HELD)
    assert (trade.token_id, trade.condition_id, trade.size) == ("111", NAMES.markets[0], SIZE)
    against = dataclasses.replace(made.votes[c.SIZE], vote=Vote.REJECT)
    for changed in (
        dataclasses.replace(made, verdict=Verdict.REJECT),
        dataclasses.replace(made, verdict=Verdict.WAIT),
        dataclasses.replace(made, votes=(*made.votes[: c.SIZE], against, *made.votes[c.SIZE + 1 :])),
        dataclasses.replace(made, votes=made.votes[:-1]),
        dataclasses.replace(made, votes=()),
        dataclasses.replace(made, approved_size=0),
    ):
        with pytest.raises(ValueError, match="is no approval"):
            approved_trade(changed, 6_500, HELD)


def test_every_order_of_a_session_lives_by_the_table(played: Played) -> None:
    orders: dict[str, Order] = {}
    fills: dict[str, list[Fill]] = {}
    for step in played.steps:
        for out in step.out:
            pair = int(out["market"]), int(out["strategy"])
            if out["kind"] == s.APPROVAL:
                detail, at = step.detail[int(out["detail"])], step.moments[pair]
                made = packet(out, detail, names=played.names, at=at)
                trade = approved_trade(made, int(out["price"]), int(out["money"]))
                assert trade.correlation_id not in orders
                orders[trade.correlation_id] = order(trade, out, detail, at)
            elif out["kind"] in (s.FILL, s.DONE):
                which = order_id(out)
                before = orders[which]
                assert before.status not in TERMINAL and (out["action"], out["outcome"]) == (
                    before.action,
                    before.outcome,
                )
                orders[which] = followed(before, out, held=0)
                if out["kind"] == s.FILL:
                    fills.setdefault(which, []).append(fill(out, played.names, left=orders[which].open_size))
    assert len(orders) > 100
    assert {found.status for found in orders.values()} >= {
        OrderStatus.FILLED,
        OrderStatus.EXPIRED,
        OrderStatus.CANCELLED,
    }
    # Markets have been settled: nothing is open any more.
    assert all(found.status in TERMINAL and found.open_size == 0 for found in orders.values())
    for which, found in orders.items():
        parts = fills.get(which, [])
        assert sum(part.size for part in parts) == found.filled
        assert all(reason(part.code).owner == "oms" and part.maker == found.maker for part in parts)
        # A purchase never pays more than its price, a sale never gets less.
        sign = 1 if found.action is Action.BUY else -1
        assert all(sign * (found.price - part.price) >= 0 and sign * part.money >= 0 for part in parts)
    assert any(len(parts) > 1 for parts in fills.values())
