"""The recorded session gives the numbers that are known of it, and a made-up one the same picture."""

from pathlib import Path

import numpy as np
import pytest

from polytraders.contracts.replay import ReplayReport
from polytraders.kernel.jit import JIT_OFF
from tests import sessions
from tests.oracle import Oracle
from tests.recorded import needs_capture

FRAMES = 77_712
PREFIX = 6_000
"""Frames of it that the plain sources take in good time."""


def followed(
    session: sessions.Session, *, frames: int | None = None, known: bool = True
) -> tuple[ReplayReport, Oracle]:
    """The report, and the naive book that was given the same rows."""
    run = session.replay(frames=frames, known=known)
    oracle = Oracle()
    for rows in run.capture:
        run.runner.feed(rows)
        oracle.feed(rows)
    return run.report(), oracle


def agrees(report: ReplayReport, oracle: Oracle) -> None:
    """The compiled book found what the naive one found."""
    first = oracle.mismatches[0][0] if oracle.mismatches else None
    assert report.mismatch_before_repair == len(oracle.mismatches)
    assert report.first_mismatch_frame == first
    assert report.repairs == oracle.repairs
    assert report.best_mismatch == len(oracle.best_mismatches) == 0
    assert report.snapshots == oracle.snapshots
    assert report.snapshot_differences == oracle.snapshot_differences == 0
    assert report.rows_mirrored == oracle.mirrored


def adds_up(report: ReplayReport) -> None:
    """Every evaluation has a code."""
    assert report.evaluations == sum(report.counts_by_code.values()) > 0
    assert report.counts_by_code.get("STRAT_EDGE_DETECTED", 0) == report.approved == report.orders


def trades(report: ReplayReport) -> None:
    """Something was approved and filled, and the money is all there."""
    assert report.approved > 0
    assert report.fills > 0
    assert report.equity == report.capital + report.realised + report.unrealised
    assert report.assumed


def trades_nothing(report: ReplayReport) -> None:
    """Without a registry no market is known."""
    assert set(report.counts_by_code) == {"GOV_INSTRUMENT_UNKNOWN"}
    assert (report.approved, report.orders, report.fills, report.expired) == (0, 0, 0, 0)
    assert report.equity == report.capital
    assert report.assumed == {}


@needs_capture
@pytest.mark.skipif(JIT_OFF, reason="the plain sources are judged on the first frames")
def test_the_recorded_session_gives_its_known_numbers(tmp_path: Path) -> None:
    report = sessions.recorded(tmp_path).replay().run()
    assert (report.clock, report.frames, report.frames_rejected, report.markets) == ("synthetic", FRAMES, 0, 6)
    assert report.rows_mirrored == 77_360
    assert (report.mismatch_before_repair, report.first_mismatch_frame, report.repairs) == (114, 3_307, 144)
    assert (report.best_mismatch, report.snapshots, report.snapshot_differences) == (0, 18, 0)
    adds_up(report)
    trades(report)


@needs_capture
@pytest.mark.skipif(JIT_OFF, reason="the plain sources are judged on the first frames")
def test_the_recorded_session_is_not_traded_without_a_registry(tmp_path: Path) -> None:
    report = sessions.recorded(tmp_path).replay(known=False).run()
    assert (report.frames, report.rows_mirrored, report.repairs) == (FRAMES, 77_360, 144)
    adds_up(report)
    trades_nothing(report)


@needs_capture
def test_the_first_recorded_frames_agree_with_the_naive_book(tmp_path: Path) -> None:
    report, oracle = followed(sessions.recorded(tmp_path), frames=PREFIX)
    assert (report.frames, report.frames_rejected, report.markets) == (PREFIX, 0, 6)
    assert report.first_mismatch_frame == 3_307
    agrees(report, oracle)
    adds_up(report)
    trades(report)


def test_a_made_up_session_agrees_with_the_naive_book(tmp_path: Path) -> None:
    session = sessions.made_up(tmp_path, PREFIX)
    report, oracle = followed(session)
    assert (report.clock, report.frames, report.frames_rejected, report.markets) == ("synthetic", PREFIX, 0, 6)
    assert report.mismatch_before_repair > 0
    assert report.repairs > 0
    agrees(report, oracle)
    adds_up(report)
    trades(report)


def test_a_made_up_session_is_not_traded_without_a_registry(tmp_path: Path) -> None:
    session = sessions.made_up(tmp_path, 1_000)
    report, _ = followed(session, known=False)
    adds_up(report)
    trades_nothing(report)


def test_the_inputs_are_numbered_without_a_gap_and_time_never_steps_back(tmp_path: Path) -> None:
    rows = np.concatenate(list(sessions.made_up(tmp_path, 1_000).replay(block_rows=100).capture))
    assert rows["in_seq"].tolist() == list(range(1, len(rows) + 1))
    assert (np.diff(rows["recv_ts"]) >= 0).all()
    assert (np.diff(rows["source_ts"]) < 0).any(), "the venue's own times do"
