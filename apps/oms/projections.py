"""Orders and fills as rows, from the loop's output rows, by the one table of an order's life."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from psycopg import Cursor

from apps.oms.core.lifecycle import TERMINAL, OrderEvent, step
from polytraders.contracts import checks as c
from polytraders.contracts import state as s
from polytraders.contracts.orders import OrderStatus
from polytraders.contracts.reasons import number
from polytraders.contracts.stretch import Stretch, row_id

TABLES: Final = ("oms_order", "oms_fill")
Key = tuple[int, int, int]
"""order_seq, market, strategy."""
FIELDS: Final = (
    "id", "order_seq", "market", "strategy", "action", "outcome", "price", "size", "filled", "cancelled", "held",
    "spent", "fee", "status", "code", "is_open", "created_ts", "changed_ts", "changed_seq",
)  # fmt: skip
ENDS: Final = {
    number("EXEC_EXPIRED"): OrderEvent.EXPIRE,
    number("EXEC_CANCELLED"): OrderEvent.CANCEL,
    number("EXEC_NO_MATCH"): OrderEvent.NO_MATCH,
    number("EXEC_POST_ONLY_CROSSES"): OrderEvent.CROSS,
}
SENT_CODE: Final = number(c.code_of(c.APPROVED))
FILLED, PARTLY = number("EXEC_FILL"), number("EXEC_PARTIAL_FILL_HANDLED")


@dataclass(slots=True)
class Row:
    """One order as it stands, FIELDS in order."""

    id: int
    order_seq: int
    market: int
    strategy: int
    action: int
    outcome: int
    price: int
    size: int
    filled: int
    cancelled: int
    held: int
    spent: int
    fee: int
    status: str
    code: int
    is_open: bool
    created_ts: int
    changed_ts: int
    changed_seq: int

    def follow(self, out: np.void, event: OrderEvent) -> None:
        """One step of its life.

        Raises:
            AssertionError: The row does not fit the order.
        """
        taken = step(OrderStatus(self.status), event)
        if not taken.legal or self.filled + self.cancelled > self.size:
            raise AssertionError(f"input {int(out['in_seq'])}: {taken.code or 'EXEC_OVERFILL'} for {self.order_seq}")
        self.status, self.code = taken.status.value, number(taken.code)
        self.is_open = taken.status not in TERMINAL
        self.changed_ts, self.changed_seq = int(out["ts"]), int(out["in_seq"])


def apply(cursor: Cursor[Any], stretch: Stretch) -> None:
    """Bring the tables up to the end of the stretch, in the caller's transaction."""
    outs, kinds = stretch.outs, stretch.outs["kind"]
    told = outs[(kinds == s.APPROVAL) | (kinds == s.FILL) | (kinds == s.DONE)]
    if not len(told):
        return
    orders = _open(cursor, stretch.shard, {_key(out) for out in told})
    fills = []
    for out in told:
        if out["kind"] == s.APPROVAL:
            orders[_key(out)] = _approved(stretch.shard, out)
            continue
        order = orders[_key(out)]
        if out["kind"] == s.FILL:
            fills.append(_filled(stretch.shard, order, out))
        else:
            order.cancelled += int(out["size"])
            order.held = 0
            order.follow(out, ENDS[int(out["first"])])
    _write(cursor, stretch.shard, orders.values(), fills)


def _key(out: np.void) -> Key:
    return int(out["order_seq"]), int(out["market"]), int(out["strategy"])


def _open(cursor: Cursor[Any], shard: int, keys: set[Key]) -> dict[Key, Row]:
    """Orders of an earlier stretch that this one goes on with."""
    columns = [list(column) for column in zip(*sorted(keys), strict=True)]
    cursor.execute(
        f"SELECT {', '.join(FIELDS)} FROM oms_order WHERE shard = %s AND (order_seq, market, strategy) IN"  # noqa: S608
        " (SELECT * FROM unnest(%s::bigint[], %s::int[], %s::int[]))",
        (shard, *columns),
    )
    return {(row.order_seq, row.market, row.strategy): row for row in (Row(*found) for found in cursor.fetchall())}


def _approved(shard: int, out: np.void) -> Row:
    in_seq, ts = int(out["in_seq"]), int(out["ts"])
    order_seq, market, strategy = _key(out)
    return Row(
        id=row_id(shard, in_seq, int(out["ordinal"])),
        order_seq=order_seq,
        market=market,
        strategy=strategy,
        action=int(out["action"]),
        outcome=int(out["outcome"]),
        price=int(out["price"]),
        size=int(out["size"]),
        filled=0,
        cancelled=0,
        held=int(out["held"]),
        spent=0,
        fee=0,
        status=OrderStatus.SENT.value,
        code=SENT_CODE,
        is_open=True,
        created_ts=ts,
        changed_ts=ts,
        changed_seq=in_seq,
    )


def _filled(shard: int, order: Row, out: np.void) -> tuple[Any, ...]:
    size, money, fee = int(out["size"]), int(out["money"]), int(out["fee"])
    order.filled += size
    order.spent += money
    order.fee += fee
    left = order.size - order.filled - order.cancelled
    order.held = int(out["held"]) if left > 0 else 0
    order.follow(out, OrderEvent.PART_FILL if left > 0 else OrderEvent.FULL_FILL)
    in_seq, ordinal = int(out["in_seq"]), int(out["ordinal"])
    return (
        row_id(shard, in_seq, ordinal), shard, in_seq, ordinal, int(out["ts"]), order.order_seq, order.market,
        order.strategy, int(out["action"]), int(out["outcome"]), int(out["price"]), size, money, fee,
        bool(out["votes"] != 0), PARTLY if left > 0 else FILLED,
    )  # fmt: skip


def _write(cursor: Cursor[Any], shard: int, orders: Iterable[Row], fills: list[tuple[Any, ...]]) -> None:
    columns = ", ".join(("shard", *FIELDS))
    moving = ("filled", "cancelled", "held", "spent", "fee", "status", "code", "is_open", "changed_ts", "changed_seq")
    cursor.executemany(
        f"INSERT INTO oms_order ({columns}) VALUES (%s{', %s' * len(FIELDS)})"  # noqa: S608
        f" ON CONFLICT (id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in moving)}",
        [(shard, *(getattr(order, name) for name in FIELDS)) for order in orders],
    )
    if fills:
        with cursor.copy(
            "COPY oms_fill (id, shard, in_seq, ordinal, ts, order_seq, market, strategy, action, outcome, price, size,"
            " money, fee, is_maker, code) FROM STDIN"
        ) as copy:
            for fill in fills:
                copy.write_row(fill)
