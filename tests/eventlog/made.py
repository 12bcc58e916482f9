"""Blocks as the loop process hands them over: made-up inputs of all kinds with outputs that fit them."""

from pathlib import Path
from typing import Any

import numpy as np
import psycopg

from apps.eventlog import bodies
from apps.eventlog.segments import RawSegment, Received, raw_folder
from apps.eventlog.store import Block, Control, Record, What, Writer
from polytraders.contracts import checks as c
from polytraders.contracts import state as s
from polytraders.contracts.inputs import Kind, empty

Rows = np.ndarray[Any, Any]

KINDS = [Kind.LEVEL] * 12 + [Kind.TICK, Kind.TRADE, Kind.FACT, Kind.LIMIT, Kind.KILL, Kind.REFERENCE]


def inputs(first: int, count: int, seed: int = 0) -> Rows:
    rng = np.random.default_rng((seed, first))
    made = empty(count)
    made["in_seq"] = np.arange(first, first + count)
    made["kind"] = rng.choice(KINDS, count)
    made["market"] = rng.integers(0, 5, count)
    made["price"] = rng.integers(1, 100, count) * 100
    made["size"] = rng.integers(1, 10**9, count)
    made["recv_ts"] = made["proc_ts"] = 1_700_000_000_000_000_000 + np.arange(first, first + count) * 1_000_000
    if first == 1:
        made["kind"][0] = Kind.EPOCH
    return made


def controls(rows: Rows) -> list[Control]:
    return [Control(row.tobytes(), "loop", "", b'{"n":%d}' % row["in_seq"]) for row in bodies.controls(rows)]


def outputs(rows: Rows, seed: int = 0) -> tuple[Rows, Rows]:
    """For every seventh input a refused packet; for every fiftieth an approval and its fill."""
    outs = []
    details = []
    for in_seq in rows["in_seq"].tolist():
        approved = in_seq % 50 == 0
        if in_seq % 7 and not approved:
            continue
        rng = np.random.default_rng((seed, in_seq))
        detail = np.zeros(1, s.DETAIL)
        detail["features"] = rng.random(s.N_FEATURES)
        out = np.zeros(1, s.OUT)
        out["in_seq"], out["ordinal"], out["market"], out["strategy"] = in_seq, 1, in_seq % 5, in_seq % 2
        out["detail"] = len(details)
        if approved:
            out["kind"], out["first"], out["order_seq"] = s.APPROVAL, c.APPROVED, in_seq
        else:
            bit = int(rng.integers(0, len(c.CHECKS)))
            detail["values"][0, bit], detail["limits"][0, bit] = (1, 0) if c.CHECKS[bit].side == c.MOST else (0, 1)
            out["first"], out["votes"] = bit, 1 << bit
        details.append(detail)
        outs.append(out)
        if approved:
            fill = out.copy()
            fill["kind"], fill["ordinal"], fill["first"], fill["detail"] = s.FILL, 2, 0, s.NONE
            outs.append(fill)
    if not outs:
        return np.zeros(0, s.OUT), np.zeros(0, s.DETAIL)
    return np.concatenate(outs), np.concatenate(details)


def block(first: int, count: int, seed: int = 0) -> Block:
    rows = inputs(first, count, seed)
    outs, details = outputs(rows, seed)
    record = Record(What.MARKET, 3, first, np.zeros(1, s.MARKET).tobytes())
    return Block(rows, controls(rows), outs, details, [record], epoch_seq=1)


def fill(writer: Writer, total: int, cuts: list[int], seed: int = 0) -> None:
    """Append `total` inputs, cut where `cuts` say, again and again."""
    done, at = writer.head.seq, 0
    end = done + total
    while done < end:
        count = min(cuts[at % len(cuts)], end - done)
        writer.append(block(done + 1, count, seed))
        done, at = done + count, at + 1


def log(app_dsn: str, home: Path, total: int = 3_000, cuts: tuple[int, ...] = (700, 1, 300)) -> None:
    """A closed log with raw segments and two canonical ones."""
    with Writer.open(app_dsn, 0, home, bytes_max=80 * 1_500) as writer:
        raw = RawSegment(raw_folder(home, 0), writer.head.fence)
        done, at = 0, 0
        while done < total:
            count = min(cuts[at % len(cuts)], total - done)
            where = raw.write([Received(1, number, b'{"n":%d}' % number) for number in range(done, done + count)])
            raw.sync()
            writer.append(
                block(done + 1, count)._replace(raw_segment=where.segment, raw_from=where.start, raw_to=where.end)
            )
            done, at = done + count, at + 1
        raw.close()


def tamper(superuser_dsn: str, statement: str, *values: Any) -> int:
    """Change the stored log as only somebody with the machine in their hands can: no trigger sees it."""
    with psycopg.connect(superuser_dsn, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        return connection.execute(statement.encode(), values or None).rowcount
