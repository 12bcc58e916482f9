"""`manage.py setup_link`: the path of a one-time set-up link, as long as nobody can log in."""

from typing import Any

from django.core.management.base import BaseCommand

from polytraders.access.models import SetupLink
from polytraders.access.views import is_set_up


class Command(BaseCommand):
    """Print `/setup/<token>`, or nothing where there is a user already. The earlier link stops being good."""

    help = "Print the path of a one-time set-up link, or nothing if somebody can log in already."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Make the link and print it."""
        if not is_set_up():
            self.stdout.write(f"/setup/{SetupLink.make()}")
