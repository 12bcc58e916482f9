"""Markets, one market, feeds and signals in every state they can be in, with a fixed number of questions."""

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.ingest import quotes as told
from apps.ingest.models import QuoteRecord
from apps.risk.models import DecisionRecord
from polytraders.console import quotes, rules, screen
from polytraders.contracts import state as s
from polytraders.contracts.inputs import Fact
from polytraders.contracts.reasons import number
from tests import servers
from tests.web.conftest import HOSTILE, Says
from tests.web.test_pages import QUERIES_MOST, SECOND_NS, page
from tests.written import Written

NOW: int = 1_780_315_274_000_000_000
PAGES = ("/markets/", "/markets/0", "/feeds/", "/signals/", "/signals/?market=0")
Quotes = Callable[..., told.Quote]


def quote(market: int = 0, **changed: Any) -> told.Quote:
    """A good book with a forecast, trades and a vector."""
    features = [0.0] * s.N_FEATURES
    features[s.MID], features[s.SPREAD] = 0.63, 0.02
    usual: dict[str, Any] = {
        "shard": 0, "market": market, "in_seq": 100, "ts": NOW, "at_ns": time.time_ns(), "state": s.BOOK_OK, "why": 0,
        "code": 0, "votes": 0, "connection": 0, "tick": 100, "bid": 6_200, "ask": 6_400, "bid_size": 3_000_000_000,
        "ask_size": 2_500_000_000, "spread": 200, "depth": 9_000_000_000, "last_price": 6_300,
        "row_ts": NOW - SECOND_NS, "witness_ts": NOW - 4 * SECOND_NS, "source_ts": NOW - SECOND_NS - 40_000_000,
        "events": 1_000, "snapshots": 3, "snapshot_differences": 1, "mismatches": 2, "repairs": 2,
        "best_mismatches": 0, "resyncs": 1, "witness_differences": 4,
        "bid_prices": [6_200, 6_100], "bid_sizes": [3_000_000_000, 1_000_000_000],
        "ask_prices": [6_400, 6_500], "ask_sizes": [2_500_000_000, 2_500_000_000],
        "trade_ts": [NOW - 2 * SECOND_NS], "trade_prices": [6_300], "trade_sizes": [-25_000_000],
        "features": features, "completeness_ppm": [1_000_000, 990_000, 960_000],
        "p_hats": [0.67, None, None], "lowers": [0.66, None, None], "uppers": [0.68, None, None],
        "forecast_ts": [NOW - 9 * SECOND_NS, None, None],
    }  # fmt: skip
    return told.Quote(**(usual | changed))


@pytest.fixture
def quoted() -> Iterator[Quotes]:
    """Write a quote; all are gone after the test."""

    def write(market: int = 0, **changed: Any) -> told.Quote:
        made = quote(market, **changed)
        with connection.cursor() as cursor:
            told.write(cursor, [made], [], [])  # type: ignore[arg-type]
        return made

    yield write
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM ingest_quote; DELETE FROM ingest_sample; DELETE FROM ingest_feed")


def sampled(count: int = 20, market: int = 0, **changed: Any) -> None:
    """Samples every five seconds up to NOW."""
    made = []
    for place in range(count):
        usual: dict[str, Any] = {
            "shard": 0, "market": market, "ts": NOW - (count - place) * 5 * SECOND_NS, "state": 0,
            "bid": 6_200 + place, "ask": 6_400 + place, "p_hats": [0.67], "lowers": [0.66], "uppers": [0.68],
            "features": [float(place)] * s.N_FEATURES,
        }  # fmt: skip
        made.append(told.Sample(**(usual | changed)))
    with connection.cursor() as cursor:
        told.write(cursor, [], made, [])  # type: ignore[arg-type]


@pytest.mark.parametrize("address", ["/markets/", "/feeds/", "/signals/"])
def test_an_empty_system_says_so(empty: servers.Database, ada: Client, address: str) -> None:
    text = page(ada, address)
    assert "NO LOOP" in text
    assert 'class="empty"' in text


