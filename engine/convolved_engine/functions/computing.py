"""How a plain function is computed: by a pipeline of its own, whose weights are not kept."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from convolved_engine.pipeline import pipeline_for
from convolved_vocabulary import Options, translate

__all__ = ["compute"]


def compute(call: translate.Call) -> NDArray[Any]:
    """The result of a call."""
    options = Options(algorithm=call.algorithm)
    pipeline = pipeline_for(call.filter, call.signal.dtype, options, keep=False)
    return call.result(pipeline.run(call.signal))
