"""Who may ask what: every role and every scope of a key against every endpoint, over HTTP."""

import re
import uuid
from typing import Any

import pytest
from django.test import Client

from polytraders import fence
from polytraders.access import keys
from polytraders.access.keys import SCOPES
from polytraders.access.permissions import MATRIX, Permission, Role
from polytraders.access.stepup import STEPPED
from polytraders.api.endpoint import Endpoint
from polytraders.api.interface import ENDPOINTS
from tests.api.conftest import Keyed, Program
from tests.api.test_reading import problem
from tests.web.conftest import Says, entered
from tests.written import Written

NAMES = [f"{each.method} {each.path}" for each in ENDPOINTS]
BASE = "/api/v1"


def address(endpoint: Endpoint) -> str:
    """Of something that is not there: who may not must not learn even that."""
    return BASE + re.sub(r"{(\w+)}", "0", endpoint.path)


def test_every_endpoint_stands_in_the_table_once() -> None:
    assert len(set(NAMES)) == len(NAMES) > 30
    assert len({each.name for each in ENDPOINTS}) == len(ENDPOINTS)
    assert {each.method for each in ENDPOINTS} == {"GET", "POST", "DELETE"}


def test_a_code_is_asked_for_by_every_act_whose_permission_wants_one_and_by_every_answer() -> None:
    acts = [each for each in ENDPOINTS if each.method != "GET"]
    wanted = {each.name for each in acts if each.permission in STEPPED}
    assert {each.name for each in ENDPOINTS if each.coded} == wanted | {"answer_parameter"}
    assert wanted >= {"release", "propose_limit", "answer_limit", "answer_release", "answer_rollout", "create_webhook"}


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=NAMES)
def test_without_a_login_there_is_nothing(log: Written, home: Any, endpoint: Endpoint) -> None:
    answer = Client().generic(endpoint.method, address(endpoint))
    problem(answer, 401, "GOV_LOGIN_REQUIRED")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("role", [*Role, None], ids=str)
def test_a_role_may_what_the_table_says(log: Written, home: Any, says: Says, role: Role | None) -> None:
    says()
    client = entered(f"somebody-{role}", *([role] if role else []))
    for endpoint in ENDPOINTS:
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        answer = client.generic(endpoint.method, address(endpoint), b"{}", "application/json", headers=headers)
        if role in MATRIX[endpoint.permission]:
            if endpoint.coded:
                problem(answer, 403, "GOV_STEP_UP_REQUIRED")
            else:
                assert answer.status_code in (200, 202, 404, 422), (endpoint, answer.content)
        else:
            problem(answer, 403, "GOV_PERMISSION_MISSING")


@pytest.mark.parametrize("scope", list(SCOPES))
def test_a_key_may_what_its_scope_names(log: Written, home: Any, says: Says, keyed: Keyed, scope: str) -> None:
    says()
    program = keyed(scope)
    for endpoint in ENDPOINTS:
        answer = program.send(endpoint.method, address(endpoint), b"{}")
        if endpoint.permission not in SCOPES[scope]:
            problem(answer, 403, "GOV_PERMISSION_MISSING")
        elif endpoint.coded:
            problem(answer, 403, "GOV_STEP_UP_REQUIRED")
        else:
            assert answer.status_code in (200, 202, 404, 422), (endpoint, answer.content)


def test_a_key_may_never_more_than_its_owner(log: Written, home: Any, keyed: Keyed) -> None:
    program = keyed(*SCOPES, roles=(Role.READ_ONLY,))
    for endpoint in ENDPOINTS:
        answer = program.send(endpoint.method, address(endpoint), b"{}")
        if endpoint.permission is not Permission.VIEW:
            problem(answer, 403, "GOV_PERMISSION_MISSING")


def test_a_key_that_is_over_taken_back_unknown_or_misshapen_opens_nothing(log: Written, keyed: Keyed) -> None:
    from django.utils import timezone

    from polytraders.access.models import ApiKey

    cases = []
    program = keyed("read")
    assert program.get("/api/v1/reason-codes").status_code == 200
    prefix = program.key.split("_")[1]
    ApiKey.objects.filter(prefix=prefix).update(expires_at=timezone.now())
    cases.append((program, "GOV_KEY_EXPIRED"))
    revoked = keyed("read")
    ApiKey.objects.filter(prefix=revoked.key.split("_")[1]).update(revoked_at=timezone.now())
    cases.append((revoked, "GOV_KEY_REVOKED"))
    gone = keyed("read")
    row = ApiKey.objects.get(prefix=gone.key.split("_")[1])
    row.owner.is_active = False
    row.owner.save()
    cases.append((gone, "GOV_KEY_REVOKED"))
    cases += [(Program(key), "GOV_KEY_UNKNOWN") for key in ("ptk_", program.key[:-1] + "é", "x" * 5_000, "")]
    for each, code in cases:
        problem(each.get("/api/v1/reason-codes"), 401, code)


def test_a_bad_key_is_not_made_good_by_a_login(log: Written, ada: Client) -> None:
    answer = ada.get("/api/v1/reason-codes", headers={"Authorization": "Bearer ptk_nothing"})
    problem(answer, 401, "GOV_KEY_UNKNOWN")


def test_a_login_needs_the_csrf_token_and_a_key_does_not(log: Written, home: Any, keyed: Keyed) -> None:
    from polytraders.access.permissions import Role

    entered("olga", Role.OPERATOR)
    from django.contrib.auth import get_user_model

    client = Client(enforce_csrf_checks=True)
    client.force_login(get_user_model().objects.get(username="olga"))
    body = b'{"scope": "market", "name": "market-0"}'
    headers = {"Idempotency-Key": "a"}
    answer = client.post("/api/v1/controls/kill", body, "application/json", headers=headers)
    problem(answer, 403, "GOV_PERMISSION_MISSING")
    token = "c" * 32
    client.cookies["csrftoken"] = token
    headers |= {"X-CSRFToken": token}
    assert client.post("/api/v1/controls/kill", body, "application/json", headers=headers).status_code == 200
    assert keyed("risk").post("/api/v1/controls/kill", body).status_code == 200


def test_a_key_releases_with_its_owners_code(log: Written, home: Any, keyed: Keyed, says: Says) -> None:
    from django.contrib.auth import get_user_model
    from django_otp.oath import TOTP
    from django_otp.plugins.otp_totp.models import TOTPDevice

    program = keyed("risk")
    owner = get_user_model().objects.get(pk=keys.principal(f"Bearer {program.key}").owner.pk)  # type: ignore[union-attr]
    device = TOTPDevice.objects.create(user=owner, name="app", confirmed=True)
    says()
    kill = {"scope": "strategy", "name": "makes", "reason": "a drill"}
    assert program.post("/api/v1/controls/kill", kill).status_code == 200
    body = {"scope": "strategy", "name": "makes", "reason": "it agrees again"}
    problem(
        program.post("/api/v1/controls/release", body, **{"Polytraders-OTP": "000000"}), 403, "GOV_STEP_UP_REQUIRED"
    )
    device.refresh_from_db()
    device.throttle_reset()
    code = f"{TOTP(device.bin_key, device.step, device.t0, device.digits, device.drift).token():06}"
    answer = program.post("/api/v1/controls/release", body, **{"Polytraders-OTP": code})
    assert answer.status_code == 200, answer.content
    assert answer.json()["state"] == "sent"
    assert fence.killed(home / fence.FILE) == frozenset()
    again = program.post("/api/v1/controls/release", body, **{"Polytraders-OTP": code})
    problem(again, 403, "GOV_STEP_UP_REQUIRED")
