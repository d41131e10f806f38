"""Samples without a header: every format gives its bytes back, and says what it cannot hold."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from convolved import InvalidArgument
from convolved.audio.raw import FORMATS, raw_format


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("channels", [1, 2, 5])
def test_what_was_decoded_is_encoded_to_the_same_bytes(name: str, channels: int) -> None:
    format = raw_format(name)
    count = 64 * channels
    if format.is_float:
        samples = np.random.default_rng(1).normal(size=count)
        data = samples.astype(f"{'>' if format.big_endian else '<'}f{format.bits // 8}").tobytes()
    else:
        data = np.random.default_rng(1).bytes(count * format.sample_bytes)
    decoded = format.decode(data, channels)
    assert decoded.shape == (channels, 64)
    assert decoded.dtype == format.dtype
    assert format.encode(decoded) == data


@pytest.mark.parametrize(
    ("name", "data", "value"),
    [
        ("s16le", b"\x00\x80", -1.0),
        ("s16be", b"\x40\x00", 0.5),
        ("s24le", b"\x00\x00\x80", -1.0),
        ("s24be", b"\x00\x00\x01", 2.0**-23),
        ("s32le", struct.pack("<i", 2**31 - 1), 1 - 2.0**-31),
        ("f32be", struct.pack(">f", 0.1), np.float32(0.1)),
        ("f64le", struct.pack("<d", 0.1), 0.1),
    ],
)
def test_full_scale_is_1(name: str, data: bytes, value: float) -> None:
    assert raw_format(name).decode(data, 1)[0, 0] == value


@pytest.mark.parametrize(
    ("name", "value", "stored"),
    [("s16", 1.0, 32767), ("s16", -7.0, -32768), ("s16", 0.6 / 32768, 1), ("s32", 1.0, 2**31 - 1)],
)
def test_integers_are_rounded_and_end_at_full_scale(name: str, value: float, stored: int) -> None:
    format = raw_format(name)
    encoded = format.encode(np.full((1, 1), value, format.dtype))
    assert int.from_bytes(encoded, "little", signed=True) == stored


def test_decoded_samples_outlive_the_buffer_that_they_came_in() -> None:
    buffer = bytearray(np.ones(4, np.float32).tobytes())
    decoded = raw_format("f32").decode(buffer, 1)
    buffer[:] = bytes(len(buffer))
    np.testing.assert_array_equal(decoded, np.ones((1, 4)))


def test_a_format_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(InvalidArgument, match=r"^--to: got 'mp3'; want one of s16, s24, s32, f32"):
        raw_format("mp3", "--to")
