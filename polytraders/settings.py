"""Deployment settings, from the environment, and loud when one of them cannot be meant.

Trading parameters, limits, kills and rollout stages are not here and never will be: they are inputs of the loop, so
that a replay sees the value that was in force then.
"""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from django.core.exceptions import ImproperlyConfigured

BASE_DIR: Final = Path(__file__).resolve().parents[1]


def env_bool(name: str, default: bool, environ: Mapping[str, str] = os.environ) -> bool:
    """A switch: 0 or 1.

    Raises:
        ImproperlyConfigured: It is set to anything else.
    """
    value = environ.get(name)
    if value is None:
        return default
    if value not in ("0", "1"):
        raise ImproperlyConfigured(f"{name} is {value!r}: it must be 0 or 1")
    return value == "1"


def env_list(name: str, default: tuple[str, ...], environ: Mapping[str, str] = os.environ) -> list[str]:
    """Words separated by commas.

    Raises:
        ImproperlyConfigured: It is set but one of the words is empty.
    """
    value = environ.get(name)
    if value is None:
        return list(default)
    words = [word.strip() for word in value.split(",")]
    if not all(words):
        raise ImproperlyConfigured(f"{name} is {value!r}: it must be words separated by commas")
    return words


def env_secret(name: str, length_min: int, environ: Mapping[str, str] = os.environ) -> str:
    """A secret; when it is not set, one that lives as long as this process.

    Raises:
        ImproperlyConfigured: It is set but too short to be a secret.
    """
    value = environ.get(name)
    if value is None:
        return secrets.token_urlsafe(48)
    if len(value) < length_min:
        raise ImproperlyConfigured(f"{name} is shorter than {length_min} characters")
    return value


DEBUG = env_bool("POLYTRADERS_DEBUG", False)
SECRET_KEY = env_secret("POLYTRADERS_SECRET_KEY", 32)
ALLOWED_HOSTS = env_list("POLYTRADERS_HOSTS", ("localhost", "127.0.0.1"))

# In the order of the operating loop.
INSTALLED_APPS = [
    "apps.registry",
    "apps.ingest",
    "apps.eventlog",
    "apps.signals",
    "apps.fairvalue",
    "apps.execution",
    "apps.risk",
    "apps.oms",
    "apps.ledger",
    "apps.replay",
    "apps.monitoring",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "polytraders.urls"

# Nothing is stored in a database yet; anything that tries to fails at once instead of finding an empty one.
DATABASES: dict[str, dict[str, str]] = {}

TIME_ZONE = "UTC"
USE_TZ = True
LANGUAGE_CODE = "en-gb"
