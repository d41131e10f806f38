"""Doing what `convolved stream` was asked for: standard input through a server, block by block."""

from __future__ import annotations

import io
import math
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from convolved import audio
from convolved.audio.raw import RawFormat, raw_format
from convolved.cli import kernels
from convolved.cli.blending import Blend
from convolved.cli.job import Checked, Job, check_mix, kernel_header
from convolved.cli.kernels import Kernel
from convolved.cli.pipes import BlockSink, BlockSource, refuse_terminal
from convolved.cli.rates import settle
from convolved.cli.routing import match
from convolved.cli.servers import ServerAt
from convolved.cli.talk import Talk
from convolved.cli.words import about_samples, channels_in_words, in_hertz, in_seconds
from convolved.stream import Stream
from convolved_vocabulary import InvalidArgument, Options

__all__ = ["Live", "run"]

_IN, _OUT = "standard input", "standard output"


@dataclass(frozen=True)
class Live:
    """The arguments and options of the command, as docs/cli.md tells them."""

    kernel: str
    rate: int
    channels: int = 1
    format: str = "f32"
    to: str | None = None
    block: int = 512
    tail: bool = True
    mix: float = 1.0
    gain_decibels: float = 0.0
    accuracy: str = "fast"
    algorithm: str = "auto"


@dataclass(frozen=True)
class _Checked:
    """What was asked for, its parts known to fit together."""

    live: Live
    source: RawFormat
    sink: RawFormat
    file: Checked


def run(live: Live, server: str | None, token: str | None, *, quiet: bool = False) -> None:
    """Pass standard input through a filter to standard output, up to its end.

    Args:
        live: what was asked for.
        server: the address of a running server; None to embed one.
        token: for that server.
        quiet: say nothing but what goes wrong, and what is cut off.

    Raises:
        ConvolvedError: whatever goes wrong.
        BrokenPipeError: nobody reads the output any more.
    """
    checked, talk = _check(live), Talk(quiet)
    source, sink = _open(checked)
    about = f"{channels_in_words(live.channels)}, {in_hertz(live.rate)}, {checked.source.name}"
    talk.say("signal", f"{_IN}: {about}")
    with ExitStack() as stack:
        at = stack.enter_context(ServerAt(server))
        # Read here, while the server starts.
        kernel = kernels.read(checked.file) if checked.file.kernel is not None else None
        client = stack.enter_context(at.connect(token))
        kernel = kernel or kernels.held(client, checked.file)
        talk.say("kernel", f"{kernel.name}: {kernel.about}")
        talk.say("server", at.about)
        stream = stack.enter_context(
            client.stream(
                kernel.source.name or kernel.source.filter,
                channels=live.channels,
                dtype=checked.source.dtype,
                block=live.block,
                accuracy=live.accuracy,
                algorithm=live.algorithm,
            )
        )
        _check_output(live, kernel, stream)
        lasts = in_seconds(live.block / live.rate)
        talk.say("stream", f"blocks of {live.block} samples ({lasts}), {stream.algorithm}")
        loud = _Loud(sink, live.rate * kernel.source.filter.time.rate)
        _pass(live, source, stream, loud)
    shape = (stream.frame_shape[0], sink.frames)
    rate = float(loud.rate)
    fit = audio.Fit(audio.decibels(sink.peak))
    talk.say("result", f"{_OUT}: {about_samples(shape, rate)}, {checked.sink.name}, {fit}")
    loud.summarize()
    if source.left_over:
        frame = live.channels * checked.source.sample_bytes
        raise InvalidArgument(
            _IN,
            f"{source.left_over} bytes after the last whole frame",
            f"a multiple of {frame} bytes, {channels_in_words(live.channels)} of "
            f"{checked.source.name}; what was whole has been convolved",
        )


