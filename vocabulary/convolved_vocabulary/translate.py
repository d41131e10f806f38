"""The plain functions, told in the vocabulary: which filter, which signal, which result.

`convolve`, `correlate` and their kin mean what SciPy's do, `conv`, pools and activations what
PyTorch's do. Each becomes a `Call`: whoever computes applies `call.filter` to `call.signal` and
gives the output to `call.result`. So engine and clients say it once.
"""

from __future__ import annotations

from .call import Call
from .scipy_functions import (
    convolve,
    convolve2d,
    correlate,
    correlate2d,
    fftconvolve,
    oaconvolve,
)
from .torch_functions import (
    avg_pool,
    conv,
    conv_transpose,
    elu,
    gelu,
    leaky_relu,
    max_pool,
    relu,
    separable_conv,
    sigmoid,
    softplus,
    tanh,
)

__all__ = [
    "Call",
    "avg_pool",
    "conv",
    "conv_transpose",
    "convolve",
    "convolve2d",
    "correlate",
    "correlate2d",
    "elu",
    "fftconvolve",
    "gelu",
    "leaky_relu",
    "max_pool",
    "oaconvolve",
    "relu",
    "separable_conv",
    "sigmoid",
    "softplus",
    "tanh",
]
