"""Rows become packets: by value, complete, and never with other votes than the gate's."""

import dataclasses
import hashlib
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.registry.core import instruments
from apps.signals.core.standardise import Z_MAX, standardise_by
from polytraders import packets
from polytraders.contracts import checks as c
from polytraders.contracts import state as s
from polytraders.contracts.decision import DecisionPacket, Verdict, Vote
from polytraders.contracts.execution import ExecutionPolicy, ExecutionWarning
from polytraders.contracts.features import FeatureQuality
from polytraders.contracts.inputs import Fact, MarketStatus
from polytraders.contracts.market import Action, Outcome
from polytraders.contracts.reasons import reason
from polytraders.naming import Names, missing_facts
from polytraders.packets import canonical, packet, packet_id
from tests.packets.made import NAMES, SHARE, Made, example
from tests.packets.played import ROOT, Played


def told(made: Made) -> DecisionPacket:
    return packet(made.out, made.detail, names=NAMES, at=made.at)


def all_packets(played: Played) -> Iterator[DecisionPacket]:
    for step in played.steps:
        for out in step.out:
            if out["kind"] in (s.PACKET, s.APPROVAL):
                at = step.moments[int(out["market"]), int(out["strategy"])]
                yield packet(out, step.detail[int(out["detail"])], names=played.names, at=at)


@pytest.fixture(scope="module")
def every(played: Played) -> list[DecisionPacket]:
    return list(all_packets(played))


def test_worked_example() -> None:
    made = told(example())
    assert made.fair_value is not None and made.execution is not None and made.features is not None
    assert (made.fair_value.p_hat, made.fair_value.lower, made.fair_value.upper) == (0.67, 0.64, 0.71)
    assert (made.execution.q_exec, made.execution.fee, made.fair_value.buffer) == (645_000_000, 3_225_000, 12_775_000)
    assert (
        made.p_own - made.execution.q_exec - made.execution.fee - made.fair_value.buffer == made.net_edge == 9_000_000
    )
    assert (made.verdict, made.code) == (Verdict.APPROVE, "STRAT_EDGE_DETECTED")
    assert (made.action, made.outcome, made.approved_size) == (Action.BUY, Outcome.YES, 2_000 * SHARE)
    assert (made.decision_id, made.correlation_id) == ("7:1", "7:0:0")
    assert (made.counted, made.counted_code) == (3, "STRAT_AWAITING_RANK")
    assert made.rejections == () and len(made.votes) == c.N_CHECKS


def test_the_registry_record_tells_only_what_is_known() -> None:
    made = example()
    market = told(made).market
    assert (market.tick, market.min_size, market.fee_bps, market.tokens) == (100, 5 * SHARE, 50, ("111", "222"))
    assert (market.status, market.allowed, market.freshness_ms) == (MarketStatus.OPEN, True, 2_500)
    assert market.assumed == ("MIN_SIZE", "CLOSE_TS") and market.missing == ()
    made.at.market["known"] = 0
    made.at.market["tick"] = 0
    market = told(made).market
    unknown = ("tick", "min_size", "fee_rate", "fee_bps", "fee_taker_only", "cluster", "venue", "allowed", "synced_ts")
    assert all(getattr(market, name) is None for name in (*unknown, "freshness_ms", "neg_risk", "close_ts"))


def test_a_token_that_was_never_told_has_no_name() -> None:
    names = Names(("0x1", "0x2"), (("1",),), ("logit",))
    assert (names.token(0, 0), names.token(0, 1), names.token(1, 0)) == ("1", "", "")


def test_without_a_book_there_is_no_measurement_forecast_or_estimate() -> None:
    made = example()
    made.detail["best_ask"] = s.NONE
    made.detail["filled"] = 0
    found = told(made)
    assert (found.features, found.fair_value, found.execution) == (None, None, None)


def test_quality_says_why_a_measurement_is_not_fresh() -> None:
    made = example()
    assert told(made).features.quality is FeatureQuality.FRESH  # type: ignore[union-attr]
    for check, quality in (("features", FeatureQuality.PARTIAL), ("book_stale", FeatureQuality.STALE)):
        rejected(made, check)
        found = told(made)
        assert found.features is not None and found.features.quality is quality
    assert found.fair_value is not None and found.fair_value.suppression == "STRAT_FEATURES_INCOMPLETE"


