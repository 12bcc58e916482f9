"""Other numbers, the same gate: each answer is compared with the loop's own arithmetic or worked out by hand."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.risk.core import edge
from polytraders.console.what_if import WhatIf, what_if
from polytraders.contracts import checks as c
from polytraders.contracts.decision import DecisionPacket
from polytraders.contracts.inputs import DOWN, NANO, UP
from tests.packets.made import Made, example
from tests.packets.test_packets import told


def packet(**changed: Any) -> DecisionPacket:
    made: Made = example()
    for name, value in changed.items():
        made.detail[name] = value
    return told(made)


def asked(**given: str) -> WhatIf:
    return what_if(packet(), given)


def test_worked_example() -> None:
    # 0.67 - 0.645 - 0.016 = +0.009; with p_hat 0.66 nothing of 0.001 is left: the first check that blocks is the edge.
    now = asked()
    assert (now.net_edge, now.code, now.size, now.is_changed) == (
        9_000_000,
        "STRAT_EDGE_DETECTED",
        2_000_000_000,
        False,
    )
    assert now.blocking == () and now.p_needed == 662_000_000
    worse = asked(p_hat="0.66")
    assert (worse.net_edge, worse.code, worse.size, worse.is_changed) == (-1_000_000, "STRAT_NO_EDGE", 0, True)
    (line,) = worse.blocking
    assert (line.vote.check, line.vote.distance, line.was_blocking) == ("net_edge", -2_000_000, False)
    assert line.needed == "p_hat of YES at least 0.662000"
    # At exactly the threshold it passes, a billionth less does not.
    assert asked(p_hat="0.662").code == "STRAT_EDGE_DETECTED"
    assert asked(p_hat="0.661999999").code == "STRAT_NO_EDGE"


@pytest.mark.parametrize(
    ("given", "net_edge", "code", "size"),
    [
        ({"fee": "0.013225"}, -1_000_000, "STRAT_NO_EDGE", 0),
        ({"buffer": "0"}, 21_775_000, "STRAT_EDGE_DETECTED", 2_000_000_000),
        ({"least": "0.009"}, 9_000_000, "STRAT_EDGE_DETECTED", 2_000_000_000),
        ({"least": "0.009000001"}, 9_000_000, "STRAT_NO_EDGE", 0),
        ({"size": "150.019"}, 9_000_000, "STRAT_EDGE_DETECTED", 150_010_000),
        ({"size": "0"}, 9_000_000, "RISK_SIZE_BELOW_MIN", 0),
        ({"limit.market_quality": "0"}, 9_000_000, "RISK_SPREAD_WIDE", 0),
        ({"p_hat": "0.67"}, 9_000_000, "STRAT_EDGE_DETECTED", 2_000_000_000),
    ],
)
def test_one_number_at_a_time(given: dict[str, str], net_edge: int, code: str, size: int) -> None:
    now = what_if(packet(), given)
    assert (now.net_edge, now.code, now.size, now.wrong) == (net_edge, code, size, ())


@pytest.mark.parametrize(
    "hostile",
    ["nan", "-inf", "1e400", "1e99999999", "<script>", "0x1", "--1", "9" * 400, "-1", "1.1", "\u0661e9", " ; "],
)
def test_what_is_no_number_in_range_is_named_and_changes_nothing(hostile: str) -> None:
    now = asked(p_hat=hostile)
    assert (now.net_edge, now.is_changed) == (9_000_000, False)
    assert now.wrong == (() if not hostile.strip() else ("p_hat",))


def test_a_lifted_limit_clears_its_check_and_the_next_one_names_the_verdict() -> None:
    made = example()
    bits = (c.MARKET_QUALITY, c.PRICE_COLLAR)
    for bit in bits:
        made.detail["values"][bit] = made.detail["limits"][bit] + 100
    made.out["kind"], made.out["votes"], made.out["first"] = 0, sum(1 << bit for bit in bits), bits[0]
    rejected = told(made)
    now = what_if(rejected, {})
    assert [line.vote.check for line in now.blocking] == ["market_quality", "price_collar"]
    assert all(line.was_blocking and line.vote.distance == -100 for line in now.blocking)
    assert now.code == "RISK_SPREAD_WIDE"
    lifted = what_if(rejected, {now.blocking[0].field: "1"})
    assert (lifted.code, lifted.size) == ("RISK_PRICE_COLLAR", 0)
    assert [vote.check for vote in lifted.cleared] == ["market_quality"]
    both = what_if(rejected, {line.field: "1" for line in now.blocking})
    assert (both.code, both.size, both.blocking) == ("STRAT_EDGE_DETECTED", 2_000_000_000, ())


def test_a_flag_is_no_limit_that_anybody_sets() -> None:
    made = example()
    made.detail["values"][c.KILL_MARKET] = 1
    made.out["kind"], made.out["votes"], made.out["first"] = 0, 1 << c.KILL_MARKET, c.KILL_MARKET
    now = what_if(told(made), {"limit.kill_market": "5"})
    assert now.code == "RISK_KILL_SWITCH_ACTIVE" and not now.is_changed
    assert now.blocking[0].field == ""


def test_a_forecast_that_favours_the_other_side_says_so() -> None:
    mid = packet().features
    assert mid is not None
    assert asked(p_hat=f"{mid.value('mid') - 0.01:.4f}").is_other_side
    assert not asked(p_hat="0.66").is_other_side


def test_without_a_forecast_there_is_no_edge_to_change() -> None:
    made = example()
    made.detail["filled"] = 0
    made.detail["values"][c.FILLABLE] = 0
    made.out["kind"], made.out["votes"], made.out["first"] = 0, 1 << c.FILLABLE, c.FILLABLE
    now = what_if(told(made), {"p_hat": "0.9"})
    assert (now.net_edge, now.p_needed, now.code) == (None, None, "EXEC_UNFILLABLE")
    assert [slider.name for slider in now.sliders] == ["size"]


@given(
    p=st.integers(0, NANO), fee=st.integers(0, NANO // 10), buffer=st.integers(0, NANO // 10),
    q=st.integers(1, NANO - 1), sells=st.booleans(), no=st.booleans(),
)  # fmt: skip
def test_the_edge_is_the_loops_own(p: int, fee: int, buffer: int, q: int, sells: bool, no: bool) -> None:
    made = example()
    made.out["action"], made.out["outcome"] = int(sells), int(no)
    made.detail["q_exec"] = NANO - q if no else q
    made.detail["values"][c.NET_EDGE] = made.detail["values"][c.HOLD] = 4 * NANO
    direction = UP if sells == no else DOWN
    now = what_if(
        told(made), {"p_hat": f"{p / NANO:.9f}", "fee": f"{fee / NANO:.9f}", "buffer": f"{buffer / NANO:.9f}"}
    )
    assert now.net_edge == edge.net_edge(direction, p, q, fee, buffer)
    assert np.sign(direction) == direction
