"""What a replay tells about the state it ended in, whatever its inputs came from; and any of its decisions in full."""

from typing import Any

import numpy as np

from apps.eventlog.core.book import book_hash
from apps.ledger.core import positions
from apps.replay.runner import Runner
from polytraders import packets
from polytraders.contracts import state as s
from polytraders.contracts.decision import DecisionPacket
from polytraders.contracts.inputs import ASK, BID, NO, PRICE_UNIT, YES, Fact
from polytraders.contracts.ledger import Position
from polytraders.kernel.jit import build_hash
from polytraders.naming import Names, moment


def found(runner: Runner, names: Names) -> dict[str, Any]:
    """The fields of a `ReplayReport` that do not depend on the source."""
    state = runner.state
    portfolio, markets = state.portfolio[0], state.markets
    first = int(portfolio["first_mismatch_frame"])
    equity, realised, deposited = (int(portfolio[name]) for name in ("equity", "realised", "deposited"))
    input_head, output_head, chain = runner.heads()
    return {
        "events": runner.inputs.rows,
        "rows_mirrored": int(markets["mirrored"].sum()),
        "markets": int((markets["events"] > 0).sum()),
        "mismatch_before_repair": int(markets["mismatches"].sum()),
        "first_mismatch_frame": first if first >= 0 else None,
        "best_mismatch": int(markets["best_mismatches"].sum()),
        "repairs": int(markets["repairs"].sum()),
        "snapshots": int(markets["snapshots"].sum()),
        "snapshot_differences": int(markets["snapshot_differences"].sum()),
        "evaluations": int(portfolio["evaluations"]),
        "packets": int(portfolio["packets"]),
        "approved": int(portfolio["approvals"]),
        "orders": int(portfolio["approvals"]),
        "fills": int(portfolio["fills"]),
        "expired": int(portfolio["expiries"]),
        "counts_by_code": runner.counts_by_code(),
        "input_head": input_head,
        "output_head": output_head,
        "chain_head": chain,
        "build": build_hash().hex(),
        "events_per_second": round(runner.inputs.rows / max(runner.loop_seconds, 1e-9), 1),
        "assumed": assumed(state, names),
        "strategies": tuple(names.strategies),
        "capital": deposited,
        "equity": equity,
        "realised": realised,
        "unrealised": equity - deposited - realised,
        "fees": int(portfolio["fees"]),
        "positions": holdings(state, names),
    }


def assumed(state: s.State, names: Names) -> dict[str, tuple[str, ...]]:
    """Facts that came from a file, by market; a market of which every fact is the venue's is left out."""
    told = {}
    for market in range(len(names.markets)):
        bits = int(state.markets["assumed"][market])
        if bits:
            told[names.markets[market]] = tuple(fact.name.lower() for fact in Fact if bits >> fact & 1)
    return told


def holdings(state: s.State, names: Names) -> tuple[Position, ...]:
    """What is held, by market, strategy and outcome."""
    pairs = state.pairs
    held = np.argwhere((pairs["qty_yes"] > 0) | (pairs["qty_no"] > 0)).tolist()
    return tuple(
        _position(state, names, market, strategy, outcome)
        for market, strategy in held
        for outcome, quantity in ((YES, "qty_yes"), (NO, "qty_no"))
        if pairs[quantity][market, strategy] > 0
    )


def _position(state: s.State, names: Names, market: int, strategy: int, outcome: int) -> Position:
    pair = state.pairs[market, strategy]
    total = int(pair["qty_yes" if outcome == YES else "qty_no"])
    cost = int(pair["cost_yes" if outcome == YES else "cost_no"])
    selling = pair["order"] != 0 and pair["order_action"] == s.SELL and pair["order_outcome"] == outcome
    reserved = int(pair["order_held"]) if selling else 0
    mid2 = int(state.markets["mid2"][market])
    mid2 = mid2 if outcome == YES else 2 * PRICE_UNIT - mid2
    return Position(
        market=market,
        strategy=names.strategies[strategy],
        token_id=names.token(market, outcome),
        total=total,
        free=total - reserved,
        reserved=reserved,
        redeemable=0,
        average_cost=positions.average_cost(cost, total),
        realised=int(pair["realised"]),
        unrealised=total * mid2 // (2 * PRICE_UNIT) - cost,
        fees=int(pair["fees"]),
    )


def packet(state: s.State, names: Names, out: np.void, detail: np.void) -> DecisionPacket:
    """One decision of the last input in full: a PACKET or APPROVAL row and its DETAIL row."""
    market = int(out["market"])
    at = moment(state, market, int(out["strategy"]))
    return packets.packet(out, detail, names=names, at=at, book_hash=hash_of_book(state, market))


def hash_of_book(state: s.State, market: int) -> str | None:
    """SHA-256 of a market's book as it is now; None before its tick is known."""
    record = state.markets[market]
    tick = int(record["tick"])
    if tick <= 0:
        return None
    sides = []
    for side, name in ((BID, "bid"), (ASK, "ask")):
        slots = np.flatnonzero(state.levels[market, side])
        prices = (slots + int(record[f"{name}_base"])) * tick
        outside = state.overflow[market, side, : int(record[f"{name}_overflow"])]
        inside = zip(prices.tolist(), state.levels[market, side][slots].tolist(), strict=True)
        sides.append([*inside, *map(tuple, outside.tolist())])
    return book_hash(tick, *sides)
