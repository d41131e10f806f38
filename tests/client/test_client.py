"""Arrays go to a real server and come back convolved, whatever their size and kind."""

from __future__ import annotations

import gc
import threading
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import convolved
import convolved_engine as engine
from convolved import (
    Activation,
    Affine,
    Client,
    Conv,
    ConvTranspose,
    FailedPrecondition,
    Filter,
    InvalidArgument,
    NotFound,
    Plan,
    Pool,
    Stream,
    impulse_response,
)

RNG = np.random.default_rng(11)


def noise(*shape: int) -> NDArray[np.float32]:
    return RNG.normal(size=shape).astype(np.float32)


IR = noise(401)


def close(found: NDArray[Any], expected: NDArray[Any]) -> None:
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("length", [1, 1000, 2_000_000])
def test_a_recording_comes_back_wet(client: Client, length: int) -> None:
    x = noise(2, length)
    close(client.apply(x, IR), engine.apply(x, IR))


@pytest.mark.parametrize("dtype", ["float64", "complex64", "int16", "bool"])
def test_signals_of_other_dtypes_pass(client: Client, dtype: str) -> None:
    x = (RNG.normal(size=3_000_000) * 9).astype(dtype)
    taps = np.array([3, -1, 2], np.int8)
    found = client.apply(x, taps)
    assert found.dtype == impulse_response(taps).output_dtype(dtype)
    np.testing.assert_allclose(found, np.convolve(x, taps), rtol=1e-4, atol=1e-4)


def test_a_long_spectrogram_streams_along_time(client: Client) -> None:
    x = noise(513, 4000).T.copy().T
    filter = Filter(Conv(noise(1, 1, 5, 7), padding="same", boundary="reflect"))
    close(client.apply(x, filter), engine.apply(x, filter))


def test_a_stack_of_all_layers_passes(client: Client) -> None:
    stack = Filter(
        [
            Conv(noise(4, 1, 5), noise(4), stride=2, padding=((4, 0),)),
            Activation("leaky_relu", 0.2),
            Affine(noise(4), noise(4)),
            Pool("average", 2),
            ConvTranspose(noise(4, 2, 3), stride=2, output_padding=1),
        ]
    )
    x = noise(3, 1, 300)
    close(client.apply(x, stack), engine.apply(x, stack))


def test_a_filter_that_wraps_in_time_is_applied_whole(client: Client) -> None:
    filter = Filter(Conv(noise(1, 1, 9), padding=4, boundary="wrap"))
    x = noise(1_500_000)
    close(client.apply(x, filter), engine.apply(x, filter))


@pytest.mark.parametrize("shape", [(7, 1, 300_000), (3, 2, 700_000)])
def test_a_batch_of_any_size_passes(client: Client, shape: tuple[int, ...]) -> None:
    x = noise(*shape)
    close(client.apply(x, IR), engine.apply(x, IR))


def test_a_filter_beyond_a_message_registers(client: Client) -> None:
    handle = client.register(noise(1_600_000))
    assert client.get_filter(handle).size_bytes == 6_400_000
    client.delete_filter(handle)


def test_a_large_filter_goes_along_or_is_registered(client: Client) -> None:
    taps, x = noise(300_000), noise(1_000_000)
    expected = engine.apply(x, taps)
    close(client.apply(x, taps), expected)
    close(client.apply(x, client.register(taps)), expected)


def test_a_mapped_file_is_neither_copied_whole_nor_is_the_result(
    client: Client, tmp_path: Path
) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.tile(noise(2, 1 << 16), (1, 128)))
    mapped = np.load(path, mmap_mode="r")[:, ::2]
    client.apply(mapped[:, :100], IR)
    gc.collect()
    tracemalloc.start()
    found = client.apply(mapped, IR)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < found.nbytes + (16 << 20)
    close(found, engine.apply(np.asarray(mapped), IR))


def test_the_plain_functions_agree_with_the_engine(client: Client) -> None:
    a, b = noise(400), noise(50)
    close(client.convolve(a, b, mode="same"), engine.convolve(a, b, mode="same"))
    close(client.correlate(a, b, method="fft"), engine.correlate(a, b, method="fft"))
    x, w = noise(3, 4, 60), noise(6, 2, 5)
    close(
        client.conv(x, w, noise(6) * 0, stride=2, padding=1, groups=2),
        engine.conv(x, w, None, stride=2, padding=1, groups=2),
    )


def test_a_result_is_the_callers_to_change(client: Client) -> None:
    found = client.apply(noise(10), IR)
    found[:] = 0
    assert not found.any()


def test_a_plan_is_the_engines(client: Client) -> None:
    found = client.plan(IR, (2, 48_000))
    assert isinstance(found, Plan)
    assert found.output_shape == (1, 2, 48_400)
    assert found.steps[0].chosen.algorithm in client.info().algorithms
    assert str(found).startswith("layer 0: ")
    live = client.plan(IR, (2, 512), block=512)
    assert live.output_shape[:2] == (1, 2)


