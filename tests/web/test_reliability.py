"""Pictures of forecasts and fills: places worked out by hand, and the page in its states."""

import re
from typing import Any

import pytest
from django.test import Client

from apps.replay import scoring
from apps.replay.core.metrics import wilson
from apps.replay.models import ExecutionRecord, ScoredRecord, ScoreRecord
from polytraders.console.pictures.reliability import Row, diagram, histogram
from tests.web.conftest import Says
from tests.written import Written


def page(client: Client, address: str, status: int = 200) -> str:
    answer = client.get(address)
    assert answer.status_code == status
    return answer.content.decode()


def test_worked_example() -> None:
    # 100 forecasts of 0.72 on average of which 65 came, 25 of 0.22 of which 5 came; the axis has 344 by 356 units.
    drawn = diagram([Row(14, 100, 72.0, 65), Row(4, 25, 5.5, 5)], [Row(13, 100, 66.0, 65)], 20)
    assert drawn is not None
    low, high = drawn.ours
    assert (high.low, high.high, high.count, high.mean, high.frequency) == (0.7, 0.75, 100, 0.72, 0.65)
    assert (high.x, high.y) == (293.7, 134.6)
    assert (low.x, low.y) == (121.7, 294.8)
    assert (high.radius, low.radius) == (9.0, 6.0)
    assert (high.lower, high.upper) == wilson(65, 100)
    assert high.y_upper < high.y < high.y_lower
    assert drawn.diagonal == "M46 366 L390 10"
    assert drawn.ours_line == "M121.7 294.8 L293.7 134.6"
    assert [tick.text for tick in drawn.x_ticks] == ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
    (square,) = drawn.market
    assert (square.x, square.y) == (273.0, 134.6)


def test_there_is_no_picture_of_nothing() -> None:
    assert diagram([], [], 20) is None
    assert diagram([Row(1, 0, 0.0, 0)], [], 20) is None
    assert histogram([("a", 0, "")], [0]) is None


def test_columns_are_true_to_scale_side_by_side() -> None:
    drawn = histogram([("a", 4, ""), ("b", 2, "over"), ("c", 0, "")], [0, 2])
    assert drawn is not None
    first, second, third = drawn.columns
    assert (first.height, second.height, third.height) == (206.0, 103.0, 0.0)
    assert (first.x, second.x, first.width) == (47.0, 228.3, 179.3)
    assert all(column.y + column.height == 216 for column in drawn.columns)
    assert [(tick.at, tick.text) for tick in drawn.x_ticks] == [(136.7, "a"), (499.3, "c")]


@pytest.fixture
def scores(log: Written) -> Any:
    rows = [
        # strategy, horizon, who, bin, count, hits, forecast, brier, loss
        (0, 1, scoring.MODEL, 14, 100, 65, 72.0, 23.0, 65.0),
        (0, 1, scoring.MARKET, 13, 100, 65, 66.0, 25.0, 68.0),
        (1, 2, scoring.MODEL, 4, 25, 5, 5.5, 4.0, 13.0),
        (1, 2, scoring.MARKET, 4, 25, 5, 5.0, 3.2, 12.0),
    ]
    names = ("strategy", "horizon", "who", "bin", "count", "hits", "forecast", "brier", "loss")
    for row in rows:
        ScoreRecord.objects.create(shard=0, **dict(zip(names, row, strict=True)))
    for market in range(7):
        ScoredRecord.objects.create(shard=0, market=market, payout=0, forecasts=1)
    filled: Any
    for filled in (
        (0, scoring.SLIPPAGE, 0, 8, 1e6, 4e12, 0), (0, scoring.SLIPPAGE, 3, 2, 12e6, 72e12, 0),
        (0, scoring.FILLING, 9, 10, 9.3, 8.0, 7),
    ):  # fmt: skip
        fields = ("strategy", "what", "bin", "count", "expected", "came", "whole")
        ExecutionRecord.objects.create(shard=0, **dict(zip(fields, filled, strict=True)))
    yield
    for model in (ScoreRecord, ScoredRecord, ExecutionRecord):
        model.objects.all().delete()


def test_the_page_scores_p_hat_against_the_market(scores: None, ada: Client, says: Says) -> None:
    says()
    text = page(ada, "/models/")
    # 27 / 125 against 28.2 / 125.
    assert "0.2160" in text and "0.2256" in text and "4.3 %" in text
    assert "23 are missing" in text and "One forecast counts for a market" in text
    assert text.count('<circle class="dot-one"') == 2 and text.count('<rect class="dot-two"') == 2
    only = page(ada, "/models/?strategy=says&horizon=1")
    assert "0.2300" in only and "0.2500" in only and only.count('<circle class="dot-one"') == 1
    assert "Model card" in only and "edge min" in only
    assert "No judgement yet" in page(ada, "/models/?strategy=says&horizon=4")


@pytest.mark.parametrize(
    "wrong", ["strategy=none", "horizon=7", "horizon=-1", "horizon=x", "strategy=%3Cb%3E", "horizon=%00"]
)
def test_what_is_not_there_shows_nothing_and_says_so(scores: None, ada: Client, wrong: str) -> None:
    text = page(ada, f"/models/?{wrong}", 400)
    assert f"no such {wrong.partition('=')[0]}" in text and 'class="dot-one"' not in text


def test_the_page_of_executions_compares_what_was_predicted(scores: None, ada: Client, says: Says) -> None:
    says()
    text = page(ada, "/execution/")
    # Mean slippage 13e6 / 10 and root of 76e12 / 10, in 1e-9 a share; P(fill) 0.93 against 0.8 filled, 7 of 10 wholly.
    assert "+0.001300" in text and "+0.002757" in text
    assert "93.0 %" in text and "80.0 %" in text and "70.0 %" in text
    assert re.search(r'class="column over"[^>]*><title>\+0.006: 2</title>', text)
    assert "no such strategy" in page(ada, "/execution/?strategy=x", 400)
    assert page(ada, "/execution/?strategy=says").count("taker</td>") > 0


def test_the_scatter_shows_each_fill_of_the_page(log: Written, ada: Client) -> None:
    text = page(ada, "/execution/")
    fills = text.count("taker</td>") + text.count("maker</td>")
    picture = text.partition('id="sc-name"')[2].partition("</svg>")[0]
    assert fills > 0 and picture.count("<circle") + picture.count("<rect") == fills
