"""Projections are the same rows whether they are made block by block or all at once from the log."""

from collections import Counter
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from apps.monitoring import projecting
from polytraders.contracts import state as s
from polytraders.contracts.checks import code_of
from polytraders.contracts.inputs import Scope
from polytraders.contracts.reasons import number
from polytraders.contracts.stretch import of_row_id, row_id
from tests.written import Written, busy

NOT_IN_THIS_LOG = ("ledger_flatten", "monitoring_scope", "ingest_refusal")


@pytest.fixture
def log(app_dsn: str, tmp_path: Path) -> Any:
    made = busy(app_dsn, tmp_path)
    yield made
    made.close()


def rows(dsn: str, query: str) -> list[dict[str, Any]]:
    with psycopg.connect(dsn, row_factory=dict_row) as connection:
        return connection.execute(query).fetchall()


def test_a_rebuild_gives_the_rows_that_the_blocks_have_made(log: Written, app_dsn: str) -> None:
    found = projecting.rebuild(app_dsn, 0, only_check=True)
    assert {line.table for line in found} == set(projecting.TABLES)
    assert [line for line in found if not line.is_equal] == []
    counts = {line.table: line.rows for line in found}
    assert all(counts[table] for table in projecting.TABLES if table not in NOT_IN_THIS_LOG), counts


def test_spoilt_and_missing_rows_are_found_and_mended(log: Written, app_dsn: str) -> None:
    with psycopg.connect(app_dsn) as connection:
        before = connection.execute("SELECT * FROM risk_decision ORDER BY id").fetchall()
        connection.execute("UPDATE risk_decision SET net_edge = 1 WHERE id = (SELECT min(id) FROM risk_decision)")
        connection.execute("DELETE FROM oms_fill")
        connection.execute("UPDATE monitoring_stage SET count = count + 1 WHERE what = 'packets'")
    wrong = {line.table: line for line in projecting.rebuild(app_dsn, 0, only_check=True) if not line.is_equal}
    assert set(wrong) == {"risk_decision", "oms_fill", "monitoring_stage"}
    assert (wrong["risk_decision"].missing, wrong["risk_decision"].surplus) == (1, 1)
    assert (wrong["oms_fill"].missing, wrong["oms_fill"].surplus) == (wrong["oms_fill"].rows, 0)
    projecting.rebuild(app_dsn, 0)
    assert all(line.is_equal for line in projecting.rebuild(app_dsn, 0, only_check=True))
    with psycopg.connect(app_dsn) as connection:
        assert connection.execute("SELECT * FROM risk_decision ORDER BY id").fetchall() == before


def test_a_log_that_is_not_there_is_said(app_dsn: str) -> None:
    with pytest.raises(LookupError, match="shard 3 has no log"):
        projecting.rebuild(app_dsn, 3)


def test_decisions_are_the_packets_that_were_said(log: Written, app_dsn: str) -> None:
    said = [one for one in log.world.said if one.kind in (s.PACKET, s.APPROVAL)]
    found = rows(app_dsn, "SELECT * FROM risk_decision ORDER BY id")
    assert [(row["in_seq"], row["ordinal"], row["votes"], row["ts"]) for row in found] == [
        (one.in_seq, one.ordinal, one.votes, one.ts) for one in said
    ]
    assert [row["code"] for row in found] == [number(code_of(one.first)) for one in said]
    assert [row["verdict"] == 0 for row in found] == [one.kind == s.APPROVAL for one in said]
    for row, one in zip(found, said, strict=True):
        detail = log.world.detail(one)
        assert of_row_id(row["id"]) == (0, one.in_seq, one.ordinal)
        assert row["approved_size"] == (one.size if one.kind == s.APPROVAL else 0)
        assert row["net_edge"] in (None, int(detail["net_edge"]))
    assert any(row["net_edge"] is not None for row in found)


def test_evaluations_are_the_sum_of_the_counts(log: Written, app_dsn: str) -> None:
    expected: Counter[int] = Counter()
    for one in log.world.said:
        if one.counted and one.counted_first != s.NONE:
            expected[number(code_of(one.counted_first))] += one.counted
    for table in ("risk_minute", "risk_hour"):
        found = rows(app_dsn, f"SELECT code, sum(count)::bigint AS total FROM {table} GROUP BY code")
        assert {row["code"]: row["total"] for row in found} == dict(expected), table
    told = rows(app_dsn, "SELECT count FROM monitoring_stage WHERE what = 'evaluations'")[0]["count"]
    assert told == sum(expected.values())
    # What has been evaluated and not yet told stands in the loop's memory.
    waiting = int(log.world.state.pairs["repeats"].sum())
    assert told + waiting == log.world.portfolio("evaluations")


