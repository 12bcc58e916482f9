"""Strategies: what runs, with which settings, what it decided and what it earned."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from django.contrib import messages
from django.db.models import Sum
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from apps.ledger.models import PositionRecord
from apps.monitoring.models import StrategyRecord
from apps.risk.models import MinuteRecord
from polytraders import figures as f
from polytraders.access.permissions import Permission, needs
from polytraders.config import MOVABLE
from polytraders.console import attribution, foureyes, rollouts
from polytraders.console.board import APPROVED_CODE, HOUR_NS
from polytraders.console.control import back, told
from polytraders.console.frame import show
from polytraders.console.problems import Refused
from polytraders.console.risk import typed
from polytraders.console.scopes import Line, Tree
from polytraders.contracts.inputs import Setting, Stage
from polytraders.contracts.reason import Reason
from polytraders.contracts.reasons import by_number
from polytraders.contracts.scope import Scope

VERSIONS: Final = 12
CODES: Final = 6
UNITS: Final = {
    "model": "number", "windows": "bits: 60 s, 5 m, 1 h", "immediate": "flag", "maker": "flag", "size": "1e-6 shares",
    "exposure_max": "micro-pUSD", "rest_ms": "ms", "edge_min": "1e-9 per share", "kelly_ppm": "ppm",
    "volatility_target_ppm": "ppm", "collar": "price units (1e-4)", "band_max": "1e-9", "stage": "stage",
}  # fmt: skip


def unit_of(setting: str) -> f.Unit:
    """What a setting is told in."""
    return f.SETTINGS[UNITS[setting]]


@dataclass(frozen=True)
class Row:
    """One strategy of the list; counts of the last 24 hours of loop time, money since the log began."""

    name: str
    stage: str
    line: Line | None
    evaluations: int
    approvals: int
    codes: list[tuple[Reason, int]]
    held: int
    realised: int
    fees: int


@require_safe
@never_cache
@needs(Permission.VIEW)
def page(request: HttpRequest) -> HttpResponseBase:
    """The list."""
    tree = Tree(deep=False)
    now = tree.strip()
    context = {
        "board": now,
        "rows": rows(tree, now.loop.loop_ts if now.loop else 0),
        "proposals": foureyes.listed("parameter"),
        "tree": tree,
        "me": request.user.get_username(),
        "can_answer": foureyes.answerable(request.user),
    }
    return show(request, "console/strategies.html", "strategies", context)


def rows(tree: Tree, now_ts: int, shard: int = 0) -> list[Row]:
    """All strategies; two queries over a day of minutes and over positions."""
    counted = MinuteRecord.objects.filter(shard=shard, minute_ts__gt=now_ts - 24 * HOUR_NS)
    counts: dict[int, dict[int, int]] = {}
    for strategy, code, total in counted.values_list("strategy", "code").annotate(total=Sum("count")):
        counts.setdefault(strategy, {})[code] = total
    held = PositionRecord.objects.filter(shard=shard).values_list("strategy")
    money = {
        strategy: numbers
        for strategy, *numbers in held.annotate(a=Sum("cost"), b=Sum("realised"), c=Sum("fees")).order_by("strategy")
    }
    made = []
    for row in tree.strategies:
        own = counts.get(row.strategy, {})
        top = sorted(((-n, code) for code, n in own.items() if code != APPROVED_CODE))[:CODES]
        cost, realised, fees = money.get(row.strategy, (0, 0, 0))
        made.append(
            Row(
                row.name,
                "" if row.stage is None else Stage(row.stage).name.lower(),
                tree.find(Scope.STRATEGY, row.name),
                sum(own.values()),
                own.get(APPROVED_CODE, 0),
                [(by_number(code), -n) for n, code in top],
                cost,
                realised,
                fees,
            )
        )
    return made


@dataclass(frozen=True)
class Version:
    """A configuration: the input since which it holds, and each setting with what it was before."""

    in_seq: int
    changes: list[tuple[str, int | None, int]]

    @property
    def shown(self) -> list[tuple[str, str, str]]:
        """The changes with their units."""
        return [
            (name, "" if before is None else f.amount(before, unit_of(name)), f.amount(value, unit_of(name)))
            for name, before, value in self.changes
        ]

    @property
    def is_first(self) -> bool:
        """Whether there is none before it that the log still has."""
        return all(before is None for _, before, _ in self.changes)


def history(index: int) -> tuple[dict[str, int], list[Version]]:
    """Settings in force, and versions that differ from the one before, newest first."""
    found = rollouts.versions([index]).get(index, [])
    names = [setting.name.lower() for setting in Setting] + ["stage"]
    plain = [(one.in_seq, {name: int(one.record[name]) for name in names}) for one in found]
    versions = []
    for place, (in_seq, values) in enumerate(plain):
        before = plain[place + 1][1] if place + 1 < len(plain) else {}
        changes = [(name, before.get(name), value) for name, value in values.items() if before.get(name) != value]
        if changes:
            versions.append(Version(in_seq, changes))
    return (plain[0][1] if plain else {}), versions[:VERSIONS]


@require_safe
@never_cache
@needs(Permission.VIEW)
def detail(request: HttpRequest, name: str) -> HttpResponseBase:
    """One strategy."""
    tree = Tree(deep=False)
    now = tree.strip()
    record = next((row for row in tree.strategies if row.name == name), None)
    if record is None:
        raise Http404("no such strategy")
    settings, versions = history(record.strategy)
    found: Any = next((row for row in rows(tree, now.loop.loop_ts if now.loop else 0) if row.name == name), None)
    context = {
        "board": now,
        "row": found,
        "name": name,
        "tree": tree,
        "settings": [
            (one, f.amount(value, unit_of(one)), one in MOVABLE) for one, value in settings.items() if one != "stage"
        ],
        "versions": versions,
        "movable": [(one, f.entered(unit_of(one))) for one in MOVABLE],
        "attribution": attribution.recent(record.strategy),
        "proposals": [one for one in foureyes.listed("parameter") if one.row.target.startswith(f"{name} ")],
        "me": request.user.get_username(),
        "can_answer": foureyes.answerable(request.user),
    }
    return show(request, "console/strategy.html", "strategies", context)


@require_POST
@never_cache
@needs(Permission.STRATEGY)
@told("strategies")
def propose(request: HttpRequest, name: str) -> HttpResponseBase:
    """A setting shall have another value: a second person confirms it."""
    record = StrategyRecord.objects.filter(shard=0, name=name).first()
    setting = request.POST.get("setting", "")
    if record is None or setting not in MOVABLE:
        raise Refused(HTTPStatus.BAD_REQUEST, "GOV_COMMAND_INVALID", "there is no such strategy or setting")
    _, least, most = MOVABLE[setting]
    unit = unit_of(setting)
    value = typed(request, unit, least, most)
    before = history(record.strategy)[0].get(setting)
    payload = {"strategy": name, "setting": setting, "value": value}
    words = request.POST.get("reason", "").strip()
    foureyes.propose(
        request, "parameter", f"{name} {setting}", payload, before="?" if before is None else f.amount(before, unit),
        after=f.amount(value, unit), reason=words,
    )  # fmt: skip
    messages.success(request, "Proposed. The strategy goes on as it is until a second person confirms it.")
    return back(request, "strategies", "#proposals")
