"""Our own loop over one set: every stage, every check, verdicts, packets, paper fills and the hashed output chain.

Rows are made and the compiled code is loaded before the clock starts, as for the peers. Inside it: `run` over blocks of
64k rows, and the output chain over all that they put out.

    python -m benchmarks.ours --set one --strategies 3
"""

import argparse

import numpy as np

from apps.eventlog.core.chain import OutputChain
from benchmarks import dataset, portfolio
from benchmarks.measure import cpu, report, spin
from polytraders import loop
from polytraders.contracts.state import DETAIL, OUT, Sizes
from polytraders.kernel.block import new_block, views

BLOCK_ROWS = 65_536
OUT_ROWS = 6_144


class Runner:
    """A fresh state and its output buffers; `take` runs rows through it and hashes what comes out."""

    def __init__(self, markets: int, strategies: int, chained: bool = True) -> None:
        self.block = new_block(Sizes(markets=markets, strategies=strategies))
        self.state = views(self.block)
        self.out = np.zeros(OUT_ROWS, OUT)
        self.details = np.zeros(OUT_ROWS, DETAIL)
        self.out_bytes = self.out.view(np.uint8)
        self.detail_bytes = self.details.view(np.uint8)
        self.chain = OutputChain()
        self.chained = chained
        self.out_rows = 0

    def take(self, rows: np.ndarray, block_rows: int = BLOCK_ROWS) -> None:
        """Run all of `rows`."""
        inputs = rows.view(np.uint8)
        portfolio_now = self.state.portfolio
        at = 0
        while at < len(rows):
            at = loop.run(self.block, inputs, at, min(at + block_rows, len(rows)), self.out_bytes, self.detail_bytes)
            if portfolio_now["fault"][0]:
                raise SystemExit(f"the loop stopped with fault {portfolio_now['fault'][0]} at row {at}")
            count = int(portfolio_now["count"][0])
            self.out_rows += count
            if self.chained:
                self.chain.update(self.out[:count], self.details[: int(portfolio_now["details"][0])])

    def counts(self) -> dict[str, int]:
        """What it did, for the report."""
        now = self.state.portfolio[0]
        return {name: int(now[name]) for name in ("evaluations", "packets", "approvals", "fills", "expiries")}


def main() -> None:
    """Time one run over one set and print the line."""
    wanted = argparse.ArgumentParser()
    wanted.add_argument("--set", default="one", choices=list(dataset.SETS))
    wanted.add_argument("--strategies", type=int, default=3, choices=[1, 2, 3])
    wanted.add_argument("--events", type=int, default=0, help="only the first rows of the set")
    wanted.add_argument("--no-chain", action="store_true", help="leave out the output chain")
    said = wanted.parse_args()
    markets = dataset.SETS[said.set][0]
    ev = dataset.load(said.set, said.events)
    rows = dataset.rows(ev, setup=portfolio.setup(markets, said.strategies))
    events = dataset.counted(ev)
    del ev
    Runner(markets, said.strategies).take(rows[:4_000])
    runner = Runner(markets, said.strategies, chained=not said.no_chain)
    control = spin()
    seconds, _ = cpu(lambda: runner.take(rows))
    report(
        "polytraders",
        f"full loop:{said.set}:{said.strategies}",
        events,
        seconds,
        spin_seconds=round(control, 4),
        rows=len(rows),
        outputs=runner.out_rows,
        output_head=runner.chain.head().hex()[:16],
        **runner.counts(),
    )


if __name__ == "__main__":
    main()
