"""Every operation is tried with what its own description allows and what it does not: 0 failures, for two people."""

import copy
import os
import time
from typing import Any

import pytest
import schemathesis
from django.core.wsgi import get_wsgi_application
from hypothesis import HealthCheck, Phase, settings

from polytraders.access.limiting import Limit
from polytraders.access.permissions import MARK, Role
from polytraders.api import endpoint
from polytraders.api.pages import described
from tests.web.conftest import Says, entered

EXAMPLES = 1
PEOPLE = [Role.ADMIN, Role.READ_ONLY] if os.environ.get("API_SLOW") else [Role.ADMIN]
"""What a role may not do is asked of every endpoint by `test_permissions.py`; API_SLOW=1 tries all of it here too."""
TOKEN = "c" * 32


@pytest.fixture(params=PEOPLE)
def person(request: Any, booked: None, says: Says, home: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Headers of somebody who is logged in, and has just given a code."""
    says()
    for name in ("ASK", "ACT"):
        monkeypatch.setattr(endpoint, name, Limit(f"tried-{name}", 1_000_000, 60))
    client = entered(f"tried-{request.param}", request.param)
    session = client.session
    session[MARK] = time.time()
    session.save()
    cookies = f"sessionid={client.cookies['sessionid'].value}; csrftoken={TOKEN}"
    return {"Cookie": cookies, "X-CSRFToken": TOKEN}


def open_to_all() -> dict[str, Any]:
    """The description without its logins: who asks is given here, and who may not is asked in `test_permissions.py`."""
    found = copy.deepcopy(described())
    del found["components"]["securitySchemes"]
    for methods in found["paths"].values():
        for operation in methods.values():
            del operation["security"]
    return found


schema = schemathesis.openapi.from_dict(open_to_all())


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
def test_every_operation_keeps_to_its_description(case: Any, person: dict[str, str]) -> None:
    case.call_and_validate(app=get_wsgi_application(), headers=person)
