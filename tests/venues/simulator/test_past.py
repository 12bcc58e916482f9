"""A run of the exchange goes on from what the last one left: later, and every window that was open gets paid out."""

import time
from pathlib import Path

import pytest

from polytraders.contracts.inputs import NANO
from polytraders.venues.simulator import gamma, past
from polytraders.venues.simulator.listing import VOID
from polytraders.venues.simulator.past import Past, Window
from polytraders.venues.simulator.serve import main
from polytraders.venues.simulator.world import Plan, World, winner
from tests.venues.simulator.test_serve import serving

START_MS = 1_780_272_000_000
QUIET = Plan(seed=11, start_ms=START_MS, rate=0.05, slow=2, step_ms=1_000)
FIVE = 300 * NANO


def later(world: World, gap_s: int) -> World:
    """The next run, `gap_s` of exchange time behind the earliest moment it may begin."""
    left = world.past(30 * NANO)
    start_ms = left.resume_ns // 1_000_000 + gap_s * 1_000
    return World(Plan(seed=11, start_ms=start_ms, rate=0.05, slow=2, step_ms=1_000), past=left)


def ran(seconds: int) -> World:
    world = World(QUIET)
    world.run_until(world.start_ns + seconds * NANO)
    return world


def five(world: World, start_ns: int) -> str:
    return next(one.condition for one in world.markets.values() if one.name == f"btc-updown-5m-{start_ns // NANO}")


def test_the_next_run_is_later_by_the_margin_in_whole_seconds() -> None:
    world = ran(90)
    left = world.past(30 * NANO)
    assert left.resume_ns % NANO == 0
    assert world.now_ns + 30 * NANO <= left.resume_ns < world.now_ns + 31 * NANO
    assert left.since_ns == world.start_ns


def test_a_window_whose_end_nobody_saw_pays_half_to_each_side_and_nobody_is_told_a_winner() -> None:
    world = ran(60)
    condition = five(world, world.start_ns)
    again = later(world, gap_s=600)
    assert again.markets[condition].closed
    told = again.run_until(again.start_ns)
    market = again.markets[condition]
    assert market.outcome == VOID
    assert not [one for one in told if one.event == "market_resolved" and one.market == condition]
    page = gamma.market_page(market, again.now_ns)
    assert (page["outcomePrices"], page["closed"], page["umaResolutionStatus"]) == ('["0.5", "0.5"]', True, "resolved")
    assert again.outcomes[condition]["payout_yes"] == 0.5


def test_a_window_that_ended_before_the_stop_is_settled_by_its_price_though_nobody_was_there_to_hear_it() -> None:
    world = ran(302)
    condition = five(world, world.start_ns)
    before = world.markets[condition]
    assert before.closed and before.outcome is None
    assert before.strike_cents is not None and before.settled_cents is not None
    again = later(world, gap_s=0)
    again.run_until(again.start_ns)
    assert again.markets[condition].outcome == winner(before.strike_cents, before.settled_cents)


def test_a_window_that_is_still_open_keeps_its_strike_and_the_price_goes_on() -> None:
    world = ran(60)
    condition = five(world, world.start_ns)
    again = later(world, gap_s=0)
    market = again.markets[condition]
    assert not market.closed
    assert market.strike_cents == world.markets[condition].strike_cents
    assert abs(again.bitcoin.cents - world.bitcoin.cents) <= 1
    again.run_until(world.start_ns + FIVE + 30 * NANO)
    assert again.markets[condition].outcome in (0, 1)


def test_what_was_settled_stays_settled_over_two_more_runs() -> None:
    world = ran(60)
    condition = five(world, world.start_ns)
    for _ in range(2):
        world = later(world, gap_s=600)
        world.run_until(world.start_ns + 5 * NANO)
        assert world.outcomes[condition]["payout_yes"] == 0.5


def test_slow_markets_keep_their_names_and_their_ends() -> None:
    world = ran(5)
    again = later(world, gap_s=3 * 86_400)
    ends = [{one.condition: one.close_ns for one in each.markets.values() if not one.updown} for each in (world, again)]
    assert ends[0] == ends[1] != {}


def test_another_seed_makes_other_markets_and_only_the_time_goes_on() -> None:
    left = ran(60).past(0)
    other = World(Plan(seed=12, start_ms=left.resume_ns // 1_000_000, rate=0.05, slow=2), past=left)
    assert not [one for one in other.markets.values() if one.closed]


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    assert past.read(file) is None
    left = Past(past.VERSION, 7, 5 * NANO, NANO, 6_000_000, (Window(5, NANO, None, None), Window(15, 0, 1, 2)))
    past.write(file, left)
    assert past.read(file) == left
    assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("text", ["", "{}", '{"version": 1, "seed": 7}', "nonsense"])
def test_a_file_that_cannot_be_read_is_refused_instead_of_turning_time_back(text: str, tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    file.write_text(text)
    assert main(["--state-file", str(file)]) == 2


def test_a_file_of_another_version_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    past.write(file, Past(past.VERSION + 1, 7, 5 * NANO, NANO, 6_000_000, ()))
    with pytest.raises(ValueError, match="version"):
        past.read(file)


def test_a_process_that_was_killed_is_followed_by_a_later_one(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    options = ("--seed", "5", "--start-ms", str(START_MS), "--speed", "100", "--state-file", str(file))
    with serving(*options) as served:
        written = file.read_bytes()
        deadline = time.monotonic() + 10
        while file.read_bytes() == written:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        seen = int(served.get("/time").text)
        served.process.kill()
    with serving(*options) as served:
        assert served.ready["start_ms"] >= seen * 1_000
        assert int(served.get("/time").text) >= seen
