"""Django's command line."""

import os
import sys

from django.core.management import execute_from_command_line


def main() -> None:
    """Run one of Django's commands with this project's settings."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "polytraders.settings")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
