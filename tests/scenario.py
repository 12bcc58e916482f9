"""A tiny world for the loop: markets with facts, capital, limits and strategies, and one function per kind of input.

Rows are collected and handed to the loop by `run`, which gives the output rows they caused. Prices in price units
(6,200 is 0.62), sizes in shares, times in seconds. Every fact and limit is generous unless a test says otherwise, so
that a purchase of the default strategy is approved. Compiled or not, the loop gets the same rows.
"""

import struct
from typing import Any, Final

import numpy as np

from polytraders import loop
from polytraders.config import Row, Strategy, strategy_rows
from polytraders.contracts import state as s
from polytraders.contracts.checks import CHECKS, code_of
from polytraders.contracts.inputs import (
    ASK,
    BID,
    INPUT,
    NANO,
    NO_PRICE,
    SIZE_UNIT,
    Fact,
    Flag,
    Kind,
    Scope,
    Setting,
    Stage,
)  # fmt: skip
from polytraders.contracts.reasons import by_number
from polytraders.kernel.block import new_block, records, views
from polytraders.kernel.jit import JIT_OFF
from polytraders.strategies import parameters
from tests.audit import audit

START: Final = 1_780_315_200 * NANO
"""A Monday's noon, UTC, on a whole minute."""

OPEN: Final = 1 << 50
"""More micro-pUSD than anything here costs."""

LIMITS: Final[dict[str, int]] = {
    "registry_age_ms_max": 86_400_000, "close_margin_ms": 30_000, "spread_max": 600, "depth_min": 50 * SIZE_UNIT,
    "completeness_ppm_min": 950_000, "reference_age_ms_max": 5_000, "market_exposure_max": OPEN,
    "portfolio_exposure_max": OPEN, "drawdown_day_ppm_max": 40_000, "drawdown_week_ppm_max": 100_000,
    "cluster_exposure_max": OPEN, "concentration_ppm_max": 10_000_000, "rollout_stage_min": 2,
    "orders_per_minute_max": 60, "order_latency_ms": 60, "liquidity_take_ppm_max": 1_000_000,
}  # fmt: skip

FACTS: Final[dict[Fact, int]] = {
    Fact.VENUE: 0, Fact.MIN_SIZE: 5 * SIZE_UNIT, Fact.FEE_RATE: 0, Fact.FEE_EXPONENT: 1_000, Fact.FEE_TAKER_ONLY: 1,
    Fact.TAKER_DELAY_MS: 0, Fact.CLOSE_TS: START + 86_400 * NANO, Fact.CLUSTER: 0, Fact.STATUS: 0, Fact.ALLOWED: 1,
    Fact.GAP_P999_MS: 0, Fact.REFERENCE: -1, Fact.CONNECTION: 0, Fact.SYNCED_TS: START,
}  # fmt: skip

BIDS: Final = {6_200: 3_000.0, 6_100: 3_000.0, 6_000: 3_000.0}
ASKS: Final = {6_400: 3_000.0, 6_500: 3_000.0, 6_600: 3_000.0}


def record(layout: np.dtype[Any], **fields: int) -> Any:
    """One record of a layout of `contracts/state.py`, zeroed but for `fields`, as a core function takes it.

    Read it by `[name]`: compiled or not, that works.
    """
    made = np.zeros(1, layout)
    for name, value in fields.items():
        made[name] = value
    return (records(made) if JIT_OFF else made)[0]


def shares(count: float) -> int:
    """Shares as 1e-6."""
    return round(count * SIZE_UNIT)


def bits(value: float) -> int:
    """A parameter as a PARAM row carries it."""
    return int(struct.unpack("<q", struct.pack("<d", value))[0])


