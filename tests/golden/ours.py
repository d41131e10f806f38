"""A problem as we compute it."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

import convolved_vocabulary as words
from convolved_engine import apply_arranged
from convolved_engine.gradients import gradients_arranged
from tests.golden.problems import Layer, Problem

__all__ = ["compute"]


def compute(problem: Problem) -> dict[str, NDArray[Any]]:
    """The output, and the gradients by names such as `input` and `0.weight`."""
    filter = words.Filter([_layer(layer) for layer in problem.layers])
    output = apply_arranged(problem.x, filter)
    gradient = problem.gradient(output.shape, output.dtype)
    found = gradients_arranged(problem.x, filter, gradient)
    by_name = {"output": output, "input": found.input}
    for index, tensors in enumerate(found.layers):
        by_name |= {f"{index}.{name}": tensor for name, tensor in tensors.items()}
    return by_name


def _layer(about: Layer) -> words.Layer:
    kind = about["kind"]
    rest = {name: value for name, value in about.items() if name != "kind"}
    if kind == "activation":
        if about["function"] == "gelu_tanh":
            return words.Activation("gelu", approximation="tanh")
        return words.Activation(about["function"], about["alpha"])
    if kind == "affine":
        return words.Affine(**rest)
    if kind in ("max", "average"):
        return words.Pool(kind, **rest)
    return words.Conv(**rest) if kind == "conv" else words.ConvTranspose(**rest)
