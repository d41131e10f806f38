"""The plain functions: SciPy's `convolve` and `correlate`, PyTorch's `conv`.

What each means is told once, in `convolved_vocabulary.translate`; here it is computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import ArrayLike, NDArray

from convolved_engine.pipeline import pipeline_for
from convolved_vocabulary import Options, translate
from convolved_vocabulary.layers.conv import Padding

__all__ = ["conv", "convolve", "correlate"]


def convolve(
    in1: ArrayLike, in2: ArrayLike, mode: str = "full", method: str = "auto"
) -> NDArray[Any]:
    """Convolve two arrays, as `scipy.signal.convolve` does.

    Args:
        in1: an array of up to three axes.
        in2: another of as many axes.
        mode: "full", "same" (the size of in1, centered) or "valid".
        method: "auto", "direct" or "fft".

    Returns:
        an array of dtype `numpy.result_type(in1, in2)`; integers are exact.

    Raises:
        InvalidArgument: naming what is wrong.
        IntegerOverflow: where SciPy would wrap around in silence.

    >>> convolve([1, 2, 3], [0, 1, 0.5])
    array([0. , 1. , 2.5, 4. , 1.5])
    """
    return _compute(translate.convolve(in1, in2, mode, method))


def correlate(
    in1: ArrayLike, in2: ArrayLike, mode: str = "full", method: str = "auto"
) -> NDArray[Any]:
    """Cross-correlate two arrays, as `scipy.signal.correlate` does; in2 is conjugated.

    Args:
        in1: an array of up to three axes.
        in2: another of as many axes.
        mode: "full", "same" (the size of in1, centered) or "valid".
        method: "auto", "direct" or "fft".

    Returns:
        an array of dtype `numpy.result_type(in1, in2)`; integers are exact.

    Raises:
        InvalidArgument: naming what is wrong.
        IntegerOverflow: where SciPy would wrap around in silence.

    >>> correlate([1, 2, 3], [0, 1, 0.5])
    array([0.5, 2. , 3.5, 3. , 0. ])
    """
    return _compute(translate.correlate(in1, in2, mode, method))


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
    return _compute(translate.conv(x, weight, bias, stride, padding, dilation, groups))


def _compute(call: translate.Call) -> NDArray[Any]:
    options = Options(algorithm=call.algorithm)
    pipeline = pipeline_for(call.filter, call.signal.dtype, options, keep=False)
    return call.result(pipeline.run(call.signal))
