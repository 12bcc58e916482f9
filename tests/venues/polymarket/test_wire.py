"""What the market channel's frames become."""

import gzip
import json
import os
import time
from pathlib import Path

import pytest

from polytraders.contracts.inputs import ASK, BID, NO, NO_PRICE, YES, Fact, Flag, Kind, MarketStatus
from polytraders.venues.polymarket.wire import Decoded, Decoder
from polytraders.venues.simulator.capture import frames
from tests.plain_wire import Reader
from tests.venues.polymarket.said import (
    MARKET,
    NO_ID,
    NOW_NS,
    OTHER,
    OTHER_NO,
    OTHER_YES,
    YES_ID,
    book,
    change,
    changes,
    frame,
    pair,
    resolved,
    tick_change,
    trade,
)

DATA = Path(os.environ.get("POLYTRADERS_DATA", Path(__file__).resolve().parents[4] / "shared" / "data"))
CAPTURE = DATA / "tickscope" / "market_channel.jsonl.gz"
recorded = pytest.mark.skipif(not CAPTURE.exists(), reason="no recorded data: set POLYTRADERS_DATA")

WHOLE = Flag.LAST | Flag.BEST


def decoder() -> Decoder:
    """A decoder that knows one market on tick 0.01, YES first."""
    made = Decoder()
    made.decode(frame([book(), book(NO_ID, bids=(), asks=())]))
    return made


def rows(event: object, known: Decoder | None = None) -> list[tuple[int, ...]]:
    """Rows of one accepted frame."""
    decoded = (known or decoder()).decode(frame(event))
    assert decoded.code is None
    return [tuple(row) for row in decoded.rows]


def test_worked_example() -> None:
    known = Decoder()
    first = known.decode(frame([book(), book(NO_ID, bids=(("0.52", "7"),), asks=(("0.53", "10"),))]))
    assert first.rows == [
        (Kind.TICK_SIZE, 0, 0, 0, 100, 0, 0, 0, NOW_NS),
        (Kind.SNAP_OPEN, 0, Flag.HASH_EMPTY, 0, 0, 3, YES, 0, NOW_NS),
        (Kind.SNAP_LEVEL, BID, 0, 0, 4_600, 5_000_000, 0, 0, NOW_NS),
        (Kind.SNAP_LEVEL, BID, 0, 0, 4_700, 10_000_000, 0, 0, NOW_NS),
        (Kind.SNAP_LEVEL, ASK, 0, 0, 4_800, 7_000_000, 0, 0, NOW_NS),
        (Kind.SNAP_CLOSE, 0, Flag.LAST, 0, 0, 0, 0, 0, NOW_NS),
        (Kind.SNAP_OPEN, 0, Flag.HASH_EMPTY | Flag.TWIN, 0, 0, 2, NO, 0, NOW_NS),
        (Kind.SNAP_LEVEL, ASK, 0, 0, 4_800, 7_000_000, 0, 0, NOW_NS),
        (Kind.SNAP_LEVEL, BID, 0, 0, 4_700, 10_000_000, 0, 0, NOW_NS),
        (Kind.SNAP_CLOSE, 0, Flag.LAST, 0, 0, 0, 0, 0, NOW_NS),
    ]
    told = known.decode(frame(pair("0.46", "0.54", "17549.29")))
    level = (Kind.LEVEL, BID, WHOLE | Flag.MIRRORED, 0, 4_600, 17_549_290_000, 4_700, 4_800, NOW_NS)
    assert told == Decoded([level], NOW_NS, None)
    assert known.markets == [MARKET]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("repeats", [1, 2])
def test_a_pair_is_one_row_whichever_token_comes_first_and_however_often(reverse: bool, repeats: int) -> None:
    known = decoder()
    event = pair()
    if reverse:
        event["price_changes"].reverse()
    for _ in range(repeats):
        assert rows(event, known) == [
            (Kind.LEVEL, BID, WHOLE | Flag.MIRRORED, 0, 4_600, 100_000_000, 4_700, 4_800, NOW_NS)
        ]
    assert known.counters["mirrored"] == repeats