def _check(live: Live) -> _Checked:
    """Check all that can be checked before samples come.

    Raises:
        InvalidArgument: naming the argument or option that is wrong.
    """
    source = raw_format(live.format, "--format")
    sink = source if live.to is None else raw_format(live.to, "--to")
    for name, value in (("--channels", live.channels), ("--block", live.block)):
        if value < 1:
            raise InvalidArgument(name, value, "at least 1")
    if live.rate < 1:
        raise InvalidArgument("--rate", live.rate, "a rate above 0, in hertz")
    if not 0 <= live.mix <= 1:
        raise InvalidArgument("--mix", f"{live.mix:g}", "0 (the signal alone) to 1 (wet alone)")
    if not math.isfinite(live.gain_decibels):
        raise InvalidArgument("--gain", f"{live.gain_decibels:g}", "decibels, such as -6")
    options = Options(accuracy=live.accuracy, algorithm=live.algorithm)
    kernel = kernel_header(live.kernel)
    pipe = Path("-")
    signal = audio.Header(pipe, (live.channels, 0), source.dtype, live.rate)
    rates = settle(live.rate, live.rate if kernel is None else kernel.sample_rate_hertz, None)
    routing = None if kernel is None else match(kernel.shape, live.channels)
    job = Job(pipe, live.kernel, pipe, mix=live.mix, gain_decibels=live.gain_decibels)
    return _Checked(live, source, sink, Checked(job, signal, kernel, routing, rates, None, options))


def _open(checked: _Checked) -> tuple[BlockSource, BlockSink]:
    """Take hold of both ends, beside Python's own buffers."""
    live = checked.live
    reader = io.FileIO(0, "rb", closefd=False)
    writer = io.FileIO(1, "wb", closefd=False)
    name = checked.source.name
    refuse_terminal(
        reader, _IN, f"samples through a pipe, such as sox in.wav -t {name[:3]} - | convolved ..."
    )
    refuse_terminal(writer, _OUT, "a pipe or a file: what comes out is no text")
    return (
        BlockSource(reader, checked.source, live.channels, live.block),
        BlockSink(writer, checked.sink),
    )


def _check_output(live: Live, kernel: Kernel, stream: Stream) -> None:
    if stream.output_dtype.kind != "f":
        raise InvalidArgument(
            "KERNEL", f"one that gives {stream.output_dtype.name}", "one of real numbers"
        )
    check_mix(live.mix, live.channels, stream.frame_shape[0])
    if live.mix < 1 and kernel.source.filter.time.rate != 1:
        raise InvalidArgument(
            "--mix", f"{live.mix:g} for a filter that changes the rate", "1: wet alone"
        )


def _pass(live: Live, source: BlockSource, stream: Stream, loud: _Loud) -> None:
    dry = _Dry()
    blend = Blend(dry, live.mix, live.gain_decibels)
    for block in source:
        if live.mix < 1:
            dry.blocks.append(block)
        loud.write(blend(stream.push(block)))
    if live.tail:
        loud.write(blend(stream.flush()))


class _Dry(Iterator[NDArray[Any]]):
    """The blocks that have come and are not mixed in yet; more may come after none was left."""

    def __init__(self) -> None:
        self.blocks: deque[NDArray[Any]] = deque()

    def __next__(self) -> NDArray[Any]:
        if not self.blocks:
            raise StopIteration
        return self.blocks.popleft()


class _Loud:
    """A sink that says when samples are cut off: at once, and how much in the end.

    It says so even where nothing else is to be said: the sound is damaged.
    """

    def __init__(self, sink: BlockSink, rate: Fraction) -> None:
        self._sink, self.rate = sink, rate
        self._talk = Talk()

    def write(self, block: NDArray[Any]) -> None:
        before, begun = self._sink.clipped, self._sink.frames
        self._sink.write(block)
        if self._sink.clipped and not before:
            place = in_seconds(float(begun / self.rate))
            self._talk.say("clipped", f"from {place} on, {self._peak()}")

    def summarize(self) -> None:
        if self._sink.clipped:
            self._talk.say("clipped", f"{self._sink.clipped:,} samples in all, {self._peak()}")

    def _peak(self) -> str:
        level = audio.decibels(self._sink.peak)
        # Rounded up, so that the gain that is named is one that suffices.
        less = math.ceil(level * 10) / 10
        return f"peak {level:+.2f} dBFS: lower --gain by {less:.1f} dB, or write floats (--to f32)"
