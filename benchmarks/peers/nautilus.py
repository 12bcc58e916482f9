"""nautilus_trader's backtest engine with the imbalance strategy in Python, woken on every order-book change.

Building its data objects, adding them and starting the engine are outside the clock; the run alone is inside. Its run
is 12 microseconds an event, so 100,000 events of one market are enough.

    .peers/bin/python -m benchmarks.peers.nautilus --set one
"""

import argparse
from decimal import Decimal
from typing import Any

import nautilus_trader
import numpy as np
from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.backtest.models import LatencyModel
from nautilus_trader.config import BacktestEngineConfig, LoggingConfig, RiskEngineConfig, StrategyConfig
from nautilus_trader.model.currencies import USDC
from nautilus_trader.model.data import BookOrder, OrderBookDelta, OrderBookDeltas, TradeTick
from nautilus_trader.model.enums import (
    AccountType,
    AggressorSide,
    AssetClass,
    BookAction,
    BookType,
    OmsType,
    OrderSide,
    RecordFlag,
    TimeInForce,
)
from nautilus_trader.model.identifiers import InstrumentId, Symbol, TradeId, Venue
from nautilus_trader.model.instruments import BinaryOption
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.trading.strategy import Strategy

from benchmarks.measure import CACHE, cpu, report, spin

VENUE = Venue("POLYMARKET")
LATENCY_NS = 30_000_000
FAR_NS = 4 * 10**18
SIDES = (OrderSide.BUY, OrderSide.SELL)
AGGRESSORS = (AggressorSide.BUYER, AggressorSide.SELLER)


def instrument(market: int) -> Any:
    """A two-outcome market on one-cent ticks."""
    symbol = Symbol(f"M{market}")
    return BinaryOption(
        instrument_id=InstrumentId(symbol, VENUE),
        raw_symbol=symbol,
        outcome="Yes",
        description="synthetic",
        asset_class=AssetClass.ALTERNATIVE,
        currency=USDC,
        price_precision=2,
        price_increment=Price.from_str("0.01"),
        size_precision=2,
        size_increment=Quantity.from_str("0.01"),
        activation_ns=0,
        expiration_ns=FAR_NS,
        max_quantity=None,
        min_quantity=Quantity.from_str("1.00"),
        maker_fee=Decimal(0),
        taker_fee=Decimal(0),
        ts_event=0,
        ts_init=0,
    )


def objects(ev: np.ndarray, traded: dict[int, Any]) -> list[Any]:
    """Rows as the engine's own data objects, in order; a snapshot is one object."""
    prices = [Price(p / 100, 2) for p in range(101)]
    printed = TradeId("1")
    made: list[Any] = []
    for exch, local, market, kind, side, px, qty in ev.tolist():
        which = traded[market].id
        size = Quantity(qty / 1e6, 2)
        if kind == 2:
            made.append(TradeTick(which, prices[px], size, AGGRESSORS[side], printed, exch, local))
            continue
        if kind == 0:
            made.append([OrderBookDelta.clear(which, 0, exch, local)])
            continue
        order = BookOrder(SIDES[side], prices[px], size, 0)
        if kind == 3:
            made[-1].append(OrderBookDelta(which, BookAction.ADD, order, RecordFlag.F_SNAPSHOT, 0, exch, local))
        else:
            action = BookAction.UPDATE if qty else BookAction.DELETE
            made.append(OrderBookDelta(which, action, order, RecordFlag.F_LAST, 0, exch, local))
    return [OrderBookDeltas(group[0].instrument_id, group) if isinstance(group, list) else group for group in made]


class ImbalanceConfig(StrategyConfig, frozen=True):  # type: ignore[call-arg]
    """Wake-ups between two decisions."""

    every: int = 1_000


class Imbalance(Strategy):
    """Reads the top of the book at each change, and every so often replaces its one order."""

    def __init__(self, config: ImbalanceConfig, traded: list[Any]) -> None:
        super().__init__(config)
        self.traded = traded
        self.every = config.every
        self.wakes = 0
        self.total = 0.0
        self.sent = 0
        self.resting: Any = None

    def on_start(self) -> None:
        """Subscribe to books and trades."""
        self.ten = Quantity.from_str("10.00")
        for one in self.traded:
            self.subscribe_order_book_deltas(one.id, BookType.L2_MBP)
            self.subscribe_trade_ticks(one.id)

    def on_order_book_deltas(self, deltas: Any) -> None:
        """One change of one book."""
        self.wakes += 1
        book = self.cache.order_book(deltas.instrument_id)
        bid_size, ask_size = book.best_bid_size(), book.best_ask_size()
        bid_price, ask_price = book.best_bid_price(), book.best_ask_price()
        if bid_size is None or ask_size is None:
            return
        bid, ask = float(bid_size), float(ask_size)
        lean = (bid - ask) / (bid + ask)
        self.total += lean * (float(ask_price) - float(bid_price))
        if self.wakes % self.every:
            return
        if self.resting is not None and self.resting.is_open:
            self.cancel_order(self.resting)
        self.resting = None
        if abs(lean) > 0.2:
            side, price = (OrderSide.BUY, bid_price) if lean > 0.0 else (OrderSide.SELL, ask_price)
            self.resting = self.order_factory.limit(
                deltas.instrument_id, side, self.ten, price, time_in_force=TimeInForce.GTC, post_only=True
            )
            self.sent += 1
            self.submit_order(self.resting)


def engine(traded: list[Any], data: list[Any], strategy: Strategy) -> Any:
    """An engine with one venue, everything loaded, ready to run."""
    made = BacktestEngine(
        BacktestEngineConfig(
            trader_id="BENCH-001",
            logging=LoggingConfig(bypass_logging=True),
            risk_engine=RiskEngineConfig(bypass=True),
            run_analysis=False,
        )
    )
    made.add_venue(
        venue=VENUE,
        oms_type=OmsType.NETTING,
        account_type=AccountType.MARGIN,
        base_currency=None,
        starting_balances=[Money(10_000_000, USDC)],
        book_type=BookType.L2_MBP,
        latency_model=LatencyModel(base_latency_nanos=LATENCY_NS),
    )
    for one in traded:
        made.add_instrument(one)
    made.add_data(data, validate=False, sort=False)
    made.add_strategy(strategy)
    return made


def main() -> None:
    """Time one run and print the line."""
    wanted = argparse.ArgumentParser()
    wanted.add_argument("--set", default="one", choices=["one", "many"])
    wanted.add_argument("--events", type=int, default=100_000, help="only the first rows of the set")
    wanted.add_argument("--every", type=int, default=1_000)
    said = wanted.parse_args()
    ev = np.load(CACHE / f"{said.set}.npy", mmap_mode="r")[: said.events]
    traded = {int(m): instrument(int(m)) for m in np.unique(ev["market"])}
    data = objects(ev, traded)
    strategy = Imbalance(ImbalanceConfig(every=said.every), list(traded.values()))
    ready = engine(list(traded.values()), data, strategy)
    control = spin()
    seconds, _ = cpu(ready.run)
    report(
        "nautilus_trader",
        f"imbalance:{said.set}",
        int(np.count_nonzero((ev["kind"] == 1) | (ev["kind"] == 2))),
        seconds,
        spin_seconds=round(control, 4),
        wakes=strategy.wakes,
        agreed=round(strategy.total, 3),
        orders=strategy.sent,
        version=nautilus_trader.__version__,
    )


if __name__ == "__main__":
    main()
