"""The mutation harness itself: its changes still fit the sources, and it tells a killed mutant from a survivor."""

from pathlib import Path

import pytest

from polytraders.contracts.checks import CHECKS
from tests import mutants, mutations

ROOT = Path(__file__).resolve().parents[1]
ALL = mutations.every(ROOT)


@pytest.mark.parametrize("mutant", ALL, ids=lambda mutant: mutant.name)
def test_a_mutant_changes_one_place_of_a_source_that_still_parses(mutant: mutations.Mutant) -> None:
    text = (ROOT / mutant.file).read_text(encoding="utf-8")
    compile(mutations.applied(mutant, text), mutant.file, "exec")
    assert all((ROOT / test).is_file() for test in mutant.tests)


def test_every_check_has_its_mutant_and_no_two_are_the_same() -> None:
    names = [mutant.name for mutant in ALL]
    assert {f"{check.name} always approves" for check in CHECKS} <= set(names)
    assert len(set(names)) == len(names)


def test_a_mutant_that_fits_nowhere_or_twice_is_an_error() -> None:
    mutant = mutations.OTHERS[0]
    for text in ("", mutant.old * 2):
        with pytest.raises(mutations.OutdatedError):
            mutations.applied(mutant, text)


def test_the_harness_tells_a_killed_mutant_from_a_survivor(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "rule.py").write_text("LIMIT = 1\nUNSEEN = 1\n", encoding="utf-8")
    (tmp_path / "tests" / "test_rule.py").write_text(
        "import rule\n\n\ndef test_it():\n    assert rule.LIMIT == 1\n", encoding="utf-8"
    )
    tests = ("tests/test_rule.py",)
    seen = mutations.Mutant("seen", "rule.py", "LIMIT = 1", "LIMIT = 2", tests)
    unseen = mutations.Mutant("unseen", "rule.py", "UNSEEN = 1", "UNSEEN = 2", tests)
    killers = []
    for mutant in (seen, unseen):
        with mutants.changed(tmp_path, mutant):
            killers.append(mutants.ran(tmp_path, tests))
    assert killers == ["tests/test_rule.py::test_it", ""]
    assert (tmp_path / "rule.py").read_text(encoding="utf-8") == "LIMIT = 1\nUNSEEN = 1\n"
