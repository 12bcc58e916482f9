"""Deployment settings, from the environment, and loud when one of them cannot be meant.

Trading parameters, limits, kills and rollout stages are not here and never will be: they are inputs of the loop, so
that a replay sees the value that was in force then.
"""

import datetime as dt
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from celery.schedules import crontab
from django.core.exceptions import ImproperlyConfigured

from polytraders.addressbook import MeaninglessError, address_book
from polytraders.logs import logging_config
from polytraders.supervisor.place import RUNNING_FILE

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


def env_choice(name: str, choices: tuple[str, ...], environ: Mapping[str, str] = os.environ) -> str:
    """One of `choices`; the first is the default.

    Raises:
        ImproperlyConfigured: It is set to anything else.
    """
    value = environ.get(name, choices[0])
    if value not in choices:
        raise ImproperlyConfigured(f"{name} is {value!r}: it must be one of {', '.join(choices)}")
    return value


def env_number(name: str, default: int, least: int, most: int, environ: Mapping[str, str] = os.environ) -> int:
    """A whole number between `least` and `most`, both allowed.

    Raises:
        ImproperlyConfigured: It is set to anything else.
    """
    value = environ.get(name)
    if value is None:
        return default
    if not (value.isascii() and value.isdigit() and least <= int(value) <= most):
        raise ImproperlyConfigured(f"{name} is {value!r}: it must be a whole number from {least} to {most}")
    return int(value)


def database(name: str, url: str | None, *, pooled: bool = False) -> dict[str, Any]:
    """Django's description of the database at `url`, whose query becomes options of the driver.

    Without a URL it describes a server that cannot be there, so that what needs no database works, and what needs one
    fails with the name of the setting.

    Raises:
        ImproperlyConfigured: Not a PostgreSQL URL with host and database. The URL is not repeated: it holds a password.
    """
    described: dict[str, Any] = {"ENGINE": "django.db.backends.postgresql", "CONN_MAX_AGE": 0}
    if url is None:
        return described | {"NAME": "polytraders", "HOST": f"/nonexistent/{name}-is-not-set"}
    parts = urlsplit(url)
    try:
        port = parts.port or 5432
    except ValueError:
        port = 0
    if parts.scheme not in ("postgres", "postgresql") or not parts.hostname or not parts.path.strip("/") or not port:
        raise ImproperlyConfigured(f"{name} must look like postgresql://user:password@host:port/database")
    options: dict[str, Any] = dict(parse_qsl(parts.query))
    if pooled:
        # Under ASGI a connection kept by its thread is never given back; the pool is what keeps connections.
        options["pool"] = {"min_size": 1, "max_size": 8, "timeout": 10}
    return described | {
        "NAME": unquote(parts.path.strip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname,
        "PORT": str(port),
        "CONN_HEALTH_CHECKS": pooled,
        "OPTIONS": options,
    }


def channel_layer(redis_url: str | None) -> dict[str, Any]:
    """The layer for hints between processes; without a server they stay inside this one."""
    if redis_url is None:
        return {"BACKEND": "channels.layers.InMemoryChannelLayer"}
    # The client's own time-out would end a socket on which nothing is said for five seconds.
    hosts = [{"address": redis_url, "socket_timeout": None}]
    return {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": {"hosts": hosts}}


def broker(redis_url: str | None) -> str:
    """Celery's spelling of the same address."""
    if redis_url is None:
        return "memory://"
    return f"redis+socket://{redis_url.removeprefix('unix://')}" if redis_url.startswith("unix://") else redis_url


def running(home: Path, environ: Mapping[str, str] = os.environ) -> Mapping[str, str]:
    """The environment, completed by what `polytraders up` says about the servers it started.

    An environment that names a database is taken as it is: half of one installation and half of another would be worse
    than none.

    Raises:
        ImproperlyConfigured: The file is there and cannot be read.
    """
    path = home / RUNNING_FILE
    if "DATABASE_URL" in environ or not path.is_file():
        return environ
    try:
        found: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))["environ"]
    except (OSError, ValueError, KeyError) as error:
        raise ImproperlyConfigured(
            f"{RUNNING_FILE} in POLYTRADERS_HOME cannot be used ({type(error).__name__})"
        ) from error
    return {**found, **environ}


HOME = Path(os.environ.get("POLYTRADERS_HOME") or BASE_DIR / ".local").resolve()
ENVIRON = running(HOME)

DEBUG = env_bool("POLYTRADERS_DEBUG", False, ENVIRON)
SECRET_KEY = env_secret("POLYTRADERS_SECRET_KEY", 32, ENVIRON)
ALLOWED_HOSTS = env_list("POLYTRADERS_HOSTS", ("localhost", "127.0.0.1"), ENVIRON)
HTTPS = env_bool("POLYTRADERS_HTTPS", False, ENVIRON)
"""1 behind a proxy that speaks TLS; on loopback without one, browsers would not send the cookies back."""

