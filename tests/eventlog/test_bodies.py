"""Bodies: exact, small, and a stored sample of each version still reads; a newer one is refused, not guessed at."""

import contextlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.eventlog import bodies
from apps.eventlog.faults import Corrupt, LogNewer
from polytraders.contracts.state import DETAIL, NONE, OUT
from tests.packets.made import example

SAMPLES = Path(__file__).with_name("samples")
OUT_1, DETAIL_1 = 128, 1_008


def test_the_example_comes_back_bit_by_bit_and_small() -> None:
    out, detail, _ = example()
    packed = bodies.body(out, detail)
    back, back_detail = bodies.unbody(packed)
    assert back_detail is not None
    assert (back.tobytes(), back_detail.tobytes()) == (out.tobytes(), detail.tobytes())
    assert len(packed) < 400


@given(st.integers(0, 2**32), st.booleans())
def test_any_bytes_come_back(seed: int, has_detail: bool) -> None:
    rng = np.random.default_rng(seed)
    out = np.frombuffer(rng.bytes(OUT.itemsize), OUT)[0].copy()
    detail = np.frombuffer(rng.bytes(DETAIL.itemsize), DETAIL)[0] if has_detail else None
    back, back_detail = bodies.unbody(bodies.body(out, detail))
    out["detail"] = 0 if has_detail else NONE
    assert back.tobytes() == out.tobytes()
    assert (back_detail is not None and back_detail.tobytes()) == (detail is not None and detail.tobytes())


def test_a_stored_sample_of_version_1_reads_as_it_was_written() -> None:
    packed = bytes.fromhex((SAMPLES / "body.1.hex").read_text())
    assert packed[0] == 1
    out, detail, _ = example()
    back, back_detail = bodies.unbody(packed)
    assert back_detail is not None
    assert back.tobytes() == out.tobytes()
    assert back_detail.tobytes() == detail.tobytes()


def test_the_rows_still_have_the_layout_of_the_current_version() -> None:
    assert (bodies.BODY_VERSION, OUT.itemsize, DETAIL.itemsize) == (1, OUT_1, DETAIL_1), (
        "OUT or DETAIL has changed: give bodies a new version, and read the old one through an upcaster"
    )


def test_a_newer_body_is_refused() -> None:
    packed = bytearray(bodies.pack(b"anything"))
    packed[0] = bodies.BODY_VERSION + 1
    with pytest.raises(LogNewer, match="GOV_LOG_NEWER"):
        bodies.unpack(bytes(packed))


def test_no_flipped_bit_of_a_body_gives_other_rows() -> None:
    out, detail, _ = example()
    packed = bodies.body(out, detail)
    for place in range(len(packed)):
        flipped = bytearray(packed)
        flipped[place] ^= 1
        # A bit of the frame that says nothing may change; what comes back never does.
        with contextlib.suppress(Corrupt, LogNewer):
            back, back_detail = bodies.unbody(bytes(flipped))
            assert back_detail is not None
            assert (back.tobytes(), back_detail.tobytes()) == (out.tobytes(), detail.tobytes()), place


@pytest.mark.parametrize("data", [b"", b"x" * OUT_1, b"x" * (OUT_1 + DETAIL_1 + 1)])
def test_a_body_that_is_no_output_row_is_refused(data: bytes) -> None:
    with pytest.raises(Corrupt):
        bodies.unbody(bodies.pack(data))
    with pytest.raises(Corrupt):
        bodies.unpack(b"")
