"""The stored log replayed: every output again, a change found and named, and nothing that depends on checkpoints."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psycopg
import pytest

from apps.eventlog import bodies, checkpoints, reading, verify
from apps.eventlog.faults import Corrupt
from apps.eventlog.segments import canonical_folder
from apps.monitoring import projecting
from polytraders import cli, packets, settings
from polytraders.contracts import state as s
from polytraders.contracts.inputs import PRICE_UNIT, Kind
from polytraders.contracts.replay import EpochParity
from polytraders.kernel.jit import build_hash
from polytraders.naming import moment
from polytraders.proving import LogReplay, verdict
from polytraders.sources import LogMissing
from tests.eventlog.made import tamper
from tests.servers import Database, copied
from tests.shard.rig import Rig, frames, listings

FRAMES = 6_000
ACTS: dict[int, tuple[str, str, dict[str, Any]]] = {
    900: ("limit", "limits", {"name": "orders_per_minute_max", "value": 5, "reason": "try"}),
    1_500: ("kill", "kill", {"scope": "strategy", "name": "eager", "reason": "try"}),
    2_200: ("release", "release", {"scope": "strategy", "name": "eager", "reason": "tried"}),
    2_400: ("limit", "limits", {"name": "orders_per_minute_max", "value": 60}),
    4_200: ("capital", "capital", {"micros": 1_000_000}),
    4_300: ("resolved", "settlement", {"market": "", "payout": PRICE_UNIT}),
    5_000: ("kill", "kill", {"scope": "global", "reason": "the end"}),
    5_400: ("release", "release", {"scope": "global"}),
}
"""What is asked for before which frame; the last one is refused, for it has no reason."""


class Stored(NamedTuple):
    """A log of two epochs."""

    database: Database
    home: Path

    def replay(self, conn: Any = None, **how: Any) -> Any:
        if conn is not None:
            return LogReplay(conn, self.home, 0, **how).run()
        with psycopg.connect(self.database.app_dsn, autocommit=True) as own:
            return LogReplay(own, self.home, 0, **how).run()

    def change(self, statement: str, *values: Any) -> None:
        assert tamper(self.database.superuser_dsn, statement, *values) == 1


def session(rig: Rig, told: list[tuple[int, bytes]], first: int) -> Iterator[tuple[int, bytes]]:
    for number, frame in enumerate(told, first):
        if number in ACTS:
            kind, permission, payload = ACTS[number]
            rig.ask(kind, permission, {**payload, **({"market": held(rig)} if kind == "resolved" else {})})
        yield frame


def held(rig: Rig) -> str:
    """The market of which most is held: there is something to pay out."""
    pairs = rig.loop.state.pairs
    return listings()[int(np.argmax((pairs["qty_yes"] + pairs["qty_no"]).sum(axis=1)))].condition_id


def record(dsn: str, home: Path) -> None:
    told = frames(FRAMES)
    for first, last in ((0, FRAMES // 2), (FRAMES // 2, FRAMES)):
        with Rig(dsn, home) as rig:
            if first == 0:
                rig.list_markets()
            rig.play(session(rig, told[first:last], first))


@pytest.fixture(scope="module")
def kept(postgres_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stored]:
    """Recorded once; nobody changes it."""
    home = tmp_path_factory.mktemp("home")
    with copied(postgres_server) as database:
        record(database.app_dsn, home)
        yield Stored(database, home)


@pytest.fixture
def stored(kept: Stored, postgres_server: Any, tmp_path: Path) -> Iterator[Stored]:
    """A copy of it to be changed."""
    home = tmp_path / "home"
    shutil.copytree(kept.home, home)
    with copied(postgres_server, kept.database.name) as database:
        yield Stored(database, home)


def test_every_output_of_both_epochs_is_computed_again(kept: Stored) -> None:
    report = kept.replay()
    with psycopg.connect(kept.database.app_dsn) as conn:
        kinds = {row[0] for row in conn.execute("SELECT kind FROM log_control")}
        outs: dict[int, int] = dict(conn.execute("SELECT kind, count(*) FROM log_output GROUP BY kind").fetchall())
    assert kinds >= {Kind.EPOCH, Kind.LIMIT, Kind.KILL, Kind.RELEASE, Kind.RESOLVED, Kind.CAPITAL, Kind.COMMAND}
    assert outs[s.APPROVAL] > 10 and outs[s.FILL] > 10 and outs[s.SETTLED] > 0, "a log in which nothing happened"
    assert (report.verdict_code, report.first_difference) == ("GOV_REPLAY_MATCH", None)
    assert report.log.parity == 1.0 and report.log.drift is None
    assert [(epoch.claimed, epoch.state_equal) for epoch in report.log.epochs] == [(True, None), (True, True)]
    assert sum(epoch.equal for epoch in report.log.epochs) == sum(outs.values())
    assert report.input_head == report.log.input_head_recorded
    assert report.output_head == report.log.output_head_recorded
    assert report.approved == outs[s.APPROVAL]


@pytest.mark.parametrize("rows", [1_024, 777])
def test_how_inputs_are_cut_changes_nothing(kept: Stored, rows: int) -> None:
    assert kept.replay(block_rows=rows).log.state_hash == kept.replay().log.state_hash


def test_a_part_of_the_log_is_compared_without_its_heads(kept: Stored) -> None:
    report = kept.replay(until=3_000)
    assert report.log.to_seq == 3_000 and report.log.parity == 1.0
    assert report.log.input_head_recorded is None and len(report.log.epochs) == 1


def test_without_checkpoints_a_restart_and_a_replay_come_to_the_same_state(stored: Stored) -> None:
    before = stored.replay().log.state_hash
    with psycopg.connect(stored.database.superuser_dsn, autocommit=True) as conn:
        assert conn.execute("DELETE FROM log_checkpoint").rowcount == 2
    shutil.rmtree(checkpoints.folder_of(stored.home, 0))
    with Rig(stored.database.app_dsn, stored.home) as rig:
        rig.play([])
    report = stored.replay()
    assert [epoch.state_equal for epoch in report.log.epochs] == [None, True, True]
    with psycopg.connect(stored.database.app_dsn) as conn:
        handed = conn.execute("SELECT payload FROM log_control WHERE kind = 1 ORDER BY in_seq DESC LIMIT 1").fetchone()
    assert handed is not None and json.loads(handed[0])["state_hash"] == before


def test_a_changed_output_byte_is_found_and_named(stored: Stored) -> None:
    where = "(in_seq, ordinal) = (SELECT in_seq, ordinal FROM log_output WHERE kind = 1 ORDER BY in_seq LIMIT 1)"
    with psycopg.connect(stored.database.app_dsn) as conn:
        seq = conn.execute("SELECT min(in_seq) FROM log_output WHERE kind = 1").fetchall()[0][0]
    stored.change(f"UPDATE log_output SET body = set_byte(body, 40, get_byte(body, 40) # 1) WHERE {where}")
    with pytest.raises(Corrupt, match=f"input {seq}"):
        stored.replay()
    found = verify.verify(stored.database.app_dsn, stored.home)
    assert found is not None and (found.table, found.in_seq) == ("log_output", seq)


def test_a_changed_packet_field_is_found_and_named(stored: Stored) -> None:
    with psycopg.connect(stored.database.app_dsn) as conn:
        seq, ordinal, body = conn.execute(
            "SELECT in_seq, ordinal, body FROM log_output WHERE kind = 1 ORDER BY in_seq DESC LIMIT 1"
        ).fetchall()[0]
    out, detail = bodies.unbody(body)
    assert detail is not None
    changed = detail.copy()
    changed["net_edge"] += 1
    was = int(detail["net_edge"])
    stored.change(
        "UPDATE log_output SET body = %s WHERE in_seq = %s AND ordinal = %s", bodies.body(out, changed), seq, ordinal
    )
    with pytest.raises(Corrupt, match=f"input {seq}, output {ordinal}: net_edge was {was + 1} and is {was}"):
        stored.replay()
    found = verify.verify(stored.database.app_dsn, stored.home)
    assert found is not None and found.table == "log_output"


def test_a_changed_input_byte_is_found_and_named(stored: Stored, monkeypatch: pytest.MonkeyPatch, capfd: Any) -> None:
    path = sorted(canonical_folder(stored.home, 0).glob("*.rows"))[0]
    data = bytearray(path.read_bytes())
    data[80 * 500 + 30] ^= 1
    path.write_bytes(data)
    with pytest.raises(Corrupt, match=path.name):
        stored.replay()
    monkeypatch.setattr(settings, "DATABASE_URL", stored.database.app_dsn)
    monkeypatch.setattr(settings, "HOME", stored.home)
    assert cli.main(["verify"]) == 4
    assert path.name in capfd.readouterr().out
    assert cli.main(["replay", "log"]) == 4
    assert path.name in capfd.readouterr().err


def test_the_projections_of_the_log_are_its_tables(kept: Stored) -> None:
    found = projecting.rebuild(kept.database.app_dsn, 0, only_check=True)
    assert [line for line in found if not line.is_equal] == []
    # Nothing is cashed out and no frame is refused in this log.
    assert {line.table for line in found if not line.rows} <= {"ledger_flatten", "ingest_refusal"}


def test_packets_rendered_from_the_log_are_those_of_the_run(kept: Stored) -> None:
    compared = 0
    with psycopg.connect(kept.database.app_dsn, autocommit=True) as conn:
        run = LogReplay(conn, kept.home, 0, block_rows=1, until=4_000)
        names = reading.names(conn, 0)
        for rows in run:
            run.runner.feed(rows)
            for out in run.runner.outs():
                if out["kind"] not in (s.PACKET, s.APPROVAL):
                    continue
                market, strategy = int(out["market"]), int(out["strategy"])
                detail = run.runner.details()[out["detail"]]
                now = packets.packet(out, detail, names=names, at=moment(run.runner.state, market, strategy))
                told = conn.execute(
                    "SELECT body FROM log_output WHERE in_seq = %s AND ordinal = %s",
                    (int(out["in_seq"]), int(out["ordinal"])),
                ).fetchall()[0][0]
                kept_out, kept_detail = bodies.unbody(told)
                assert kept_detail is not None
                at = reading.moment(conn, 0, market, strategy, int(out["in_seq"]))
                then = packets.packet(kept_out, kept_detail, names=names, at=at)
                assert packets.canonical(now) == packets.canonical(then)
                compared += 1
    assert compared > 100


def test_an_epoch_of_another_build_is_compared_as_drift(stored: Stored) -> None:
    other = "ab" * 32
    with psycopg.connect(stored.database.app_dsn) as conn:
        seq, payload = conn.execute("SELECT in_seq, payload FROM log_control WHERE kind = 1 LIMIT 1").fetchall()[0]
    told = json.dumps({**json.loads(payload), "build": other}).encode()
    stored.change("UPDATE log_control SET payload = %s WHERE in_seq = %s", told, seq)
    report = stored.replay()
    assert report.log.drift == 0.0 and report.log.parity == 1.0
    assert [(epoch.build, epoch.claimed) for epoch in report.log.epochs] == [(other, False), (build_hash().hex(), True)]


def epoch(claimed: bool, difference: str | None) -> EpochParity:
    return EpochParity(
        epoch_seq=1, last_seq=9, build="", claimed=claimed, state_equal=None, recorded=1, replayed=1, equal=0,
        first_difference=difference,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("epochs", "found"),
    [
        ([epoch(True, None)], ("GOV_REPLAY_MATCH", None)),
        ([epoch(False, "a"), epoch(True, None)], ("GOV_REPLAY_DRIFT", "a")),
        ([epoch(False, "a"), epoch(True, "b")], ("GOV_REPLAY_REGRESSION", "b")),
        ([epoch(True, "a"), epoch(True, "b")], ("GOV_REPLAY_REGRESSION", "a")),
    ],
)
def test_a_difference_of_this_build_weighs_more_than_drift(
    epochs: list[EpochParity], found: tuple[str, str | None]
) -> None:
    assert verdict(tuple(epochs)) == found


def test_an_epoch_that_cannot_be_read_is_a_corrupt_log(stored: Stored) -> None:
    stored.change("UPDATE log_control SET payload = 'x' WHERE kind = 1 AND in_seq = 1")
    with pytest.raises(Corrupt, match="input 1: what the epoch says"):
        stored.replay()


def test_there_is_no_replay_of_no_log_nor_behind_its_end(kept: Stored) -> None:
    with psycopg.connect(kept.database.app_dsn, autocommit=True) as conn:
        with pytest.raises(LogMissing, match="shard 7 has no log"):
            LogReplay(conn, kept.home, 7)
        with pytest.raises(LogMissing, match="there is no"):
            LogReplay(conn, kept.home, 0, until=10**9)


def test_the_command_tells_parity_and_explains_a_decision(
    kept: Stored, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    monkeypatch.setattr(settings, "DATABASE_URL", kept.database.app_dsn)
    monkeypatch.setattr(settings, "HOME", kept.home)
    assert cli.main(["replay", "log", "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert told["log"]["parity"] == 1.0 and told["verdict_code"] == "GOV_REPLAY_MATCH"
    assert cli.main(["replay", "log"]) == 0
    assert "parity 1.000000" in capfd.readouterr().out
    with psycopg.connect(kept.database.app_dsn) as conn:
        seq = conn.execute("SELECT max(in_seq) FROM log_output WHERE kind = 1").fetchall()[0][0]
    assert cli.main(["replay", "log", "--explain", str(seq)]) == 0
    assert f"INPUT {seq:,}" in capfd.readouterr().out
    assert cli.main(["replay", "log", "--until", str(10**9)]) == 2
    assert "GOV_NOT_FOUND" in capfd.readouterr().err
    assert cli.main(["replay", "log", "--registry", "x.toml"]) == 2
    assert "leave --registry out" in capfd.readouterr().err


def test_an_epoch_with_other_room_is_reached_by_folding_anew(stored: Stored) -> None:
    # What the loop process does after its templates have changed: nothing of the old room fits, all is folded again.
    with psycopg.connect(stored.database.app_dsn) as conn:
        seq, payload = conn.execute(
            "SELECT in_seq, payload FROM log_control WHERE kind = 1 ORDER BY in_seq DESC LIMIT 1"
        ).fetchall()[0]
    told = json.loads(payload)
    told["sizes"][2] += 1
    told["state_hash"] = ""
    stored.change("UPDATE log_control SET payload = %s WHERE in_seq = %s", json.dumps(told).encode(), seq)
    report = stored.replay()
    assert report.log.parity == 1.0
