"""Problems that PyTorch and we both understand, drawn from a seed: layers, an input, a gradient.

A problem is told in plain numbers, so that both sides build it for themselves. Sizes are small:
what is compared is the meaning of every parameter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["COUNT", "Problem", "draw"]

COUNT = 3000
"""How many problems are compared."""

KINDS = ("conv", "conv_transpose", "max", "average", "activation", "stack")
REAL = ("float32", "float64")
COMPLEX = ("complex64", "complex128")

# Our words for boundaries, and PyTorch's.
BOUNDARIES = {"zeros": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}

Layer = dict[str, Any]


@dataclass(frozen=True)
class Problem:
    """Layers, an input and the gradient of the output.

    Attributes:
        name: says the kind and the number.
        layers: what they are and their parameters; tensors are arrays.
        x: (batch, channels, *spatial).
        seed: of the gradient, whose shape the output decides.
    """

    name: str
    layers: tuple[Layer, ...]
    x: NDArray[Any]
    seed: int

    def gradient(self, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        """The gradient of the loss with respect to an output of `shape`."""
        return _numbers(np.random.default_rng(self.seed), shape, np.dtype(dtype).name)


def draw(number: int) -> Problem:
    """Problem `number`: the same on every machine."""
    random = np.random.default_rng([2026, number])
    kind = KINDS[number % len(KINDS)]
    rank = int(random.choice((1, 1, 2, 2, 3)))
    real = kind in ("max", "activation", "stack") or random.random() < 0.7
    dtype = str(random.choice(REAL if real else COMPLEX))
    channels, batch = int(random.integers(1, 5)), int(random.integers(1, 3))
    longest = {1: 14, 2: 7, 3: 4}[rank]
    size = [int(n) for n in random.integers(3, longest + 1, rank)]
    layers: list[Layer] = []
    current, across = channels, list(size)
    kinds = _stack(random) if kind == "stack" else [kind]
    for one in kinds:
        layer = _layer(random, one, rank, current, across, dtype)
        if layer is None:
            continue
        layers.append(layer)
        current, across = layer.pop("after")
    x = _numbers(random, (batch, channels, *size), dtype)
    if not layers:
        layers.append(
            {"kind": "affine", "scale": x.reshape(batch, channels, -1)[0, :, 0], "shift": None}
        )
    if all(layer["kind"] in ("activation", "affine") for layer in layers):
        # Layers without a rank of their own take a signal along time alone.
        x = x.reshape(batch, channels, -1)
    return Problem(f"{kind} {number}", tuple(layers), x, number)


def _stack(random: np.random.Generator) -> list[str]:
    kinds = ["conv", "conv_transpose", "max", "average", "activation", "affine"]
    return ["conv", *(str(random.choice(kinds)) for _ in range(random.integers(1, 5)))]


def _numbers(random: np.random.Generator, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    found = random.standard_normal(shape)
    if np.dtype(dtype).kind == "c":
        found = found + 1j * random.standard_normal(shape)
    return np.asarray(found, dtype)


def _layer(
    random: np.random.Generator,
    kind: str,
    rank: int,
    channels: int,
    size: list[int],
    dtype: str,
) -> Layer | None:
    """A layer, and under `after` the channels and the size that come out; None if none do."""

    def each(low: int, high: int) -> list[int]:
        return [int(n) for n in random.integers(low, high + 1, rank)]

    if kind == "activation":
        return _activation(random, channels, size)
    if kind == "affine":
        shift = _numbers(random, (channels,), dtype) if random.random() < 0.7 else None
        scale = _numbers(random, (channels,), dtype)
        return {"kind": kind, "scale": scale, "shift": shift, "after": (channels, size)}
    kernel, stride, dilation = each(1, 5 if rank == 1 else 3), each(1, 3), each(1, 2)
    if kind in ("max", "average"):
        dilation = dilation if kind == "max" else [1] * rank
        padding = [int(random.integers(0, k // 2 + 1)) for k in kernel]
        pool: Layer = {
            "kind": kind,
            "size": kernel,
            "stride": stride,
            "padding": padding,
            "dilation": dilation,
            "ceil_mode": bool(random.random() < 0.5),
            "count_include_pad": bool(random.random() < 0.5),
        }
        # PyTorch's own rules: a window fits into the padded signal.
        axes = zip(size, padding, dilation, kernel, strict=True)
        reach = [n + 2 * p - d * (k - 1) for n, p, d, k in axes]
        if min(reach) < 1 or any(n < k for n, k in zip(size, kernel, strict=True)):
            return None
        after = []
        for left, s, n, p in zip(reach, stride, size, padding, strict=True):
            count = -(-(left - 1) // s) + 1 if pool["ceil_mode"] else (left - 1) // s + 1
            if pool["ceil_mode"] and (count - 1) * s >= n + p:
                count -= 1
            after.append(count)
        return {**pool, "after": (channels, after)}
    groups = int(random.choice([g for g in (1, 2, 3) if channels % g == 0]))
    outputs = int(random.integers(1, 4)) * groups
    bias = _numbers(random, (outputs,), dtype) if random.random() < 0.7 else None
    if kind == "conv_transpose":
        padding = each(0, 2)
        extra = [int(random.integers(0, max(s, d))) for s, d in zip(stride, dilation, strict=True)]
        after = [
            (n - 1) * s - 2 * p + d * (k - 1) + e + 1
            for n, s, p, d, k, e in zip(size, stride, padding, dilation, kernel, extra, strict=True)
        ]
        if min(after) < 1:
            return None
        return {
            "kind": kind,
            "weight": _numbers(random, (channels, outputs // groups, *kernel), dtype),
            "bias": bias,
            "stride": stride,
            "padding": padding,
            "output_padding": extra,
            "dilation": dilation,
            "groups": groups,
            "after": (outputs, after),
        }
    pads = [[int(random.integers(0, min(3, n))), int(random.integers(0, min(3, n)))] for n in size]
    boundary = str(random.choice(list(BOUNDARIES))) if np.dtype(dtype).kind == "f" else "zeros"
    if random.random() < 0.3:
        stride = [1] * rank
        reach = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        pads, boundary = [[r // 2, r - r // 2] for r in reach], "zeros"
    after = [
        (n + sum(pair) - d * (k - 1) - 1) // s + 1
        for n, pair, d, k, s in zip(size, pads, dilation, kernel, stride, strict=True)
    ]
    if min(after) < 1:
        return None
    return {
        "kind": "conv",
        "weight": _numbers(random, (outputs, channels // groups, *kernel), dtype),
        "bias": bias,
        "stride": stride,
        "padding": pads,
        "dilation": dilation,
        "groups": groups,
        "boundary": boundary,
        "after": (outputs, after),
    }


def _activation(random: np.random.Generator, channels: int, size: list[int]) -> Layer:
    functions = ("relu", "leaky_relu", "elu", "gelu", "gelu_tanh", "sigmoid", "tanh", "softplus")
    function = str(random.choice(functions))
    has_alpha = function in ("leaky_relu", "elu", "softplus")
    alpha = float(random.choice((0.25, 1.0, 1.5))) if has_alpha else None
    return {
        "kind": "activation",
        "function": function,
        "alpha": alpha,
        "after": (channels, size),
    }
