"""Imports run one way through the house, and never in a circle."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {
    "convolved_vocabulary": ROOT / "vocabulary" / "convolved_vocabulary",
    "convolved_engine": ROOT / "engine" / "convolved_engine",
    "convolved_server": ROOT / "server" / "convolved_server",
    "convolved": ROOT / "client" / "convolved",
}

# What each part may import beside itself and the standard library. The longest key that a module's
# name begins with is its part.
MAY_IMPORT = {
    "convolved_vocabulary": {"numpy"},
    "convolved_engine": {
        "convolved_vocabulary",
        "numpy",
        "scipy",
        "pyfftw",
        "numba",
        "llvmlite",
        "threadpoolctl",
    },
    "convolved_server": {
        "convolved_vocabulary",
        "convolved_engine",
        "convolved.v1",
        "numpy",
        "grpc",
        "grpc_health",
        "grpc_reflection",
        "grpc_status",
        "google",
        "pydantic",
        "pydantic_settings",
        "structlog",
    },
    "convolved": {"convolved_vocabulary", "convolved.v1", "numpy", "grpc", "grpc_status", "google"},
    "convolved.v1": {"grpc", "google"},
    "convolved.audio": {"convolved_vocabulary", "numpy", "soundfile", "soxr"},
    "convolved.picture": {"convolved_vocabulary", "numpy", "matplotlib"},
    "convolved.cli": {
        "convolved",
        "convolved.audio",
        "convolved.picture",
        "convolved_vocabulary",
        "convolved.v1",
        "numpy",
        "grpc",
        "grpc_health",
        "google",
        "rich",
        "typer",
    },
}


@dataclass(frozen=True)
class Import:
    """`importer` names `imported`; `at_once` unless a function or TYPE_CHECKING puts it off."""

    importer: str
    imported: str
    at_once: bool


def below(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def sources() -> dict[str, str]:
    """Every module of the four packages by its dotted name."""
    modules = {}
    for package, folder in PACKAGES.items():
        for path in folder.rglob("*.py"):
            parts = path.relative_to(folder).with_suffix("").parts
            name = ".".join((package, *parts)).removesuffix(".__init__")
            modules[name] = path.read_text(encoding="utf-8")
    return modules


def is_package(name: str, modules: Mapping[str, str]) -> bool:
    return any(other.startswith(name + ".") for other in modules) or name in PACKAGES


def put_off(tree: ast.AST) -> set[ast.AST]:
    """Nodes that do not run while the module is being imported."""
    late: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            late.update(ast.walk(node))
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for statement in node.body:
                late.update(ast.walk(statement))
    return late


def named(node: ast.AST, name: str, modules: Mapping[str, str]) -> Iterator[str]:
    """The modules that one import statement of module `name` names."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            parts = name.split(".")
            parts = parts[: len(parts) - node.level + is_package(name, modules)]
            base = ".".join([*parts, *([base] if base else [])])
        for alias in node.names:
            member = f"{base}.{alias.name}"
            yield member if member in modules or base == "google" else base


def imports(modules: Mapping[str, str]) -> list[Import]:
    found = []
    for name, source in modules.items():
        tree = ast.parse(source)
        late = put_off(tree)
        found += [
            Import(name, imported, node not in late)
            for node in ast.walk(tree)
            for imported in named(node, name, modules)
        ]
    return found


def part_of(name: str) -> str | None:
    return max((part for part in MAY_IMPORT if below(name, part)), key=len, default=None)


def allowed(link: Import) -> bool:
    importer, imported = part_of(link.importer), part_of(link.imported)
    assert importer is not None, f"{link.importer} belongs to no part of the house"
    if imported is not None:
        return imported == importer or imported in MAY_IMPORT[importer]
    top = link.imported.partition(".")[0]
    return top in sys.stdlib_module_names or top in MAY_IMPORT[importer]


def forbidden(modules: Mapping[str, str]) -> list[str]:
    """The imports that run against the arrows."""
    links = {link for link in imports(modules) if not allowed(link)}
    return sorted(f"{link.importer} imports {link.imported}" for link in links)


def circle(modules: Mapping[str, str]) -> list[str]:
    """One circle of imports that run at once, or nothing."""
    graph: dict[str, set[str]] = {name: set() for name in modules}
    for link in imports(modules):
        if link.at_once and link.imported in modules and link.imported != link.importer:
            graph[link.importer].add(link.imported)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_imports_run_from_server_and_client_to_engine_and_vocabulary_only() -> None:
    modules = sources()
    assert {name.partition(".")[0] for name in modules} == set(PACKAGES)
    assert forbidden(modules) == []


def test_no_module_takes_part_in_a_circle_of_imports() -> None:
    assert circle(sources()) == []


def test_algorithms_never_import_the_planner_that_chooses_among_them() -> None:
    links = [
        link for link in imports(sources()) if below(link.importer, "convolved_engine.algorithms")
    ]
    assert links, "the folder of algorithms is gone"
    assert not [link for link in links if below(link.imported, "convolved_engine.planner")]


@pytest.mark.parametrize(
    ("importer", "statement"),
    [
        ("convolved_vocabulary.layers", "import convolved_engine"),
        ("convolved_vocabulary.layers", "import scipy.signal"),
        ("convolved_engine.apply", "from convolved.v1 import convolution_pb2"),
        ("convolved_engine.apply", "import grpc"),
        ("convolved_engine.apply", "def later():\n    import convolved_server.main"),
        ("convolved_server.main", "from convolved import Client"),
        ("convolved_server.main", "import convolved.client"),
        ("convolved.client", "import convolved_engine.apply"),
        ("convolved.client", "import typer"),
        ("convolved.client", "from .cli import main"),
        ("convolved.cli.main", "import convolved_server"),
    ],
)
def test_an_import_against_the_arrows_is_found(importer: str, statement: str) -> None:
    modules = {importer: statement, "convolved.cli": "", "convolved.v1": ""}
    assert len(forbidden(modules)) == 1


@pytest.mark.parametrize(
    "statement", ["from p.b import x", "from . import b", "from .b import x", "import p.b"]
)
def test_a_circle_is_found_however_it_is_written(statement: str) -> None:
    modules = {"p": "", "p.a": statement, "p.b": "from p import a"}
    assert set(circle(modules)) == {"p.a", "p.b"}


@pytest.mark.parametrize(
    "statement",
    ["def later():\n    import p.b", "if TYPE_CHECKING:\n    from p.b import x"],
)
def test_an_import_put_off_makes_no_circle(statement: str) -> None:
    modules = {"p": "", "p.a": statement, "p.b": "from p import a"}
    assert circle(modules) == []
