"""PyTorch's layers as functions, told in the vocabulary: channels first, a batch axis or none.

Names and meanings of the arguments are those of `torch.nn.functional`; one function serves every
rank.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .call import Call
from .dtypes import as_array
from .errors import InvalidArgument
from .filters import Filter
from .layers import Activation, Conv, ConvTranspose, Layer, Pool
from .layers.conv import Padding
from .signals import Layout, arrange

__all__ = [
    "avg_pool",
    "conv",
    "conv_transpose",
    "elu",
    "gelu",
    "leaky_relu",
    "max_pool",
    "relu",
    "separable_conv",
    "sigmoid",
    "softplus",
    "tanh",
]


def conv(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Call:
    """Tell `conv1d`, `conv2d` and `conv3d` in the vocabulary."""
    return _layered(x, [Conv(as_array("weight", weight), bias, stride, padding, dilation, groups)])


def conv_transpose(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int | Sequence[int]] = 0,
    output_padding: int | Sequence[int] = 0,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
) -> Call:
    """Tell `conv_transpose1d`, `conv_transpose2d` and `conv_transpose3d` in the vocabulary."""
    taps = as_array("weight", weight)
    return _layered(
        x, [ConvTranspose(taps, bias, stride, padding, output_padding, dilation, groups)]
    )


def separable_conv(
    x: ArrayLike,
    depthwise: ArrayLike,
    pointwise: ArrayLike,
    bias: ArrayLike | None = None,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
) -> Call:
    """Tell a depthwise convolution and a pointwise one after it in the vocabulary."""
    taps, matrix = as_array("depthwise", depthwise), as_array("pointwise", pointwise)
    if not 3 <= taps.ndim <= 5 or taps.shape[1] != 1:
        raise InvalidArgument(
            "depthwise",
            f"shape {taps.shape}",
            "(channels * multiplier, 1, *kernel) with a kernel of 1, 2 or 3 axes",
        )
    if matrix.ndim < 2 or matrix.shape[1:] != (len(taps), *(1,) * (matrix.ndim - 2)):
        raise InvalidArgument(
            "pointwise",
            f"shape {matrix.shape}",
            f"(out_channels, {len(taps)}), one column for each kernel of depthwise",
        )
    signal = as_array("x", x)
    channels = signal.shape[1 - taps.ndim] if signal.ndim >= taps.ndim - 1 else 0
    if not channels or len(taps) % channels:
        raise InvalidArgument(
            "depthwise",
            f"{len(taps)} kernels for x of shape {signal.shape}",
            f"as many for each channel, and x with its channels before {taps.ndim - 2} axes",
        )
    mixing = matrix.reshape(*matrix.shape[:2], *(1,) * (taps.ndim - 2))
    return _layered(
        signal,
        [Conv(taps, None, stride, padding, dilation, channels), Conv(mixing, bias)],
        names=("depthwise", "pointwise"),
    )


def max_pool(
    x: ArrayLike,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int | Sequence[int]] = 0,
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
) -> Call:
    """Tell `max_pool1d`, `max_pool2d` and `max_pool3d` in the vocabulary."""
    with _called(size="kernel_size"):
        layer = Pool("max", kernel_size, stride, padding, dilation, ceil_mode)
    return _pooled(x, layer)


def avg_pool(
    x: ArrayLike,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int | Sequence[int]] = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Call:
    """Tell `avg_pool1d`, `avg_pool2d` and `avg_pool3d` in the vocabulary."""
    with _called(size="kernel_size"):
        layer = Pool("average", kernel_size, stride, padding, 1, ceil_mode, count_include_pad)
    return _pooled(x, layer)


def relu(x: ArrayLike) -> Call:
    """Tell `relu` in the vocabulary."""
    return _pointwise(x, Activation("relu"))


def leaky_relu(x: ArrayLike, negative_slope: float = 0.01) -> Call:
    """Tell `leaky_relu` in the vocabulary."""
    with _called(alpha="negative_slope"):
        return _pointwise(x, Activation("leaky_relu", negative_slope))


def elu(x: ArrayLike, alpha: float = 1.0) -> Call:
    """Tell `elu` in the vocabulary."""
    return _pointwise(x, Activation("elu", alpha))


def gelu(x: ArrayLike, approximate: str = "none") -> Call:
    """Tell `gelu` in the vocabulary."""
    with _called(approximation="approximate"):
        return _pointwise(x, Activation("gelu", approximation=approximate))


def sigmoid(x: ArrayLike) -> Call:
    """Tell `sigmoid` in the vocabulary."""
    return _pointwise(x, Activation("sigmoid"))


def tanh(x: ArrayLike) -> Call:
    """Tell `tanh` in the vocabulary."""
    return _pointwise(x, Activation("tanh"))


def softplus(x: ArrayLike, beta: float = 1.0) -> Call:
    """Tell `softplus` in the vocabulary."""
    with _called(alpha="beta"):
        return _pointwise(x, Activation("softplus", beta))


def _pooled(x: ArrayLike, layer: Pool) -> Call:
    """A pool, whose rank its window tells: an integer does not say of how many axes it is."""
    signal = as_array("x", x)
    if layer.rank == 1 and signal.ndim > 3:
        raise InvalidArgument(
            "kernel_size",
            f"{layer.size[0]} for x of shape {signal.shape}",
            f"one integer for each axis, such as {layer.size * 2} for images",
        )
    return _layered(signal, [layer])


def _layered(x: ArrayLike, layers: list[Layer], names: Sequence[str] = ("weight",)) -> Call:
    """Layers over a signal that has channels, all of one dtype."""
    filter = Filter(layers)
    signal, layout = arrange(x, filter)
    if not layout.has_channels:
        rank = filter.rank
        raise InvalidArgument(
            "x",
            f"shape {layout.shape[2:]}",
            f"{rank + 1} axes, channels first, or {rank + 2}, a batch before them",
        )
    for layer, name in zip(layers, names, strict=False):
        for tensor, array in layer.tensors().items():
            if array.dtype != signal.dtype:
                raise InvalidArgument(
                    name if tensor == "weight" else tensor,
                    f"dtype {array.dtype.name} with x of {signal.dtype.name}",
                    "one dtype for all: convert one of them",
                )
    return _taken(filter, signal, layout)


@dataclass(frozen=True, slots=True)
class _Entries(Layout):
    """The layout of an array of any axes, taken as one channel.

    Attributes:
        axes: the shape of the array.
    """

    axes: tuple[int, ...] = ()

    def result(self, output: NDArray[Any]) -> NDArray[Any]:
        """The same entries with the axes that they had."""
        return output.reshape(self.axes)


def _pointwise(x: ArrayLike, layer: Activation) -> Call:
    """An activation of an array of any shape."""
    array = as_array("x", x)
    if not array.size:
        raise InvalidArgument("x", f"the empty shape {array.shape}", "at least one entry")
    signal = array.reshape(1, 1, math.prod(array.shape))
    layout = _Entries(
        has_batch=True, has_channels=True, shape=signal.shape, axes=tuple(array.shape)
    )
    return _taken(Filter(layer), signal, layout)


def _taken(filter: Filter, signal: NDArray[Any], layout: Layout) -> Call:
    """The call, if the filter takes signals of that dtype."""
    with _called(dtype="x"):
        filter.output_types(signal.dtype)
    return Call(filter, signal, layout, np.dtype(signal.dtype))


@contextmanager
def _called(**names: str) -> Iterator[None]:
    """Errors about a layer's parameter name it as the function does that was called."""
    try:
        yield
    except InvalidArgument as error:
        argument = error.argument.rpartition(".")[2]
        if argument not in names:
            raise
        came = f"dtype {error.came}" if argument == "dtype" else error.came
        raise type(error)(names[argument], came, error.wanted) from None
