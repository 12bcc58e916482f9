"""Rules about the code itself. Each takes the root of a tree and returns its offences, so it can be tested too."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

LINES_MAX = 400
FUNCTION_LINES_MAX = 60
GATED = (
    "apps/risk", "apps/oms", "polytraders/loop.py", "polytraders/deciding.py", "polytraders/receiving.py",
    "polytraders/controlling.py", "polytraders/trading.py", "polytraders/emit.py",
)  # fmt: skip
PURE = (
    "apps/*/core", "polytraders/loop.py", "polytraders/deciding.py", "polytraders/receiving.py",
    "polytraders/controlling.py", "polytraders/trading.py", "polytraders/emit.py", "polytraders/kernel",
    "polytraders/strategies", "polytraders/venues/paper",
)  # fmt: skip
ROUND_THE_GATE = {"force", "forced", "bypass", "skip", "override", "norisk"}
IMPURE = {
    "time", "datetime", "random", "secrets", "uuid", "os", "platform", "socket", "ssl", "http", "urllib", "asyncio",
    "subprocess", "threading", "multiprocessing", "tempfile", "shutil", "sqlite3", "requests", "httpx", "websockets",
    "django", "channels", "celery", "redis", "psycopg",
}  # fmt: skip
COMPILER = "polytraders/kernel/jit.py"
"""Finds the folder of the compiled code, so it alone reads the environment; no number depends on what it finds."""
DRAWERS = {"utils", "util", "services", "service", "helpers", "helper", "managers", "common", "misc"}
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK|NotImplementedError)\b")
MACHINE_PATH = re.compile(r"(?<![\w.])/(home|root|work|Users|mnt|opt)/\w+")


def python_files(root: Path, *patterns: str) -> list[Path]:
    """Sources under the patterns (folders or files), in a fixed order."""
    found: set[Path] = set()
    for pattern in patterns:
        for path in root.glob(pattern):
            found.update(path.rglob("*.py") if path.is_dir() else [path])
    return sorted(found)


def own(root: Path) -> list[Path]:
    """Every source of ours, tests and benchmarks included."""
    return python_files(root, "manage.py", "polytraders", "apps", "tests", "benchmarks")


def walk(path: Path) -> Iterator[ast.AST]:
    """Every node of a file."""
    return ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def at(root: Path, path: Path, node: ast.AST, what: str) -> str:
    """An offence, told so that an editor can jump to it."""
    return f"{path.relative_to(root)}:{getattr(node, 'lineno', 0)}: {what}"


def imported(node: ast.AST) -> list[str]:
    """Modules that an import statement names."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


def names_in(node: ast.AST) -> list[str]:
    """Identifiers that a node introduces or uses."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute):
        return [node.attr]
    if isinstance(node, ast.arg):
        return [node.arg]
    if isinstance(node, ast.keyword):
        return [node.arg or ""]
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    return []


def ways_round_the_gate(root: Path) -> list[str]:
    """Identifiers in the gate's neighbourhood that promise a way round it."""
    return [
        at(root, path, node, name)
        for path in python_files(root, *GATED)
        for node in walk(path)
        for name in names_in(node)
        if ROUND_THE_GATE & set(name.lower().split("_"))
    ]


def impure_imports(root: Path) -> list[str]:
    """Clocks, chance, environment and network in code that must be a function of its inputs."""
    return [
        at(root, path, node, name)
        for path in python_files(root, *PURE)
        if path != root / COMPILER
        for node in walk(path)
        for name in imported(node)
        if name.split(".")[0] in IMPURE or name.startswith("numpy.random")
    ] + [
        at(root, path, node, "np.random")
        for path in python_files(root, *PURE)
        for node in walk(path)
        if isinstance(node, ast.Attribute) and node.attr == "random"
    ]


def approvals_made_elsewhere(root: Path) -> list[str]:
    """ApprovedTrade made outside the gate."""
    return [
        at(root, path, node, "makes an ApprovedTrade")
        for path in python_files(root, "polytraders", "apps")
        if path != root / "apps/risk/core/gate.py"
        for node in walk(path)
        if isinstance(node, ast.Call) and "ApprovedTrade" in names_in(node.func)
    ]


