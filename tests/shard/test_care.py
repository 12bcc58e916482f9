"""Books are compared with the venue's own, quiet ones first: one that differs is asked for anew."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from polytraders.contracts import state as s
from polytraders.contracts.inputs import NANO, YES
from polytraders.shard.care import Care, book_of
from polytraders.venues.polymarket.catalogue import Witness
from tests.shard.rig import Rig, frames

QUIET_NS = 6 * NANO


class FakeFeed:
    """Remembers which tokens' books were asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.room = 1_000

    def want(self, tokens: list[str]) -> None:
        raise AssertionError("nothing is to be subscribed here")

    def resubscribe(self, tokens: list[str]) -> None:
        self.asked += tokens

    def connection_of(self, token: str) -> int | None:
        return 0


async def one_look(care: Care, answers: list[object]) -> None:
    """Let the care ask once, and stop it before it asks again."""

    async def ask(token: str) -> object:
        if not answers:
            raise asyncio.CancelledError
        return answers.pop()

    with pytest.raises(asyncio.CancelledError):
        await care.witness(ask, pause_s=0.0)


@pytest.mark.parametrize("quiet_ns", [QUIET_NS, 0], ids=["quiet", "busy"])
@pytest.mark.parametrize("change", ["none", "a size", "a level too few", "a level too many"])
def test_a_book_that_differs_from_the_venue_s_is_asked_for_anew(
    app_dsn: str, tmp_path: Path, change: str, quiet_ns: int
) -> None:
    with Rig(app_dsn, tmp_path) as rig:
        rig.list_markets()
        rig.play(frames(600))
        state = rig.loop.state
        state.portfolio["now"][0] += quiet_ns
        arrived: list[object] = []
        feed = FakeFeed()
        fake: Any = SimpleNamespace(state=state, arrive=arrived.append)
        care = Care(fake, rig.parts.directory, feed)
        index = care._chosen()
        assert index is not None
        care._next, care._turn, care._looked = index, 0, {}
        levels = [(side, price, size) for (side, price), size in book_of(state, index).items()]
        assert len(levels) > 4
        side, price, size = levels[-1]
        told = {
            "none": levels,
            "a size": [*levels[:-1], (side, price, size + 1_000_000)],
            "a level too few": levels[:-1],
            "a level too many": [*levels, (side, 1 if side == 0 else 9_999, size)],
        }[change]
        tokens = rig.parts.directory.listings[index].tokens
        witness = Witness("", tokens[YES], tuple(told), 100, "", None, 0, b"")
        asyncio.run(one_look(care, [witness]))
        if change == "none":
            assert len(arrived) == 1 and not feed.asked
            return
        assert not arrived and not feed.asked, "the feed may still carry the difference"
        asyncio.run(one_look(care, [witness]))
        assert not arrived and feed.asked == list(tokens)


def test_a_book_that_was_only_behind_is_left_alone(app_dsn: str, tmp_path: Path) -> None:
    with Rig(app_dsn, tmp_path) as rig:
        rig.list_markets()
        rig.play(frames(600))
        state = rig.loop.state
        arrived: list[object] = []
        feed = FakeFeed()
        care = Care(SimpleNamespace(state=state, arrive=arrived.append), rig.parts.directory, feed)  # type: ignore[arg-type]
        index = care._chosen()
        assert index is not None
        care._looked = {}
        levels = tuple((side, price, size) for (side, price), size in book_of(state, index).items())
        token = rig.parts.directory.listings[index].tokens[YES]
        behind, same = (Witness("", token, told, 100, "", None, 0, b"") for told in (levels[:-1], levels))
        asyncio.run(one_look(care, [same, behind]))
        assert len(arrived) == 1 and not feed.asked


def test_every_book_has_its_turn_however_many_are_quiet(app_dsn: str, tmp_path: Path) -> None:
    with Rig(app_dsn, tmp_path) as rig:
        rig.list_markets()
        rig.play(frames(600))
        state = rig.loop.state
        listed = [index for index in rig.parts.directory.listings if state.markets["state"][index] == s.BOOK_OK]
        busy = listed[-1]
        assert len(listed) > 2
        care = Care(SimpleNamespace(state=state), rig.parts.directory, FakeFeed())  # type: ignore[arg-type]
        chosen = []
        for _ in range(8 * len(listed)):
            # One market moves all the time, the others never, and none is ever found to agree.
            state.portfolio["now"][0] += QUIET_NS
            state.markets["row_ts"][busy] = state.portfolio["now"][0]
            chosen.append(care._chosen())
        assert set(chosen) == set(listed)
        assert 1 <= chosen.count(busy) <= 4, "the one that moves takes no more than its turns"
