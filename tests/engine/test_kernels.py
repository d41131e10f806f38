"""The low-level kernels, each alone: tiles of outputs in vector registers, and rows copied."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest
from numpy.typing import NDArray

from convolved_engine.kernels import channel_tile, plane_tile, rows
from convolved_engine.kernels.shapes import KERNELS, PLANE_TILES, REGISTERS, vectors_of_a_row
from convolved_engine.kernels.tile import accumulate as intrinsic

# numba gives the first parameter, its typing context.
accumulate: Any = intrinsic
accumulate_channels: Any = channel_tile.accumulate_channels
transpose: Any = channel_tile.transpose
accumulate_rows: Any = plane_tile.accumulate_rows
copy_row: Any = rows.copy_row
part_row: Any = rows.part_row

SHAPES = [(1, 12, 16), (8, 3, 16), (3, 2, 8), (2, 1, 4)]
TERMS = 37


def tile_of(rows: int, vectors: int, lanes: int) -> Any:
    # Not kept on disk, where changes of the intrinsic would go unnoticed.
    @numba.njit
    def tile(
        x: Any, offsets: Any, first: int, last: int, w: Any, bias: Any, out: Any, resume: bool
    ) -> None:
        step = vectors * lanes
        accumulate(
            x, 1, offsets, first, last, w, 2, bias, 1, out, 3, step, resume, rows, vectors, lanes
        )

    return tile


def operands(rows: int, width: int, dtype: Any) -> tuple[NDArray[Any], ...]:
    generator = np.random.default_rng(rows)
    offsets = generator.integers(0, 90, TERMS)
    numbers = [generator.standard_normal(n) * 100 for n in (width + 91, TERMS * rows + 2, rows + 1)]
    x, w, bias = (each.astype(dtype) for each in numbers)
    return x, offsets, w, bias


def expected(rows: int, width: int, dtype: Any) -> NDArray[Any]:
    x, offsets, w, bias = operands(rows, width, dtype)
    wide = object if np.dtype(dtype).kind == "i" else np.longdouble
    fields = np.stack([x[1 + at : 1 + at + width] for at in offsets]).astype(wide)
    weights = w[2:].astype(wide).reshape(TERMS, rows)
    return np.asarray(weights.T @ fields + bias[1:, None].astype(wide))


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_tile_is_the_bias_plus_the_products_of_all_its_terms(
    shape: tuple[int, int, int], dtype: str
) -> None:
    rows, vectors, lanes = shape
    width = vectors * lanes
    x, offsets, w, bias = operands(rows, width, dtype)
    out = np.full(rows * width + 6, 77, dtype)
    tile_of(*shape)(x, offsets, 0, TERMS, w, bias, out, False)
    assert (out[:3] == 77).all(), "nothing before the tile is touched"
    assert (out[-3:] == 77).all(), "nothing after the tile is touched"
    errors = abs(out[3:-3].reshape(rows, width) - expected(rows, width, dtype))
    if out.dtype.kind == "i":
        assert not errors.any()
    else:
        assert errors.max() <= TERMS * np.finfo(dtype).eps * 100 * 100 * 20


def test_a_sum_taken_up_again_is_the_same_bits_as_one_in_a_single_go() -> None:
    rows, vectors, lanes = shape = SHAPES[1]
    x, offsets, w, bias = operands(rows, vectors * lanes, "float32")
    at_once = np.zeros(rows * vectors * lanes + 6, np.float32)
    in_runs = at_once.copy()
    tile = tile_of(*shape)
    tile(x, offsets, 0, TERMS, w, bias, at_once, False)
    tile(x, offsets, 0, 10, w, bias, in_runs, False)
    tile(x, offsets, 10, TERMS, w, bias, in_runs, True)
    assert in_runs.tobytes() == at_once.tobytes()


def test_an_output_is_the_same_bits_from_a_tile_of_any_shape() -> None:
    rows, vectors, lanes = 8, 3, 16
    x, offsets, w, bias = operands(rows, vectors * lanes, "float32")
    together = np.zeros(rows * vectors * lanes + 6, np.float32)
    tile_of(rows, vectors, lanes)(x, offsets, 0, TERMS, w, bias, together, False)
    for row in range(rows):
        own = np.concatenate([w[:2], w[2:].reshape(TERMS, rows)[:, row]])
        alone = np.zeros(2 * 4 + 6, np.float32)
        tile_of(1, 2, 4)(x, offsets, 0, TERMS, own, bias[row:], alone, False)
        first = 3 + row * vectors * lanes
        assert alone[3:-3].tobytes() == together[first : first + 8].tobytes()


def test_sums_are_fused_so_that_products_are_not_rounded() -> None:
    x = np.zeros(40, np.float32)
    x[1:] = 1 + 2.0**-12
    out = np.zeros(2 * 4 + 6, np.float32)
    weights = np.array([0, 0, 1 + 2.0**-12], np.float32)
    bias = np.array([0, -1], np.float32)
    tile_of(1, 2, 4)(x, np.array([0]), 0, 1, weights, bias, out, False)
    assert out[3] == np.float32(2.0**-11 + 2.0**-24)


def test_a_tile_across_channels_adds_the_products_of_all_its_terms() -> None:
    places, vectors, lanes = 3, 2, 4
    width = vectors * lanes

    @numba.njit
    def tile(
        x: Any, where: Any, offsets: Any, first: int, last: int, w: Any, bias: Any, out: Any
    ) -> None:
        resume = first > 0
        accumulate_channels(
            x,
            1,
            where,
            1,
            offsets,
            first,
            last,
            w,
            2,
            bias,
            1,
            out,
            3,
            resume,
            places,
            vectors,
            lanes,
        )

    x, offsets, w, bias = operands(width, 40, "float32")
    where = np.array([99, 7, 0, 31])
    out = np.full(places * width + 6, 77, np.float32)
    tile(x, where, offsets, 0, TERMS, w, bias, out)
    assert (out[:3] == 77).all(), "nothing before the tile is touched"
    assert (out[-3:] == 77).all(), "nothing after the tile is touched"
    fields = np.stack([x[1 + at + offsets] for at in where[1:]]).astype(np.longdouble)
    wanted = bias[1:] + fields @ w[2:].reshape(TERMS, width)
    errors = abs(out[3:-3].reshape(places, width) - wanted)
    assert errors.max() <= TERMS * np.finfo(np.float32).eps * 100 * 100 * 20
    in_runs = np.full(places * width + 6, 77, np.float32)
    tile(x, where, offsets, 0, 10, w, bias, in_runs)
    tile(x, where, offsets, 10, TERMS, w, bias, in_runs)
    assert in_runs.tobytes() == out.tobytes()


@pytest.mark.parametrize(("dtype", "lanes"), [("float32", 16), ("float32", 8), ("float64", 4)])
def test_tiles_of_a_channel_read_and_write_that_channel_alone(dtype: str, lanes: int) -> None:
    @numba.njit
    def run(
        x: Any, size: Any, zeros: Any, w: Any, bias: Any, out: Any, to: Any, spare: Any, kernel: int
    ) -> None:
        rows, columns = size
        first, last, width = to
        accumulate_rows(
            x,
            11,
            rows,
            columns,
            2,
            1,
            zeros,
            w,
            3,
            bias,
            1,
            out,
            5,
            first,
            last,
            width,
            spare,
            kernel,
            lanes,
        )

    generator = np.random.default_rng(lanes)
    _, vectors = PLANE_TILES[REGISTERS[lanes * np.dtype(dtype).itemsize]]
    for number, (side, stride) in enumerate(KERNELS):
        w = generator.standard_normal(3 + side * side).astype(dtype)
        bias = np.array([7, 0.5], dtype)
        loaded = vectors_of_a_row(side, stride, vectors, lanes) * lanes
        zeros, spare = np.zeros(loaded, dtype), np.empty(vectors * lanes, dtype)
        for size in ((9, 9), (31, 6), (13, 2 * stride * vectors * lanes + 5)):
            plane = generator.standard_normal(size).astype(dtype)
            x = np.full(plane.size + 300, np.nan, dtype)
            x[11 : 11 + plane.size] = plane.ravel()
            padded = np.pad(plane, ((2, 4), (1, 3))).astype(np.longdouble)
            fields = np.lib.stride_tricks.sliding_window_view(padded, (side, side))
            kernel = w[3:].reshape(side, side).astype(np.longdouble)
            wanted = (fields[::stride, ::stride] * kernel).sum((2, 3)) + bias[1]
            height, width = wanted.shape
            out = np.full(wanted.size + 10, 77, dtype)
            run(x, size, zeros, w, bias, out, (1, height, width), spare, number)
            assert (out[: 5 + width] == 77).all(), "nothing before the rows is touched"
            assert (out[-5:] == 77).all(), "nothing after the rows is touched"
            errors = abs(out[5 + width : -5].reshape(-1, width) - wanted[1:])
            assert errors.max() <= side**2 * np.finfo(dtype).eps * abs(kernel).sum() * 5


@pytest.mark.parametrize(("dtype", "lanes"), [("float32", 16), ("float32", 8), ("float64", 4)])
def test_a_block_is_transposed(dtype: str, lanes: int) -> None:
    @numba.njit
    def run(x: Any, out: Any) -> None:
        transpose(x, 1, lanes + 3, out, 2, lanes + 5, lanes)

    x = np.arange(1 + lanes * (lanes + 3)).astype(dtype)
    out = np.zeros(2 + lanes * (lanes + 5), dtype)
    run(x, out)
    given = x[1:].reshape(lanes, lanes + 3)[:, :lanes]
    assert (out[2:].reshape(lanes, lanes + 5)[:, :lanes] == given.T).all()


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64"])
def test_rows_of_every_length_are_copied_and_parted_whole(dtype: str) -> None:
    @numba.njit
    def copy(x: Any, out: Any, n: int) -> None:
        copy_row(x, 3, out, 2, n)

    @numba.njit
    def part(x: Any, out: Any, n: int) -> None:
        part_row(x, 3, out, 2, 92, n)

    x = np.arange(200).astype(dtype)
    for n in range(80):
        out = np.full(200, -1, dtype)
        copy(x, out, n)
        assert (out[2 : 2 + n] == x[3 : 3 + n]).all()
        assert (np.delete(out, np.s_[2 : 2 + n]) == -1).all()
        out[:] = -1
        part(x, out, n)
        assert (out[2 : 2 + n] == x[3 : 3 + 2 * n : 2]).all()
        assert (out[92 : 92 + n] == x[4 : 4 + 2 * n : 2]).all()
        assert (np.delete(out, np.r_[2 : 2 + n, 92 : 92 + n]) == -1).all()
