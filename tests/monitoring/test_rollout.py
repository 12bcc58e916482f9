"""Stage 11: the rollout ladder."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.monitoring.core.rollout import DEMOTED, NEEDED, PROMOTED, REFUSED, Evidence, move
from polytraders.contracts.inputs import Stage
from polytraders.contracts.reasons import reason

FULL = Evidence(parity_ppm=1_000_000, hours=10_000, fills=10_000, drift_ppm=0, incidents=0, person="R. Ortiz")
STAGES = st.sampled_from(Stage)
EVIDENCE = st.none() | st.builds(
    Evidence,
    parity_ppm=st.integers(0, 1_000_000),
    hours=st.integers(0, 1_000),
    fills=st.integers(0, 1_000),
    drift_ppm=st.integers(0, 1_000_000),
    incidents=st.integers(0, 2),
    person=st.sampled_from(["", " ", "R. Ortiz"]),
)


def test_worked_example() -> None:
    # replay -> shadow -> paper -> canary, one at a time; live is where it ends.
    stage = Stage.REPLAY
    for wanted in (Stage.SHADOW, Stage.PAPER, Stage.CANARY):
        stage, code, missing = move(stage, wanted, FULL)
        assert (stage, code, missing) == (wanted, PROMOTED, ())
    assert move(Stage.CANARY, Stage.LIVE, FULL) == (
        Stage.CANARY,
        "GOV_ROLLOUT_EVIDENCE_MISSING",
        ("access control and a hardened gateway",),
    )


@given(STAGES, EVIDENCE)
def test_live_is_refused_whatever_is_shown(current: Stage, evidence: Evidence | None) -> None:
    if current is not Stage.LIVE:
        found = move(current, Stage.LIVE, evidence)
        assert (found.stage, found.code) == (current, REFUSED)


@pytest.mark.parametrize(("current", "wanted"), [(a, b) for a, b in itertools.product(Stage, Stage) if b < a])
def test_down_is_immediate_and_needs_nothing(current: Stage, wanted: Stage) -> None:
    assert move(current, wanted, None) == (wanted, DEMOTED, ())


def test_a_stage_cannot_be_left_out() -> None:
    found = move(Stage.REPLAY, Stage.PAPER, FULL)
    assert (found.stage, found.code) == (Stage.REPLAY, REFUSED)
    assert found.missing == ("the stages between replay and paper",)


@pytest.mark.parametrize(
    ("changed", "missing"),
    [
        ({"parity_ppm": 999_999}, ("parity",)),
        ({"hours": 167}, ("hours",)),
        ({"fills": 99}, ("fills",)),
        ({"drift_ppm": 100_001}, ("drift",)),
        ({"incidents": 1}, ("incidents",)),
        ({"person": "  "}, ("person",)),
        ({"hours": 0, "person": ""}, ("hours", "person")),
    ],
)
def test_everything_that_is_missing_is_named(changed: dict[str, int | str], missing: tuple[str, ...]) -> None:
    found = move(Stage.PAPER, Stage.CANARY, FULL._replace(**changed))  # type: ignore[arg-type]
    assert found == (Stage.PAPER, REFUSED, missing)


def test_no_evidence_is_none() -> None:
    assert move(Stage.REPLAY, Stage.SHADOW, None) == (Stage.REPLAY, REFUSED, ("evidence",))
    assert move(Stage.PAPER, Stage.PAPER, None) == (Stage.PAPER, "", ())


@given(STAGES, STAGES, EVIDENCE)
def test_a_strategy_never_rises_more_than_one_stage_nor_without_a_person(
    current: Stage, wanted: Stage, evidence: Evidence | None
) -> None:
    found = move(current, wanted, evidence)
    assert found.stage <= current + 1
    if found.stage > current:
        assert evidence is not None
        assert evidence.person.strip()
        assert evidence.parity_ppm == NEEDED[found.stage].parity_ppm
    if found.code:
        assert reason(found.code).owner == "monitoring"
