"""The plain functions give what SciPy's and PyTorch's give; integers are exact or refused."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from convolved_engine import functions
from convolved_engine.activations import activate
from convolved_vocabulary import (
    Activation,
    Conv,
    ConvTranspose,
    Filter,
    IntegerOverflow,
    InvalidArgument,
    Pool,
)
from tests.engine.operations.definitions import evaluate
from tests.engine.operations.drawn import numbers

MODES = ("full", "same", "valid")
DTYPES = ("int32", "int64", "uint16", "float32", "float64", "complex64", "complex128")

modes, dtypes = st.sampled_from(MODES), st.sampled_from(DTYPES)
seeds = st.integers(0, 2**32 - 1)


def same(ours: Callable[..., Any], scipys: Callable[..., Any], *arguments: Any) -> None:
    """Equal results of one shape and dtype, or refused by both."""
    try:
        # SciPy casts memory that it has not written yet, whose garbage may not be a number.
        with np.errstate(all="ignore"):
            expected = np.asarray(scipys(*arguments))
    except ValueError:
        with pytest.raises(InvalidArgument):
            ours(*arguments)
        return
    found = ours(*arguments)
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    assert np.allclose(found, expected, rtol=1e-4, atol=1e-4)


@st.composite
def arrays(
    draw: st.DrawFn, most_axes: int
) -> tuple[NDArray[Any], NDArray[Any], int | list[int] | None]:
    """Two arrays, and axes along which they differ; along the others they can be broadcast."""
    rank = draw(st.integers(1, most_axes))
    axes = draw(st.lists(st.integers(0, rank - 1), min_size=1, max_size=3, unique=True))
    shapes: list[list[int]] = [[], []]
    for axis in range(rank):
        length = draw(st.integers(1, 3))
        for shape in shapes:
            several = st.integers(1, 6) if axis in axes else st.sampled_from((1, length))
            shape.append(draw(several))
    x, h = (numbers(draw(seeds), tuple(shape), draw(dtypes)) for shape in shapes)
    given_as: int | list[int] | None = [axis - draw(st.sampled_from((0, rank))) for axis in axes]
    if len(axes) == rank and draw(st.booleans()):
        given_as = None
    elif len(axes) == 1:
        given_as = axes[0]
    return x, h, given_as


@settings(max_examples=300)
@given(pair=arrays(5), mode=modes)
def test_fftconvolve_and_oaconvolve_broadcast_as_scipys(pair: Any, mode: str) -> None:
    x, h, axes = pair
    same(functions.fftconvolve, scipy.signal.fftconvolve, x, h, mode, axes)
    same(functions.oaconvolve, scipy.signal.oaconvolve, x, h, mode, axes)


@settings(max_examples=200)
@given(pair=arrays(5), mode=modes)
def test_convolve_and_correlate_take_every_number_of_axes(pair: Any, mode: str) -> None:
    x, h, _ = pair
    several = [a for a in range(x.ndim) if min(x.shape[a], h.shape[a]) > 1]
    for name in ("convolve", "correlate"):
        ours, scipys = getattr(functions, name), getattr(scipy.signal, name)
        if len(several) <= 3:
            same(ours, scipys, x, h, mode, "direct")
            continue
        with pytest.raises(InvalidArgument, match=r'want at most 3 axes|for mode="valid"'):
            ours(x, h, mode)


@settings(max_examples=300)
@given(
    seed=seeds,
    shapes=st.tuples(*[st.tuples(st.integers(1, 6), st.integers(1, 6))] * 2),
    kinds=st.tuples(dtypes, dtypes),
    mode=modes,
    boundary=st.sampled_from(("fill", "wrap", "symm")),
    fillvalue=st.sampled_from((0, 1, -2)),
)
def test_images_meet_the_boundaries_that_scipys_have(
    seed: int, shapes: Any, kinds: Any, mode: str, boundary: str, fillvalue: int
) -> None:
    unsigned = np.result_type(*kinds).kind == "u"
    x, h = numbers(seed, shapes[0], kinds[0]), numbers(seed + 1, shapes[1], kinds[1])
    arguments = (x, h, mode, boundary, abs(fillvalue) if unsigned else fillvalue)
    same(functions.convolve2d, scipy.signal.convolve2d, *arguments)
    swapped = mode == "valid" and not all(a >= b for a, b in zip(*shapes, strict=True))
    if not (swapped and np.result_type(x, h).kind == "c"):
        same(functions.correlate2d, scipy.signal.correlate2d, *arguments)


def test_correlate2d_conjugates_as_correlate_does_where_it_exchanges_its_arguments() -> None:
    x, h = numbers(1, (2, 3), "complex128"), numbers(2, (4, 4), "complex128")
    found = functions.correlate2d(x, h, "valid")
    assert np.allclose(found, functions.correlate(x, h, "valid"))
    assert np.allclose(found, scipy.signal.correlate2d(x, h, "valid").conj())


@pytest.mark.parametrize("fillvalue", [0.5, 1j, 300, -1, [1, 2], []])
def test_a_fillvalue_that_the_result_cannot_hold_is_refused(fillvalue: Any) -> None:
    image = np.ones((2, 2), np.uint8)
    with pytest.raises(InvalidArgument, match="fillvalue: got"):
        functions.convolve2d(image, image, fillvalue=fillvalue)


def test_a_fillvalue_beyond_the_image_s_dtype_but_not_the_result_s_counts() -> None:
    image, kernel = np.ones((1, 2), np.int8), np.ones((1, 2), np.int16)
    found = functions.convolve2d(image, kernel, fillvalue=1000)
    expected = scipy.signal.convolve2d(image.astype("i2"), kernel, fillvalue=1000)
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("axes", [2, -3, [0, 0], [0, -2], [], [0.5], "time"])
def test_axes_that_are_not_there_are_refused(axes: Any) -> None:
    with pytest.raises(InvalidArgument, match="axes: got"):
        functions.fftconvolve(np.ones((2, 2)), np.ones((2, 2)), axes=axes)


def test_arrays_without_entries_give_one_without_entries_as_scipys_transforms_do() -> None:
    assert functions.fftconvolve([], [1.0]).shape == (0,)
    assert functions.oaconvolve(np.ones((0, 3)), np.ones((2, 3))).shape == (0,)


INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool")


@settings(max_examples=500)
@given(
    first=st.sampled_from(INTEGERS),
    second=st.sampled_from(INTEGERS),
    sizes=st.tuples(st.integers(1, 7), st.integers(1, 4)),
    wide=st.tuples(st.integers(1, 64), st.integers(1, 64)),
    seed=seeds,
)
def test_integers_are_exact_wherever_the_result_fits_and_refused_elsewhere(
    first: str, second: str, sizes: tuple[int, int], wide: tuple[int, int], seed: int
) -> None:
    if np.result_type(first, second).kind == "f":
        return
    generator = np.random.default_rng(seed)
    x = of_bits(generator, first, wide[0], sizes[0])
    h = of_bits(generator, second, wide[1], sizes[1])
    exact = np.convolve(x.astype(object) * 1, h.astype(object) * 1)
    dtype = np.result_type(x, h)
    if dtype == np.bool_:
        assert functions.convolve(x, h).tolist() == [bool(value) for value in exact]
        return
    limits = np.iinfo(dtype)
    if min(exact) >= limits.min and max(exact) <= limits.max:
        found = functions.convolve(x, h)
        assert found.dtype == dtype
        assert found.tolist() == exact.tolist()
        return
    with pytest.raises(IntegerOverflow, match=f"from {min(exact)} to {max(exact)};"):
        functions.convolve(x, h)


def of_bits(generator: np.random.Generator, dtype: str, bits: int, count: int) -> NDArray[Any]:
    """Integers of a dtype with at most so many bits."""
    if dtype == "bool":
        return generator.integers(0, 2, count).astype(bool)
    limits = np.iinfo(dtype)
    high = min(int(limits.max), (1 << bits) - 1)
    low = max(int(limits.min), -(1 << bits))
    return generator.integers(low, high, count, dtype=dtype, endpoint=True)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["convolve", "correlate", "convolve2d", "correlate2d"])
@pytest.mark.parametrize("boundary", ["fill", "wrap", "symm"])
def test_large_terms_that_cancel_are_exact_in_every_mode(
    name: str, mode: str, boundary: str
) -> None:
    generator = np.random.default_rng(0)
    x = generator.integers(-(2**62), 2**62, (5, 6))
    # A second difference: of sums beyond 64 bits little is left.
    h = np.array([[2, -4, 2]])
    x[...] = x[:, :1] + np.arange(6)
    if name.endswith("2d"):
        arguments: tuple[Any, ...] = (mode, boundary, int(x[0, 0]))
    else:
        arguments = (mode, "direct")
    scipys = getattr(scipy.signal, name)(x, h, *arguments)
    exact = _exact(name, x, h, mode, arguments)
    fits = abs(exact).max() < 2**63
    assert fits == (exact == scipys).all()
    if fits:
        assert np.array_equal(getattr(functions, name)(x, h, *arguments), exact)
    else:
        with pytest.raises(IntegerOverflow):
            getattr(functions, name)(x, h, *arguments)


def _exact(
    name: str, x: NDArray[Any], h: NDArray[Any], mode: str, arguments: tuple[Any, ...]
) -> NDArray[Any]:
    """By Python's integers; the kernel has one row and is its own mirror image."""
    about: dict[str, Any] = {"constant_values": 0}
    if name.endswith("2d"):
        about = {
            "fill": {"constant_values": arguments[-1]},
            "wrap": {"mode": "wrap"},
            "symm": {"mode": "symmetric"},
        }[arguments[1]]
    rows = np.pad(x, ((0, 0), (2, 2)), **about).astype(object)
    whole = sum(
        int(tap) * rows[:, k : k + rows.shape[1] - 2] for k, tap in enumerate(h[0].tolist())
    )
    cut = {"full": 0, "same": 1, "valid": 2}[mode]
    return np.asarray(whole)[:, cut : np.asarray(whole).shape[1] - cut]


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "int16"])
def test_layers_as_functions_are_those_layers(rank: int, batch: bool, dtype: str) -> None:
    x = numbers(0, (*((2,) if batch else ()), 4, *(7, 8, 9)[:rank]), dtype)
    kernel, stride, padding = (3, 2, 4)[:rank], (2, 1, 3)[:rank], (1, 0, 1)[:rank]
    weight, bias = numbers(1, (6, 2, *kernel), dtype), numbers(2, (6,), dtype)
    up = numbers(3, (4, 3, *kernel), dtype)
    pointwise = numbers(4, (5, 8, *(1,) * rank), dtype)
    depthwise = numbers(5, (8, 1, *kernel), dtype)
    dilation, extra = (1, 2, 2)[:rank], (1, 0, 2)[:rank]
    cases = [
        (
            functions.conv(x, weight, bias, stride, padding, dilation, 2),
            [Conv(weight, bias, stride, padding, dilation, 2)],
        ),
        (
            functions.conv_transpose(x, up, bias, stride, padding, extra, 2, dilation),
            [ConvTranspose(up, bias, stride, padding, extra, dilation, 2)],
        ),
        (
            functions.separable_conv(x, depthwise, pointwise, bias[:5], stride, padding, dilation),
            [Conv(depthwise, None, stride, padding, dilation, 4), Conv(pointwise, bias[:5])],
        ),
        (
            functions.max_pool(x, kernel, stride, padding, dilation, True),
            [Pool("max", kernel, stride, padding, dilation, True)],
        ),
    ]
    if dtype == "float32":
        found = functions.avg_pool(x, kernel, stride, padding, True, False)
        cases.append((found, [Pool("average", kernel, stride, padding, 1, True, False)]))
    for found, layers in cases:
        expected = evaluate(Filter(layers), x if batch else x[None])  # type: ignore[arg-type]  # layers of several kinds
        assert found.dtype == dtype
        assert found.shape == (expected if batch else expected[0]).shape
        assert np.allclose(found, expected.astype(dtype), rtol=1e-4, atol=1e-4)


