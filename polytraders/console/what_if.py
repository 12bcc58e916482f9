"""What a decision would have been with other numbers: the gate's own comparisons, over what the packet recorded.

The price that the walk through the book gave and the positions stay as they were. A purchase's size is worked out again
from its changed edge and limits where the terms of it are known (`caps.py`); where they are not, the recorded caps
stand, unless they are those of a purchase that had no edge: then there is no size, and nothing is said about one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from polytraders import figures as f
from polytraders.console.caps import Terms
from polytraders.contracts.checks import CHECKS, MOST, RANK, code_of, first
from polytraders.contracts.decision import DecisionPacket, RiskVote, Vote
from polytraders.contracts.inputs import NANO, PRICE_UNIT
from polytraders.contracts.market import Action, Outcome

LOT: Final = 10_000
LIMIT: Final = "limit."


@dataclass(frozen=True)
class Slider:
    """One number that can be changed, as text in its unit.

    Attributes:
        name: Of the form's field.
        label: In words.
        value: As chosen.
        was: As recorded.
        least: Of the slider.
        most: Of the slider.
        step: Of the slider.
    """

    name: str
    label: str
    value: str
    was: str
    least: str
    most: str
    step: str


@dataclass(frozen=True)
class Blocking:
    """A check that rejects now.

    Attributes:
        vote: With the changed value and limit.
        was_blocking: Whether it rejected as recorded.
        field: Of its limit in the form, "" where the limit is no number that anybody sets.
        limit: As text, for the form.
        needed: What the limit, or the value, would have to be, in words.
    """

    vote: RiskVote
    was_blocking: bool
    field: str
    limit: str
    needed: str


@dataclass(frozen=True)
class WhatIf:
    """The answer.

    Attributes:
        is_changed: Whether anything was changed.
        wrong: Names of fields that could not be understood.
        sliders: The numbers that can be changed.
        net_edge: 1e-9 per share; None = there was no forecast or no price.
        least: What the edge is compared with.
        size: Approved, 1e-6 shares; 0 unless all checks approve.
        code: Reason code of the verdict.
        blocking: Checks that reject, the first one names the verdict.
        cleared: Checks that rejected as recorded and no longer do.
        p_needed: Forecast of YES at which the edge is just enough, 1e-9; None where there is none.
        is_upward: More than that is enough too; else less is.
        is_other_side: The forecast now favours the other side, of which the packet has no price.
        is_sized: Whether the size is known; where it is not, no check of it votes.
        strategy_cap: Of this answer, 1e-6 shares, like the one below; as recorded where it was not worked out again.
        portfolio_cap: Likewise.
    """

    is_changed: bool
    wrong: tuple[str, ...]
    sliders: tuple[Slider, ...]
    net_edge: int | None
    least: int
    size: int
    code: str
    blocking: tuple[Blocking, ...]
    cleared: tuple[RiskVote, ...]
    p_needed: int | None
    is_upward: bool
    is_other_side: bool
    is_sized: bool
    strategy_cap: int
    portfolio_cap: int


@dataclass
class _Asked:
    given: Mapping[str, str]
    wrong: list[str] = field(default_factory=list)
    changed: bool = False

    def number(self, name: str, places: int, was: int, least: int, most: int) -> int:
        """A field in units of 10 ** -places; `was` when it is not given, or cannot be meant."""
        told = self.given.get(name, "").strip()
        if not told:
            return was
        try:
            value = f.typed(told, places)
        except ValueError:
            value = most + 1
        if not least <= value <= most:
            self.wrong.append(name)
            return was
        self.changed |= value != was
        return value


def what_if(packet: DecisionPacket, given: Mapping[str, str], terms: Terms | None = None) -> WhatIf:
    """Decide once more over the packet with the numbers that `given` changes.

    Args:
        packet: As recorded.
        given: Text by field: `p_hat`, `fee`, `buffer`, `least`, `size`, and `limit.CHECK`.
        terms: What a purchase is sized with; None where that is not known.
    """
    asked = _Asked(given)
    edge = _edge(packet, asked)
    cap = asked.number("size", f.SIZE, packet.wish, 0, max(packet.wish, 1))
    votes = [_vote(vote, packet, asked, edge) for vote in packet.votes]
    own, common = packet.strategy_cap, packet.portfolio_cap
    if terms is not None and edge.net is not None:
        own, common = terms.caps(edge.net, votes)
    is_sized = terms is not None or not asked.changed or not is_unsized(packet)
    size = min(own, packet.liquidity_cap, common, cap) // LOT * LOT
    votes = [_compared(replace(vote, value=size)) if vote.check == "size" else vote for vote in votes]
    judged = votes if is_sized else [vote for vote in votes if vote.check != "size"]
    against = [vote for vote in judged if vote.counts and vote.vote is Vote.REJECT]
    before = {vote.check for vote in packet.rejections}
    rejecting = {vote.check for vote in against}
    bits = sum(1 << vote.bit for vote in against)
    least = next(vote.limit for vote in votes if vote.check == _edge_check(packet))
    return WhatIf(
        asked.changed,
        tuple(asked.wrong),
        _sliders(packet, edge, cap, least),
        edge.net,
        least,
        size if is_sized and not against else 0,
        code_of(first(bits)),
        tuple(_blocking(vote, vote.check in before, edge) for vote in against),
        tuple(vote for vote in judged if vote.check in before and vote.check not in rejecting),
        edge.needed(least),
        edge.direction > 0,
        edge.is_other_side,
        is_sized,
        own,
        common,
    )


def is_unsized(packet: DecisionPacket) -> bool:
    """Whether the strategy's cap is 0 only for want of an edge: no measure of what it would have been with one."""
    return packet.action is Action.BUY and packet.strategy_cap == 0 and packet.wish > 0 and packet.net_edge <= 0


