"""Commands: every kind taken and refused, by table; the rows are what the loop needs and nothing else."""

from typing import Any

import msgspec
import numpy as np
import pytest

from polytraders.contracts import state as s
from polytraders.contracts.control import Killed
from polytraders.contracts.inputs import NANO, Command, Fact, Kind, MarketStatus, Scope, Setting, Stage
from polytraders.contracts.reasons import number
from polytraders.kernel.block import new_block, views
from polytraders.shard.commands import PERMISSIONS, Answer, Asked, Desk, as_payload, command_row
from polytraders.shard.directory import Directory
from polytraders.venues.polymarket.wire import Decoder
from tests.shard.rig import START, listings

STRATEGIES = ("eager", "patient")


class Office:
    """A desk over an empty state with two strategies and the markets of a capture."""

    def __init__(self, markets: int = 8, clusters: int = 8) -> None:
        self.state = views(new_block(s.Sizes(markets, len(STRATEGIES), clusters)))
        self.state.strategies["stage"] = Stage.PAPER
        self.state.portfolio["cash"] = 1_000_000_000
        self.killed: frozenset[Killed] = frozenset()
        self.directory = Directory(Decoder(markets), self.state, STRATEGIES)
        self.desk = Desk(self.directory, self.state, lambda: self.killed)

    def ask(
        self, kind: str, payload: dict[str, Any], *, permission: str | None = None, code: str | None = None
    ) -> Answer:
        allowed = PERMISSIONS[Command[kind.upper()]] if permission is None else permission
        return self.desk.answer(Asked(kind, "tester", allowed, payload, code), START)

    def list(self, count: int = 6) -> None:
        for listing in listings()[:count]:
            assert self.ask("market", msgspec.to_builtins(listing)).code == ""


@pytest.fixture
def office() -> Office:
    made = Office()
    made.list()
    return made


ENOUGH = {"parity_ppm": 1_000_000, "hours": 168, "fills": 100, "drift_ppm": 0, "incidents": 0, "person": "bo"}
TAKEN: list[tuple[str, dict[str, Any], tuple[int, ...]]] = [
    ("kill", {"scope": "global"}, (Kind.KILL, Scope.GLOBAL, 0)),
    ("kill", {"scope": "strategy", "name": "patient", "reason": "x"}, (Kind.KILL, Scope.STRATEGY, 1)),
    ("kill", {"scope": "venue", "name": "polymarket"}, (Kind.KILL, Scope.VENUE, 0)),
    ("kill", {"scope": "market", "name": "market-3"}, (Kind.KILL, Scope.MARKET, 3)),
    ("release", {"scope": "global", "reason": "looked at"}, (Kind.RELEASE, Scope.GLOBAL, 0)),
    ("flatten", {"scope": "strategy", "name": "eager"}, (Kind.FLATTEN, Scope.STRATEGY, 0)),
    ("limit", {"name": "spread_max", "value": 300}, (Kind.LIMIT, 2, 300)),
    ("capital", {"micros": 5_000_000}, (Kind.CAPITAL, 0, 5_000_000)),
    ("capital", {"micros": -1_000_000_000}, (Kind.CAPITAL, 0, -1_000_000_000)),
    ("rollout", {"strategy": "eager", "stage": "shadow"}, (Kind.ROLLOUT, 0, Stage.SHADOW)),
    ("rollout", {"strategy": "eager", "stage": "canary", "evidence": ENOUGH}, (Kind.ROLLOUT, 0, Stage.CANARY)),
    ("parameter", {"strategy": "patient", "setting": "edge_min", "value": 7}, (Kind.SETTING, Setting.EDGE_MIN, 7)),
]


