"""What `convolved apply` is asked for, checked as far as options and headers of files tell.

So most mistakes are told at once, before a server is started or asked.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convolved import audio
from convolved.audio.formats import choose
from convolved.audio.replacing import part_of
from convolved.cli.names import PREFIX
from convolved.cli.rates import Rates, settle
from convolved.cli.routing import Routing, match
from convolved.cli.signals import undisturbed
from convolved_vocabulary import InvalidArgument, Options
from convolved_vocabulary.impulse import looks_transposed

__all__ = ["Checked", "Job", "check", "check_mix", "kernel_header"]


@dataclass(frozen=True)
class Job:
    """The arguments and options of the command, as docs/cli.md tells them."""

    signal: Path
    kernel: str
    out: Path
    mix: float = 1.0
    gain_decibels: float = 0.0
    normalize: bool = False
    subtype: str | None = None
    plot: Path | None = None
    rate: int | None = None
    accuracy: str = "fast"
    algorithm: str = "auto"
    rigor: str | None = None


@dataclass(frozen=True)
class Checked:
    """A job whose parts fit together.

    Attributes:
        job: what was asked for.
        signal: what IN says about itself.
        kernel: what KERNEL says about itself; None if a server holds it.
        routing: how the channels go through the file KERNEL.
        rates: of signal and kernel.
        subtype: the sample format of OUT; None for an array.
        options: how to compute.
    """

    job: Job
    signal: audio.Header
    kernel: audio.Header | None
    routing: Routing | None
    rates: Rates
    subtype: str | None
    options: Options


def check(job: Job) -> Checked:
    """Check all that can be checked without reading samples.

    Raises:
        InvalidArgument: naming the argument or option that is wrong.
        MissingExtra: soundfile is needed and not installed.
    """
    if not 0 <= job.mix <= 1:
        raise InvalidArgument("--mix", f"{job.mix:g}", "0 (the signal alone) to 1 (wet alone)")
    if not math.isfinite(job.gain_decibels):
        raise InvalidArgument("--gain", f"{job.gain_decibels:g}", "decibels, such as -6")
    options = Options(accuracy=job.accuracy, algorithm=job.algorithm, rigor=job.rigor)
    _, subtype = choose(job.out, job.subtype, "OUT")
    signal = _signal_header(job.signal)
    kernel = kernel_header(job.kernel)
    # Whether a server's filter suits the rate of the signal is asked later.
    stated = signal.sample_rate_hertz if kernel is None else kernel.sample_rate_hertz
    rates = settle(signal.sample_rate_hertz, stated, job.rate)
    routing = None
    if kernel is not None:
        routing = match(kernel.shape, signal.channels)
        if routing.name == "matrix":
            check_mix(job.mix, signal.channels, kernel.shape[0])
    _check_result(job, signal, kernel, subtype, rates)
    for path, argument in ((job.out, "OUT"), (job.plot, "--plot")):
        if path is not None:
            with undisturbed():
                part_of(path, argument).unlink()
    return Checked(job, signal, kernel, routing, rates, subtype, options)


def kernel_header(kernel: str) -> audio.Header | None:
    """Return what a kernel's file says about itself; None for the name of a registered filter.

    Raises:
        InvalidArgument: it is no file of samples, or its channels look last.
    """
    if kernel.startswith(PREFIX) and not Path(kernel).exists():
        return None
    head = audio.header(kernel, argument="KERNEL")
    _refuse_transposed(head, "KERNEL")
    return head


def check_mix(mix: float, channels: int, out_channels: int) -> None:
    """Refuse to mix a dry signal into a result of other channels, unless it is mono.

    Raises:
        InvalidArgument: the dry signal has no place there.
    """
    if mix < 1 and channels not in (1, out_channels):
        raise InvalidArgument(
            "--mix",
            f"{mix:g} for {channels} channels that become {out_channels}",
            "1: the dry signal has no place in other channels",
        )


def _signal_header(path: Path) -> audio.Header:
    head = audio.header(path, argument="IN")
    if len(head.shape) != 2:
        raise InvalidArgument(
            "IN", f"{str(path)!r}, an array of shape {head.shape}", "shape (n,) or (channels, n)"
        )
    _refuse_transposed(head, "IN")
    return head


def _refuse_transposed(head: audio.Header, argument: str) -> None:
    if looks_transposed(head.shape[0], head.shape[-1]):
        raise InvalidArgument(
            argument,
            f"{str(head.path)!r} of shape {head.shape}, whose channels look last",
            "time as the last axis: transpose it",
        )


def _check_result(
    job: Job, signal: audio.Header, kernel: audio.Header | None, subtype: str | None, rates: Rates
) -> None:
    """Refuse what no file or picture could hold."""
    dtype = signal.dtype if kernel is None else np.result_type(signal.dtype, kernel.dtype)
    is_array = subtype is None
    if is_array and job.normalize:
        raise InvalidArgument(
            "--normalize", f"it for {str(job.out)!r}", "an audio file: arrays keep their numbers"
        )
    if not is_array and dtype.kind != "f":
        raise InvalidArgument(
            "OUT",
            f"{str(job.out)!r} for results of dtype {dtype}",
            "an .npy file, or signals in floats with full scale 1",
        )
    if rates.signal is None and (job.plot or not is_array):
        raise InvalidArgument(
            "--rate",
            "none, and .npy files carry none",
            "the sample rate in hertz" + ("" if is_array else ", or an OUT that ends in .npy"),
        )
    if job.plot is None:
        return
    if job.plot.suffix.lower() != ".png":
        raise InvalidArgument("--plot", repr(str(job.plot)), "a path that ends in .png")
    if dtype.kind == "c":
        raise InvalidArgument("--plot", "complex samples", "real ones")
