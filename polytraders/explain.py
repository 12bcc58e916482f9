"""One decision packet in words and numbers, for a terminal of 100 columns. Says only what stands in the packet.

From top to bottom: what was decided and what to do about it, when and where, what was seen and thought, the way from
the forecast to the edge, the size with its three caps, and every check's vote with its distance to the limit.
"""

import textwrap
from collections.abc import Sequence
from typing import Final, NamedTuple

from polytraders import figures as f
from polytraders.contracts.checks import BITS, CHECKS, MOST
from polytraders.contracts.decision import DecisionPacket, RiskVote, Verdict, Vote
from polytraders.contracts.execution import ExecutionEstimate, ExecutionPolicy, ExecutionWarning
from polytraders.contracts.fair_value import FairValue
from polytraders.contracts.features import FeatureVector
from polytraders.contracts.inputs import Stage
from polytraders.contracts.market import Action, Market, Outcome
from polytraders.contracts.reasons import reason
from polytraders.naming import Names

WIDTH: Final = 100
LABEL: Final = 12
NAMELESS: Final = Names((), (), ())
HEADLINES: Final = {Verdict.APPROVE: "APPROVED", Verdict.REJECT: "REJECTED", Verdict.WAIT: "WAITING"}
DOUBTS: Final = {
    ExecutionWarning.THIN: "thin book",
    ExecutionWarning.WIDE: "wide spread",
    ExecutionWarning.STALE: "book not valid",
    ExecutionWarning.PARTIAL: "not all of it is shown",
}


def explain(packet: DecisionPacket, names: Names = NAMELESS) -> str:
    """The packet as text.

    Args:
        packet: Any decision.
        names: Question, cluster and venue are told by the names that stand here, else by their numbers.

    Returns:
        Lines of at most 100 columns, ASCII but for names; no newline at the end.
    """
    parts = (head(packet), where(packet, names), seen(packet), waterfall(packet), sizes(packet), table(packet))
    return "\n\n".join("\n".join(part) for part in parts)


def head(packet: DecisionPacket) -> list[str]:
    """The verdict, what its code means and what to do."""
    found = reason(packet.code)
    size = f"{f.shares(packet.approved_size)} " if packet.approved_size else ""
    others = len(packet.rejections) - 1
    more = f", and {others} more" if others > 0 else ""
    return [
        f"{HEADLINES[packet.verdict]}  {packet.action.name} {size}{packet.outcome.name}  {packet.code}{more}",
        *_told("", found.meaning),
        *_told("To do", found.action),
    ]


class Sentence(NamedTuple):
    """One decision in a sentence of three parts, for the market's name is somebody else's text."""

    before: str
    market: str
    after: str


def sentence(packet: DecisionPacket, names: Names = NAMELESS) -> Sentence:
    """Who wanted what, in which market, at what cost in all and against what forecast; only what the packet tells."""
    index = packet.market.index
    market = (names.titles[index] if index < len(names.titles) else "") or f"market {index}"
    estimate, fair = packet.execution, packet.fair_value
    if packet.features is None:
        return Sentence(f"{packet.strategy} looked at", market, ", which had no valid book with two sides.")
    buys = packet.action is Action.BUY
    if fair is None and buys:
        return Sentence(f"{packet.strategy} had no forecast for", market, ", so it wanted nothing.")
    size = f"{f.shares(packet.wish).removesuffix('.00')} " if packet.wish > 0 else ""
    before = f"{packet.strategy} wanted to {'buy' if buys else 'sell'} {size}{packet.outcome.name} of"
    return Sentence(before, market, f"; {_against(packet, estimate, fair)}.")


def _against(packet: DecisionPacket, estimate: ExecutionEstimate | None, fair: FairValue | None) -> str:
    """What a share costs, or brings, in all, and what the forecast makes of it."""
    if estimate is None:
        return "there was nothing to trade against"
    if fair is None:
        return "there was no forecast"
    is_past = packet.verdict is Verdict.REJECT
    forecast = f"the forecast says {f.fixed(packet.p_own, f.NANO, 4)}"
    if packet.action is Action.BUY:
        cost = f.fixed(in_all(packet.action, estimate, fair), f.NANO, 4)
        return f"all in a share {'would have cost' if is_past else 'costs'} {cost}, {forecast}"
    left = f.fixed(in_all(packet.action, estimate, fair), f.NANO, 4)
    return f"after all costs a share {'would have brought' if is_past else 'brings'} {left}, {forecast}"


def in_all(action: Action, estimate: ExecutionEstimate, fair: FairValue) -> int:
    """What a bought share costs with fees and buffer, or what a sold one leaves after them, 1e-9."""
    costs = estimate.fee + fair.buffer
    return estimate.q_exec + costs if action is Action.BUY else estimate.q_exec - costs


def _told(label: str, text: str) -> list[str]:
    """`label` and text in two columns, wrapped."""
    first = f"  {label:<{LABEL}}"
    return textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=" " * len(first)) or [first.rstrip()]


