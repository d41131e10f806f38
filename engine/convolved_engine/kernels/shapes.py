"""The shapes of tiles of outputs, by the vector registers of a CPU."""

from __future__ import annotations

__all__ = ["KERNELS", "PLANE_TILES", "REGISTERS", "SHAPES", "vectors_of_a_row"]

# Vector registers of a CPU, by their bytes.
REGISTERS = {64: 32, 32: 16, 16: 32}
# Rows of a tile, and the vectors of a wide and of a narrow one: as many accumulators as the
# registers hold beside the inputs and a weight, and in a narrow one as many as hide the latency.
SHAPES = {
    32: {1: (12, 4), 2: (8, 4), 3: (7, 4), 4: (6, 3), 6: (4, 2), 8: (3, 2)},
    16: {1: (6, 3), 2: (5, 3), 3: (3, 2), 4: (3, 1), 6: (2, 1)},
}
# Side and stride of the kernels for which there are tiles that read one channel of input, and rows
# and vectors of these tiles: images of seven rows, and of multiples of them, are common.
KERNELS = ((3, 1), (3, 2), (5, 1), (5, 2), (7, 1), (7, 2))
PLANE_TILES = {32: (7, 2), 16: (4, 2)}


def vectors_of_a_row(taps: int, stride: int, vectors: int, lanes: int) -> int:
    """Vectors of a row of input that a row of `vectors` vectors of outputs reads."""
    return -(-(stride * (vectors * lanes - 1) + taps) // lanes)
