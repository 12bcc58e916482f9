"""What `make mutants` breaks: one change of one line each, and where the tests are that must notice.

Each check's vote is broken by `of_checks`; the rest is listed. A line that is no longer there, or there twice, is an
error: a harness that changes nothing proves nothing.
"""

import re
from pathlib import Path
from typing import Final, NamedTuple

from polytraders.contracts.checks import CHECKS

CHECK_FILES: Final = ("apps/risk/core/checks.py", "apps/risk/core/gate.py")
EACH: Final = "tests/loop/test_each_check.py"
KILLS: Final = "tests/loop/test_kills.py"
FLATTEN: Final = "tests/loop/test_flatten.py"
RANKING: Final = "tests/loop/test_ranking.py"
COUNTS: Final = "tests/loop/test_counts.py"
TRADE: Final = "tests/loop/test_one_trade.py"
SETTLED: Final = "tests/loop/test_settlement.py"
POSITIONS: Final = "tests/ledger/test_positions.py"
TAKERS: Final = "tests/venues/paper/test_takers.py"
MAKERS: Final = "tests/venues/paper/test_makers.py"

DECIDING: Final = "polytraders/deciding.py"
TRADING: Final = "polytraders/trading.py"
LOOP: Final = "polytraders/loop.py"
CONTROLLING: Final = "polytraders/controlling.py"
RECEIVING: Final = "polytraders/receiving.py"
EMIT: Final = "polytraders/emit.py"
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


class Outdated(ValueError):
    """The text that a mutant changes is not there exactly once."""


def vote_of(check: str, root: Path) -> tuple[str, str]:
    """(file, call) of the one place where a check votes."""
    found = []
    for file in CHECK_FILES:
        text = (root / file).read_text(encoding="utf-8")
        for start in re.finditer(rf"(?:checks\.)?(?:most|least)\(\s*detail,\s*c\.{check.upper()},", text):
            depth, end = 0, start.start()
            while depth > 0 or end < start.end():
                depth += {"(": 1, ")": -1}.get(text[end], 0)
                end += 1
            found.append((file, text[start.start() : end]))
    if len(found) != 1:
        raise Outdated(f"{check} votes in {len(found)} places")
    return found[0]


def of_checks(root: Path) -> list[Mutant]:
    """Each check approves always, although its value and limit are still written down."""
    votes = [(check.name, *vote_of(check.name, root)) for check in CHECKS]
    return [Mutant(f"{name} always approves", file, call, f"({call} & 0)", (EACH,)) for name, file, call in votes]


def applied(mutant: Mutant, text: str) -> str:
    """The file's text with the change.

    Raises:
        Outdated: The text to be changed is not there exactly once.
    """
    if text.count(mutant.old) != 1:
        raise Outdated(f"{mutant.name}: {mutant.file} has {mutant.old!r} {text.count(mutant.old)} times")
    return text.replace(mutant.old, mutant.new)


