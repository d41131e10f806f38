"""Everything that is refused, with the whole sentence that says so.

One table: what was tried, and what a user reads. A sentence names the argument, what came and
what would do, in a person's words.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from convolved_vocabulary import (
    Activation,
    Affine,
    Conv,
    ConvTranspose,
    Filter,
    InvalidArgument,
    Options,
    Pool,
    as_filter,
    impulse_response,
    layout_of,
)
from convolved_vocabulary.translate import conv, convolve, correlate

DTYPES = (
    "one of bool, int8, int16, int32, int64, uint8, uint16, uint32, uint64, float16, float32, "
    "float64, complex64, complex128"
)
PADDING = "'valid', 'same', 'full', 'causal', an integer or a (before, after) pair"
BOUNDARY = "'zeros', 'reflect', 'symmetric', 'edge', 'wrap' or a finite number"
WEIGHT = "(out_channels, in_channels / groups, *kernel) with a kernel of 1, 2 or 3 axes"
LAYERS = "a layer or a sequence of layers (impulse_response makes a filter of an array)"
RATE = "a positive number, or None"

W = np.ones((4, 2, 5), np.float32)
PLANE = np.ones((1, 1, 3, 3), np.float32)
RELU = Activation("relu")
RAGGED: Any = [[1, 2], [3]]
NOTHING: Any = None
LAYER_LIST: Any = [RELU]


def line(**how: Any) -> Callable[[], object]:
    return lambda: Conv(W, **how)


def plane(**how: Any) -> Callable[[], object]:
    return lambda: Conv(PLANE, **how)


def weight(value: Any) -> Callable[[], object]:
    return lambda: Conv(value)


def transpose(**how: Any) -> Callable[[], object]:
    return lambda: ConvTranspose(W, **how)


def pool(*what: Any, **how: Any) -> Callable[[], object]:
    return lambda: Pool(*what, **how)


def activation(*what: Any) -> Callable[[], object]:
    return lambda: Activation(*what)


def filter(layers: Any, **how: Any) -> Callable[[], object]:
    return lambda: Filter(layers, **how)


def shape(layers: Any, *lengths: Any) -> Callable[[], object]:
    return lambda: layout_of(lengths, as_filter(layers))


def taps(*lengths: int, **how: Any) -> Callable[[], object]:
    return lambda: impulse_response(np.ones(lengths), **how)


TABLE: list[tuple[Callable[[], object], str]] = [
    # Stride, which dilation shares its rules with
    (line(stride=0), "stride: got 0; want an integer of at least 1"),
    (line(stride=-1), "stride: got -1; want an integer of at least 1"),
    (line(stride=True), "stride: got True; want an integer of at least 1"),
    (line(stride=2.5), "stride: got 2.5; want an integer of at least 1"),
    (line(stride=2.0), "stride: got 2.0; want an integer of at least 1"),
    (line(stride="2"), "stride: got '2'; want an integer of at least 1"),
    (line(stride=b"\x02"), "stride: got b'\\x02'; want an integer of at least 1"),
    (line(stride=None), "stride: got None; want an integer of at least 1"),
    (line(stride=np.float64(2)), "stride: got 2.0; want an integer of at least 1"),
    (line(stride=np.longdouble(2)), "stride: got 2.0; want an integer of at least 1"),
    (line(stride=np.int64(-3)), "stride: got -3; want an integer of at least 1"),
    (line(stride=np.array(0)), "stride: got 0; want an integer of at least 1"),
    (line(stride=2**40 + 1), "stride: got 1099511627777; want an integer of at most 2**40"),
    (
        line(stride=10**400),
        f"stride: got 1{'0' * 27}...{'0' * 29}; want an integer of at most 2**40",
    ),
    (line(stride=(1, 2)), "stride: got (1, 2); want one integer"),
    (line(stride=np.ones(9)), "stride: got an array of shape (9,); want one integer"),
    (plane(stride=(1, 0)), "stride: got 0 on axis 1; want an integer of at least 1"),
    (plane(stride=[np.int8(-1), 1]), "stride: got -1 on axis 0; want an integer of at least 1"),
    (plane(stride=(1, 2, 3)), "stride: got (1, 2, 3); want an integer, or 2: one for each axis"),
    (plane(stride=()), "stride: got (); want an integer, or 2: one for each axis"),
    (line(dilation=0), "dilation: got 0; want an integer of at least 1"),
    (plane(dilation=(1, False)), "dilation: got False on axis 1; want an integer of at least 1"),
    # Groups
    (line(groups=3), "groups: got 3; want a divisor of the weight's 4 output channels"),
    (line(groups=0), "groups: got 0; want an integer of at least 1"),
    (line(groups=2.0), "groups: got 2.0; want an integer of at least 1"),
    (line(groups=(2,)), "groups: got (2,); want an integer of at least 1"),
    (transpose(groups=3), "groups: got 3; want a divisor of the weight's 4 input channels"),
    # Padding
    (line(padding="SAME"), f"padding: got 'SAME'; want {PADDING}"),
    (line(padding=None), f"padding: got None; want {PADDING}"),
    (line(padding=2.5), f"padding: got 2.5; want {PADDING}"),
    (line(padding=-1), "padding: got -1; want an integer of at least 0"),
    (line(padding=True), "padding: got True; want an integer of at least 0"),
    (line(padding=(1, -2)), "padding: got -2; want an integer of at least 0"),
    (line(padding=(1, 2, 3)), f"padding: got (1, 2, 3); want {PADDING}"),
    (line(padding=("same", "same")), f"padding: got ('same', 'same'); want {PADDING}"),
    (line(padding=[(1, 2, 3)]), f"padding: got (1, 2, 3); want {PADDING}"),
    (line(padding=np.array([1.5])), f"padding: got 1.5; want {PADDING}"),
    (
        plane(padding="reflect"),
        f"padding: got 'reflect'; want {PADDING}, or 2 of these: one for each axis",
    ),
    (
        plane(padding=(1, 2, 3)),
        f"padding: got (1, 2, 3); want {PADDING}, or 2 of these: one for each axis",
    ),
    (
        plane(padding=(1, (2, 3, 4))),
        f"padding: got (2, 3, 4) on axis 1; want {PADDING}, or 2 of these: one for each axis",
    ),
    (plane(padding=((1, -1), 0)), "padding: got -1 on axis 0; want an integer of at least 0"),
    (
        transpose(padding="same"),
        "padding: got 'same'; want numbers: a transposed convolution has no modes",
    ),
    (
        transpose(padding=["full"]),
        "padding: got 'full'; want numbers: a transposed convolution has no modes",
    ),
    (transpose(padding=0.5), "padding: got 0.5; want an integer or a (before, after) pair"),
    # Boundary
    (line(boundary="zero"), f"boundary: got 'zero'; want {BOUNDARY}"),
    (line(boundary="1"), f"boundary: got '1'; want {BOUNDARY}"),
    (line(boundary=np.nan), f"boundary: got nan; want {BOUNDARY}"),
    (line(boundary=-np.inf), f"boundary: got -inf; want {BOUNDARY}"),
    (line(boundary=np.float32("inf")), f"boundary: got inf; want {BOUNDARY}"),
    (line(boundary=True), f"boundary: got True; want {BOUNDARY}"),
    (line(boundary=1j), f"boundary: got 1j; want {BOUNDARY}"),
    (line(boundary=None), f"boundary: got None; want {BOUNDARY}"),
    (line(boundary=("edge", "edge")), f"boundary: got ('edge', 'edge'); want {BOUNDARY}"),
    (plane(boundary=("edge", "none")), f"boundary: got 'none' on axis 1; want {BOUNDARY}"),
    (
        plane(boundary=["edge"] * 3),
        (
            f"boundary: got ['edge', 'edge', 'edge']; want {BOUNDARY}, or 2 of these: one for each "
            "axis"
        ),
    ),
    (
        lambda: Filter(Conv(W, padding=1, boundary=0.5)).output_dtype("int8"),
        (
            "boundary: got 0.5 with a signal of int8; want a value that int8 holds, or another "
            "dtype of the signal"
        ),
    ),
    # Flags
    (line(flip="no"), "flip: got 'no'; want True or False"),
    (line(flip=1), "flip: got 1; want True or False"),
    (pool("max", 2, ceil_mode=None), "ceil_mode: got None; want True or False"),
    (pool("max", 2, count_include_pad=0), "count_include_pad: got 0; want True or False"),
    # Weights
    (weight(1.0), f"weight: got shape (); want {WEIGHT}"),
    (weight(np.ones(3)), f"weight: got shape (3,); want {WEIGHT}"),
    (weight(np.ones((1,) * 6)), f"weight: got shape (1, 1, 1, 1, 1, 1); want {WEIGHT}"),
    (
        weight(np.ones((0, 1, 3))),
        "weight: got the empty shape (0, 1, 3); want at least 1 along every axis",
    ),
    (weight(RAGGED), "weight: got a ragged sequence; want a rectangular array"),
    (weight(None), f"weight: got dtype object (NoneType); want {DTYPES}"),
    (weight([[[1, None, "a"]]]), f"weight: got dtype object (NoneType, int, str); want {DTYPES}"),
    (weight([[[2**70]]]), f"weight: got dtype object (int); want {DTYPES}"),
    (weight([[["a"]]]), f"weight: got dtype str; want {DTYPES}"),
    (weight(np.ones((1, 1, 2), "S3")), f"weight: got dtype bytes; want {DTYPES}"),
    (weight(np.ones((1, 1, 2), "M8[s]")), f"weight: got dtype datetime64[s]; want {DTYPES}"),
    (weight(np.ones((1, 1, 2), "f4,i2")), f"weight: got dtype void; want {DTYPES}"),
    (
        weight(np.ma.masked_equal(W, 1)),
        "weight: got a masked array; want a plain array: fill the gaps first",
    ),
    (
        lambda: ConvTranspose(np.ones(3)),
        (
            "weight: got shape (3,); want (in_channels, out_channels / groups, *kernel) with a "
            "kernel of 1, 2 or 3 axes"
        ),
    ),
    # Numbers for each channel
    (line(bias=[1, 2]), "bias: got shape (2,); want shape (4,): one number for each channel"),
    (line(bias=1.0), "bias: got shape (); want shape (4,): one number for each channel"),
    (line(bias=["a"] * 4), f"bias: got dtype str; want {DTYPES}"),
    (
        transpose(groups=2, bias=[1]),
        "bias: got shape (1,); want shape (4,): one number for each channel",
    ),
    (lambda: Affine([]), "scale: got shape (0,); want one number for each channel"),
    (lambda: Affine(2.0), "scale: got shape (); want one number for each channel"),
    (lambda: Affine([[1.0]]), "scale: got shape (1, 1); want one number for each channel"),
    (
        lambda: Affine([1.0], [1, 2]),
        "shift: got shape (2,); want shape (1,): one number for each channel",
    ),
    # Transposed convolutions alone
    (
        transpose(output_padding=1),
        (
            "output_padding: got 1 with stride 1 and dilation 1; want at most 0: less than the "
            "greater of the two"
        ),
    ),
    (
        transpose(output_padding=3, stride=2, dilation=3),
        (
            "output_padding: got 3 with stride 2 and dilation 3; want at most 2: less than the "
            "greater of the two"
        ),
    ),
    (transpose(output_padding=-1), "output_padding: got -1; want an integer of at least 0"),
    # Pools
    (pool("mean", 2), "function: got 'mean'; want one of 'max', 'average'"),
    (pool(3, 2), "function: got 3; want one of 'max', 'average'"),
    (pool("max", 0), "size: got 0; want an integer of at least 1"),
    (pool("max", 2.5), "size: got 2.5; want an integer of at least 1"),
    (pool("max", ()), "size: got (); want one integer for each of 1 to 3 axes"),
    (pool("max", (1,) * 4), "size: got (1, 1, 1, 1); want one integer for each of 1 to 3 axes"),
    (pool("max", (2, 2), stride=(1, 0)), "stride: got 0 on axis 1; want an integer of at least 1"),
    (pool("max", 3, padding="same"), "padding: got 'same'; want numbers: pooling has no modes"),
    (
        pool("max", (3, 3), padding=("same", 0)),
        "padding: got 'same' on axis 0; want numbers: pooling has no modes",
    ),
    (
        pool("max", 3, padding=(0, 3)),
        "padding: got (0, 3) with a window of 3; want at most 2: a window must reach the signal",
    ),
    (pool("average", 3, dilation=2), "dilation: got 2; want 1: averages are not dilated"),
    # Activations
    (
        activation("Relu"),
        (
            "function: got 'Relu'; want one of 'relu', 'leaky_relu', 'elu', 'gelu', 'sigmoid', "
            "'tanh', 'softplus'"
        ),
    ),
    (activation("relu", 0.1), "alpha: got 0.1; want None: relu has no parameter"),
    (activation("leaky_relu", np.inf), "alpha: got inf; want a finite number"),
    (activation("elu", "1"), "alpha: got '1'; want a finite number"),
    (activation("elu", 10**400), f"alpha: got 1{'0' * 27}...{'0' * 29}; want a finite number"),
    (activation("softplus", 0), "alpha: got 0; want a positive number"),
    (
        activation("relu", None, "tanh"),
        "approximation: got 'tanh'; want 'none': relu is always exact",
    ),
    (activation("gelu", None, "erf"), "approximation: got 'erf'; want one of 'none', 'tanh'"),
    (
        lambda: Filter([RELU, Activation("tanh")]).output_dtype("int8"),
        "layers[1].dtype: got int8; want a real floating one for tanh",
    ),
    # Filters
    (filter([]), f"layers: got []; want {LAYERS}"),
    (filter(None), f"layers: got None; want {LAYERS}"),
    (filter(np.ones(300)), f"layers: got an array of shape (300,); want {LAYERS}"),
    (
        filter([RELU, "relu"]),
        "layers[1]: got 'relu'; want a Conv, ConvTranspose, Activation, Pool or Affine",
    ),
    (
        filter([Conv(W), RELU, Conv(W)]),
        (
            "layers[2]: got a Conv for 2 channels; want one for 4, as many as the layers before it "
            "give"
        ),
    ),
    (
        filter([Conv(W), Affine([1.0])]),
        (
            "layers[1]: got an Affine for 1 channel; want one for 4, as many as the layers before "
            "it give"
        ),
    ),
    (
        filter([Pool("max", 2), Conv(PLANE)]),
        "layers[1]: got a Conv of rank 2; want rank 1, which the layers before it have",
    ),
    (
        filter(RELU, per_channel=True),
        (
            "per_channel: got True with layers that take any number of channels; want False: they "
            "treat each channel by itself already"
        ),
    ),
    (
        filter(Conv(W), per_channel=True),
        (
            "per_channel: got True with layers from 2 to 4 channels; want layers from 1 channel to "
            "1, or False"
        ),
    ),
    (filter(RELU, per_channel=1), "per_channel: got 1; want True or False"),
    (filter(RELU, sample_rate_hertz=0), f"sample_rate_hertz: got 0; want {RATE}"),
    (filter(RELU, sample_rate_hertz=np.float32(-1)), f"sample_rate_hertz: got -1.0; want {RATE}"),
    (filter(RELU, sample_rate_hertz=np.nan), "sample_rate_hertz: got nan; want a finite number"),
    (filter(RELU, sample_rate_hertz="48k"), "sample_rate_hertz: got '48k'; want a finite number"),
    (
        lambda: Filter(RELU, sample_rate_hertz=44_100).check_sample_rate(48_000),
        (
            "sample_rate_hertz: got 48000 Hz for a filter made for 44100 Hz; want a signal "
            "resampled to 44100 Hz"
        ),
    ),
    (lambda: Filter(RELU).output_dtype("foo"), f"dtype: got 'foo'; want {DTYPES}"),
    (lambda: Filter(RELU).output_dtype(NOTHING), f"dtype: got None; want {DTYPES}"),
    (lambda: Filter(RELU).output_dtype("longdouble"), f"dtype: got dtype float128; want {DTYPES}"),
    # Signals
    (
        shape(Conv(W), 2, 4),
        (
            "x: got 4 samples along time at layers[0] (Conv), whose kernel of 5 is larger than the "
            "padded signal of 4; want at least 5 there, a shorter kernel or more padding"
        ),
    ),
    (
        shape(Conv(PLANE, padding=((0, 0), 1)), 2, 1),
        (
            "x: got 2 samples along height at layers[0] (Conv), whose kernel of 3 is larger than "
            "the padded signal of 2; want at least 3 there, a shorter kernel or more padding"
        ),
    ),
    (
        shape(Filter([Conv(W), ConvTranspose(W, padding=3)]), 2, 5),
        (
            "x: got 1 sample along time at layers[1] (ConvTranspose), whose padding cuts the whole "
            "output away; want at least 3 there or less padding"
        ),
    ),
    (shape(Conv(W), 3, 10), "x: got 3 channels; want 2 channels"),
    (shape(Affine([1.0]), 2, 10), "x: got 2 channels; want 1 channel"),
    (shape(Conv(W), 10), "x: got 1 channel; want 2 channels"),
    (
        shape(Conv(W), 1, 1, 2, 10),
        "x: got shape (1, 1, 2, 10); want (time), (channels, time) or (batch, channels, time)",
    ),
    (
        shape(Conv(PLANE), 10),
        (
            "x: got shape (10,); want (height, time), (channels, height, time) or (batch, "
            "channels, height, time)"
        ),
    ),
    (shape(Conv(W), 2, 0), "x: got the empty shape (2, 0); want at least 1 along every axis"),
    (shape(Conv(W), 2, "a"), "x: got 'a'; want an integer of at least 0"),
    (
        lambda: layout_of(5, Filter(RELU), "shape"),  # type: ignore[arg-type]  # what it refuses
        "shape: got 5; want the lengths of all axes, time last",
    ),
    (
        lambda: Filter(Conv(W)).output_shape((10,)),
        "x: got shape (10,); want (channels, time) or (batch, channels, time), nothing empty",
    ),
    (
        shape(Conv(W), 1000, 2),
        (
            "x: got shape (1000, 2), whose channels look last; want time as the last axis: give "
            "numpy.moveaxis(x, -1, 0)"
        ),
    ),
    (
        shape(Conv(W), 5, 1000, 2),
        (
            "x: got shape (5, 1000, 2), whose channels look last; want time as the last axis: give "
            "numpy.moveaxis(x, -1, 1)"
        ),
    ),
    (
        shape(np.ones(9), 1000, 2),
        (
            "x: got shape (1000, 2), whose channels look last; want time as the last axis: give "
            "numpy.moveaxis(x, -1, 0)"
        ),
    ),
    # Impulse responses
    (taps(0), "taps: got shape (0,); want (n), (channels, n) or (out, in, n), nothing empty"),
    (taps(), "taps: got shape (); want (n), (channels, n) or (out, in, n), nothing empty"),
    (
        taps(1, 1, 1, 9),
        "taps: got shape (1, 1, 1, 9); want (n), (channels, n) or (out, in, n), nothing empty",
    ),
    (
        taps(100, 2),
        (
            "taps: got shape (100, 2), whose channels look last; want time as the last axis: give "
            "numpy.moveaxis(taps, 0, -1)"
        ),
    ),
    (
        taps(9, spread=True),
        "spread: got True with taps of shape (9,); want taps of shape (channels, n)",
    ),
    (taps(2, 9, spread=1), "spread: got 1; want True or False"),
    # What stands for a filter
    (
        lambda: as_filter(LAYER_LIST),
        "filter: got a sequence of layers; want Filter(layers) of them",
    ),
    (
        lambda: as_filter(None),  # type: ignore[arg-type]  # what it refuses
        "filter: got None; want a Filter, a layer, or an impulse response",
    ),
    (
        lambda: as_filter("hall"),
        "filter: got 'hall'; want a Filter, a layer, or an impulse response",
    ),
    (
        lambda: as_filter([]),
        "filter: got shape (0,); want (n), (channels, n) or (out, in, n), nothing empty",
    ),
    # Wishes
    (lambda: Options(accuracy="exact"), "accuracy: got 'exact'; want one of 'fast', 'strict'"),
    (lambda: Options(algorithm=""), "algorithm: got ''; want 'auto' or an algorithm's name"),
    (lambda: Options(output_dtype="f3"), f"output_dtype: got 'f3'; want {DTYPES}"),
    (
        lambda: Options(memory_limit_bytes=0),
        "memory_limit_bytes: got 0; want an integer of at least 1",
    ),
    # The plain functions
    (lambda: convolve([1], [[1]]), "in2: got 2 axes; want 1, as many as in1 has"),
    (lambda: convolve(1, [1]), "in2: got 1 axis; want 0, as many as in1 has"),
    (
        lambda: correlate(np.ones((2,) * 4), np.ones((3,) * 4)),
        (
            "in1: got shape (2, 2, 2, 2) beside in2 of (3, 3, 3, 3); want at most 3 axes on which "
            "both have more than one entry"
        ),
    ),
    (lambda: convolve([], [1]), "in1: got the empty shape (0,); want at least one sample"),
    (lambda: correlate([1], []), "in2: got the empty shape (0,); want at least one sample"),
    (lambda: convolve([1], ["a"]), f"in2: got dtype str; want {DTYPES}"),
    (lambda: convolve([1], [1], "All"), "mode: got 'All'; want one of 'full', 'same', 'valid'"),
    (
        lambda: correlate([1], [1], "full", "fast"),
        "method: got 'fast'; want one of 'auto', 'direct', 'fft'",
    ),
    (
        lambda: convolve(np.ones((2, 3)), np.ones((3, 2)), "valid"),
        (
            'in2: got shape (3, 2) beside in1 of (2, 3); want for mode="valid" one that is at '
            "least as long as the other on every axis"
        ),
    ),
    (
        lambda: conv(np.ones(5), np.ones((1, 1, 3))),
        "x: got shape (5,); want 2 axes, channels first, or 3, a batch before them",
    ),
    (
        lambda: conv(np.ones((1, 5)), np.ones((1, 1, 3), np.float32)),
        "weight: got dtype float32 with x of float64; want one dtype for all: convert one of them",
    ),
    (
        lambda: conv(np.ones((1, 5)), np.ones((1, 1, 3)), np.ones(1, int)),
        "bias: got dtype int64 with x of float64; want one dtype for all: convert one of them",
    ),
]


@pytest.mark.parametrize(("attempt", "sentence"), TABLE, ids=[row[1][:60] for row in TABLE])
def test_it_is_refused_with_the_words(attempt: Callable[[], object], sentence: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        attempt()
    error = caught.value
    assert str(error) == sentence
    assert sentence == f"{error.argument}: got {error.came}; want {error.wanted}"
    assert isinstance(error, ValueError)
    assert error.__cause__ is None


def test_no_sentence_shows_numpys_names_for_its_own_types() -> None:
    for _, sentence in TABLE:
        assert "np." not in sentence
        assert "array(" not in sentence
        assert "dtype(" not in sentence
        assert len(sentence) < 250


NUMBER: Any = np.int64(2)
LIST: Any = np.array([2, 1])
PAIRS: Any = np.array([[1, 2], [3, 4]])
HALF: Any = np.array(0.5)
TRUE: Any = np.bool_(True)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Conv(W, stride=NUMBER, padding=LIST, groups=NUMBER),
        lambda: Conv(PLANE, padding=PAIRS, dilation=LIST),
        lambda: Conv(PLANE, padding=[LIST, "same"]),
        lambda: Conv(W, boundary=HALF, flip=TRUE),
        lambda: Conv(np.ma.array(W)),
        lambda: Pool("max", LIST),
        lambda: Pool("max", NUMBER),
        lambda: Activation("elu", HALF),
        lambda: Filter((RELU, RELU), sample_rate_hertz=NUMBER),
        lambda: Conv(W * np.nan),
        lambda: Conv(np.asfortranarray(W), bias=range(4)),
    ],
)
def test_numpys_numbers_and_arrays_are_taken_where_they_mean_the_same(
    make: Callable[[], object],
) -> None:
    made = make()
    assert "np." not in repr(made)
    assert "array" not in repr(made)


@pytest.mark.parametrize(
    ("layers", "shape"),
    [
        (Pool("max", (2, 2)), (256, 6, 6)),
        (Pool("max", (2, 2)), (8, 512, 4, 4)),
        (RELU, (1000, 2)),
        (np.ones(3), (32, 1)),
        (np.ones(3), (63, 2)),
        (np.ones(3), (100, 9)),
        (Conv(np.ones((4, 1000, 1))), (1000, 2)),
    ],
)
def test_short_signals_of_many_channels_are_not_taken_for_transposed_ones(
    layers: Any, shape: tuple[int, ...]
) -> None:
    assert layout_of(shape, as_filter(layers)).shape[-len(shape) :] == shape


def test_banks_of_short_kernels_are_not_taken_for_transposed_recordings() -> None:
    assert impulse_response(np.ones((16, 5)), spread=True).out_channels(1) == 16
    assert impulse_response(np.ones((3, 2, 1))).in_channels == 2
