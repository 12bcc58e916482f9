"""A packet in words: every number that decided, aligned, within 100 columns."""

import pytest

from polytraders.contracts import checks as c
from polytraders.contracts import state as s
from polytraders.contracts.checks import CHECKS
from polytraders.contracts.decision import DecisionPacket, Verdict, Vote
from polytraders.contracts.reasons import REASONS, reason
from polytraders.explain import WIDTH, explain, none_because, sentence, waterfall
from polytraders.packets import packet
from tests.packets.made import NAMES, NOW, SHARE, example
from tests.packets.played import Played
from tests.packets.test_packets import all_packets, rejected, told

WATERFALL = """\
EDGE of BUY YES, pUSD per share
    p_hat           0.670000
  - q_exec          0.645000
  = gross edge     +0.025000
  - fees            0.003225
  - buffer          0.012775   costs 0.016000
  = net_edge       +0.009000   at least +0.001000"""

SOLD = """\
EDGE of SELL NO, pUSD per share
    q_exec          0.645000
  - p_hat           0.670000
  = gross edge     -0.025000
  - fees            0.003225
  - buffer          0.012775   costs 0.016000
  = net_edge       -0.041000   at least +0.000000"""


def line(text: str, begins: str) -> str:
    stripped = (found.lstrip("> ") for found in text.splitlines())
    return next(found for found in stripped if found.startswith(begins))


def test_worked_example() -> None:
    text = explain(told(example()), NAMES)
    assert WATERFALL in text
    assert text.startswith("APPROVED  BUY 2,000.00 YES  STRAT_EDGE_DETECTED\n")
    assert "2023-11-14 22:14:10.840000 UTC" in text
    assert "Will it rain tomorrow?" in text and "cluster\n              politics" in text
    assert line(text, "Book").split("  ")[-1] == (
        "bid 0.6200, ask 0.6400, spread 0.0200, mid 0.6300, fresh, last row 0.040 s before"
    )
    assert line(text, "Forecast").endswith("YES 0.670000, band 0.640000 to 0.710000")
    assert line(text, "VOTES") == "VOTES  39 checks, 0 reject" and ">" not in text.replace(">=", "")


def test_a_sale_is_told_from_what_it_brings_in() -> None:
    made = example()
    made.out["action"], made.out["outcome"] = s.SELL, 1
    made.detail["net_edge"] = made.detail["values"][c.NET_EDGE] = made.detail["values"][c.HOLD] = -41_000_000
    made.detail["limits"][c.HOLD] = 0
    rejected(made, "hold")
    made.detail["values"][c.HOLD] = -41_000_000
    text = explain(told(made))
    assert SOLD in text
    assert text.startswith("REJECTED  SELL NO  STRAT_HOLD\n")
    assert line(text, "VOTES") == "VOTES  39 checks, 1 reject, 1 more waived because the trade reduces a position"
    assert line(text, "net_edge ").split()[:3] == ["net_edge", "waived", "-0.041000"]
    assert line(text, "Forecast").endswith("YES 0.670000, so NO 0.670000, band 0.640000 to 0.710000")


def test_the_first_rejection_names_the_verdict_and_is_marked() -> None:
    made = example()
    for check in ("size", "book_stale", "net_edge"):
        rejected(made, check)
    text = explain(told(made))
    assert text.startswith("REJECTED  BUY YES  RISK_STALE_BOOK, and 2 more\n")
    assert reason("RISK_STALE_BOOK").action in text
    marked = [found for found in text.splitlines() if found.startswith(">")]
    assert [found.split()[1:3] for found in marked] == [["book_stale", "REJECT"]]
    assert sum(" REJECT " in found for found in text.splitlines()) == 3
    assert line(text, "net_edge ").split()[1:5] == ["REJECT", "0.001000", ">=", "0.001000"]


def test_a_rejection_by_the_last_digit_is_not_shown_as_nothing() -> None:
    made = example()
    rejected(made, "net_edge")
    rejected(made, "market_exposure")
    text = explain(told(made))
    assert line(text, "net_edge ").split()[5] == "-1e-9"
    assert line(text, "market_exposure").split()[2:6] == ["5000.00", "<=", "5000.00", "-0.000001"]


