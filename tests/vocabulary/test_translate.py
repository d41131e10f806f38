"""`convolve` and `correlate` told in the vocabulary mean what SciPy's do, `conv` what PyTorch's.

The filters are evaluated here by the naive reference, so that nothing but the telling is tested.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from convolved_vocabulary import InvalidArgument
from convolved_vocabulary.translate import Call, conv, convolve, correlate
from tests.vocabulary.naive import evaluate

FUNCTIONS = {
    "convolve": (convolve, scipy.signal.convolve),
    "correlate": (correlate, scipy.signal.correlate),
}
MODES = ("full", "same", "valid")
REAL = (
    "bool",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "float32",
    "float64",
)
COMPLEX = ("complex64", "complex128")
each_function = pytest.mark.parametrize("name", FUNCTIONS)


def computed(call: Call) -> NDArray[Any]:
    return call.result(evaluate(call.filter, call.signal))


def drawn(random: np.random.Generator, dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """Numbers so small that no sum leaves int8, and so few bits that float32 is exact."""
    kind = np.dtype(dtype).kind
    low = {"b": 0, "u": 0}.get(kind, -2)
    values = random.integers(low, 2, shape).astype(dtype)
    if kind == "c":
        values = values + 1j * random.integers(-2, 2, shape)
    return np.asarray(values, dtype)


def expected(scipys: Any, x: NDArray[Any], h: NDArray[Any], mode: str) -> NDArray[Any]:
    if x.dtype == h.dtype == np.bool_:
        # SciPy's direct method knows bools on one axis only, and not always there.
        return np.asarray(scipys(x.astype(int), h.astype(int), mode, "direct") != 0)
    return np.asarray(scipys(x, h, mode, "direct"))


def same_words(ours: NDArray[Any], theirs: Any) -> None:
    theirs = np.asarray(theirs)
    assert ours.dtype == theirs.dtype
    assert ours.shape == theirs.shape
    if ours.dtype.kind in "biu":
        assert np.array_equal(ours, theirs)
    else:
        assert np.allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@each_function
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_random_arrays_of_every_shape_and_dtype_give_what_scipy_gives(
    name: str, mode: str, rank: int
) -> None:
    ours, scipys = FUNCTIONS[name]
    random = np.random.default_rng([rank, MODES.index(mode)])
    compared = 0
    longest, cases = {1: (9, 300), 2: (4, 80), 3: (3, 50)}[rank]
    while compared < cases:
        shapes = random.integers(1, longest + 1, (2, rank))
        dtypes = random.choice(REAL + COMPLEX, 2)
        x, h = (
            drawn(random, dtype, tuple(map(int, shape)))
            for dtype, shape in zip(dtypes, shapes, strict=True)
        )
        grows = shapes[0] - shapes[1]
        if mode == "valid" and grows.min() < 0 < grows.max():
            with pytest.raises(InvalidArgument, match=r"^in2: got shape"):
                ours(x, h, mode)
            continue
        same_words(computed(ours(x, h, mode)), expected(scipys, x, h, mode))
        compared += 1


@each_function
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("first", REAL + COMPLEX)
def test_every_pair_of_dtypes_gives_scipys_dtype(name: str, mode: str, first: str) -> None:
    ours, scipys = FUNCTIONS[name]
    random = np.random.default_rng(1)
    for second in REAL + COMPLEX:
        x, h = drawn(random, first, (5,)), drawn(random, second, (2,))
        same_words(computed(ours(x, h, mode)), expected(scipys, x, h, mode))
        same_words(computed(ours(h, x, mode)), expected(scipys, h, x, mode))


@each_function
@pytest.mark.parametrize("mode", MODES)
@given(st.integers(1, 12), st.integers(1, 12))
@settings(max_examples=40)
def test_same_and_valid_are_placed_as_scipy_places_them(
    name: str, mode: str, n: int, k: int
) -> None:
    ours, scipys = FUNCTIONS[name]
    x = np.arange(1.0, n + 1) * (1 + 2j)
    h = 1.0 / np.arange(1, k + 1) - 1j
    same_words(computed(ours(x, h, mode)), scipys(x, h, mode, "direct"))


@each_function
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("x", "h"), [(3, 4), (2.5, -2), (1 + 2j, 3 - 1j), (np.int8(5), True)])
def test_numbers_without_axes_are_multiplied(name: str, mode: str, x: Any, h: Any) -> None:
    ours, scipys = FUNCTIONS[name]
    found = computed(ours(x, h, mode))
    assert found.shape == ()
    same_words(found, scipys(np.asarray(x), np.asarray(h), mode))


def test_an_even_kernel_looks_one_sample_further_back_in_same() -> None:
    x, h = [1, 0, 0, 0], [1, 2, 3, 4]
    assert computed(convolve(x, h, "same")).tolist() == [2, 3, 4, 0]
    assert computed(correlate(x, h, "same")).tolist() == [3, 2, 1, 0]


def test_correlation_conjugates_its_second_argument() -> None:
    assert computed(correlate([1j], [1j])).tolist() == [1]
    assert computed(convolve([1j], [1j])).tolist() == [-1]


def test_a_correlation_whose_kernel_is_longer_is_swapped_reversed_and_conjugated() -> None:
    call = correlate([1 + 1j, 2], [1, 2j, 3], "valid")
    assert call.mirrored
    assert call.signal.shape == (1, 1, 3)
    same_words(computed(call), scipy.signal.correlate([1 + 1j, 2], [1, 2j, 3], "valid"))
    assert not correlate([1, 2, 3], [1, 2], "valid").mirrored


def test_bools_stay_bools() -> None:
    x = np.array([True, True, False])
    for told in (convolve(x, x), correlate(x, x), correlate(x, x[:2], "valid")):
        assert computed(told).dtype == np.bool_


def test_the_methods_name_the_algorithms_and_no_transform_is_asked_for_integers() -> None:
    methods = ("auto", "direct", "fft")
    floating = [convolve([1.0], [1.0], method=method).algorithm for method in methods]
    assert floating == ["auto", "direct", "overlap_save"]
    integers = [convolve([1], [1], method=method).algorithm for method in methods]
    assert integers == ["auto", "direct", "auto"]


@settings(max_examples=150)
@given(
    st.sampled_from(["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32"]),
    st.sampled_from(["int8", "int32", "int64", "uint8", "uint16"]),
    st.integers(0, 2**32 - 1),
)
def test_integers_are_exact_or_refused_where_scipy_wraps_silently(
    first: str, second: str, seed: int
) -> None:
    random = np.random.default_rng(seed)
    x, h = (
        random.integers(*span(dtype, random), size=random.integers(1, 5), dtype=dtype)
        for dtype in (first, second)
    )
    exact = np.convolve(x.astype(object), h.astype(object))
    result = np.result_type(x, h)
    call = convolve(x, h)
    bound = int(abs(x.astype(object)).max()) * int(abs(h.astype(object)).sum())
    if bound >= 2**63:
        # Whether its samples fit is for the one who computes to see.
        assert call.signal.dtype.itemsize == 8
        return
    try:
        found = computed(call)
    except OverflowError:
        limits = np.iinfo(result)
        assert min(exact) < int(limits.min) or max(exact) > int(limits.max)
    else:
        assert found.dtype == result
        assert found.tolist() == exact.tolist()


def span(dtype: str, random: np.random.Generator) -> tuple[int, int]:
    """A range of values, often small, up to all that the dtype holds."""
    limits, share = np.iinfo(dtype), 2 ** int(random.integers(0, 60))
    return int(limits.min) // share, max(1, int(limits.max) // share)


def test_a_result_that_does_not_fit_says_which_arrays_and_how_far_it_reaches() -> None:
    with pytest.raises(OverflowError) as caught:
        computed(convolve(np.array([100, 100], "int8"), np.array([2, 1], "int8")))
    assert str(caught.value) == (
        "in1: got int8 arrays whose exact result reaches from 100 to 300; want wider arrays: the "
        "result has int8 like them and holds -128 to 127"
    )


def test_few_large_weights_and_small_samples_are_not_refused_by_a_bound_on_the_dtype() -> None:
    x, h = np.array([100_000, 3]), np.array([2**32, 1])
    assert computed(convolve(x, h)).tolist() == [100_000 * 2**32, 100_000 + 3 * 2**32, 3]


def test_samples_on_both_sides_of_zero_and_beyond_32_bits_stay_integers() -> None:
    call = convolve([-1, 2**40], [1, 1])
    assert call.signal.dtype == np.int64
    assert computed(call).tolist() == [-1, 2**40 - 1, 2**40]


@pytest.mark.parametrize(
    ("samples", "dtype"),
    [
        ([0, 255], "uint8"),
        ([0, 256], "uint16"),
        ([-128, 127], "int8"),
        ([-1, 128], "int16"),
        ([-1, 2**31], "int64"),
        ([0, 2**31], "uint32"),
        ([0, 2**32], "int64"),
    ],
)
def test_the_bound_is_that_of_the_samples_and_not_of_their_dtype(
    samples: list[int], dtype: str
) -> None:
    assert convolve(samples, [1]).signal.dtype == dtype


def test_the_callers_arrays_are_left_alone() -> None:
    x, h = np.arange(5, dtype=np.int64), np.arange(3, dtype=np.int64)
    call = convolve(x, h)
    h[:] = 7
    assert computed(call).tolist() == np.convolve(np.arange(5), np.arange(3)).tolist()
    assert x.flags.writeable
    assert h.flags.writeable


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("batch", [False, True])
def test_conv_is_cross_correlation_with_the_axes_that_came(rank: int, batch: bool) -> None:
    random = np.random.default_rng(rank)
    size = (5, 4, 6)[:rank]
    x = random.integers(-3, 4, (*((2,) if batch else ()), 4, *size)).astype(np.float32)
    weight = random.integers(-3, 4, (6, 2, *(3, 2, 3)[:rank])).astype(np.float32)
    bias = np.arange(6, dtype=np.float32)
    stride, padding, dilation = (2, 1, 1)[:rank], (1, 0, 2)[:rank], (1, 2, 1)[:rank]
    found = computed(conv(x, weight, bias, stride, padding, dilation, 2))
    assert found.dtype == np.float32
    assert found.ndim == x.ndim
    examples = x if batch else x[None]
    for b, example in enumerate(examples):
        for o in range(6):
            expected = bias[o] + sum(
                correlated(example[o // 3 * 2 + c], weight[o, c], stride, padding, dilation)
                for c in range(2)
            )
            assert np.array_equal(found[b, o] if batch else found[o], expected)


def correlated(
    x: NDArray[Any],
    kernel: NDArray[Any],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
) -> Any:
    """One channel by SciPy: the kernel stuffed with zeros, the outputs thinned out."""
    stuffed = np.zeros([d * (k - 1) + 1 for d, k in zip(dilation, kernel.shape, strict=True)])
    stuffed[tuple(slice(None, None, d) for d in dilation)] = kernel
    whole = scipy.signal.correlate(np.pad(x, [(p, p) for p in padding]), stuffed, "valid", "direct")
    return whole[tuple(slice(None, None, s) for s in stride)]


def test_conv_takes_one_dtype_for_all_and_gives_it_back() -> None:
    ones = np.ones((1, 1, 2), np.int16)
    found = computed(conv(np.ones((1, 4), np.int16), ones))
    assert found.dtype == np.int16
    assert found.tolist() == [[2, 2, 2]]
    with pytest.raises(OverflowError, match=r"^x: got int8 arrays whose exact result reaches"):
        computed(conv(np.full((1, 4), 100, np.int8), ones.astype(np.int8)))
    with pytest.raises(InvalidArgument, match=r"^weight: got dtype int16 with x of float32"):
        conv(np.ones((1, 4), np.float32), ones)