DATABASE_URL = ENVIRON.get("DATABASE_URL")
DATABASE_OWNER_URL = ENVIRON.get("DATABASE_OWNER_URL")
REDIS_URL = ENVIRON.get("REDIS_URL")

VENUE = env_choice("POLYTRADERS_VENUE", ("simulator", "polymarket"), ENVIRON)
SPEED = env_number("POLYTRADERS_SPEED", 1, 1, 100, ENVIRON)
SEED = env_number("POLYTRADERS_SEED", 7, 0, 2**31 - 1, ENVIRON)
PORT = env_number("PORT", 0, 0, 65_535, ENVIRON)
"""Of the console, on loopback; 0 is any that is free."""
KILL_KEY = env_secret("POLYTRADERS_KILL_KEY", 32, ENVIRON)
"""Signs what lets a page kill; the kill endpoint has the same, and no other secret."""
KILL_PORT = env_number("POLYTRADERS_KILL_PORT", 0, 0, 65_535, ENVIRON)
KILL_URL = ENVIRON.get("POLYTRADERS_KILL_ADDRESS") or (f"http://127.0.0.1:{KILL_PORT}/kill" if KILL_PORT else "")
"""Where a browser reaches the kill endpoint; "" = only through the web process."""
SIMULATOR_URL = ENVIRON.get("POLYTRADERS_SIMULATOR_URL")
FAMILIES = env_list(
    "POLYTRADERS_FAMILIES", () if VENUE == "simulator" else ("btc-updown-5m", "btc-updown-15m"), ENVIRON
)
"""Beginnings of the names of markets that are looked at; none = every market that the venue lists."""
STRATEGIES = env_list("POLYTRADERS_STRATEGIES", ("logit", "gbm_updown"), ENVIRON)
"""Templates that a new log begins with: shipped names or files."""
CHECKPOINT_INPUTS = env_number("POLYTRADERS_CHECKPOINT_INPUTS", 1_000_000, 1_000, 1_000_000_000, ENVIRON)
"""Inputs between two copies of the loop's state; fewer make a restart after a crash shorter."""
LAKE = ENVIRON.get("POLYTRADERS_LAKE") or str(HOME / "lake")
"""Where closed segments are copied to as Parquet: a folder, or an address like s3://bucket/folder."""
if VENUE != "simulator" and SPEED != 1:
    raise ImproperlyConfigured("POLYTRADERS_SPEED is for the simulator: a real venue's time cannot be scaled")

try:
    ALERTS = address_book(ENVIRON)
    """Where alerts may be sent, and with which secrets."""
except MeaninglessError as meaningless:
    raise ImproperlyConfigured(str(meaningless)) from None

STAGES = (
    "registry", "ingest", "eventlog", "signals", "fairvalue", "execution", "risk", "oms", "ledger", "replay",
    "monitoring",
)  # fmt: skip
INSTALLED_APPS = [
    "daphne",
    "channels",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    # Without its search for other apps' registrations: `console/admin.py` names all that it shows.
    "django.contrib.admin.apps.SimpleAdminConfig",
    "axes",
    "django_otp",
    "django_otp.plugins.otp_static",
    "django_otp.plugins.otp_totp",
    "polytraders",
    "polytraders.access",
    "polytraders.console",
    "polytraders.api",
    # In the order of the operating loop.
    *(f"apps.{stage}" for stage in STAGES),
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "polytraders.access.headers.content_security",
    "polytraders.access.limiting.Limits",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "polytraders.urls"
ASGI_APPLICATION = "polytraders.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "polytraders.access.permissions.permissions",
                "polytraders.console.frame.navigation",
                "polytraders.console.frame.killing",
            ],
        },
    },
]

# --- stores ----------------------------------------------------------------------------------------------------------

