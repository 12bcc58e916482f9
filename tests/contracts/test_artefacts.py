"""Artefacts are values: frozen, complete, and without an invented fact."""

import ast
import dataclasses
import importlib
import math
import sys
from enum import Enum
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytraders.contracts.book import BookSnapshot, BookValidity, Level
from polytraders.contracts.decision import ApprovedTrade, DecisionPacket, RiskVote, Verdict, Vote
from polytraders.contracts.event import Event
from polytraders.contracts.execution import ExecutionEstimate, ExecutionWarning
from polytraders.contracts.fair_value import FairValue
from polytraders.contracts.features import FeatureQuality, FeatureVector
from polytraders.contracts.inputs import MarketStatus
from polytraders.contracts.ledger import Movement, Position, Transfer
from polytraders.contracts.market import Action, Market, Outcome
from polytraders.contracts.orders import Fill, Order, OrderStatus
from polytraders.contracts.replay import ReplayReport
from polytraders.contracts.state import BUY, SELL

CONTRACTS = Path(__file__).resolve().parents[2] / "polytraders" / "contracts"
ARTEFACTS: tuple[Any, ...] = (
    Market,
    BookSnapshot,
    Event,
    FeatureVector,
    FairValue,
    ExecutionEstimate,
    RiskVote,
    DecisionPacket,
    ApprovedTrade,
    Order,
    Fill,
    Movement,
    Transfer,
    Position,
    ReplayReport,
)
REPORT_FIELDS = {
    "clock",
    "frames",
    "frames_rejected",
    "events",
    "rows_mirrored",
    "markets",
    "mismatch_before_repair",
    "first_mismatch_frame",
    "best_mismatch",
    "repairs",
    "evaluations",
    "packets",
    "approved",
    "orders",
    "fills",
    "counts_by_code",
    "input_head",
    "output_head",
    "chain_head",
    "events_per_second",
}


def fair_value(**changes: Any) -> FairValue:
    whole: dict[str, Any] = {
        "id": "0:7:logit",
        "model": "logit",
        "model_version": "ab",
        "calibration_version": "cd",
        "p_hat": 0.67,
        "lower": 0.64,
        "upper": 0.71,
        "buffer": 12_775_000,
        "completeness_ppm": 1_000_000,
        "suppression": None,
    }
    return FairValue(**(whole | changes))


def features(**changes: Any) -> FeatureVector:
    whole: dict[str, Any] = {
        "id": "0:7",
        "signal_version": 1,
        "market": 0,
        "in_seq": 7,
        "names": ("spread", "mid"),
        "values": (0.02, 0.63),
        "standardised": (),
        "windows_s": (60,),
        "completeness_ppm": (1_000_000,),
        "quality": FeatureQuality.FRESH,
    }
    return FeatureVector(**(whole | changes))


def vote(bit: int, answer: Vote, *, counts: bool) -> RiskVote:
    return RiskVote(
        check=f"check{bit}",
        bit=bit,
        code="STRAT_NO_EDGE",
        owner="risk",
        applies="all",
        unit="ms",
        value=2,
        limit=1,
        distance=-1,
        vote=answer,
        counts=counts,
    )


def market() -> Market:
    return Market(
        index=0, condition_id="0x1", tokens=("1", "2"), venue=None, status=MarketStatus.OPEN, tick=100,
        min_size=5_000_000, fee_rate=None, fee_exponent=None, fee_taker_only=None, fee_bps=50, taker_delay_ms=None,
        open_ts=None, close_ts=None, resolution_ts=None, resolution_rule=None, resolution_source=None, cluster=None,
        category=None, parent_event_id=None, neg_risk=None, allowed=None, synced_ts=None, freshness_ms=None,
        missing=("VENUE",), assumed=(),
    )  # fmt: skip


def packet(*votes: RiskVote) -> DecisionPacket:
    return DecisionPacket(
        decision_id="7:0",
        correlation_id="7",
        in_seq=7,
        ordinal=0,
        ts=1,
        strategy="logit",
        rollout_stage=2,
        market=market(),
        book_hash=None,
        book_row_ts=1,
        features=features(),
        fair_value=fair_value(),
        execution=None,
        reference=None,
        position=0,
        action=Action.BUY,
        outcome=Outcome.YES,
        p_own=670_000_000,
        net_edge=9_000_000,
        votes=votes,
        verdict=Verdict.REJECT,
        code="STRAT_NO_EDGE",
        wish=1,
        strategy_cap=1,
        liquidity_cap=1,
        portfolio_cap=1,
        approved_size=0,
        concentration_ppm=None,
        counted=0,
        counted_code=None,
    )


