"""The ledger: does it balance, what was booked, by what, and who has proved it. Balances are the accounts' own."""

import io
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from celery import current_app
from django.contrib import messages
from django.db import connection, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from kombu.exceptions import OperationalError

from apps.ledger import exports, statements
from apps.ledger.models import Account, ProofRecord
from polytraders.access import audit
from polytraders.access.permissions import Permission, needs
from polytraders.console import board
from polytraders.console.frame import show
from polytraders.console.lists import ROWS
from polytraders.contracts.ledger import CASH, FEES, MONEY, OUTSIDE

ASSETS: Final = 50
"""Accounts of shares on one page."""
SELECT: Final = """
SELECT t.id, t.in_seq, t.ordinal, t.part, t.phase, f.code, o.code, t.asset, t.amount, t.ts, t.correlation,
t.resolves_seq, t.resolves_ordinal, t.resolves_part, f.id, o.id
FROM ledger_transfer t JOIN ledger_account f ON f.id = t.from_account JOIN ledger_account o ON o.id = t.to_account"""
NEWEST: Final = f"{SELECT} WHERE t.id < %s AND t.shard = %s ORDER BY t.id DESC LIMIT %s"
OF_ACCOUNT: Final = f"""
WITH mine AS (SELECT transfer_id FROM ledger_entry WHERE account_id = %s AND transfer_id < %s
              ORDER BY transfer_id DESC LIMIT %s)
{SELECT.strip()} JOIN mine ON mine.transfer_id = t.id ORDER BY t.id DESC"""  # noqa: S608
OF_EVENT: Final = f"{SELECT} WHERE t.shard = %s AND t.in_seq = %s AND t.id < %s ORDER BY t.id DESC LIMIT %s"
OF_EVENTS: Final = f"""{SELECT} JOIN unnest(%s::bigint[], %s::bigint[]) w (in_seq, ordinal)
ON w.in_seq = t.in_seq AND w.ordinal = t.ordinal WHERE t.shard = %s ORDER BY t.id"""
ONE: Final = f"{SELECT} WHERE t.id = %s"
ENDED_BY: Final = (
    f"{SELECT} WHERE t.shard = %s AND t.resolves_seq = %s AND t.resolves_ordinal = %s AND t.resolves_part = %s"
)
OUT_OF_BALANCE: Final = """
SELECT asset, sum(balance)::bigint, sum(incoming - outgoing)::bigint FROM ledger_account
WHERE shard = %s AND (balance <> 0 OR incoming <> 0 OR outgoing <> 0)
GROUP BY asset HAVING sum(balance) <> 0 OR sum(incoming) <> sum(outgoing) ORDER BY asset LIMIT 20"""
LAST_BOOKED: Final = """
SELECT last_seq FROM ledger_batch WHERE shard = %s ORDER BY last_seq DESC LIMIT 1"""
MOST: Final = 2**63 - 1


class Line(NamedTuple):
    """One movement of the journal; accounts by code and id."""

    id: int
    in_seq: int
    ordinal: int
    part: str
    phase: str
    from_account: str
    to_account: str
    asset: str
    amount: int
    ts: int
    correlation: str
    resolves_seq: int | None
    resolves_ordinal: int | None
    resolves_part: str | None
    from_id: int
    to_id: int

    @property
    def event(self) -> str:
        """The row that caused it, as decisions are named."""
        return f"{self.in_seq}:{self.ordinal}"

    @property
    def is_money(self) -> bool:
        """In pUSD, not in shares."""
        return self.asset == MONEY

    @property
    def is_held(self) -> bool:
        """It holds something, or lets go of it: no balance has moved."""
        return self.phase in ("pending", "void_pending")


class Compared(NamedTuple):
    """One sum as the loop, the ledger and the venue have it, micro-pUSD; the venue is None where it cannot be asked."""

    name: str
    loop: int | None
    ledger: int
    venue: int | None

    @property
    def differs(self) -> bool:
        """Two who know it do not agree."""
        known = {value for value in (self.loop, self.ledger, self.venue) if value is not None}
        return len(known) > 1