def where(packet: DecisionPacket, names: Names) -> list[str]:
    """When, by which strategy, in which market, and what went before."""
    market = packet.market
    stage = Stage(packet.rollout_stage).name.lower()
    lines = _told("When", f"{f.utc(packet.ts)}, input {packet.in_seq:,}, output {packet.ordinal}")
    lines += _told("Strategy", f"{packet.strategy}, at stage {stage}")
    title = names.titles[market.index] if market.index < len(names.titles) else ""
    lines += _told("Market", f"{market.index}  {market.condition_id}")
    # Somebody else wrote it: nothing in it may move the cursor.
    lines += _told("", "".join(sign if sign.isprintable() else " " for sign in title)) if title else []
    lines += _told("", _facts(market, names))
    if market.missing:
        lines += _told("Not known", ", ".join(market.missing))
    if market.assumed:
        lines += _told("Assumed", ", ".join(market.assumed))
    lines += _told("Held", _held(packet.position))
    before = "nothing" if packet.counted_code is None else f"{packet.counted_code}, given {_times(packet.counted)}"
    return lines + _told("Before", before)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _held(position: int) -> str:
    if position == 0:
        return "none, or as much YES as NO"
    return f"{f.shares(abs(position))} {(Outcome.YES if position > 0 else Outcome.NO).name} net"


def _facts(market: Market, names: Names) -> str:
    parts = [market.status.name.lower()]
    if market.tick is not None:
        parts.append(f"tick {f.price(market.tick)}")
    if market.min_size is not None:
        parts.append(f"smallest order {f.shares(market.min_size)}")
    if market.fee_rate is not None:
        parts.append(f"fee rate {f.fixed(market.fee_rate, 6, 4)}")
    if market.fee_bps:
        parts.append(f"flat fee {market.fee_bps} bps")
    if market.cluster is not None:
        parts.append(f"cluster {_called(market.cluster, names.clusters)}")
    if market.venue is not None:
        parts.append(f"venue {_called(market.venue, names.venues)}")
    if market.close_ts is not None:
        parts.append(f"closes {f.utc(market.close_ts)[:16]}")
    return ", ".join(parts)


def _called(index: int, column: Sequence[str]) -> str:
    return column[index] if 0 <= index < len(column) else str(index)


def seen(packet: DecisionPacket) -> list[str]:
    """The book, the forecast and the estimate."""
    age = f"last row {f.span(packet.ts - packet.book_row_ts)} before" if packet.book_row_ts else "no row yet"
    book = "no valid book with two sides" if packet.features is None else _book(packet.features)
    lines = _told("Book", f"{book}, {age}")
    if packet.book_hash is not None:
        lines += _told("", packet.book_hash)
    if packet.features is not None:
        lines += _told("", _depth(packet.features))
    lines += _forecast(packet)
    if packet.reference is not None:
        lines += _told("Reference", f.fixed(packet.reference, 8, 2))
    return lines + _told(
        "Estimate", "nothing to trade against" if packet.execution is None else _estimate(packet.execution)
    )


def _book(x: FeatureVector) -> str:
    spread, mid = x.value("spread"), x.value("mid")
    return (
        f"bid {mid - spread / 2:.4f}, ask {mid + spread / 2:.4f}, spread {spread:.4f}, mid {mid:.4f}, {x.quality.value}"
    )


def _depth(x: FeatureVector) -> str:
    return (
        f"best {x.value('bid_size'):,.2f} x {x.value('ask_size'):,.2f} shares, "
        f"five levels {x.value('bid_depth'):,.2f} x {x.value('ask_depth'):,.2f}"
    )


def _forecast(packet: DecisionPacket) -> list[str]:
    fair = packet.fair_value
    if fair is None:
        return _told("Forecast", "none")
    own = f", so {Outcome.NO.name} {f.per_share(packet.p_own)}" if packet.outcome is Outcome.NO else ""
    lines = _told("Forecast", f"YES {fair.p_hat:.6f}{own}, band {fair.lower:.6f} to {fair.upper:.6f}")
    withheld = f", withheld: {fair.suppression}" if fair.suppression is not None else ""
    model = f"{fair.model} {fair.model_version[:8]}, calibration {fair.calibration_version[:8]}"
    return lines + _told("Model", f"{model}, windows {f.percent(fair.completeness_ppm)} observed{withheld}")


def _estimate(estimate: ExecutionEstimate) -> str:
    how = "take" if estimate.policy is ExecutionPolicy.TAKE else "rest at the best price"
    doubts = ", ".join(DOUBTS[bit] for bit in DOUBTS if bit in estimate.warnings)
    against = "worse" if estimate.slippage > 0 else "better"
    return (
        f"{how} {f.shares(estimate.available)} of {f.shares(estimate.size)} wished at {f.per_share(estimate.q_exec)}, "
        f"{f.per_share(abs(estimate.slippage))} {against} than the mid, P(fill) {estimate.p_fill:.4f} in about "
        f"{f.span(estimate.fill_ms * 1_000_000)}{'; ' + doubts if doubts else ''}"
    )