def rejected(made: Made, check: str) -> None:
    """Let a check reject, in numbers and bits."""
    bit = c.BITS[check]
    made.detail["values"][bit] = made.detail["limits"][bit] + (1 if c.CHECKS[bit].side == c.MOST else -1)
    made.out["votes"] |= 1 << bit
    made.out["first"] = c.first(int(made.out["votes"]))
    made.out["kind"] = s.PACKET


def test_a_resting_strategy_takes_when_it_flattens() -> None:
    made = example()
    made.at.strategy["maker"] = 1
    assert told(made).execution.policy is ExecutionPolicy.POST_ONLY  # type: ignore[union-attr]
    made.detail["values"][c.FLATTEN] = 1
    made.out["action"] = s.SELL
    assert told(made).execution.policy is ExecutionPolicy.TAKE  # type: ignore[union-attr]


def test_a_sale_is_not_stopped_by_checks_for_increasing_trades() -> None:
    made = example()
    made.out["action"] = s.SELL
    made.detail["values"][c.NET_EDGE] = -1
    vote = told(made).votes[c.NET_EDGE]
    assert (vote.vote, vote.counts, vote.distance) == (Vote.REJECT, False, -1_000_001)
    made.out["action"] = s.BUY
    with pytest.raises(AssertionError, match="net_edge"):
        told(made)


def test_waiting_is_a_verdict_of_its_own() -> None:
    made = example()
    rejected(made, "rank")
    found = told(made)
    assert (found.verdict, found.code, found.approved_size) == (Verdict.WAIT, "STRAT_AWAITING_RANK", 0)
    rejected(made, "size")
    assert told(made).verdict is Verdict.REJECT


@pytest.mark.parametrize("check", c.CHECKS, ids=lambda check: check.name)
def test_a_bit_that_contradicts_its_numbers_is_named(check: c.Check) -> None:
    made = example()
    made.out["votes"] = 1 << c.BITS[check.name]
    with pytest.raises(AssertionError, match=f"input 7, output 1: {check.name} has value"):
        told(made)
    made = example()
    rejected(made, check.name)
    assert told(made).code == check.code
    made.out["votes"] = 0
    with pytest.raises(AssertionError, match=f"{check.name} has value"):
        told(made)


@pytest.mark.parametrize(("field", "value"), [("kind", s.PACKET), ("first", 0), ("votes", 1 << c.N_CHECKS)])
def test_a_row_that_contradicts_itself_is_refused(field: str, value: int) -> None:
    made = example()
    made.out[field] = value
    with pytest.raises(AssertionError, match="do not fit votes"):
        told(made)


def test_concentration_is_the_markets_part_of_the_capital_rounded_up() -> None:
    made = example()
    assert told(made).concentration_ppm == 325  # 3.241126 of 10,000 pUSD
    made.at.limits["concentration_ppm_max"] = 0
    assert told(made).concentration_ppm is None


