"""Half a minute of `make soak`, and what its judgement is worth."""

from pathlib import Path

import pytest

from tests.faults.soak import Sample, judge, run

FOR_S, STEP_S = 30.0, 2.0
FLAT = Sample(at_s=0, rss_mb=400, lag_ms=20, frames=5, inbox=0, files=30, inputs_s=3_000)


def test_half_a_minute_at_ten_times_the_rate_is_bounded(app_dsn: str, tmp_path: Path) -> None:
    samples = run(app_dsn, tmp_path / "home", for_s=FOR_S, step_s=STEP_S)
    assert judge(samples) == []


def test_a_flat_run_is_bounded_and_one_bad_moment_is_no_growth() -> None:
    samples = [FLAT] * 30
    assert judge(samples) == []
    samples[25] = FLAT._replace(lag_ms=9_000, frames=50_000, rss_mb=900)
    assert judge(samples) == []


@pytest.mark.parametrize(
    ("field", "step"), [("rss_mb", 4.0), ("lag_ms", 60.0), ("frames", 300.0), ("inbox", 10.0), ("files", 8.0)]
)
def test_what_grows_is_found(field: str, step: float) -> None:
    samples = [FLAT._replace(**{field: getattr(FLAT, field) + number * step}) for number in range(30)]
    (complaint,) = judge(samples)
    assert complaint.startswith({"rss_mb": "memory"}.get(field, field))


def test_a_loop_that_stands_still_and_a_run_that_is_too_short_are_found() -> None:
    assert judge([FLAT] * 20 + [FLAT._replace(inputs_s=0)] * 10) == ["it stood still"]
    assert judge([FLAT] * 5)
