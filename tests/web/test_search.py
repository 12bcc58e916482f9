"""The box in the frame: what has a name or a number is found, and gone to where only one thing can be meant."""

import re

import pytest
from django.test import Client

from apps.risk.models import DecisionRecord
from polytraders.console.search import MOST
from polytraders.console.words import WORDS
from polytraders.contracts.reasons import REASONS
from tests.written import Written


def found(client: Client, asked: str) -> list[tuple[str, str]]:
    """Kind and address of each hit; one that was gone to at once has no kind."""
    answer = client.get("/search", {"q": asked})
    if answer.status_code == 302:
        return [("", answer.headers["Location"])]
    assert answer.status_code == 200
    return re.findall(r'<tr><td>([\w ]+)</td><td><a href="([^"]+)"', answer.content.decode())


@pytest.mark.parametrize("asked", ["net edge", "net_edge", "NET EDGE", " net_edge "])
def test_a_word_of_help_is_found_however_it_is_typed(log: Written, ada: Client, asked: str) -> None:
    assert ("word", "/help/#word-net-edge") in found(ada, asked) or found(ada, asked) == [("", "/help/#word-net-edge")]


def test_what_begins_a_word_comes_before_what_is_only_in_one(log: Written, ada: Client) -> None:
    kinds = found(ada, "edge")
    assert kinds.index(("word", "/help/#word-net-edge")) < kinds.index(("page", "/ledger/"))
    assert kinds.index(("reason code", "/reasons/STRAT_NO_EDGE/")) < kinds.index(("page", "/ledger/"))


@pytest.mark.parametrize("asked", ["edge", "al", "ra", "te"])
def test_no_code_with_a_word_that_begins_so_is_crowded_out(log: Written, ada: Client, asked: str) -> None:
    codes = [entry.code for entry in REASONS if f"_{asked}".upper() in entry.code][:MOST]
    addresses = [address for _, address in found(ada, asked)]
    assert codes and {f"/reasons/{code}/" for code in codes} <= set(addresses)
    assert len(addresses) <= 4 * MOST


def test_every_word_stands_once_on_help_where_the_search_leads(log: Written, ada: Client) -> None:
    page = ada.get("/help/").content.decode()
    assert len(WORDS) == len({word.anchor for word in WORDS})
    for word in WORDS:
        assert page.count(f'id="{word.anchor}"') == 1, word.names
        assert any(address == f"/help/#{word.anchor}" for _, address in found(ada, word.names)), word.names


def test_a_decision_and_a_code_are_gone_to_at_once(log: Written, ada: Client) -> None:
    row = DecisionRecord.objects.order_by("id")[0]
    assert found(ada, row.decision_id) == [("", f"/decisions/{row.decision_id}")]
    assert found(ada, f"{row.in_seq}:{row.market}:{row.strategy}") == [("", f"/decisions/{row.decision_id}")]
    assert found(ada, "strat no edge") == [("", "/reasons/STRAT_NO_EDGE/")]


def test_a_market_is_found_by_a_part_of_its_title(log: Written, ada: Client) -> None:
    ((kind, address),) = found(ada, "rain tomorrow")
    assert kind == "" and re.fullmatch(r"/markets/\d+", address)


@pytest.mark.parametrize("asked", ["", "  ", "zzzz", "9" * 40 + ":0", "1:2:3:4", "\x00", "<script>alert(2)</script>"])
def test_what_is_not_there_is_said_and_nothing_breaks(log: Written, ada: Client, asked: str) -> None:
    assert found(ada, asked) == []
    text = ada.get("/search", {"q": asked}).content.decode()
    assert "Nothing is called" in text and "<script>alert" not in text
