"""What `make mutants` breaks: one change of one line each, and where the tests are that must notice.

Each check's vote is broken by `of_checks`; the rest is listed. A line that is no longer there, or there twice, is an
error: a harness that changes nothing proves nothing.
"""

import re
from pathlib import Path
from typing import Final, NamedTuple

from polytraders.contracts.checks import CHECKS

EACH: Final = "tests/loop/test_each_check.py"
KILLS: Final = "tests/loop/test_kills.py"
FLATTEN: Final = "tests/loop/test_flatten.py"
RANKING: Final = "tests/loop/test_ranking.py"
COUNTS: Final = "tests/loop/test_counts.py"
TRADE: Final = "tests/loop/test_one_trade.py"
SETTLED: Final = "tests/loop/test_settlement.py"
CHECK_TESTS: Final = "tests/risk/test_checks.py"
TIME: Final = "tests/loop/test_time.py"
BOOKS: Final = "tests/replay/test_tickscope.py"
POSITIONS: Final = "tests/ledger/test_positions.py"
TAKERS: Final = "tests/venues/paper/test_takers.py"
MAKERS: Final = "tests/venues/paper/test_makers.py"

DECIDING: Final = "polytraders/deciding.py"
TRADING: Final = "polytraders/trading.py"
LOOP: Final = "polytraders/loop.py"
CONTROLLING: Final = "polytraders/controlling.py"
RECEIVING: Final = "polytraders/receiving.py"
EMIT: Final = "polytraders/emit.py"
CHECKS_FILE: Final = "apps/risk/core/checks.py"
EDGE: Final = "apps/risk/core/edge.py"
INTAKE: Final = "apps/ingest/core/intake.py"
GATE: Final = "apps/risk/core/gate.py"
LEDGER: Final = "apps/ledger/core/positions.py"
PAPER: Final = "polytraders/venues/paper/venue.py"


