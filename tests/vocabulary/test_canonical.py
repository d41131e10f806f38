"""Names of filters: the canonical form, byte for byte as the contract specifies it.

`golden_filters.json` holds the same vectors for clients in other languages: the header as text,
the bytes of the tensors that follow it in hexadecimal, and the SHA-256 of both together.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from convolved_vocabulary import (
    Activation,
    Affine,
    Conv,
    ConvTranspose,
    Filter,
    Layer,
    Pool,
    impulse_response,
)

GOLDEN = Path(__file__).with_name("golden_filters.json")


def taps(*shape: int, dtype: str = "float32") -> np.ndarray[Any, Any]:
    """0, 1, 2, ..."""
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


class Vector(NamedTuple):
    """A filter, and its canonical form as a person writes it who has read the contract alone."""

    filter: Filter
    header: str
    tensors: str = ""


VECTORS = {
    "a plain conv": Vector(
        Filter(Conv(taps(1, 1, 3))),
        "filter\nconv weight=float32[1,1,3]",
        "00000000 0000803f 00000040",
    ),
    "an impulse response for each channel at 48 kHz": Vector(
        impulse_response(taps(3), sample_rate_hertz=48_000),
        "filter per_channel=true sample_rate_hertz=40e7700000000000\n"
        "conv flip=true pads=2:2 weight=float32[1,1,3]",
        "00000000 0000803f 00000040",
    ),
    "bias, stride, dilation and groups": Vector(
        Filter(Conv(taps(2, 1, 2), taps(2), stride=3, dilation=2, groups=2)),
        "filter\nconv bias=float32[2] dilation=2 groups=2 stride=3 weight=float32[2,1,2]",
        "00000000 0000803f00000000 0000803f 00000040 00004040",
    ),
    "a bias of another dtype than the weight": Vector(
        Filter(Conv(taps(1, 1, 2, dtype="int8"), taps(1, dtype="float64") + 0.5)),
        "filter\nconv bias=float64[1] weight=int8[1,1,2]",
        "000000000000e03f00 01",
    ),
    "two axes, one of them at its defaults": Vector(
        Filter(Conv(taps(1, 1, 1, 2), stride=(1, 2), padding=(0, (1, 3)))),
        "filter\nconv pads=0:0,1:3 stride=1,2 weight=float32[1,1,1,2]",
        "00000000 0000803f",
    ),
    "three axes, two boundaries, a constant": Vector(
        Filter(Conv(taps(1, 1, 1, 1, 2), padding=1, boundary=("reflect", -2.5, "zeros"))),
        "filter\nconv boundary=reflect,constant:c004000000000000,zeros pads=1:1,1:1,1:1 "
        "weight=float32[1,1,1,1,2]",
        "00000000 0000803f",
    ),
    "a boundary without padding": Vector(
        Filter(Conv(taps(1, 1, 2, dtype="uint8"), boundary="wrap")),
        "filter\nconv boundary=wrap weight=uint8[1,1,2]",
        "00 01",
    ),
    "complex weights": Vector(
        Filter(Conv(taps(1, 1, 2, dtype="complex64") * (1 + 2j))),
        "filter\nconv weight=complex64[1,1,2]",
        "00000000 00000000 0000803f 00000040",
    ),
    "bool weights": Vector(
        Filter(Conv(taps(1, 1, 3, dtype="bool"))),
        "filter\nconv weight=bool[1,1,3]",
        "00 01 01",
    ),
    "integers of two bytes": Vector(
        Filter(Conv(taps(1, 1, 3, dtype="int16") - 1)),
        "filter\nconv weight=int16[1,1,3]",
        "ffff 0000 0100",
    ),
    "half precision": Vector(
        Filter(Conv(taps(1, 1, 3, dtype="float16"))),
        "filter\nconv weight=float16[1,1,3]",
        "0000 003c 0040",
    ),
    "a transposed conv": Vector(
        Filter(
            ConvTranspose(
                taps(1, 2, 2), taps(2), stride=3, padding=(1, 0), output_padding=2, dilation=2
            )
        ),
        "filter\nconv_transpose bias=float32[2] dilation=2 output_padding=2 pads=1:0 stride=3 "
        "weight=float32[1,2,2]",
        "00000000 0000803f00000000 0000803f 00000040 00004040",
    ),
    "a plain transposed conv": Vector(
        Filter(ConvTranspose(taps(1, 1, 2, dtype="float64"))),
        "filter\nconv_transpose weight=float64[1,1,2]",
        "0000000000000000 000000000000f03f",
    ),
    "activations at their defaults": Vector(
        Filter([Activation("relu"), Activation("leaky_relu", 0.01), Activation("softplus", 1)]),
        "filter\nactivation kind=relu\nactivation kind=leaky_relu\nactivation kind=softplus",
    ),
    "activations with parameters": Vector(
        Filter([Activation("elu", 0.5), Activation("gelu", approximation="tanh")]),
        "filter\nactivation alpha=3fe0000000000000 kind=elu\n"
        "activation approximation=tanh kind=gelu",
    ),
    "a pool whose stride is its size": Vector(
        Filter(Pool("max", (2, 1))), "filter\npool kind=max size=2,1 stride=2,1"
    ),
    "a pool of stride 1": Vector(
        Filter(Pool("max", 3, stride=1, padding=1, dilation=2)),
        "filter\npool dilation=2 kind=max pads=1:1 size=3",
    ),
    "an average pool": Vector(
        Filter(Pool("average", 4, padding=(0, 2), ceil_mode=True, count_include_pad=False)),
        "filter\npool ceil_mode=true count_include_pad=false kind=average pads=0:2 size=4 stride=4",
    ),
    "scale and shift": Vector(
        Filter(Affine(taps(2) + 1, taps(2))),
        "filter\naffine scale=float32[2] shift=float32[2]",
        "0000803f 0000004000000000 0000803f",
    ),
    "a front end of several layers": Vector(
        Filter(
            [
                Conv(taps(2, 1, 1), padding="same"),
                Affine(taps(2)),
                Activation("relu"),
                Pool("max", 2),
            ],
            sample_rate_hertz=16_000.5,
        ),
        "filter sample_rate_hertz=40cf404000000000\n"
        "conv weight=float32[2,1,1]\n"
        "affine scale=float32[2]\n"
        "activation kind=relu\n"
        "pool kind=max size=2 stride=2",
        "00000000 0000803f00000000 0000803f",
    ),
}

each_vector = pytest.mark.parametrize("about", VECTORS)


def written(vector: Vector) -> bytes:
    header = f"convolved-filter 1\n{vector.header}\nend\n"
    return header.encode("ascii") + bytes.fromhex(vector.tensors)


@each_vector
def test_the_canonical_form_is_what_the_contract_says(about: str) -> None:
    vector = VECTORS[about]
    assert vector.filter.canonical == written(vector)
    digest = hashlib.sha256(written(vector)).hexdigest()
    assert vector.filter.name == f"filters/{digest}"


def test_the_golden_file_holds_the_same_vectors_for_other_languages() -> None:
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert golden == [
        {
            "about": about,
            "header": f"convolved-filter 1\n{vector.header}\nend\n",
            "tensors": vector.tensors.replace(" ", ""),
            "sha256": hashlib.sha256(written(vector)).hexdigest(),
        }
        for about, vector in VECTORS.items()
    ]


def test_the_vectors_cover_every_kind_of_layer_and_every_parameter() -> None:
    headers = "\n".join(vector.header for vector in VECTORS.values())
    kinds = {layer.kind for layer in Layer.__subclasses__()}
    assert {line.partition(" ")[0] for line in headers.splitlines()} == kinds | {"filter"}
    keys = {word.partition("=")[0] for word in headers.split() if "=" in word}
    assert keys == {
        *("per_channel", "sample_rate_hertz"),
        *("bias", "boundary", "dilation", "flip", "groups", "pads", "stride", "weight"),
        *("output_padding", "alpha", "approximation", "kind"),
        *("ceil_mode", "count_include_pad", "size", "scale", "shift"),
    }


def conv(**how: Any) -> str:
    return Filter(Conv(taps(1, 1, 4, 5), **how)).name


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"padding": "valid"}, {}),
        ({"padding": 0}, {}),
        ({"padding": ((0, 0), (0, 0))}, {}),
        ({"padding": "same"}, {"padding": ((1, 2), (2, 2))}),
        ({"padding": "full"}, {"padding": (3, 4)}),
        ({"padding": "causal"}, {"padding": ("same", (4, 0))}),
        ({"padding": "same", "dilation": (3, 2)}, {"padding": ((4, 5), 4), "dilation": (3, 2)}),
        ({"stride": 2}, {"stride": (2, 2)}),
        ({"stride": [1, 1], "dilation": np.array([1, 1]), "groups": np.int8(1)}, {}),
        ({"boundary": "zeros"}, {"boundary": (0, -0.0)}),
        ({"boundary": 1, "padding": 1}, {"boundary": (1.0, np.float32(1)), "padding": 1}),
        ({"flip": np.bool_(True)}, {"flip": True}),
    ],
)
def test_one_meaning_has_one_name(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert conv(**one) == conv(**other)


def test_names_do_not_depend_on_the_layout_of_the_callers_array() -> None:
    plain = taps(2, 3, 4)
    for other in (
        plain.astype(">f4"),
        np.asfortranarray(plain),
        plain[:, :, ::-1].copy()[:, :, ::-1],
        np.repeat(plain, 2, axis=-1)[:, :, ::2],
    ):
        assert Filter(Conv(other)).name == Filter(Conv(plain)).name


def different() -> list[Filter]:
    """Filters of which no two mean the same, however close they are."""
    plain = taps(2, 1, 3)
    return [
        Filter(Conv(plain)),
        Filter(Conv(plain), sample_rate_hertz=1),
        Filter(Conv(plain, flip=True)),
        Filter(Conv(plain, stride=2)),
        Filter(Conv(plain, dilation=2)),
        Filter(Conv(plain, padding=1)),
        Filter(Conv(plain, padding=(1, 0))),
        Filter(Conv(plain, groups=2)),
        Filter(Conv(plain, np.zeros(2, np.float32))),
        Filter(Conv(plain, np.zeros(2, np.float64))),
        Filter(Conv(plain.astype(float))),
        Filter(Conv(-plain)),
        Filter(Conv(plain, boundary="edge")),
        Filter(Conv(plain, boundary=1)),
        Filter(Conv(plain.reshape(1, 2, 3))),
        Filter(Conv(plain.reshape(2, 1, 1, 3))),
        Filter(ConvTranspose(plain)),
        Filter([Conv(plain), Activation("relu")]),
        Filter([Activation("relu"), Conv(plain)]),
        Filter(Activation("relu")),
        Filter([Activation("relu"), Activation("relu")]),
        Filter(Pool("max", 2)),
        Filter(Pool("average", 2)),
        Filter(Pool("max", (2, 2))),
        Filter(Affine([1.0])),
        Filter(Affine([1.0]), per_channel=True),
        Filter(Affine([1.0], [0.0])),
    ]


def test_what_differs_in_anything_differs_in_its_name() -> None:
    names = [filter.name for filter in different()]
    assert len(set(names)) == len(names)


def test_filters_are_equal_exactly_where_their_names_are() -> None:
    for i, one in enumerate(different()):
        for j, other in enumerate(different()):
            assert (one == other) == (i == j) == (one.name == other.name)
            assert (hash(one) == hash(other)) or one != other
