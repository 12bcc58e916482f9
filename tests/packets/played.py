"""A made-up session through the loop, with commands that a capture does not have. Started as a process of its own, with
the compiler off, because the rows it leaves behind are all that the tests of the rendering need.
"""

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from apps.ledger.comparison import Sums
from polytraders.contracts import state as s
from polytraders.contracts.inputs import Kind, Scope, empty
from polytraders.naming import Moment, Names

ROOT = Path(__file__).resolve().parents[2]
SEED, FRAMES, BLOCK = 11, 4_000, 100
CAPITAL = 2_000_000_000


TEMPLATES: dict[str, dict[str, str]] = {
    # Surer of itself than it has reason to be, and content with a minute of observation.
    "logit": {'"60s", "5m"': '"60s"', "imbalance = 0.06": "imbalance = 0.6"},
    # Large enough that prints fill it in parts.
    "microprice": {"size = 20": "size = 300"},
    "gbm_updown": {},
}


class Step(NamedTuple):
    """What one call of the loop left behind.

    Attributes:
        inputs: INPUT rows of the call.
        out: OUT rows.
        detail: DETAIL rows.
        moments: What was in force, by market and strategy, for those that decided.
        cash: Of the portfolio.
        reserved: Of the portfolio.
        holds: Micro-pUSD held by each open purchase, by market and strategy.
        sums: What the loop believes, by the ledger's accounts.
    """

    inputs: np.ndarray
    out: np.ndarray
    detail: np.ndarray
    moments: dict[tuple[int, int], Moment]
    cash: int
    reserved: int
    holds: dict[tuple[int, int], int]
    sums: Sums


class Played(NamedTuple):
    """The whole session.

    Attributes:
        steps: Calls of the loop.
        names: What the indices are called.
        quantities: int64[M, S, 2] shares held at the end before settlement, YES and NO.
        fees: (fee_rate, fee_exponent, fee_bps) of each market.
    """

    steps: list[Step]
    names: Names
    quantities: np.ndarray
    fees: list[tuple[int, int, int]]


def commands(at: int) -> list[tuple[int, int, int, int, int]]:
    """(kind, market, price, size, a) after block number `at`."""
    known: dict[int, list[tuple[int, int, int, int, int]]] = {
        20: [(Kind.FLATTEN, -1, Scope.STRATEGY, 1, 1)],
        28: [(Kind.FLATTEN, -1, Scope.STRATEGY, 1, 0)],
        40: [(Kind.KILL, -1, Scope.MARKET, 1, 0)],
        44: [(Kind.RELEASE, -1, Scope.MARKET, 1, 0)],
        50: [(Kind.GAP, 0, 0, 0, 0)],
    }
    return known.get(at, [])


def rows(run: Any) -> Iterator[np.ndarray]:
    """The session's rows with the commands between them, numbered anew; at its end every market pays out."""
    seq, last = 1, 0
    for number, block in enumerate(run.capture):
        parts = [block.copy(), made(commands(number), int(block["recv_ts"][-1]))]
        for part in parts:
            part["in_seq"] = np.arange(seq, seq + len(part))
            seq += len(part)
            if len(part):
                last = int(part["recv_ts"][-1])
                yield part
    ends = made(
        [(Kind.RESOLVED, market, 0, 10_000 * (market % 2), 0) for market in range(len(run.names.markets))], last
    )
    ends["in_seq"] = np.arange(seq, seq + len(ends))
    yield ends


def made(given: list[tuple[int, int, int, int, int]], now: int) -> np.ndarray:
    """Command rows."""
    block = empty(len(given))
    for name, column in zip(("kind", "market", "price", "size", "a"), zip(*given, strict=True), strict=False):
        block[name] = column
    block["recv_ts"] = block["proc_ts"] = now
    return block


def look(run: Any, inputs: np.ndarray) -> Step:
    """What the last call left behind."""
    from polytraders.journal import kernel_sums
    from polytraders.naming import moment

    out, detail = run.runner.outs().copy(), run.runner.details().copy()
    state = run.runner.state
    pairs = {(int(row["market"]), int(row["strategy"])) for row in out if row["detail"] != s.NONE}
    buys = np.argwhere((state.pairs["order"] != s.NO_ORDER) & (state.pairs["order_action"] == s.BUY))
    return Step(
        inputs,
        out,
        detail,
        {pair: moment(state, *pair) for pair in pairs},
        int(state.portfolio["cash"][0]),
        int(state.portfolio["reserved"][0]),
        {(int(m), int(n)): int(state.pairs[m, n]["order_held"]) for m, n in buys},
        kernel_sums(state, run.names),
    )


def template(folder: Path, name: str, changes: dict[str, str]) -> Path:
    """A shipped strategy, changed."""
    text = (ROOT / "polytraders" / "strategies" / f"{name}.toml").read_text(encoding="utf-8")
    for old, new in changes.items():
        assert old in text, f"{name}.toml no longer says {old}"
        text = text.replace(old, new, 1)
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return path


def play(folder: Path) -> Played:
    """Make the capture, drive it through the loop."""
    from polytraders.replaying import Plan, Replay
    from polytraders.venues.simulator import capture

    source, registry = folder / "capture.jsonl", folder / "registry.toml"
    capture.write(source, seed=SEED, count=FRAMES)
    # The last market has no registry entry, so facts of it are missing.
    entries = capture.registry_toml(seed=SEED).split("\n[[market]]")
    registry.write_text("\n[[market]]".join(entries[:-1]), encoding="utf-8")
    strategies = tuple(template(folder, name, changes) for name, changes in TEMPLATES.items())
    plan = Plan(source, registry, strategies, block_rows=BLOCK, capital=CAPITAL, keep_outputs=False)
    run = Replay(plan)
    steps = []
    quantities = np.zeros(0)
    for block in rows(run):
        if block["kind"][0] == Kind.RESOLVED:
            pairs = run.runner.state.pairs[: len(run.names.markets)]
            quantities = np.stack((pairs["qty_yes"], pairs["qty_no"]), axis=-1)
        run.runner.feed(block)
        steps.append(look(run, block.copy()))
    names = run.names._replace(
        markets=tuple(run.names.markets), tokens=tuple(tuple(tokens) for tokens in run.names.tokens)
    )
    markets = run.runner.state.markets[: len(names.markets)]
    fees = [(int(mk["fee_rate"]), int(mk["fee_exponent"]), int(mk["fee_bps"])) for mk in markets]
    return Played(steps, names, quantities, fees)


def started(folder: Path) -> Played:
    """`play` in a process of its own."""
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1", "POLYTRADERS_CACHE": str(folder / "cache")}
    command = [sys.executable, "-m", "tests.packets.played", str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    found: Played = pickle.loads((folder / "played.pickle").read_bytes())
    return found


if __name__ == "__main__":
    from tests.packets import played as own

    # Under its importable name, or the other process could not read what is written here.
    where = Path(sys.argv[1])
    (where / "played.pickle").write_bytes(pickle.dumps(own.play(where)))
