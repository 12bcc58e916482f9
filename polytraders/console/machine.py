"""What the page of the system asks: the processes' last words, the stores, the settings in force without a secret."""

import datetime as dt
import hashlib
import os
import platform
import shutil
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import redis
from django.conf import settings
from django.db import connection
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from apps.monitoring.incidents import WATCHED_S
from apps.monitoring.models import LoopRecord, PulseRecord
from polytraders.console.pictures.histogram import Histogram, histogram
from polytraders.logs import without_secrets

VALKEY_S: Final = 0.3
QUEUE: Final = "celery"
PACKAGES: Final = ("django", "channels", "daphne", "celery", "psycopg", "numpy", "numba", "redis")
HOPS: Final = (
    ("polytraders_decision_duration_seconds", "From receiving a frame to its decision", "feed → book → decision"),
    ("polytraders_commit_duration_seconds", "From the decision to its commit", "decision → commit"),
    ("polytraders_kill_fence_duration_seconds", "From asking for a kill to the fence's file", "kill → fence"),
)
STORES: Final = """
SELECT current_setting('server_version'), pg_database_size(current_database()),
       (SELECT extract(epoch FROM clock_timestamp() - updated_at) FROM log_head WHERE shard = %(shard)s),
       (SELECT seq FROM log_head WHERE shard = %(shard)s),
       (SELECT first_seq FROM log_floor WHERE shard = %(shard)s ORDER BY first_seq DESC LIMIT 1),
       (SELECT in_seq FROM log_checkpoint WHERE shard = %(shard)s ORDER BY in_seq DESC LIMIT 1),
       (SELECT made_at FROM log_checkpoint WHERE shard = %(shard)s ORDER BY in_seq DESC LIMIT 1),
       (SELECT count(*) FROM inbox WHERE shard = %(shard)s),
       (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()),
       (SELECT encode(input_head, 'hex') FROM log_head WHERE shard = %(shard)s),
       (SELECT encode(output_link, 'hex') FROM log_head WHERE shard = %(shard)s)"""
STORE_NAMES: Final = (
    "version", "bytes", "commit_age_s", "seq", "floor", "checkpoint_seq", "checkpoint_at", "inbox", "connections",
    "input_head", "output_head",
)  # fmt: skip


class Process(NamedTuple):
    """A process as it last told of itself: `state` ok, late or never."""

    name: str
    state: str
    age_ns: int | None
    words: str


def processes(loop: LoopRecord | None, loop_age_ns: int, pulses: dict[str, PulseRecord]) -> list[Process]:
    """Loop, worker, beat, and the regular looks, each with its age."""
    said = "never ran" if loop is None else f"{loop.state}, pid {loop.pid}, {loop.rss_bytes >> 20:,} MiB"
    found = [Process("loop", _state(loop_age_ns if loop else None, 10.0), loop_age_ns if loop else None, said)]
    for name, late_s, words in (
        ("worker", 60.0, "does the jobs"),
        ("beat", 60.0, "gives them out"),
        ("health", WATCHED_S, "the look at the system, every 30 s"),
        ("watchman", 180.0, "in the web process: sees to it that somebody looks"),
    ):
        row = pulses.get(name)
        age = None if row is None else max(0, int((timezone.now() - row.at).total_seconds() * 1e9))
        told = f"{words}, pid {row.told['pid']}" if row is not None and "pid" in row.told else words
        found.append(Process(name, _state(age, late_s), age, told))
    found.append(Process("web", "ok", 0, f"this page, pid {os.getpid()}"))
    return found


def _state(age_ns: int | None, late_s: float) -> str:
    return "never" if age_ns is None else "late" if age_ns > late_s * 1e9 else "ok"


def stores(shard: int = 0) -> dict[str, Any]:
    """The database and the log in it; one question."""
    with connection.cursor() as cursor:
        cursor.execute(STORES, {"shard": shard})
        found = dict(zip(STORE_NAMES, cursor.fetchone(), strict=True))
    age = found.pop("commit_age_s")
    return found | {"commit_age_ns": None if age is None else int(float(age) * 1e9)}


