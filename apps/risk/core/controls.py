"""Limits, settings, kills, flattening and rollout stages as inputs, so that a replay sees the value in force then."""

from polytraders.contracts.inputs import Scope, Setting
from polytraders.contracts.state import Record, State
from polytraders.kernel.jit import cold


@cold
def set_limit(lim: Record, index: int, value: int) -> None:
    """One portfolio limit, by its place in limits.toml."""
    if index == 0:
        lim.registry_age_ms_max = value
    elif index == 1:
        lim.close_margin_ms = value
    elif index == 2:
        lim.spread_max = value
    elif index == 3:
        lim.depth_min = value
    elif index == 4:
        lim.completeness_ppm_min = value
    elif index == 5:
        lim.reference_age_ms_max = value
    elif index == 6:
        lim.market_exposure_max = value
    elif index == 7:
        lim.portfolio_exposure_max = value
    else:
        _set_limit_above(lim, index, value)


@cold
def _set_limit_above(lim: Record, index: int, value: int) -> None:
    if index == 8:
        lim.drawdown_day_ppm_max = value
    elif index == 9:
        lim.drawdown_week_ppm_max = value
    elif index == 10:
        lim.cluster_exposure_max = value
    elif index == 11:
        lim.concentration_ppm_max = value
    elif index == 12:
        lim.rollout_stage_min = value
    elif index == 13:
        lim.orders_per_minute_max = value
    elif index == 14:
        lim.order_latency_ms = value
    elif index == 15:
        lim.liquidity_take_ppm_max = value


@cold
def set_setting(strat: Record, setting: int, value: int) -> None:
    """One integer setting of a strategy."""
    if setting == Setting.MODEL:
        strat.model = value
    elif setting == Setting.WINDOWS:
        strat.windows = value
    elif setting == Setting.IMMEDIATE:
        strat.immediate = value
    elif setting == Setting.MAKER:
        strat.maker = value
    elif setting == Setting.SIZE:
        strat.size = value
    elif setting == Setting.EXPOSURE_MAX:
        strat.exposure_max = value
    elif setting == Setting.REST_MS:
        strat.rest_ms = value
    elif setting == Setting.EDGE_MIN:
        strat.edge_min = value
    elif setting == Setting.KELLY_PPM:
        strat.kelly_ppm = value
    elif setting == Setting.VOLATILITY_TARGET_PPM:
        strat.volatility_target_ppm = value
    elif setting == Setting.COLLAR:
        strat.collar = value
    elif setting == Setting.BAND_MAX:
        strat.band_max = value


@cold
def set_kill(state: State, pf: Record, scope: int, index: int, killed: int) -> None:
    """A kill (1) or its release (0) in one scope."""
    if scope == Scope.GLOBAL:
        pf.killed = killed
    elif scope == Scope.VENUE:
        state.venues[index].killed = killed
    elif scope == Scope.CLUSTER:
        state.clusters[index].killed = killed
    elif scope == Scope.MARKET:
        state.markets[index].killed = killed
    elif scope == Scope.STRATEGY:
        state.strategies[index].killed = killed


@cold
def set_flatten(state: State, pf: Record, scope: int, index: int, flatten: int) -> None:
    """From now on (1) or no longer (0) only trades that reduce a position of the scope may pass."""
    if scope == Scope.GLOBAL:
        pf.flatten = flatten
    elif scope == Scope.VENUE:
        state.venues[index].flatten = flatten
    elif scope == Scope.CLUSTER:
        state.clusters[index].flatten = flatten
    elif scope == Scope.MARKET:
        state.markets[index].flatten = flatten
    elif scope == Scope.STRATEGY:
        state.strategies[index].flatten = flatten


@cold
def covers(scope: int, index: int, market: int, strategy: int, cluster: int, venue: int) -> bool:
    """Whether a scope covers a strategy in a market."""
    if scope == Scope.GLOBAL:
        return True
    if scope == Scope.VENUE:
        return venue == index
    if scope == Scope.CLUSTER:
        return cluster == index
    if scope == Scope.MARKET:
        return market == index
    return strategy == index