def test_orders_and_positions_are_the_loops_own(log: Written, app_dsn: str) -> None:
    pairs = log.world.state.pairs
    held = rows(app_dsn, "SELECT * FROM ledger_position")
    assert held
    for row in held:
        pair, outcome = pairs[row["market"], row["strategy"]], ("yes", "no")[row["outcome"]]
        assert (row["size"], row["cost"]) == (int(pair[f"qty_{outcome}"]), int(pair[f"cost_{outcome}"]))
    for market, strategy in {(row["market"], row["strategy"]) for row in held}:
        mine = [row for row in held if (row["market"], row["strategy"]) == (market, strategy)]
        assert sum(row["realised"] for row in mine) == int(pairs[market, strategy]["realised"])
        assert sum(row["fees"] for row in mine) == int(pairs[market, strategy]["fees"])
    orders = rows(app_dsn, "SELECT * FROM oms_order")
    assert len(orders) == log.world.portfolio("approvals") > 1
    for row in orders:
        pair = pairs[row["market"], row["strategy"]]
        if row["is_open"]:
            assert (row["order_seq"], row["size"] - row["filled"] - row["cancelled"], row["held"]) == (
                int(pair["order_seq"]),
                int(pair["order_left"]),
                int(pair["order_held"]),
            )
        else:
            assert row["filled"] + row["cancelled"] == row["size"]
            assert row["held"] == 0
    fills = rows(app_dsn, "SELECT * FROM oms_fill")
    assert sum(row["size"] for row in fills) == sum(row["filled"] for row in orders)
    assert {row["status"] for row in orders} >= {"filled"}


def test_a_kill_and_its_release_are_told_with_who_and_why(log: Written, app_dsn: str) -> None:
    log.kill(Scope.STRATEGY, 1, "it quotes too\x00 wide")
    (row,) = rows(app_dsn, "SELECT * FROM monitoring_scope")
    assert (row["scope"], row["index"], row["is_killed"]) == (Scope.STRATEGY, 1, True)
    assert (row["actor"], row["reason"]) == ("operator:ada", "it quotes too wide")
    log.world.release(Scope.STRATEGY, 1)
    log.commit()
    (row,) = rows(app_dsn, "SELECT * FROM monitoring_scope")
    assert not row["is_killed"]
    assert all(line.is_equal for line in projecting.rebuild(app_dsn, 0, only_check=True))


def test_a_resolved_market_has_its_payout_and_closes_its_positions(log: Written, app_dsn: str) -> None:
    log.world.resolve(10_000, 0)
    log.commit()
    (market,) = rows(app_dsn, "SELECT * FROM registry_market WHERE market = 0")
    assert (market["payout"], market["title"]) == (10_000, "Will it rain tomorrow?")
    held = rows(app_dsn, "SELECT size, cost FROM ledger_position WHERE market = 0")
    assert held
    assert {(row["size"], row["cost"]) for row in held} == {(0, 0)}
    assert all(line.is_equal for line in projecting.rebuild(app_dsn, 0, only_check=True))


def test_nobody_but_the_owner_may_change_the_tables_themselves(app_dsn: str) -> None:
    with psycopg.connect(app_dsn) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("DROP TABLE risk_decision")


@pytest.mark.parametrize("where", [(0, 0, 0), (31, (1 << 40) - 1, (1 << 18) - 1), (0, 7, 1)])
def test_a_place_is_found_again(where: tuple[int, int, int]) -> None:
    assert of_row_id(row_id(*where)) == where
    assert row_id(*where) < 1 << 63


@pytest.mark.parametrize("where", [(32, 0, 0), (0, 1 << 40, 0), (0, 0, 1 << 18), (-1, 0, 0)])
def test_what_has_no_place_is_refused(where: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="has no place"):
        row_id(*where)


def test_what_is_sold_off_is_a_row_and_its_end_too(log: Written, app_dsn: str) -> None:
    log.world.flatten(Scope.MARKET, 1)
    log.commit()
    log.world.flatten(Scope.GLOBAL, 7)
    log.world.flatten(Scope.MARKET, 1, on=False)
    log.commit()
    found = rows(app_dsn, 'SELECT scope, "index", is_on, actor FROM ledger_flatten ORDER BY scope')
    assert found == [
        {"scope": Scope.GLOBAL, "index": 0, "is_on": True, "actor": "operator:ada"},
        {"scope": Scope.MARKET, "index": 1, "is_on": False, "actor": "operator:ada"},
    ]
    assert all(line.is_equal for line in projecting.rebuild(app_dsn, 0, only_check=True))
