"""Which layers of a filter are computed together: an Affine goes into the linear layer before it.

Scales multiply the weights and shifts join the bias, so that the step costs nothing. That is done
where it keeps the bounds: scaled weights are rounded once, relative to themselves, hence
|error| <= u * sum|w * scale||x| comes in addition, while computing the Affine by itself rounds the
sums twice. It is not done

- where the two layers differ in dtype, for float16 and for integers: there the result between
  them is rounded, or exact;
- where a number is not finite, or a scaled weight leaves the range in which numbers are rounded
  relative to themselves.

The filter itself stays as it is: its name and its layers are those that were registered.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved_vocabulary import Affine, Candidate, Conv, ConvTranspose, Layer, SignalType

__all__ = ["Step", "steps"]


@dataclass(frozen=True, slots=True)
class Step:
    """Layers that are computed together.

    Attributes:
        indices: of these layers in the filter.
        layer: the layer that does what they do.
        signal: the type of what comes in.
    """

    indices: tuple[int, ...]
    layer: Layer
    signal: SignalType

    def bounded(self, candidate: Candidate) -> Candidate:
        """A candidate for `layer`, with the rounding of its weights added to the bound."""
        if len(self.indices) == 1 or candidate.predicted_seconds is None:
            return candidate
        unit = float(np.finfo(self.layer.tensors()["weight"].dtype).eps)
        return dataclasses.replace(candidate, relative_error=candidate.relative_error + unit)


def steps(layers: Sequence[Layer], signals: Sequence[SignalType]) -> tuple[Step, ...]:
    """Divide a filter into steps.

    Args:
        layers: of the filter.
        signals: the type before each layer, and after the last.

    >>> kinds = [SignalType.of("float32")] * 3
    >>> [step.indices for step in steps([Conv(np.ones((2, 1, 3))), Affine([1.0, 2.0])], kinds)]
    [(0, 1)]
    """
    found, index = [], 0
    while index < len(layers):
        layer, last = layers[index], index + 1
        if isinstance(layer, Conv | ConvTranspose):
            dtype = signals[last].dtype
            while last < len(layers) and signals[last + 1].dtype == dtype:
                if not isinstance(layers[last], Affine):
                    break
                last += 1
            folded = _folded(layer, layers[index + 1 : last], dtype)
            layer, last = (layer, index + 1) if folded is None else (folded, last)
        found.append(Step(tuple(range(index, last)), layer, signals[index]))
        index = last
    return tuple(found)


def _folded(
    layer: Conv | ConvTranspose, affines: Sequence[Layer], dtype: np.dtype[Any]
) -> Layer | None:
    """One layer that does what all of them do, if that keeps the bounds."""
    if not affines or dtype.kind not in "fc" or dtype == np.float16:
        return None
    scale: NDArray[Any] = np.ones(1, np.longdouble)
    bias = np.zeros(1, np.longdouble) if layer.bias is None else layer.bias.astype(_wide(dtype))
    with np.errstate(all="ignore"):
        for affine in affines:
            assert isinstance(affine, Affine)
            scale = scale * affine.scale
            bias = bias * affine.scale
            if affine.shift is not None:
                bias = bias + affine.shift
        exact = _scaled(layer, scale)
        weight = exact.astype(dtype)
        shift = np.broadcast_to(bias, scale.shape).astype(dtype)
    if not (_keeps_digits(exact, weight) and np.isfinite(shift).all()):
        return None
    fields: dict[str, Any] = {
        "weight": weight,
        "bias": shift,
        "stride": layer.stride,
        "padding": layer.pads,
        "dilation": layer.dilation,
        "groups": layer.groups,
    }
    if isinstance(layer, Conv):
        return Conv(**fields, boundary=layer.boundary, flip=layer.flip)
    return ConvTranspose(**fields, output_padding=layer.output_padding)


def _scaled(layer: Conv | ConvTranspose, scale: NDArray[Any]) -> NDArray[Any]:
    """The weight, each output channel's taps times its scale."""
    ones = (1,) * layer.rank
    weight = layer.weight
    if isinstance(layer, Conv):
        return np.asarray(weight * scale.reshape(-1, 1, *ones))
    grouped = weight.reshape(layer.groups, -1, *weight.shape[1:])
    return np.asarray(grouped * scale.reshape(layer.groups, 1, -1, *ones)).reshape(weight.shape)


def _wide(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(np.clongdouble if dtype.kind == "c" else np.longdouble)


def _keeps_digits(exact: NDArray[Any], rounded: NDArray[Any]) -> bool:
    """Whether every number is finite, and zero or rounded relative to itself."""
    if rounded.dtype.kind == "c":
        parts = ((exact.real, rounded.real), (exact.imag, rounded.imag))
        return all(_keeps_digits(*part) for part in parts)
    if not np.isfinite(rounded).all():
        return False
    tiny = np.finfo(rounded.dtype).tiny
    return bool(((exact == 0) | (abs(rounded) >= tiny)).all())
