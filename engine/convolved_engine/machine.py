"""A Machine: the few constants from which the planner predicts times.

The constants are built in for each class of CPU, not measured at start, so that replicas of one
class choose alike; `convolved_engine.constants` tells what may stand in their place. Rates are of
one thread; `threads` says how many a call may use.
"""

from __future__ import annotations

import dataclasses
import importlib
import os
from dataclasses import dataclass
from functools import cache

from . import threads as _threads

__all__ = ["Machine", "built_in", "current", "vector_bytes"]


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
        waking_seconds: until other threads help, and are waited for.
        fma_rate: multiply-adds of float32 in one second in the register-blocked kernel.
        gemm_rate: multiply-adds of float32 in one second in BLAS.
        gemm_seconds: fixed cost of one call of BLAS.
        copy_rate: bytes read and written in one second within the cache.
        line_seconds: fixed cost of copying one short row.
        memory_rate: bytes to and from memory in one second.
        fft_rate: transforms of length n take n * log2(n) / fft_rate seconds (float32, real).
        fft_chunk_seconds: fixed cost of one batch of blocks there and back.
        block_fft_rate: `fft_rate` of the kernels that transform single blocks.
        block_product_rate: `product_rate` of these kernels.
        product_rate: complex products of spectra in one second (complex64).
        mixing_rate: complex multiply-adds of small matrices in one second (complex64).
        matrix_seconds: fixed cost of one small matrix product and its transposing.
    """

    name: str
    threads: int
    vector_bytes: int
    vector_registers: int
    cache_bytes: int
    call_seconds: float
    chunk_seconds: float
    waking_seconds: float
    fma_rate: float
    gemm_rate: float
    gemm_seconds: float
    copy_rate: float
    line_seconds: float
    memory_rate: float
    fft_rate: float
    fft_chunk_seconds: float
    block_fft_rate: float
    block_product_rate: float
    product_rate: float
    mixing_rate: float
    matrix_seconds: float

    def shared(self, seconds: float, helping: int) -> float:
        """How long work of so many seconds takes `helping` threads."""
        return seconds / helping + (helping > 1) * self.waking_seconds


_AVX512 = Machine(
    name="x86-64 with AVX-512",
    threads=1,
    vector_bytes=64,
    vector_registers=32,
    cache_bytes=1 << 20,
    call_seconds=7e-6,
    chunk_seconds=6e-6,
    waking_seconds=40e-6,
    fma_rate=110e9,
    gemm_rate=60e9,
    gemm_seconds=3e-6,
    copy_rate=65e9,
    line_seconds=4e-9,
    memory_rate=60e9,
    fft_rate=18e9,
    fft_chunk_seconds=33e-6,
    block_fft_rate=26e9,
    block_product_rate=4.4e9,
    product_rate=2.2e9,
    mixing_rate=7.5e9,
    matrix_seconds=14e-9,
)
_AVX2 = dataclasses.replace(
    _AVX512,
    name="x86-64 with AVX2",
    vector_bytes=32,
    vector_registers=16,
    cache_bytes=1 << 19,
    fma_rate=50e9,
    gemm_rate=30e9,
    copy_rate=40e9,
    memory_rate=40e9,
    fft_rate=12e9,
    block_fft_rate=13e9,
    block_product_rate=2.5e9,
    product_rate=1.6e9,
    mixing_rate=4e9,
)
_PLAIN = dataclasses.replace(
    _AVX2,
    name="128-bit vectors",
    vector_bytes=16,
    vector_registers=32,
    fma_rate=25e9,
    gemm_rate=15e9,
    fft_rate=6e9,
    block_fft_rate=6e9,
    block_product_rate=1.3e9,
    product_rate=1.2e9,
    mixing_rate=2e9,
)


@cache
def current() -> Machine:
    """The constants in force, with the setting of threads.

    Raises:
        InvalidArgument: the constants that were asked for cannot be read.
    """
    from . import constants

    return dataclasses.replace(constants.in_force().machine, threads=_threads.limit())


def built_in() -> Machine:
    """The constants of this machine's class of CPU."""
    return {64: _AVX512, 32: _AVX2}.get(vector_bytes(), _PLAIN)


@cache
def vector_bytes() -> int:
    """Bytes of the widest vector register that kernels are compiled for: 64, 32 or 16."""
    setting = os.environ.get("NUMBA_CPU_FEATURES")
    if setting is not None:
        features = {word[1:].upper() for word in setting.split(",") if word.startswith("+")}
        if "FMA" in features:
            features.add("FMA3")
    else:
        features = _features_of_this_cpu()
    if {"AVX512F", "AVX512DQ"} <= features:
        return 64
    return 32 if {"AVX2", "FMA3"} <= features else 16


def _features_of_this_cpu() -> set[str]:
    try:
        # NumPy dispatches its own loops by this table; it is there before numba is imported.
        umath = importlib.import_module("numpy._core._multiarray_umath")
        table: dict[str, bool] = umath.__cpu_features__
    except (ImportError, AttributeError):
        return set()
    return {name for name, present in table.items() if present}
