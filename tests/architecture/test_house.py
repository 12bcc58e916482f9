"""The house: locks, documents, commands and stage pages say the same."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from django.apps import apps as registered
from django.conf import settings

from polytraders.contracts.reasons import OWNERS

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
REPLAY = (ROOT / "docs/replay.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
LOCKS = sorted([*ROOT.glob("requirements*.lock"), *ROOT.glob("benchmarks/peers/*.lock")])
STAGES = list(enumerate(OWNERS[1:], 1))
TITLES = re.findall(r"^\| (\d+) \| ([^|]+) \| ([^|]+) \| `apps/(\w+)` \|", README, re.MULTILINE)


def direct(requirements: Path) -> set[str]:
    """Packages that a requirements file asks for by name."""
    lines = [line.strip() for line in requirements.read_text(encoding="utf-8").splitlines()]
    return {re.split(r"[<>=!~\[; ]", line)[0] for line in lines if line and not line.startswith(("-", "#"))}


def test_every_lock_is_hashed_and_names_no_host() -> None:
    assert {lock.name for lock in LOCKS} == {
        "requirements.lock", "requirements-dev.lock", "requirements-uv.lock", "requirements-peers.lock",
    }  # fmt: skip
    for lock in LOCKS:
        text = lock.read_text(encoding="utf-8")
        assert "://" not in text, lock.name
        assert "--index" not in text, lock.name
        pins = re.findall(r"^[\w.-]+==\S+", text, re.MULTILINE)
        entries = re.split(r"\n(?=[\w])", text.strip())
        assert len(pins) == len(entries), lock.name
        assert all("--hash=sha256:" in entry for entry in entries), lock.name


def test_every_direct_dependency_is_locked_and_explained() -> None:
    explained = set(re.findall(r"^\| ([\w-]+) \| .+\.? \|$", (ROOT / "docs/dependencies.md").read_text(), re.MULTILINE))
    for lock in LOCKS:
        wanted = direct(lock.with_suffix(".in"))
        pinned = set(re.findall(r"^([\w.-]+)==", lock.read_text(encoding="utf-8"), re.MULTILINE))
        assert wanted, lock.name
        assert {name.replace("_", "-") for name in wanted} <= pinned, lock.name
        assert wanted <= explained, f"docs/dependencies.md has no line for {wanted - explained}"


def test_every_command_of_the_readme_exists_and_sets_itself_up() -> None:
    commands = set(re.findall(r"make ([a-z-]+)", README))
    assert {"run", "test", "setup", "check", "bench", "bench-peers", "format", "mutants", "faults", "soak"} == commands
    for command in commands - {"setup"}:
        assert re.search(rf"^{command}: setup\b", MAKEFILE, re.MULTILINE), command
    assert re.search(r"^setup: \$\(READY\)$", MAKEFILE, re.MULTILINE)


def test_whatever_make_starts_can_be_started() -> None:
    modules = sorted(set(re.findall(r" -m ([\w.]+)", MAKEFILE)))
    assert {"tests.faults.campaign", "tests.faults.soak", "tests.mutants", "benchmarks.run"} <= set(modules)
    environ = {name: value for name, value in os.environ.items() if name != "FAULTS_SEED"}
    done = subprocess.run(
        [sys.executable, "-c", f"import {', '.join(modules)}"], cwd=ROOT, env=environ, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_readme_begins_with_five_lines_about_what_it_is() -> None:
    opening = README.split("\n\n")
    assert opening[0] == "# Polytraders"
    assert len(opening[1].splitlines()) == 5


def test_the_stage_table_has_eleven_rows_in_the_order_of_the_loop() -> None:
    assert [(int(number), app) for number, _, _, app in TITLES] == STAGES


def test_every_stage_is_an_app_with_its_title() -> None:
    assert [f"apps.{app}" for _, app in STAGES] == [
        name for name in settings.INSTALLED_APPS if name.startswith("apps.")
    ]
    for number, title, _, app in TITLES:
        assert registered.get_app_config(app).verbose_name == f"Stage {number}: {title}"


@pytest.mark.parametrize(("number", "app"), STAGES)
def test_every_stage_page_says_what_the_stage_is_and_never_does(number: int, app: str) -> None:
    page = ast.get_docstring(ast.parse((ROOT / "apps" / app / "__init__.py").read_text(encoding="utf-8"))) or ""
    title = next(title for found, title, _, _ in TITLES if int(found) == number)
    lines = page.splitlines()
    assert lines[0].startswith(f"Stage {number}: {title}.")
    assert lines[2].endswith("?"), "the stage's question"
    for heading in ("In: ", "Out: ", "Codes: ", "Never: "):
        assert any(line.startswith(heading) for line in lines), heading


def test_execution_says_first_that_it_never_sends() -> None:
    first = (ROOT / "apps/execution/__init__.py").read_text(encoding="utf-8").splitlines()[0]
    assert "predicts" in first
    assert "never sends an order" in first


def test_the_examples_of_files_are_toml() -> None:
    examples = re.findall(r"```toml\n(.*?)```", REPLAY, re.DOTALL)
    assert len(examples) == 2
    market = tomllib.loads(examples[0])["market"][0]
    assert {"id", "tokens", "min_size", "fee", "taker_delay_ms", "neg_risk", "close_time", "cluster"} == set(market)
    assert len(market["tokens"]) == 2
    assert tomllib.loads(examples[1])


def test_documents_name_only_files_that_exist() -> None:
    for name in (
        "README.md",
        "ARCHITECTURE.md",
        "docs/dependencies.md",
        "docs/operations.md",
        "docs/alerts.md",
        *map(str, ROOT.glob("docs/adr/*.md")),
    ):
        text = (ROOT / name).read_text(encoding="utf-8")
        for path in re.findall(r"`((?:polytraders|apps|tests|docs|benchmarks)/[\w./-]+)`", text):
            assert (ROOT / path).exists(), f"{name} names {path}"


def test_the_codemap_names_every_module_of_the_package() -> None:
    codemap = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    for path in (ROOT / "polytraders").glob("*.py"):
        assert path.name == "__init__.py" or path.name in codemap, path.name


def test_decisions_are_numbered_without_a_gap() -> None:
    numbers = [int(path.name[:4]) for path in sorted(ROOT.glob("docs/adr/*.md"))]
    assert numbers[:3] == [1, 2, 3]
    assert numbers == list(range(1, len(numbers) + 1))


def test_continuous_integration_runs_make_check() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert re.search(r"^make check\b", script.read_text(encoding="utf-8"), re.MULTILINE)
    for step in ("ruff check", "ruff format --check", "mypy", "lint-imports", "manage.py check", "pytest"):
        assert f"/{step}" in MAKEFILE or step in MAKEFILE, step


def test_the_web_half_never_loads_the_loop_or_numba() -> None:
    program = (
        "import sys, polytraders.asgi, polytraders.celery; polytraders.celery.app.loader.import_default_modules();"
        "print(sorted({'numba', 'llvmlite', 'polytraders.loop'} & set(sys.modules)))"
    )
    environ = {**os.environ, "DJANGO_SETTINGS_MODULE": "polytraders.settings"}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_the_readme_names_every_setting_that_is_read() -> None:
    trees = [
        ast.parse((ROOT / "polytraders" / name).read_text(encoding="utf-8"))
        for name in ("settings.py", "addressbook.py")
    ]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    words = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    names = {word for word in words if re.fullmatch(r"POLYTRADERS_[A-Z_]+|DATABASE_(OWNER_)?URL|REDIS_URL|PORT", word)}
    table = README.partition("## The environment")[2].partition("\n## ")[0]
    # Set by the image and by the supervisor only.
    assert names - {"POLYTRADERS_STATIC_ROOT", "POLYTRADERS_PROCESS"} == names & set(re.findall(r"`([A-Z_]+)`", table))
