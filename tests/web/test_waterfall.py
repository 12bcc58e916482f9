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
        ("net_edge", "+0.009000", "result"),
    ]
    assert (drawn().least, drawn().low, drawn().high) == ("+0.001000", "0.643500", "0.671500")


def test_bars_are_true_to_scale_and_join_each_other() -> None:
    p_hat, q_exec, gross, fees, buffer, net = drawn().bars
    assert gross.x == q_exec.x
    assert gross.x + gross.width == pytest.approx(p_hat.x, abs=0.2)
    assert fees.x + fees.width == pytest.approx(p_hat.x, abs=0.2)
    assert buffer.x + buffer.width == pytest.approx(fees.x, abs=0.2)
    assert net.x == q_exec.x
    assert net.x + net.width == pytest.approx(buffer.x, abs=0.2)
    assert net.width / gross.width == pytest.approx(0.009 / 0.025, rel=0.01)
    assert all(0 <= bar.x <= bar.x + bar.width <= WIDTH for bar in drawn().bars)


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
