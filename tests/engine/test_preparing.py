"""What is made ready for signals of a shape is not made again by the first of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from convolved_engine import registry
from convolved_engine.pipeline import Pipeline
from convolved_vocabulary import Conv, Filter, Options, impulse_response

SHAPES: dict[str, tuple[Filter, tuple[int, ...]]] = {
    "short": (impulse_response(np.ones(31, np.float32)), (1, 2, 5000)),
    "long": (impulse_response(np.ones(3000, np.float32)), (1, 1, 50_000)),
    "layers": (
        Filter(
            [
                Conv(np.ones((4, 1, 5, 5), np.float32), padding="same"),
                Conv(np.ones((2, 4, 15, 15), np.float32), padding="same", boundary="reflect"),
            ]
        ),
        (1, 1, 64, 100),
    ),
}


@pytest.mark.parametrize("name", SHAPES)
def test_the_first_signal_finds_everything_prepared(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    filter, shape = SHAPES[name]
    pipeline = Pipeline(filter, np.dtype("float32"), Options(), f"test of preparing, {name}")
    pipeline.prepare(shape)

    def refuse(*arguments: Any) -> None:
        raise AssertionError(f"prepared again: {arguments}")

    for algorithm in registry.algorithms():
        monkeypatch.setattr(algorithm, "prepare", refuse)
    assert np.isfinite(pipeline.run(np.ones(shape, np.float32))).all()
