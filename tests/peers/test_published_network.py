"""A published network is one filter: registered on a server, it gives what PyTorch gives."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from convolved import Client

pytestmark = pytest.mark.peers

VOICE = Path(__file__).parents[2] / "examples" / "data" / "voice.flac"


@pytest.fixture(scope="module")
def crepe() -> Any:
    """The module that knows the network; it needs PyTorch."""
    pytest.importorskip("torch").set_num_threads(1)
    from tests.peers import crepe

    return crepe


@pytest.fixture(scope="module")
def voice(crepe: Any) -> NDArray[np.float32]:
    """A real recording, at the rate that the network hears."""
    soundfile, soxr = pytest.importorskip("soundfile"), pytest.importorskip("soxr")
    samples, rate = soundfile.read(VOICE, dtype="float32")
    found: NDArray[np.float32] = soxr.resample(samples, rate, crepe.RATE)
    return found


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with Client.embedded(timeout=120) as found:
        yield found


def computed(function: Any, x: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
    """What PyTorch makes of x in float32, and in float64."""
    import torch

    with torch.no_grad():
        single = function(torch.from_numpy(x)).numpy()
        double = function(torch.from_numpy(x.astype(np.float64))).numpy()
    assert (single.dtype, double.dtype) == (np.float32, np.float64)
    return single, double


def in_either_precision(module: Any, function: Any) -> Any:
    """The function with the network in the precision of what it is given."""

    def call(x: Any) -> Any:
        module.to(x.dtype)
        try:
            return function(x)
        finally:
            module.float()

    return call


def assert_as_accurate(
    found: NDArray[Any], single: NDArray[np.float32], double: NDArray[np.float64]
) -> None:
    """That a result is PyTorch's, and not farther from the truth than a few of its own errors."""
    assert found.shape == single.shape
    assert found.dtype == np.float32
    largest = float(abs(double).max())
    own = float(abs(single - double).max())
    assert abs(found - double).max() <= 5 * own <= 1e-4 * largest
    assert abs(found - single).max() <= 6 * own


@pytest.mark.parametrize(("capacity", "every"), [("tiny", 5), ("full", 100)])
def test_a_registered_network_hears_in_each_frame_what_pytorchs_does(
    client: Client, crepe: Any, voice: NDArray[np.float32], capacity: str, every: int
) -> None:
    module = crepe.network(capacity)
    cut = crepe.frames(voice)[::every]
    single, double = computed(in_either_precision(module, module), cut)
    registered = client.register(crepe.as_filter(module, classifies=True))
    found = client.apply(cut[:, None], registered, sample_rate_hertz=crepe.RATE)
    assert_as_accurate(found[..., 0], single, double)
    # The voice speaks: where the network is sure, the pitch it names is the same.
    sure = single.max(axis=1) > 0.5
    assert sure.sum() > len(cut) // 5
    assert np.array_equal(found[sure, :, 0].argmax(axis=1), single[sure].argmax(axis=1))


def test_a_networks_layers_hear_a_stream_as_they_hear_the_whole(
    client: Client, crepe: Any, voice: NDArray[np.float32]
) -> None:
    module = crepe.network("tiny")
    whole = (voice / voice.std()).astype(np.float32)

    def layers(x: Any) -> Any:
        return module.layer(module.embed(x), module.conv6, module.conv6_BN)[0, ..., 0]

    single, double = computed(in_either_precision(module, layers), whole[None])
    filter = crepe.as_filter(module, classifies=False)
    registered = client.register(filter)
    random = np.random.default_rng(5)
    cuts = sorted({0, len(whole), *random.integers(1, len(whole), 60).tolist()})
    found, heard = [], 0
    with client.stream(registered, sample_rate_hertz=crepe.RATE, block=1024) as live:
        for begin, after in pairwise(cuts):
            found.append(live.push(whole[None, begin:after]))
            heard += found[-1].shape[-1]
            assert heard == filter.ready(after)
        found.append(live.flush())
    assert_as_accurate(np.concatenate(found, axis=-1), single, double)
    assert_as_accurate(client.apply(whole[None], registered), single, double)
