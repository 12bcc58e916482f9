"""Books looked after from outside: ours read level for level, and agreement only when it is whole."""

from pathlib import Path

import pytest

from polytraders.contracts.inputs import ASK, BID, YES
from polytraders.shard.care import Care, book_of
from polytraders.venues.polymarket.catalogue import Witness
from polytraders.venues.simulator import capture
from tests.shard.rig import SEED, Rig, frames, listings

FRAMES = 400


class Feed:
    """A feed that remembers what was asked of it."""

    def __init__(self) -> None:
        self.again: list[str] = []
        self.room = 1_000

    def want(self, tokens: list[str]) -> None: ...

    def resubscribe(self, tokens: list[str]) -> None:
        self.again += tokens

    def connection_of(self, token: str) -> int | None:
        return 0


def truth() -> list[dict[tuple[int, int], int]]:
    """The capture's own books after its last frame, by market index, YES terms."""
    made = capture.frames(seed=SEED, count=FRAMES)
    for _ in made:
        pass
    books = made.truth
    return [
        {(side, price): size for side, levels in ((BID, bids), (ASK, asks)) for price, size in levels.items()}
        for bids, asks in (books[listing.condition_id] for listing in listings())
    ]


@pytest.fixture
def played(app_dsn: str, tmp_path: Path) -> Rig:
    with Rig(app_dsn, tmp_path) as rig:
        rig.list_markets()
        rig.play(frames(FRAMES))
        return rig


def test_our_book_is_the_venues_and_one_level_more_or_less_is_no_agreement(played: Rig) -> None:
    care = Care(played.loop, played.parts.directory, Feed())
    agreed = 0
    for index, book in enumerate(truth()):
        ours = book_of(played.loop.state, index)
        if ours != book:
            # Match-then-rest: the venue has not told yet what is gone.
            continue
        agreed += 1
        levels = [(side, price, size) for (side, price), size in book.items()]

        def witness(told: list[tuple[int, int, int]], index: int = index) -> Witness:
            listing = listings()[index]
            return Witness(listing.condition_id, listing.tokens[YES], tuple(told), 100, "", None, 0, b"")

        assert care.agrees(index, witness(levels))
        assert not care.agrees(index, witness(levels[:-1]))
        side, price, size = levels[0]
        assert not care.agrees(index, witness([(side, price, size + 1), *levels[1:]]))
    assert agreed >= 3
