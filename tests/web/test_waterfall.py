"""The way to the edge as a picture: the specification's trade first, and every bar true to scale."""

from pathlib import Path

import pytest
from django.template.loader import render_to_string

from polytraders.console.waterfall import WIDTH, Waterfall, waterfall
from polytraders.contracts import checks as c
from polytraders.contracts import state as s
from tests.packets.made import example
from tests.packets.test_packets import told


def drawn() -> Waterfall:
    found = waterfall(told(example()))
    assert found is not None
    return found


def test_worked_example() -> None:
    # 0.67 - 0.645 - 0.016 = +0.009: BUY 2,000 YES.
    assert [(bar.name, bar.text, bar.kind) for bar in drawn().bars] == [
        ("p_hat", "0.670000", "level"),
        ("q_exec", "0.645000", "level"),
        ("gross edge", "+0.025000", "gain"),
        ("fees", "-0.003225", "loss"),
        ("buffer", "-0.012775", "loss"),
        ("costs in all", "0.661000", "level"),
        ("net_edge", "+0.009000", "result"),
    ]
    assert drawn().least == "+0.001000"
    assert drawn().line.startswith("dashed: as far as the bar of net_edge has to reach")


def test_bars_are_true_to_scale_and_join_each_other() -> None:
    p_hat, q_exec, gross, fees, buffer, costs, net = drawn().bars
    assert gross.x == q_exec.x
    assert gross.x + gross.width == pytest.approx(p_hat.x, abs=0.2)
    assert fees.x + fees.width == pytest.approx(p_hat.x, abs=0.2)
    assert buffer.x + buffer.width == pytest.approx(fees.x, abs=0.2)
    assert net.x == q_exec.x
    # As far below the forecast as the net edge is long.
    assert p_hat.x - costs.x == pytest.approx(net.width, abs=0.2)
    assert net.x + net.width == pytest.approx(buffer.x, abs=0.2)
    assert net.width / gross.width == pytest.approx(0.009 / 0.025, rel=0.01)
    assert all(0 <= bar.x <= bar.x + bar.width <= WIDTH for bar in drawn().bars)


def test_costs_in_all_are_price_fees_and_buffer_and_leave_the_net_edge() -> None:
    # 0.645 + 0.003225 + 0.012775 = 0.661, and 0.67 - 0.661 = 0.009.
    costs = drawn().bars[5]
    assert (costs.name, costs.text) == ("costs in all", "0.661000")
    packet = told(example())
    assert packet.p_own - 661_000_000 == packet.net_edge == 9_000_000


def sold(limit: int) -> Waterfall:
    made = example()
    made.out["action"], made.out["outcome"] = s.SELL, 1
    made.detail["net_edge"] = made.detail["values"][c.NET_EDGE] = made.detail["values"][c.HOLD] = -41_000_000
    made.detail["limits"][c.HOLD] = limit
    if limit > -41_000_000:
        made.out["kind"], made.out["votes"], made.out["first"] = s.PACKET, 1 << c.HOLD, c.HOLD
    found = waterfall(told(made))
    assert found is not None
    return found


def test_a_sale_is_drawn_with_what_is_left_of_its_price() -> None:
    # 0.645 - 0.016 = 0.629 for what the forecast values at 0.67.
    assert [bar.text for bar in sold(0).bars if bar.name == "left of it"] == ["0.629000"]
    assert sold(0).line.startswith("dashed: as far as the bar of net_edge has to reach")
    assert sold(-4_000_000_000).line == "a flatten command sells whatever the edge is"


def test_there_is_no_picture_without_an_estimate() -> None:
    made = example()
    made.detail["filled"] = 0
    bit = c.FILLABLE
    made.detail["values"][bit] = 0
    made.out["kind"], made.out["votes"], made.out["first"] = s.PACKET, 1 << bit, bit
    assert waterfall(told(made)) is None


def test_the_picture_of_the_worked_example_is_the_one_that_was_looked_at() -> None:
    """0.67 - 0.645 - 0.016 = +0.009, BUY 2,000 YES: every number and every place as the page draws it."""
    golden = Path(__file__).with_name("waterfall.golden.html")
    made = render_to_string("console/_waterfall.html", {"waterfall": drawn(), "packet": told(example())})
    assert made == golden.read_text(encoding="utf-8")
    for number in ("0.670000", "0.645000", "-0.003225", "-0.012775", "+0.009000"):
        assert number in made