def valkey() -> dict[str, Any]:
    """Whether broker and hints' server answers, and how many jobs wait; never longer than a part of a second."""
    if not settings.REDIS_URL:
        return {"state": "none", "words": "REDIS_URL is not set"}
    client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=VALKEY_S, socket_connect_timeout=VALKEY_S)
    try:
        told: Any = client.info()
        waiting: Any = client.llen(QUEUE)
    except (redis.RedisError, OSError) as error:
        return {"state": "down", "words": type(error).__name__}
    finally:
        client.close()
    words = f"{told.get('valkey_version') or told.get('redis_version')}, {told['used_memory'] >> 10:,} KiB"
    return {"state": "up", "words": words, "waiting": waiting}


def disk() -> dict[str, Any]:
    """Of the folder where everything is kept."""
    try:
        found = shutil.disk_usage(settings.HOME)
    except OSError as error:
        return {"words": type(error).__name__}
    return {"free": found.free, "total": found.total, "share": found.free / found.total}


def versions() -> list[tuple[str, str]]:
    """Of what runs here."""
    found = [("Python", platform.python_version()), ("system", f"{platform.system()} {platform.release()}")]
    for name in PACKAGES:
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            found.append((name, "not installed"))
    return found


def in_force() -> list[tuple[str, str]]:
    """Settings, without what is secret."""
    told: Sequence[tuple[str, Any]] = (
        ("POLYTRADERS_HOME", settings.HOME),
        ("POLYTRADERS_VENUE", settings.VENUE),
        ("POLYTRADERS_SPEED", settings.SPEED),
        ("POLYTRADERS_SEED", settings.SEED),
        ("POLYTRADERS_FAMILIES", ", ".join(settings.FAMILIES) or "all"),
        ("POLYTRADERS_STRATEGIES", ", ".join(settings.STRATEGIES)),
        ("POLYTRADERS_CHECKPOINT_INPUTS", f"{settings.CHECKPOINT_INPUTS:,}"),
        ("POLYTRADERS_LAKE", settings.LAKE),
        ("POLYTRADERS_RETENTION_DAYS", settings.ENVIRON.get("POLYTRADERS_RETENTION_DAYS", "everything is kept")),
        ("POLYTRADERS_HOSTS", ", ".join(settings.ALLOWED_HOSTS)),
        ("POLYTRADERS_HTTPS", int(settings.HTTPS)),
        ("POLYTRADERS_DEBUG", int(settings.DEBUG)),
        ("DATABASE_URL", server(settings.DATABASE_URL)),
        ("REDIS_URL", server(settings.REDIS_URL)),
        *(
            (f"alerts by {name}", "ready" if is_ready else "not set")
            for name, is_ready in settings.ALERTS.ready().items()
        ),
    )
    return [(name, without_secrets(str(value))) for name, value in told]


def server(url: str | None) -> str:
    """Where a server is, without user and password."""
    if not url:
        return "not set"
    found = urlsplit(url)
    host = found.hostname or ""
    return f"{found.scheme}://{host}{f':{found.port}' if found.port else ''}{found.path}"


def config_hash() -> str:
    """SHA-256 of the settings above, so that two installations can be compared by one line."""
    return hashlib.sha256("\n".join(f"{name}={value}" for name, value in in_force()).encode()).hexdigest()


def hops(text: str) -> list[tuple[str, str, Histogram]]:
    """Histograms that the loop last told, those with something in them: title, hop, picture."""
    wanted = {name: (title, hop) for name, title, hop in HOPS}
    found = []
    for family in text_string_to_metric_families(text):
        if family.name not in wanted:
            continue
        buckets = sorted(
            (float(sample.labels["le"]), sample.value) for sample in family.samples if sample.name.endswith("_bucket")
        )
        if buckets and buckets[-1][1] > 0:
            found.append((*wanted[family.name], histogram(buckets)))
    return found


def ago_ns(moment: dt.datetime | None) -> int | None:
    """Since a moment; None = never."""
    return None if moment is None else max(0, int((timezone.now() - moment).total_seconds() * 1e9))
