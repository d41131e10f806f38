"""The plain functions: SciPy's convolutions, PyTorch's layers.

What each means is told once, in `convolved_vocabulary.translate`; here it is computed.
"""

from convolved_engine.functions.channels import (
    avg_pool,
    conv,
    conv_transpose,
    max_pool,
    separable_conv,
)
from convolved_engine.functions.entries import (
    elu,
    gelu,
    leaky_relu,
    relu,
    sigmoid,
    softplus,
    tanh,
)
from convolved_engine.functions.signals import (
    convolve,
    convolve2d,
    correlate,
    correlate2d,
    fftconvolve,
    oaconvolve,
)

__all__ = [
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