def test_a_no_change_alone_is_mirrored() -> None:
    (row,) = rows(changes(change(NO_ID, "BUY", "0.3", "5", "0.52", "0.53")))
    assert row == (Kind.LEVEL, ASK, WHOLE, 0, 7_000, 5_000_000, 4_700, 4_800, NOW_NS)


@pytest.mark.parametrize("order", [1, -1])
def test_a_twin_of_another_size_is_flagged_and_the_yes_size_counts(order: int) -> None:
    entries = [change(YES_ID, "BUY", "0.46", "100"), change(NO_ID, "SELL", "0.54", "90", "0.52", "0.53")][::order]
    known = decoder()
    (row,) = rows(changes(*entries), known)
    assert row[2] == WHOLE | Flag.MIRROR_BROKEN
    assert row[5] == 100_000_000
    assert known.counters["mirror_broken"] == 1


@pytest.mark.parametrize("order", [1, -1])
def test_twins_with_other_best_prices_are_flagged_and_the_yes_best_counts(order: int) -> None:
    entries = [change(NO_ID, "SELL", "0.54", "100", "0.52", "0.55"), change(YES_ID, "BUY", "0.46", "100")][::order]
    (row,) = rows(changes(*entries))
    assert row[2] == WHOLE | Flag.MIRROR_BROKEN
    assert row[6:8] == (4_700, 4_800)


def test_twins_that_differ_in_text_only_agree() -> None:
    entries = change(YES_ID, "BUY", ".460", "100.0"), change(NO_ID, "SELL", "0.54", "100", "0.520", "0.53")
    (row,) = rows(changes(*entries))
    assert row[2] == WHOLE | Flag.MIRRORED


