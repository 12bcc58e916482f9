"""From the loop's output rows to artefacts: one OUT row and its DETAIL row become a DecisionPacket.

Nothing is decided here and nothing is compiled, so any process may import it. The votes are made once more from the
recorded values and limits and must be the row's bits: a packet that explains another verdict than its own is refused.
"""

import hashlib
import json
from dataclasses import asdict
from enum import Enum
from typing import Any, Final

import numpy as np

from polytraders.contracts import checks as c
from polytraders.contracts import state as s
from polytraders.contracts.decision import DecisionPacket, RiskVote, Verdict, Vote
from polytraders.contracts.execution import ExecutionEstimate, ExecutionPolicy, ExecutionWarning
from polytraders.contracts.fair_value import FairValue
from polytraders.contracts.features import FeatureQuality, FeatureVector
from polytraders.contracts.inputs import Fact, MarketStatus
from polytraders.contracts.market import Action, Market, Outcome
from polytraders.contracts.reasons import reason
from polytraders.naming import Moment, Names, correlation, missing_facts, moment
from polytraders.strategies.parameters import MODELS, TABLE_AT, WEIGHTS_AT

__all__ = ["Moment", "Names", "canonical", "moment", "packet", "packet_id", "risk_votes"]

PPM: Final = 1_000_000
LOGIT: Final = MODELS.index("logit")
Z_MAX: Final = 8.0
"""Where the model stops to tell a feature's distance from its mean, as in `apps/signals/core/standardise.py`."""


def packet(out: np.void, detail: np.void, *, names: Names, at: Moment, book_hash: str | None = None) -> DecisionPacket:
    """One decision in full.

    Args:
        out: OUT row of kind PACKET or APPROVAL.
        detail: Its DETAIL row.
        names: What the indices are called.
        at: What was in force.
        book_hash: SHA-256 of the book, hex, where it was kept.

    Raises:
        AssertionError: The recorded values give other votes than the row's bits; the first such check is named.
    """
    in_seq, market, strategy = int(out["in_seq"]), int(out["market"]), int(out["strategy"])
    action, outcome = Action(int(out["action"])), Outcome(int(out["outcome"]))
    votes = risk_votes(detail, action)
    verdict = _verdict(out, votes)
    values = detail["values"].tolist()
    features = _features(out, detail, votes, at)
    name = names.strategies[strategy]
    counted_first = int(out["counted_first"])
    return DecisionPacket(
        decision_id=f"{in_seq}:{int(out['ordinal'])}",
        correlation_id=correlation(in_seq, market, strategy),
        in_seq=in_seq,
        ordinal=int(out["ordinal"]),
        ts=int(out["ts"]),
        strategy=name,
        rollout_stage=values[c.ROLLOUT_STAGE],
        market=_market(market, names, at.market, values),
        book_hash=book_hash,
        book_row_ts=int(detail["book_row_ts"]),
        features=features,
        fair_value=_fair_value(features, name, detail, votes, at),
        execution=_execution(detail, action, outcome, at, book_hash),
        reference=int(detail["reference"]) if detail["reference"] > 0 else None,
        position=int(detail["position"]),
        action=action,
        outcome=outcome,
        p_own=int(detail["p_own"]),
        net_edge=int(detail["net_edge"]),
        votes=votes,
        verdict=verdict,
        code=c.code_of(int(out["first"])),
        wish=int(detail["wish"]),
        strategy_cap=int(detail["strategy_cap"]),
        liquidity_cap=int(detail["liquidity_cap"]),
        portfolio_cap=int(detail["portfolio_cap"]),
        approved_size=int(out["size"]) if verdict is Verdict.APPROVE else 0,
        concentration_ppm=_concentration(detail, at.limits),
        counted=int(out["counted"]),
        counted_code=None if counted_first == s.NONE else c.code_of(counted_first),
    )


def risk_votes(detail: np.void, action: Action) -> tuple[RiskVote, ...]:
    """Every check's vote, from the values and limits that were recorded."""
    recorded = zip(c.CHECKS, detail["values"].tolist(), detail["limits"].tolist(), strict=True)
    return tuple(_vote(bit, *line, action) for bit, line in enumerate(recorded))


