"""A plan: what will be computed, by which algorithm and why, as a value that prints itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .calculators import Separated
from .filters import AXES
from .geometry import ReceptiveField

__all__ = ["Candidate", "LayerPlan", "Plan"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One algorithm for one step.

    Attributes:
        algorithm: its name.
        parameters: what it would be run with, such as block lengths.
        predicted_seconds: by the cost model; None if it cannot do it at all.
        workspace_bytes: memory beyond input and output.
        relative_error: bound on max|error| / (sum|w| * max|x|), 0 where exact.
        reason: why it was chosen, or why not.
    """

    algorithm: str
    parameters: tuple[tuple[str, str], ...] = ()
    predicted_seconds: float | None = None
    workspace_bytes: int = 0
    relative_error: float = 0.0
    reason: str = ""

    def __str__(self) -> str:
        about = "".join(f" {key}={value}" for key, value in self.parameters)
        if self.predicted_seconds is None:
            return f"{self.algorithm}: {self.reason}"
        error = f"error up to {self.relative_error:.1e}" if self.relative_error else "exact"
        return (
            f"{self.algorithm}{about}: {_seconds(self.predicted_seconds)}, "
            f"{_bytes(self.workspace_bytes)}, {error}: {self.reason}"
        )


@dataclass(frozen=True, slots=True)
class LayerPlan:
    """One step of a plan: one or several layers computed together.

    Attributes:
        layers: the indices of the layers.
        problem: what is computed, in words.
        chosen: the algorithm that does it.
        rejected: the others, best first, each with the reason.
    """

    layers: tuple[int, ...]
    problem: str
    chosen: Candidate
    rejected: tuple[Candidate, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """How a filter will be applied to a signal.

    Attributes:
        steps: what is computed, in order.
        output_shape: (batch, channels, *spatial).
        output_dtype: the dtype of the result.
        receptive_field: for each spatial axis what one output sees.
        multiply_adds: of a direct evaluation.
        parameter_count: the numbers in the filter's tensors.
        separable: what its convolutions would cost if they were separable.
    """

    steps: tuple[LayerPlan, ...]
    output_shape: tuple[int, ...]
    output_dtype: np.dtype[Any]
    receptive_field: tuple[ReceptiveField, ...]
    multiply_adds: int
    parameter_count: int
    separable: tuple[Separated, ...] = ()

    @property
    def predicted_seconds(self) -> float:
        """The sum over the steps."""
        return sum(step.chosen.predicted_seconds or 0.0 for step in self.steps)

    @property
    def workspace_bytes(self) -> int:
        """The greatest of any step."""
        return max((step.chosen.workspace_bytes for step in self.steps), default=0)

    @property
    def algorithm(self) -> str:
        """The algorithms of the steps, in order, each named once."""
        return "+".join(dict.fromkeys(step.chosen.algorithm for step in self.steps))

    def __str__(self) -> str:
        lines = []
        for step in self.steps:
            lines.append(f"{_layers(step.layers)}: {step.problem}")
            lines.append(f"  chosen    {step.chosen}")
            lines.extend(f"  rejected  {candidate}" for candidate in step.rejected)
        lines.append(f"output {self.output_shape} {self.output_dtype.name}")
        fields = list(map(str, self.receptive_field))
        if len(fields) > 1:
            named = zip(AXES[-len(fields) :], fields, strict=True)
            fields = [f"along {axis} {field}" for axis, field in named]
        lines.append(f"receptive field {'; '.join(fields)}")
        lines.append(
            f"{self.multiply_adds:,} multiply-adds, {self.parameter_count:,} parameters, "
            f"{_seconds(self.predicted_seconds)} predicted"
        )
        lines.extend(f"separable, {each}" for each in self.separable)
        return "\n".join(lines)


def _layers(indices: tuple[int, ...]) -> str:
    *before, last = map(str, indices)
    return f"layers {', '.join(before)} and {last}" if before else f"layer {last}"


def _seconds(value: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e-3)):
        if value >= scale:
            return f"{value / scale:.3g} {unit}"
    return f"{value / 1e-6:.3g} us"


def _bytes(count: int) -> str:
    for unit, scale in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= scale:
            return f"{count / scale:.3g} {unit}"
    return f"{count} B"