DATABASES = {
    # What runs uses the first, which makes no tables and cannot change log or ledger; `migrate --database owner`
    # uses the second.
    "default": database("DATABASE_URL", DATABASE_URL, pooled=True),
    "owner": database("DATABASE_OWNER_URL", DATABASE_OWNER_URL),
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CHANNEL_LAYERS = {"default": channel_layer(REDIS_URL)}

STATIC_URL = "static/"
STATICFILES_DIRS = [path for path in [BASE_DIR / "static"] if path.is_dir()]
# An image collects its files once, under names that never change meaning; elsewhere they are read where they lie.
STATIC_ROOT = ENVIRON.get("POLYTRADERS_STATIC_ROOT")
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if STATIC_ROOT
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = STATIC_ROOT is None

# --- access ----------------------------------------------------------------------------------------------------------

PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "login"

# The first refuses whom the lock-out has locked; the second asks the password.
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = dt.timedelta(minutes=15)
# By name and address together: nobody can lock somebody else out from afar.
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_CALLABLE = "polytraders.access.locking.locked"
AXES_SENSITIVE_PARAMETERS = ["username", "ip_address", "password", "otp", "csrfmiddlewaretoken"]
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
OTP_TOTP_ISSUER = "Polytraders"

DATA_UPLOAD_MAX_MEMORY_SIZE = FILE_UPLOAD_MAX_MEMORY_SIZE = 1_048_576
"""Of a request's body; `access/bounds.py` refuses a larger one before anything reads it."""
DATA_UPLOAD_MAX_NUMBER_FIELDS = 200
CSRF_FAILURE_VIEW = "polytraders.access.locking.forged"

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 3600
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
WEBHOOK_LOOPBACK = env_bool("POLYTRADERS_WEBHOOK_LOOPBACK", False, ENVIRON)
"""1 lets webhooks point to http on this machine; never for an installation that others can reach."""
X_FRAME_OPTIONS = "DENY"
if HTTPS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 30 * 86_400
    CSRF_TRUSTED_ORIGINS = [f"https://{host}" for host in ALLOWED_HOSTS]

# --- jobs ------------------------------------------------------------------------------------------------------------

CELERY_BROKER_URL = broker(REDIS_URL)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A task that a killed worker held is given out again after this time, so every task may run twice and must not mind.
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 900}
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "UTC"
# A simulated venue's time runs faster, and so do its markets.
PERIOD_S = 5.0 if VENUE == "simulator" else 60.0
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "refresh-registry": {
        "task": "apps.registry.tasks.refresh",
        "schedule": PERIOD_S,
        "options": {"expires": 2 * PERIOD_S},
    },
    "settle": {"task": "apps.ledger.tasks.settle", "schedule": PERIOD_S, "options": {"expires": 2 * PERIOD_S}},
    "check-health": {"task": "apps.monitoring.tasks.check_health", "schedule": 30.0, "options": {"expires": 60}},
    "watch-log": {"task": "apps.monitoring.tasks.watch_log", "schedule": 5.0, "options": {"expires": 10}},
    "escalate": {"task": "apps.monitoring.tasks.escalate", "schedule": 15.0, "options": {"expires": 30}},
    "deliver": {"task": "apps.monitoring.tasks.deliver", "schedule": 5.0, "options": {"expires": 10}},
    "prove-record": {"task": "apps.monitoring.tasks.prove_record", "schedule": crontab(hour=4, minute=41)},
    # A segment is closed at the hour. What is packed can still be exported, only slower.
    "export-lake": {"task": "apps.eventlog.tasks.export_lake", "schedule": crontab(minute=5)},
    "pack-segments": {"task": "apps.eventlog.tasks.pack_segments", "schedule": crontab(minute=20)},
    "keep-within": {"task": "apps.eventlog.tasks.keep_within", "schedule": crontab(hour=2, minute=41)},
    # A job is begun when it is asked for; this is for what a broker or a worker has lost.
    "work-off-jobs": {"task": "apps.replay.jobs.work", "schedule": 10.0, "options": {"expires": 20}},
    "score": {"task": "apps.replay.tasks.score", "schedule": 4 * PERIOD_S, "options": {"expires": 4 * PERIOD_S}},
    "replay-log": {"task": "apps.replay.tasks.replay_log", "schedule": crontab(hour=3, minute=31)},
    "check-projections": {"task": "apps.monitoring.tasks.check_projections", "schedule": crontab(hour=4, minute=11)},
    "follow-up": {"task": "polytraders.console.tasks.follow_up", "schedule": 5.0, "options": {"expires": 10}},
    "verify-audit": {"task": "polytraders.access.tasks.verify_audit", "schedule": crontab(hour=3, minute=23)},
    "tell-webhooks": {"task": "polytraders.api.tasks.tell_webhooks", "schedule": 2.0, "options": {"expires": 10}},
    "forget-answers": {"task": "polytraders.api.tasks.forget_answers", "schedule": crontab(minute=50)},
    "prove-books": {"task": "apps.ledger.tasks.prove_books", "schedule": crontab(hour=4, minute=37)},
    "fold-money": {"task": "apps.ledger.tasks.fold_money", "schedule": crontab(hour=3, minute=7)},
    "forget-expired": {"task": "polytraders.access.tasks.forget_expired", "schedule": crontab(hour=3, minute=17)},
}

PROCESS = ENVIRON.get("POLYTRADERS_PROCESS", "")
LOGGING = logging_config(PROCESS)

TIME_ZONE = "UTC"
USE_TZ = True
LANGUAGE_CODE = "en-gb"
