"""The way from a forecast to the net edge as bars on one axis of prices, true to scale."""

from typing import Final, NamedTuple

from polytraders import figures as f
from polytraders.contracts.decision import DecisionPacket
from polytraders.contracts.inputs import NANO
from polytraders.contracts.market import Action
from polytraders.explain import in_all

WIDTH: Final = 1_000
"""Units of the axis."""
PAD: Final = 0.06


class Bar(NamedTuple):
    """One line: a level (`width` 0) or a step, from `x` on; `text` with sign, `kind` level, gain, loss or result."""

    name: str
    meaning: str
    text: str
    x: float
    width: float
    kind: str


class Waterfall(NamedTuple):
    """The picture: bars from top to bottom, where the dashed line lies, what is enough, and the line in words."""

    bars: tuple[Bar, ...]
    least_x: float
    least: str
    line: str


def waterfall(packet: DecisionPacket) -> Waterfall | None:
    """Bars of a packet; None where there was no forecast or nothing to trade against.

    A purchase pays q_exec for what is worth p_hat, a sale gives p_hat for q_exec. Fees and buffer eat the difference;
    what is left of it is the net edge, drawn from the lower price on.
    """
    estimate, fair = packet.execution, packet.fair_value
    if estimate is None or fair is None:
        return None
    buys = packet.action is Action.BUY
    plus, minus = (packet.p_own, estimate.q_exec) if buys else (estimate.q_exec, packet.p_own)
    limit = next(vote.limit for vote in packet.votes if vote.check == ("net_edge" if buys else "hold"))
    after_fee = plus - estimate.fee
    total = in_all(packet.action, estimate, fair)
    ends = (plus, minus, after_fee, after_fee - fair.buffer, minus + packet.net_edge, total)
    # A sale's least edge is as good as none, so it does not stretch the axis.
    least = minus + limit
    reach = (*ends, least) if buys else ends
    low, high = min(reach), max(reach)
    pad = max(1, round((high - low) * PAD))
    low, high = low - pad, high + pad

    def x(value: int) -> float:
        return round(max(0.0, min(1.0, (value - low) / (high - low))) * WIDTH, 1)

    def step(name: str, meaning: str, start: int, end: int, kind: str = "") -> Bar:
        left, right = x(min(start, end)), x(max(start, end))
        shown = kind or ("gain" if end >= start else "loss")
        text = f.per_share(end - start, sign=end != start)
        return Bar(name, meaning, text, left, round(max(1.0, right - left), 1), shown)

    names = ("p_hat", "q_exec") if buys else ("q_exec", "p_hat")
    meanings = {"p_hat": "what a share is worth by the forecast", "q_exec": "what it trades at, walking the book"}
    meaning = "a share: q_exec + fees + buffer" if buys else "a share: q_exec - fees - buffer"
    cost = Bar("costs in all" if buys else "left of it", meaning, f.per_share(total), x(total), 0.0, "level")
    bars = (
        Bar(names[0], meanings[names[0]], f.per_share(plus), x(plus), 0.0, "level"),
        Bar(names[1], meanings[names[1]], f.per_share(minus), x(minus), 0.0, "level"),
        step("gross edge", f"{names[0]} - {names[1]}", minus, plus),
        step("fees", "the venue's, a share", plus, after_fee),
        step("buffer", "what the forecast may be wrong by", after_fee, after_fee - fair.buffer),
        cost,
        step(
            "net_edge",
            f"p_hat - {cost.name}" if buys else f"{cost.name} - p_hat",
            minus,
            minus + packet.net_edge,
            "result" if packet.net_edge >= 0 else "loss",
        ),
    )
    line = "dashed: as far as the bar of net_edge has to reach to be enough"
    if limit <= -NANO:
        line = "a flatten command sells whatever the edge is"
    return Waterfall(bars, x(least), f.per_share(limit, sign=True), line)