def test_a_matrix_will_do_for_the_pointwise_half_of_a_separable_convolution() -> None:
    x, kernels = numbers(0, (2, 9), "float32"), numbers(1, (4, 1, 3), "float32")
    matrix = numbers(2, (3, 4), "float32")
    found = functions.separable_conv(x, kernels, matrix)
    assert np.array_equal(found, functions.separable_conv(x, kernels, matrix[..., None]))


ACTIVATIONS: list[tuple[Callable[..., Any], tuple[Any, ...], Activation]] = [
    (functions.relu, (), Activation("relu")),
    (functions.leaky_relu, (0.2,), Activation("leaky_relu", 0.2)),
    (functions.elu, (0.5,), Activation("elu", 0.5)),
    (functions.gelu, ("tanh",), Activation("gelu", approximation="tanh")),
    (functions.sigmoid, (), Activation("sigmoid")),
    (functions.tanh, (), Activation("tanh")),
    (functions.softplus, (2.0,), Activation("softplus", 2.0)),
]


@pytest.mark.parametrize(
    ("function", "arguments", "layer"),
    ACTIVATIONS,
    ids=[layer.function for *_, layer in ACTIVATIONS],
)
@pytest.mark.parametrize("shape", [(), (5,), (2, 3), (2, 1, 3, 2, 2)])
def test_activations_take_arrays_of_any_shape(
    function: Callable[..., Any], arguments: tuple[Any, ...], layer: Activation, shape: Any
) -> None:
    x = numbers(0, shape, "float64")
    found = function(x, *arguments)
    assert np.shape(found) == shape
    assert np.array_equal(found, activate(layer, x))


