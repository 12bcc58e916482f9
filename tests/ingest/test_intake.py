"""Stage 2: when a book is whole, when it is lost, and what brings it back."""

import pytest

from polytraders.contracts.inputs import BID, Fact, Flag, Kind
from polytraders.contracts.reasons import number
from polytraders.contracts.state import BOOK_NONE, BOOK_RESYNC, STAGED
from tests.builders import Told, World, book_reasons, drawing, fact, level, snapshot, tick_size, trade

BOOK = "300 @ 0.63 | 0.65 @ 200 | 0.66 @ 500"
GAP: Told = {"kind": Kind.GAP, "market": 0}


def refused(market: int = 0, connection: int = 0) -> Told:
    """A frame that the door did not let in."""
    return {"kind": Kind.REFUSED, "market": market, "a": number("INTEL_FRAME_NOT_JSON"), "b": connection}


def test_worked_example() -> None:
    """A snapshot makes a book, a missed frame unmakes it; changes do not bring it back, the next snapshot does."""
    world = World()
    assert int(world.mk["state"]) == BOOK_NONE
    assert book_reasons(world.feed(*snapshot(BOOK))) == [""]
    assert world.is_valid
    assert book_reasons(world.feed(GAP)) == ["INTEL_BOOK_GAP"]
    assert (int(world.mk["state"]), world.why) == (BOOK_RESYNC, "INTEL_BOOK_GAP")
    assert book_reasons(world.feed(level("1 @ 0.64"), trade(BID, "0.65", 5))) == []
    assert not world.is_valid
    assert book_reasons(world.feed(*snapshot("7 @ 0.60 | 0.70 @ 8"))) == [""]
    assert (world.is_valid, world.why, drawing(world.state)) == (True, "", "7 @ 0.6 | 0.7 @ 8")


CAUSES: list[tuple[str, list[Told], str]] = [
    ("a price off the grid", [level("1 @ 0.635")], "INTEL_PRICE_OFF_GRID"),
    ("a tick that does not fit", [level("1 @ 0.62"), tick_size("0.03")], "INTEL_TICK_CHANGED"),
    ("best prices that no trim explains", [level("1 @ 0.62", best=("0.64", "0.65"))], "INTEL_BEST_MISMATCH"),
    ("a best ask that we do not have", [level("1 @ 0.62", best=("0.63", "0.64"))], "INTEL_BEST_MISMATCH"),
    ("an ask told where we have none", [level("0.65 @ 0", best=("0.63", "0.70"))], "INTEL_BEST_MISMATCH"),
    ("the other token's book differs", snapshot("301 @ 0.63 | 0.65 @ 200", flags=Flag.TWIN), "INTEL_COMPLEMENT_BROKEN"),
    ("a whole book off the grid", snapshot("301 @ 0.635 | 0.65 @ 200"), "INTEL_PRICE_OFF_GRID"),
    ("a whole book that is too large", snapshot([(BID, 100, 1)] * (STAGED + 1)), "INTEL_BOOK_OVERFLOW"),
    ("a refused frame", [refused()], "INTEL_FRAME_NOT_JSON"),
    ("a refused frame of unknown markets", [refused(market=-1)], "INTEL_FRAME_NOT_JSON"),
    ("a missed frame", [GAP], "INTEL_BOOK_GAP"),
    ("a lost connection", [GAP | {"market": -1}], "INTEL_BOOK_GAP"),
]  # fmt: skip


@pytest.mark.parametrize(("told", "code"), [case[1:] for case in CAUSES], ids=[case[0] for case in CAUSES])
def test_each_cause_loses_the_book_once_and_a_snapshot_brings_it_back(told: list[Told], code: str) -> None:
    world = World(BOOK)
    assert book_reasons(world.feed(*told)) == [code]
    assert (int(world.mk["state"]), world.why, int(world.mk["resyncs"])) == (BOOK_RESYNC, code, 1)
    # What comes while the book is lost changes nothing and is not told again.
    assert book_reasons(world.feed(level("9 @ 0.10"), GAP)) == []
    assert book_reasons(world.feed(tick_size("0.01"), *snapshot(BOOK))) == [""]
    assert (world.is_valid, drawing(world.state)) == (True, BOOK)


