"""Doing what `convolved apply` was asked for: files through a server into a file, and a report."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np

from convolved import audio
from convolved.cli import drawing, kernels, reports
from convolved.cli.blending import Blend
from convolved.cli.files import FileResult, FileSignal, blocks_of
from convolved.cli.job import Checked, Job, check, check_mix
from convolved.cli.kernels import Kernel
from convolved.cli.plans import in_short
from convolved.cli.servers import ServerAt
from convolved.cli.sessions import pass_through
from convolved.cli.signals import undisturbed
from convolved.cli.talk import Talk
from convolved.cli.words import about_samples, in_seconds, times
from convolved.client import Client
from convolved.session.applying import ROOM
from convolved_vocabulary import Plan

__all__ = ["run"]


@dataclass(frozen=True)
class Result:
    """A file that was written.

    Attributes:
        shape: (channels, n).
        dtype: of the samples before they were written.
        fit: how they fit the file.
        seconds: from the first sample read to the complete file.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fit: audio.Fit
    seconds: float


def run(job: Job, server: str | None, token: str | None, *, quiet: bool = False) -> dict[str, Any]:
    """Do a job and return its report, as --json prints it.

    Args:
        job: what was asked for.
        server: the address of a running server; None to embed one.
        token: for that server.
        quiet: say nothing.

    Raises:
        ConvolvedError: whatever goes wrong; then OUT is as it was before.
    """
    checked, talk = check(job), Talk(quiet)
    rate = checked.rates.signal
    talk.say("signal", f"{job.signal}: {about_samples(checked.signal.shape, rate)}")
    with ExitStack() as stack:
        at = stack.enter_context(ServerAt(server))
        if job.plot is not None:
            drawing.prepare()
        # Read here, while the server starts.
        kernel = kernels.read(checked) if checked.kernel is not None else None
        client = stack.enter_context(at.connect(token))
        kernel = kernel or kernels.held(client, checked)
        talk.say("kernel", f"{kernel.name}: {kernel.about}")
        talk.say("server", at.about)
        channels = checked.signal.channels
        check_mix(job.mix, channels, kernel.source.filter.out_channels(channels))
        plan = _plan(checked, kernel, client, embedded=server is None)
        for label, line in zip(("plan", ""), in_short(plan) if plan else (), strict=False):
            talk.say(label, line)
        with talk.progress("convolving") as progress:
            result = _convolve(checked, kernel, client, progress)
        report = _report(checked, kernel, plan, result, at.name)
        talk.say("result", _about(checked, result))
        if job.plot is not None:
            assert rate is not None, "a picture has a time axis"
            drawing.draw(job.signal, job.out, rate, job.plot)
            talk.say("picture", str(job.plot))
        factor = report["real_time_factor"]
        talk.say("time", in_seconds(result.seconds) + (f", {times(factor)}" if factor else ""))
    return report


def _plan(checked: Checked, kernel: Kernel, client: Client, *, embedded: bool) -> Plan | None:
    """Ask how it will be done; not where the answer costs a server that is not ours its memory."""
    if kernel.source.inline_bytes > ROOM and not embedded:
        return None
    return client.plan(
        kernel.source.name or kernel.source.filter,
        checked.signal.shape,
        dtype=checked.signal.dtype,
        accuracy=checked.options.accuracy,
        algorithm=checked.options.algorithm,
        rigor=checked.options.rigor,
    )


def _convolve(
    checked: Checked,
    kernel: Kernel,
    client: Client,
    progress: Callable[[int, int], None],
) -> Result:
    job, rate = checked.job, checked.rates.signal
    blend = Blend(blocks_of(checked.signal), job.mix, job.gain_decibels)
    begun = time.perf_counter()
    with ExitStack() as writing:
        opened: list[tuple[FileResult, audio.Writer]] = []

        def allocate(shape: tuple[int, ...], dtype: np.dtype[Any]) -> FileResult:
            writer = audio.Writer(
                job.out, shape[0], rate, job.subtype, normalize=job.normalize, argument="OUT"
            )
            with undisturbed():
                writing.enter_context(writer)
            found = FileResult(shape, dtype, lambda block: writer.write(blend(block)))
            opened.append((found, writer))
            return found

        pass_through(
            client,
            kernel.source,
            FileSignal(checked.signal),
            allocate,
            options=checked.options,
            progress=progress,
        )
    [(written, writer)] = opened
    return Result(written.shape, written.dtype, writer.fit, time.perf_counter() - begun)


def _about(checked: Checked, result: Result) -> str:
    said = about_samples(result.shape, checked.rates.signal)
    return f"{checked.job.out}: {said}, {checked.subtype or result.dtype}, {result.fit}"


def _report(
    checked: Checked, kernel: Kernel, plan: Plan | None, result: Result, server: str
) -> dict[str, Any]:
    job, rate = checked.job, checked.rates.signal
    seconds = checked.signal.frames / rate if rate else None
    return {
        "signal": reports.of_samples(str(job.signal), checked.signal.shape, rate),
        "kernel": {
            "name": kernel.name,
            "routing": kernel.routing.name,
            "shape": kernel.shape and list(kernel.shape),
            "sample_rate_hertz": rate,
            "resampled_from_hertz": checked.rates.kernel if checked.rates.differ else None,
        },
        "result": {
            **reports.of_samples(str(job.out), result.shape, rate),
            "subtype": checked.subtype,
            "peak_dbfs": reports.or_null(result.fit.peak_dbfs),
            "gain_decibels": result.fit.gain_decibels,
        },
        "picture": None if job.plot is None else str(job.plot),
        "plan": plan and reports.of_plan(plan),
        "server": server,
        "seconds": result.seconds,
        "real_time_factor": seconds / result.seconds if seconds else None,
    }