class Elsewhere:
    """An array that lives where NumPy cannot read it."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> NDArray[Any]:
        raise TypeError("it is on a device")


MISUSES: dict[str, tuple[Callable[[], object], str]] = {
    "conv_transpose of mixed dtypes": (
        lambda: functions.conv_transpose(np.ones((1, 4)), np.ones((1, 1, 2), "f4")),
        "weight: got dtype float32 with x of float64; want one dtype for all",
    ),
    "pool without channels": (
        lambda: functions.max_pool(np.ones(9), 3),
        r"x: got shape \(9,\); want 2 axes, channels first, or 3",
    ),
    "pool of other axes": (
        lambda: functions.avg_pool(np.ones((1, 1, 9, 9)), 3),
        r"kernel_size: got 3 for x of shape \(1, 1, 9, 9\); want one integer for each axis,",
    ),
    "separable of a full kernel": (
        lambda: functions.separable_conv(np.ones((2, 9)), np.ones((2, 2, 3)), np.ones((3, 2))),
        r"depthwise: got shape \(2, 2, 3\); want \(channels \* multiplier, 1, \*kernel\)",
    ),
    "separable of too few columns": (
        lambda: functions.separable_conv(np.ones((2, 9)), np.ones((4, 1, 3)), np.ones((3, 2))),
        r"pointwise: got shape \(3, 2\); want \(out_channels, 4\)",
    ),
    "separable of other channels": (
        lambda: functions.separable_conv(np.ones((3, 9)), np.ones((4, 1, 3)), np.ones((3, 4))),
        r"depthwise: got 4 kernels for x of shape \(3, 9\); want as many for each channel",
    ),
    "separable of mixed dtypes": (
        lambda: functions.separable_conv(
            np.ones((2, 9)), np.ones((2, 1, 3)), np.ones((3, 2), "f4")
        ),
        "pointwise: got dtype float32 with x of float64",
    ),
    "activation of nothing": (
        lambda: functions.relu(np.ones((0, 3))),
        r"x: got the empty shape \(0, 3\); want at least one entry",
    ),
    "shapes that cannot be broadcast": (
        lambda: functions.fftconvolve(np.ones((5, 2)), np.ones((5, 3)), axes=0),
        r"in2: got shape \(5, 3\) beside in1 of \(5, 2\); want as many entries on axis 1",
    ),
    "no window": (
        lambda: functions.avg_pool(np.ones((1, 4)), 0),
        "kernel_size: got 0; want an integer of at least 1",
    ),
    "an average of integers": (
        lambda: functions.avg_pool([[1, 2]], 2),
        "x: got dtype int64; want a floating one for an average pool",
    ),
    "a curve of integers": (
        lambda: functions.gelu([1, 2]),
        "x: got dtype int64; want a real floating one for gelu",
    ),
    "a negative sharpness": (
        lambda: functions.softplus([1.0], -1.0),
        "beta: got -1.0; want a positive number",
    ),
    "no slope": (
        lambda: functions.leaky_relu([1.0], float("nan")),
        "negative_slope: got nan; want a finite number",
    ),
    "an unknown approximation": (
        lambda: functions.gelu([1.0], "erf"),
        "approximate: got 'erf'; want one of 'none', 'tanh'",
    ),
    "an array of another library that will not be read": (
        lambda: functions.relu(Elsewhere()),
        "x: got a value of type Elsewhere, which says: it is on a device; want an array that NumPy",
    ),
    "lines as images": (
        lambda: functions.convolve2d(np.ones(3), np.ones((2, 2))),
        "in1: got 1 axis; want 2 axes",
    ),
    "an image by no boundary": (
        lambda: functions.convolve2d([[1]], [[1]], boundary="edge"),
        "boundary: got 'edge'; want one of 'fill', 'wrap', 'symm'",
    ),
}


@pytest.mark.parametrize("misuse", MISUSES)
def test_a_misuse_is_told_with_what_would_do(misuse: str) -> None:
    attempt, sentence = MISUSES[misuse]
    with pytest.raises(InvalidArgument, match=sentence):
        attempt()


def test_a_tutorial_kernel_answers_to_vertical_change() -> None:
    image = np.arange(1, 17).reshape(4, 4)
    kernel = np.array([[1, 1], [-1, -1]])
    assert (functions.convolve2d(image, kernel, "valid") == 8).all()
    assert (functions.correlate2d(image, kernel, "valid") == -8).all()
    sideways = np.tile(np.arange(1, 5), (4, 1))
    assert (functions.convolve2d(sideways, kernel, "valid") == 0).all()


def test_every_function_of_the_vocabulary_is_computed() -> None:
    from convolved_vocabulary import translate

    assert set(functions.__all__) == set(translate.__all__) - {"Call"}
    names = itertools.chain(functions.__all__)
    assert all(getattr(functions, name).__doc__.count(">>>") for name in names)