def test_worked_example() -> None:
    book = BookSnapshot(
        market=0,
        in_seq=9,
        ts=1_700_000_050_840_000_000,
        tick=100,
        bids=(Level(6_200, 500_000_000),),
        asks=(Level(6_400, 1_500_000_000), Level(6_500, 600_000_000)),
        validity=BookValidity.VALID,
        code=None,
        hash="00",
        row_ts=1,
        witness_ts=0,
        stale_ms=0,
        snapshots=1,
        snapshot_differences=0,
        repairs=0,
        resyncs=0,
    )
    assert book.spread == 200
    assert dataclasses.replace(book, asks=()).spread is None
    assert features().value("mid") == 0.63
    assert (fair_value().p_hat, fair_value().lower, fair_value().upper) == (0.67, 0.64, 0.71)


@pytest.mark.parametrize("artefact", ARTEFACTS, ids=lambda artefact: artefact.__name__)
def test_an_artefact_is_frozen_slotted_and_told_by_keyword_without_defaults(artefact: Any) -> None:
    assert artefact.__dataclass_params__.frozen
    assert "__slots__" in vars(artefact)
    for field in dataclasses.fields(artefact):
        assert field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING, field.name
        assert field.kw_only


@pytest.mark.parametrize("artefact", ARTEFACTS, ids=lambda artefact: artefact.__name__)
def test_an_artefact_holds_no_list_and_no_set_and_explains_every_field(artefact: Any) -> None:
    for name, hint in get_type_hints(artefact).items():
        assert "list" not in str(hint) and "set[" not in str(hint), name
        assert f"        {name}: " in (artefact.__doc__ or ""), f"{artefact.__name__}.{name} is not explained"


def test_the_report_has_what_every_replay_is_judged_by() -> None:
    assert {field.name for field in dataclasses.fields(ReplayReport)} >= REPORT_FIELDS


def test_a_packet_embeds_its_inputs_by_value() -> None:
    hints = get_type_hints(DecisionPacket)
    assert hints["market"] is Market
    assert hints["features"] == FeatureVector | None
    assert hints["fair_value"] == FairValue | None
    assert hints["execution"] == ExecutionEstimate | None
    assert hints["votes"] == tuple[RiskVote, ...]


def test_only_rejections_that_count_are_rejections() -> None:
    made = packet(
        vote(0, Vote.APPROVE, counts=True), vote(1, Vote.REJECT, counts=False), vote(2, Vote.REJECT, counts=True)
    )
    assert [found.bit for found in made.rejections] == [2]


def test_action_numbers_are_those_of_the_rows() -> None:
    assert (int(Action.BUY), int(Action.SELL)) == (BUY, SELL)
    assert [warning.value for warning in ExecutionWarning] == [1, 2, 4, 8]


@pytest.mark.parametrize(
    "changes",
    [{"p_hat": math.nan}, {"p_hat": 1.1}, {"lower": -0.1}, {"upper": math.inf}, {"lower": 0.8}, {"upper": math.nan}],
    ids=str,
)
def test_what_is_not_a_probability_is_refused(changes: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="no probability"):
        fair_value(**changes)


@pytest.mark.parametrize(
    "changes",
    [{"values": (0.02, math.nan)}, {"values": (0.02,)}, {"standardised": (math.inf,)}, {"completeness_ppm": ()}],
    ids=str,
)
def test_what_cannot_have_been_measured_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"pair|finite"):
        features(**changes)


@given(st.integers(1, 10**13), st.data())
def test_open_size_is_what_is_neither_filled_nor_given_up(size: int, data: st.DataObject) -> None:
    filled = data.draw(st.integers(0, size))
    cancelled = data.draw(st.integers(0, size - filled))
    order = Order(
        order_id="1",
        decision_id="7:0",
        correlation_id="7",
        venue_ref=None,
        market=0,
        strategy="logit",
        action=Action.BUY,
        outcome=Outcome.YES,
        price=6_400,
        size=size,
        filled=filled,
        cancelled=cancelled,
        maker=False,
        held=0,
        status=OrderStatus.RESTING,
        code="EXEC_RESTING",
        created_ts=0,
        arrive_ts=0,
        expire_ts=0,
    )
    assert order.open_size >= 0
    assert order.open_size + order.filled + order.cancelled == order.size


def test_closed_sets_are_enums() -> None:
    for name in ("market", "book", "event", "features", "execution", "decision", "orders", "ledger"):
        module = importlib.import_module(f"polytraders.contracts.{name}")
        assert any(isinstance(member, type) and issubclass(member, Enum) for member in vars(module).values()), name


def test_contracts_import_the_standard_library_numpy_and_each_other_only() -> None:
    for path in CONTRACTS.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                root = name.split(".")[0]
                own = name.startswith("polytraders.contracts")
                assert own or root == "numpy" or root in sys.stdlib_module_names, f"{path.name} imports {name}"
