"""Is p_hat any good? Forecasts of markets that have resolved, against what came and against the market's own price."""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, NamedTuple

import numpy as np
from django.db import connection
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.eventlog import reading
from apps.eventlog.bodies import What, unpack
from apps.registry.models import MarketRecord
from apps.replay import scoring
from apps.replay.models import ScoredRecord, ScoreRecord
from polytraders import figures as f
from polytraders.access.permissions import Permission, needs
from polytraders.console import board
from polytraders.console.frame import show
from polytraders.console.pictures.reliability import Row, diagram, histogram
from polytraders.console.strategies import unit_of
from polytraders.contracts.state import FEATURES, N_FEATURES, STRATEGY
from polytraders.strategies.parameters import GBM_UPDOWN, LOGIT, MICROPRICE, MODELS, TABLE_AT, WEIGHTS_AT

MARKETS_LEAST: Final = 30
"""Resolved markets below which a score is luck; the page says how many are missing."""
SETTINGS: Final = (
    "immediate", "maker", "size", "exposure_max", "rest_ms", "edge_min", "kelly_ppm", "volatility_target_ppm",
    "collar", "band_max", "stage",
)  # fmt: skip
IN_FORCE: Final = """
SELECT DISTINCT ON (what) what, body, in_seq FROM log_record
WHERE shard = %s AND index = %s AND what = ANY(%s) ORDER BY what, in_seq DESC"""


@dataclass(frozen=True)
class Score:
    """A strategy's, or the market's, mean errors over its forecasts; None where there are none."""

    count: int
    brier: float | None
    loss: float | None


class Line(NamedTuple):
    """One strategy or horizon: ours and the market's scores, and by how much ours is better."""

    name: str
    ours: Score
    market: Score
    skill: float | None


@require_safe
@never_cache
@needs(Permission.VIEW)
def page(request: HttpRequest) -> HttpResponseBase:
    """The page: everything comes from one table of sums."""
    names = board.strategy_names(0)
    told = {name: request.GET.get(name, "").strip() for name in ("strategy", "horizon")}
    strategy = next((index for index, name in names.items() if told["strategy"] in (name, str(index))), None)
    horizon = int(told["horizon"]) if told["horizon"] in map(str, range(len(scoring.HORIZONS))) else None
    wrong = [name for name, found in (("strategy", strategy), ("horizon", horizon)) if told[name] and found is None]
    rows = list(ScoreRecord.objects.filter(shard=0))
    chosen = [row for row in rows if not wrong and strategy in (None, row.strategy) and horizon in (None, row.horizon)]
    resolved = MarketRecord.objects.filter(shard=0, payout__isnull=False).count()
    scored = ScoredRecord.objects.filter(shard=0, forecasts__gt=0).count()
    ours = _bins(chosen, scoring.MODEL)
    sharp = histogram(
        [
            (f"{index / scoring.BINS:.2f}", ours[index].count if index in ours else 0, "")
            for index in range(scoring.BINS)
        ],
        range(0, scoring.BINS, 2),
    )
    context = {
        "board": board.strip(names=names),
        "wrong": wrong,
        "strategies": sorted(names.items()),
        "strategy": strategy,
        "horizons": list(enumerate(scoring.HORIZONS)),
        "horizon": horizon,
        "resolved": resolved,
        "scored": scored,
        "least": MARKETS_LEAST,
        "missing": max(0, MARKETS_LEAST - scored),
        "all": _line("", chosen),
        "by_strategy": _lines(
            [
                (names.get(each) or f"strategy {each}", [row for row in rows if row.strategy == each])
                for each in sorted({row.strategy for row in rows})
            ],
            lambda row: horizon in (None, row.horizon),
        ),
        "by_horizon": _lines(
            [(name, [row for row in rows if row.horizon == index]) for index, name in enumerate(scoring.HORIZONS)],
            lambda row: strategy in (None, row.strategy),
        ),
        "diagram": diagram(ours.values(), _bins(chosen, scoring.MARKET).values(), scoring.BINS),
        "sharpness": sharp,
        "card": card(0, strategy, names.get(strategy, "")) if strategy is not None else None,
    }
    status = HTTPStatus.BAD_REQUEST if wrong else HTTPStatus.OK
    return show(request, "console/models.html", "models", context, status=status)


def _bins(rows: list[ScoreRecord], who: int) -> dict[int, Row]:
    found: dict[int, Row] = {}
    for row in rows:
        if row.who == who:
            before = found.get(row.bin, Row(row.bin, 0, 0.0, 0))
            found[row.bin] = Row(
                row.bin, before.count + row.count, before.forecast + row.forecast, before.hits + row.hits
            )
    return found


def _score(rows: list[ScoreRecord], who: int) -> Score:
    mine = [row for row in rows if row.who == who]
    count = sum(row.count for row in mine)
    if not count:
        return Score(0, None, None)
    return Score(count, sum(row.brier for row in mine) / count, sum(row.loss for row in mine) / count)


def _line(name: str, rows: list[ScoreRecord]) -> Line:
    ours, market = _score(rows, scoring.MODEL), _score(rows, scoring.MARKET)
    skill = 1 - ours.brier / market.brier if ours.brier is not None and market.brier else None
    return Line(name, ours, market, skill)


def _lines(groups: list[tuple[str, list[ScoreRecord]]], is_meant: Callable[[ScoreRecord], bool]) -> list[Line]:
    made = (_line(name, [row for row in rows if is_meant(row)]) for name, rows in groups)
    return [line for line in made if line.ours.count]


def card(shard: int, strategy: int, name: str) -> dict[str, Any] | None:
    """The model card: what a strategy runs with now, from what is in force in the log; one question."""
    with connection.cursor() as cursor:
        cursor.execute(IN_FORCE, (shard, strategy, [int(What.STRATEGY), int(What.PARAMS)]))
        found = {int(what): (bytes(body), in_seq) for what, body, in_seq in cursor.fetchall()}
    if int(What.STRATEGY) not in found or int(What.PARAMS) not in found:
        return None
    record = np.frombuffer(unpack(found[int(What.STRATEGY)][0]), STRATEGY)[0]
    params = np.frombuffer(unpack(found[int(What.PARAMS)][0]), reading.PARAMETERS)[0]["of"]
    number = int(record["model"])
    model = MODELS[number] if 0 <= number < len(MODELS) else f"model {number}"
    plain = {"logit": LOGIT, "gbm_updown": GBM_UPDOWN, "microprice": MICROPRICE}.get(model, ())
    parameters = [(label, float(params[index])) for index, label in enumerate(plain)]
    weights: list[tuple[str, float]] = []
    knots: list[tuple[float, float, float, float]] = []
    if model == "logit":
        weights = [
            (label, float(weight))
            for label, weight in zip(FEATURES, params[WEIGHTS_AT : WEIGHTS_AT + N_FEATURES], strict=True)
            if weight
        ]
        count = int(params[len(LOGIT)])
        table = params[TABLE_AT : TABLE_AT + 4 * count].reshape(4, count).T
        knots = [(float(x), float(y), float(lower), float(upper)) for x, y, lower, upper in table]
    return {
        "name": name, "model": model, "parameters": parameters, "weights": weights, "knots": knots,
        "settings": [(label, f.amount(int(record[label]), unit_of(label))) for label in SETTINGS],
        "since": found[int(What.PARAMS)][1],
    }  # fmt: skip
