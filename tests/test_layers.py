"""Who may import whom, read from the source: the layers of the design, and what stays lazy."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "audit" / "llmaudit"

#: Imported by everybody, importing only each other.
LEVEL_1 = {
    "records": set[str](),
    "findings": {"records", "corrections", "humanlabels"},
    "humanlabels": {"records"},
    "corrections": set[str](),
    "changes": {"findings"},
    "errors": set[str](),
    "resources": set[str](),
    "progress": set[str](),
    "yamlproblems": {"errors"},
    "yamlfile": {"errors", "yamlproblems"},
    "fetching": {"errors", "resources"},
}
BASE = set(LEVEL_1)

#: What each part may import besides itself.
MAY_IMPORT: dict[str, set[str]] = {
    **LEVEL_1,
    "stats": {"findings"},
    "policies": BASE,
    "config": BASE | {"budgets", "policies"},
    "probesets": BASE,
    "models": BASE,
    "scorers": BASE,
    "store": BASE,
    "transparency": BASE,
    "metrics": BASE | {"stats"},
    "verdicts": BASE | {"stats", "policies", "config"},
    "report": BASE | {"config", "transparency"},
    "planning": BASE | {"arranging", "budgets", "calibration", "config", "looks", "probesets"},
    "asked_models": BASE | {"models"},
    "scorer_models": BASE | {"asked_models", "config", "models", "scorers"},
    "asking": BASE
    | {"asked_models", "locking", "models", "planning", "scorer_models", "scorers", "scoring"}
    | {"store"},
    "sampling": BASE | {"asking", "budgets", "gathering", "looks", "planning", "rounds", "store"},
    "looks": {"errors", "records", "stats"},
    "examples": BASE | {"arranging", "scorers"},
    "agreement": BASE | {"examples", "stats"},
    "review": BASE | {"agreement", "metrics", "report", "stats"},
    "reviewing": BASE | {"arranging", "artifacts", "config", "gathering", "review", "store"},
    "budgets": {"errors"},
    "rounds": BASE | {"analysis", "config", "looks", "evidence", "stats", "verdicts"},
    "analysis": BASE
    | {"correcting", "policies", "config", "looks", "evidence", "metrics", "verdicts"},
    "evidence": BASE | {"arranging", "looks", "metrics"},
    "correcting": BASE | {"arranging", "evidence", "metrics", "stats", "verdicts"},
    "calibration": BASE | {"arranging", "identity_terms", "probesets"},
    "remembering": BASE | {"scorers"},
    "labelled": {"errors"},
    "scorerfigures": BASE | {"labelled", "scorers", "stats"},
    "identityshift": BASE | {"arranging", "calibration", "labelled", "stats"},
    "measuring": BASE
    | {"asking", "calibration", "identityshift", "labelled", "scorer_models", "scorerfigures"}
    | {"scorers"},
    "unserved": BASE,
    "sessions": BASE | {"review", "store"},
    "locking": BASE | {"planning", "policies", "scorer_models", "scorers"},
    "policyfaults": BASE | {"metrics", "policies", "probesets", "scorers", "verdicts"},
    "arranging": {"records"},
    "identity_terms": {"records"},
    "scoring": BASE
    | {"arranging", "gathering", "identity_terms", "remembering", "scorers", "store"},
    "settling": BASE,
    "gathering": BASE
    | {
        "agreement",
        "review",
        "policies",
        "sessions",
        "config",
        "analysis",
        "arranging",
        "examples",
        "looks",
        "evidence",
        "rounds",
        "store",
        "unserved",
        "settling",
    },
    "comparability": BASE | {"gathering"},
    "comparing": BASE
    | {
        "analysis",
        "comparability",
        "config",
        "gathering",
        "evidence",
        "metrics",
        "policies",
        "store",
        "verdicts",
    },
    "artifacts": BASE | {"report", "transparency"},
    "directories": BASE | {"config", "store"},
    "costing": BASE | {"config", "planning", "models"},
    "linting": BASE | {"config", "policyfaults", "probesets", "scorers", "models", "verdicts"},
}
#: These put the parts together.
COMPOSE = {"audit", "cli", "__init__"}

HEAVY = {"torch", "transformers", "detoxify", "matplotlib", "pyarrow", "pandas", "sklearn", "vllm"}
#: Modules that are imported within functions only, so that what they import stays lazy.
LAZY = {"models.cache"}
#: What only the command line may use.
TERMINAL = {"click", "rich"}


@cache
def modules() -> dict[str, ast.Module]:
    """Return the syntax tree of every module by its name within the package."""
    return {
        ".".join(path.relative_to(SOURCE).with_suffix("").parts): ast.parse(path.read_text("utf-8"))
        for path in sorted(SOURCE.rglob("*.py"))
    }


def imports(tree: ast.AST, *, everywhere: bool = True) -> Iterator[str]:
    """Yield what a module imports, as written.

    Without ``everywhere`` only what happens when the module itself is imported: nothing within
    functions, and nothing that is there for types only.
    """
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are written in full"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif everywhere or not _is_left_out(node):
            yield from imports(node, everywhere=everywhere)


def _is_left_out(node: ast.AST) -> bool:
    """Say whether a node does not run when its module is imported."""
    for_types = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
    return for_types or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def own_module(name: str) -> str | None:
    """Return the module of ours that an import reaches; None for others' packages."""
    parts = name.split(".")
    if parts[0] != "llmaudit":
        return None
    while len(parts) > 1:
        for candidate in (".".join(parts[1:]), ".".join((*parts[1:], "__init__"))):
            if candidate in modules():
                return candidate
        parts.pop()
    return "__init__"


