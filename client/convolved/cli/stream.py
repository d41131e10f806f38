"""`convolved stream`: raw samples from standard input to standard output, as they come."""

from __future__ import annotations

from typing import Annotated

import typer

from convolved.cli.options import RESULT, Accuracy, Algorithm, Gain, Mix, Server, Token

__all__ = ["stream"]

SAMPLES = "Samples"


def stream(
    kernel: Annotated[
        str,
        typer.Argument(
            metavar="KERNEL",
            help="The impulse response, a .wav, .flac, .ogg or .npy file; or the name filters/... "
            "of a filter that the server holds.",
        ),
    ],
    rate: Annotated[
        int,
        typer.Option(
            "--rate",
            "-r",
            metavar="HERTZ",
            help="Sample rate of what comes; a KERNEL at another rate is resampled to it.",
            rich_help_panel=SAMPLES,
        ),
    ],
    channels: Annotated[
        int,
        typer.Option(
            "--channels",
            "-c",
            metavar="N",
            help="Channels of what comes, interleaved.",
            rich_help_panel=SAMPLES,
        ),
    ] = 1,
    format: Annotated[
        str,
        typer.Option(
            "--format",
            "-f",
            metavar="FORMAT",
            help="Of what comes: f32, f64, s16, s24 (packed) or s32; le is meant unless be stands "
            "at its end, as in s16be.",
            rich_help_panel=SAMPLES,
        ),
    ] = "f32",
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="FORMAT",
            help="Of what goes out, if another.",
            show_default=False,
            rich_help_panel=SAMPLES,
        ),
    ] = None,
    block: Annotated[
        int,
        typer.Option(
            "--block",
            metavar="SAMPLES",
            help="How many are waited for before they are convolved: the latency that this adds.",
            rich_help_panel=SAMPLES,
        ),
    ] = 512,
    tail: Annotated[
        bool,
        typer.Option(
            "--tail/--no-tail",
            help="Let the response ring out after the input has ended, or stop with it.",
            show_default=False,
            rich_help_panel=RESULT,
        ),
    ] = True,
    mix: Mix = 1.0,
    gain: Gain = 0.0,
    quiet: Annotated[
        bool,
        typer.Option(
            "--quiet", "-q", help="Say nothing, unless something goes wrong or is cut off."
        ),
    ] = False,
    accuracy: Accuracy = "fast",
    algorithm: Algorithm = "auto",
    server: Server = None,
    token: Token = None,
) -> None:
    r"""Convolve samples as they come, in a pipe.

    Raw samples without a header are read from standard input, channels interleaved, and written to
    standard output: each block as soon as it is there, however long the response is, for as long
    as more comes. What the channels of KERNEL do to those of the signal, convolved apply --help
    tells.

    Integers are rounded to the nearest, without dither, and what is beyond full scale is cut off,
    which is told with the gain that would avoid it. Floats hold any sample: use them between
    programs, and let the last one dither.

    [bold]Examples[/bold]

      convolved stream hall.wav --rate 48000 --channels 2 <in.raw >out.raw

      sox in.wav -t f32 - | \
        convolved stream hall.wav --rate 48000 --channels 2 | \
        sox -t f32 -r 48000 -c 2 - out.wav

      arecord -t raw -f S16_LE -r 48000 | \
        convolved stream room.wav -r 48000 -f s16 --block 128 | \
        aplay -t raw -f S16_LE -r 48000

      ffmpeg -i in.mp4 -f f32le -ac 2 -ar 48000 - | \
        convolved stream hall.wav -r 48000 -c 2 --mix 0.3 | \
        ffmpeg -f f32le -ac 2 -ar 48000 -i - out.flac
    """
    from convolved.cli.streaming import Live, run

    live = Live(
        kernel=kernel,
        rate=rate,
        channels=channels,
        format=format,
        to=to,
        block=block,
        tail=tail,
        mix=mix,
        gain_decibels=gain,
        accuracy=accuracy,
        algorithm=algorithm,
    )
    run(live, server, token, quiet=quiet)
