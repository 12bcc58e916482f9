"""docker-compose.yml and Dockerfile, read as data: that they fit the settings and are closed needs no engine."""

import ast
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from polytraders.supervisor.binaries import postgres_bin
from polytraders.supervisor.healthy import healthy
from polytraders.supervisor.plan import NAMES
from polytraders.supervisor.postgres import APP, OWNER, SUPERUSER, Postgres

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("migrate", "web", "loop", "worker", "beat")
READ_ELSEWHERE = {"POLYTRADERS_PROCESS", "POLYTRADERS_READY_FILE", "POLYTRADERS_HOME", "POLYTRADERS_STATIC_ROOT"}


def read_by_settings() -> set[str]:
    """Names that settings.py takes from the environment, as its source says."""
    tree = ast.parse((ROOT / "polytraders/settings.py").read_text(encoding="utf-8"))
    words = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return {word for word in words if re.fullmatch(r"POLYTRADERS_[A-Z_]+|DATABASE_(OWNER_)?URL|REDIS_URL|PORT", word)}


def test_production_has_these_services() -> None:
    assert set(SERVICES) == {"postgres", "valkey", "kill", *OURS}
    assert set(SERVICES) <= set(NAMES)
    assert SERVICES["postgres"]["image"] == "postgres:18"


@pytest.mark.parametrize("name", OURS)
def test_every_name_in_the_environment_is_read_by_somebody(name: str) -> None:
    assert set(SERVICES[name]["environment"]) <= read_by_settings() | READ_ELSEWHERE
    assert {"DATABASE_URL", "REDIS_URL", "POLYTRADERS_SECRET_KEY"} <= set(SERVICES[name]["environment"])


def test_only_who_changes_tables_gets_the_owner() -> None:
    assert {name for name in OURS if "DATABASE_OWNER_URL" in SERVICES[name]["environment"]} == {"migrate", "worker"}


def test_the_kill_endpoint_gets_its_own_key_and_no_other_secret() -> None:
    kill = SERVICES["kill"]["environment"]
    assert set(kill) <= read_by_settings() | READ_ELSEWHERE
    assert "POLYTRADERS_KILL_KEY" in kill and "DATABASE_URL" in kill
    assert not {"POLYTRADERS_SECRET_KEY", "DATABASE_OWNER_URL", "REDIS_URL"} & set(kill)
    assert "depends_on" not in SERVICES["kill"], "it waits for nobody"


def test_no_secret_has_a_default() -> None:
    for variable in re.findall(r"(?<!\$)\$\{([^}]+)\}", TEXT):
        if re.search(r"PASSWORD|SECRET|KEY|TOKEN", variable.split(":")[0]):
            assert ":?" in variable, variable
    for service in SERVICES.values():
        for key, value in service["environment"].items():
            if re.search(r"PASSWORD|SECRET|URL$", key):
                assert ":?" in value, key


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_service_is_closed(name: str) -> None:
    service = SERVICES[name]
    assert int(service["user"].split(":")[0]) > 0
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert any(place.startswith("/tmp") for place in service["tmpfs"])
    assert "privileged" not in service


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"migrate"}))
def test_every_lasting_service_is_watched_and_comes_back(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    assert SERVICES[name]["restart"] == "unless-stopped"


def test_the_console_is_reached_through_loopback_only_and_servers_not_at_all() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(published) == {"web", "kill"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)


def test_what_starts_waits_for_the_migrations() -> None:
    for name in ("web", "loop", "worker", "beat"):
        assert SERVICES[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert SERVICES["migrate"]["depends_on"]["postgres"] == {"condition": "service_healthy"}


def test_files_that_are_mounted_exist_and_the_roles_script_can_run() -> None:
    for mount in SERVICES["postgres"]["volumes"]:
        source = mount.split(":")[0]
        if source.startswith("./"):
            assert (ROOT / source).is_file(), source
    script = ROOT / "deploy/roles.sh"
    assert os.access(script, os.X_OK)
    placed = set(re.findall(r":'(\w+)'", (ROOT / "polytraders/supervisor/roles.sql").read_text(encoding="utf-8")))
    assert placed == set(re.findall(r"\\getenv (\w+) ", script.read_text(encoding="utf-8")))


def test_the_roles_script_makes_both_roles_with_the_passwords_given(tmp_path: Path) -> None:
    with Postgres(tmp_path, durable=False) as server:
        environ = {
            "PATH": f"{postgres_bin()}:{os.environ['PATH']}", "PGHOST": "127.0.0.1", "PGPORT": str(server.port),
            "PGPASSWORD": (tmp_path / "secrets" / SUPERUSER).read_text(), "POLYTRADERS_APP_PASSWORD": "it's \\ mine",
            "POLYTRADERS_OWNER_PASSWORD": "theirs", "ROLES": str(ROOT / "polytraders/supervisor/roles.sql"),
        }  # fmt: skip
        done = subprocess.run([ROOT / "deploy/roles.sh"], env=environ, capture_output=True, text=True, timeout=30)
        assert (done.returncode, done.stderr) == (0, "")
        for role, password in ((APP, "it's \\ mine"), (OWNER, "theirs")):
            with psycopg.connect(
                host="127.0.0.1", port=server.port, dbname="polytraders", user=role, password=password
            ) as made:
                assert made.execute("SELECT current_user::text").fetchone() == (role,)


def test_the_image_installs_by_hash_and_ends_as_an_ordinary_user() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    assert any("--require-hashes -r requirements.lock" in line for line in lines)
    assert [line for line in lines if line.startswith("USER")][-1] == f"USER {SERVICES['web']['user']}"


def test_a_health_check_tells_a_dead_service_from_a_living_one(tmp_path: Path) -> None:
    assert not healthy(["file", str(tmp_path / "ready")])
    (tmp_path / "ready").touch()
    assert healthy(["file", str(tmp_path / "ready")])
    assert not healthy(["http", "1", "/login"])
    with pytest.raises(ValueError, match="ask for"):
        healthy(["http"])
