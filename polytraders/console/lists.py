"""Long lists: newest first, by cursor, never by offset, and as CSV that no spreadsheet runs."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any, Final, Generic, TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse

ROWS: Final = 50
RUNS: Final = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins so is a formula to a spreadsheet."""

M = TypeVar("M", bound=Model)


class Listed(Generic[M]):
    """One page of a list.

    Attributes:
        rows: At most `ROWS`, newest first.
        older: Query string of the next page, "" at the end.
        newest: Query string of the first page, "" when this is it.
    """

    def __init__(self, request: HttpRequest, rows: "QuerySet[M]", *, key: str = "id", most: int = ROWS) -> None:
        """Take the page that `?before=` asks for; what is no number is the first page. One query.

        Args:
            request: Its query string is kept for the links.
            rows: Filtered, not ordered.
            key: A unique, indexed column of whole numbers that grows with time.
            most: Rows of a page.
        """
        before = request.GET.get("before", "")
        is_first = not (before.isascii() and before.isdigit() and len(before) < len(str(2**63)))
        if not is_first:
            rows = rows.filter(**{f"{key}__lt": int(before)})
        found = list(rows.order_by(f"-{key}")[: most + 1])
        self.rows: Sequence[M] = found[:most]
        kept = request.GET.copy()
        kept.pop("before", None)
        self.newest = "" if is_first else "?" + kept.urlencode()
        self.older = ""
        if len(found) > most:
            kept["before"] = str(getattr(self.rows[-1], key))
            self.older = "?" + kept.urlencode()


def cell(value: Any) -> str:
    """A value as a cell: text that a spreadsheet would run gets an apostrophe before it; numbers stay numbers."""
    text = "" if value is None else str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(RUNS) else text


def as_csv(name: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> HttpResponse:
    """A download; `name` is the file's, without its ending."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(header)
    writer.writerows([cell(value) for value in row] for row in rows)
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return HttpResponse(out.getvalue(), content_type="text/csv; charset=utf-8", headers=headers)
