"""What `pip install convolved` brings, and what it leaves behind."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {"convolved_vocabulary", "convolved_engine", "convolved_server", "convolved"}
STUBS = {
    f"convolved/v1/convolution_{name}"
    for name in ("pb2.py", "pb2.pyi", "pb2_grpc.py", "pb2_grpc.pyi")
}
HEAVY = {"scipy", "pyfftw", "numba", "typer", "grpcio-tools", "matplotlib", "pydantic"}


def project() -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return table


def said(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    assert found, f"{pattern} is not there"
    return found[1]


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    (path,) = dist.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def light(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs' folder of a clean environment that holds the wheel without extras."""
    folder = tmp_path_factory.mktemp("light")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    run(python, "-m", "pip", "install", "--disable-pip-version-check", wheel, cwd=folder)
    return folder / "bin"


def test_the_stubs_are_made_by_the_lowest_grpcio_that_an_installation_may_have() -> None:
    lowest = said(r"grpcio>=([\d.]+)", str(project()["project"]["dependencies"]))
    stub = (ROOT / "client/convolved/v1/convolution_pb2_grpc.py").read_text()
    assert said(r"grpcio-tools==([\d.]+)", str(project()["dependency-groups"]["stubs"])) == lowest
    assert said(r"GRPC_GENERATED_VERSION = '([\d.]+)'", stub) == lowest


def test_the_stubs_run_on_the_lowest_protobuf_that_an_installation_may_have() -> None:
    lowest = said(r"protobuf>=([\d.]+)", str(project()["project"]["dependencies"]))
    stub = (ROOT / "client/convolved/v1/convolution_pb2.py").read_text()
    assert said(r"Protobuf Python Version: ([\d.]+)", stub) == lowest


def test_the_wheel_holds_the_four_packages_typed_with_stubs_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == PACKAGES
    assert {f"{package}/py.typed" for package in PACKAGES} <= names
    assert names >= STUBS
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert not [name for name in names if "tests" in Path(name).parts]


def test_the_wheel_lacks_no_module_of_the_four_packages(wheel: Path) -> None:
    folders = [ROOT / "vocabulary", ROOT / "engine", ROOT / "server", ROOT / "client"]
    modules = {
        path.relative_to(folder).as_posix()
        for folder in folders
        for path in folder.glob("*/**/*.py")
    }
    with zipfile.ZipFile(wheel) as archive:
        assert modules <= set(archive.namelist())


def test_the_source_distribution_can_be_tested_and_its_stubs_regenerated(dist: Path) -> None:
    (path,) = dist.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {
        "Makefile",
        "LICENSE",
        "README.md",
        "buf.yaml",
        "proto/convolved/v1/convolution.proto",
        "tests/system/test_packaging.py",
        "tools/stubs.py",
        "tools/environment.sh",
    } <= names
    assert not [name for name in names if name.startswith((".venv", ".git/", "dist/"))]


def test_a_light_installation_brings_nothing_that_computes_or_serves(light: Path) -> None:
    listed = run(light / "python", "-m", "pip", "list", "--format=freeze", cwd=light)
    installed = {line.partition("==")[0].lower() for line in listed.splitlines()}
    assert {"convolved", "grpcio", "grpcio-status", "numpy", "protobuf"} <= installed
    assert not installed & HEAVY


def test_a_light_installation_imports_in_half_a_second(light: Path) -> None:
    timed = "from time import process_time as t; b = t(); import convolved; print(t() - b)"
    seconds = [
        float(run(light / "python", "-W", "error", "-c", timed, cwd=light)) for _ in range(4)
    ]
    assert min(seconds[1:]) < 0.5


def test_the_command_of_a_light_installation_names_the_extra_it_needs(light: Path) -> None:
    done = subprocess.run(
        [light / "convolved", "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "pip install 'convolved[cli]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_embedded_server_of_a_light_installation_names_the_extra_it_needs(light: Path) -> None:
    told = run(
        light / "python",
        "-c",
        "from convolved import Client, MissingExtra\n"
        "try: Client.embedded()\n"
        "except MissingExtra as error: print(error)",
        cwd=light,
    )
    assert "pip install 'convolved[server]'" in told


def test_the_engine_of_a_light_installation_names_the_extra_it_needs(light: Path) -> None:
    told = run(
        light / "python",
        "-c",
        "from convolved import MissingExtra\n"
        "try: import convolved_engine\n"
        "except MissingExtra as error: print(error)",
        cwd=light,
    )
    assert "pip install 'convolved[engine]'" in told


def test_the_installed_distribution_tells_the_version_of_the_project(light: Path) -> None:
    ask = "from importlib.metadata import version; print(version('convolved'))"
    told = run(light / "python", "-c", ask, cwd=light).strip()
    assert told == project()["project"]["version"]