def test_several_pairs_keep_their_order_and_only_the_last_row_is_whole() -> None:
    event = changes(
        change(NO_ID, "SELL", "0.6", "1", "0.52", "0.53"),
        change(YES_ID, "SELL", "0.5", "2"),
        change(NO_ID, "BUY", "0.5", "2", "0.52", "0.53"),
        change(YES_ID, "BUY", "0.4", "1"),
        change(YES_ID, "BUY", "0.39", "3", "0.46", "0.48"),
    )
    made = rows(event)
    assert [(row[1], row[4], row[5] // 1_000_000) for row in made] == [
        (BID, 4_000, 1),
        (ASK, 5_000, 2),
        (BID, 3_900, 3),
    ]
    assert [row[2] for row in made] == [Flag.MIRRORED, Flag.MIRRORED, WHOLE]
    assert made[-1][6:8] == (4_600, 4_800)


def test_a_level_that_changes_twice_in_a_frame_stays_two_rows() -> None:
    twice = [
        (YES_ID, "BUY", "0.4", "1"),
        (NO_ID, "SELL", "0.6", "1"),
        (YES_ID, "BUY", "0.4", "2"),
        (NO_ID, "SELL", "0.6", "2"),
    ]
    made = rows(changes(*(change(*entry) | {"best_bid": "0.5", "best_ask": "0.5"} for entry in twice)))
    assert [(row[5] // 1_000_000, row[2] & Flag.MIRRORED) for row in made] == [(1, Flag.MIRRORED), (2, Flag.MIRRORED)]


@pytest.mark.parametrize(
    ("bid", "ask", "told"),
    [
        ("", "", (NO_PRICE, NO_PRICE)),
        ("0", "0.48", (NO_PRICE, 4_800)),
        ("0.47", "1", (4_700, NO_PRICE)),
        ("0.47", "0", (4_700, NO_PRICE)),
        ("0.000", "1.00", (NO_PRICE, NO_PRICE)),
    ],
)
def test_an_empty_side_has_no_price(bid: str, ask: str, told: tuple[int, int]) -> None:
    (row,) = rows(changes(change(YES_ID, "BUY", "0.4", "0", bid, ask)))
    assert row[2] == WHOLE
    assert row[6:8] == told


def test_an_empty_side_is_mirrored_as_one() -> None:
    event = changes(change(NO_ID, "SELL", "0.54", "3", "0", "0.53"), change(YES_ID, "BUY", "0.46", "3", "0.47", "1"))
    assert rows(event)[0][2:] == (WHOLE | Flag.MIRRORED, 0, 4_600, 3_000_000, 4_700, NO_PRICE, NOW_NS)


def test_untold_best_prices_are_not_made_up() -> None:
    event = changes(change(YES_ID, "BUY", "0.4", "1"))
    del event["price_changes"][0]["best_ask"]
    assert rows(event)[0][2] == Flag.LAST


@pytest.mark.parametrize(
    ("asset", "side", "price", "aggressor", "yes_price"),
    [
        (YES_ID, "BUY", "0.48", BID, 4_800),
        (YES_ID, "SELL", "0.47", ASK, 4_700),
        (NO_ID, "BUY", "0.53", ASK, 4_700),
        (NO_ID, "SELL", "0.52", BID, 4_800),
    ],
)
def test_a_trade_is_told_from_the_yes_side(asset: str, side: str, price: str, aggressor: int, yes_price: int) -> None:
    token = NO if asset == NO_ID else YES
    assert rows(trade(asset, side, price)) == [
        (Kind.TRADE, aggressor, Flag.LAST, 0, yes_price, 1_886_791, token, 0, NOW_NS)
    ]


def test_a_tick_change_is_told_once_and_opens_the_finer_grid() -> None:
    known = decoder()
    assert known.decode(frame(pair("0.465", "0.535"))).code == "INTEL_PRICE_OFF_GRID"
    assert rows(tick_change(), known) == [(Kind.TICK_SIZE, 0, Flag.LAST, 0, 10, 0, 0, 0, NOW_NS)]
    assert rows(tick_change(asset_id=NO_ID), known) == []
    assert rows(pair("0.465", "0.535"), known)[0][4] == 4_650
    assert rows(book(tick_size="0.01"), known)[0][:5] == (Kind.TICK_SIZE, 0, 0, 0, 100)


def test_prices_of_a_market_without_a_tick_may_be_as_fine_as_the_unit() -> None:
    known = Decoder()
    known.register(MARKET, [YES_ID, NO_ID])
    assert rows(pair("0.4651", "0.5349"), known)[0][4] == 4_651


@pytest.mark.parametrize(("winner", "payout"), [(YES_ID, 10_000), (NO_ID, 0)])
def test_a_resolution_is_a_status_and_a_payout(winner: str, payout: int) -> None:
    assert rows(resolved(winner)) == [
        (Kind.FACT, 0, 0, 0, Fact.STATUS, MarketStatus.RESOLVED, 0, 0, NOW_NS),
        (Kind.RESOLVED, 0, Flag.LAST, 0, 0, payout, 0, 0, NOW_NS),
    ]


def test_a_resolution_without_a_winner_leaves_the_payout_open() -> None:
    assert rows(resolved("")) == [(Kind.FACT, 0, Flag.LAST, 0, Fact.STATUS, MarketStatus.RESOLVING, 0, 0, NOW_NS)]


def test_a_resolution_of_a_market_nobody_asked_for_says_nothing() -> None:
    known = decoder()
    assert rows(resolved(market=OTHER), known) == []
    assert known.markets == [MARKET]


def test_a_pong_is_a_sign_of_life() -> None:
    known = Decoder(connection=3)
    assert known.decode(b"PONG") == Decoded([(Kind.ALIVE, 0, 0, -1, 0, 0, 0, 3, 0)], 0, None)
    assert known.counters["pongs"] == 1


def test_events_without_use_are_counted_and_learn_no_market() -> None:
    known = decoder()
    best = {"market": OTHER, "asset_id": OTHER_YES, "best_bid": "0.73", "best_ask": "0.77", "spread": "0.04"}
    assert rows(best | {"timestamp": "1", "event_type": "best_bid_ask"}, known) == []
    assert rows({"market": OTHER, "id": "5", "event_type": "new_market", "event_message": {"id": "1"}}, known) == []
    assert known.markets == [MARKET]
    assert known.counters["event:best_bid_ask"] == known.counters["event:new_market"] == 1
    assert not [name for name in known.counters if name.startswith("unknown")]


def test_an_unknown_event_is_kept_and_touches_no_book() -> None:
    known = decoder()
    assert known.decode(frame({"event_type": "weather", "market": MARKET})) == Decoded([], 0, "INTEL_UNKNOWN_EVENT")
    mixed = known.decode(frame([pair(), {"event_type": "weather"}]))
    assert mixed.code == "INTEL_UNKNOWN_EVENT"
    assert [row[0] for row in mixed.rows] == [Kind.LEVEL]
    assert known.counters["unknown_event:weather"] == 2


def test_unknown_fields_are_counted_by_name() -> None:
    known = decoder()
    assert len(rows(pair(depth=1), known)) == 1
    assert len(rows(changes(change(YES_ID, "BUY", "0.4", "1", owner={"a": [1]})), known)) == 1
    assert len(rows(book(seq="9"), known)) == 4 + 1
    assert known.counters["unknown_field:price_change.depth"] == 1
    assert known.counters["unknown_field:price_change.owner"] == 1
    assert known.counters["unknown_field:book.seq"] == 1


def test_a_text_with_colons_is_not_taken_for_keys() -> None:
    known = decoder()
    assert len(rows(trade(transaction_hash="a:b"), known)) == 1
    assert not [name for name in known.counters if name.startswith("unknown")]


def test_both_spellings_of_a_protocol_2_market_are_one() -> None:
    known = Decoder()
    short = "0x" + "ab" * 31
    assert known.register(short, [YES_ID, NO_ID]) == 0
    for market in (short, short + "00"):
        for version in ("v1", "v2"):
            assert rows(pair(market=market, version=version), known)[0][3] == 0
    assert known.markets == [short]


def test_registering_again_changes_nothing_and_a_contradiction_is_refused() -> None:
    known = Decoder(capacity=2)
    assert known.register(MARKET, [YES_ID, NO_ID]) == 0
    assert known.register(MARKET, [YES_ID, NO_ID], min_size="5", neg_risk=False) == 0
    assert known.register(MARKET, [NO_ID, YES_ID]) == -1
    assert known.register(OTHER, [YES_ID, OTHER_NO]) == -1
    assert known.register(OTHER, [OTHER_YES, OTHER_NO]) == 1
    assert known.register("0x" + "ef" * 32, ["7", "8"]) == -1
    assert known.markets == [MARKET, OTHER]


def test_a_market_seen_before_it_is_registered_keeps_its_index() -> None:
    known = Decoder()
    known.decode(frame(book(OTHER_YES, market=OTHER)))
    known.decode(frame(book()))
    assert known.register(MARKET, [YES_ID, NO_ID]) == 1
    assert known.register(OTHER, [OTHER_NO, OTHER_YES]) == -1, "the feed told YES first, the registry says otherwise"


def test_the_first_token_seen_is_yes() -> None:
    known = Decoder()
    known.decode(frame(book(NO_ID)))
    assert rows(pair(), known)[0][1] == ASK


def test_frames_sent_twice_are_counted_and_told_twice() -> None:
    known = decoder()
    assert rows(trade(), known) == rows(trade(), known)
    assert known.counters["duplicates"] == 1


def test_a_twin_is_a_book_of_the_other_token_at_the_same_time() -> None:
    known = decoder()
    flags = [
        rows(event, known)[0][2] & Flag.TWIN
        for event in (book(), book(), book(NO_ID), book(NO_ID, timestamp="1780795911768"))
    ]
    assert flags == [Flag.TWIN, 0, Flag.TWIN, 0]


def test_rows_are_plain_integers() -> None:
    known = decoder()
    for event in (book(), pair(), trade(), resolved(), changes(change(YES_ID, "BUY", "0.4", "1"))):
        assert {type(value) for row in rows(event, known) for value in row} == {int}


def test_a_usual_frame_costs_a_few_microseconds() -> None:
    known = decoder()
    said = [frame(pair(size=str(size))) for size in range(2_000)]
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        for raw in said:
            known.decode(raw)
        best = min(best, time.perf_counter() - start)
    assert best / len(said) < 30e-6, "goal 6 us; the bound leaves room for a busy machine"


def test_a_slow_reader_says_the_same_of_a_made_up_capture() -> None:
    known, reader = Decoder(), Reader()
    for raw in frames(seed=11, count=3_000):
        ours = [tuple(row) for row in known.decode(raw).rows]
        theirs = reader.rows(raw)
        assert [row[:2] + row[3:6] for row in ours] == [row[:2] + row[3:6] for row in theirs]
        levels = [(row[2], row[6:]) for row in ours if row[0] == Kind.LEVEL]
        assert levels == [(row[2], row[6:]) for row in theirs if row[0] == Kind.LEVEL]


@recorded
def test_the_recorded_capture_decodes_without_a_refusal() -> None:
    known = Decoder()
    kinds: dict[int, int] = {}
    mirrored = no_first = 0
    yes: dict[str, str] = {}
    with gzip.open(CAPTURE) as lines:
        for line in lines:
            for event in json.loads(line) if not yes else ():
                yes.setdefault(event["market"], event["asset_id"])
            decoded = known.decode(line)
            assert decoded.code is None
            for row in decoded.rows:
                kinds[row[0]] = kinds.get(row[0], 0) + 1
                mirrored += row[0] == Kind.LEVEL and bool(row[2] & Flag.MIRRORED)
            if decoded.rows[0][0] == Kind.LEVEL:
                first = line.index(b'"asset_id":"') + 12
                token = line[first : line.index(b'"', first)].decode()
                no_first += token not in yes.values()
    counters = known.counters
    assert counters["frames"] == 77_712
    assert counters["refused"] == counters["mirror_broken"] == counters["unpaired"] == 0
    assert len(known.markets) == 6
    assert mirrored == counters["mirrored"] == kinds[Kind.LEVEL] == 77_360
    assert kinds[Kind.TRADE] == counters["trades"] == 345
    assert kinds[Kind.SNAP_OPEN] == counters["snapshots"] == counters["hash_empty"] == 18
    assert counters["twins"] == 9
    assert no_first == 27_685
    assert not [name for name in counters if name.startswith("unknown")]


@pytest.mark.skipif(not DATA.exists(), reason="no recorded data: set POLYTRADERS_DATA")
def test_the_schema_samples_of_others_are_read() -> None:
    samples = sorted((DATA / "ws-fixtures").rglob("ws_market_*.json"))
    assert len(samples) >= 7
    for sample in samples:
        assert Decoder().decode(sample.read_bytes()).code is None, sample.name
    known = Decoder()
    assert known.decode((DATA / "protocol-v2-fixtures" / "new-market-frame.json").read_bytes()).code is None
    lines = (DATA / "protocol-v2-fixtures" / "ws-market-v2-session.abridged.jsonl").read_text().splitlines()
    heard = [json.loads(line) for line in lines]
    for line in heard:
        if line["dir"] == "recv":
            assert known.decode(line["data"].encode()).code is None
    assert known.counters["pongs"] == known.counters["snapshots"] == 1
    assert not [name for name in known.counters if name.startswith("unknown")]
