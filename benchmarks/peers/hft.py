"""hftbacktest, its fastest market depth, with the imbalance strategy that wakes on every event.

Events are converted and the loop compiled before the clock starts. One backtest per market, one after another, which
is its best case: the markets of `many` share nothing there. Traps of version 2.4.4 that this script walks around: the
ROI-vector depth reports a price as the best size, so sizes are read by tick; a clear told for one side only leaves the
asks standing, so ours names no side. Its fills are double counted after a late cancel: compare speed, never profit.

    .peers/bin/python -m benchmarks.peers.hft --set one
"""

import argparse
from typing import Any

import hftbacktest as hft
import numpy as np
from hftbacktest.types import event_dtype
from numba import njit

from benchmarks.measure import CACHE, cpu, report, spin

LATENCY_NS = 30_000_000
END_OF_DATA = 1
FOREVER_NS = 10**18


@njit
def imbalance(backtest: Any, every: int) -> Any:
    """Wake on each event, read the top of the book, and every `every` wake-ups replace the one order.

    Returns: wake-ups, the sum of imbalance times spread (what all systems must agree on), orders sent.
    """
    depth = backtest.depth(0)
    wakes = orders = 0
    resting = 0
    total = 0.0
    while backtest.wait_next_feed(False, FOREVER_NS) != END_OF_DATA:
        wakes += 1
        bid = depth.bid_qty_at_tick(depth.best_bid_tick)
        ask = depth.ask_qty_at_tick(depth.best_ask_tick)
        lean = (bid - ask) / (bid + ask) if bid + ask > 0.0 else 0.0
        spread = depth.best_ask - depth.best_bid
        if not np.isnan(spread):
            total += lean * spread
        if wakes % every:
            continue
        if resting:
            backtest.cancel(0, resting, False)
            resting = 0
        backtest.clear_inactive_orders(0)
        if abs(lean) > 0.2:
            orders += 1
            resting = orders
            if lean > 0.0:
                backtest.submit_buy_order(0, resting, depth.best_bid, 10.0, hft.GTX, hft.LIMIT, False)
            else:
                backtest.submit_sell_order(0, resting, depth.best_ask, 10.0, hft.GTX, hft.LIMIT, False)
    return wakes, total, orders


def converted(ev: np.ndarray, levels: int = 100) -> np.ndarray:
    """Flat rows in the form hftbacktest reads."""
    kinds = (hft.DEPTH_CLEAR_EVENT, hft.DEPTH_EVENT, hft.TRADE_EVENT, hft.DEPTH_SNAPSHOT_EVENT)
    sides = np.array([hft.BUY_EVENT, hft.SELL_EVENT], np.uint64)[ev["side"]]
    sides[ev["kind"] == 0] = 0
    made = np.zeros(len(ev), event_dtype)
    made["ev"] = np.array(kinds, np.uint64)[ev["kind"]] | sides | np.uint64(hft.EXCH_EVENT | hft.LOCAL_EVENT)
    made["exch_ts"] = ev["ts_exch"]
    made["local_ts"] = ev["ts_local"]
    made["px"] = ev["px"] / levels
    made["qty"] = ev["qty"] / 1e6
    return made


def backtest(events: np.ndarray) -> Any:
    """One market: constant latency both ways, a queue model, no partial fills, no fees."""
    asset = (
        hft.BacktestAsset()
        .data(events)
        .linear_asset(1.0)
        .constant_order_latency(LATENCY_NS, LATENCY_NS)
        .power_prob_queue_model(3.0)
        .no_partial_fill_exchange()
        .trading_value_fee_model(0.0, 0.0)
        .tick_size(0.01)
        .lot_size(0.01)
        .roi_lb(0.0)
        .roi_ub(1.0)
        .last_trades_capacity(0)
    )
    return hft.ROIVectorMarketDepthBacktest([asset])


def main() -> None:
    """Time one run over one set and print the line."""
    wanted = argparse.ArgumentParser()
    wanted.add_argument("--set", default="one", choices=["one", "many"])
    wanted.add_argument("--events", type=int, default=0, help="only the first rows of the set")
    wanted.add_argument("--every", type=int, default=1_000)
    said = wanted.parse_args()
    ev = np.load(CACHE / f"{said.set}.npy")
    ev = ev[: said.events] if said.events else ev
    markets = np.unique(ev["market"])
    data = [converted(ev[ev["market"] == m]) for m in markets]
    imbalance(backtest(data[0][:2_000]), said.every)
    ready = [backtest(events) for events in data]
    control = spin()
    seconds, found = cpu(lambda: [imbalance(one, said.every) for one in ready])
    report(
        "hftbacktest",
        f"imbalance:{said.set}",
        int(np.count_nonzero((ev["kind"] == 1) | (ev["kind"] == 2))),
        seconds,
        spin_seconds=round(control, 4),
        wakes=sum(int(f[0]) for f in found),
        agreed=round(sum(float(f[1]) for f in found), 3),
        orders=sum(int(f[2]) for f in found),
        version=hft.__version__,
    )


if __name__ == "__main__":
    main()
