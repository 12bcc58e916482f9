"""The import contracts hold, and each planted violation is caught by the contract that forbids it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ARROWS = "Arrows point one way, and eight stages never import each other"
PLACES = "Every app has a place in the order"
MODULES = "Every module of the project package has a place in the order"
PURE = "Cores, loop, kernel, strategies and contracts touch nothing outside"
CONTRACTS = "Contracts need numpy and the standard library only"
VENUES = "Venues import kernel and contracts only"
PAPER = "The loop knows the paper venue and no other"
WEB = "The web half never loads the loop or numba"
CYCLES = "No cycles at any depth"

# (what is wrong, files to append to or make, contract that catches it)
VIOLATIONS: list[tuple[str, dict[str, str], str]] = [
    ("risk imports oms", {"apps/risk/core/edge.py": "import apps.oms.core.lifecycle"}, ARROWS),
    ("a core imports django", {"apps/signals/core/features.py": "from django.db import models"}, PURE),
    ("a contract imports an app", {"polytraders/contracts/market.py": "import apps.registry.core"}, ARROWS),
    (
        "ledger shows another stage's rows",
        {"apps/oms/models.py": "", "apps/ledger/views.py": "from apps.oms import models"},
        ARROWS,
    ),
    ("an estimate asks the network", {"apps/execution/core/walk.py": "from urllib import request"}, PURE),
    ("a contract needs scipy", {"polytraders/contracts/features.py": "import scipy"}, CONTRACTS),
    ("the log imports a stage", {"apps/eventlog/core/lag.py": "import apps.registry.core"}, ARROWS),
    ("the loop imports a real venue", {"polytraders/loop.py": "import polytraders.venues.polymarket.messages"}, PAPER),
    ("a venue imports an app", {"polytraders/venues/paper/venue.py": "import apps.ledger.core"}, VENUES),
    ("an app without a place", {"apps/arbitrage/__init__.py": ""}, PLACES),
    ("a module without a place", {"polytraders/arbitrage.py": ""}, MODULES),
    ("web loads the loop", {"polytraders/urls.py": "import polytraders.loop"}, WEB),
    (
        "two modules that need each other",
        {
            "apps/risk/core/edge.py": "import apps.risk.core.sizing",
            "apps/risk/core/sizing.py": "import apps.risk.core.edge",
        },
        CYCLES,
    ),
]


def lint(tree: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the sources, to be spoilt."""
    for folder in ("polytraders", "apps"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_clean_tree_keeps_every_contract(tree: Path) -> None:
    done = lint(tree)
    assert done.returncode == 0, done.stdout
    assert " 0 broken." in done.stdout
    for contract in {contract for _, _, contract in VIOLATIONS}:
        assert f"{contract} KEPT" in done.stdout


@pytest.mark.parametrize(("files", "contract"), [case[1:] for case in VIOLATIONS], ids=[case[0] for case in VIOLATIONS])
def test_a_planted_violation_is_caught(files: dict[str, str], contract: str, tree: Path) -> None:
    for name, line in files.items():
        path = tree / name
        path.parent.mkdir(exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(f"\n{line}\n")
    done = lint(tree)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"{contract} BROKEN" in done.stdout, done.stdout
