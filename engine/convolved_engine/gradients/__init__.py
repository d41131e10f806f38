"""Gradients of a whole filter: forwards layer by layer, then backwards.

Linear layers are differentiated by linear layers: the gradient of a convolution with respect to
its input is a transposed one, with respect to its weight a correlation of input and output. So
the planner's algorithms compute them, too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import ArrayLike, NDArray

from convolved_engine.gradients.backward import backward
from convolved_engine.operations import operation_for
from convolved_engine.operations.base import converted
from convolved_vocabulary import (
    Cancelled,
    Filter,
    Gradients,
    Layer,
    Options,
    SignalType,
    arrange,
    as_filter,
)
from convolved_vocabulary.gradients import arrange_gradient

__all__ = ["Gradients", "gradients", "gradients_arranged"]

_DEFAULT_OPTIONS = Options()


def gradients_arranged(
    signal: NDArray[Any],
    filter: Filter,
    grad_out: NDArray[Any],
    options: Options = _DEFAULT_OPTIONS,
    *,
    cancelled: Callable[[], bool] | None = None,
) -> Gradients:
    """The gradients for a signal and a gradient that are both (batch, channels, *spatial).

    Args:
        signal: the input at which the gradients are taken; floating or complex.
        filter: what was applied to it.
        grad_out: the gradient of the loss with respect to the output, of its shape and dtype.
        options: the wishes of the caller.
        cancelled: asked between layers; once it returns True the work is given up.

    Returns:
        `input`, of the axes of the signal, and `layers`.

    Raises:
        InvalidArgument: if an algorithm was asked for that does not support the problem.
        Cancelled: if `cancelled` said so.

    >>> import numpy as np
    >>> found = gradients_arranged(np.ones((1, 1, 3)), as_filter([3.0, 5.0]), np.ones((1, 1, 4)))
    >>> found.input
    array([[[8., 8., 8.]]])
    """
    types = (SignalType.of(signal.dtype), *filter.output_types(signal.dtype))
    inputs = [signal.reshape(_one_channel(filter, signal.shape))]
    for layer, kind in zip(filter.layers[:-1], types, strict=False):
        _go_on(cancelled)
        inputs.append(operation_for(layer, kind, options, None).run(inputs[-1]))
    found = []
    grad = grad_out.reshape(_one_channel(filter, grad_out.shape))
    for layer, x, kind in reversed(list(zip(filter.layers, inputs, types, strict=False))):
        _go_on(cancelled)
        grad, tensors = backward(layer, x, grad, kind, options)
        own = layer.tensors()
        found.append(
            {
                name: _as(tensor, own[name])
                for name, tensor in tensors.items()
                if own[name].dtype.kind in "fc"
            }
        )
        grad = _as(grad, x)
    return Gradients(grad.reshape(signal.shape), tuple(reversed(found)))


def gradients(
    x: ArrayLike,
    filter: Filter | Layer | ArrayLike,
    grad_out: ArrayLike,
    *,
    sample_rate_hertz: float | None = None,
    accuracy: str = "fast",
    algorithm: str = "auto",
    rigor: str | None = None,
) -> Gradients:
    """Say how a loss changes with the input and with every parameter of a filter.

    Among equal maxima of a pool the first takes the gradient. Complex gradients follow PyTorch:
    dL/d(real) + i * dL/d(imaginary).

    Args:
        x: the input at which the gradients are taken, as `apply` takes it; floating or complex.
        filter: a filter, a layer, or the array of an impulse response.
        grad_out: the gradient of the loss with respect to the output, of the output's shape and
            dtype.
        sample_rate_hertz: of the signal, if the filter's rate shall be checked.
        accuracy: "fast" or "strict"; see `Options`.
        algorithm: the name of an algorithm, or "auto".
        rigor: "estimate", "measure", or None for the setting; see `Options`.

    Returns:
        `input`, laid out as `x`, and `layers`: for each layer one mapping of names to arrays.

    Raises:
        InvalidArgument: naming what is wrong.

    >>> import numpy as np
    >>> found = gradients(np.array([1.0, 2.0, 4.0]), np.array([3.0, 5.0]), np.ones(4))
    >>> found.input, found.layers[0]["weight"]
    (array([8., 8., 8.]), array([[[7., 7.]]]))
    """
    known = as_filter(filter)
    signal, layout = arrange(x, known, sample_rate_hertz)
    grad = arrange_gradient(grad_out, known, layout, signal.dtype)
    options = Options(accuracy=accuracy, algorithm=algorithm, rigor=rigor)
    return gradients_arranged(signal, known, grad, options).laid_out(layout)


def _go_on(cancelled: Callable[[], bool] | None) -> None:
    if cancelled is not None and cancelled():
        raise Cancelled("the work was cancelled between two layers")


def _one_channel(filter: Filter, shape: tuple[int, ...]) -> tuple[int, ...]:
    return (shape[0] * shape[1], 1, *shape[2:]) if filter.per_channel else shape


def _as(grad: NDArray[Any], like: NDArray[Any]) -> NDArray[Any]:
    """A gradient with respect to real numbers is the real part."""
    grad = grad.real if like.dtype.kind == "f" and grad.dtype.kind == "c" else grad
    return converted(grad, like.dtype)