def _vote(bit: int, check: c.Check, value: int, limit: int, action: Action) -> RiskVote:
    distance = limit - value if check.side == c.MOST else value - limit
    return RiskVote(
        check=check.name,
        bit=bit,
        code=check.code,
        owner=reason(check.code).owner,
        applies=check.applies,
        unit=check.unit,
        value=value,
        limit=limit,
        distance=distance,
        vote=Vote.REJECT if distance < 0 else Vote.APPROVE,
        counts=action is Action.BUY or check.applies == c.ALL,
    )


def _verdict(out: np.void, votes: tuple[RiskVote, ...]) -> Verdict:
    """The gate's answer, after the row has been compared with its own numbers."""
    bits = int(out["votes"])
    where = f"input {int(out['in_seq'])}, output {int(out['ordinal'])}"
    for vote in votes:
        told = bits >> vote.bit & 1
        if told != int(vote.counts and vote.vote is Vote.REJECT):
            raise AssertionError(f"{where}: {vote.check} has value {vote.value}, limit {vote.limit} and the bit {told}")
    approved = int(out["kind"]) == s.APPROVAL
    if bits >> len(votes) or int(out["first"]) != c.first(bits) or approved != (bits == 0):
        raise AssertionError(
            f"{where}: kind {int(out['kind'])} and first {int(out['first'])} do not fit votes {bits:#x}"
        )
    if approved:
        return Verdict.APPROVE
    return Verdict.WAIT if bits == 1 << c.RANK else Verdict.REJECT


def _market(index: int, names: Names, mk: np.void, values: list[int]) -> Market:
    """The registry record; what a check has read is told as the check read it."""
    known, assumed = int(mk["known"]), int(mk["assumed"])

    def fact(which: Fact) -> int | None:
        return int(mk[which.name.lower()]) if known >> which & 1 else None

    taker_only, neg_risk = fact(Fact.FEE_TAKER_ONLY), fact(Fact.NEG_RISK)
    synced = fact(Fact.SYNCED_TS)
    return Market(
        index=index,
        condition_id=names.markets[index],
        tokens=(names.token(index, Outcome.YES), names.token(index, Outcome.NO)),
        venue=fact(Fact.VENUE),
        status=MarketStatus(values[c.MARKET_HALT]),
        tick=int(mk["tick"]) or None,
        min_size=fact(Fact.MIN_SIZE),
        fee_rate=fact(Fact.FEE_RATE),
        fee_exponent=fact(Fact.FEE_EXPONENT),
        fee_taker_only=None if taker_only is None else taker_only != 0,
        fee_bps=fact(Fact.FEE_BPS),
        taker_delay_ms=fact(Fact.TAKER_DELAY_MS),
        open_ts=None,
        close_ts=fact(Fact.CLOSE_TS),
        resolution_ts=None,
        resolution_rule=None,
        resolution_source=None,
        cluster=fact(Fact.CLUSTER),
        category=None,
        parent_event_id=None,
        neg_risk=None if neg_risk is None else neg_risk != 0,
        allowed=values[c.COMPLIANCE_MARKET] != 0 if known >> Fact.ALLOWED & 1 else None,
        synced_ts=synced,
        freshness_ms=None if synced is None else values[c.REGISTRY_FRESH],
        missing=missing_facts(values[c.INSTRUMENT]),
        assumed=tuple(fact.name for fact in Fact if assumed >> fact & 1),
    )


def _features(out: np.void, detail: np.void, votes: tuple[RiskVote, ...], at: Moment) -> FeatureVector | None:
    if detail["quality"] != s.BOOK_OK or detail["best_bid"] == s.NONE or detail["best_ask"] == s.NONE:
        return None
    values = tuple(detail["features"].tolist())
    quality = FeatureQuality.FRESH
    if votes[c.FEATURES].vote is Vote.REJECT:
        quality = FeatureQuality.PARTIAL
    if votes[c.BOOK_STALE].vote is Vote.REJECT:
        quality = FeatureQuality.STALE
    windows = values[s.COMPLETE_60S : s.COMPLETE_60S + s.WINDOWS]
    return FeatureVector(
        id=f"{int(out['market'])}:{int(out['in_seq'])}",
        signal_version=s.SIGNAL_VERSION,
        market=int(out["market"]),
        in_seq=int(out["in_seq"]),
        names=s.FEATURES,
        values=values,
        standardised=_standardised(values, at),
        windows_s=s.SPANS_S,
        completeness_ppm=tuple(int(part * PPM) for part in windows),
        quality=quality,
    )