def settings(**changed: int) -> tuple[int, ...]:
    """Settings of a strategy that takes 100 shares at once and has no other bounds."""
    usual = {
        "model": 0, "windows": 0, "immediate": 1, "maker": 0, "size": shares(100), "exposure_max": OPEN,
        "rest_ms": 2_000, "edge_min": 0, "kelly_ppm": 0, "volatility_target_ppm": 0, "collar": 1_000,
        "band_max": NANO // 2,
    }  # fmt: skip
    assert set(changed) <= set(usual)
    return tuple((usual | changed)[setting.name.lower()] for setting in Setting)


def forecast(p: float, half: float) -> tuple[float, ...]:
    """A calibration table that says p whatever the model thinks, with a band of `half` to either side."""
    return (0.0, 1.0, p, p, max(p - half, 0.0), max(p - half, 0.0), min(p + half, 1.0), min(p + half, 1.0))


def says(p: float, *, half: float = 0.01, kappa: float = 0.0, stage: int = Stage.PAPER, **changed: int) -> Strategy:
    """A `logit` strategy whose forecast is p until it is told another."""
    row = [0.0, 0.0, kappa, 2.0] + [0.0] * (2 * s.N_FEATURES) + [1.0] * s.N_FEATURES
    return Strategy(f"says-{p}", "logit", settings(**changed), (*row, *forecast(p, half)), stage)


def makes(*, half: float = 0.002, stage: int = Stage.PAPER, **changed: int) -> Strategy:
    """A `microprice` strategy that rests at the best price."""
    given = {"pull": 0.0, "half_band": half, "volatility_band": 0.0, "kappa": 0.0}
    model = parameters.MODELS.index("microprice")
    usual = {"model": model, "maker": 1, "rest_ms": 15_000, "edge_min": 0}
    return Strategy("makes", "microprice", settings(**(usual | changed)), parameters.layout("microprice", given), stage)


def expects(*, stage: int = Stage.PAPER, **changed: int) -> Strategy:
    """A `gbm_updown` strategy that believes in its reference alone."""
    given = dict(zip(parameters.GBM_UPDOWN, (1.0, 0.0001, 0.2, 0.01, 0.0, 10, 90_000, 20), strict=True))
    model = parameters.MODELS.index("gbm_updown")
    row = parameters.layout("gbm_updown", given)
    return Strategy("expects", "gbm_updown", settings(model=model, **changed), row, stage)


class Said:
    """An output row; the fields of OUT are its attributes, as plain integers."""

    def __init__(self, row: np.void) -> None:
        """Keep a copy of `row`."""
        self.row = row.copy()

    def __getattr__(self, name: str) -> int:
        """A field."""
        if name not in (s.OUT.names or ()):
            raise AttributeError(name)
        return int(self.row[name])

    @property
    def code(self) -> str:
        """Reason code of a verdict, or of an order's or a book's end."""
        if self.kind in (s.PACKET, s.APPROVAL, s.COUNTS):
            return code_of(self.first)
        return by_number(self.first).code if self.first > 0 else ""

    @property
    def rejecting(self) -> set[str]:
        """Names of the checks that reject."""
        return {check.name for bit, check in enumerate(CHECKS) if self.votes >> bit & 1}