@pytest.mark.parametrize("address", PAGES)
def test_nobody_sees_them_without_logging_in(log: Written, address: str) -> None:
    answer = Client().get(address)
    assert (answer.status_code, answer.headers["Location"].split("?")[0]) == (302, "/login")


@pytest.mark.parametrize("address", PAGES)
def test_a_silent_loop_is_stale_on_every_page(
    log: Written, ada: Client, says: Says, quoted: Quotes, address: str
) -> None:
    quoted()
    says(at_ns=time.time_ns() - 20 * SECOND_NS)
    assert "is-stale" in page(ada, address)


@pytest.mark.parametrize("address", PAGES)
def test_somebody_elses_text_stays_text(log: Written, ada: Client, says: Says, quoted: Quotes, address: str) -> None:
    says()
    quoted()
    text = page(ada, address)
    assert "&lt;script&gt;alert(1)" in text
    assert "<script>alert" not in text
    assert "\u202e" not in text
    assert "very " * 30 not in text
    assert "<style" not in text and " style=" not in text
    assert len(text) < 200_000 and len(HOSTILE) > 10_000


@pytest.mark.parametrize("address", PAGES)
def test_pages_ask_few_questions(log: Written, ada: Client, says: Says, quoted: Quotes, address: str) -> None:
    says()
    quoted(0)
    quoted(1)
    sampled()
    with CaptureQueriesContext(connection) as asked:
        page(ada, address)
    assert len(asked) <= QUERIES_MOST - 1, "one is left for whoever guards the door"


# (what is told of the book, what the page of the market says)
BOOKS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("a good book", {}, ["0.6200", "0.6400", "tradeable, by the market", "0.6700", "▼ sold", "3,000.00"]),
    ("an empty book", {"bid": None, "ask": None, "spread": None, "bid_prices": [], "bid_sizes": [], "ask_prices": [],
                       "ask_sizes": [], "features": [], "completeness_ppm": [], "depth": 0},
     ["The book is empty on both sides"]),
    ("one side", {"ask": None, "spread": None, "ask_prices": [], "ask_sizes": [], "features": [],
                  "completeness_ppm": []}, ["0.6200", "Depth of the book"]),
    ("a crossed book", {"ask": 6_100, "spread": -100, "ask_prices": [6_100, 6_500]}, ["crossed"]),
    ("a lost book", {"state": s.BOOK_RESYNC, "why": number("INTEL_BOOK_GAP"), "code": number("INTEL_BOOK_INVALID"),
                     "features": [], "completeness_ppm": []},
     ["s-resyncing", "INTEL_BOOK_GAP", "not tradeable", "INTEL_BOOK_INVALID"]),
    ("no forecast", {"p_hats": [None] * 3, "lowers": [None] * 3, "uppers": [None] * 3, "forecast_ts": [None] * 3},
     ["0.6200"]),
    ("never traded", {"trade_ts": [], "trade_prices": [], "trade_sizes": [], "last_price": None},
     ["Nobody has traded here"]),
]  # fmt: skip


@pytest.mark.parametrize(("changed", "words"), [case[1:] for case in BOOKS], ids=[case[0] for case in BOOKS])
def test_a_market_in_each_state(
    log: Written, ada: Client, says: Says, quoted: Quotes, changed: dict[str, Any], words: list[str]
) -> None:
    says()
    quoted(1, **changed)
    sampled(market=1)
    text = page(ada, "/markets/1")
    for word in words:
        assert word in text, word
    assert "Will it rain tomorrow?" in text


def test_a_market_without_a_quote_or_a_place_says_so(log: Written, ada: Client, says: Says) -> None:
    says()
    text = page(ada, "/markets/1")
    assert "No book has been told of this market yet" in text
    assert "quote-1" not in text, "there is nothing to wait for"
    for address in ("/markets/77", "/markets/99999999999", "/signals/?market=x"):
        assert ada.get(address).status_code == (404 if "markets" in address else 200)


