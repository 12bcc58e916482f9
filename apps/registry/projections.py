"""Markets as rows, from the registry's control inputs and from resolutions."""

import json
from typing import Any, Final

from psycopg import Cursor

from polytraders.contracts.inputs import Fact, Kind
from polytraders.contracts.stretch import Stretch, control_rows

TABLES: Final = ("registry_market",)
NAMED: Final = {"id": "condition_id", "title": "title", "slug": "slug", "cluster": "cluster_name"}
"""What a FACT command's payload says by name, and the column it goes to."""


def apply(cursor: Cursor[Any], stretch: Stretch) -> None:
    """Bring the table up to the end of the stretch, in the caller's transaction."""
    changes: dict[int, dict[str, Any]] = {}
    rows = control_rows(stretch.controls)
    for row, (_, _, _, payload) in zip(rows, stretch.controls, strict=True):
        kind, market = int(row["kind"]), int(row["market"])
        if kind == Kind.FACT:
            change = changes.setdefault(market, {})
            change |= _names(payload)
            change[Fact(int(row["price"])).name.lower()] = int(row["size"])
        elif kind == Kind.RESOLVED:
            change = changes.setdefault(market, {})
            change |= {"payout": int(row["size"]), "resolved_seq": int(row["in_seq"])}
        else:
            continue
        change["changed_seq"] = int(row["in_seq"])
    for market, change in sorted(changes.items()):
        _upsert(cursor, stretch.shard, market, change)


def _names(payload: bytes | None) -> dict[str, str]:
    """Names in a payload; one without them, or of a later version, says nothing here."""
    if not payload:
        return {}
    said = json.loads(payload)
    found = {column: text for name, column in NAMED.items() if isinstance(text := said.get(name), str)}
    tokens = said.get("tokens") or ()
    for column, token in zip(("token_yes", "token_no"), tokens, strict=False):
        found[column] = str(token)
    # PostgreSQL's text cannot hold it, and a venue's title is anybody's text.
    return {column: text.replace("\x00", "") for column, text in found.items()}


def _upsert(cursor: Cursor[Any], shard: int, market: int, change: dict[str, Any]) -> None:
    # Column names come from Fact and from NAMED, never from a payload.
    texts = dict.fromkeys(("condition_id", "token_yes", "token_no", "title", "slug", "cluster_name"), "")
    given = {"shard": shard, "market": market} | texts | change
    columns = ", ".join(given)
    places = ", ".join(f"%({name})s" for name in given)
    updates = ", ".join(f"{name} = excluded.{name}" for name in change)
    cursor.execute(
        f"INSERT INTO registry_market ({columns}) VALUES ({places})"  # noqa: S608
        f" ON CONFLICT (shard, market) DO UPDATE SET {updates}",
        given,
    )
