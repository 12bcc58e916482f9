"""Each fault does what its name says, when it is told to, and is on record; a script that makes no sense is refused."""

from collections import Counter
from typing import Any

import msgspec
import pytest

from polytraders.contracts.inputs import ASK, BID, NANO, PRICE_UNIT
from polytraders.venues.polymarket.wire import Decoder
from polytraders.venues.simulator import frames
from polytraders.venues.simulator.faults import ACTIONS, CORRUPTIONS, HELD_NS_MAX, Faults, read
from polytraders.venues.simulator.floor import Told
from polytraders.venues.simulator.world import Plan, World

PLAN = Plan(seed=4, start_ms=1_780_272_030_000, slow=1)
AT_MS = 5_000
SECONDS = 20


def run(action: str = "", at: dict[str, int] | None = None, **args: Any) -> tuple[World, list[Told]]:
    """Twenty seconds with one fault, by default after five; none without a name."""
    entry = {"at": at if at is not None else {"time_ms": AT_MS}, "action": action, "args": args}
    script = {"seed": 2, "faults": [entry] if action else []}
    world = World(PLAN, Faults(script, PLAN.start_ms * 1_000_000))
    return world, [told for second in range(1, SECONDS + 1) for told in world.run_until(world.start_ns + second * NANO)]


def raws(told: list[Told]) -> Counter[bytes]:
    return Counter(one.raw for one in told)


def ms(world: World, told: Told) -> float:
    return (told.ts_ns - world.start_ns) / 1_000_000


@pytest.fixture(scope="module")
def plain() -> list[Told]:
    return run()[1]


def test_without_a_fault_nothing_is_on_record(plain: list[Told]) -> None:
    world, told = run()
    assert told == plain and len(told) > 500
    assert world.faults.injected == [] and not world.faults.counts


def test_silence_withholds_a_stretch_for_ever(plain: list[Told]) -> None:
    world, told = run("silence", duration_ms=4_000)
    assert not [one for one in told if one.market and 5_100 < ms(world, one) < 9_000]
    assert [one for one in told if not one.market and 5_100 < ms(world, one) < 9_000], "Binance goes on"
    assert told == [one for one in plain if one in set(told)]
    assert world.faults.injected[0]["action"] == "silence"


def test_silence_can_be_about_one_market_or_about_binance() -> None:
    name = next(iter(World(PLAN).markets))
    world, told = run("silence", market=name, duration_ms=16_000)
    assert not [one for one in told if one.market == name and ms(world, one) > 5_100]
    assert [one for one in told if one.market not in ("", name) and ms(world, one) > 5_100]
    world, told = run("silence", stream="binance", duration_ms=16_000)
    assert not [one for one in told if not one.market and ms(world, one) > 5_100]
    assert [one for one in told if one.market and ms(world, one) > 5_100]


@pytest.mark.parametrize("count", [1, 3])
def test_dropped_frames_are_missing(plain: list[Told], count: int) -> None:
    world, told = run("drop", count=count)
    lost = raws(plain) - raws(told)
    assert lost.total() == count == world.faults.counts["drop"]
    assert all(b'"price_change"' in raw for raw in lost)


def test_a_frame_can_be_chosen_by_its_number_and_by_its_event(plain: list[Told]) -> None:
    market = [one for one in plain if one.market]
    lost = raws(plain) - raws(run("drop", at={"nth_frame": 700}, event="book")[1])
    assert list(lost) == [next(one.raw for one in market[700:] if one.event == "book")]


def test_duplicated_frames_come_twice(plain: list[Told]) -> None:
    more = raws(run("duplicate", count=2)[1]) - raws(plain)
    assert more.total() == 2


def test_swapped_frames_change_places_and_none_is_lost(plain: list[Told]) -> None:
    told = run("swap")[1]
    assert raws(told) == raws(plain) and told != plain
    moved = [place for place, (one, other) in enumerate(zip(told, plain, strict=True)) if one != other]
    held, over = plain[moved[0]], told[moved[-1] - 1]
    assert told[moved[-1]] == held and (held.market, held.event) == (over.market, over.event)


