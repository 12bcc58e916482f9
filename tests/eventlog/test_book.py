"""Stage 3: the canonical book hash."""

import hashlib
import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.eventlog.core.book import book_hash

LEVELS = st.dictionaries(st.integers(1, 99).map(lambda tick: tick * 100), st.integers(0, 10**13), max_size=20)


def test_worked_example() -> None:
    # The specification's book: bid 0.62, ask 0.64 with 0.65 behind it.
    preimage = b"polytraders book 1\n" + struct.pack(
        "<9q", 100, 1, 2, 6_200, 700_000_000, 6_400, 1_500_000_000, 6_500, 600_000_000
    )
    found = book_hash(100, [(6_200, 700_000_000)], [(6_500, 600_000_000), (6_400, 1_500_000_000)])
    assert found == hashlib.sha256(preimage).hexdigest()


def test_an_empty_book_has_a_hash_too() -> None:
    assert len(book_hash(100, [], [])) == 64
    assert book_hash(100, [], []) != book_hash(10, [], [])


@given(LEVELS, LEVELS, st.randoms(use_true_random=False))
def test_order_and_empty_levels_do_not_matter(bids: dict[int, int], asks: dict[int, int], order: random.Random) -> None:
    down, up = list(bids.items()), list(asks.items())
    plain = book_hash(100, down, up)
    order.shuffle(down)
    order.shuffle(up)
    without = [level for level in up if level[1]]
    assert book_hash(100, down, without) == plain


@given(LEVELS.filter(lambda levels: any(levels.values())), st.integers(1, 10**6))
def test_every_level_matters(levels: dict[int, int], more: int) -> None:
    changed = dict(levels)
    price = next(price for price, size in levels.items() if size)
    changed[price] += more
    plain = book_hash(100, levels.items(), [])
    assert book_hash(100, changed.items(), []) != plain
    assert book_hash(100, [], levels.items()) != plain


@pytest.mark.parametrize(
    ("tick", "levels"),
    [
        (100, [(6_200, -1)]),
        (100, [(6_210, 1)]),
        (100, [(0, 1)]),
        (100, [(-100, 1)]),
        (0, [(6_200, 1)]),
        (100, [(6_200, 1), (6_200, 2)]),
    ],
)
def test_a_level_that_the_door_would_refuse_is_a_fault(tick: int, levels: list[tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match="price"):
        book_hash(tick, levels, [])
