"""Ctrl-C and the same command again: quick both ways, time goes on, and what ended meanwhile is paid out."""

import json

from polytraders.contracts.inputs import NANO
from tests.e2e.audit import MICRO, Audit
from tests.e2e.whole import Platform
from tests.supervisor.processes import until

AWAY_S = 1_800
HELD = """
SELECT p.market, r.close_ts FROM ledger_position p JOIN registry_market r USING (shard, market)
WHERE p.size > 0 AND r.slug LIKE 'btc-updown-%%' AND r.payout IS NULL AND r.close_ts > %d"""


def loop_ts(platform: Platform) -> int:
    """Loop time of the last committed control input."""
    ((row,),) = platform.rows("SELECT row FROM log_control ORDER BY in_seq DESC LIMIT 1")
    assert isinstance(row, bytes)
    return int.from_bytes(row[8:16], "little")


def test_it_stops_in_five_seconds_and_goes_on_in_fifteen(platform: Platform, audit: Audit) -> None:
    # Half a minute of loop time to go, so that nothing settles it before the end.
    until(
        lambda: platform.rows(HELD % (loop_ts(platform) + 60 * NANO)), "something is held in an open window", 120,
        platform.counts,
    )  # fmt: skip
    assert len(platform.processes()) >= 9
    held = [int(str(row[0])) for row in platform.rows(HELD % (loop_ts(platform) + 40 * NANO))]
    assert held
    before, epochs = platform.counts(), platform.epochs()
    ended_s = platform.interrupt()
    said = platform.said()
    assert platform.processes() == {}
    assert ended_s < 5.0, said[-2_000:]
    assert "did not end" not in said.replace("worker did not end", ""), said[-2_000:]
    print(f"\nended after {ended_s:.1f} s; {said.splitlines()[-1]}")

    # As if somebody came back half an hour of exchange time later: the windows have ended, and nobody saw how.
    state = platform.home / "simulator.json"
    left = json.loads(state.read_text())
    state.write_text(json.dumps({**left, "resume_ns": left["resume_ns"] + AWAY_S * NANO}))
    platform.run()
    assert platform.own_s <= 15.0, platform.steps()
    until(lambda: platform.epochs() == epochs + 1, "the log has one more run, and no more than one")
    assert "nothing has changed" in platform.said()

    unpaid = f"SELECT count(*) FROM ledger_position WHERE size > 0 AND market = ANY(ARRAY{held})"
    until(lambda: platform.rows(unpaid) == [(0,)], "what was held is paid out", 40)
    paid = platform.rows(f"SELECT slug, payout FROM registry_market WHERE market = ANY(ARRAY{held})")
    print(f"paid out: {paid}")
    assert {payout for _, payout in paid} == {5_000}
    assert platform.counts().paid_out > before.paid_out
    until(lambda: platform.counts().packets > before.packets, "it decides again", 60)
    assert loop_ts(platform) >= left["resume_ns"] + AWAY_S * NANO - NANO
    books = platform.command("verify", "--deep")
    assert (books.returncode, books.stdout) == (0, "the log is whole\n"), books.stderr
    differences = audit.differences(audit.books())
    assert all(abs(each) <= MICRO for each in differences.values()), differences
    assert not audit.wrong, "\n".join(audit.wrong)