def verdicts_not_from_the_gate(root: Path) -> list[str]:
    """An approval row chosen by anything but `gate.approves`; comparing with its kind is reading, not making."""
    offences = []
    for path in python_files(root, "polytraders", "apps"):
        if path.is_relative_to(root / "polytraders/contracts"):
            continue
        nodes = list(walk(path))
        allowed: set[ast.AST] = set()
        for node in nodes:
            if isinstance(node, ast.Compare | ast.Dict | ast.Set | ast.MatchValue):
                allowed.update(ast.walk(node))
            if (
                isinstance(node, ast.IfExp)
                and isinstance(node.test, ast.Call)
                and names_in(node.test.func) == ["approves"]
            ):
                allowed.update(ast.walk(node.body))
        offences += [
            at(root, path, node, "chooses an approval")
            for node in nodes
            if isinstance(node, ast.Name | ast.Attribute) and names_in(node) == ["APPROVAL"] and node not in allowed
        ]
    return offences


def orders_not_from_an_approval(root: Path) -> list[str]:
    """Places that start an order, beyond the one in the loop that follows an approval."""
    offences = []
    for path in python_files(root, "polytraders", "apps"):
        nodes = list(walk(path))
        approved: set[ast.AST] = set()
        for node in nodes:
            if isinstance(node, ast.If) and ast.unparse(node.test) == "kind == APPROVAL":
                approved.update(inner for part in node.body for inner in ast.walk(part))
        for node in nodes:
            if not isinstance(node, ast.Call) or ast.unparse(node.func) not in ("trading.place", "place"):
                continue
            if node not in approved or path != root / "polytraders/deciding.py":
                offences.append(at(root, path, node, "places an order"))
    return offences


def drawers(root: Path) -> list[str]:
    """Files and folders whose name says nothing about what is in them."""
    return [
        str(path.relative_to(root))
        for path in own(root)
        if DRAWERS & {part.removesuffix(".py") for part in path.relative_to(root).parts}
    ]


def long_files(root: Path) -> list[str]:
    """Files that nobody reads in one sitting."""
    counts = [(path, len(path.read_text(encoding="utf-8").splitlines())) for path in own(root)]
    return [f"{path.relative_to(root)}: {count} lines" for path, count in counts if count > LINES_MAX]


def long_functions(root: Path) -> list[str]:
    """Functions that do not fit a screen."""
    return [
        at(root, path, node, f"{node.name} has {(node.end_lineno or 0) - node.lineno + 1} lines")
        for path in own(root)
        for node in walk(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > FUNCTION_LINES_MAX
    ]


def unfinished(root: Path) -> list[str]:
    """Promises in place of code."""
    return matches(root, own(root), UNFINISHED)


def machine_paths(root: Path) -> list[str]:
    """Paths that exist on one machine only."""
    texts = [*own(root), *root.glob("*.md"), *root.glob("docs/**/*.md"), *root.glob("*.toml"), root / "Makefile"]
    return matches(root, [path for path in texts if path.exists()], MACHINE_PATH)


def matches(root: Path, paths: list[Path], pattern: re.Pattern[str]) -> list[str]:
    """Lines in which the pattern is found; this file, which has to name what it looks for, is left out."""
    return [
        f"{path.relative_to(root)}:{number}: {found.group()}"
        for path in paths
        if path.name not in ("rules.py", "test_tidy.py")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if (found := pattern.search(line))
    ]


def mocks_of_our_own(root: Path) -> list[str]:
    """Tests that replace our own code by a pretence of it."""
    return [
        at(root, path, node, "mock")
        for path in python_files(root, "tests")
        for node in walk(path)
        if any(name.startswith(("unittest.mock", "mock")) for name in imported(node))
        or (isinstance(node, ast.alias) and node.name == "mock")
    ]


def wishful_test_names(root: Path) -> list[str]:
    """Test names are statements."""
    return [
        at(root, path, node, node.name)
        for path in python_files(root, "tests")
        for node in walk(path)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and "should" in node.name.split("_")
    ]


RULES = (
    ways_round_the_gate, impure_imports, approvals_made_elsewhere, verdicts_not_from_the_gate,
    orders_not_from_an_approval, drawers, long_files, long_functions, unfinished, machine_paths, mocks_of_our_own,
    wishful_test_names,
)  # fmt: skip
