"""Kernels are compiled once, not once for each process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from convolved_engine.machine import vector_bytes

_KERNELS = """
from convolved_engine.kernels.compile import kernel

def outer(step):
    @kernel
    def inner(x):
        return x + step

    @kernel
    def around(x):
        return inner(x) * 2

    return around

for step in (1, 5):
    found = outer(step)
    print(found(3), sum(found.stats.cache_hits.values()))
"""


def test_a_kernel_that_holds_another_is_found_again_by_the_next_process(tmp_path: Path) -> None:
    script = tmp_path / "kernels.py"
    script.write_text(_KERNELS, encoding="utf-8")
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}

    def run() -> list[str]:
        command = [sys.executable, str(script)]
        found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return found.stdout.splitlines()

    assert run() == ["8 0", "16 0"]
    assert run() == ["8 1", "16 1"]


_LAYERS = """
import numpy as np
from convolved_engine import apply, warm_up
from convolved_engine.algorithms.channel_tiling import channel_tile
from convolved_engine.kernels.channel_sweep import channel_sweep
from convolved_engine.kernels.plane_sweep import plane_sweep
from convolved_engine.kernels.sweep import sweep
from convolved_engine.machine import vector_bytes
from convolved_vocabulary import Conv, Filter

lanes = vector_bytes() // 4
kernels = sweep(lanes), channel_sweep(*channel_tile(vector_bytes()), lanes), plane_sweep(lanes)

def compiled():
    return [len(each.signatures) for each in kernels]

warm_up()
print(compiled())
for channels in (1, 2, 3, 4, 6, 8, 64):
    for kernel, stride in (((3,), 1), ((3, 3), 2), ((3, 3, 3), 1)):
        layer = Conv(np.ones((channels, channels, *kernel), np.float32), stride=stride)
        x = np.zeros((1, channels, *(12,) * len(kernel)), np.float32)
        apply(x, Filter(layer), algorithm="direct")
    for side in (3, 5, 7):
        layer = Conv(np.ones((channels, 1, side, side), np.float32), groups=channels)
        apply(np.zeros((1, channels, 12, 12), np.float32), Filter(layer), algorithm="direct")
print(compiled())
"""


def test_after_warming_up_no_layer_waits_for_the_compiler() -> None:
    command = [sys.executable, "-c", _LAYERS]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    # Tiles of single channels take vectors with masks.
    masked = int(vector_bytes() >= 32)
    assert found.stdout.splitlines() == [f"[1, 1, {masked}]"] * 2


_CONSTANTS = """
from convolved_engine.kernels.compile import kernel

@kernel
def inner(x, step):
    return x + step

@kernel
def around(x):
    return inner(x, 1) + inner(x, 2) + inner(x, x)

print(around(3), len(inner.signatures))
"""


def test_no_kernel_is_compiled_anew_for_a_constant(tmp_path: Path) -> None:
    script = tmp_path / "kernels.py"
    script.write_text(_CONSTANTS, encoding="utf-8")
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    command = [sys.executable, str(script)]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["15", "1"]
