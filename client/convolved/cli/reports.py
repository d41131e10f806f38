"""What --json prints: objects whose fields docs/cli.md tells, and which only ever grow."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

from convolved.registered import FilterInfo, ServerInfo
from convolved_vocabulary import Candidate, LayerPlan, Plan

__all__ = ["emit", "of_filter", "of_plan", "of_samples", "of_server", "or_null"]


def emit(report: dict[str, Any]) -> None:
    """Print one object in one line on standard output."""
    print(json.dumps(report, allow_nan=False))


def or_null(value: float | None) -> float | None:
    """Return a number that JSON can say, else None: silence has no decibels."""
    return value if value is not None and math.isfinite(value) else None


def of_samples(path: str, shape: tuple[int, ...], rate: float | None) -> dict[str, Any]:
    """Return what there is to say of a file of samples."""
    return {
        "path": path,
        "shape": list(shape),
        "sample_rate_hertz": rate,
        "seconds": shape[-1] / rate if rate else None,
    }


def of_plan(plan: Plan) -> dict[str, Any]:
    """Return a plan."""
    return {
        "output_shape": list(plan.output_shape),
        "output_dtype": plan.output_dtype.name,
        "predicted_seconds": plan.predicted_seconds,
        "workspace_bytes": plan.workspace_bytes,
        "multiply_adds": plan.multiply_adds,
        "parameter_count": plan.parameter_count,
        "receptive_field": [
            {"size": field.size, "stride": float(field.stride), "start": field.start}
            for field in plan.receptive_field
        ],
        "separable": [dataclasses.asdict(each) for each in plan.separable],
        "steps": [_of_step(step) for step in plan.steps],
    }


def of_filter(info: FilterInfo) -> dict[str, Any]:
    """Return a registered filter."""
    return {
        "name": info.name,
        "layers": list(info.layers),
        "per_channel": info.per_channel,
        "sample_rate_hertz": info.sample_rate_hertz,
        "rank": info.rank,
        "in_channels": info.in_channels,
        "size_bytes": info.size_bytes,
        "created": info.created.isoformat(),
    }


def of_server(info: ServerInfo) -> dict[str, Any]:
    """Return a server."""
    return {
        "version": info.version,
        "algorithms": list(info.algorithms),
        "dtypes": [dtype.name for dtype in info.dtypes],
        "cpu": info.cpu,
        "threads": info.threads,
        "transforms": info.transforms,
        "limits": {
            name: getattr(info.limits, name) for name in type(info.limits).__dataclass_fields__
        },
    }


def _of_step(step: LayerPlan) -> dict[str, Any]:
    return {
        "layers": list(step.layers),
        "problem": step.problem,
        "chosen": _of_candidate(step.chosen),
        "rejected": [_of_candidate(candidate) for candidate in step.rejected],
    }


def _of_candidate(candidate: Candidate) -> dict[str, Any]:
    return {
        "algorithm": candidate.algorithm,
        "parameters": dict(candidate.parameters),
        "predicted_seconds": candidate.predicted_seconds,
        "workspace_bytes": candidate.workspace_bytes,
        "relative_error": or_null(candidate.relative_error),
        "reason": candidate.reason,
    }
