"""Functions on arrays, with SciPy's meaning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import ArrayLike, NDArray

from convolved_engine.functions.computing import call, compute
from convolved_vocabulary import translate

__all__ = [
    "convolve",
    "convolve2d",
    "correlate",
    "correlate2d",
    "fftconvolve",
    "oaconvolve",
]


def convolve(
    in1: ArrayLike, in2: ArrayLike, mode: str = "full", method: str = "auto"
) -> NDArray[Any]:
    """Convolve two arrays, as `scipy.signal.convolve` does.

    Args:
        in1: an array.
        in2: another of as many axes; on at most three axes both have more than one entry.
        mode: "full", "same" (the size of in1, centered) or "valid".
        method: "auto", "direct" or "fft"; exact integers are never transformed.

    Returns:
        an array of dtype `numpy.result_type(in1, in2)`; integers are exact.

    Raises:
        InvalidArgument: naming what is wrong.
        IntegerOverflow: where SciPy would wrap around in silence.

    >>> convolve([1, 2, 3], [0, 1, 0.5])
    array([0. , 1. , 2.5, 4. , 1.5])
    """
    return call(translate.convolve, (in1, in2), mode, method)


def correlate(
    in1: ArrayLike, in2: ArrayLike, mode: str = "full", method: str = "auto"
) -> NDArray[Any]:
    """Cross-correlate two arrays, as `scipy.signal.correlate` does; in2 is conjugated.

    Args:
        in1: an array.
        in2: another of as many axes; on at most three axes both have more than one entry.
        mode: "full", "same" (the size of in1, centered) or "valid".
        method: "auto", "direct" or "fft"; exact integers are never transformed.

    Returns:
        an array of dtype `numpy.result_type(in1, in2)`; integers are exact.

    Raises:
        InvalidArgument: naming what is wrong.
        IntegerOverflow: where SciPy would wrap around in silence.

    >>> correlate([1, 2, 3], [0, 1, 0.5])
    array([0.5, 2. , 3.5, 3. , 0. ])
    """
    return call(translate.correlate, (in1, in2), mode, method)


def fftconvolve(
    in1: ArrayLike,
    in2: ArrayLike,
    mode: str = "full",
    axes: int | Sequence[int] | None = None,
) -> NDArray[Any]:
    """Convolve along some axes and broadcast the others, as `scipy.signal.fftconvolve` does.

    The planner chooses how; a transform is one way among others.

    Args:
        in1: an array.
        in2: another of as many axes; on other axes than `axes` the lengths are equal or 1.
        mode: "full", "same" (the size of in1, centered) or "valid".
        axes: along which to convolve, at most three; None for all.

    Returns:
        an array; integers are convolved in float64.

    Raises:
        InvalidArgument: naming what is wrong.

    >>> fftconvolve([[1.0, 2.0], [3.0, 4.0]], [[1.0, 1.0]], axes=1)
    array([[1., 3., 2.],
           [3., 7., 4.]])
    """
    return compute(translate.fftconvolve(in1, in2, mode, axes))


def oaconvolve(
    in1: ArrayLike,
    in2: ArrayLike,
    mode: str = "full",
    axes: int | Sequence[int] | None = None,
) -> NDArray[Any]:
    """Convolve arrays of very different sizes, as `scipy.signal.oaconvolve` does.

    It is `fftconvolve`: whether to work in blocks is the planner's choice.

    Args:
        in1: an array.
        in2: another of as many axes; on other axes than `axes` the lengths are equal or 1.
        mode: "full", "same" (the size of in1, centered) or "valid".
        axes: along which to convolve, at most three; None for all.

    Returns:
        an array; integers are convolved in float64.

    Raises:
        InvalidArgument: naming what is wrong.

    >>> oaconvolve([1, 2, 3, 4], [1, 1], mode="valid")
    array([3., 5., 7.])
    """
    return compute(translate.oaconvolve(in1, in2, mode, axes))


def convolve2d(
    in1: ArrayLike,
    in2: ArrayLike,
    mode: str = "full",
    boundary: str = "fill",
    fillvalue: complex = 0,
) -> NDArray[Any]:
    """Convolve two images, as `scipy.signal.convolve2d` does.

    Args:
        in1: (rows, columns).
        in2: (rows, columns).
        mode: "full", "same" (the size of in1, centered) or "valid".
        boundary: what stands around in1: "fill", "wrap" or "symm".
        fillvalue: the number that fills.

    Returns:
        an array of dtype `numpy.result_type(in1, in2)`; integers are exact.

    Raises:
        InvalidArgument: naming what is wrong.
        IntegerOverflow: where SciPy would wrap around in silence.

    >>> convolve2d([[1, 2], [3, 4]], [[1, -1]], boundary="symm", mode="same")
    array([[0, 1],
           [0, 1]])
    """
    return compute(translate.convolve2d(in1, in2, mode, boundary, fillvalue))


def correlate2d(
    in1: ArrayLike,
    in2: ArrayLike,
    mode: str = "full",
    boundary: str = "fill",
    fillvalue: complex = 0,
) -> NDArray[Any]:
    """Cross-correlate two images, as `scipy.signal.correlate2d` does; in2 is conjugated.

    Where mode="valid" exchanges complex arrays, the result is conjugated as that of `correlate`
    is; SciPy's 2-D function leaves that out.

    Args:
        in1: (rows, columns).
        in2: (rows, columns).
        mode: "full", "same" (the size of in1, centered) or "valid".
        boundary: what stands around in1: "fill", "wrap" or "symm".
        fillvalue: the number that fills.

    Returns:
        an array of dtype `numpy.result_type(in1, in2)`; integers are exact.

    Raises:
        InvalidArgument: naming what is wrong.
        IntegerOverflow: where SciPy would wrap around in silence.

    >>> correlate2d([[1, 2], [3, 4]], [[1, -1]], boundary="wrap", mode="same")
    array([[-1,  1],
           [-1,  1]])
    """
    return compute(translate.correlate2d(in1, in2, mode, boundary, fillvalue))
