"""Filters made ready: what the first signal would have to prepare is prepared before it comes."""

from __future__ import annotations

import math

import numpy as np

from convolved_engine.apply import apply_arranged, plan_arranged
from convolved_vocabulary import Filter

__all__ = ["get_ready"]

# The weights and the signals of filters that are made ready, the memory that computing may take
# meanwhile, and the time that is predicted for each silence.
_BYTES = 8 << 20
_WORKSPACE_BYTES = 32 << 20
_SECONDS = 0.02
# Samples in a silence: from one to ten seconds of sound, for which other blocks may be best.
_STRETCHES = (44_100, 1 << 18, 1 << 19)
_ACROSS = 256


def get_ready(filter: Filter) -> bool:
    """Apply a filter to silences: its next signal finds weights, plans and memory prepared.

    The silences are of the filter's own type, and as large as common signals. What would be large
    or long is left to the signal that needs it.

    Returns:
        whether all of it was done.

    >>> from convolved_vocabulary import impulse_response
    >>> get_ready(impulse_response(np.ones(7, np.float32)))
    True
    """
    if filter.size_bytes > _BYTES:
        return False
    kinds = {tensor.dtype for layer in filter.layers for tensor in layer.tensors().values()}
    dtype = np.result_type(np.float32, *kinds)
    fields = filter.receptive_field
    across = [max(_ACROSS, field.size) for field in fields[:-1]]
    lengths = {max(size // math.prod(across), fields[-1].size) for size in _STRETCHES}
    return all(
        _apply_silence((1, filter.in_channels or 1, *across, length), filter, dtype)
        for length in sorted(lengths)
    )


def _apply_silence(shape: tuple[int, ...], filter: Filter, dtype: np.dtype[np.generic]) -> bool:
    if math.prod(shape) * dtype.itemsize > _BYTES:
        return False
    plan = plan_arranged(shape, filter, dtype)
    if plan.predicted_seconds > _SECONDS or plan.workspace_bytes > _WORKSPACE_BYTES:
        return False
    apply_arranged(np.zeros(shape, dtype), filter)
    return True
