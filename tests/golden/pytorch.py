"""A problem as PyTorch computes it; the only module here that needs PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from tests.golden.problems import BOUNDARIES, Layer, Problem

__all__ = ["compute"]


def compute(problem: Problem) -> dict[str, NDArray[Any]]:
    """The output, and the gradients by names such as `input` and `0.weight`."""
    leaves = {"input": _leaf(problem.x)}
    found: Any = leaves["input"]
    for index, about in enumerate(problem.layers):
        layer = dict(about)
        for name in ("weight", "bias", "scale", "shift"):
            if layer.get(name) is not None:
                layer[name] = leaves[f"{index}.{name}"] = _leaf(layer[name])
        found = _applied(layer, found)
    output = found.detach().numpy()
    found.backward(torch.from_numpy(problem.gradient(output.shape, output.dtype)))
    gradients = {name: leaf.grad.numpy() for name, leaf in leaves.items()}
    return {"output": output, **gradients}


def _leaf(array: NDArray[Any]) -> Any:
    return torch.from_numpy(np.array(array)).requires_grad_()


def _applied(layer: Layer, x: Any) -> Any:
    rank = x.ndim - 2
    match layer["kind"]:
        case "conv":
            # The last axis comes first in PyTorch's padding.
            pads = [n for pair in reversed(layer["padding"]) for n in pair]
            padded = functional.pad(x, pads, mode=BOUNDARIES[layer["boundary"]])
            function = getattr(functional, f"conv{rank}d")
            return function(
                padded,
                layer["weight"],
                layer["bias"],
                layer["stride"],
                0,
                layer["dilation"],
                layer["groups"],
            )
        case "conv_transpose":
            function = getattr(functional, f"conv_transpose{rank}d")
            return function(
                x,
                layer["weight"],
                layer["bias"],
                layer["stride"],
                layer["padding"],
                layer["output_padding"],
                layer["groups"],
                layer["dilation"],
            )
        case "max":
            function = getattr(functional, f"max_pool{rank}d")
            return function(
                x,
                layer["size"],
                layer["stride"],
                layer["padding"],
                layer["dilation"],
                layer["ceil_mode"],
            )
        case "average":
            return _averaged(layer, x, getattr(functional, f"avg_pool{rank}d"))
        case "affine":
            ones = (1,) * rank
            scaled = x * layer["scale"].reshape(-1, *ones)
            return scaled if layer["shift"] is None else scaled + layer["shift"].reshape(-1, *ones)
    return _activated(layer, x)


def _averaged(layer: Layer, x: Any, function: Any) -> Any:
    arguments = (
        layer["size"],
        layer["stride"],
        layer["padding"],
        layer["ceil_mode"],
        layer["count_include_pad"],
    )
    if not x.is_complex():
        return function(x, *arguments)
    # PyTorch's averages take real numbers only.
    return torch.complex(function(x.real, *arguments), function(x.imag, *arguments))


def _activated(layer: Layer, x: Any) -> Any:
    alpha = layer["alpha"]
    match layer["function"]:
        case "leaky_relu":
            return functional.leaky_relu(x, alpha)
        case "elu":
            return functional.elu(x, alpha)
        case "softplus":
            # PyTorch's threshold, beyond which it is not exact, is never reached.
            return functional.softplus(x, alpha, threshold=1e3)
        case "gelu":
            return functional.gelu(x)
        case "gelu_tanh":
            return functional.gelu(x, approximate="tanh")
        case name:
            return getattr(torch, name)(x)
