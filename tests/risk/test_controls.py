"""Stages 7 and 11: limits, settings, kills and flattening as inputs."""

import pytest

from apps.risk.core import controls
from polytraders.config import LIMITS_FILE, limit_rows, load_limits
from polytraders.contracts import state as s
from polytraders.contracts.inputs import Kind, Scope, Setting
from tests.scenario import World, makes, record, says

SCOPES = [
    (Scope.GLOBAL, 0, {(0, 0), (0, 1), (1, 0), (1, 1)}),
    (Scope.VENUE, 0, {(0, 0), (0, 1), (1, 0), (1, 1)}),
    (Scope.VENUE, 1, set()),
    (Scope.CLUSTER, 3, {(1, 0), (1, 1)}),
    (Scope.MARKET, 0, {(0, 0), (0, 1)}),
    (Scope.STRATEGY, 1, {(0, 1), (1, 1)}),
]
"""(scope, index, the pairs (market, strategy) it covers); market 1 is in cluster 3."""


def test_worked_example() -> None:
    """The limits file puts each value where its name says."""
    w = World(says(0.67))
    for row in limit_rows(load_limits(LIMITS_FILE)):
        w.control(row)
    w.run()
    assert {name: int(w.state.limits[name][0]) for name in s.LIMITS.names or ()} == {
        name: limit.value for name, limit in load_limits(LIMITS_FILE).items()
    }


@pytest.mark.parametrize("index", range(len(s.LIMITS.names or ())))
def test_a_limit_sets_its_field_and_no_other(index: int) -> None:
    lim = record(s.LIMITS)
    controls.set_limit(lim, index, 77)
    assert [int(lim[name]) for name in s.LIMITS.names or ()] == [77 * (place == index) for place in range(16)]


@pytest.mark.parametrize("setting", Setting, ids=lambda setting: setting.name)
def test_a_setting_sets_its_field_and_no_other(setting: Setting) -> None:
    strat = record(s.STRATEGY)
    controls.set_setting(strat, int(setting), 77)
    assert {name for name in s.STRATEGY.names or () if strat[name] != 0} == {setting.name.lower()}
    assert strat[setting.name.lower()] == 77


def test_what_has_no_place_changes_nothing() -> None:
    lim, strat = record(s.LIMITS), record(s.STRATEGY)
    controls.set_limit(lim, 16, 77)
    controls.set_setting(strat, 12, 77)
    assert not any(int(lim[name]) for name in s.LIMITS.names or ())
    assert not any(int(strat[name]) for name in s.STRATEGY.names or ())


@pytest.mark.parametrize(("scope", "index", "covered"), SCOPES)
def test_a_scope_covers_its_pairs(scope: Scope, index: int, covered: set[tuple[int, int]]) -> None:
    found = {
        (market, strategy)
        for market, cluster in ((0, 0), (1, 3))
        for strategy in (0, 1)
        if controls.covers(int(scope), index, market, strategy, cluster, 0)
    }
    assert found == covered


@pytest.mark.parametrize(("scope", "index", "covered"), SCOPES)
@pytest.mark.parametrize("kind", [Kind.KILL, Kind.FLATTEN], ids=["kill", "flatten"])
def test_a_control_stops_its_scope_until_it_is_taken_back(
    kind: Kind, scope: Scope, index: int, covered: set[tuple[int, int]]
) -> None:
    w = World(says(0.67), makes(), markets=2, clusters=(0, 3))
    w.row(kind, price=scope, size=index, a=1)
    for market in range(2):
        w.snapshot(market=market)
    w.run()
    check = ("kill_global", "kill_venue", "kill_cluster", "kill_market", "kill_strategy")[scope]
    stopped = check if kind == Kind.KILL else "flatten"
    pairs = [(market, strategy) for market in range(2) for strategy in range(2)]
    assert {pair for pair in pairs if stopped in w.verdict(pair[1], pair[0]).rejecting} == covered
    w.row(Kind.RELEASE if kind == Kind.KILL else kind, price=scope, size=index, a=0)
    for market in range(2):
        w.touch(market)
    w.run()
    assert not any(stopped in w.verdict(strategy, market).rejecting for market, strategy in pairs)
