"""The plan: how the eleven stages connect, and one page for each, made from the apps' own pages."""

from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from polytraders.access.permissions import Permission, needs
from polytraders.console import board, codes, stages
from polytraders.console.frame import show
from polytraders.console.pictures import plan as picture
from polytraders.contracts.reasons import REASONS


@require_safe
@never_cache
@needs(Permission.VIEW)
def stages_page(request: HttpRequest) -> HttpResponseBase:
    """All eleven, connected."""
    now = board.read()
    context = {"board": now, "boxes": picture.boxes(), "arrows": picture.arrows(), "terms": picture.TERMS}
    return show(request, "console/stages.html", "stages", context)


@require_safe
@never_cache
@needs(Permission.VIEW)
def stage_page(request: HttpRequest, number: int) -> HttpResponseBase:
    """One stage: what it asks, takes, hands on, says, never does, and how it is changed."""
    if not 1 <= number <= len(stages.STAGES):
        raise Http404("there are eleven stages")
    now = board.read()
    stage = stages.STAGES[number - 1]
    counts = codes.counted(now.loop.loop_ts if now.loop else None)
    context = {
        "board": now,
        "stage": stage,
        "told": stages.told(stage.app),
        "line": now.stages[number - 1],
        "lines": codes.told([entry for entry in REASONS if entry.stage == number], counts),
        "before": stages.STAGES[number - 2] if number > 1 else None,
        "after": stages.STAGES[number] if number < len(stages.STAGES) else None,
        "terms": [(term, words) for term, where, words in picture.TERMS if where == number],
    }
    return show(request, "console/stage.html", "stages", context)
