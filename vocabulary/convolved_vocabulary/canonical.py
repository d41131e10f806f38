"""The canonical form of a filter: equal filters have equal bytes, in every language.

The form is specified beside `Filter` in proto/convolved/v1/convolution.proto; golden vectors in
the tests hold both to it.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .layers import Layer
from .layers.base import real_word

__all__ = ["canonical_form", "filter_name"]

MAGIC = "convolved-filter 1"


def canonical_form(
    layers: Sequence[Layer], per_channel: bool, sample_rate_hertz: float | None
) -> bytes:
    r"""The header lines, `end`, and the bytes of the tensors in the order of the header.

    >>> from convolved_vocabulary import Activation
    >>> canonical_form([Activation("relu")], False, None)
    b'convolved-filter 1\nfilter\nactivation kind=relu\nend\n'
    """
    about = {}
    if per_channel:
        about["per_channel"] = "true"
    if sample_rate_hertz is not None:
        about["sample_rate_hertz"] = real_word(sample_rate_hertz)
    lines = [MAGIC, _line("filter", about)]
    blobs: list[bytes] = []
    for layer in layers:
        tensors = layer.tensors()
        shapes = {name: f"{t.dtype.name}[{_shape(t)}]" for name, t in tensors.items()}
        lines.append(_line(layer.kind, {**layer.parameters(), **shapes}))
        blobs.extend(_little_endian(tensors[name]) for name in sorted(tensors))
    header = "".join(f"{line}\n" for line in (*lines, "end"))
    return b"".join((header.encode("ascii"), *blobs))


def filter_name(canonical: bytes) -> str:
    """`filters/` and the lowercase hexadecimal SHA-256 of the canonical form."""
    return "filters/" + hashlib.sha256(canonical).hexdigest()


def _line(kind: str, words: dict[str, str]) -> str:
    return " ".join((kind, *(f"{key}={words[key]}" for key in sorted(words))))


def _shape(tensor: NDArray[Any]) -> str:
    return ",".join(map(str, tensor.shape))


def _little_endian(tensor: NDArray[Any]) -> bytes:
    if sys.byteorder == "big" and tensor.dtype.itemsize > 1:
        tensor = tensor.byteswap()
    return np.ascontiguousarray(tensor).tobytes()