@dataclass(frozen=True)
class _Edge:
    """The terms of the edge, 1e-9; `p` is the forecast of YES."""

    direction: int
    p: int
    q: int
    fee: int
    buffer: int
    net: int | None
    is_other_side: bool

    def needed(self, least: int) -> int | None:
        """Forecast of YES from which on the net edge is `least`."""
        if self.net is None:
            return None
        found = self.q + self.direction * (least + self.fee + self.buffer)
        return found if 0 <= found <= NANO else None


def _edge(packet: DecisionPacket, asked: _Asked) -> _Edge:
    """As `apps/risk/core/edge.py` has it: direction * (p_hat - q_exec) - fee - buffer, prices in terms of YES."""
    fair, estimate = packet.fair_value, packet.execution
    up = (packet.action is Action.BUY) == (packet.outcome is Outcome.YES)
    direction = 1 if up else -1
    yes = packet.outcome is Outcome.YES
    p_was = packet.p_own if yes else NANO - packet.p_own
    if fair is None or estimate is None:
        return _Edge(direction, p_was, 0, 0, 0, None, False)
    p = asked.number("p_hat", f.NANO, p_was, 0, NANO)
    fee = asked.number("fee", f.NANO, estimate.fee, 0, NANO)
    buffer = asked.number("buffer", f.NANO, fair.buffer, 0, NANO)
    q = estimate.q_exec if yes else NANO - estimate.q_exec
    mid = packet.features.value("mid") if packet.features is not None else None
    other = mid is not None and p != p_was and (p / NANO * (2 * PRICE_UNIT) >= round(mid * 2 * PRICE_UNIT)) != up
    # A sale gives up what is held against the forecast: it is the same trade as a purchase of the other outcome.
    return _Edge(direction, p, q, fee, buffer, direction * (p - q) - fee - buffer, bool(other))


def _edge_check(packet: DecisionPacket) -> str:
    return "net_edge" if packet.action is Action.BUY else "hold"


def _vote(vote: RiskVote, packet: DecisionPacket, asked: _Asked, edge: _Edge) -> RiskVote:
    value, limit = vote.value, vote.limit
    if vote.check in ("net_edge", "hold") and edge.net is not None:
        value = edge.net
    unit = f.UNITS.get(vote.unit, f.COUNT)
    if vote.check == _edge_check(packet):
        limit = asked.number("least", f.NANO, limit, -4 * NANO, NANO)
    elif _is_set(vote):
        limit = asked.number(LIMIT + vote.check, unit.places, limit, -(2**62), 2**62)
    return _compared(replace(vote, value=value, limit=limit))