def test_waiting_and_what_is_not_there_are_said() -> None:
    made = example()
    rejected(made, "rank")
    assert explain(told(made)).startswith("WAITING  BUY YES  STRAT_AWAITING_RANK\n")
    made.detail["best_bid"], made.detail["filled"], made.detail["book_row_ts"] = s.NONE, 0, 0
    made.at.market["known"] = made.at.market["tick"] = 0
    made.detail["values"][c.INSTRUMENT] = 255 | 1 << 32
    made.out["votes"] |= 1 << c.INSTRUMENT
    made.out["first"], made.out["counted_first"] = c.INSTRUMENT, s.NONE
    made.detail["position"] = -5 * SHARE
    text = explain(told(made))
    assert line(text, "Book").endswith("no valid book with two sides, no row yet")
    assert line(text, "Forecast").endswith("none") and line(text, "Estimate").endswith("nothing to trade against")
    assert "EDGE of BUY YES, pUSD per share\n  none: no forecast\n" in text
    assert line(text, "instrument").split()[1:6] == ["REJECT", "9", "<=", "0", "-9"]
    assert "Not known   VENUE, MIN_SIZE," in text and "TICK_SIZE" in text
    assert line(text, "Before").endswith("nothing") and line(text, "Held").endswith("5.00 NO net")


def test_without_an_estimate_the_edge_says_so() -> None:
    made = example()
    made.detail["filled"] = 0
    assert waterfall(told(made))[1] == "  none: nothing to trade against"


def test_what_others_wrote_cannot_move_the_cursor() -> None:
    text = explain(told(example()), NAMES._replace(titles=("\x1b[2Jgone\nand " + "long" * 50,)))
    assert "\x1b" not in text and max(map(len, text.splitlines())) <= WIDTH


def test_every_check_has_its_line_in_order_with_code_and_unit() -> None:
    lines = explain(told(example())).splitlines()[-len(CHECKS) :]
    assert [found.split()[0] for found in lines] == [check.name for check in CHECKS]
    assert [found.split()[-1] for found in lines] == [check.code for check in CHECKS]
    assert len({found.index(check.code) for found, check in zip(lines, CHECKS, strict=True)}) == 1


@pytest.mark.parametrize("value", [2**62, -(2**62), 10**9, -(10**9), 1, -1, 0])
def test_the_columns_hold_whatever_is_compared(value: int) -> None:
    made = example()
    made.detail["values"][:] = value
    made.detail["values"][c.MARKET_HALT] = made.detail["values"][c.ROLLOUT_STAGE] = 1
    votes = 0
    for bit, check in enumerate(CHECKS):
        number, limit = int(made.detail["values"][bit]), int(made.detail["limits"][bit])
        votes |= int(number > limit if check.side == c.MOST else number < limit) << bit
    made.out["votes"], made.out["first"], made.out["kind"] = votes, c.first(votes), s.PACKET
    table = explain(told(made)).split("\n\n")[-1].splitlines()
    # 2 ** 62 of a plain count has 19 digits; nothing that is counted gets there.
    most = WIDTH if abs(value) < 2**62 else WIDTH + 30
    assert max(map(len, table)) <= most


def test_every_packet_of_a_session_fits_the_terminal_and_says_its_code(played: Played) -> None:
    seen: dict[tuple[str, str, str], DecisionPacket] = {}
    for made in all_packets(played):
        seen.setdefault((made.code, made.action.name, made.outcome.name), made)
    assert len(seen) > 20
    for made in seen.values():
        text = explain(made, played.names)
        assert max(map(len, text.splitlines())) <= WIDTH
        assert text.isascii() and not any(found != found.rstrip() for found in text.splitlines())
        assert made.code in text.splitlines()[0]
        action = " ".join(text.split("To do")[1].split("When")[0].split())
        assert action == reason(made.code).action
        rejects = sum(vote.vote is Vote.REJECT and vote.counts for vote in made.votes)
        assert f"39 checks, {rejects} reject" in text
        assert (made.verdict is Verdict.APPROVE) == text.startswith("APPROVED")


