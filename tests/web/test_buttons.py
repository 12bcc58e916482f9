"""Nobody is offered what would be refused: every form and every link of a page is one that who sees it may use."""

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import resolve
from django.utils import timezone

from apps.monitoring import alerting
from apps.monitoring.alerting import Seen
from apps.monitoring.models import IncidentRecord, RouteRecord, StrategyRecord
from apps.oms.models import OrderRecord
from apps.replay.models import JobRecord
from apps.risk.models import ControlRecord, DecisionRecord, Proposal
from polytraders import fence
from polytraders.access.permissions import Permission, Role, may
from polytraders.console import asked, foureyes
from polytraders.console.pages import PAGES
from polytraders.contracts.inputs import Scope, Stage
from tests.web.conftest import Says, entered
from tests.written import Written

OWN = {"logout", "factor-codes", "factor-remove", "factor", "password", "sessions-end", "step-up", "login"}
"""About nobody but oneself."""
FORM = re.compile(r"<form([^>]*)>")
ACTION = re.compile(r'(?<![-\w])(?:form)?action="([^"]*)"')


@pytest.fixture(scope="module")
def busy(log: Written, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Everything that a button could be about: something is killed, proposed, open, broken, held and asked for."""
    home = tmp_path_factory.mktemp("home")
    fence.create(home / fence.FILE)
    StrategyRecord.objects.all().update(stage=Stage.PAPER)
    asked.raw().execute(
        "INSERT INTO risk_control (shard, scope, name, act, actor, reason, key) VALUES (0, 4, 'says', 'kill', 'ada',"
        " '', 'kill:some')"
    )
    log.world.flatten(Scope.MARKET, 0)
    log.commit()
    alerting.raised(Seen("GOV_LOOP_SILENT", "", "silent"), "health")
    alerting.raised(Seen("GOV_INBOX_BACKLOG", "", "slow"), "health")
    RouteRecord.objects.create(name="ops", client="slack", target="ops", per_hour=5)
    JobRecord.objects.create(kind="replay", arguments={"until": None}, digest="0" * 64, asked_by="ada")
    for kind in foureyes.NEEDS:
        Proposal.objects.create(
            shard=0, kind=kind, target="makes size", payload="{}", before="1", after="2", actor="bob", reason="x",
            expires_at=timezone.now() + foureyes.LIFE,
        )  # fmt: skip
    yield home
    IncidentRecord.objects.all().update(state="closed")
    JobRecord.objects.all().delete()


def addresses() -> list[str]:
    """Every page of the navigation, and every page of detail."""
    order, row = OrderRecord.objects.order_by("-id")[0], DecisionRecord.objects.order_by("-id")[0]
    still = OrderRecord.objects.filter(is_open=True).order_by("id").first() or order
    killed = ControlRecord.objects.filter(act="kill").order_by("-id")[0]
    return [
        *(page.address for page in PAGES.values()), "/account/", f"/decisions/{row.decision_id}",
        f"/orders/{order.correlation_id}", f"/orders/{still.correlation_id}", f"/trace/{order.correlation_id}",
        f"/markets/{order.market}", "/strategies/makes", "/strategies/says", "/control/history",
        f"/control/?killed={killed.key}", "/control/?release=strategy:says", "/control/?release=global:",
        "/risk/?limit=spread_max", "/replays/scrub?seq=3", f"/jobs/{JobRecord.objects.latest('id').id}",
        f"/incidents/{IncidentRecord.objects.latest('id').id}", "/incidents/routes", "/incidents/deliveries",
        "/reasons/GOV_LOOP_SILENT/", "/stages/7", "/positions/?market=0",
    ]  # fmt: skip


def offered(text: str, here: str) -> Iterator[tuple[str, Any]]:
    """Where each form that posts and each link goes, and the view there."""
    for attributes in FORM.findall(text):
        if 'method="post"' in attributes:
            action = ACTION.search(attributes)
            yield from _viewed(action.group(1) if action else here)
    for action in re.findall(r'(?<![-\w])formaction="([^"]*)"', text):
        yield from _viewed(action)
    for link in re.findall(r'<a[^>]*href="(/[^"]*)"', text):
        yield from _viewed(link)


def _viewed(told: str) -> Iterator[tuple[str, Any]]:
    path = re.split(r"[?#]", html.unescape(told))[0]
    if not path.startswith("/static/"):
        yield path, resolve(path)


@pytest.mark.parametrize("role", [Role.READ_ONLY, Role.REVIEWER, Role.OPERATOR, Role.ADMIN])
def test_nobody_is_offered_what_would_be_refused(busy: Path, says: Says, settings: Any, role: Role) -> None:
    says()
    settings.HOME = busy
    client = entered(f"some {role}", role)
    seen: set[str] = set()
    for address in addresses():
        answer = client.get(address)
        if answer.status_code == 403:
            assert not may(answer.wsgi_request.user, PAGES["access"].permission), address
            continue
        assert answer.status_code == 200, address
        user = answer.wsgi_request.user
        for path, match in offered(answer.content.decode(), address):
            permission = getattr(match.func, "permission", None)
            if permission is None:
                assert match.url_name in OWN or not path.startswith(("/control", "/access")), (address, path)
                continue
            assert may(user, permission), f"{address} offers {path}, which needs {permission}"
            seen.add(str(match.url_name))
    wanted = {
        Role.READ_ONLY: set(),
        Role.REVIEWER: {"replays-run", "system-prove", "job-cancel", "audit-check", "ledger-prove"},
        Role.OPERATOR: {
            "control-kill",
            "control-release",
            "control-reason",
            "incident-move",
            "cash-out",
            "control-drill",
        },
        Role.ADMIN: {"control-stage", "limit-propose", "route-add", "person-roles", "answer-limit", "answer-rollout"},
    }[role]
    assert wanted <= seen, f"not everything that could be offered was: {wanted - seen}"


def forms(client: Client, address: str) -> set[str]:
    """Names of the addresses that the forms of a page post to."""
    text = client.get(address).content.decode()
    posts = [attributes for attributes in FORM.findall(text) if 'method="post"' in attributes]
    found = [ACTION.search(attributes) for attributes in posts]
    return {str(resolve(re.split(r"[?#]", action.group(1) if action else address)[0]).url_name) for action in found}


def test_who_only_reads_can_post_nothing_but_the_end_of_the_session(busy: Path, says: Says, settings: Any) -> None:
    says()
    settings.HOME = busy
    rita = entered("rita", Role.READ_ONLY)
    for address in addresses():
        if rita.get(address).status_code != 403:
            own = OWN if address == "/account/" else {"logout"}
            assert forms(rita, address) <= own, address
    assert forms(rita, "/") == {"logout"}
    assert rita.get(PAGES["access"].address).status_code == 403
    assert PAGES["access"].permission is Permission.AUDIT