def test_the_largest_book_that_fits_is_taken() -> None:
    world = World(BOOK)
    world.feed(*snapshot([(BID, 1 + place % 99 * 100, place) for place in range(STAGED)]))
    assert world.why == "INTEL_PRICE_OFF_GRID"
    world.feed(*snapshot([(BID, 100 + place % 99 * 100, 1 + place) for place in range(STAGED)]))
    assert (world.is_valid, int(world.mk["staged"])) == (True, STAGED)


def test_the_other_tokens_book_at_the_same_time_confirms_ours() -> None:
    world = World(BOOK)
    world.feed(*snapshot(BOOK, flags=Flag.TWIN))
    assert (world.is_valid, int(world.mk["snapshot_differences"])) == (True, 0)


def test_a_twin_is_no_evidence_against_a_book_that_was_lost_anyway() -> None:
    world = World(BOOK)
    world.feed(GAP, *snapshot("1 @ 0.10 | 0.20 @ 2", flags=Flag.TWIN))
    assert (world.is_valid, drawing(world.state)) == (True, "1 @ 0.1 | 0.2 @ 2")
    assert int(world.mk["snapshot_differences"]) == 0


def test_a_mismatch_that_a_trim_mends_keeps_the_book() -> None:
    world = World(BOOK)
    world.feed(level("0.64 @ 9", best=("0.63", "0.64")), level("5 @ 0.65", best=("0.65", "0.66")))
    mk = world.mk
    assert (world.is_valid, drawing(world.state)) == (True, "300 @ 0.63 | 5 @ 0.65 | 0.66 @ 500")
    assert (mk["mismatches"], mk["repairs"], mk["best_mismatches"], mk["resyncs"]) == (1, 2, 0, 0)


def test_only_the_last_row_of_a_frame_tells_the_best_prices() -> None:
    world = World(BOOK)
    first = level("400 @ 0.64") | {"flags": Flag.MIRRORED}
    world.feed(first, level("0 @ 0.63", best=("0.64", "0.65")))
    assert (world.is_valid, int(world.mk["mismatches"]), int(world.mk["mirrored"])) == (True, 0, 1)


def test_a_whole_book_counts_only_when_it_is_complete() -> None:
    world = World(BOOK)
    world.feed(*snapshot("1 @ 0.10 | 0.20 @ 2")[:-1])
    assert drawing(world.state) == BOOK
    world.feed(snapshot("")[-1])
    assert drawing(world.state) == "1 @ 0.1 | 0.2 @ 2"


def test_a_refusal_reaches_its_market_or_its_connection_and_no_other() -> None:
    world = World(BOOK, markets=3)
    world.feed(*snapshot(BOOK, market=1), fact(Fact.CONNECTION, 1, market=1))
    valid = world.state.markets["state"]
    world.feed(refused(market=1))
    assert valid.tolist() == [0, BOOK_RESYNC, BOOK_NONE]
    world.feed(*snapshot(BOOK, market=1), refused(market=-1, connection=1))
    assert valid.tolist() == [0, BOOK_RESYNC, BOOK_NONE]
    # Whoever's frame it was: of its connection no book is believed, nor one that is still to come.
    world.feed(*snapshot(BOOK, market=1), refused(market=-1, connection=0))
    assert valid.tolist() == [BOOK_RESYNC, 0, BOOK_RESYNC]


def test_what_was_refused_is_counted_and_what_was_missed_is_not() -> None:
    world = World(BOOK)
    world.feed(GAP, refused(), GAP)
    assert int(world.state.portfolio["frames_refused"][0]) == 1


def test_the_first_mismatch_is_remembered_by_its_frame() -> None:
    world = World(BOOK)
    told = level("0.64 @ 9", best=("0.63", "0.64"))
    world.feed(told, level("1 @ 0.64", best=("0.64", "0.65")) | {"frame": 77}, told | {"frame": 78})
    assert int(world.state.portfolio["first_mismatch_frame"][0]) == 77