def test_fills_orders_and_decisions_stand_on_the_market(log: Written, ada: Client, says: Says, quoted: Quotes) -> None:
    says()
    quoted(0)
    text = page(ada, "/markets/0")
    newest = DecisionRecord.objects.filter(market=0).order_by("-id").first()
    assert newest is not None and f'href="/decisions/{newest.decision_id}"' in text
    assert "Positions here" in text and "No order has been made here" not in text
    with connection.cursor() as cursor:
        cursor.execute("SELECT min(ts), max(ts) FROM oms_fill WHERE market = 0")
        first, last = cursor.fetchone()
    span = last - first
    made = [quoted_sample(first - span + place * span // 5) for place in range(20)]
    with connection.cursor() as cursor:
        told.write(cursor, [], made, [])  # type: ignore[arg-type]
    text = page(ada, "/markets/0")
    assert re.search(r'class="fill (up|down)( maker)?" d="M', text)
    assert "as maker" in text


def quoted_sample(ts: int) -> told.Sample:
    return told.Sample(0, 0, ts, 0, 6_200, 6_400, [0.67], [0.66], [0.68], [])


def test_the_screener_says_why_a_market_may_not_be_traded(
    log: Written, ada: Client, says: Says, quoted: Quotes
) -> None:
    says()
    quoted(0, code=number("RISK_SPREAD_WIDE"))
    text = page(ada, "/markets/")
    assert "RISK_SPREAD_WIDE" in text
    assert "INTEL_NO_SNAPSHOT" in text, "the other market has no book yet"
    assert page(ada, "/markets/?show=tradeable").count('scope="row" class="market"') == 0
    assert page(ada, "/markets/?show=untradeable").count('scope="row" class="market"') == 2
    assert page(ada, "/markets/?show=all&code=RISK_SPREAD_WIDE").count('scope="row" class="market"') == 1
    assert page(ada, "/markets/?q=rain+TOMORROW").count('scope="row" class="market"') == 1
    assert page(ada, "/markets/?q=100%25").count('scope="row" class="market"') == 0
    quoted(0)
    assert page(ada, "/markets/?show=tradeable").count('scope="row" class="market"') == 1


@pytest.mark.parametrize(
    "query",
    ["after=1", "after=x.1", "after=1.x", "after=" + "9" * 30 + ".1", "sort=none", "show=none", "code=NOPE", "q=%00",
     "cluster=%00'", "after=-1.0", "q=" + "a" * 5_000],
)  # fmt: skip
def test_what_cannot_be_meant_is_no_error(log: Written, ada: Client, says: Says, query: str) -> None:
    says()
    for address in ("/markets/", "/feeds/", "/signals/"):
        assert ada.get(f"{address}?{query}").status_code == 200


@pytest.mark.parametrize("sort", list(screen.SORTS))
def test_a_long_list_is_gone_through_once_whatever_its_order(
    log: Written, ada: Client, says: Says, quoted: Quotes, sort: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    says()
    monkeypatch.setattr(screen, "ROWS", 1)
    quoted(1)
    seen: list[str] = []
    address = f"/markets/?show=all&sort={sort}"
    for _ in range(3):
        text = page(ada, address)
        seen += re.findall(r'href="/markets/(\d+)"', text)
        older = re.search(r'<a href="(\?[^"]*)" rel="next"', text)
        if older is None:
            break
        address = "/markets/" + older[1].replace("&amp;", "&")
    assert sorted(seen) == ["0", "1"]


def test_feeds_show_what_was_lost_and_refused(log: Written, ada: Client, says: Says, quoted: Quotes) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(ts) FROM ingest_change")
        (last,) = cursor.fetchone()
        cursor.execute(
            "INSERT INTO ingest_refusal VALUES (0, 0, %s, 3, %s, 77)", (number("INTEL_FRAME_NOT_JSON"), last)
        )
        counts = [0, 0, 0, 60, 39, 0, 0, 0, 0, 0, 0, 0, 1]
        told.write(cursor, [], [], [told.Feed(0, 0, 1, last, last, 100, counts)])  # type: ignore[arg-type]
    says(loop_ts=last + 60 * SECOND_NS)
    quoted(0, row_ts=last, ts=last)
    text = page(ada, "/feeds/")
    assert "INTEL_FRAME_NOT_JSON" in text
    assert "100 rows, half within 10 ms, 99 % within 20 ms" in text
    assert 'class="s0"' in text
    assert "loop began" in text or "None since the log began" in text
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM ingest_refusal")


def test_signals_name_every_feature_with_its_history(log: Written, ada: Client, says: Says, quoted: Quotes) -> None:
    says(loop_ts=NOW)
    quoted(0)
    quoted(1, features=[], completeness_ppm=[], state=2, why=number("INTEL_BOOK_GAP"))
    sampled()
    text = page(ada, "/signals/?market=0")
    for name in s.FEATURES:
        assert f"<code>{name}</code>" in text
    assert text.count('class="spark"><svg') == s.N_FEATURES
    assert "q-fresh" in text and "q-none" in text
    says(loop_ts=NOW + 60 * SECOND_NS)
    assert "q-stale" in page(ada, "/signals/?market=0")


def test_rules_tell_what_changed_and_when(log: Written, ada: Client, says: Says) -> None:
    assert rules.words(Fact.FEE_RATE, 40_000) == "0.0400"
    assert rules.words(Fact.STATUS, 2) == "halted"
    before = len(rules.changes(0))
    log.world.fact(Fact.STATUS, 1, 0)
    log.commit()
    changed = rules.changes(0)
    assert (changed[0].name, changed[0].before, changed[0].after) == ("status", "open", "paused")
    assert changed[0].ts == log.world.now
    assert "paused" in page(ada, "/markets/0")
    log.world.fact(Fact.STATUS, 0, 0)
    log.commit()
    assert len(rules.changes(0)) >= before


def test_fragments_are_rendered_when_what_they_show_has_changed(log: Written, quoted: Quotes) -> None:
    quoted(0)
    parts = frozenset({"quote-0", "ladder-0", "quote-5", "strip", "quote-x"})
    first = quotes.fragments(parts, {})
    assert set(first) == {"quote-0", "ladder-0"}
    assert 'id="quote-0"' in first["quote-0"].html and "0.6200" in first["quote-0"].html
    known = {name: part.key for name, part in first.items()}
    assert quotes.fragments(parts, known) == {}
    quoted(0, row_ts=NOW, events=1_001)
    assert quotes.fragments(parts, known) == {}, "an age is no news"
    quoted(0, bid=6_300)
    assert set(quotes.fragments(parts, known)) == {"quote-0"}
    with CaptureQueriesContext(connection) as asked:
        quotes.fragments(frozenset(f"{kind}-{n}" for n in range(100) for kind in ("quote", "ladder")), {})
    assert len(asked) <= 3


def test_our_orders_stand_on_the_ladder_where_the_market_sees_them() -> None:
    class Order:
        price, size, filled, cancelled, action, outcome = 3_800, 50_000_000, 10_000_000, 0, 0, 1

    record: Any = QuoteRecord(bid_prices=[6_200], bid_sizes=[1], ask_prices=[6_400], ask_sizes=[1])
    order: Any = Order()
    assert quotes.yes_terms(order) == (6_200, False), "to buy NO at 0.38 is to sell YES at 0.62"
    rungs = quotes.ladder(record, [order])
    assert next((rung.price, rung.ours) for rung in rungs if rung.ours) == (6_200, 40_000_000)
