"""Loop time: it follows what arrives, never steps back, and a TICK shows what silence has done."""

from polytraders.contracts import state as s
from polytraders.contracts.inputs import NANO, Fact, Kind, Scope
from tests.scenario import START, World, makes, says


def test_loop_time_never_steps_back() -> None:
    w = World(says(0.63))
    w.snapshot()
    w.wait(5)
    w.touch()
    w.wait(-3)
    w.touch()
    w.run()
    assert w.portfolio("now") == START + 5 * NANO
    assert w.state.markets["row_ts"][0] == START + 5 * NANO
    w.wait(4)
    w.touch()
    w.run()
    assert w.portfolio("now") == START + 6 * NANO


def test_the_number_of_the_last_input_is_remembered() -> None:
    w = World(says(0.63))
    w.snapshot()
    w.run(3)
    assert w.portfolio("in_seq") == len(w.rows)


def test_outputs_are_numbered_within_their_input() -> None:
    w = World(says(0.67), makes(), says(0.5))
    w.snapshot()
    for _ in range(5):
        w.wait(0.1)
        w.touch()
    w.run()
    places = [(said.in_seq, said.ordinal) for said in w.said]
    assert places == sorted(set(places))
    by_input: dict[int, list[int]] = {}
    for in_seq, ordinal in places:
        by_input.setdefault(in_seq, []).append(ordinal)
    assert all(ordinals == list(range(len(ordinals))) for ordinals in by_input.values())
    assert max(map(len, by_input.values())) > 2


def test_a_tick_with_nothing_due_says_nothing() -> None:
    w = World(says(0.63))
    w.snapshot()
    w.run()
    evaluations = w.portfolio("evaluations")
    for _ in range(20):
        w.wait(0.25)
        w.tick()
    assert w.run() == []
    assert w.portfolio("evaluations") == evaluations


def test_silence_shows_at_the_first_tick_past_it() -> None:
    w = World(says(0.63))
    w.snapshot()
    w.run()
    for _ in range(39):
        w.wait(0.25)
        w.tick()
    assert w.run() == []
    w.wait(0.25)
    w.tick()
    (packet,) = w.run()
    assert packet.code == "RISK_STALE_BOOK"
    assert packet.ts == START + 10 * NANO


def test_a_frame_of_another_market_on_the_connection_is_proof_of_life() -> None:
    w = World(says(0.63), markets=2, synthetic=True)
    for market in range(2):
        w.snapshot(market=market)
    w.run()
    for _ in range(30):
        w.wait(1)
        w.touch(1)
        w.tick()
    assert w.run() == []


def test_a_recorded_connection_needs_a_witness_once_a_market_is_quiet() -> None:
    w = World(says(0.63), synthetic=False, facts={Fact.GAP_P999_MS: 20_000})
    w.snapshot()
    w.run()
    for second in range(1, 60):
        w.wait(1)
        w.row(Kind.ALIVE, b=0)
        if second == 18:
            w.row(Kind.WITNESS, 0)
        w.tick()
    (packet,) = w.run()
    # 20 s after its last row, but 15 s after the witness.
    assert (packet.code, packet.ts) == ("RISK_STALE_BOOK", START + 33 * NANO)


def test_a_clock_input_says_whether_times_are_synthetic() -> None:
    w = World(says(0.63))
    w.run()
    assert w.portfolio("synthetic") == 1
    w.row(Kind.CLOCK, a=0)
    w.run()
    assert w.portfolio("synthetic") == 0


def test_a_day_begins_at_a_tick() -> None:
    w = World(says(0.67))
    w.snapshot()
    w.kill(Scope.STRATEGY)
    w.wait(0.25)
    w.tick()  # filled: a pUSD below what was there
    w.run()
    assert w.portfolio("drawdown_day") == 100
    w.wait(12 * 3_600)
    w.tick()
    w.run()
    assert (w.portfolio("drawdown_day"), w.portfolio("drawdown_week")) == (0, 100)
    assert w.portfolio("high_day") == w.portfolio("equity")


def test_a_deposit_is_no_gain_and_a_withdrawal_no_loss() -> None:
    w = World(says(0.63))
    w.capital(5_000)
    w.capital(-3_000)
    w.run()
    assert w.portfolio("equity") == w.portfolio("high_day") == w.portfolio("deposited") == 12_000 * 1_000_000
    assert w.portfolio("drawdown_day") == w.portfolio("drawdown_week") == 0
    assert w.of_kind(s.FILL) == []
