"""Pictures of money are plain numbers: what stands where, and that nothing is lost of peaks, signs and oldest ages."""

from apps.ledger.statements import Point
from polytraders.console.pictures import lanes, money, payoff
from polytraders.console.pictures.lanes import Count
from polytraders.console.pictures.payoff import Payoff

MINUTE_NS = 60_000_000_000
DAY_NS = 1_440 * MINUTE_NS
START = 20_000 * DAY_NS


def points(*earned: int) -> list[Point]:
    made, highest = [], earned[0]
    for at, value in enumerate(earned):
        highest = max(highest, value)
        made.append(Point(START + at * MINUTE_NS, value, value, value, highest - value, 0))
    return made


def test_one_minute_is_no_line() -> None:
    assert money.drawn(points(5), DAY_NS) is None


def test_profit_and_its_falls_are_told_in_figures() -> None:
    series = points(0, 3_000_000, 1_000_000, 5_000_000)
    dipped = series[2]._replace(low=-4_000_000, fall=7_000_000)
    found = money.drawn([*series[:2], dipped, series[3]], DAY_NS)
    assert found is not None
    assert (found.last, found.deepest) == (5_000_000, 7_000_000)
    assert [row.drawdown for row in found.rows] == [0, 7_000_000, 0, 0], "newest first"
    assert found.zero is not None, "the axis reaches below nothing"


def test_a_flat_line_is_drawn_without_a_fall() -> None:
    found = money.drawn(points(7, 7, 7), DAY_NS)
    assert found is not None
    assert found.deepest == 0
    assert "nan" not in found.earned + found.drawdown


def test_lanes_put_each_count_under_its_age_and_tell_the_oldest() -> None:
    counts = [Count("held", 1, 4, 100, 990), Count("held", 0, 2, 10, 1_200), Count("posted", 7, 9, None, 5)]
    found = lanes.drawn(counts, 1_000)
    held, posted, voided, _ = found.lanes
    assert [(cell.age, cell.number) for cell in held.cells] == [("< 1 s", 6)], (
        "what is from the future is as new as can be"
    )
    assert (held.number, held.money, held.oldest_ns) == (6, 110, 10)
    assert [(cell.age, cell.number) for cell in posted.cells] == [("1 d", 9)]
    assert (voided.number, voided.oldest_ns, voided.cells) == (0, None, ())
    assert len(found.columns) == len(lanes.AGES_NS)


def test_a_payoff_runs_from_the_worse_outcome_to_the_better_one() -> None:
    found = payoff.drawn([Payoff("held YES", 45_000_000, -55_000_000, 1_000_000), Payoff("both", 2, 2, None)])
    assert found is not None
    first, second = found.bars
    assert first.no == first.x < found.zero < first.yes
    assert first.now is not None and found.zero < first.now < first.yes
    assert second.now is None and second.width == 2.0
    assert payoff.drawn([]) is None
    many = payoff.drawn([Payoff(str(at), at, -at, None) for at in range(40)])
    assert many is not None and len(many.bars) == payoff.LINES