def test_the_canonical_form_is_sorted_dense_and_exact() -> None:
    made = told(example())
    data = canonical(made)
    read = json.loads(data)
    assert data == json.dumps(read, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert b": " not in data and data.startswith(b'{"action":0,')
    assert read["fair_value"]["p_hat"] == 0.67 and read["verdict"] == "approve"
    assert read["execution"]["warnings"] == ExecutionWarning.THIN and read["features"]["quality"] == "fresh"
    assert tuple(read["features"]["values"]) == made.features.values  # type: ignore[union-attr]
    assert packet_id(made) == hashlib.sha256(data).hexdigest()
    assert packet_id(dataclasses.replace(made, counted=4)) != packet_id(made)


@given(st.floats(0.0, 1.0), st.integers(-(2**62), 2**62))
def test_no_digit_is_lost_in_the_canonical_form(p_hat: float, net_edge: int) -> None:
    made = example()
    made.detail["p_hat"] = p_hat
    made.detail["net_edge"] = net_edge
    read = json.loads(canonical(told(made)))
    assert (read["fair_value"]["p_hat"], read["net_edge"]) == (p_hat, net_edge)


def test_standardised_features_are_those_that_the_model_reads() -> None:
    assert packets.Z_MAX == Z_MAX
    made = example()
    for x, mean, inverse in ((0.02, 0.5, 3.0), (1e9, 0.0, 1.0), (-1e9, 0.0, 1.0), (2.5, 2.5, 0.1)):
        made.detail["features"][:] = x
        made.at.params[4 + s.N_FEATURES : 4 + 2 * s.N_FEATURES] = mean
        made.at.params[4 + 2 * s.N_FEATURES : 4 + 3 * s.N_FEATURES] = inverse
        found = told(made).features
        assert found is not None and set(found.standardised) == {standardise_by(x, mean, inverse)}
    made.at.strategy["model"] = 2
    assert told(made).features.standardised == ()  # type: ignore[union-attr]


def test_the_models_version_follows_its_parameters_and_its_calibration_is_told_apart() -> None:
    made = example()
    first = told(made).fair_value
    made.at.params[0] += 1e-9
    second = told(made).fair_value
    made.at.params[-1] += 1e-9
    third = told(made).fair_value
    assert first is not None and second is not None and third is not None
    assert first.model_version != second.model_version == third.model_version
    assert first.calibration_version == second.calibration_version != third.calibration_version


@given(st.integers(0, 2**33 - 1))
def test_missing_facts_are_named_like_the_registry_names_them(bits: int) -> None:
    known = bits & ((1 << len(Fact)) - 1 | instruments.TICK_MISSING)
    assert missing_facts(known) == instruments.named(known)


def test_every_packet_of_a_session_has_the_votes_of_its_row(every: list[DecisionPacket], played: Played) -> None:
    # `packet` refuses anything else, so what is left to show is that the session had something to say.
    codes = Counter(made.code for made in every)
    assert len(every) > 800 and len(codes) >= 12, codes
    assert {(made.action, made.outcome) for made in every} == {(a, o) for a in Action for o in Outcome}
    assert {made.verdict for made in every} == set(Verdict)
    assert any(vote.vote is Vote.REJECT and not vote.counts for made in every for vote in made.votes)
    bits = [int(out["votes"]) for step in played.steps for out in step.out if out["detail"] != s.NONE]
    assert bits == [sum(1 << vote.bit for vote in made.rejections) for made in every]


def test_every_packets_edge_is_the_sum_of_its_terms(every: list[DecisionPacket]) -> None:
    seen = 0
    for made in every:
        if made.execution is not None and made.fair_value is not None:
            gross = made.p_own - made.execution.q_exec
            gross = gross if made.action is Action.BUY else -gross
            assert made.net_edge == gross - made.execution.fee - made.fair_value.buffer
            assert made.net_edge == made.votes[c.NET_EDGE].value
            seen += 1
    assert seen > 500


def test_every_packets_size_is_within_its_caps_and_its_id_its_own(every: list[DecisionPacket]) -> None:
    for made in every:
        if made.verdict is Verdict.APPROVE:
            assert 0 < made.approved_size <= min(made.strategy_cap, made.liquidity_cap, made.portfolio_cap)
        assert [vote.owner for vote in made.votes] == [reason(check.code).owner for check in c.CHECKS]
    assert len({made.decision_id for made in every}) == len({packet_id(made) for made in every}) == len(every)
    approved = [made.correlation_id for made in every if made.verdict is Verdict.APPROVE]
    assert len(set(approved)) == len(approved)


def test_a_market_without_a_registry_entry_says_what_is_missing(every: list[DecisionPacket]) -> None:
    unknown = [made for made in every if made.code == "GOV_INSTRUMENT_UNKNOWN"]
    assert unknown and {made.market.index for made in unknown} == {5}
    assert set(unknown[-1].market.missing) == {fact.name for fact in Fact if fact <= Fact.CLUSTER}


def test_the_web_half_can_render_without_the_compiler() -> None:
    names = ("packets", "explain", "naming", "figures", "bookings", "journal")
    code = f"import sys\nimport {', '.join('polytraders.' + name for name in names)}\nprint('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