class Mutant(NamedTuple):
    """One change.

    Attributes:
        name: What is broken.
        file: In which file.
        old: Text that stands there once.
        new: What stands there instead.
        tests: Files of tests, at least one of which must fail.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


class OutdatedError(ValueError):
    """The text that a mutant changes is not there exactly once."""


def vote_of(check: str, root: Path) -> tuple[str, str]:
    """(file, call) of the one place where a check votes."""
    found = []
    for file in (CHECKS_FILE, GATE):
        text = (root / file).read_text(encoding="utf-8")
        for start in re.finditer(rf"(?:checks\.)?(?:most|least)\(\s*detail,\s*c\.{check.upper()},", text):
            depth, end = 0, start.start()
            while depth > 0 or end < start.end():
                depth += {"(": 1, ")": -1}.get(text[end], 0)
                end += 1
            found.append((file, text[start.start() : end]))
    if len(found) != 1:
        raise OutdatedError(f"{check} votes in {len(found)} places")
    return found[0]


def of_checks(root: Path) -> list[Mutant]:
    """Each check approves always, although its value and limit are still written down."""
    votes = [(check.name, *vote_of(check.name, root)) for check in CHECKS]
    return [Mutant(f"{name} always approves", file, call, f"({call} & 0)", (EACH,)) for name, file, call in votes]


def applied(mutant: Mutant, text: str) -> str:
    """The file's text with the change.

    Raises:
        OutdatedError: The text to be changed is not there exactly once.
    """
    if text.count(mutant.old) != 1:
        raise OutdatedError(f"{mutant.name}: {mutant.file} has {mutant.old!r} {text.count(mutant.old)} times")
    return text.replace(mutant.old, mutant.new)


CHANGES: Final[tuple[tuple[str, tuple[str, ...], tuple[tuple[str, str, str], ...]], ...]] = (
    (
        GATE,
        (EACH,),
        (
            ("every vote approves", "return counted == 0", "return True"),
            (
                "a sale is stopped by every check",
                "return votes & ~c.INCREASING_ONLY if checks.is_sale(action) else votes",
                "return votes",
            ),
            (
                "a purchase passes the increasing checks",
                "return votes & ~c.INCREASING_ONLY if checks.is_sale(action) else votes",
                "return votes & ~c.INCREASING_ONLY",
            ),
        ),
    ),
    (
        DECIDING,
        (EACH,),
        (
            (
                "the market's votes are not heard",
                "consider(state, h, strategy, False)\n    counted = gate.decide(h.mk.votes | ",
                "consider(state, h, strategy, False)\n    counted = gate.decide(0 | ",
            ),
            (
                "half the displayed size is all of it",
                "sizing.liquidity_cap(filled, h.lim.liquidity_take_ppm_max)",
                "filled",
            ),
        ),
    ),
    (
        EDGE,
        (TRADE,),
        (
            ("a fee is no cost", " - fee - buffer", " - buffer"),
            ("doubt is no cost", " - fee - buffer", " - fee"),
        ),
    ),
    (DECIDING, (POSITIONS,), (("rounding needs no room", " - sizing.ROUNDING", ""),)),
    (CHECKS_FILE, (CHECK_TESTS,), (("an own order is another's", "other != own and ", ""),)),
    (
        TRADING,
        (TRADE,),
        (
            ("an approval holds nothing", "    positions_hold(pf, mk, cluster, strat, pair)\n", ""),
            ("a hold is no reservation", "        positions.reserve(pf, mk, cluster, strat, pair, amount)\n", ""),
            ("a fill releases nothing", "    positions.release(pf, mk, cluster, strat, pair, pair.order_left)\n", ""),
            ("takers pay no fee", "if pair.order_maker == 0 or mk.fee_taker_only == 0:", "if mk.fee_taker_only == 0:"),
        ),
    ),
    (
        LEDGER,
        (TRADE,),
        (
            ("reserved money is free", "    pf.reserved += amount\n", ""),
            ("a hold leaves out the fee", " + fee_most(mk, size)", ""),
        ),
    ),
    (
        LOOP,
        (RANKING,),
        (
            ("the first candidate is served first", "if ahead > 0.0 or", "if ahead > 1e18 or"),
            ("nobody is ranked", "    if pf.candidates > 0:\n        rank(", "    if False:\n        rank("),
        ),
    ),
    (
        DECIDING,
        (
            EACH,
            RANKING,
        ),
        (
            ("nobody waits", "0 if ranking or strat.immediate != 0 else 1", "0"),
            ("candidates are not judged again", " if counted == 0 else FAILED", ""),
            ("confidence does not count", "trade.edge * (1.0 - (p.upper - p.lower))", "trade.edge * 1.0"),
            (
                "apart, the market's votes are not heard",
                "strategy, purpose != WAITING)\n    counted = gate.decide(h.mk.votes | ",
                "strategy, purpose != WAITING)\n    counted = gate.decide(0 | ",
            ),
        ),
    ),
    (CONTROLLING, (KILLS,), (("a kill leaves orders where they are", "if killed != 0:", "if False:"),)),
    (CONTROLLING, (FLATTEN,), (("flattening leaves orders where they are", "if e.a != 0:", "if False:"),)),
    (
        LOOP,
        (MAKERS,),
        (("a lost book leaves orders where they are", "if mk.orders > 0 and votes & PULL:", "if False:"),),
    ),
    (
        CHECKS_FILE,
        (FLATTEN,),
        (
            (
                "flattening minds the edge",
                "0 if reducing and trade.flattening == 0 else -4 * NANO",
                "0 if reducing else -4 * NANO",
            ),
        ),
    ),
    (LOOP, (TIME,), (("loop time steps back", "pf.now = max(pf.now, e.recv_ts)", "pf.now = e.recv_ts"),)),
    (LOOP, (EACH,), (("nothing is due at a tick", "if pf.now >= pf.deadline:", "if False:"),)),
    (
        INTAKE,
        (BOOKS,),
        (("consumed levels stay", "mk.repairs += book.trim(", "mk.repairs += 0 if True else book.trim("),),
    ),
    (EMIT, (COUNTS,), (("a run of verdicts is counted twice", "    pair.repeats = 0\n", ""),)),
    (
        DECIDING,
        (COUNTS,),
        (("a repeated verdict is not counted", "        pair.repeats += 1\n", "        pair.repeats += 0\n"),),
    ),
    (
        TRADING,
        (TAKERS,),
        (("a taker arrives at once", "pair.order_arrive_ts = now + delay_ms * MS_NS", "pair.order_arrive_ts = now"),),
    ),
    (
        PAPER,
        (TAKERS,),
        (
            ("a level is taken twice", "    taken[side, slot] += size\n", ""),
            ("a taker ignores its limit", "(mk.ask_base + slot) * mk.tick <= limit_px", "True"),
        ),
    ),
    (
        RECEIVING,
        (TAKERS,),
        (
            (
                "what went and came back is still taken",
                "    if mk.taken > 0:\n        paper_told",
                "    if False:\n        paper_told",
            ),
            (
                "what was taken stays behind when the window moves",
                "paper.moved(mk, ",
                "(mk, ",
            ),
            ("a trimmed level is still taken", "        trimmed = True\n", "        trimmed = False\n"),
        ),
    ),
    (
        PAPER,
        (MAKERS,),
        (
            (
                "nobody stands before us",
                "pair.order_front = levels[side, slot] if slot != NONE else 0",
                "pair.order_front = 0",
            ),
            ("post-only may cross", "or crosses(mk, pair.order_direction, pair.order_price)", ""),
            ("orders never end", "return ENDED if now >= pair.order_expire_ts else WAITING", "return WAITING"),
        ),
    ),
    (
        TRADING,
        (MAKERS,),
        (
            ("a print is used twice", "            size -= filled\n", ""),
            (
                "a cancel takes effect at once",
                "effective = pf.now + state.limits[0].order_latency_ms * MS_NS",
                "effective = pf.now",
            ),
        ),
    ),
    (
        LEDGER,
        (POSITIONS,),
        (
            ("a purchase is free", "    pf.cash -= spent + fee\n", "    pf.cash -= fee\n"),
            ("a sale keeps its cost", "    mk.cost -= cost\n", ""),
            ("a strategy's exposure is not counted", "    strat.exposure += amount\n", ""),
            ("a market's exposure is not counted", "    mk.exposure += amount\n", ""),
            ("a cluster's exposure is not counted", "    cluster.exposure += amount\n", ""),
            ("the portfolio's exposure is not counted", "    pf.exposure += amount\n", ""),
            ("a cluster's worst case is not counted", "    cluster.worst += worst - mk.worst\n", ""),
            ("the day's high is forgotten", "    pf.high_day = max(pf.high_day, pf.equity)\n", ""),
        ),
    ),
    (
        TRADING,
        (SETTLED,),
        (
            ("an impossible payout is paid", "if settlement.redeem(YES, 0, pays) == settlement.REFUSED:", "if False:"),
            (
                "orders outlive their market",
                "        if pair.order != NO_ORDER:\n            finish(state, out, market, strategy, CANCELLED)\n",
                "",
            ),
        ),
    ),
)
"""(file, tests, (name, old, new) of each change)."""

OTHERS: Final = tuple(
    Mutant(name, file, old, new, tests) for file, tests, changes in CHANGES for name, old, new in changes
)


def every(root: Path) -> list[Mutant]:
    """All of them."""
    return [*of_checks(root), *OTHERS]