def test_a_frame_that_has_nothing_to_be_swapped_with_is_let_go() -> None:
    faults = Faults({"seed": 1, "faults": [{"at": {"nth_frame": 0}, "action": "swap", "args": {"count": 2}}]})
    last = Told(0, "price_change", "ended", 0, False, b"last")
    others = [Told(at, "price_change", "lives", 0, False, b"other") for at in (1, 2, HELD_NS_MAX + 1, HELD_NS_MAX + 2)]
    assert faults.passes(last) == [], "it waits for another one of its market"
    assert [faults.passes(one) for one in others[:2]] == [[others[0]], [others[1]]]
    assert faults.passes(others[2]) == [others[2], last]
    assert faults.passes(others[3]) == [], "and the next one can be swapped"


@pytest.mark.parametrize("how", CORRUPTIONS)
def test_a_corrupt_frame_is_one_that_must_be_refused(plain: list[Told], how: str) -> None:
    world, told = run("corrupt", how=how)
    (spoilt,) = raws(told) - raws(plain)
    known = Decoder()
    for market in world.markets.values():
        known.register(market.condition, market.tokens)
    for market in world.markets.values():
        assert known.decode(frames.encode(frames.book(market, 0, PLAN.start_ms))).code is None
    assert known.decode(spoilt).code is not None
    assert known.counters["refused"] == world.faults.counts["corrupt"] == 1


def test_a_crossed_book_is_told_with_best_prices_that_bear_it_out() -> None:
    world, told = run("crossed")
    (lie,) = [
        one
        for one in (msgspec.json.decode(one.raw) for one in told if one.event == "price_change")
        if float(one["price_changes"][0]["best_bid"]) > float(one["price_changes"][0]["best_ask"])
    ]
    assert lie["market"] == world.faults.injected[0]["args"]["market"]
    assert all(market.best(BID) < market.best(ASK) for market in world.markets.values()), "the truth is sound"


def test_match_then_rest_is_never_told_on_the_other_side() -> None:
    world, told = run("match_then_rest", levels=2)
    done = world.faults.injected[0]
    ours = [one for one in told if one.market == done["args"]["market"] and one.ts_ns == done["ts_ns"]]
    assert [one.event for one in ours[:3]] == ["last_trade_price", "last_trade_price", "price_change"], (
        "two levels traded"
    )
    prints = [msgspec.json.decode(one.raw) for one in ours[:2]]
    change = msgspec.json.decode(ours[2].raw)["price_changes"]
    assert len(change) == 2, "one level told, for both tokens"
    worst = {round(float(one["price"]) * PRICE_UNIT) for one in prints}
    assert {round(float(one["price"]) * PRICE_UNIT) for one in change} & (worst | {PRICE_UNIT - one for one in worst})
    assert not [one for one in ours if one.event == "book"]


@pytest.mark.parametrize("told_of", [True, False])
def test_a_tick_change_is_told_or_kept_secret(told_of: bool) -> None:
    name = next(iter(World(PLAN).markets))
    world, told = run("tick_change", market=name, tick="0.001", told=told_of)
    assert world.markets[name].tick == 10
    said = [one for one in told if one.event == "tick_size_change" and one.market == name]
    assert [one.token for one in said] == ([0, 1] if told_of else [])


def test_delayed_frames_come_whole_and_late(plain: list[Told]) -> None:
    world, told = run("delay", ms=3_000, duration_ms=2_000)
    assert raws(told) == raws(plain)
    late = [one for one in told if one not in set(plain)]
    assert late and all(8_000 <= ms(world, one) <= 10_001 for one in late)


