"""What runs after one command: it decides, trades on paper, settles, and its books agree with the exchange's truth."""

import json
import time

from tests.e2e.audit import MICRO, Audit
from tests.e2e.whole import Counts, Platform
from tests.supervisor.processes import until

MINUTE_S = 60.0
FIVE_MINUTES = "SELECT slug, payout FROM registry_market WHERE slug LIKE 'btc-updown-5m-%%' AND payout IS NOT NULL"


def test_within_a_minute_events_packets_approvals_and_fills_rise(platform: Platform, at_ready: Counts) -> None:
    def more() -> bool:
        now = platform.counts()
        return all(after > before for before, after in zip(at_ready[1:5], now[1:5], strict=True))

    until(more, "inputs, packets, approvals and fills rise", at_ready.at + MINUTE_S - time.monotonic(), platform.counts)
    print(f"\n{platform.counts().at - at_ready.at:.0f} s after being ready: {platform.counts()}")


def test_a_five_minute_market_is_settled_within_a_further_minute(platform: Platform, at_ready: Counts) -> None:
    until(lambda: platform.rows(FIVE_MINUTES), "a 5-minute market is settled", at_ready.at + 120 - time.monotonic())
    print(f"\nsettled {time.monotonic() - at_ready.at:.0f} s after being ready: {platform.rows(FIVE_MINUTES)}")


def test_the_books_are_what_fills_outcomes_and_the_exchanges_fees_make_them(platform: Platform, audit: Audit) -> None:
    until(lambda: platform.counts().fills > 0, "there are fills", 90)
    books = audit.books()
    differences = audit.differences(books)
    print(f"\n{len(books.fills)} fills, {len(books.settled)} positions paid out, micro-pUSD apart: {differences}")
    assert not audit.wrong, "\n".join(audit.wrong)
    assert all(abs(each) <= MICRO for each in differences.values()), differences


def test_every_payout_is_the_exchanges(platform: Platform, audit: Audit) -> None:
    until(lambda: platform.rows(FIVE_MINUTES), "a 5-minute market is settled", 120)
    assert audit.payouts(audit.books()) > 0
    assert not audit.wrong, "\n".join(audit.wrong)


def test_every_taker_fill_was_there_in_the_exchanges_own_book(platform: Platform, audit: Audit) -> None:
    until(lambda: platform.counts().fills > 0, "there are fills", 90)
    audit.look()
    print(f"\n{audit.compared} taker fills compared with the exchange's book: {dict(audit.found)}")
    assert not audit.wrong, "\n".join(audit.wrong)
    assert audit.compared > 0
    assert audit.found["the exchange has forgotten"] == 0
    assert audit.found["as the book was"] >= 0.9 * audit.compared


def test_the_log_and_the_books_verify_while_it_runs(platform: Platform) -> None:
    done = platform.command("verify", "--deep")
    assert (done.returncode, done.stdout) == (0, "the log is whole\n"), done.stderr


def test_status_tells_how_it_is(platform: Platform) -> None:
    done = platform.command("status", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert (told["loop"], told["mode"], told["kill"]) == ("running", "PAPER", "TRADING")
    assert told["in_seq"] > 0
    plain = platform.command("status")
    assert plain.returncode == 0 and "PAPER  TRADING  loop running" in plain.stdout


def test_why_explains_a_decision_and_a_market(platform: Platform) -> None:
    until(lambda: platform.counts().packets > 0, "there are packets", 90)
    (row,) = platform.rows("SELECT in_seq, ordinal, market FROM log_output WHERE kind = 0 ORDER BY in_seq LIMIT 1")
    decision = platform.command("why", f"{row[0]}:{row[1]}")
    assert decision.returncode == 0 and str(row[0]) in decision.stdout.replace(",", ""), decision.stderr
    market = platform.command("why", str(row[2]), "--json")
    assert market.returncode == 0, market.stderr
    assert json.loads(market.stdout)
    assert platform.command("why", "no-such-market").returncode == 2


def test_the_trial_balance_foots(platform: Platform) -> None:
    done = platform.command("ledger", "trial-balance")
    assert done.returncode == 0, done.stderr
    sums = [line.split()[1:3] for line in done.stdout.splitlines() if line.strip().startswith("sum")]
    assert sums and all(debit == credit for debit, credit in sums)