OTHERS: Final = (
    # The gate and what follows from it.
    Mutant("every vote approves", GATE, "return counted == 0", "return True", (EACH,)),
    Mutant(
        "a sale is stopped by every check",
        GATE,
        "return votes & ~c.INCREASING_ONLY if checks.is_sale(action) else votes",
        "return votes",
        (EACH,),
    ),
    Mutant(
        "a purchase passes the increasing checks",
        GATE,
        "return votes & ~c.INCREASING_ONLY if checks.is_sale(action) else votes",
        "return votes & ~c.INCREASING_ONLY",
        (EACH,),
    ),
    Mutant("the market's votes are not heard", DECIDING, "gate.decide(h.mk.votes | ", "gate.decide(0 | ", (EACH,)),
    Mutant("a fee is no cost", "apps/risk/core/edge.py", " - fee - buffer", " - buffer", (TRADE,)),
    Mutant("doubt is no cost", "apps/risk/core/edge.py", " - fee - buffer", " - fee", (TRADE,)),
    Mutant(
        "half the displayed size is all of it",
        DECIDING,
        "sizing.liquidity_cap(filled, h.lim.liquidity_take_ppm_max)",
        "filled",
        (EACH,),
    ),
    Mutant("rounding needs no room", DECIDING, " - sizing.ROUNDING", "", (POSITIONS,)),
    Mutant("an own order is another's", "apps/risk/core/checks.py", "other != own and ", "", ("tests/risk/test_checks.py",)),
    # The reservation.
    Mutant("an approval holds nothing", TRADING, "    positions_hold(pf, mk, cluster, strat, pair)\n", "", (TRADE,)),
    Mutant(
        "a hold is no reservation",
        TRADING,
        "        positions.reserve(pf, mk, cluster, strat, pair, amount)\n",
        "",
        (TRADE,),
    ),
    Mutant(
        "a fill releases nothing",
        TRADING,
        "    positions.release(pf, mk, cluster, strat, pair, pair.order_left)\n",
        "",
        (TRADE,),
    ),
    Mutant("reserved money is free", LEDGER, "    pf.reserved += amount\n", "", (TRADE,)),
    Mutant("a hold leaves out the fee", LEDGER, " + fee_most(mk, size)", "", (TRADE,)),
    # Ranking.
    Mutant(
        "candidates are not judged again",
        LOOP,
        " if gate.decide(votes, trade.action) == 0 else FAILED",
        "",
        (RANKING,),
    ),
    Mutant("the first candidate is served first", LOOP, "if ahead > 0.0 or", "if ahead > 1e18 or", (RANKING,)),
    Mutant("confidence does not count", LOOP, "trade.edge * (1.0 - (p.upper - p.lower))", "trade.edge * 1.0", (RANKING,)),
    Mutant("nobody waits", DECIDING, "0 if ranking or strat.immediate != 0 else 1", "0", (EACH, RANKING)),
    Mutant("nobody is ranked", LOOP, "    if pf.candidates > 0:\n        rank(", "    if False:\n        rank(", (RANKING,)),
    # Kills and flattening.
    Mutant("a kill leaves orders where they are", CONTROLLING, "if killed != 0:", "if False:", (KILLS,)),
    Mutant("flattening leaves orders where they are", CONTROLLING, "if e.a != 0:", "if False:", (FLATTEN,)),
    Mutant("a lost book leaves orders where they are", LOOP, "if mk.orders > 0 and votes & PULL:", "if False:", (MAKERS,)),
    Mutant(
        "flattening minds the edge",
        "apps/risk/core/checks.py",
        "0 if reducing and trade.flattening == 0 else -4 * NANO",
        "0 if reducing else -4 * NANO",
        (FLATTEN,),
    ),
    # Loop time, the book, the counts.
    Mutant("loop time steps back", LOOP, "pf.now = max(pf.now, e.recv_ts)", "pf.now = e.recv_ts", ("tests/loop/test_time.py",)),
    Mutant("nothing is due at a tick", LOOP, "if pf.now >= pf.deadline:", "if False:", (EACH,)),
    Mutant(
        "consumed levels stay",
        "apps/ingest/core/intake.py",
        "mk.repairs += book.trim(",
        "mk.repairs += 0 if True else book.trim(",
        ("tests/replay/test_tickscope.py",),
    ),
    Mutant("a run of verdicts is counted twice", EMIT, "    pair.repeats = 0\n", "", (COUNTS,)),
    Mutant("a repeated verdict is not counted", DECIDING, "        pair.repeats += 1\n", "        pair.repeats += 0\n", (COUNTS,)),
    # The paper venue.
    Mutant("a taker arrives at once", TRADING, "pair.order_arrive_ts = now + delay_ms * MS_NS", "pair.order_arrive_ts = now", (TAKERS,)),
    Mutant("a level is taken twice", PAPER, "    taken[side, slot] += size\n", "", (TAKERS,)),
    Mutant("a taker ignores its limit", PAPER, "(mk.ask_base + slot) * mk.tick <= limit_px", "True", (TAKERS,)),
    Mutant("what went and came back is still taken", RECEIVING, "    if mk.taken > 0:\n        paper_told", "    if False:\n        paper_told", (TAKERS,)),
    Mutant("nobody stands before us", PAPER, "pair.order_front = levels[side, slot] if slot != NONE else 0", "pair.order_front = 0", (MAKERS,)),
    Mutant("a print is used twice", TRADING, "            size -= filled\n", "", (MAKERS,)),
    Mutant("post-only may cross", PAPER, "or crosses(mk, pair.order_direction, pair.order_price)", "", (MAKERS,)),
    Mutant("orders never end", PAPER, "return ENDED if now >= pair.order_expire_ts else WAITING", "return WAITING", (MAKERS,)),
    Mutant("a cancel takes effect at once", TRADING, "effective = pf.now + state.limits[0].order_latency_ms * MS_NS", "effective = pf.now", (MAKERS,)),
    Mutant("takers pay no fee", TRADING, "if pair.order_maker == 0 or mk.fee_taker_only == 0:", "if mk.fee_taker_only == 0:", (TRADE,)),
    # The ledger.
    Mutant("a purchase is free", LEDGER, "    pf.cash -= spent + fee\n", "    pf.cash -= fee\n", (POSITIONS,)),
    Mutant("a sale keeps its cost", LEDGER, "    mk.cost -= cost\n", "", (POSITIONS,)),
    Mutant("a strategy's exposure is not counted", LEDGER, "    strat.exposure += amount\n", "", (POSITIONS,)),
    Mutant("a market's exposure is not counted", LEDGER, "    mk.exposure += amount\n", "", (POSITIONS,)),
    Mutant("a cluster's exposure is not counted", LEDGER, "    cluster.exposure += amount\n", "", (POSITIONS,)),
    Mutant("the portfolio's exposure is not counted", LEDGER, "    pf.exposure += amount\n", "", (POSITIONS,)),
    Mutant("a cluster's worst case is not counted", LEDGER, "    cluster.worst += worst - mk.worst\n", "", (POSITIONS,)),
    Mutant("the day's high is forgotten", LEDGER, "    pf.high_day = max(pf.high_day, pf.equity)\n", "", (POSITIONS,)),
    Mutant("an impossible payout is paid", TRADING, "if settlement.redeem(YES, 0, pays) == settlement.REFUSED:", "if False:", (SETTLED,)),
    Mutant("orders outlive their market", TRADING, "        if pair.order != NO_ORDER:\n            finish(state, out, market, strategy, CANCELLED)\n", "", (SETTLED,)),
)  # fmt: skip


def every(root: Path) -> list[Mutant]:
    """All of them."""
    return [*of_checks(root), *OTHERS]
