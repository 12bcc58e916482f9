"""What is said when there is no database to put an alert on record: straight to the routes that were known last.

The routes are kept in a file of the installation's folder, by name and target, without a secret.
"""

import datetime as dt
import json
import logging
import time
from pathlib import Path
from typing import Any, Final

from django.conf import settings

from apps.monitoring import clients
from apps.monitoring.alerting import as_rule
from apps.monitoring.core.incidents import Priority
from apps.monitoring.core.routing import Told, matches
from apps.monitoring.models import RuleRecord
from apps.monitoring.priorities import urgency
from polytraders.contracts.reasons import reason

log = logging.getLogger(__name__)

CODE: Final = "GOV_HEALTH_UNKNOWN"
AGAIN_S: Final = 600.0


def _folder() -> Path:
    folder: Path = settings.HOME / "alerts"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def remember() -> int:
    """Keep the routes that would be told; how many."""
    told = Told(CODE, "", Priority.P1, 0)
    rules = RuleRecord.objects.filter(route__is_on=True).select_related("route")
    routes = {rule.route.name: [rule.route.client, rule.route.target] for rule in rules if matches(as_rule(rule), told)}
    path = _folder() / "routes.json"
    text = json.dumps(routes, sort_keys=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        new = path.with_suffix(".new")
        new.write_text(text, encoding="utf-8")
        new.replace(path)
    return len(routes)


def tell(words: str) -> list[str]:
    """Tell the routes; those that took it. Within ten minutes of the last time, nobody."""
    said = _folder() / "said"
    if said.exists() and time.time() - said.stat().st_mtime < AGAIN_S:
        return []
    try:
        routes: dict[str, list[str]] = json.loads((_folder() / "routes.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        routes = {}
    log.error("%s: %s; %d routes are told", CODE, words, len(routes))
    took = []
    for name, (client, target) in routes.items():
        try:
            clients.send(client, target, _message(words), int(time.time()))
            took.append(name)
        except clients.UndeliveredError as error:
            log.warning("route %s (%s): %s", name, client, error)
    if took or not routes:
        said.touch()
    return took


def recovered() -> None:
    """The database answers again: the next time counts as a new one."""
    (_folder() / "said").unlink(missing_ok=True)


def _message(words: str) -> dict[str, Any]:
    entry = reason(CODE)
    return {
        "what": "fired", "alert": None, "incident": None, "priority": Priority.P1.name, "code": CODE, "scope": "",
        "level": 0, "happened": words, "meaning": entry.meaning, "did": urgency(CODE).did, "do": entry.action,
        "first_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"), "link": f"{settings.ALERTS.console}/system/",
    }  # fmt: skip