@pytest.mark.parametrize(("kind", "payload", "row"), TAKEN)
def test_a_command_that_is_taken_becomes_its_row(
    office: Office, kind: str, payload: dict[str, Any], row: tuple[int, ...]
) -> None:
    answer = office.ask(kind, payload)
    assert answer.code == ""
    assert [(made[0], made[4], made[5]) for made in answer.rows] == [row]
    assert command_row(answer)[0] == Kind.COMMAND and command_row(answer)[7] == 0


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("kill", {"scope": "planet"}, "GOV_COMMAND_INVALID"),
    ("kill", {}, "GOV_COMMAND_INVALID"),
    ("kill", {"scope": "strategy", "name": "nobody"}, "GOV_COMMAND_INVALID"),
    ("kill", {"scope": "market", "name": "0x" + "0" * 64}, "GOV_COMMAND_INVALID"),
    ("kill", {"scope": "global", "surprise": 1}, "GOV_COMMAND_INVALID"),
    ("release", {"scope": "global"}, "GOV_RELEASE_PRECONDITION"),
    ("release", {"scope": "global", "reason": "  "}, "GOV_RELEASE_PRECONDITION"),
    ("limit", {"name": "spread_max", "value": -1}, "GOV_COMMAND_INVALID"),
    ("limit", {"name": "spread_max", "value": 1 << 62}, "GOV_COMMAND_INVALID"),
    ("limit", {"name": "spread_max", "value": "300"}, "GOV_COMMAND_INVALID"),
    ("limit", {"name": "mood", "value": 1}, "GOV_COMMAND_INVALID"),
    ("capital", {"micros": 0}, "GOV_COMMAND_INVALID"),
    ("capital", {"micros": -1_000_000_001}, "GOV_COMMAND_INVALID"),
    ("capital", {"micros": 1 << 60}, "GOV_COMMAND_INVALID"),
    ("rollout", {"strategy": "eager", "stage": "live"}, "GOV_ROLLOUT_EVIDENCE_MISSING"),
    ("rollout", {"strategy": "eager", "stage": "live", "evidence": ENOUGH}, "GOV_ROLLOUT_EVIDENCE_MISSING"),
    (
        "rollout",
        {"strategy": "eager", "stage": "canary", "evidence": ENOUGH | {"fills": 99}},
        "GOV_ROLLOUT_EVIDENCE_MISSING",
    ),
    (
        "rollout",
        {"strategy": "eager", "stage": "canary", "evidence": ENOUGH | {"person": " "}},
        "GOV_ROLLOUT_EVIDENCE_MISSING",
    ),
    ("parameter", {"strategy": "eager", "setting": "model", "value": 1}, "GOV_COMMAND_INVALID"),
    ("parameter", {"strategy": "eager", "setting": "size", "value": 0}, "GOV_COMMAND_INVALID"),
    ("parameter", {"strategy": "eager", "setting": "kelly_ppm", "value": 1_000_001}, "GOV_COMMAND_INVALID"),
    ("parameter", {"strategy": "nobody", "setting": "size", "value": 1}, "GOV_COMMAND_INVALID"),
    ("rollout", {"strategy": "eager", "stage": "canary"}, "GOV_ROLLOUT_EVIDENCE_MISSING"),
    ("rollout", {"strategy": "nobody", "stage": "shadow"}, "GOV_COMMAND_INVALID"),
    ("resolved", {"market": "0x" + "0" * 64, "payout": 10_000}, "GOV_COMMAND_INVALID"),
    ("resolved", {"market": "market-0", "payout": 10_001}, "GOV_COMMAND_INVALID"),
]


@pytest.mark.parametrize(("kind", "payload", "code"), REFUSED)
def test_a_command_that_cannot_be_taken_causes_nothing(
    office: Office, kind: str, payload: dict[str, Any], code: str
) -> None:
    answer = office.ask(kind, payload)
    assert (answer.code, answer.rows) == (code, [])
    assert answer.words
    assert command_row(answer)[7] == number(code)
    kept = msgspec.json.decode(as_payload(Asked(kind, "tester", "", payload, None), answer))
    assert kept["asked"] == payload and kept["code"] == code


def test_nobody_may_ask_for_what_he_was_not_allowed(office: Office) -> None:
    for command, permission in PERMISSIONS.items():
        for other in {*PERMISSIONS.values(), ""} - {permission}:
            assert (
                office.ask(command.name.lower(), {"scope": "global"}, permission=other).code == "GOV_COMMAND_FORBIDDEN"
            )


def test_a_late_command_is_refused_but_a_kill_is_never_too_late(office: Office) -> None:
    late = "GOV_COMMAND_EXPIRED"
    assert office.ask("limit", {"name": "spread_max", "value": 1}, code=late).code == late
    assert office.ask("kill", {"scope": "global"}, code=late).code == ""


def test_a_word_that_is_no_command_is_kept_and_refused(office: Office) -> None:
    answer = office.desk.answer(Asked("dance", "tester", "kill", {"x": 1}, None), START)
    assert (answer.command, answer.code) == (None, "GOV_COMMAND_INVALID")


def test_a_scope_that_fence_or_table_still_holds_is_not_released(office: Office) -> None:
    told = {"scope": "strategy", "name": "eager", "reason": "looked at"}
    office.killed = frozenset({Killed(Scope.STRATEGY, "eager")})
    assert office.ask("release", told).code == "GOV_RELEASE_PRECONDITION"
    office.killed = frozenset({Killed(Scope.STRATEGY, "patient")})
    assert office.ask("release", told).code == ""


