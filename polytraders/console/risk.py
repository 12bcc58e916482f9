"""Risk: limits with their use, exposure by strategy and cluster, proposals, and what would happen if."""

from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from polytraders import figures as f
from polytraders.access.permissions import Permission, needs
from polytraders.config import limit_most, load_limits
from polytraders.console import board, foureyes, limits, stress
from polytraders.console.control import back, told
from polytraders.console.frame import show
from polytraders.console.pictures.heat import heat
from polytraders.console.pictures.stressed import picture
from polytraders.console.problems import Refused


@require_safe
@never_cache
@needs(Permission.VIEW)
def page(request: HttpRequest) -> HttpResponseBase:
    """The whole page."""
    now = board.strip()
    at_risk = limits.book()
    names = board.strategy_names(0)
    cells: dict[tuple[str, str], int] = {}
    for (strategy, market), amount in at_risk.at_risk.items():
        key = names.get(strategy, f"strategy {strategy}"), at_risk.clusters.get(market, "no cluster")
        cells[key] = cells.get(key, 0) + amount
    held = stress.gather(((market, outcome, size, cost) for market, _, outcome, size, cost in at_risk.positions),
                         at_risk.clusters)  # fmt: skip
    money = now.loop.money if now.loop else {}
    found = stress.scenarios(held, money.get("cash"), 0 if money else None, at_risk.titles)
    portfolio = limits.uses(now.loop, at_risk)
    uses = limits.closest_first([*portfolio, *(limits.of_strategies(names, at_risk) if portfolio else ())])
    stopped = limits.rejected(now.loop.loop_ts if now.loop else 0)
    context: dict[str, Any] = {
        "board": now,
        "uses": [(use, bar(use.part), stopped.get(use.name)) for use in uses if use.used is not None],
        "looked": [(use, stopped.get(use.name)) for use in uses if use.used is None],
        "heat": heat([names[index] for index in sorted(names)], cells),
        "proposals": foureyes.listed("limit"),
        "scenarios": found,
        "picture": picture(found),
        "held": len(held),
        "chosen": next((use for use in uses if use.name == request.GET.get("limit")), None),
        "me": request.user.get_username(),
        "can_answer": foureyes.answerable(request.user),
    }
    return show(request, "console/risk.html", "risk", context)


def bar(part: float | None) -> tuple[float, bool]:
    """Length of a bar of 100 and whether it is over its limit."""
    return (0.0, False) if part is None else (round(min(1.0, max(0.0, part)) * 100, 1), part > 1.0)


def typed(request: HttpRequest, unit: f.Unit, least: int, most: int) -> int:
    """The form's value, which is told in the unit that pages show, in the loop's own.

    Raises:
        Refused: It is no number of this unit, or out of bounds.
    """
    try:
        value = f.typed(request.POST.get("value", ""), unit.places)
    except ValueError as error:
        raise Refused(HTTPStatus.BAD_REQUEST, "GOV_REQUEST_INVALID", str(error)) from error
    if not least <= value <= most:
        bounds = f"it must be from {f.amount(least, unit)} to {f.amount(most, unit)}"
        raise Refused(HTTPStatus.BAD_REQUEST, "GOV_COMMAND_INVALID", bounds)
    return value


@require_POST
@never_cache
@needs(Permission.LIMIT)
@told("risk")
def propose(request: HttpRequest) -> HttpResponseBase:
    """A limit shall have another value: somebody else confirms it with a code."""
    name = request.POST.get("name", "")
    found = limits.in_force()
    if found is None or name not in found[1]:
        raise Refused(HTTPStatus.BAD_REQUEST, "GOV_COMMAND_INVALID", "there is no such limit, or no log yet")
    unit = f.SETTINGS[load_limits()[name].unit]
    value, before = typed(request, unit, 0, limit_most(name)), found[1][name]
    if value == before:
        raise Refused(HTTPStatus.BAD_REQUEST, "GOV_REQUEST_INVALID", "that is what is in force")
    limits.propose(request, name, before, value, request.POST.get("reason", "").strip())
    messages.success(request, "Proposed. Nothing changes until another Admin confirms it.")
    return back(request, "risk", "#proposals")
