"""A microphone in a room that is somewhere else: live sound through a live stream.

    python examples/microphone.py                     the default devices; Ctrl-C ends it
    python examples/microphone.py --list-devices
    python examples/microphone.py --file voice.flac --out wet.wav

It follows python-sounddevice (pip install sounddevice): a stream that calls `callback` with each
block of the input, and plays what that puts in the place of the output. With --file, a recording
stands for the microphone and a file for the loudspeaker, so that all of this runs without either.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved import Client, audio, impulse_response

HALL = Path(__file__).resolve().parent / "data" / "hall.wav"

Samples = NDArray[np.float32]
Callback = Callable[[Samples, Samples, int, Any, Any], None]


def main() -> None:
    options = arguments()
    room = audio.read(options.room)
    rate = options.samplerate or room.sample_rate_hertz or 48_000
    if room.sample_rate_hertz != rate:
        room = audio.resample(room, rate, impulse_response=True)
    # One microphone, and as many loudspeakers as the room was recorded for.
    filter = impulse_response(room.samples, spread=True, sample_rate_hertz=rate)
    seconds: list[float] = []

    with (
        Client.embedded() if options.server is None else Client(options.server) as client,
        client.stream(client.register(filter), block=options.blocksize) as live,
    ):
        # The first push finds everything cold, and nobody listens yet.
        live.push(np.zeros((1, options.blocksize), np.float32))

        def callback(
            indata: Samples, outdata: Samples, _frames: int, _time: Any, status: Any
        ) -> None:
            """Fill `outdata` (frames, loudspeakers) from `indata` (frames, 1)."""
            if status:
                print(status, file=sys.stderr)
            begun = time.perf_counter()
            wet = live.push(indata.T)
            seconds.append(time.perf_counter() - begun)
            outdata[:] = wet.T

        print(f"{options.room.name}, {live.algorithm}; Ctrl-C ends it", flush=True)
        with sound(options, rate, live.frame_shape[0], callback) as stream:
            try:
                while stream.active:
                    time.sleep(0.05)
            except KeyboardInterrupt:
                pass
    report(seconds, options.blocksize / rate)


def sound(
    options: argparse.Namespace, rate: int, loudspeakers: int, callback: Callback
) -> AbstractContextManager[Any]:
    """A stream of python-sounddevice, or of files that behave like one."""
    if options.file:
        return FileStream(
            options.file, options.out, rate, options.blocksize, loudspeakers, callback
        )
    stream: AbstractContextManager[Any] = sounddevice().Stream(
        device=(options.input_device, options.output_device),
        samplerate=rate,
        blocksize=options.blocksize,
        dtype="float32",
        channels=(1, loudspeakers),
        latency="low",
        callback=callback,
    )
    return stream


def sounddevice() -> Any:
    try:
        return importlib.import_module("sounddevice")
    # What is missing may also be PortAudio, on which it rests.
    except (ImportError, OSError) as error:
        sys.exit(f"{error}: pip install sounddevice, or give a recording with --file")


class FileStream:
    """A recording that is heard, and a file that is played to, as fast as they can.

    Attributes:
        active: whether there is more to hear.
    """

    def __init__(
        self,
        heard: Path,
        played: Path,
        rate: int,
        blocksize: int,
        loudspeakers: int,
        callback: Callback,
    ) -> None:
        recording = audio.read(heard)
        if recording.sample_rate_hertz != rate:
            recording = audio.resample(recording, rate)
        self._heard = recording.samples[:1].astype(np.float32)
        self._played = audio.Writer(played, loudspeakers, rate)
        self._blocksize, self._loudspeakers, self._callback = blocksize, loudspeakers, callback
        self.active = True

    def __enter__(self) -> FileStream:
        with self._played as file:
            for at in range(0, self._heard.shape[1], self._blocksize):
                indata = self._heard[:, at : at + self._blocksize].T
                outdata = np.empty((len(indata), self._loudspeakers), np.float32)
                self._callback(indata, outdata, len(indata), None, None)
                file.write(np.ascontiguousarray(outdata.T))
        self.active = False
        return self

    def __exit__(self, *_: object) -> None:
        pass


def report(seconds: list[float], block: float) -> None:
    if seconds:
        half, most = np.percentile(seconds, [50, 99]) * 1e3
        print(f"{len(seconds)} blocks of {block * 1e3:.1f} ms: answered in {half:.1f} ms, ", end="")
        print(f"99 of 100 within {most:.1f} ms")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Play what a microphone hears in another room.")
    add = parser.add_argument
    add("-l", "--list-devices", action="store_true", help="show the audio devices and exit")
    add("-i", "--input-device", type=int_or_str, help="its number, or a part of its name")
    add("-o", "--output-device", type=int_or_str, help="its number, or a part of its name")
    add("-r", "--samplerate", type=int, help="in hertz [that of the room]")
    add("-b", "--blocksize", type=int, default=256, help="samples of a block [256]")
    add("--room", type=Path, default=HALL, help="the impulse response [data/hall.wav]")
    add("--server", help="HOST:PORT of a running server [one of its own]")
    add("--file", type=Path, help="a recording in the place of the microphone")
    add("--out", type=Path, default=Path("wet.wav"), help="where that is played to [wet.wav]")
    options = parser.parse_args()
    if options.list_devices:
        print(sounddevice().query_devices())
        parser.exit()
    return options


def int_or_str(text: str) -> int | str:
    return int(text) if text.isdecimal() else text


if __name__ == "__main__":
    main()