def _standardised(values: tuple[float, ...], at: Moment) -> tuple[float, ...]:
    if int(at.strategy["model"]) != LOGIT:
        return ()
    _, means, inverses = at.params[WEIGHTS_AT:TABLE_AT].reshape(3, s.N_FEATURES).tolist()
    return tuple(
        max(-Z_MAX, min(Z_MAX, (x - mean) * inverse)) for x, mean, inverse in zip(values, means, inverses, strict=True)
    )


def _fair_value(
    features: FeatureVector | None, name: str, detail: np.void, votes: tuple[RiskVote, ...], at: Moment
) -> FairValue | None:
    if features is None or votes[c.FAIR_VALUE].vote is Vote.REJECT:
        return None
    withheld = [votes[bit].code for bit in (c.FEATURES, c.REFERENCE, c.BAND) if votes[bit].vote is Vote.REJECT]
    model = int(at.strategy["model"])
    table = at.params[TABLE_AT:] if model == LOGIT else at.params[:0]
    return FairValue(
        id=f"{features.id}:{name}",
        model=MODELS[model],
        model_version=_hash(MODELS[model], at.params[:TABLE_AT]),
        calibration_version=_hash("calibration", table),
        p_hat=float(detail["p_hat"]),
        lower=float(detail["lower"]),
        upper=float(detail["upper"]),
        buffer=int(detail["buffer"]),
        completeness_ppm=votes[c.FEATURES].value,
        suppression=withheld[0] if withheld else None,
    )


def _hash(label: str, numbers: np.ndarray) -> str:
    return hashlib.sha256(label.encode() + numbers.astype("<f8").tobytes()).hexdigest()


def _execution(
    detail: np.void, action: Action, outcome: Outcome, at: Moment, book_hash: str | None
) -> ExecutionEstimate | None:
    if detail["filled"] <= 0:
        return None
    # A flatten command does not wait at the best price.
    rests = at.strategy["maker"] != 0 and detail["values"][c.FLATTEN] == 0
    bid, ask = int(detail["best_bid"]), int(detail["best_ask"])
    return ExecutionEstimate(
        policy=ExecutionPolicy.POST_ONLY if rests else ExecutionPolicy.TAKE,
        action=action,
        outcome=outcome,
        size=int(detail["wish"]),
        available=int(detail["filled"]),
        q_exec=int(detail["q_exec"]),
        slippage=int(detail["slippage"]),
        fee=int(detail["fee"]),
        p_fill=float(detail["p_fill"]),
        fill_ms=int(detail["fill_ms"]),
        valid_ms=int(detail["valid_ms"]),
        warnings=ExecutionWarning(int(detail["warnings"])),
        best_bid=None if bid == s.NONE else bid,
        best_ask=None if ask == s.NONE else ask,
        book_hash=book_hash,
    )


def _concentration(detail: np.void, limits: np.void) -> int | None:
    """Market's exposure, the smallest order included, in ppm of the capital, rounded up."""
    most = int(limits["concentration_ppm_max"])
    capital = int(detail["limits"][c.CONCENTRATION]) // most if most else 0
    return -(-int(detail["values"][c.CONCENTRATION]) // capital) if capital > 0 else None


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    raise TypeError(f"{value!r} has no canonical form")


def canonical(made: DecisionPacket) -> bytes:
    """The packet as JSON that is the same wherever it is made: sorted keys, no spaces, enums by value, UTF-8.

    Integers stay integers, and a float is told with as many digits as bring the same float back.
    """
    text = json.dumps(
        asdict(made), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_plain
    )
    return text.encode()


def packet_id(made: DecisionPacket) -> str:
    """SHA-256 of the canonical form, hex."""
    return hashlib.sha256(canonical(made)).hexdigest()