def part_of(module: str) -> str:
    """Return the package or top module that a module belongs to."""
    return module.split(".")[0]


def test_imports_are_read_as_they_are_meant() -> None:
    text = """
import os
if TYPE_CHECKING:
    from llmaudit.config import Policy
def f():
    import llmaudit.store.lock
"""
    tree = ast.parse(text)
    assert list(imports(tree, everywhere=False)) == ["os"]
    assert [own_module(name) for name in imports(tree)] == [None, "config", "store.lock"]
    assert own_module("llmaudit.metrics.METRICS") == "metrics.__init__"
    assert part_of("store.lock") == "store"


def test_every_part_has_its_place() -> None:
    parts = {part_of(module) for module in modules()}
    assert parts - COMPOSE == set(MAY_IMPORT)
    assert {module.removesuffix(".__init__") for module in LAZY} <= set(modules())


@pytest.mark.parametrize("part", sorted(MAY_IMPORT))
def test_a_part_imports_only_what_it_may(part: str) -> None:
    allowed = MAY_IMPORT[part] | {part}
    wrong = [
        f"{module} imports {found}"
        for module, tree in modules().items()
        if part_of(module) == part
        for name in imports(tree)
        if (found := own_module(name)) is not None and part_of(found) not in allowed
    ]
    assert not wrong


def test_stats_uses_one_type_of_ours() -> None:
    for module, tree in modules().items():
        if part_of(module) == "stats":
            ours = {name for name in imports(tree) if own_module(name) not in (None,)}
            foreign = {name for name in ours if part_of(str(own_module(name))) != "stats"}
            assert foreign <= {"llmaudit.findings.Distribution"}, module


def test_nobody_imports_the_command_line_or_the_audit_but_the_command_line() -> None:
    for module, tree in modules().items():
        if part_of(module) != "cli":
            found = {part_of(str(own_module(name))) for name in imports(tree)}
            assert not found & {"audit", "cli"}, module


@pytest.mark.parametrize("everywhere", [False, True])
def test_no_module_imports_itself_in_a_circle(everywhere: bool) -> None:
    """With imports inside functions too, packages may meet themselves; parts never may."""
    graph: dict[str, set[str]] = {}
    for module, tree in modules().items():
        here = part_of(module) if everywhere else module
        reached = {own_module(name) for name in imports(tree, everywhere=everywhere)} - {None}
        there = {part_of(str(one)) if everywhere else str(one) for one in reached}
        graph.setdefault(here, set()).update(there - {here})
    assert find_circle(graph) is None


def find_circle(graph: dict[str, set[str]]) -> list[str] | None:
    """Return a path that comes back to where it began; None without one."""
    done: set[str] = set()

    def walk(place: str, path: list[str]) -> list[str] | None:
        if place in path:
            return [*path[path.index(place) :], place]
        if place in done:
            return None
        for following in sorted(graph.get(place, ())):
            circle = walk(following, [*path, place])
            if circle is not None:
                return circle
        done.add(place)
        return None

    return next(filter(None, (walk(place, []) for place in sorted(graph))), None)


def test_a_circle_would_be_found() -> None:
    assert find_circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert find_circle({"a": {"b", "c"}, "b": {"c"}}) is None


def test_heavy_packages_are_imported_within_functions() -> None:
    wrong = [
        f"{module} imports {name}"
        for module, tree in modules().items()
        if module not in LAZY
        for name in imports(tree, everywhere=False)
        if name.split(".")[0] in HEAVY or own_module(name) in LAZY
    ]
    assert not wrong


def test_only_the_command_line_knows_the_terminal() -> None:
    wrong = [
        f"{module} imports {name}"
        for module, tree in modules().items()
        if part_of(module) != "cli"
        for name in imports(tree)
        if name.split(".")[0] in TERMINAL
    ]
    assert not wrong


def test_only_the_command_line_prints_or_exits() -> None:
    ends = {"print", "exit", "quit", "sys.exit", "os._exit"}
    wrong = [
        f"{module}:{node.lineno} calls {ast.unparse(node.func)}"
        for module, tree in modules().items()
        if part_of(module) != "cli"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ends
    ]
    wrong += [
        f"{module}:{node.lineno} raises SystemExit"
        for module, tree in modules().items()
        if part_of(module) != "cli"
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise) and node.exc and "SystemExit" in ast.unparse(node.exc)
    ]
    assert not wrong