def _compared(vote: RiskVote) -> RiskVote:
    """The vote of its value and limit."""
    distance = vote.limit - vote.value if CHECKS[vote.bit].side == MOST else vote.value - vote.limit
    return replace(vote, distance=distance, vote=Vote.REJECT if distance < 0 else Vote.APPROVE)


def _is_set(vote: RiskVote) -> bool:
    """Whether somebody sets the limit: portfolio limits and a strategy's own, not flags and states."""
    own = ("band", "strategy_exposure", "price_collar", "capital", "size", "fillable")
    return bool(CHECKS[vote.bit].limit) or vote.check in own


def _blocking(vote: RiskVote, was: bool, edge: _Edge) -> Blocking:
    unit = f.UNITS.get(vote.unit, f.COUNT)
    side = "at least" if CHECKS[vote.bit].side == MOST else "at most"
    told = f.fitted(vote.value, unit, 14)
    if vote.bit == RANK:
        needed = "the ranking at the next tick decides"
    elif vote.check == "size" and vote.value <= 0:
        # A smallest order of nothing is no way out: something has to leave a size first.
        lacks_edge = edge.net is not None and edge.net <= 0
        needed = (
            "a positive net edge" if lacks_edge else f"caps that leave {f.fitted(vote.limit, unit, 14)} {unit.name}"
        )
    elif vote.check in ("net_edge", "hold") and (p := edge.needed(vote.limit)) is not None:
        needed = f"p_hat of YES at {'least' if edge.direction > 0 else 'most'} {f.per_share(p)}"
    elif f.is_no_price(vote.value, vote.unit):
        needed = "a book with two sides"
    elif _is_set(vote):
        needed = f"a limit of {side} {told} {unit.name}".strip()
    elif vote.unit == f.FLAG:
        needed = "that it is no longer so" if CHECKS[vote.bit].side == MOST else "that it is so"
    elif vote.unit in f.NAMED:
        needed = f"that it is {f.named(vote.limit, vote.unit)}"
    else:
        back = "at most" if CHECKS[vote.bit].side == MOST else "at least"
        needed = f"a value of {back} {f.fitted(vote.limit, unit, 14)} {unit.name}".strip()
    return Blocking(vote, was, field_of(vote), f.plain(vote.limit, unit.places), needed)


def field_of(vote: RiskVote) -> str:
    """Name of the form's field for a check's limit, "" where it is none that anybody sets, or has a slider."""
    return LIMIT + vote.check if _is_set(vote) and vote.check not in ("net_edge", "hold") else ""


def _sliders(packet: DecisionPacket, edge: _Edge, cap: int, least: int) -> tuple[Slider, ...]:
    fair, estimate = packet.fair_value, packet.execution
    found = []
    if fair is not None and estimate is not None:
        p_was = packet.p_own if packet.outcome is Outcome.YES else NANO - packet.p_own
        was_least = next(vote.limit for vote in packet.votes if vote.check == _edge_check(packet))
        found += [
            _slider("p_hat", "p_hat of YES", edge.p, p_was, 0, NANO, "0.0001"),
            _slider("fee", "fees a share", edge.fee, estimate.fee, 0, max(50_000_000, 2 * estimate.fee), "0.0001"),
            _slider(
                "buffer", "buffer a share", edge.buffer, fair.buffer, 0, max(50_000_000, 2 * fair.buffer), "0.0001"
            ),
        ]
        if was_least > -NANO:
            high = max(50_000_000, 2 * was_least)
            found.append(_slider("least", "least edge", least, was_least, -20_000_000, high, "0.0001"))
    if packet.wish > 0:
        chosen, wished = f.plain(cap, f.SIZE), f.plain(packet.wish, f.SIZE)
        found.append(Slider("size", "size at most", chosen, wished, "0", wished, "0.01"))
    return tuple(found)


def _slider(name: str, label: str, value: int, was: int, least: int, most: int, step: str) -> Slider:
    told, before, low, high = (f.plain(number, f.NANO) for number in (value, was, least, most))
    return Slider(name, label, told, before, low, high, step)