def of_events(shard: int, events: Sequence[tuple[int, int]]) -> list[Line]:
    """Movements that rows of the log caused, oldest first: one query."""
    columns = [list(column) for column in zip(*events, strict=True)] if events else [[], []]
    return _lines(OF_EVENTS, (*columns, shard))


def _lines(query: str, parameters: Iterable[Any]) -> list[Line]:
    with connection.cursor() as cursor:
        cursor.execute(query, list(parameters))
        return [Line(*row) for row in cursor.fetchall()]


def number(text: str, most: int = MOST) -> int | None:
    """A whole number of a query string; None if it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < len(str(most)) else None


class Journal:
    """One page of the journal, newest first, with the filter that made it; `listed` for the pager.

    Attributes:
        rows: At most ROWS movements.
        account: The one account whose history this is, or None.
        event: The event as it was asked for.
        wrong: Why there is nothing, "" = all of it was understood.
        older: Query string of the next page.
        newest: Query string of the first one.
    """

    def __init__(self, request: HttpRequest, shard: int) -> None:
        """Read what `?account=` (its number), `?event=` (input, or input:ordinal) and `?before=` ask for."""
        before = number(request.GET.get("before", ""))
        top = MOST if before is None else before
        self.event = request.GET.get("event", "").strip()[:40]
        self.wrong = ""
        self.account = None
        account = request.GET.get("account", "")
        if account:
            which = number(account)
            self.account = Account.objects.filter(shard=shard, id=which).first() if which is not None else None
        rows: list[Line] = []
        if account and self.account is None:
            self.wrong = "There is no such account."
        elif self.account is not None:
            rows = _lines(OF_ACCOUNT, (self.account.id, top, ROWS + 1))
        elif self.event:
            rows = self._of_event(shard, top)
        else:
            rows = _lines(NEWEST, (top, shard, ROWS + 1))
        self.rows = rows[:ROWS]
        kept = request.GET.copy()
        kept.pop("before", None)
        self.newest = "" if before is None else "?" + kept.urlencode()
        self.older = ""
        if len(rows) > ROWS:
            kept["before"] = str(self.rows[-1].id)
            self.older = "?" + kept.urlencode()

    def _of_event(self, shard: int, top: int) -> list[Line]:
        seq, _, ordinal = self.event.partition(":")
        in_seq, place = number(seq), number(ordinal) if ordinal else None
        if in_seq is None or (ordinal and place is None):
            self.wrong = "An event is an input, or input:ordinal."
            return []
        rows = _lines(OF_EVENT, (shard, in_seq, top, ROWS + 1))
        return [row for row in rows if place is None or row.ordinal == place]


@require_safe
@never_cache
@needs(Permission.VIEW)
def ledger(request: HttpRequest, shard: int = 0) -> HttpResponseBase:
    """Trial balance, proof and journal."""
    now = board.strip(shard)
    money = list(Account.objects.filter(shard=shard, asset=MONEY).order_by("code"))
    shares = _shares(request, shard)
    with connection.cursor() as cursor:
        cursor.execute(OUT_OF_BALANCE, (shard,))
        wrong = cursor.fetchall()
        cursor.execute(LAST_BOOKED, (shard,))
        last = (cursor.fetchone() or (0,))[0]
    context = {
        "board": now,
        "money": money,
        "debits": sum(max(account.balance, 0) for account in money),
        "credits": sum(max(-account.balance, 0) for account in money),
        "held": sum(account.outgoing for account in money),
        "shares": shares[:ASSETS],
        "shares_from": request.GET.get("asset", "")[:200],
        "is_torn": now.loop is not None and now.loop.in_seq != last,
        "shares_after": f"{shares[ASSETS - 1].asset}" if len(shares) > ASSETS else "",
        "wrong": wrong,
        "last": last,
        "compared": compared(now, money),
        "proof": ProofRecord.objects.filter(shard=shard).order_by("-id").first(),
        "journal": Journal(request, shard),
        "days": statements.days(shard, now.loop.loop_ts if now.loop else None),
    }
    return show(request, "console/ledger.html", "ledger", context)


def compared(now: board.Board, accounts: Sequence[Account]) -> list[Compared]:
    """The loop's own sums beside the ledger's. A paper venue keeps no books of its own, so nobody else can be asked."""
    told = now.loop.money if now.loop else {}
    books = {account.code: account for account in accounts}

    def balance(code: str) -> int:
        return int(books[code].balance) if code in books else 0

    held = int(books[CASH].outgoing) if CASH in books else 0
    return [
        Compared("cash", told.get("cash"), balance(CASH), None),
        Compared("held for orders", told.get("reserved"), held, None),
        Compared("fees paid", told.get("fees"), balance(FEES), None),
        Compared("capital brought in", told.get("deposited"), -balance(OUTSIDE), None),
    ]


def _shares(request: HttpRequest, shard: int) -> list[Account]:
    """Accounts of shares that are not empty, by asset; `?asset=` goes on behind one."""
    after = request.GET.get("asset", "")[:200]
    rows = Account.objects.filter(shard=shard, asset__gt=after).exclude(asset=MONEY)
    return list(rows.exclude(balance=0, incoming=0, outgoing=0).order_by("asset", "code")[: ASSETS + 1])


@require_safe
@never_cache
@needs(Permission.VIEW)
def transfer(request: HttpRequest, transfer_id: int, shard: int = 0) -> HttpResponseBase:
    """One movement: both sides, what caused it, and what it ends or is ended by."""
    found = _lines(ONE, (transfer_id,)) if transfer_id <= MOST else []
    if not found:
        raise Http404("no such transfer")
    line = found[0]
    other: list[Line] = []
    if line.phase == "pending":
        other = _lines(ENDED_BY, (shard, line.in_seq, line.ordinal, line.part))
    elif line.resolves_seq is not None:
        rows = of_events(shard, [(line.resolves_seq, line.resolves_ordinal or 0)])
        other = [row for row in rows if row.part == line.resolves_part]
    accounts = Account.objects.in_bulk([line.from_id, line.to_id])
    context = {
        "line": line,
        "other": other[0] if other else None,
        "other_lines": other,
        "source": accounts.get(line.from_id),
        "target": accounts.get(line.to_id),
        "beside": [row for row in of_events(shard, [(line.in_seq, line.ordinal)]) if row.id != line.id],
    }
    return show(request, "console/transfer.html", "ledger", context)


FORMATS: Final = {"csv": (exports.write_csv, "text/csv"), "beancount": (exports.write_beancount, "text/plain")}


@require_safe
@never_cache
@needs(Permission.EXPORT)
def export(request: HttpRequest, form: str, shard: int = 0) -> HttpResponseBase:
    """The whole journal, or from an input on (`?since=`), as a file that is made in full before it is sent."""
    write, kind = FORMATS[form]
    since = number(request.GET.get("since", "")) or 0
    out = io.StringIO()
    connection.ensure_connection()
    write(connection.connection, shard, since, out)
    with transaction.atomic():
        actor = request.user.get_username()
        audit.write(actor, "ledger.export", f"shard {shard}", after={"format": form, "since": since}, request=request)
    headers = {"Content-Disposition": f'attachment; filename="ledger-{shard}-from-{since}.{form}"'}
    return HttpResponse(out.getvalue(), content_type=f"{kind}; charset=utf-8", headers=headers)


@require_POST
@needs(Permission.RUN)
def prove(request: HttpRequest, shard: int = 0) -> HttpResponse:
    """Have the books walked through again; the result stands on the page when it is there."""
    with transaction.atomic():
        audit.write(request.user.get_username(), "ledger.prove", f"shard {shard}", request=request)
    try:
        # By name: what runs it loads the venues, and a web process does not.
        current_app.send_task("apps.ledger.tasks.prove_books", args=[shard], retry=False)
    except OperationalError:
        messages.error(request, "The jobs' queue does not answer, so nobody walks through the books now.")
    else:
        messages.success(request, "A walk through the books has begun; its result appears here when it is done.")
    return redirect("ledger", permanent=False)
