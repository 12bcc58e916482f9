"""Stage 3: the hash chains, against their definitions written out."""

import hashlib
import struct
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.eventlog.core.chain import (
    INPUT_GENESIS,
    OUTPUT_GENESIS,
    InputChain,
    OutputChain,
    chain_head,
)
from polytraders.contracts.inputs import GROUP, INPUT, empty
from polytraders.contracts.state import DETAIL, NONE, OUT

Rows = np.ndarray[Any, Any]


def inputs(count: int, seed: int = 0) -> Rows:
    made = empty(count)
    made["in_seq"] = np.arange(1, count + 1)
    made["price"] = np.random.default_rng(seed).integers(0, 10_000, count)
    return made


def outputs(seed: int, events: int) -> tuple[Rows, Rows]:
    """Some inputs with one to four outputs each, about half of them with a detail, in any place."""
    rng = np.random.default_rng(seed)
    seqs = np.repeat(np.cumsum(rng.integers(1, 5, events)), rng.integers(1, 5, events))
    out = np.zeros(len(seqs), OUT)
    out["in_seq"] = seqs
    out["votes"] = rng.integers(0, 2**40, len(seqs))
    detail = np.zeros(len(seqs) + 3, DETAIL)
    detail["p_hat"] = rng.random(len(detail))
    detail["limits"] = rng.integers(0, 2**40, detail["limits"].shape)
    out["detail"] = np.where(rng.random(len(seqs)) < 0.5, rng.permutation(len(detail))[: len(seqs)], NONE)
    return out, detail


def naive_inputs(rows: Rows) -> bytes:
    link = INPUT_GENESIS
    for start in range(0, len(rows), GROUP):
        link = hashlib.sha256(link + rows[start : start + GROUP].tobytes()).digest()
    return link


def naive_outputs(out: Rows, detail: Rows) -> bytes:
    link = OUTPUT_GENESIS
    for seq in np.unique(out["in_seq"]):
        mine = out[out["in_seq"] == seq]
        text, details = struct.pack("<2q", seq, len(mine)), b""
        for row in mine:
            at = int(row["detail"])
            row["detail"] = min(at, 0)
            text += row.tobytes()
            details += detail[at].tobytes() if at >= 0 else b""
        link = hashlib.sha256(link + text + details).digest()
    return link


def test_worked_example() -> None:
    # Two closed groups and three rows of the third.
    rows = inputs(2 * GROUP + 3)
    chain = InputChain()
    chain.update(rows)
    assert chain.head() == naive_inputs(rows)
    assert chain.rows == 2 * GROUP + 3


def test_the_heads_of_empty_chains_are_their_labels() -> None:
    assert InputChain().head() == INPUT_GENESIS != OutputChain().head() == OUTPUT_GENESIS
    label = hashlib.sha256(b"polytraders inputs 1, groups of 1024\n")
    assert label.digest() == INPUT_GENESIS


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 1_500), max_size=6))
def test_the_input_head_does_not_depend_on_the_cutting(cuts: list[int]) -> None:
    rows = inputs(3_000)
    chain = InputChain()
    at = 0
    for cut in [*cuts, 3_000]:
        chain.update(rows[at : at + cut])
        at = min(at + cut, 3_000)
        assert chain.head() == naive_inputs(rows[:at])
        chain = InputChain.from_state(chain.state())
    assert chain.head() == naive_inputs(rows)


def test_one_row_at_a_time_gives_the_same_head() -> None:
    rows = inputs(GROUP + 5)
    chain = InputChain()
    for at in range(len(rows)):
        chain.update(rows[at : at + 1])
    assert chain.head() == naive_inputs(rows)


@pytest.mark.parametrize("field", [name for name in INPUT.names or () if name != "in_seq"])
def test_every_field_of_an_input_is_hashed(field: str) -> None:
    rows = inputs(GROUP + 1)
    plain = naive_inputs(rows)
    rows[field][GROUP // 2] += 1
    chain = InputChain()
    chain.update(rows)
    assert chain.head() != plain


@pytest.mark.parametrize("seqs", [[2, 3], [1, 3], [1, 1], [0, 1]])
def test_inputs_that_do_not_go_on_by_one_are_refused(seqs: list[int]) -> None:
    rows = inputs(2)
    rows["in_seq"] = seqs
    chain = InputChain()
    with pytest.raises(ValueError, match="GOV_EVENT_ORDER"):
        chain.update(rows)
    assert chain.head() == INPUT_GENESIS


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 60), st.lists(st.integers(1, 59), max_size=4))
def test_the_output_head_is_one_link_per_input_however_cut(seed: int, events: int, cuts: list[int]) -> None:
    out, detail = outputs(seed, events)
    expected = naive_outputs(out, detail)
    seqs = np.unique(out["in_seq"])
    chain = OutputChain()
    borders = [
        0,
        *(int(np.searchsorted(out["in_seq"], seqs[cut])) for cut in sorted(cuts) if cut < len(seqs)),
        len(out),
    ]
    for start, stop in pairwise(borders):
        chain.update(out[start:stop], detail)
        chain = OutputChain.from_state(chain.state())
    assert chain.head() == expected
    assert chain.links == len(seqs)


def test_more_rows_than_are_laid_out_at_once_give_the_same_head() -> None:
    out, detail = outputs(5, 4_500)
    assert len(out) > 8_192
    chain = OutputChain()
    chain.update(out, detail)
    assert chain.head() == naive_outputs(out, detail)


def test_where_a_detail_lies_does_not_matter_but_whether_and_what_does() -> None:
    out, detail = outputs(3, 20)
    plain = naive_outputs(out, detail)
    moved = out.copy()
    moved["detail"][out["detail"] != NONE] += 2
    chain = OutputChain()
    chain.update(moved, np.concatenate((detail[:2], detail)))
    assert chain.head() == plain
    owner = int(np.flatnonzero(out["detail"] != NONE)[0])
    for changed in ("without", "other"):
        rows, details = out.copy(), detail.copy()
        if changed == "without":
            rows["detail"][owner] = NONE
        else:
            details["values"][out["detail"][owner], 7] += 1
        assert naive_outputs(rows, details) != plain
        chain = OutputChain()
        chain.update(rows, details)
        assert chain.head() == naive_outputs(rows, details)


def test_outputs_of_an_older_or_a_divided_input_are_refused() -> None:
    out, detail = outputs(1, 10)
    chain = OutputChain()
    chain.update(out, detail)
    head = chain.head()
    for rows in (out[-1:], out[:1], out[::-1]):
        with pytest.raises(ValueError, match="GOV_EVENT_ORDER"):
            chain.update(rows, detail)
    assert chain.head() == head


def test_rows_of_another_layout_are_a_fault() -> None:
    with pytest.raises(ValueError, match="not input rows"):
        InputChain().update(np.zeros(1, OUT))
    with pytest.raises(ValueError, match="not output rows"):
        OutputChain().update(np.zeros(1, INPUT), np.zeros(1, DETAIL))


def test_the_chain_head_joins_both() -> None:
    assert chain_head(INPUT_GENESIS, OUTPUT_GENESIS) == hashlib.sha256(INPUT_GENESIS + OUTPUT_GENESIS).digest()
    assert chain_head(OUTPUT_GENESIS, INPUT_GENESIS) != chain_head(INPUT_GENESIS, OUTPUT_GENESIS)
