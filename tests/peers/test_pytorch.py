"""Outputs and gradients are PyTorch's, entry by entry, over 3,000 drawn problems."""

from __future__ import annotations

import numpy as np
import pytest

from tests.golden import ours
from tests.golden.digest import tolerance
from tests.golden.problems import COUNT, KINDS, draw

pytestmark = pytest.mark.peers


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", KINDS)
def test_outputs_and_gradients_are_those_of_pytorch(kind: str) -> None:
    torch = pytest.importorskip("torch")
    from tests.golden import pytorch

    torch.set_num_threads(1)
    for number in range(KINDS.index(kind), COUNT, len(KINDS)):
        problem = draw(number)
        found, expected = ours.compute(problem), pytorch.compute(problem)
        assert found.keys() == expected.keys(), problem.name
        for name, array in expected.items():
            assert found[name].shape == array.shape, f"{problem.name}, {name}"
            assert found[name].dtype == array.dtype, f"{problem.name}, {name}"
            apart = abs(found[name] - array).max(initial=0)
            assert apart <= tolerance(array), f"{problem.name}, {name}"


@pytest.mark.parametrize("function", ["relu", "gelu", "sigmoid", "tanh", "elu", "leaky_relu"])
def test_activations_at_the_ends_of_their_range_are_those_of_pytorch(function: str) -> None:
    torch = pytest.importorskip("torch")
    from convolved_engine import functions

    x = np.array([-np.inf, -1e30, -100.0, -1e-30, -0.0, 0.0, 1e-30, 100.0, 1e30, np.inf, np.nan])
    # PyTorch's own gelu of infinity is NaN in some of its loops.
    x = x[np.isfinite(x)] if function == "gelu" else x
    for dtype in (np.float32, np.float64):
        entries = x.astype(dtype)
        expected = getattr(torch.nn.functional, function)(torch.from_numpy(entries)).numpy()
        found = getattr(functions, function)(entries)
        assert np.allclose(found, expected, rtol=1e-6, atol=1e-30, equal_nan=True)
