"""Peak memory of the loop over N inputs that are made on the fly: it must not depend on N.

python -m benchmarks.memory --inputs 2000000
"""

import argparse
from functools import partial

from benchmarks import portfolio
from benchmarks.dataset import Inputs
from benchmarks.measure import cpu, report
from benchmarks.ours import Runner
from benchmarks.synthetic import Market, Shape

SHAPE = Shape(events=60_000, snapshot_every=20_000, gap_ns=48_000_000)


def main() -> None:
    """Run until `--inputs` rows have gone through and print the line."""
    wanted = argparse.ArgumentParser()
    wanted.add_argument("--inputs", type=int, default=2_000_000)
    said = wanted.parse_args()
    market = Market(7, 0, SHAPE)
    inputs = Inputs(setup=portfolio.setup(1, 3))
    runner = Runner(1, 3)
    seconds = 0.0
    while inputs.in_seq < said.inputs:
        rows = inputs.take(market.more(SHAPE.events))
        taken, _ = cpu(partial(runner.take, rows))
        seconds += taken
    report("polytraders", f"memory:{said.inputs}", inputs.in_seq, seconds, outputs=runner.out_rows, **runner.counts())


if __name__ == "__main__":
    main()
