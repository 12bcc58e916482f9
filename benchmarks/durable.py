"""What recording costs: durable blocks against INSERT and COMMIT in the same run, and bytes a day beside the budget.

python -m benchmarks.durable [--rounds 3]        one JSON line a measurement

The rows are those of a generated capture with its decisions, the server is a PostgreSQL of our own with fsync on.
"""

import argparse
import itertools
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import psycopg

from apps.eventlog import bodies, packed
from apps.eventlog.segments import RawSegment, Received, canonical_folder, raw_folder
from apps.eventlog.store import Block, Control, Writer
from apps.replay.runner import read_outputs
from benchmarks.measure import CACHE, ROOT, durable_commit_us, report
from polytraders import replaying
from polytraders.sources import lines, open_capture
from polytraders.supervisor.postgres import Postgres
from polytraders.venues.simulator import capture

FRAMES: Final = 40_000
INSERTS: Final = 1_000
SIZES: Final = (128, 1_024, 4_096, 16_384)
"""Inputs of a block: 128 is 50 ms at 2,000 messages a second, the largest is what piles up behind a stall."""
JUDGED: Final = 4_096
RATIO_MIN: Final = 50.0
MESSAGES_A_DAY: Final = 2_000 * 86_400
BATCH_FRAMES: Final = 100
"""Frames of a raw batch: 50 ms at 2,000 a second."""
BUDGET_GB: Final = {"postgres": 1.0, "segments": 10.0}

Rows = np.ndarray[Any, Any]


class Mix(NamedTuple):
    """A capture's frames, the inputs they became, and what came out."""

    frames: list[bytes]
    inputs: Rows
    outs: Rows
    details: Rows


def mix(folder: Path) -> Mix:
    """Generate a capture and drive it through the loop."""
    source, registry = folder / "capture.jsonl.zst", folder / "registry.toml"
    capture.write(source, seed=7, count=FRAMES)
    registry.write_text(capture.registry_toml(seed=7), encoding="utf-8")
    run = replaying.Replay(
        replaying.Plan(
            source=source, registry=registry, strategies=(Path("logit"), Path("microprice")), block_rows=4_096
        )
    )
    kept = []
    for rows in run.capture:
        run.runner.feed(rows)
        kept.append(rows)
    done = run.report()
    run.keep(done)
    outs, details = read_outputs(replaying.outputs_folder(done.chain_head))
    with source.open("rb") as file:
        frames = list(lines(open_capture(file)))
    return Mix(frames, np.concatenate(kept), outs, details)


def blocks(mixed: Mix, size: int, first: int = 1) -> Iterator[Block]:
    """The mix again and again, in blocks of `size` inputs, numbered on from `first`."""
    shift = first - 1
    while True:
        for at in range(0, len(mixed.inputs) - size + 1, size):
            rows = mixed.inputs[at : at + size].copy()
            begin, end = np.searchsorted(mixed.outs["in_seq"], (rows["in_seq"][0], rows["in_seq"][-1] + 1))
            outs = mixed.outs[begin:end].copy()
            move = shift + 1 - int(rows["in_seq"][0])
            rows["in_seq"] += move
            outs["in_seq"] += move
            outs["order_seq"] += np.where(outs["order_seq"] > 0, move, 0)
            shift += size
            controls = [Control(row.tobytes()) for row in bodies.controls(rows)]
            yield Block(rows, controls, outs, mixed.details, [], 0)


def insert_commit(dsn: str, rows: Rows) -> list[float]:
    """Seconds of each single row with its own durable commit."""
    took = []
    with psycopg.connect(dsn, autocommit=True) as connection:
        for row in rows:
            began = time.perf_counter()
            connection.execute(
                "INSERT INTO bench_row VALUES (nextval('bench_seq'), %s, %s)",
                (int(row["kind"]), row.tobytes()),
                prepare=True,
            )
            took.append(time.perf_counter() - began)
    return took


def appended(writer: Writer, made: Iterator[Block], count: int) -> list[float]:
    """Seconds of each of `count` blocks, made before the clock starts."""
    took = []
    for block in itertools.islice(made, count):
        began = time.perf_counter()
        writer.append(block)
        took.append(time.perf_counter() - began)
    return took


def percentiles(took: list[float]) -> dict[str, float]:
    """p50 and p99 in milliseconds."""
    cuts = statistics.quantiles(took, n=100)
    return {"p50_ms": round(cuts[49] * 1e3, 3), "p99_ms": round(cuts[98] * 1e3, 3)}


