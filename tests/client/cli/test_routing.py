"""The channel counts of signal and kernel tell what is computed; what they cannot is refused."""

from __future__ import annotations

import numpy as np
import pytest

from convolved import Conv, InvalidArgument
from convolved.cli.routing import match, natural_channels, route
from tests.client.cli.run import noise


@pytest.mark.parametrize(
    ("shape", "channels", "name"),
    [
        ((1, 9), 1, "per_channel"),
        ((1, 9), 6, "per_channel"),
        ((2, 9), 1, "spread"),
        ((2, 9), 2, "by_channel"),
        ((4, 9), 2, "true_stereo"),
        ((4, 9), 4, "by_channel"),
        ((3, 2, 9), 2, "matrix"),
        ((2, 1, 9), 1, "matrix"),
    ],
)
def test_each_pair_of_channel_counts_has_one_way(
    shape: tuple[int, ...], channels: int, name: str
) -> None:
    assert match(shape, channels).name == name


@pytest.mark.parametrize(
    ("shape", "channels", "words"),
    [
        ((3, 9), 1, "got 3 channels for a signal of 1; want 1 (each channel through it) or 2 "),
        ((4, 9), 1, "got 4 channels for a signal of 1; want 1 (each channel through it) or 2 "),
        ((3, 9), 2, "2 (channel by channel) or 4 (true stereo: L to L, L to R, R to L, R to R)"),
        ((2, 9), 6, "got 2 channels for a signal of 6; want 1 (each channel through it) or 6 "),
        ((2, 2, 9), 1, "got a matrix from 2 channels to 2 for a signal of 1; want shape (out, 1,"),
    ],
)
def test_what_fits_in_no_way_is_refused_and_what_would_do_is_told(
    shape: tuple[int, ...], channels: int, words: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        match(shape, channels)
    assert caught.value.argument == "KERNEL"
    assert words in str(caught.value)


def test_true_stereo_takes_its_responses_as_l_to_l_l_to_r_r_to_l_r_to_r() -> None:
    kernel = noise(4, 9)
    [layer] = route(kernel, match(kernel.shape, 2)).layers
    assert isinstance(layer, Conv)
    for index, (to, of) in enumerate([(0, 0), (1, 0), (0, 1), (1, 1)]):
        np.testing.assert_array_equal(layer.weight[to, of], kernel[index])


@pytest.mark.parametrize(
    ("shape", "channels"), [((1, 9), 1), ((2, 9), 2), ((4, 9), 2), ((6, 9), 6), ((2, 3, 9), 3)]
)
def test_a_kernel_says_by_itself_what_signals_it_is_most_likely_for(
    shape: tuple[int, ...], channels: int
) -> None:
    assert natural_channels(shape) == channels
    match(shape, channels)


def test_the_filter_carries_the_rate_that_it_is_told() -> None:
    kernel = noise(2, 9)
    assert route(kernel, match((2, 9), 2), sample_rate_hertz=8000).sample_rate_hertz == 8000
