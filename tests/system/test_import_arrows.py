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

CORE = {"numpy", "grpc", "grpc_status", "google"}
ENGINE = {"scipy", "pyfftw", "numba", "llvmlite", "threadpoolctl"}
SERVER = {
    "grpc_health",
    "grpc_reflection",
    "pydantic",
    "pydantic_settings",
    "structlog",
    "uvloop",
}
CLI = {"grpc_health", "matplotlib", "rich", "soundfile", "soxr", "typer"}

# What each part may import beside itself and the standard library. The longest key that a module's
# name begins with is its part.
MAY_IMPORT = {
    "convolved_vocabulary": {"numpy"},
    "convolved_engine": {"convolved_vocabulary", "numpy", *ENGINE},
    "convolved_server": {
        "convolved_vocabulary",
        "convolved_engine",
        "convolved.v1",
        "convolved.wire",
        *CORE,
        *SERVER,
    },
    "convolved": {"convolved_vocabulary", "convolved.v1", "convolved.wire", *CORE, *CLI},
    "convolved.v1": {"grpc", "google"},
    "convolved.wire": {"convolved_vocabulary", "convolved.v1", *CORE},
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


def loaded_with(start: str, modules: Mapping[str, str]) -> dict[str, set[str]]:
    """What runs when `start` is imported: each of our modules, and what it imports at once."""
    links = [link for link in imports(modules) if link.at_once]
    reached: dict[str, set[str]] = {}
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name in modules and name not in reached:
            reached[name] = {link.imported for link in links if link.importer == name}
            parents = {name.rsplit(".", depth)[0] for depth in range(1, name.count(".") + 1)}
            waiting += reached[name] | parents
    return reached


def heavy(modules: Mapping[str, str]) -> list[str]:
    """Imports of extras that run when the client is imported."""
    light = CORE | sys.stdlib_module_names
    return sorted(
        f"{name} imports {imported}"
        for name, all_imported in loaded_with("convolved", modules).items()
        for imported in all_imported
        if part_of(imported) is None and imported.partition(".")[0] not in light
    )


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


def test_import_convolved_loads_only_what_a_light_installation_has() -> None:
    assert heavy(sources()) == []


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("import soundfile", True),
        ("from convolved import audio", True),
        ("from convolved.audio.reading import read", True),
        ("import numpy", False),
        ("def later():\n    import soundfile", False),
    ],
)
def test_what_loads_an_extra_with_the_client_is_found(statement: str, found: bool) -> None:
    modules = {
        "convolved": "from convolved.client import Client",
        "convolved.client": statement,
        "convolved.audio": "import soundfile",
        "convolved.audio.reading": "",
    }
    assert bool(heavy(modules)) is found


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
        ("convolved.client", "import scipy"),
        ("convolved.client", "from convolved_server import main"),
        ("convolved.wire.framing", "from convolved.client import Client"),
        ("convolved.v1.convolution_pb2", "import numpy"),
    ],
)
def test_an_import_against_the_arrows_is_found(importer: str, statement: str) -> None:
    modules = {importer: statement, "convolved.v1": ""}
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
