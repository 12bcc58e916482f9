"""What people should know of the log is found there once, whoever looks how often; kills are known by their scope."""

from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from apps.monitoring import logwatch, looking
from apps.monitoring.alerting import Seen, raised
from apps.monitoring.core.incidents import Priority
from apps.monitoring.models import AlertRecord, IncidentRecord, IncidentStepRecord, MarkRecord
from polytraders.contracts.inputs import Kind, Scope, empty
from polytraders.contracts.reasons import number
from tests import servers
from tests.monitoring.conftest import Clock
from tests.written import Written, busy


@pytest.fixture
def log(system: servers.Database, tmp_path: Path) -> Any:
    made = busy(system.app_dsn, tmp_path)
    yield made
    made.close()


def test_codes_of_control_rows_are_counted_by_where_they_were_said() -> None:
    rows = empty(5)
    rows["kind"] = [Kind.REFUSED, Kind.REFUSED, Kind.GAP, Kind.COMMAND, Kind.COMMAND]
    rows["market"] = [3, 3, -1, -1, -1]
    rows["a"] = [number("INTEL_UNKNOWN_EVENT"), number("INTEL_UNKNOWN_EVENT"), 31_999, 0, 0]
    rows["b"] = [0, 0, 1, number("GOV_COMMAND_FORBIDDEN"), 0]
    found = logwatch.said(rows)
    assert [(seen.code, seen.scope, seen.times) for seen in found] == [
        ("INTEL_UNKNOWN_EVENT", "market 3", 2),
        ("GOV_COMMAND_FORBIDDEN", "commands", 1),
    ], "a number that this build does not know is no code, and what was taken is no refusal"


def test_the_gaps_with_which_a_run_begins_are_no_news() -> None:
    rows = empty(4)
    rows["in_seq"] = [1_000, 1_005, 1_006, 2_000]
    rows["kind"] = [Kind.EPOCH, Kind.GAP, Kind.REFUSED, Kind.GAP]
    rows["a"] = [0, *[number("INTEL_UNKNOWN_EVENT")] * 3]
    rows["b"] = [0, 1, 2, 3]
    assert [seen.scope for seen in logwatch.said(rows)] == ["connection 2", "connection 3"]


def test_the_first_look_begins_at_the_end_and_later_ones_where_the_last_one_ended(log: Written, clock: Clock) -> None:
    assert logwatch.look(0, now=clock) == 0
    log.kill(Scope.STRATEGY, 1, "drill")
    assert logwatch.look(0, now=clock) == 1
    assert logwatch.look(0, now=clock) == 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT seq FROM log_head")
        assert MarkRecord.objects.get().in_seq == cursor.fetchone()[0]


def test_a_kill_is_the_most_urgent_alert_with_who_and_why_until_it_is_released(log: Written, clock: Clock) -> None:
    logwatch.look(0, now=clock)
    raised(Seen("GOV_LOOP_SILENT", "", "silent"), "health", now=clock)
    log.kill(Scope.STRATEGY, 1, "it quotes too wide")
    logwatch.look(0, now=clock)
    alert = AlertRecord.objects.get(code=looking.KILLED)
    assert (alert.scope, alert.priority) == ("strategy makes", Priority.P0)
    assert "operator:ada has killed strategy makes" in alert.words
    assert alert.words.endswith(": it quotes too wide")
    told = IncidentStepRecord.objects.filter(incident__code="GOV_LOOP_SILENT", kind="log").values_list("words", "actor")
    assert [(words.split(",")[0], actor) for words, actor in told] == [("kill of strategy 1", "operator:ada")]
    log.world.release(Scope.STRATEGY, 1)
    log.commit()
    logwatch.look(0, now=clock)
    assert not AlertRecord.objects.get(code=looking.KILLED).is_open
    assert IncidentRecord.objects.get(code=looking.KILLED).state == "open", "a person closes it"


def test_what_the_log_said_is_over_when_it_was_not_said_again(log: Written, clock: Clock) -> None:
    raised(Seen("INTEL_UNKNOWN_EVENT", "market 0", "1 time"), logwatch.SOURCE, now=clock)
    clock.wait(899)
    logwatch.look(0, now=clock)
    assert AlertRecord.objects.get().is_open
    clock.wait(2)
    logwatch.look(0, now=clock)
    assert not AlertRecord.objects.get().is_open


def test_without_a_log_there_is_nothing_to_look_at(system: servers.Database, clock: Clock) -> None:
    assert logwatch.look(0, now=clock) == 0
