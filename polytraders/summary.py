"""A replay's report as a page of text: what came in, what was decided and why not, what it did to the money."""

from polytraders.contracts.ledger import Position
from polytraders.contracts.reasons import reason
from polytraders.contracts.replay import LogParity, ReplayReport

MICRO = 1_000_000


def money(micros: int) -> str:
    """Micro-pUSD as pUSD with two decimals and a sign."""
    return f"{micros / MICRO:+,.2f} pUSD"


def text(report: ReplayReport) -> str:
    """The whole page."""
    blocks = [_inputs(report), _decisions(report), _book(report), _money(report), _proof(report)]
    return "\n\n".join("\n".join(block) for block in blocks)


def _inputs(report: ReplayReport) -> list[str]:
    refused = ", ".join(f"{code} {count:,}" for code, count in sorted(report.refused_by_code.items())) or "none"
    registry = f"  assumed, not confirmed by a venue: the registry facts of {len(report.assumed)} markets"
    if not report.assumed:
        registry = (
            "  no registry: nothing can be traded" if report.log is None else "  every registry fact is the venue's"
        )
    return [
        f"PAPER REPLAY of {report.source}   (clock: {report.clock})",
        f"  frames {report.frames:,}, refused {report.frames_rejected:,} ({refused})",
        f"  inputs {report.events:,} on {report.markets} markets, {report.events_per_second:,.0f} a second in the loop",
        f"  staleness: {report.ages}",
        registry,
    ]


def _decisions(report: ReplayReport) -> list[str]:
    total = max(report.evaluations, 1)
    rows = sorted(report.counts_by_code.items(), key=lambda item: -item[1])
    lines = [
        f"DECISIONS  {report.evaluations:,} evaluations by {', '.join(report.strategies)}",
        f"  {report.approved:,} approved, {report.packets:,} packets",
    ]
    for code, count in rows:
        bar = "#" * round(24 * count / total)
        lines.append(f"  {code:<28} {count:>10,} {count / total:>6.1%} {bar:<24} {reason(code).meaning}"[:150])
    return lines


def _book(report: ReplayReport) -> list[str]:
    first = "" if report.first_mismatch_frame is None else f" (first: frame {report.first_mismatch_frame:,})"
    return [
        "BOOK",
        f"  {report.rows_mirrored:,} rows confirmed by the other token",
        f"  venue's best price differed in {report.mismatch_before_repair:,} frames{first}",
        f"  {report.repairs:,} levels trimmed, still different in {report.best_mismatch:,} frames",
        f"  {report.snapshots:,} whole books, {report.snapshot_differences:,} levels differed from ours",
    ]


def _money(report: ReplayReport) -> list[str]:
    lines = [
        f"PAPER TRADING  {report.orders:,} orders, {report.fills:,} fills, {report.expired:,} ended unfilled",
        f"  equity {report.equity / MICRO:,.2f} pUSD, fees paid {report.fees / MICRO:,.2f} pUSD",
        f"  realised {money(report.realised)}   unrealised {money(report.unrealised)}",
    ]
    return lines + [_held(position) for position in report.positions]


def _held(position: Position) -> str:
    shares, average = position.total / MICRO, position.average_cost / 1e9
    return (
        f"  market {position.market} {position.strategy:<12} {shares:>12,.2f} shares of …{position.token_id[-6:]}"
        f" at {average:.4f}   unrealised {money(position.unrealised)}"
    )


def _proof(report: ReplayReport) -> list[str]:
    lines = [f"PROOF  chain {report.chain_head}", f"  inputs {report.input_head}", f"  outputs {report.output_head}"]
    if report.log is not None:
        lines += _parity(report.log)
    if report.verdict_code is not None:
        lines.append(f"  {report.verdict_code}: {report.first_difference or 'every output is the same'}")
    return lines


def _parity(log: LogParity) -> list[str]:
    head = "the heads are the log's" if log.input_head_recorded else "the log goes on behind it"
    lines = [f"  inputs {log.from_seq:,} to {log.to_seq:,} in {log.seconds:,.1f} s with reading and comparing; {head}"]
    for epoch in log.epochs:
        what = "parity" if epoch.claimed else "drift, another build:"
        state = {None: "", True: ", state as handed over", False: ", STATE DIFFERS"}[epoch.state_equal]
        lines.append(
            f"  epoch {epoch.epoch_seq:,} to {epoch.last_seq:,} of build {epoch.build[:12]}: {what}"
            f" {epoch.equal:,} of {max(epoch.recorded, epoch.replayed):,} outputs{state}"
        )
    told = "none of this build, so nothing is claimed" if log.parity is None else f"{log.parity:.6f}"
    lines.append(f"  parity {told}" + ("" if log.drift is None else f", drift {log.drift:.6f}"))
    return lines
