"""Functions of each entry by itself, with PyTorch's meaning."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike, NDArray

from convolved_engine.functions.computing import compute
from convolved_vocabulary import translate

__all__ = [
    "elu",
    "gelu",
    "leaky_relu",
    "relu",
    "sigmoid",
    "softplus",
    "tanh",
]


def relu(x: ArrayLike) -> NDArray[Any]:
    """The greater of each entry and 0, as PyTorch's `relu`.

    Args:
        x: an array of any shape, real; NaN stays NaN.

    Returns:
        an array of the shape and dtype of x.

    Raises:
        InvalidArgument: naming what is wrong.

    >>> relu([-1, 2])
    array([0, 2])
    """
    return compute(translate.relu(x))


def leaky_relu(x: ArrayLike, negative_slope: float = 0.01) -> NDArray[Any]:
    """Entries above 0, and a fraction of those below, as PyTorch's `leaky_relu`.

    Args:
        x: an array of any shape, real and floating.
        negative_slope: the factor below 0.

    Returns:
        an array of the shape and dtype of x.

    Raises:
        InvalidArgument: naming what is wrong.

    >>> leaky_relu([-1.0, 2.0])
    array([-0.01,  2.  ])
    """
    return compute(translate.leaky_relu(x, negative_slope))


def elu(x: ArrayLike, alpha: float = 1.0) -> NDArray[Any]:
    """The exponential linear unit of each entry, as PyTorch's `elu`.

    Args:
        x: an array of any shape, real and floating.
        alpha: the factor of exp(x) - 1 below 0.

    Returns:
        an array of the shape and dtype of x.

    Raises:
        InvalidArgument: naming what is wrong.

    >>> elu([0.0, 2.0])
    array([0., 2.])
    """
    return compute(translate.elu(x, alpha))


def gelu(x: ArrayLike, approximate: str = "none") -> NDArray[Any]:
    """Each entry times the normal distribution function there, as PyTorch's `gelu`.

    Args:
        x: an array of any shape, real and floating.
        approximate: "none", or "tanh" for the approximation by tanh.

    Returns:
        an array of the shape and dtype of x.

    Raises:
        InvalidArgument: naming what is wrong.

    >>> gelu([0.0, 100.0])
    array([  0., 100.])
    """
    return compute(translate.gelu(x, approximate))


def sigmoid(x: ArrayLike) -> NDArray[Any]:
    """The logistic function of each entry, as PyTorch's `sigmoid`.

    Args:
        x: an array of any shape, real and floating.

    Returns:
        an array of the shape and dtype of x.

    Raises:
        InvalidArgument: naming what is wrong.

    >>> sigmoid([0.0])
    array([0.5])
    """
    return compute(translate.sigmoid(x))


def tanh(x: ArrayLike) -> NDArray[Any]:
    """The hyperbolic tangent of each entry, as PyTorch's `tanh`.

    Args:
        x: an array of any shape, real and floating.

    Returns:
        an array of the shape and dtype of x.

    Raises:
        InvalidArgument: naming what is wrong.

    >>> tanh([0.0])
    array([0.])
    """
    return compute(translate.tanh(x))


def softplus(x: ArrayLike, beta: float = 1.0) -> NDArray[Any]:
    """The logarithm of 1 + exp(beta * x), over beta, as PyTorch's `softplus`.

    It is exact everywhere; PyTorch goes over to x where beta * x exceeds 20.

    Args:
        x: an array of any shape, real and floating.
        beta: the sharpness.

    Returns:
        an array of the shape and dtype of x.

    Raises:
        InvalidArgument: naming what is wrong.

    >>> softplus([0.0, 100.0])
    array([  0.69314718, 100.        ])
    """
    return compute(translate.softplus(x, beta))