def waterfall(packet: DecisionPacket) -> list[str]:
    """From the forecast to the net edge, in terms of the traded outcome, pUSD per share."""
    title = f"EDGE of {packet.action.name} {packet.outcome.name}, pUSD per share"
    estimate, fair = packet.execution, packet.fair_value
    if estimate is None or fair is None:
        return [title, f"  none: {'no forecast' if fair is None else 'nothing to trade against'}"]
    terms = (("p_hat", packet.p_own), ("q_exec", estimate.q_exec))
    (first, plus), (second, minus) = terms if packet.action is Action.BUY else terms[::-1]
    # A purchase has to earn the strategy's least edge; a sale only must not give up value.
    least = _by_name(packet, "net_edge" if packet.action is Action.BUY else "hold")
    return [
        title,
        _term("", first, plus),
        _term("-", second, minus),
        _term("=", "gross edge", plus - minus, sign=True),
        _term("-", "fees", estimate.fee),
        _term("-", "buffer", fair.buffer, note=f"costs {f.per_share(estimate.fee + fair.buffer)}"),
        _term("=", "net_edge", packet.net_edge, sign=True, note=f"at least {f.per_share(least.limit, sign=True)}"),
    ]


def _term(operator: str, name: str, nano: int, *, sign: bool = False, note: str = "") -> str:
    return f"  {operator:<2}{name:<12}{f.per_share(nano, sign=sign):>12}   {note}".rstrip()


def sizes(packet: DecisionPacket) -> list[str]:
    """The wish, what each cap leaves of it, and what was approved; shares."""
    caps = {
        "strategy cap": packet.strategy_cap,
        "liquidity cap": packet.liquidity_cap,
        "portfolio cap": packet.portfolio_cap,
    }
    binding = min(caps, key=lambda name: caps[name])
    lines = [f"SIZE, shares of {packet.outcome.name}", f"  {'wished':<14}{f.shares(packet.wish):>16}"]
    for name, cap in caps.items():
        note = none_because(packet, name) or ("smallest" if name == binding else "")
        lines.append(f"  {name:<14}{f.shares(cap):>16}   {note}".rstrip())
    if packet.concentration_ppm is not None:
        part = f.percent(packet.concentration_ppm)
        lines.append(f"  {'concentration':<14}{part:>16}   of the capital in this market, one smallest order more")
    return [*lines, f"  {'approved':<14}{f.shares(packet.approved_size):>16}"]


def none_because(packet: DecisionPacket, name: str) -> str:
    """Why a line of the size is 0, as far as the packet tells it; "" where it is not 0.

    Args:
        packet: Any decision.
        name: "wished", "strategy cap", "liquidity cap", "portfolio cap" or "approved".
    """
    size = {
        "wished": packet.wish, "strategy cap": packet.strategy_cap, "liquidity cap": packet.liquidity_cap,
        "portfolio cap": packet.portfolio_cap, "approved": packet.approved_size,
    }[name]  # fmt: skip
    if size != 0:
        return ""
    if name == "approved":
        return "waits for its rank" if packet.verdict is Verdict.WAIT else "rejected"
    if packet.features is None:
        return "not worked out: no valid book"
    if packet.execution is None:
        return "nothing to trade against"
    if name == "portfolio cap" and packet.action is Action.BUY and packet.strategy_cap == 0:
        return "none left by the strategy cap"
    if name == "strategy cap" and packet.action is Action.BUY and packet.wish > 0:
        return "not worked out: no positive edge" if packet.net_edge <= 0 else "less than the least share"
    return {"wished": "none asked for", "liquidity cap": "the book bears none"}.get(name, "no room under the limits")


def table(packet: DecisionPacket) -> list[str]:
    """Every check's vote; `>` marks the first rejection, which names the verdict."""
    against = packet.rejections
    waived = sum(vote.vote is Vote.REJECT and not vote.counts for vote in packet.votes)
    note = f", {waived} more waived because the trade reduces a position" if waived else ""
    title = f"VOTES  {len(packet.votes)} checks, {len(against)} reject{note}"
    columns = f"  {'check':<18} {'vote':<6} {'value':>11} {'limit':>13} {'distance':>11} {'unit':<6} code"
    first = against[0].bit if against else None
    return [title, columns, *(_line(vote, vote.bit == first) for vote in packet.votes)]


def _line(vote: RiskVote, is_first: bool) -> str:
    word = "ok" if vote.vote is Vote.APPROVE else "REJECT" if vote.counts else "waived"
    unit = f.UNITS.get(vote.unit, f.COUNT)
    bound = "<=" if CHECKS[BITS[vote.check]].side == MOST else ">="
    value, limit, distance = (f.fitted(number, unit, 11) for number in (vote.value, vote.limit, vote.distance))
    return (
        f"{'>' if is_first else ' '} {vote.check:<18} {word:<6} {value:>11} {bound}{limit:>11} {distance:>11} "
        f"{unit.name:<6} {vote.code}"
    ).rstrip()


def _by_name(packet: DecisionPacket, check: str) -> RiskVote:
    return next(vote for vote in packet.votes if vote.check == check)
