"""The registry is closed: nothing renumbered, nothing unused, nothing said by another stage."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from polytraders.contracts import reasons
from polytraders.contracts.checks import APPROVED, CHECKS, code_of
from polytraders.contracts.reasons import OWNERS, PATTERN, REASONS, SEVERITIES

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = Path(__file__).with_name("reasons.golden.txt")
REGISTRY_FILES = {"reason.py", "reasons.py", "reasons_market.py", "reasons_trade.py", "reasons_operate.py"}
# The check that reads a stage's artefact belongs to that stage; all others are the gate's own.
CHECK_OWNERS = {
    "instrument": "registry", "registry_fresh": "registry", "book_valid": "ingest", "book_crossed": "ingest",
    "features": "fairvalue", "reference": "fairvalue", "fair_value": "fairvalue", "band": "fairvalue",
    "fillable": "execution",
}  # fmt: skip
# Code outside the apps speaks for the stage whose face it is.
VENUE_OWNERS = {"polymarket": "ingest", "binance": "ingest", "paper": "oms", "streaming.py": "ingest"}
FACE_OWNERS = {
    "polymarket/gamma.py": "registry", "polymarket/listing.py": "registry", "polymarket/catalogue.py": "registry",
    "polymarket/settlement.py": "ledger",
}  # fmt: skip


def literals(path: Path) -> Iterator[str]:
    """String constants of a file that are exactly a code."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and PATTERN.match(node.value):
            yield node.value


def sources(*folders: str) -> list[Path]:
    return sorted(
        path for folder in folders for path in (ROOT / folder).rglob("*.py") if path.name not in REGISTRY_FILES
    )


def owner_of(path: Path) -> str | None:
    """The app a file speaks for, None where it may name any code (contracts, loop, wiring, rendering)."""
    parts = path.relative_to(ROOT).parts
    if parts[0] == "apps":
        return parts[1]
    if parts[:2] == ("polytraders", "venues"):
        return FACE_OWNERS.get("/".join(parts[2:]), VENUE_OWNERS.get(parts[2]))
    return None


def test_worked_example() -> None:
    found = reasons.reason("GOV_INSTRUMENT_UNKNOWN")
    assert (found.number, found.stage, found.owner, found.severity) == (101, 1, "registry", "hard_reject")
    assert reasons.by_number(101) == found


def test_codes_and_numbers_are_unique_and_well_formed() -> None:
    assert len({r.code for r in REASONS}) == len({r.number for r in REASONS}) == len(REASONS)
    for r in REASONS:
        assert PATTERN.match(r.code), r.code
        assert not any(word.rstrip("SM").isdigit() for word in r.code.split("_")), f"a threshold in {r.code}"
        assert reasons.number(r.code) == r.number


def test_every_code_says_what_it_means_and_what_to_do() -> None:
    for r in REASONS:
        assert r.severity in SEVERITIES, r.code
        assert r.meaning.endswith(".") and len(r.meaning) > 20, r.code
        assert r.action.endswith("."), r.code
        assert not r.replaced_by or reasons.reason(r.replaced_by), r.code


def test_stage_and_owner_go_together_and_numbers_cannot_be_taken_for_check_bits() -> None:
    for r in REASONS:
        assert 1 <= r.stage <= 11, r.code
        assert r.owner == OWNERS[r.stage], r.code
        assert r.number // 100 == r.stage, r.code
        assert r.number > APPROVED, r.code


def test_released_codes_keep_their_numbers() -> None:
    released = [line.split() for line in GOLDEN.read_text(encoding="utf-8").splitlines()]
    assert released, "the golden list is empty"
    now = {r.code: r.number for r in REASONS}
    assert {code: now.get(code) for _, code in released} == {code: int(number) for number, code in released}
    assert len(released) == len(now), "append new codes to tests/contracts/reasons.golden.txt"


def test_every_check_names_a_code_of_its_stage() -> None:
    for check in CHECKS:
        assert reasons.reason(check.code).owner == CHECK_OWNERS.get(check.name, "risk"), check.name
    assert set(CHECK_OWNERS) <= {check.name for check in CHECKS}
    assert reasons.reason(code_of(APPROVED)).owner == "risk"


def test_precedence_is_the_place_of_the_first_check_with_the_code() -> None:
    assert reasons.precedence("RISK_KILL_SWITCH_ACTIVE") == 0
    assert reasons.precedence("STRAT_AWAITING_RANK") == len(CHECKS) - 1
    assert reasons.precedence("EXEC_FILL") is None


def test_codes_in_use_are_used_and_reserved_ones_are_not() -> None:
    used = {code for path in sources("polytraders", "apps") for code in literals(path)}
    known = {r.code for r in REASONS}
    assert used - known == set(), "codes that are not in the registry"
    assert sorted(r.code for r in REASONS if not r.reserved_for and r.code not in used) == [], "unused: reserve them"
    assert sorted(r.code for r in REASONS if r.reserved_for and r.code in used) == [], "used: no longer reserved"


def test_no_stage_says_another_stages_code() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} says {code}"
        for path in sources("apps", "polytraders/venues")
        if (owner := owner_of(path)) is not None
        for code in literals(path)
        if reasons.reason(code).owner != owner
    ]
    assert wrong == []


@pytest.mark.parametrize("code", ["RISK_NONE_SUCH", "", "risk_flatten"])
def test_a_code_that_is_not_registered_is_our_own_fault(code: str) -> None:
    with pytest.raises(KeyError):
        reasons.number(code)
