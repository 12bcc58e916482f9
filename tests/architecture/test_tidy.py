"""The tree keeps its own rules, and each rule notices when it is broken."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.architecture import rules

ROOT = Path(__file__).resolve().parents[2]
Rule = Callable[[Path], list[str]]

PLANTED: list[tuple[Rule, str, str]] = [
    (rules.ways_round_the_gate, "apps/risk/core/gate.py", "def decide(votes, force=False): ..."),
    (rules.ways_round_the_gate, "apps/oms/core/lifecycle.py", "skip_checks = 1"),
    (rules.ways_round_the_gate, "polytraders/loop.py", "judge(state, bypass_risk=True)"),
    (rules.impure_imports, "apps/signals/core/windows.py", "import time"),
    (rules.impure_imports, "polytraders/loop.py", "from datetime import datetime"),
    (rules.impure_imports, "polytraders/strategies/logit.py", "import numpy as np\nx = np.random.rand()"),
    (rules.impure_imports, "polytraders/kernel/money.py", "import os"),
    (rules.impure_imports, "apps/execution/core/walk.py", "from urllib import request"),
    (rules.approvals_made_elsewhere, "apps/oms/core/lifecycle.py", "trade = decision.ApprovedTrade(size=1)"),
    (rules.verdicts_not_from_the_gate, "polytraders/loop.py", "kind = APPROVAL"),
    (rules.verdicts_not_from_the_gate, "polytraders/emit.py", "o.kind = s.APPROVAL if lucky() else s.PACKET"),
    (rules.orders_not_from_an_approval, "polytraders/deciding.py", "trading.place(pf, trade)"),
    (rules.orders_not_from_an_approval, "apps/oms/tasks.py", "if kind == APPROVAL:\n    trading.place(pf, trade)"),
    (rules.drawers, "apps/risk/utils.py", ""),
    (rules.drawers, "polytraders/services/orders.py", ""),
    (rules.long_files, "polytraders/loop.py", "x = 1\n" * 401),
    (rules.long_functions, "polytraders/loop.py", "def f():\n" + "    x = 1\n" * 60),
    (rules.unfinished, "polytraders/loop.py", "# TODO: later"),
    (rules.unfinished, "apps/oms/core/lifecycle.py", "raise NotImplementedError"),
    (rules.machine_paths, "polytraders/loop.py", 'x = "/home/somebody/data"'),
    (rules.mocks_of_our_own, "tests/test_loop.py", "from unittest import mock"),
    (rules.mocks_of_our_own, "tests/test_loop.py", "from unittest.mock import patch"),
    (rules.wishful_test_names, "tests/test_loop.py", "def test_it_should_work(): ..."),
]

ALLOWED: list[tuple[Rule, str, str]] = [
    (rules.ways_round_the_gate, "apps/risk/core/gate.py", "enforced_limit = 1"),
    (rules.impure_imports, "polytraders/kernel/jit.py", "import os"),
    (rules.approvals_made_elsewhere, "apps/risk/core/gate.py", "trade = ApprovedTrade(size=1)"),
    (rules.verdicts_not_from_the_gate, "polytraders/loop.py", "kind = APPROVAL if gate.approves(votes) else PACKET"),
    (rules.verdicts_not_from_the_gate, "polytraders/cli.py", "approved = out['kind'] == APPROVAL"),
    (rules.orders_not_from_an_approval, "polytraders/deciding.py", "if kind == APPROVAL:\n    trading.place(pf, t)"),
    (rules.long_functions, "polytraders/loop.py", "def f():\n" + "    x = 1\n" * 59),
]


def plant(tmp_path: Path, where: str, text: str) -> Path:
    path = tmp_path / where
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_the_tree_keeps_the_rule(rule: Rule) -> None:
    assert rule(ROOT) == []


@pytest.mark.parametrize(("rule", "where", "text"), PLANTED)
def test_a_planted_offence_is_found(rule: Rule, where: str, text: str, tmp_path: Path) -> None:
    assert rule(plant(tmp_path, where, text)) != []


@pytest.mark.parametrize(("rule", "where", "text"), ALLOWED)
def test_what_is_meant_is_allowed(rule: Rule, where: str, text: str, tmp_path: Path) -> None:
    assert rule(plant(tmp_path, where, text)) == []


def test_every_rule_has_a_planted_offence() -> None:
    assert {rule for rule, _, _ in PLANTED} == set(rules.RULES)


def test_the_project_package_is_empty_at_its_top() -> None:
    assert (ROOT / "polytraders" / "__init__.py").read_text(encoding="utf-8") == ""


def test_half_of_the_files_are_read_in_one_sitting() -> None:
    lengths = sorted(len(path.read_text(encoding="utf-8").splitlines()) for path in rules.own(ROOT))
    assert lengths[len(lengths) // 2] <= 150


def first_test(path: Path) -> str:
    found = re.search(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    return found.group(1) if found else ""


def test_every_core_module_has_its_test_and_it_begins_with_the_worked_example() -> None:
    missing = []
    for path in rules.python_files(ROOT, "apps/*/core"):
        if path.name == "__init__.py":
            continue
        test = ROOT / "tests" / path.parts[-3] / f"test_{path.name}"
        if not test.exists() or first_test(test) != "test_worked_example":
            missing.append(str(test.relative_to(ROOT)))
    assert missing == []
