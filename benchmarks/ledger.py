"""What a booking costs: a block's movements at once against one at a time, each committed, in the same durable server.

python -m benchmarks.ledger [--rounds 20]
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from apps.ledger.comparison import ledger_sums
from apps.ledger.posting import COLUMNS, open_holds, post
from benchmarks.measure import CACHE
from polytraders.contracts.ledger import CASH, FEES, HELD, MONEY, OUTSIDE, VENUE, Movement, Phase
from polytraders.supervisor.postgres import Postgres
from tests.servers import migrate

BLOCK_FILLS = 200
TOKENS = 40
SINGLES = 10
"""Transfers on their own after each block, of either kind."""
BARE = (
    f"INSERT INTO ledger_transfer ({COLUMNS})"
    " VALUES (0, %s, 0, 'fee', 'posted', %s, %s, 'pUSD', 1, 0, '', NULL, NULL, NULL)"
)
RATIO_LEAST = 10.0
"""What posting by the block must be faster by than one transfer a transaction."""


def movement(seq: int, part: str, pair: tuple[str, str], amount: int, **more: Any) -> Movement:
    """One movement of a made-up trade."""
    told: dict[str, Any] = {"phase": Phase.POSTED, "asset": MONEY, "resolves": None} | more
    return Movement(
        source_event=(seq, 0), part=part, from_account=pair[0], to_account=pair[1], amount=amount, ts=seq,
        correlation=f"{seq}:0:0", **told,
    )  # fmt: skip


def trade(seq: int) -> Iterator[Movement]:
    """An approval's hold and the fill that ends it: five movements of two inputs."""
    held = (CASH, HELD)
    yield movement(seq, "hold", held, 10, phase=Phase.PENDING)
    yield movement(seq + 1, "void", held, 10, phase=Phase.VOID_PENDING, resolves=(seq, 0, "hold"))
    yield movement(seq + 1, "money", (CASH, VENUE), 7)
    yield movement(seq + 1, "fee", (CASH, FEES), 1)
    yield movement(seq + 1, "shares", (VENUE, "position:logit"), 11, asset=f"token-{seq // 2 % TOKENS}")


def block(first: int) -> list[Movement]:
    """A block of trades."""
    return [made for seq in range(first, first + 2 * BLOCK_FILLS, 2) for made in trade(seq)]


def post_s(conn: psycopg.Connection[Any], movements: list[Movement]) -> float:
    """Seconds to post and commit."""
    began = time.perf_counter()
    with conn.cursor() as cursor:
        post(cursor, 0, movements)
    conn.commit()
    return time.perf_counter() - began


def bare_s(conn: psycopg.Connection[Any], seq: int, ids: dict[str, int]) -> float:
    """Seconds of one INSERT and COMMIT of a transfer whose accounts are known: the least that one can take."""
    began = time.perf_counter()
    conn.execute(BARE, (seq, ids[CASH], ids[FEES]), prepare=True)
    conn.commit()
    return time.perf_counter() - began


def call_us(work: Any, calls: int = 200) -> float:
    """Median microseconds of wall time of one call."""
    took = []
    for _ in range(calls):
        began = time.perf_counter()
        work()
        took.append((time.perf_counter() - began) * 1e6)
    return statistics.median(took)


def measure(rounds: int = 20) -> dict[str, float]:
    """All numbers of the ledger; prints one JSON line each."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder, Postgres(Path(folder)) as server:
        migrate(server.owner_url, server.app_url)
        with psycopg.connect(server.app_url) as conn:
            with conn.cursor() as cursor:
                post(cursor, 0, [movement(1, "capital", (OUTSIDE, CASH), 10**15)])
            conn.commit()
            post_s(conn, block(10))
            ids: dict[str, int] = dict(
                conn.execute("SELECT code, id FROM ledger_account WHERE asset = %s", (MONEY,)).fetchall()
            )
            blocks, singles, bare = [], [], []
            # In turn, so that whatever else the machine does slows all three.
            for start in range(10_000, 10_000 * (rounds + 1), 10_000):
                blocks.append(post_s(conn, block(start)))
                after = start + 2 * BLOCK_FILLS
                singles += [post_s(conn, [movement(after + n, "fee", (CASH, FEES), 1)]) for n in range(SINGLES)]
                bare += [bare_s(conn, after + SINGLES + n, ids) for n in range(SINGLES)]
            compare_us = call_us(lambda: ledger_sums(conn.cursor(), 0))
            holds_us = call_us(lambda: open_holds(conn, 0), 5)
    rows = 5 * BLOCK_FILLS
    block_us, bare_us = statistics.median(blocks) / rows * 1e6, statistics.median(bare) * 1e6
    found = {
        "ledger_block_us_per_transfer": block_us,
        "ledger_single_us_per_transfer": statistics.median(singles) * 1e6,
        "ledger_bare_insert_us": bare_us,
        "ledger_batch_ratio": bare_us / block_us,
        "ledger_compare_us": compare_us,
        "ledger_open_holds_us": holds_us,
    }
    for name, value in found.items():
        json.dump(
            {"system": "polytraders", "task": name, "value": round(value, 1), "block_transfers": rows}, sys.stdout
        )
        print(flush=True)
    return found


def show(found: dict[str, float]) -> bool:
    """Say whether a block is fast enough."""
    ratio = found["ledger_batch_ratio"]
    good = ratio >= RATIO_LEAST
    print(f"{'ledger_batch_ratio':32} {ratio:>12.1f}   at least {RATIO_LEAST:g}{'' if good else '   MISSED'}")
    return good


def main() -> None:
    """Measure, and fail when a block is not fast enough."""
    said = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    said.add_argument("--rounds", type=int, default=20)
    sys.exit(0 if show(measure(said.parse_args().rounds)) else 1)


if __name__ == "__main__":
    main()