def test_filters_are_registered_listed_and_forgotten(client: Client) -> None:
    handle = client.register(noise(2, 30), spread=True, sample_rate_hertz=48_000)
    assert handle.name in [each.name for each in client.filters()]
    about = client.get_filter(handle)
    assert (about.in_channels, about.sample_rate_hertz, about.size_bytes) == (1, 48_000, 240)
    with pytest.raises(InvalidArgument, match="a signal resampled to 48000 Hz"):
        client.apply(noise(10), handle, sample_rate_hertz=44_100)
    client.delete_filter(handle)
    with pytest.raises(NotFound, match=handle.name):
        client.delete_filter(handle.name)
    client.delete_filter(handle.name, allow_missing=True)
    assert client.apply(noise(10), handle).shape == (2, 39)
    client.delete_filter(handle)


def test_a_name_does_for_a_filter(client: Client) -> None:
    name = client.register(IR).name
    x = noise(2, 1000)
    close(client.apply(x, name), engine.apply(x, IR))
    with client.stream(name, channels=2) as live:
        assert live.filter.size_bytes == IR.nbytes
        close(live.push(x), engine.apply(x, IR)[:, :1000])


def test_one_client_serves_several_threads(client: Client) -> None:
    x = noise(8, 40_000)
    found: dict[int, NDArray[Any]] = {}

    def work(index: int) -> None:
        found[index] = client.apply(x[index], IR)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    close(np.stack([found[index] for index in range(8)]), engine.apply(x, IR))


def test_progress_is_told_for_what_is_streamed(address: str) -> None:
    told: list[tuple[int, int]] = []
    with Client(address, progress=lambda done, total: told.append((done, total))) as client:
        client.apply(noise(100), IR)
        assert told == []
        client.apply(noise(2_000_000), IR)
    assert told[-1] == (2_000_400, 2_000_400)


@pytest.mark.parametrize("sizes", [[512] * 20, [1, 0, 7, 4000, 64], [700_000]])
def test_a_stream_gives_what_is_ready_and_then_the_tail(client: Client, sizes: list[int]) -> None:
    x, filter = noise(2, sum(sizes)), Filter(Conv(noise(3, 2, 64), stride=3, padding="same"))
    found = []
    with client.stream(filter, channels=2) as live:
        assert isinstance(live, Stream)
        for begin, size in zip(np.cumsum([0, *sizes]), sizes, strict=False):
            found.append(live.push(x[:, begin : begin + size]))
            assert live.outputs == filter.ready(live.inputs)
        found.append(live.flush())
        assert (live.frame_shape, live.output_dtype, live.delay) == ((3,), x.dtype, filter.delay)
        assert live.block == 512
        assert live.algorithm in client.info().algorithms
        assert live.filter is filter
    close(np.concatenate(found, -1), engine.apply(x, filter))


def test_a_spectrogram_streams_live(client: Client) -> None:
    x, filter = noise(1, 20, 100), Filter(Conv(noise(2, 1, 3, 3), padding="causal"))
    with client.stream(filter, size=(20,), block=10) as live:
        found = [live.push(x[..., at : at + 10]) for at in range(0, 100, 10)]
        close(np.concatenate(found, -1), engine.apply(x, filter))


def test_a_stream_begins_anew_after_reset(client: Client) -> None:
    x = noise(1000)
    with client.stream(IR) as live:
        first = live.push(x)
        live.flush()
        with pytest.raises(FailedPrecondition, match="has ended"):
            live.push(x)
        live.reset()
        np.testing.assert_array_equal(live.push(x), first)
        live.reset()
        assert live.flush().shape == (1, 0)


def test_a_closed_stream_and_a_closed_client_say_so(address: str) -> None:
    client = Client(address)
    live, other = client.stream(IR), client.stream(IR)
    live.close()
    live.close()
    for use in (lambda: live.push(noise(5)), live.flush, live.reset):
        with pytest.raises(FailedPrecondition, match=r"the stream is closed: .* after close"):
            use()
    client.close()
    client.close()
    with pytest.raises(FailedPrecondition, match="the client is closed: push after close"):
        other.push(noise(5))
    with pytest.raises(FailedPrecondition, match="the client is closed: make another"):
        client.info()


def test_streams_leave_no_threads_behind(client: Client) -> None:
    before = threading.active_count()
    for _ in range(5):
        with client.stream(IR) as live:
            live.push(noise(100))
        client.stream(IR).push(noise(10))
    gc.collect()
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and "consume" in thread.name:
            thread.join(10)
    assert threading.active_count() <= before + 1


def test_nothing_is_connected_before_it_is_needed() -> None:
    with Client("127.0.0.1:1") as client:
        assert client.target == "127.0.0.1:1"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"target": ""}, "target: got ''; want 'HOST:PORT' or 'unix:PATH', or a list of them"),
        (
            {"target": 50051},
            "target: got 50051; want 'HOST:PORT' or 'unix:PATH', or a list of them",
        ),
        ({"timeout": 0}, "timeout: got 0; want seconds above 0, or None"),
        ({"timeout": "1"}, "timeout: got '1'; want seconds above 0, or None"),
    ],
)
def test_what_is_no_target_or_timeout_is_refused(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        Client(**arguments)
    assert str(caught.value) == sentence


def test_the_vocabulary_is_imported_from_here() -> None:
    assert convolved.impulse_response is impulse_response
    for name in convolved.__all__:
        assert getattr(convolved, name) is not None
