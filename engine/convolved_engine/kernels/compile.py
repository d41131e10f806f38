"""How kernels are compiled: without the GIL, and kept on disk between processes where possible."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import types
from numba.core.caching import FunctionCache
from numba.core.registry import CPUDispatcher

__all__ = ["kernel", "revision"]

# Read now: the files may change under a process that runs on with what it has loaded.
_SOURCES = {path.stem: path.read_bytes() for path in Path(__file__).parent.glob("*.py")}


def kernel(function: Callable[..., Any]) -> Any:
    """Compile `function` at its first call; closures over integers and kernels are cached, too.

    The cache is on disk. No `fastmath`: a sum keeps its order, so that its bits do not depend on
    how loops are cut.
    """
    compiled = _Kernel(function, targetoptions={"nopython": True, "nogil": True})
    # Where no folder may be written, there is nowhere to keep compiled code.
    with contextlib.suppress(RuntimeError):
        compiled.enable_caching()
    return compiled


class _Kernel(CPUDispatcher):
    """One that other kernels call as callers from Python do.

    Numba compiles a kernel anew for each constant that another one passes to it.
    """

    def enable_caching(self) -> None:
        self._cache = _Cache(self.py_func)  # type: ignore[no-untyped-call]  # numba has few types

    def get_call_template(self, args: Any, kws: Any) -> Any:
        return super().get_call_template([types.unliteral(each) for each in args], kws)


class _Cache(FunctionCache):
    """Numba's cache on disk, also for closures over other kernels.

    Numba tells closures apart by the pickled values that they hold, and a kernel is pickled with a
    number drawn anew in every process: what holds one would never be found again.
    """

    def _index_key(self, signature: Any, codegen: Any) -> Any:
        return signature, codegen.magic_tuple(), _fingerprint(self._py_func)


def _fingerprint(function: Callable[..., Any]) -> tuple[Any, ...]:
    """The code of a kernel and what it holds, the kernels in it by theirs."""
    held = (cell.cell_contents for cell in function.__closure__ or ())
    values = (
        _fingerprint(value.py_func) if hasattr(value, "py_func") else repr(value) for value in held
    )
    return (function.__qualname__, function.__code__.co_code, *values)


def revision(*modules: str) -> int:
    """A number that changes with the source of other modules of this folder.

    The cache on disk notices changes in a kernel's own module only. A closure that holds this
    number is cached under it, and so compiled anew when a part that it includes has changed.
    """
    return zlib.crc32(b"".join(_SOURCES[name] for name in modules))
