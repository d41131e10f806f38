"""What the machine can do decides the shape of kernels, never the bits of a result."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from convolved_engine import machine

PROGRAM = """
import hashlib
import numpy as np
from convolved_engine import machine
from convolved_engine.problem import Problem
from convolved_engine.registry import algorithm
from tests.engine.cases import data, run

digest = hashlib.sha256()
for dtype in ("float32", "complex64"):
    for x, w in (((1, 1, 500), (1, 1, 30)), ((1, 3, 20, 30), (11, 3, 3, 5))):
        problem = Problem.of(x, w, dtype=dtype, pads=((2, 2),) * (len(x) - 2))
        signal, weight, _ = data(problem)
        direct = algorithm("direct").prepare(problem, weight, None, {})
        digest.update(run(direct, problem, signal).tobytes())
print(machine.vector_bytes(), digest.hexdigest())
"""


def computed(**settings: str) -> tuple[int, str]:
    answer = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        env=os.environ | settings,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    width, digest = answer.stdout.split()
    return int(width), digest


@pytest.mark.skipif(machine.vector_bytes() < 32, reason="this CPU has no AVX2 to compile for")
def test_cpus_with_narrower_registers_compute_the_same_bits() -> None:
    width, digest = computed()
    assert width == machine.vector_bytes()
    narrow, narrow_digest = computed(NUMBA_CPU_NAME="haswell", NUMBA_CPU_FEATURES="+avx2,+fma")
    assert narrow == 32
    assert narrow_digest == digest


def test_the_constants_of_one_class_are_the_same_every_time() -> None:
    machine.current.cache_clear()
    first = machine.current()
    machine.current.cache_clear()
    assert machine.current() == first
    assert first.threads >= 1
