"""`convolved apply`: a file through a kernel into a file, with no more than blocks in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from convolved.cli.options import (
    RESULT,
    Accuracy,
    Algorithm,
    Gain,
    Json,
    Mix,
    Rate,
    Rigor,
    Server,
    Token,
)
from convolved_vocabulary.errors import InvalidArgument

__all__ = ["apply"]


def apply(
    in_: Annotated[
        Path,
        typer.Argument(metavar="IN", help="The signal: .wav, .flac, .ogg or .npy (channels, n)."),
    ],
    kernel: Annotated[
        str,
        typer.Argument(
            metavar="KERNEL",
            help="The impulse response, a file of the same kinds or .npy (out, in, n); or the "
            "name filters/... of a filter that the server holds.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", help="Where the result goes; the ending says as what. Replaced if there."
        ),
    ],
    mix: Mix = 1.0,
    gain: Gain = 0.0,
    normalize: Annotated[
        bool,
        typer.Option(
            "--normalize",
            help="Scale the result so that its peak is at -1 dBFS.",
            rich_help_panel=RESULT,
        ),
    ] = False,
    subtype: Annotated[
        str | None,
        typer.Option(
            "--subtype",
            metavar="FORMAT",
            help="Sample format, such as PCM_16, PCM_24 or FLOAT. By default FLOAT (float32) for "
            ".wav, PCM_24 for .flac, VORBIS for .ogg.",
            show_default=False,
            rich_help_panel=RESULT,
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            metavar="PNG",
            help="Draw waveforms and spectrograms, before and after.",
            show_default=False,
            rich_help_panel=RESULT,
        ),
    ] = None,
    rate: Rate = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Say nothing, unless something goes wrong.")
    ] = False,
    json_: Json = False,
    accuracy: Accuracy = "fast",
    algorithm: Algorithm = "auto",
    rigor: Rigor = None,
    server: Server = None,
    token: Token = None,
) -> None:
    """Convolve a recording with an impulse response.

    The channels of IN and KERNEL tell what is done:

      IN       KERNEL
      any      mono         each channel through the one response
      mono     stereo       spread: mono to stereo
      stereo   stereo       left with left, right with right
      stereo   4 channels   true stereo: L to L, L to R, R to L, R to R
      c        c channels   channel by channel

    A kernel at another sample rate is resampled to that of the signal. Samples are never clipped: a
    result too loud for its format is refused, unless --gain or --normalize make it fit. Files of
    any length are streamed; OUT appears when it is complete.

    [bold]Examples[/bold]

      convolved apply voice.flac hall.wav wet.wav
      convolved apply voice.flac hall.wav wet.flac --mix 0.3 --normalize
      convolved apply take.wav hall.wav wet.wav --server conv:50051 --plot wet.png
    """
    from convolved.cli.job import Job
    from convolved.cli.running import run

    read = {"IN": in_, "KERNEL": Path(kernel)}
    _refuse_same("OUT", out, read)
    if plot is not None:
        _refuse_same("--plot", plot, {**read, "OUT": out})
    job = Job(
        signal=in_,
        kernel=kernel,
        out=out,
        mix=mix,
        gain_decibels=gain,
        normalize=normalize,
        subtype=subtype,
        plot=plot,
        rate=rate,
        accuracy=accuracy,
        algorithm=algorithm,
        rigor=rigor,
    )
    report = run(job, server, token, quiet=quiet)
    if json_:
        from convolved.cli.reports import emit

        emit(report)


def _refuse_same(name: str, path: Path, others: dict[str, Path]) -> None:
    """Refuse to write to a file that is read, or written already.

    Raises:
        InvalidArgument: naming both.
    """
    for other, taken in others.items():
        if path.resolve() == taken.resolve() or _is_same(path, taken):
            raise InvalidArgument(name, f"{path}, which is {other} too", "a file of its own")


def _is_same(path: Path, taken: Path) -> bool:
    try:
        return path.samefile(taken)
    except OSError:
        return False
