"""Generate the Python stubs of the contract, or check that the checked-in ones are fresh.

Stubs refuse a runtime older than their generator, so they are made by the lowest supported
grpcio-tools, which cannot share an environment with the newest grpcio. The generators therefore
live in a small environment of their own, made on demand from the dependency group ``stubs`` of
pyproject.toml.

    python tools/stubs.py           write client/convolved/v1/convolution_pb2*.py[i]
    python tools/stubs.py --check   exit 1 when that would change a file
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv-stubs"
# mypy-protobuf leaves out the type arguments, which makes every method of a servicer untyped.
FULLY_TYPED = (
    "_aio.ServicerContext):  # type: ignore[misc, type-arg]",
    "_aio.ServicerContext[_typing.Any, _typing.Any]):  # type: ignore[misc]",
)


def requirements() -> list[str]:
    """The pinned generators, from the one place that names them."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        group: list[str] = tomllib.load(file)["dependency-groups"]["stubs"]
    return group


def generator_python() -> Path:
    """The interpreter that has the generators, installing them first where needed."""
    python = ENVIRONMENT / "bin" / "python"
    stamp = ENVIRONMENT / "requirements.txt"
    # The scripts of an environment hold its path: one that was moved must be made anew.
    wanted = "\n".join([f"# {ENVIRONMENT}", *requirements(), ""])
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"installing {', '.join(requirements())} into {ENVIRONMENT.name}", flush=True)
        venv.create(ENVIRONMENT, clear=True, with_pip=True)
        pip = [str(python), "-m", "pip", "--quiet", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", *requirements()], check=True)
        stamp.write_text(wanted)
    return python


def generate(proto_root: Path, out: Path) -> None:
    """Run protoc over every proto file below `proto_root`, writing packages below `out`."""
    python = generator_python()
    protos = sorted(path.relative_to(proto_root).as_posix() for path in proto_root.rglob("*.proto"))
    if not protos:
        sys.exit(f"no .proto file below {proto_root}")
    plugins = {
        f"protoc-gen-{name}": python.parent / f"protoc-gen-{name}" for name in ("mypy", "mypy_grpc")
    }
    command = [str(python), "-m", "grpc_tools.protoc", f"--proto_path={proto_root}"]
    command += [f"--plugin={name}={path}" for name, path in plugins.items()]
    command += [f"--{kind}_out={out}" for kind in ("python", "grpc_python", "mypy", "mypy_grpc")]
    command += ["--mypy_opt=quiet", "--mypy_grpc_opt=quiet"]
    if subprocess.run([*command, *protos], check=False).returncode:
        sys.exit("protoc refused the contract; nothing was written")
    for path in out.rglob("*_pb2_grpc.pyi"):
        path.write_text(path.read_text().replace(*FULLY_TYPED))


def stale(made: Path, kept: Path) -> list[str]:
    """Names of generated files that differ, are missing, or are left over in `kept`."""
    fresh = {path.relative_to(made): path.read_bytes() for path in made.rglob("*_pb2*.py*")}
    folders = {name.parent for name in fresh}
    present = {
        path.relative_to(kept): path.read_bytes()
        for folder in folders
        for path in (kept / folder).glob("*_pb2*.py*")
    }
    return sorted(
        str(name) for name in fresh.keys() | present.keys() if fresh.get(name) != present.get(name)
    )


def replace(made: Path, kept: Path, names: list[str]) -> None:
    """Bring the named files of `kept` to what `made` holds."""
    for name in names:
        source, target = made / name, kept / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.exists():
            target.write_bytes(source.read_bytes())
        else:
            target.unlink()


def main() -> None:
    """Generate into a temporary folder, then compare or copy."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="change nothing, fail on a difference")
    parser.add_argument("--proto", type=Path, default=ROOT / "proto", help="root of the contract")
    parser.add_argument("--out", type=Path, default=ROOT / "client", help="root of the packages")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder)
        generate(arguments.proto, made)
        names = stale(made, arguments.out)
        if not names:
            print("stubs are fresh")
        elif arguments.check:
            sys.exit(f"stale stubs: {', '.join(names)}; run `make stubs` and commit the result")
        else:
            replace(made, arguments.out, names)
            print(f"wrote {', '.join(names)}")


if __name__ == "__main__":
    main()