class World:
    """Inputs on their way to the loop, and what it said.

    Attributes:
        now: Time of the next row, ns.
        state: The loop's memory.
        said: All output rows so far.
        told: The DETAIL row of each of them that has one, by its place in `said`.
        rows: All input rows so far.
    """

    def __init__(
        self,
        *strategies: Strategy,
        markets: int = 1,
        capital: float = 10_000.0,
        facts: dict[Fact, int] | None = None,
        limits: dict[str, int] | None = None,
        synthetic: bool = True,
        clusters: tuple[int, ...] = (),
        without: Fact | None = None,
    ) -> None:
        """Facts, limits, strategies and capital; no book yet.

        Args:
            strategies: See `says`, `makes` and `expects`.
            markets: How many.
            capital: pUSD.
            facts: Of every market, instead of FACTS.
            limits: Instead of LIMITS.
            synthetic: Whether any frame counts as a witness.
            clusters: Cluster of each market; all 0 otherwise.
            without: A fact that nobody tells.
        """
        self.now = START
        self.said: list[Said] = []
        self.told: dict[int, np.void] = {}
        self.rows: list[tuple[int, ...]] = []
        self._block = new_block(s.Sizes(markets, len(strategies), references=2))
        self.state = views(self._block)
        self._done = 0
        self._out = np.zeros(512 * s.OUT.itemsize, np.uint8)
        self._detail = np.zeros(512 * s.DETAIL.itemsize, np.uint8)
        self.row(Kind.CLOCK, a=int(synthetic))
        self.row(Kind.VENUE, price=0, size=1)
        for name, value in (LIMITS | (limits or {})).items():
            self.limit(name, value)
        for index, strategy in enumerate(strategies):
            for line in strategy_rows(index, strategy):
                self.control(line)
        self.capital(capital)
        for market in range(markets):
            for fact, value in (FACTS | (facts or {})).items():
                if fact != without:
                    self.fact(fact, clusters[market] if clusters and fact == Fact.CLUSTER else value, market)

    # --- inputs ------------------------------------------------------------------------------------------------------

    def row(self, kind: int, market: int = -1, **fields: int) -> None:
        """One input row, at `now`."""
        made = {"side": 0, "flags": 0, "price": 0, "size": 0, "a": 0, "b": 0, "frame": len(self.rows)} | fields
        values = (made[name] for name in ("side", "flags", "price", "size", "a", "b", "frame"))
        side, flags, price, size, a, b, frame = values
        number = len(self.rows) + 1
        self.rows.append((number, self.now, self.now, self.now, kind, side, flags, market, price, size, a, b, frame))

    def control(self, row: Row) -> None:
        """A row as `config` makes them."""
        kind, side, flags, market, price, size, a, b = row
        self.row(kind, market, side=side, flags=flags, price=price, size=size, a=a, b=b)

    def wait(self, seconds: float) -> None:
        """Time passes and nothing is told."""
        self.now += round(seconds * NANO)

    def tick(self) -> None:
        """A TICK."""
        self.row(Kind.TICK)

    def fact(self, fact: Fact, value: int, market: int = 0, assumed: bool = False) -> None:
        """A registry fact."""
        self.row(Kind.FACT, market, price=fact, size=value, flags=Flag.ASSUMED if assumed else 0)

    def limit(self, name: str, value: int) -> None:
        """A limit."""
        self.row(Kind.LIMIT, price=(s.LIMITS.names or ()).index(name), size=value)

    def setting(self, setting: Setting, value: int, strategy: int = 0) -> None:
        """A setting of a strategy."""
        self.row(Kind.SETTING, strategy, price=setting, size=value)

    def rollout(self, stage: int, strategy: int = 0) -> None:
        """The rollout stage of a strategy."""
        self.row(Kind.ROLLOUT, strategy, size=stage)

    def opine(self, p: float, *, half: float = 0.01, strategy: int = 0) -> None:
        """Another forecast of a strategy made by `says`."""
        for place, value in enumerate(forecast(p, half)):
            self.row(Kind.PARAM, strategy, price=parameters.TABLE_AT + place, size=bits(value))

    def capital(self, amount: float) -> None:
        """A deposit in pUSD; negative: a withdrawal."""
        self.row(Kind.CAPITAL, size=round(amount * SIZE_UNIT))

    def kill(self, scope: Scope, index: int = 0) -> None:
        """A kill."""
        self.row(Kind.KILL, price=scope, size=index)

    def release(self, scope: Scope, index: int = 0) -> None:
        """The end of a kill."""
        self.row(Kind.RELEASE, price=scope, size=index)

    def flatten(self, scope: Scope, index: int = 0, *, on: bool = True) -> None:
        """A flatten command, or its end."""
        self.row(Kind.FLATTEN, price=scope, size=index, a=int(on))

    def pull(self, order_seq: int, market: int = 0, strategy: int = 0) -> None:
        """One order is pulled."""
        self.row(Kind.PULL, market, price=strategy, size=order_seq)

    def reference(self, price: float, index: int = 0) -> None:
        """A reference price."""
        self.row(Kind.REFERENCE, index, price=round(price * 1e8))

    def snapshot(
        self,
        bids: dict[int, float] | None = None,
        asks: dict[int, float] | None = None,
        *,
        market: int = 0,
        tick: int = 100,
        last: bool = True,
    ) -> None:
        """A whole book, preceded by its tick size."""
        sides = ((BID, BIDS if bids is None else bids), (ASK, ASKS if asks is None else asks))
        self.row(Kind.TICK_SIZE, market, price=tick)
        self.row(Kind.SNAP_OPEN, market, size=sum(len(levels) for _, levels in sides))
        for side, levels in sides:
            for price, size in levels.items():
                self.row(Kind.SNAP_LEVEL, market, side=side, price=price, size=shares(size))
        self.row(Kind.SNAP_CLOSE, market, flags=Flag.LAST if last else 0)

    def level(
        self, side: int, price: int, size: float, *, market: int = 0, best: tuple[int, int] | None = None
    ) -> None:
        """A new total at a price, the whole frame; `best` as the venue tells it."""
        flags = Flag.LAST | (Flag.BEST if best else 0)
        a, b = best or (NO_PRICE, NO_PRICE)
        self.row(Kind.LEVEL, market, side=side, price=price, size=shares(size), flags=flags, a=a, b=b)

    def touch(self, market: int = 0) -> None:
        """A level far from the market changes: nothing but a moment in which to decide."""
        self.level(BID, 100, 1.0 + len(self.rows), market=market)

    def trade(self, aggressor: int, price: int, size: float, *, market: int = 0) -> None:
        """A print; `aggressor` BID = YES was bought."""
        self.row(Kind.TRADE, market, side=aggressor, price=price, size=shares(size), flags=Flag.LAST)

    def resolve(self, payout: int, market: int = 0) -> None:
        """The market is decided."""
        self.row(Kind.RESOLVED, market, size=payout)

    # --- outputs -----------------------------------------------------------------------------------------------------

    def run(self, block: int = 1 << 16) -> list[Said]:
        """Hand the collected rows to the loop, `block` at a time; returns what it said about them."""
        before = len(self.said)
        pending = self.rows[self._done :]
        self._done = len(self.rows)
        for start in range(0, len(pending), block):
            rows = np.array(pending[start : start + block], INPUT)
            at = 0
            while at < len(rows):
                at = loop.run(self._block, rows.view(np.uint8), at, len(rows), self._out, self._detail)
                self._gather()
        return self.said[before:]

    def _gather(self) -> None:
        portfolio = self.state.portfolio[0]
        assert int(portfolio["fault"]) == 0
        details = self._detail.view(s.DETAIL)
        for row in self._out.view(s.OUT)[: int(portfolio["count"])]:
            said = Said(row)
            if said.detail >= 0:
                self.told[len(self.said)] = details[said.detail].copy()
            self.said.append(said)
        audit(self.state)

    def verdict(self, strategy: int = 0, market: int = 0) -> Said:
        """Run, and the verdict that stands for a strategy in a market: its last packet."""
        self.run()
        kinds = (s.PACKET, s.APPROVAL)
        mine = [o for o in self.said if o.kind in kinds and (o.strategy, o.market) == (strategy, market)]
        return mine[-1]

    def detail(self, said: Said) -> np.void:
        """The numbers of a packet."""
        return self.told[self.said.index(said)]

    def of_kind(self, kind: int) -> list[Said]:
        """All output rows of a kind."""
        return [said for said in self.said if said.kind == kind]

    def pair(self, strategy: int = 0, market: int = 0) -> np.void:
        """PAIR record."""
        return self.state.pairs[market, strategy]

    def portfolio(self, field: str) -> int:
        """A number of the portfolio."""
        return int(self.state.portfolio[field][0])