def rates(server: Postgres, home: Path, mixed: Mix, rounds: int) -> dict[str, Any]:
    """Rows a second of both ways, in turn, and their ratio."""
    inserts: list[float] = []
    blocked: dict[int, list[float]] = {size: [] for size in SIZES}
    with Writer.open(server.app_url, 0, home) as writer:
        for _ in range(rounds):
            inserts += insert_commit(server.app_url, mixed.inputs[:INSERTS])
            for size in SIZES:
                count = 200 if size == SIZES[0] else max(4, 65_536 // size)
                blocked[size] += appended(writer, blocks(mixed, size, writer.head.seq + 1), count)
    slow = len(inserts) / sum(inserts)
    commit = dict(zip(("p50_ms", "p99_ms"), (round(us / 1e3, 3) for us in durable_commit_us()), strict=True))
    report("file", "empty durable commit (fdatasync)", 300, 0.0, **commit)
    report("postgres", "INSERT+COMMIT", len(inserts), 0.0, rows_per_second=round(slow), **percentiles(inserts))
    found: dict[str, Any] = {"insert_rows_per_second": round(slow), "commit": commit}
    for size, took in blocked.items():
        fast = size * len(took) / sum(took)
        more = {"rows_per_second": round(fast), "ratio": round(fast / slow, 1), **percentiles(took)}
        report("eventlog", f"append of {size} inputs", size * len(took), 0.0, **more)
        found[f"append_{size}"] = more
    return found


def stored(server: Postgres) -> dict[str, tuple[int, int]]:
    """Rows and bytes, indices and overflow included, of each table of the log."""
    with psycopg.connect(server.owner_url, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")
        found = {}
        for table in ("log_block", "log_control", "log_output"):
            rows = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
            size = connection.execute(
                "SELECT coalesce(sum(pg_total_relation_size(inhrelid)), 0)::bigint FROM pg_inherits"
                " WHERE inhparent = %s::regclass",
                (table,),
            ).fetchone()
            if rows and size:
                found[table] = (rows[0], size[0])
        return found


def sizes(server: Postgres, home: Path, mixed: Mix) -> dict[str, Any]:
    """Bytes a day at 2,000 messages a second, from what a shard of 50-ms blocks took."""
    size = round(len(mixed.inputs) / len(mixed.frames) * BATCH_FRAMES)
    before = stored(server)
    with Writer.open(server.app_url, 1, home) as writer:
        raw = RawSegment(raw_folder(home, 1), writer.head.fence)
        for at in range(0, len(mixed.frames), BATCH_FRAMES):
            batch = mixed.frames[at : at + BATCH_FRAMES]
            raw.write(
                [Received(0, 1_700_000_000_000_000_000 + i * 500_000, frame) for i, frame in enumerate(batch, at)]
            )
        raw.close()
        count = len(mixed.inputs) // size
        appended(writer, blocks(mixed, size), count)
        name, plain = writer.head.canonical_file, writer.head.canonical_bytes
    after = stored(server)
    messages = count * size * len(mixed.frames) / len(mixed.inputs)
    tables = {table: (after[table][1] - before[table][1]) for table in after}
    raw_bytes = (raw_folder(home, 1) / raw.name).stat().st_size * messages / len(mixed.frames)
    small = packed.pack(canonical_folder(home, 1), name)
    day = MESSAGES_A_DAY / messages / 1e9
    found = {
        "inputs_per_message": round(len(mixed.inputs) / len(mixed.frames), 2),
        "outputs_per_message": round(len(mixed.outs) / len(mixed.frames), 3),
        "bytes_per_output": round(tables["log_output"] / (after["log_output"][0] - before["log_output"][0])),
        "bytes_per_block": round(tables["log_block"] / count),
        "raw_bytes_per_message": round(raw_bytes / messages, 1),
        "canonical_bytes_per_input": 80,
        "packed_bytes_per_input": round(small / (plain / 80), 1),
        **{f"{table}_gb_a_day": round(size * day, 2) for table, size in tables.items()},
        "postgres_gb_a_day": round(sum(tables.values()) * day, 2),
        "segments_gb_a_day": round((raw_bytes + small) * day, 2),
        "segments_unpacked_gb_a_day": round((raw_bytes + plain) * day, 2),
    }
    report("eventlog", "bytes a day at 2,000 messages/s", round(messages), 0.0, **found, budget_gb_a_day=BUDGET_GB)
    return found


def measure(rounds: int = 3) -> dict[str, Any]:
    """All of it, on a server that is thrown away afterwards."""
    folder = CACHE / "durable"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    mixed = mix(folder)
    try:
        with Postgres(folder / "server") as server:
            environ = {**os.environ, "DATABASE_URL": server.app_url, "DATABASE_OWNER_URL": server.owner_url}
            command = [sys.executable, "manage.py", "migrate", "--database", "owner", "--verbosity", "0"]
            subprocess.run(command, cwd=ROOT, env=environ, check=True)
            with psycopg.connect(server.owner_url) as connection:
                connection.execute("CREATE TABLE bench_row (seq bigint PRIMARY KEY, kind int, row bytea)")
                connection.execute("CREATE SEQUENCE bench_seq")
            return rates(server, folder, mixed, rounds) | sizes(server, folder, mixed)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def judge(found: dict[str, Any]) -> None:
    """Say how what was measured stands to what was promised."""
    ratio = found[f"append_{JUDGED}"]["ratio"]
    word = "" if ratio >= RATIO_MIN else "  BELOW THE FLOOR"
    print(f"durable append of {JUDGED} inputs against INSERT+COMMIT: {ratio} times, floor {RATIO_MIN:g}{word}")
    for store, most in BUDGET_GB.items():
        day = found[f"{store}_gb_a_day"]
        word = "" if day <= most else "  OVER THE BUDGET"
        print(f"{store} at 2,000 messages a second: {day} GB a day, budget {most:g}{word}")
    share = BUDGET_GB["postgres"] - found["log_block_gb_a_day"] - found["log_control_gb_a_day"]
    outputs = max(share, 0.0) * 1e9 / found["bytes_per_output"] / MESSAGES_A_DAY
    told = found["outputs_per_message"]
    print(f"  that budget has room for {outputs:.4f} outputs a message; this mix of six restless markets makes {told}")


def main() -> None:
    """Measure and judge."""
    wanted = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    wanted.add_argument("--rounds", type=int, default=3)
    judge(measure(wanted.parse_args().rounds))


if __name__ == "__main__":
    main()