def test_a_new_market_brings_all_its_facts_and_its_names() -> None:
    office = Office()
    listing = listings()[0]
    answer = office.ask("market", msgspec.to_builtins(listing))
    assert {Fact(row[4]) for row in answer.rows} == {
        Fact.VENUE, Fact.MIN_SIZE, Fact.FEE_RATE, Fact.FEE_EXPONENT, Fact.FEE_TAKER_ONLY, Fact.TAKER_DELAY_MS,
        Fact.CLOSE_TS, Fact.CLUSTER, Fact.NEG_RISK, Fact.STATUS, Fact.ALLOWED, Fact.GAP_P999_MS, Fact.REFERENCE,
        Fact.SYNCED_TS,
    }  # fmt: skip
    told = msgspec.json.decode(answer.identity or b"")
    assert (told["market"], told["id"], told["tokens"]) == (0, listing.condition_id, list(listing.tokens))


def apply(state: s.State, answer: Answer) -> None:
    """What the loop would make of FACT rows."""
    for row in answer.rows:
        state.markets[Fact(row[4]).name.lower()][row[3]] = row[5]
        state.markets["known"][row[3]] |= 1 << row[4]


def test_what_the_loop_knows_already_is_not_told_again() -> None:
    office = Office()
    listing = listings()[0]
    apply(office.state, office.ask("market", msgspec.to_builtins(listing)))
    again = office.ask("market", msgspec.to_builtins(listing))
    assert (again.rows, again.identity) == ([], None)
    changed = office.ask("market", msgspec.to_builtins(msgspec.structs.replace(listing, fee_rate=70_000)))
    assert [(row[4], row[5]) for row in changed.rows] == [(Fact.FEE_RATE, 70_000), (Fact.SYNCED_TS, START)]


def test_an_old_agreement_is_told_anew() -> None:
    office = Office()
    told = msgspec.to_builtins(listings()[0])
    apply(office.state, office.ask("market", told))
    asked = Asked("market", "tester", "registry", told, None)
    later = office.desk.answer(asked, START + 3_600 * NANO)
    assert [row[4] for row in later.rows] == [Fact.SYNCED_TS]


def test_an_end_is_not_taken_back_by_the_registry() -> None:
    office = Office()
    told = msgspec.to_builtins(listings()[0])
    apply(office.state, office.ask("market", told))
    office.state.markets["status"][0] = MarketStatus.RESOLVED
    assert office.ask("market", told).rows == []


@pytest.mark.parametrize("field", ["min_size", "fee_rate", "fee_exponent", "taker_delay_ms", "close_ts"])
@pytest.mark.parametrize("value", [-1, 1 << 63])
def test_a_fact_out_of_range_is_refused_whole(field: str, value: int) -> None:
    office = Office()
    told = {**msgspec.to_builtins(listings()[0]), field: value}
    assert office.ask("market", told).code == "GOV_COMMAND_INVALID"
    assert office.directory.names.markets == []


def test_no_room_is_said_and_leaves_nothing_behind() -> None:
    office = Office(markets=2)
    office.list(2)
    answer = office.ask("market", msgspec.to_builtins(listings()[2]))
    assert answer.code == "INTEL_MARKET_CAPACITY"
    assert len(office.directory.names.markets) == 2


def test_a_market_with_another_ones_token_is_refused(office: Office) -> None:
    one, other = listings()[:2]
    told = msgspec.to_builtins(msgspec.structs.replace(one, tokens=other.tokens))
    assert office.ask("market", told).code == "INTEL_OUTCOME_CONFLICT"


def test_a_resolution_is_told_once_and_never_with_another_payout(office: Office) -> None:
    answer = office.ask("resolved", {"market": "market-0", "payout": 10_000})
    assert [row[0] for row in answer.rows] == [Kind.FACT, Kind.RESOLVED]
    office.directory.note_resolved(0, 10_000)
    assert office.ask("resolved", {"market": "market-0", "payout": 10_000}).rows == []
    assert office.ask("resolved", {"market": "market-0", "payout": 0}).code == "EXEC_LEDGER_RESOLUTION_CONFLICT"


def test_a_window_gets_the_first_price_at_its_start_as_strike_and_no_late_one() -> None:
    office = Office()
    for index, late in ((0, 0), (1, 3 * NANO)):
        listing = msgspec.structs.replace(listings()[index], reference="BTC", strike_ts=START)
        assert office.ask("market", msgspec.to_builtins(listing)).code == ""
        assert office.directory.strikes(0, 5, START - 1) == []
        rows = office.directory.strikes(0, 6_000_000_000_000, START + late)
        assert [(row[3], row[4], row[5]) for row in rows] == ([] if late else [(0, Fact.STRIKE, 6_000_000_000_000)])
        assert office.directory.strikes(0, 1, START + late + 1) == []


def test_only_markets_that_go_on_are_subscribed(office: Office) -> None:
    everything = [token for listing in listings() for token in listing.tokens]
    assert office.directory.wanted() == everything
    office.state.markets["status"][2] = MarketStatus.RESOLVED
    assert office.directory.wanted() == [token for token in everything if token not in listings()[2].tokens]
    assert np.count_nonzero(office.state.markets["status"]) == 1
