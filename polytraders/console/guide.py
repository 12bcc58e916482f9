"""How to read all this in five minutes: the loop, one rejected trade, words, keys, and what to do at night."""

from dataclasses import dataclass
from typing import Final

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.risk.models import DecisionRecord
from polytraders.access.permissions import Permission, needs
from polytraders.console import board, decisions
from polytraders.console.frame import show
from polytraders.console.pictures import plan as picture
from polytraders.console.words import WORDS
from polytraders.contracts.checks import BITS, code_of
from polytraders.contracts.decision import RiskVote, Verdict
from polytraders.contracts.reason import Reason
from polytraders.contracts.reasons import by_number, number

REJECTED: Final = list(Verdict).index(Verdict.REJECT)
LOOKED_AT: Final = 200


@dataclass(frozen=True)
class Example:
    """A rejected trade of this very system, in words."""

    row: DecisionRecord
    market: str
    strategy: str
    reason: Reason
    trade: str
    vote: RiskVote | None


def example(shard: int = 0) -> Example | None:
    """The newest rejection that had an edge to be told; among the last ones only, so that it is found at once."""
    rows = DecisionRecord.objects.filter(shard=shard, verdict=REJECTED).order_by("-id")
    # One that failed by its edge shows the rule best; in the first minutes there may be none.
    lacks_edge = rows.filter(code=number(code_of(BITS["net_edge"])))
    newest = (*lacks_edge[:1], *rows[:LOOKED_AT])
    row = next((row for row in newest if None not in (row.net_edge, row.p_own, row.q_exec, row.fee, row.buffer)), None)
    if row is None:
        return None
    try:
        vote = next(iter(decisions.rendered(row)[0].rejections), None)
    except LookupError:
        vote = None
    titles = board.market_titles(shard, {row.market})
    names = board.strategy_names(shard)
    return Example(
        row,
        titles.get(row.market) or f"market {row.market}",
        names.get(row.strategy) or f"strategy {row.strategy}",
        by_number(row.code),
        f"{'SELL' if row.action else 'BUY'} {'NO' if row.outcome else 'YES'}",
        vote,
    )


@require_safe
@never_cache
@needs(Permission.VIEW)
def help_page(request: HttpRequest) -> HttpResponseBase:
    """The page."""
    context = {
        "example": example(),
        "boxes": picture.boxes(),
        "arrows": picture.arrows(),
        "words": WORDS,
    }
    return show(request, "console/help.html", "help", context)