def test_connections_are_cut_and_flap() -> None:
    assert [one.event for one in run("disconnect")[1] if not one.raw] == ["cut"]
    world, told = run("flapping", times=3, up_ms=1_000, down_ms=500, stream="binance")
    control = [(one.event, one.market) for one in told if not one.raw]
    assert control == [("down", "binance"), ("up", "binance")] * 3
    times = [ms(world, one) for one in told if not one.raw]
    assert [after - times[0] for after in times] == [0, 500, 1_500, 2_000, 3_000, 3_500]


def test_a_subscription_can_stay_without_its_books() -> None:
    world = World(
        PLAN, Faults({"faults": [{"at": {"nth_subscribe": 2}, "action": "no_snapshot", "args": {"count": 2}}]})
    )
    assert [world.subscribed() for _ in range(4)] == [True, False, False, True]


def test_hashes_can_be_wrong_for_a_while(plain: list[Told]) -> None:
    _, told = run("bad_hash", duration_ms=60_000)
    books = [one for one in told if one.event == "book" and one not in set(plain)]
    assert books and all(b'"hash":"0bad' in one.raw for one in books)


@pytest.mark.parametrize("action", ["rest_stale", "rest_down", "clock_skew"])
def test_pages_can_be_wrong_for_a_while(action: str) -> None:
    world = World(
        PLAN, Faults({"faults": [{"action": action, "args": {"duration_ms": 2_000}}]}, PLAN.start_ms * 1_000_000)
    )
    world.run_until(world.start_ns + NANO)
    assert world.faults.lasting(action, world.now_ns) is not None
    world.run_until(world.start_ns + 3 * NANO)
    assert world.faults.lasting(action, world.now_ns) is None


def test_faults_can_be_added_while_it_runs() -> None:
    world, _ = run()
    assert world.faults.add({"faults": [{"action": "drop"}, {"at": {"time_ms": 21_000}, "action": "crossed"}]}) == 2
    world.run_until(world.start_ns + 22 * NANO)
    assert world.faults.counts == {"drop": 1, "crossed": 1} and world.faults.coming == 0


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ({"action": "explode"}, "no action"),
        ({"action": "drop", "args": {"count": "2"}}, "no argument"),
        ({"action": "drop", "args": {"count": 0}}, "no argument"),
        ({"action": "drop", "args": {"speed": 2}}, "no argument"),
        ({"action": "corrupt", "args": {"how": "softly"}}, "no such"),
        ({"action": "silence", "args": {"stream": "news"}}, "no such"),
        ({"action": "drop", "at": {"noon": 1}}, "at is"),
        ({"action": "drop", "at": {"time_ms": 1, "nth_frame": 2}}, "at is"),
        ({"action": "drop", "at": {"time_ms": 1.5}}, "at is"),
        ({"action": "drop", "args": []}, "args is"),
        ({"action": "tick_change", "args": {"tick": "0.003"}}, "tick"),
        ({"action": "tick_change", "args": {"tick": "fine"}}, "tick"),
        ({"action": "drop", "when": 1}, "an entry"),
        ("drop", "an entry"),
    ],
)
def test_an_entry_that_makes_no_sense_is_named(entry: object, why: str) -> None:
    with pytest.raises(ValueError, match=why) as error:
        read({"faults": [{"action": "drop"}, entry]})
    assert "faults[1]" in str(error.value)


@pytest.mark.parametrize(
    "script", [None, [], {}, {"faults": {}}, {"faults": [], "seeds": 1}, {"faults": [], "seed": "1"}]
)
def test_a_script_that_is_none_is_refused(script: object) -> None:
    with pytest.raises(ValueError, match=r"script|seed"):
        read(script)


def test_every_action_has_a_line_in_the_manual() -> None:
    from tests.architecture.test_house import ROOT

    manual = (ROOT / "docs/simulator.md").read_text(encoding="utf-8")
    assert [action for action in ACTIONS if f"| `{action}` |" not in manual] == []
