"""Stage 10: the first difference between two runs."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.replay.core.compare import BATCH, Difference, Outputs, code_of, equal_rows, first_difference
from polytraders.contracts.checks import BITS, CHECKS
from polytraders.contracts.reasons import reason
from polytraders.contracts.state import DETAIL, FEATURES, NONE, OUT


def run(count: int = 6) -> Outputs:
    """Outputs of inputs 10, 20, 30, ...; every second one has a detail."""
    out = np.zeros(count, OUT)
    out["in_seq"] = np.arange(1, count + 1) * 10
    out["detail"] = np.where(np.arange(count) % 2, np.arange(count) // 2, NONE)
    detail = np.zeros(count // 2, DETAIL)
    detail["p_hat"] = 0.67
    detail["features"] = np.nan
    return Outputs(out, detail)


def copy(outputs: Outputs) -> Outputs:
    return Outputs(outputs.out.copy(), outputs.detail.copy())


def test_worked_example() -> None:
    # A spread limit tightened from 600 to 400 shows in the first packet that records it.
    recorded = run()
    recorded.detail["limits"][:, BITS["market_quality"]] = 600
    replayed = copy(recorded)
    replayed.detail["limits"][:, BITS["market_quality"]] = 400
    found = first_difference(recorded, replayed)
    assert found == Difference(20, 0, "limits.market_quality", 600, 400)
    assert found.in_words() == "input 20, output 0: limits.market_quality was 600 and is 400"
    assert code_of(found) == "GOV_REPLAY_REGRESSION"


def test_equal_runs_have_no_difference_wherever_their_details_lie() -> None:
    recorded, replayed = run(), run()
    assert first_difference(recorded, replayed) is None
    replayed.out["detail"][replayed.out["detail"] != NONE] += 1
    moved = Outputs(replayed.out, np.concatenate((recorded.detail[:1], recorded.detail)))
    assert first_difference(recorded, moved) is None
    assert first_difference(run(0), run(0)) is None
    assert reason(code_of(None)).owner == reason("GOV_REPLAY_REGRESSION").owner == "replay"


def test_a_packet_that_one_run_lacks_is_named_by_the_other() -> None:
    full = run()
    without = Outputs(np.delete(full.out, 2), full.detail)
    assert first_difference(full, without) == Difference(30, 0, "row", "present", "absent")
    assert first_difference(without, full) == Difference(30, 0, "row", "absent", "present")


def test_a_run_that_ends_early_lacks_the_next_packet() -> None:
    full = run()
    assert first_difference(full, Outputs(full.out[:4], full.detail)) == Difference(50, 0, "row", "present", "absent")
    assert first_difference(run(0), full) == Difference(10, 0, "row", "absent", "present")


def test_a_missing_detail_is_named() -> None:
    full, bare = run(), run()
    bare.out["detail"][1] = NONE
    assert first_difference(full, bare) == Difference(20, 0, "detail", "present", "absent")
    assert first_difference(bare, full) == Difference(20, 0, "detail", "absent", "present")


def test_a_difference_far_into_the_runs_is_found() -> None:
    recorded, replayed = run(3 * BATCH), run(3 * BATCH)
    replayed.out["price"][2 * BATCH + 7] = 1
    assert first_difference(recorded, replayed) == Difference((2 * BATCH + 8) * 10, 0, "price", 0, 1)


def test_elements_of_a_detail_have_their_names() -> None:
    recorded, replayed = run(), run()
    replayed.detail["features"][0, FEATURES.index("imbalance")] = 0.5
    replayed.detail["values"][0, len(CHECKS) - 1] = 9
    found = first_difference(recorded, replayed)
    assert found is not None
    assert (found.field, found.replayed) == ("features.imbalance", 0.5)


def test_floats_differ_by_their_bits() -> None:
    recorded, replayed = run(), run()
    replayed.detail["lower"][0] = -0.0
    found = first_difference(recorded, replayed)
    assert found is not None
    assert (found.field, str(found.recorded), str(found.replayed)) == ("lower", "0.0", "-0.0")


@pytest.mark.parametrize("field", [name for name in OUT.names or () if name not in {"in_seq", "ordinal", "detail"}])
def test_every_field_of_an_output_is_compared(field: str) -> None:
    recorded, replayed = run(), run()
    replayed.out[field][3] += 1
    found = first_difference(recorded, replayed)
    assert found == Difference(40, 0, field, 0, 1)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_the_first_of_several_changes_is_the_one_named(data: Any) -> None:
    recorded, replayed = run(40), run(40)
    places = data.draw(st.lists(st.integers(0, 39), min_size=1, max_size=6))
    for place in places:
        replayed.out["votes"][place] += 1
    found = first_difference(recorded, replayed)
    assert found is not None
    assert found.in_seq == (min(places) + 1) * 10
    assert first_difference(replayed, recorded) == found._replace(recorded=found.replayed, replayed=found.recorded)


def test_equal_rows_counts_what_both_have_alike_whatever_else_is_missing_or_changed() -> None:
    recorded = run(10)
    assert equal_rows(recorded, copy(recorded)) == 10
    replayed = copy(recorded)
    replayed.out["price"][2] += 1
    replayed.detail["p_hat"][0] = 0.5
    shorter = Outputs(np.delete(replayed.out, 5), replayed.detail)
    assert equal_rows(recorded, shorter) == equal_rows(shorter, recorded) == 7
    assert equal_rows(recorded, run(0)) == 0
