"""Convolve with a server from outside: `python docker/outside.py ADDRESS`.

A client of the contract's generated stubs, NumPy and gRPC with its default options; nothing else of
`convolved` is imported. Prints a line for each promise that was held, and ends with an error at the
first that was not. With `--until-drained` it keeps a live stream going until the server stops.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import NormalDist
from types import ModuleType
from typing import Any

import grpc
import numpy as np
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
# A parent without content keeps the package around the stubs from being imported.
bare = ModuleType("convolved")
bare.__path__ = [str(ROOT / "client" / "convolved")]
sys.modules["convolved"] = bare

from convolved.v1 import convolution_pb2 as pb  # noqa: E402 - the bare parent comes first
from convolved.v1 import convolution_pb2_grpc as rpc  # noqa: E402

MIB = 1 << 20
FLOAT32 = pb.DATA_TYPE_FLOAT32
TIMEOUT = 60.0
Array = NDArray[np.float32]


def tensor(array: Array) -> Any:
    """An array as a message that carries its data."""
    return pb.Tensor(data_type=FLOAT32, shape=array.shape, data=array.tobytes())


def array(message: Any) -> Array:
    """The array that a message carries."""
    return np.frombuffer(message.data, np.float32).reshape(message.shape)


def impulse_response(taps: Array, data: bytes | None = None) -> Any:
    """A filter of one channel with full padding; announced where `data` is empty."""
    weight = pb.Tensor(
        data_type=FLOAT32,
        shape=(1, 1, taps.size),
        data=taps.tobytes() if data is None else data,
    )
    axis = pb.Axis(mode=pb.PADDING_MODE_FULL)
    return pb.Filter(layers=[pb.Layer(conv=pb.Conv(weight=weight, flip=True, axes=[axis]))])


def noise(*shape: int) -> Array:
    """The same noise each time, of standard deviation 1."""
    return np.random.default_rng(len(shape)).standard_normal(shape).astype(np.float32)


def convolved(signal: Array, taps: Array) -> NDArray[np.float64]:
    """The truth, in double precision."""
    length = signal.size + taps.size - 1
    size = 1 << length.bit_length()
    return np.fft.irfft(np.fft.rfft(signal, size) * np.fft.rfft(taps, size), size)[:length]


def agree(found: Array, truth: NDArray[np.float64]) -> None:
    """Hold a result to the truth, within what single precision allows."""
    assert found.shape == truth.shape, (found.shape, truth.shape)
    error = float(np.abs(found - truth).max() / np.abs(truth).max())
    assert error < 1e-5, error


def told(promise: str, began: float) -> None:
    """Print a promise that was held, and how long that took."""
    print(f"  {promise}: {time.perf_counter() - began:.2f} s", flush=True)


def refusal(call: Callable[[], Any]) -> Any:
    """The error with which a call fails, None if it does not."""
    try:
        call()
    except grpc.RpcError as error:
        return error
    return None


def check_whole(stub: Any) -> None:
    """One call convolves a whole signal."""
    began = time.perf_counter()
    signal, taps = noise(48_000), noise(4_800)
    source = pb.FilterSource(inline=impulse_response(taps))
    request = pb.ConvolveRequest(filter=source, input=tensor(signal[np.newaxis]))
    response = stub.Convolve(request, timeout=TIMEOUT)
    agree(array(response.output)[0], convolved(signal, taps))
    told(f"a second of sound in one call, by {response.algorithm}", began)


def check_algorithms(stub: Any) -> None:
    """Each algorithm computes something; those that support a problem agree about it."""
    began = time.perf_counter()
    names = list(stub.GetServerInfo(pb.GetServerInfoRequest(), timeout=TIMEOUT).algorithms)
    assert names
    problems = [
        (noise(1, 5_000), pb.Conv(weight=tensor(noise(1, 1, 400)))),
        (noise(4, 40, 60), pb.Conv(weight=tensor(noise(6, 2, 3, 5)), groups=2)),
    ]
    able = set()
    for signal, conv in problems:
        outputs: list[Array] = []
        for name in ["", *names]:
            request = pb.ConvolveRequest(
                filter=pb.FilterSource(inline=pb.Filter(layers=[pb.Layer(conv=conv)])),
                input=tensor(signal),
                options=pb.ComputeOptions(algorithm=name),
            )
            error = refusal(partial(compute, stub, request, outputs))
            if error is None:
                able.add(name)
            else:
                assert name, f"the server's own choice failed: {error}"
                assert error.code() is grpc.StatusCode.INVALID_ARGUMENT, error
        for output in outputs[1:]:
            agree(output, outputs[0].astype(np.float64))
    assert able == {"", *names}, f"only {sorted(able)} compute anything"
    told(f"the algorithms {', '.join(names)}", began)


def compute(stub: Any, request: Any, outputs: list[Array]) -> None:
    """Append the output of a request."""
    outputs.append(array(stub.Convolve(request, timeout=TIMEOUT).output))


def check_layers(stub: Any) -> None:
    """A stack of layers of every kind computes what NumPy says of it."""
    began = time.perf_counter()
    signal, weight = noise(2, 1_000), noise(3, 2, 5)
    scale = np.array([0.5, -1.0, 2.0], np.float32)
    layers = [
        pb.Layer(conv=pb.Conv(weight=tensor(weight))),
        pb.Layer(affine=pb.Affine(scale=tensor(scale))),
        pb.Layer(activation=pb.Activation(kind=pb.ACTIVATION_KIND_GELU)),
        pb.Layer(pool=pb.Pool(kind=pb.POOL_KIND_MAX, size=[4])),
    ]
    request = pb.ConvolveRequest(
        filter=pb.FilterSource(inline=pb.Filter(layers=layers)), input=tensor(signal)
    )
    windows = np.lib.stride_tricks.sliding_window_view(signal.astype(np.float64), 5, axis=1)
    summed = np.einsum("oct,cnt->on", weight, windows) * scale[:, np.newaxis]
    active = summed * np.vectorize(NormalDist().cdf)(summed)
    truth = active.reshape(3, -1, 4).max(axis=2)
    agree(array(stub.Convolve(request, timeout=TIMEOUT).output), truth)
    told("convolution, scale, activation and pool", began)


def parts(data: bytes) -> Iterator[Any]:
    """The bytes of one tensor, cut."""
    for offset in range(0, len(data), MIB):
        yield pb.Part(byte_offset=offset, data=data[offset : offset + MIB])


def check_large(stub: Any) -> None:
    """A filter that exceeds a message is registered in parts, and called by its name."""
    began = time.perf_counter()
    taps, signal = noise(6 * MIB // 4), noise(1_000_000)

    def upload() -> Iterator[Any]:
        yield pb.CreateFilterRequest(filter=impulse_response(taps, data=b""))
        for part in parts(taps.tobytes()):
            yield pb.CreateFilterRequest(part=part)

    info = stub.CreateFilter(upload(), timeout=TIMEOUT).filter_info
    assert info.size_bytes == taps.nbytes

    def requests() -> Iterator[Any]:
        source = pb.FilterSource(name=info.name)
        start = pb.Start(
            filter=source, data_type=FLOAT32, frame_shape=[1], total_samples=signal.size
        )
        yield pb.StreamConvolveRequest(start=start)
        for offset in range(0, signal.size, MIB // 4):
            block = signal[offset : offset + MIB // 4]
            yield pb.StreamConvolveRequest(block=pb.Block(offset=offset, data=block.tobytes()))
        yield pb.StreamConvolveRequest(end=pb.End(total_samples=signal.size))

    agree(gathered(stub.StreamConvolve(requests(), timeout=TIMEOUT)), convolved(signal, taps))
    stub.DeleteFilter(pb.DeleteFilterRequest(name=info.name), timeout=TIMEOUT)
    told("a filter of 6 MiB, registered, and a signal of 4 MB through it", began)


def gathered(responses: Iterator[Any]) -> Array:
    """The outputs of a stream that came to its end."""
    outputs, kinds = [], []
    for response in responses:
        kinds.append(response.WhichOneof("message"))
        if kinds[-1] == "output":
            outputs.append(np.frombuffer(response.output.data, np.float32))
    assert (kinds[0], kinds[-1]) == ("started", "finished"), kinds
    return np.concatenate(outputs)


def check_live(stub: Any) -> None:
    """Each push is sent only when the one before has been answered, with all that it fixes."""
    began = time.perf_counter()
    taps, signal, block = noise(24_000), noise(20_000), 500
    answered = 0

    def requests() -> Iterator[Any]:
        source = pb.FilterSource(inline=impulse_response(taps))
        yield start_live(source, block)
        for offset in range(0, signal.size, block):
            while answered < offset:
                time.sleep(0.0005)
            data = signal[offset : offset + block].tobytes()
            yield pb.StreamConvolveRequest(block=pb.Block(offset=offset, data=data))
        yield pb.StreamConvolveRequest(end=pb.End(total_samples=signal.size))

    found = np.empty(0, np.float32)
    for response in stub.StreamConvolve(requests(), timeout=TIMEOUT):
        if response.WhichOneof("message") == "output":
            output = response.output
            found = np.append(found, np.frombuffer(output.data, np.float32))
            if not output.more and output.input_end < signal.size:
                assert found.size == output.input_end
                answered = output.input_end
    agree(found, convolved(signal, taps))
    told(f"a live stream of {signal.size // block} blocks", began)


def start_live(source: Any, block: int) -> Any:
    """The message that opens a live stream of one channel."""
    start = pb.Start(filter=source, data_type=FLOAT32, frame_shape=[1], block_samples=block)
    return pb.StreamConvolveRequest(start=start)


def check_refusal(stub: Any) -> None:
    """A wrong request is refused in words that a program can read."""
    began = time.perf_counter()
    conv = pb.Conv(weight=tensor(noise(1, 1, 3)), axes=[pb.Axis(stride=0)])
    source = pb.FilterSource(inline=pb.Filter(layers=[pb.Layer(conv=conv)]))
    request = pb.ConvolveRequest(filter=source, input=tensor(noise(1, 10)))
    error = refusal(lambda: stub.Convolve(request, timeout=TIMEOUT))
    assert error is not None, "a stride of 0 was taken"
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT, error
    assert information(error).metadata["argument"] == "layers[0].stride", error
    told("an error that names its argument", began)


def information(error: Any) -> error_details_pb2.ErrorInfo:
    """What an error tells programs."""
    status = rpc_status.from_call(error)
    assert status is not None, f"without details: {error}"
    info = error_details_pb2.ErrorInfo()
    assert any(detail.Unpack(info) for detail in status.details), error
    return info


def stream_until_drained(stub: Any) -> None:
    """A live stream is told when the server stops, and not just cut."""
    answers = 0

    def requests() -> Iterator[Any]:
        block = noise(512)
        yield start_live(pb.FilterSource(inline=impulse_response(noise(2_000))), block.size)
        for index in range(2_000):
            data = block.tobytes()
            yield pb.StreamConvolveRequest(block=pb.Block(offset=index * block.size, data=data))
            time.sleep(0.01)

    def listen() -> None:
        nonlocal answers
        for response in stub.StreamConvolve(requests(), timeout=TIMEOUT):
            if response.WhichOneof("message") == "output":
                answers += 1
                if answers == 1:
                    print("open", flush=True)

    error = refusal(listen)
    assert error is not None, "the stream came to its end before the server did"
    assert error.code() is grpc.StatusCode.UNAVAILABLE, error
    assert information(error).reason == "DRAINING", error
    print(f"a live stream was told of the draining after {answers} answers", flush=True)


def main() -> None:
    """Run what the command line asks for."""
    *options, address = sys.argv[1:]
    with grpc.insecure_channel(address) as channel:
        stub = rpc.ConvolutionServiceStub(channel)
        if options == ["--until-drained"]:
            stream_until_drained(stub)
        else:
            for check in (
                check_whole,
                check_algorithms,
                check_layers,
                check_large,
                check_live,
                check_refusal,
            ):
                check(stub)
    others = {name.partition(".")[0] for name in sys.modules}
    assert not others & {"convolved_vocabulary", "convolved_engine", "convolved_server"}


if __name__ == "__main__":
    main()