def test_a_reason_fits_whatever_it_says() -> None:
    made = example()
    for entry in REASONS:
        assert len(f"REJECTED  SELL NO  {entry.code}, and 38 more") <= WIDTH
    assert packet(made.out, made.detail, names=NAMES, at=made.at).ts == NOW


def test_a_sentence_says_who_wanted_what_at_which_cost_in_all() -> None:
    # 0.645 + 0.016 = 0.661 against 0.67.
    made = example()
    before, market, after = sentence(told(made), NAMES)
    assert f"{before} {market}{after}" == (
        "logit wanted to buy 2,000 YES of Will it rain tomorrow?; "
        "all in a share costs 0.6610, the forecast says 0.6700."
    )
    rejected(made, "market_quality")
    assert sentence(told(made)).market == "market 0"
    assert sentence(told(made)).after == "; all in a share would have cost 0.6610, the forecast says 0.6700."


def test_a_sentence_of_a_sale_says_what_a_share_brings() -> None:
    made = example()
    made.out["action"], made.out["outcome"] = s.SELL, 1
    assert sentence(told(made)).before == "logit wanted to sell 2,000 NO of"
    assert sentence(told(made)).after == "; after all costs a share brings 0.6290, the forecast says 0.6700."


@pytest.mark.parametrize(
    ("check", "detail", "wanted"),
    [
        ("fillable", {"filled": 0}, "logit wanted to buy 2,000 YES of|; there was nothing to trade against."),
        ("fair_value", {}, "logit had no forecast for|, so it wanted nothing."),
        ("book_valid", {"quality": s.BOOK_OK + 1}, "logit looked at|, which had no valid book with two sides."),
    ],
)
def test_a_sentence_without_numbers_reads_well(check: str, detail: dict[str, int], wanted: str) -> None:
    made = example()
    for name, value in detail.items():
        made.detail[name] = value
    rejected(made, check)
    found = sentence(told(made))
    assert f"{found.before}|{found.after}" == wanted
    assert "None" not in explain(told(made))


@pytest.mark.parametrize(
    ("detail", "wanted"),
    [
        ({}, ("", "", "", "", "rejected")),
        (
            {"strategy_cap": 0, "portfolio_cap": 0, "net_edge": -21_000_000},
            ("", "not worked out: no positive edge", "", "none left by the strategy cap", "rejected"),
        ),
        (
            {"strategy_cap": 0, "portfolio_cap": 0},
            ("", "less than the least share", "", "none left by the strategy cap", "rejected"),
        ),
        ({"portfolio_cap": 0}, ("", "", "", "no room under the limits", "rejected")),
        ({"liquidity_cap": 0}, ("", "", "the book bears none", "", "rejected")),
        (
            {"filled": 0, "strategy_cap": 0, "liquidity_cap": 0, "portfolio_cap": 0},
            ("", *("nothing to trade against",) * 3, "rejected"),
        ),
        (
            {"quality": s.BOOK_OK + 1, "wish": 0, "strategy_cap": 0, "liquidity_cap": 0, "portfolio_cap": 0},
            (*("not worked out: no valid book",) * 4, "rejected"),
        ),
    ],
)  # fmt: skip
def test_each_line_of_nothing_has_its_reason(detail: dict[str, int], wanted: tuple[str, ...]) -> None:
    made = example()
    for name, value in detail.items():
        made.detail[name] = value
    rejected(made, "market_quality")
    lines = ("wished", "strategy cap", "liquidity cap", "portfolio cap", "approved")
    assert tuple(none_because(told(made), name) for name in lines) == wanted


def test_what_was_given_before_is_counted_in_words() -> None:
    made = example()
    assert line(explain(told(made)), "Before").endswith("given 3 times")
    made.out["counted"] = 1
    assert line(explain(told(made)), "Before").endswith("given once")
