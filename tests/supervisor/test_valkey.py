"""A Valkey of our own, hints over it, and jobs that a killed worker held."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
import redis

from polytraders.settings import broker, channel_layer
from polytraders.supervisor.valkey import Valkey
from tests.supervisor.processes import until

ROOT = Path(__file__).resolve().parents[2]


def test_it_listens_on_a_socket_that_nobody_else_opens_and_wants_a_password(valkey_server: Valkey) -> None:
    assert stat.S_ISSOCK(valkey_server.socket.stat().st_mode)
    assert stat.S_IMODE(valkey_server.socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(valkey_server.socket.parent.stat().st_mode) == 0o700
    stranger = redis.Redis(unix_socket_path=str(valkey_server.socket))
    with stranger, pytest.raises(redis.exceptions.AuthenticationError):
        stranger.ping()
    with redis.Redis.from_url(valkey_server.url) as client:
        assert client.config_get("port") == {"port": "0"} or client.config_get("port")[b"port"] == b"0"


def test_its_password_is_on_no_command_line(valkey_server: Valkey) -> None:
    assert valkey_server.process is not None
    line = Path(f"/proc/{valkey_server.process.pid}/cmdline").read_bytes().decode()
    assert (valkey_server.folder / "secrets" / "valkey").read_text() not in line


def test_what_it_held_is_there_after_a_kill(valkey_server: Valkey) -> None:
    with redis.Redis.from_url(valkey_server.url) as client:
        client.set("kept", "1")
        until(lambda: client.info("persistence")["aof_pending_bio_fsync"] == 0, "everything is written")
    valkey_server.kill()
    valkey_server.start()
    with redis.Redis.from_url(valkey_server.url) as client:
        assert client.get("kept") in (b"1", "1")


def test_a_deep_folder_does_not_make_the_sockets_path_too_long(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    with Valkey(deep) as server, redis.Redis.from_url(server.url) as client:
        assert client.ping()


async def test_a_hint_arrives_after_a_silence_longer_than_the_clients_time_out(valkey_server: Valkey) -> None:
    from channels_redis.pubsub import RedisPubSubChannelLayer

    described = channel_layer(valkey_server.url)
    layer = RedisPubSubChannelLayer(**described["CONFIG"])
    channel = await layer.new_channel()
    await layer.group_add("console", channel)
    received = asyncio.create_task(layer.receive(channel))
    # The client gives up a read after five seconds unless told otherwise: this wait is what is tested.
    done, _ = await asyncio.wait({received}, timeout=6.0)
    assert not done
    await layer.group_send("console", {"type": "changed"})
    assert await asyncio.wait_for(received, 5.0) == {"type": "changed"}
    await layer.flush()


def test_a_job_whose_worker_was_killed_runs_again(valkey_server: Valkey, tmp_path: Path) -> None:
    mark = str(tmp_path / "runs")
    ready = tmp_path / "ready"
    environ = {
        **os.environ, "REDIS_URL": valkey_server.url, "POLYTRADERS_READY_FILE": str(ready), "JOB_RUNS": mark,
        "DJANGO_SETTINGS_MODULE": "polytraders.settings",
    }  # fmt: skip
    command = [
        sys.executable,
        "-m",
        "celery",
        "-q",
        "-A",
        "tests.supervisor.jobs",
        "worker",
        "-c",
        "1",
        "--without-mingle",
    ]
    with (tmp_path / "worker.log").open("wb") as log:
        worker = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=log, stderr=subprocess.STDOUT)
    try:
        until(ready.exists, "the worker is ready", 30.0)
        from celery import Celery

        key = uuid.uuid4().hex
        with Celery(broker=broker(valkey_server.url)) as sender:
            sender.send_task("tests.supervisor.jobs.hold", args=[key], ignore_result=True)
        until(lambda: Path(mark).exists(), "the job has begun")
        os.kill(int(Path(mark).read_text().split()[1]), signal.SIGKILL)
        until(lambda: len(Path(mark).read_text().splitlines()) == 2, "the job has begun again")
        first, second = (line.split() for line in Path(mark).read_text().splitlines())
        assert first[0] == second[0] == key
        assert first[1] != second[1]
    finally:
        worker.kill()
        worker.wait()
