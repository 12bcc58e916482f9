"""Risk: limits with their use, exposure by strategy and cluster, proposals, and what would happen if."""

from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from polytraders.access.permissions import Permission, needs
from polytraders.config import limit_most
from polytraders.console import board, foureyes, limits, stress
from polytraders.console.control import back, told
from polytraders.console.frame import show
from polytraders.console.pictures.heat import heat
from polytraders.console.pictures.stressed import picture
from polytraders.console.problems import Refused

DIGITS_MOST = 17


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
    found = stress.scenarios(held, money.get("cash"), 0 if money else None)
    uses = limits.uses(now.loop, at_risk)
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


def whole(text: str) -> int:
    """A whole number of a form.

    Raises:
        Refused: It is none.
    """
    plain = text.strip().replace(",", "").replace("_", "")
    if not (plain.isascii() and plain.removeprefix("-").isdigit() and len(plain) <= DIGITS_MOST):
        raise Refused(HTTPStatus.BAD_REQUEST, "GOV_REQUEST_INVALID", "a limit is a whole number of its unit")
    return int(plain)


@require_POST
@never_cache
@needs(Permission.LIMIT)
@told("risk")
def propose(request: HttpRequest) -> HttpResponseBase:
    """A limit shall have another value: somebody else confirms it with a code."""
    name, value = request.POST.get("name", ""), whole(request.POST.get("value", ""))
    found = limits.in_force()
    if found is None or name not in found[1]:
        raise Refused(HTTPStatus.BAD_REQUEST, "GOV_COMMAND_INVALID", "there is no such limit, or no log yet")
    if not 0 <= value <= limit_most(name):
        raise Refused(HTTPStatus.BAD_REQUEST, "GOV_COMMAND_INVALID", f"it must be from 0 to {limit_most(name):,}")
    before = found[1][name]
    if value == before:
        raise Refused(HTTPStatus.BAD_REQUEST, "GOV_REQUEST_INVALID", "that is what is in force")
    words = request.POST.get("reason", "").strip()
    payload = {"name": name, "value": value}
    foureyes.propose(request, "limit", name, payload, before=f"{before:,}", after=f"{value:,}", reason=words)
    messages.success(request, "Proposed. Nothing changes until another Admin confirms it.")
    return back(request, "risk", "#proposals")
