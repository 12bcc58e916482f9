"""People, from a terminal on the machine: for the day nobody can log in who could help.

Whoever may run this may read the database's address anyway; each act is in the audit, with the name of the terminal's
user.
"""

import argparse
import getpass
import os
import sys
from typing import Any, Final

OK, REFUSED, UNUSABLE = 0, 1, 2
VERBS: Final = ("user",)
ROLES: Final = ("Admin", "Operator", "Reviewer", "ReadOnly")


def add(verbs: Any) -> None:
    """The verb's arguments."""
    top = verbs.add_parser("user", help="who may come in: list, invite, reset a password or a second factor, unlock")
    kinds = top.add_subparsers(dest="act", required=True, metavar="ACT")
    kinds.add_parser("list", help="everybody, with roles and second factor")
    link = kinds.add_parser("link", help="a one-time link with which somebody comes in")
    link.add_argument("--role", action="append", choices=ROLES, help="may be given several times (default: Admin)")
    for name, words in (
        ("password", "a one-time link for a new password"),
        ("factor", "forget the app and its recovery codes"),
        ("unlock", "end a lock after wrong passwords"),
        ("disable", "let somebody in no longer: ends sessions, takes keys back"),
    ):
        made = kinds.add_parser(name, help=words)
        made.add_argument("name", help="user name")
        made.add_argument("--reason", default="", help="why; goes into the audit")


def admit(given: argparse.Namespace) -> int:
    """`polytraders user`: 0 done, 1 refused, 2 cannot be asked."""
    import django
    from django.core.exceptions import ImproperlyConfigured
    from django.db import DatabaseError

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "polytraders.settings")
    try:
        django.setup()
        from django.conf import settings

        if not settings.DATABASE_URL:
            return _say("GOV_CONFIG_INVALID", "no database: start `polytraders up`, or set DATABASE_URL")
        return listed() if given.act == "list" else done(given)
    except ImproperlyConfigured as error:
        return _say("GOV_CONFIG_INVALID", str(error))
    except DatabaseError as error:
        # The first line is enough, and no driver's text repeats the address, which holds a password.
        return _say("GOV_CONFIG_INVALID", f"the database cannot be used: {str(error).strip().partition(chr(10))[0]}")


def listed() -> int:
    """Everybody, a line each."""
    from django.contrib.auth.models import User

    from polytraders.access import stepup
    from polytraders.access.permissions import roles_of

    for user in User.objects.order_by("username"):
        state = "" if user.is_active else "  (no longer comes in)"
        roles = ", ".join(sorted(roles_of(user))) or "no role"
        print(f"{user.get_username()}  {roles}  second factor: {'yes' if stepup.has_factor(user) else 'no'}{state}")
    return OK


def done(given: argparse.Namespace) -> int:
    """One of the acts that change something."""
    from django.contrib.auth.models import User

    from polytraders.access import factor, people
    from polytraders.access.permissions import Role

    actor = f"terminal:{getpass.getuser()}"
    if given.act == "link":
        return _link(people.invite(frozenset(Role(name) for name in given.role or ["Admin"]), actor), "a day")
    user = User.objects.filter(username=given.name).first()
    if user is None:
        print(f"polytraders: nobody is called {given.name!r}; `polytraders user list` names everybody", file=sys.stderr)
        return REFUSED
    if given.act == "password":
        return _link(people.reset_password(user, actor, given.reason), "an hour")
    if given.act == "factor":
        factor.remove(user, actor, given.reason)
        print(f"{given.name} has no second factor now")
    elif given.act == "unlock":
        print(f"{people.unlock(user, actor, given.reason)} locks and wrong passwords of {given.name} are forgotten")
    else:
        try:
            people.let_in(user, False, actor, given.reason)
        except people.Kept as error:
            print(f"polytraders: {error}", file=sys.stderr)
            return REFUSED
        print(f"{given.name} no longer comes in")
    return OK


def _link(token: str, lasts: str) -> int:
    from django.conf import settings

    place = f"http://127.0.0.1:{settings.PORT}" if settings.PORT else ""
    print(f"{place}/setup/{token}")
    print(f"good once, for {lasts}; the path follows the console's own address", file=sys.stderr)
    return OK


def _say(code: str, words: str) -> int:
    print(f"polytraders: {code}: {words}", file=sys.stderr)
    return UNUSABLE
