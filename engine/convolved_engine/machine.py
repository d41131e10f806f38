"""A Machine: the few constants from which the planner predicts times.

The constants are built in for each class of CPU, not measured at start, so that replicas of one
class choose alike. Rates are of one thread; `threads` says how many a call may use.
"""

from __future__ import annotations

import dataclasses
import importlib
from dataclasses import dataclass
from functools import cache

from . import threads as _threads

__all__ = ["Machine", "current", "vector_bytes"]


@dataclass(frozen=True, slots=True)
class Machine:
    """What the cost models know of the machine.

    Attributes:
        name: the class of CPU.
        threads: how many threads one call may use.
        vector_bytes: bytes of one vector register.
        vector_registers: how many of them there are.
        cache_bytes: of the second-level cache of one core.
        call_seconds: fixed cost of one call.
        chunk_seconds: fixed cost of one chunk of work dealt to a thread.
        fma_rate: multiply-adds of float32 in one second in the register-blocked kernel.
        gemm_rate: multiply-adds of float32 in one second in BLAS.
        gemm_seconds: fixed cost of one call of BLAS.
        copy_rate: bytes read and written in one second within the cache.
        memory_rate: bytes to and from memory in one second.
        fft_rate: transforms of length n take n * log2(n) / fft_rate seconds (float32, real).
        fft_call_seconds: fixed cost of one call of a transform.
    """

    name: str
    threads: int
    vector_bytes: int
    vector_registers: int
    cache_bytes: int
    call_seconds: float
    chunk_seconds: float
    fma_rate: float
    gemm_rate: float
    gemm_seconds: float
    copy_rate: float
    memory_rate: float
    fft_rate: float
    fft_call_seconds: float


_AVX512 = Machine(
    name="x86-64 with AVX-512",
    threads=1,
    vector_bytes=64,
    vector_registers=32,
    cache_bytes=1 << 20,
    call_seconds=8e-6,
    chunk_seconds=4e-6,
    fma_rate=45e9,
    gemm_rate=40e9,
    gemm_seconds=2e-6,
    copy_rate=20e9,
    memory_rate=12e9,
    fft_rate=5.5e9,
    fft_call_seconds=1e-6,
)
_AVX2 = dataclasses.replace(
    _AVX512,
    name="x86-64 with AVX2",
    vector_bytes=32,
    vector_registers=16,
    cache_bytes=1 << 19,
    fma_rate=24e9,
    gemm_rate=24e9,
    fft_rate=4e9,
)
_PLAIN = dataclasses.replace(
    _AVX2,
    name="128-bit vectors",
    vector_bytes=16,
    vector_registers=32,
    fma_rate=12e9,
    gemm_rate=12e9,
    fft_rate=2.5e9,
)


@cache
def current() -> Machine:
    """The constants of this machine's class and its setting of threads."""
    known = {64: _AVX512, 32: _AVX2}.get(vector_bytes(), _PLAIN)
    return dataclasses.replace(known, threads=_threads.limit())


@cache
def vector_bytes() -> int:
    """Bytes of the widest vector register of this CPU: 64, 32 or 16."""
    try:
        # NumPy dispatches its own loops by this table; it is there before numba is imported.
        umath = importlib.import_module("numpy._core._multiarray_umath")
        features: dict[str, bool] = umath.__cpu_features__
    except (ImportError, AttributeError):
        return 16
    if features.get("AVX512F") and features.get("AVX512DQ"):
        return 64
    return 32 if features.get("AVX2") and features.get("FMA3") else 16
