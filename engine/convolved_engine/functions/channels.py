"""Functions on channels, with PyTorch's meaning; one function serves every rank."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import ArrayLike, NDArray

from convolved_engine.functions.computing import call, compute
from convolved_vocabulary import translate
from convolved_vocabulary.layers.conv import Padding

__all__ = [
    "avg_pool",
    "conv",
    "conv_transpose",
    "max_pool",
    "separable_conv",
]


def conv(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> NDArray[Any]:
    """Cross-correlate channels, as PyTorch's `conv1d`, `conv2d` and `conv3d` do.

    Args:
        x: (channels, *spatial) or (batch, channels, *spatial).
        weight: (out_channels, channels / groups, *kernel), of the dtype of x.
        bias: (out_channels,).
        stride: an int, or one for each axis.
        padding: as `Conv` takes it; PyTorch's words and numbers mean the same.
        dilation: an int, or one for each axis.
        groups: how many groups of channels are convolved by themselves.

    Returns:
        (out_channels, *out_spatial), with a batch axis if x has one.

    Raises:
        InvalidArgument: naming what is wrong.

    >>> import numpy as np
    >>> conv(np.arange(5.0)[None], np.array([[[1.0, -1.0]]]))
    array([[-1., -1., -1., -1.]])
    """
    return call(translate.conv, (x, weight, bias), stride, padding, dilation, groups)


def conv_transpose(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int | Sequence[int]] = 0,
    output_padding: int | Sequence[int] = 0,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
) -> NDArray[Any]:
    """Spread channels by kernels, as PyTorch's `conv_transpose1d`, `2d` and `3d` do.

    Args:
        x: (channels, *spatial) or (batch, channels, *spatial).
        weight: (channels, out_channels / groups, *kernel), of the dtype of x.
        bias: (out_channels,).
        stride: distance between the outputs of neighboring inputs.
        padding: how much is cut from both ends: an int, or an int or a pair for each axis.
        output_padding: added to the length at the end.
        groups: how many groups of channels are convolved by themselves.
        dilation: an int, or one for each axis.

    Returns:
        (out_channels, *out_spatial), with a batch axis if x has one.

    Raises:
        InvalidArgument: naming what is wrong.

    >>> import numpy as np
    >>> conv_transpose(np.array([[1.0, 2.0]]), np.array([[[1.0, 1.0, 1.0]]]), stride=2)
    array([[1., 1., 3., 2., 2.]])
    """
    return compute(
        translate.conv_transpose(x, weight, bias, stride, padding, output_padding, groups, dilation)
    )


def separable_conv(
    x: ArrayLike,
    depthwise: ArrayLike,
    pointwise: ArrayLike,
    bias: ArrayLike | None = None,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
) -> NDArray[Any]:
    """Cross-correlate each channel by itself, then mix the channels.

    Args:
        x: (channels, *spatial) or (batch, channels, *spatial).
        depthwise: (channels * multiplier, 1, *kernel): `multiplier` kernels for each channel.
        pointwise: (out_channels, channels * multiplier), or with axes of length 1 after it.
        bias: (out_channels,).
        stride: of the depthwise convolution: an int, or one for each axis.
        padding: of the depthwise convolution, as `Conv` takes it.
        dilation: of the depthwise convolution: an int, or one for each axis.

    Returns:
        (out_channels, *out_spatial), with a batch axis if x has one.

    Raises:
        InvalidArgument: naming what is wrong.

    >>> import numpy as np
    >>> x, kernels = np.array([[1.0, 2.0, 3.0], [1.0, 0.0, 1.0]]), np.ones((2, 1, 2))
    >>> separable_conv(x, kernels, np.array([[1.0, 10.0]]))
    array([[13., 15.]])
    """
    told = translate.separable_conv(x, depthwise, pointwise, bias, stride, padding, dilation)
    return compute(told)


def max_pool(
    x: ArrayLike,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int | Sequence[int]] = 0,
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
) -> NDArray[Any]:
    """The maximum of each window, as PyTorch's `max_pool1d`, `max_pool2d` and `max_pool3d`.

    Args:
        x: (channels, *spatial) or (batch, channels, *spatial), real; NaN wins.
        kernel_size: the window; one entry for each spatial axis, an int for one axis.
        stride: defaults to the window.
        padding: which never wins: an int, or an int or a pair for each axis.
        dilation: distance between the samples of a window.
        ceil_mode: also keep a last window that reaches beyond the padding.

    Returns:
        (channels, *out_spatial), with a batch axis if x has one.

    Raises:
        InvalidArgument: naming what is wrong.

    >>> max_pool([[1, 5, 2, 3]], 2)
    array([[5, 3]])
    """
    told = translate.max_pool(x, kernel_size, stride, padding, dilation, ceil_mode)
    return compute(told)


def avg_pool(
    x: ArrayLike,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int | Sequence[int]] = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> NDArray[Any]:
    """The mean of each window, as PyTorch's `avg_pool1d`, `avg_pool2d` and `avg_pool3d`.

    Args:
        x: (channels, *spatial) or (batch, channels, *spatial), floating or complex.
        kernel_size: the window; one entry for each spatial axis, an int for one axis.
        stride: defaults to the window.
        padding: of zeros: an int, or an int or a pair for each axis.
        ceil_mode: also keep a last window that reaches beyond the padding.
        count_include_pad: whether the padding counts.

    Returns:
        (channels, *out_spatial), with a batch axis if x has one.

    Raises:
        InvalidArgument: naming what is wrong.

    >>> avg_pool([[1.0, 5.0, 2.0, 3.0]], 2)
    array([[3. , 2.5]])
    """
    told = translate.avg_pool(x, kernel_size, stride, padding, ceil_mode, count_include_pad)
    return compute(told)
