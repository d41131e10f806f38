"""The engine: convolution of arrays and streams in this process.

It knows nothing of servers and clients. `apply`, `stream`, `plan` and the plain functions are
what users call; `apply_arranged` and `open_stream` are what a server calls.
"""

from importlib.util import find_spec

from convolved_vocabulary import MissingExtra

# Most are imported where they are first needed, which is too late to say that one is not there.
if _missing := [
    " or ".join(names)
    for names in (("numba",), ("threadpoolctl",), ("pyfftw", "scipy"))
    if not any(map(find_spec, names))
]:
    raise MissingExtra(f"the engine ({', '.join(_missing)})", "engine")

from convolved_engine.about import algorithm_names, describe, warm_up
from convolved_engine.apply import apply, apply_arranged, plan, plan_arranged
from convolved_engine.functions import (
    avg_pool,
    conv,
    conv_transpose,
    convolve,
    convolve2d,
    correlate,
    correlate2d,
    elu,
    fftconvolve,
    gelu,
    leaky_relu,
    max_pool,
    oaconvolve,
    relu,
    separable_conv,
    sigmoid,
    softplus,
    tanh,
)
from convolved_engine.gradients import gradients, gradients_arranged
from convolved_engine.opening import open_stream, stream
from convolved_engine.readiness import get_ready
from convolved_engine.stream import Stream

__all__ = [
    "Stream",
    "algorithm_names",
    "apply",
    "apply_arranged",
    "avg_pool",
    "conv",
    "conv_transpose",
    "convolve",
    "convolve2d",
    "correlate",
    "correlate2d",
    "describe",
    "elu",
    "fftconvolve",
    "gelu",
    "get_ready",
    "gradients",
    "gradients_arranged",
    "leaky_relu",
    "max_pool",
    "oaconvolve",
    "open_stream",
    "plan",
    "plan_arranged",
    "relu",
    "separable_conv",
    "sigmoid",
    "softplus",
    "stream",
    "tanh",
    "warm_up",
]
