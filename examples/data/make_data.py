"""Makes the example recording and the example hall, voice.flac and hall.wav, from nothing.

The voice is a speech synthesizer's. The hall is computed: a shoebox room by the image-source
method (Allen and Berkley, "Image method for efficiently simulating small-room acoustics",
J. Acoust. Soc. Am. 65, 1979) for the first reflections, which glides into a diffuse tail of
noise whose level and decay per octave follow from the same room by statistical acoustics.
Nothing is fitted by ear, so that the two parts meet at the same energy.

It needs, on Debian or Ubuntu,

    apt install festival festvox-us-slt-hts
    pip install numpy scipy soundfile soxr

and runs as `python make_data.py`, or `python make_data.py --into FOLDER`.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from scipy import signal

RATE_HERTZ = 48_000
TEXT = (
    "This is a voice without a room. In a hall, the walls hand every word back a thousand times, "
    "each copy later and softer than the last. Their sum is called convolution."
)
SPEED_OF_SOUND = 343.0  # m/s at 20 degrees Celsius
OCTAVES_HERTZ = np.array([63.0, 125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0, 16000.0])


@dataclass(frozen=True)
class Hall:
    """A rectangular hall, a speaker on its stage and two cardioid microphones among the seats.

    Lengths are in meters: x across, y from the stage to the back, z up. `decay_seconds` is the
    time per octave in which sound decays by 60 dB, the loss to the air included.
    """

    size: tuple[float, float, float] = (17.0, 26.0, 10.5)
    speaker: tuple[float, float, float] = (7.6, 4.1, 1.7)
    listener: tuple[float, float, float] = (8.9, 13.7, 2.6)
    spacing: float = 0.17  # ORTF: two cardioids 17 cm apart, turned outwards
    opening_degrees: float = 110.0
    decay_seconds: tuple[float, ...] = (1.9, 1.85, 1.75, 1.65, 1.55, 1.4, 1.1, 0.72, 0.42)
    seconds: float = 1.6
    mixing_seconds: tuple[float, float] = (0.06, 0.20)  # the images hand over to the tail

    @property
    def volume(self) -> float:
        """Cubic meters."""
        return float(np.prod(self.size))

    @property
    def surface(self) -> float:
        """Square meters of walls, floor and ceiling."""
        x, y, z = self.size
        return 2 * (x * y + y * z + z * x)

    def microphones(self) -> list[tuple[NDArray[Any], NDArray[Any]]]:
        """Position and direction of the left and the right microphone, facing the stage."""
        pairs = []
        for side in (-1.0, 1.0):
            angle = np.radians(self.opening_degrees / 2) * side
            position = np.add(self.listener, (side * self.spacing / 2, 0.0, 0.0))
            pairs.append((position, np.array([np.sin(angle), -np.cos(angle), 0.0])))
        return pairs


def octave_bands(x: NDArray[Any]) -> NDArray[Any]:
    """Split (bands, n) signals, each kept in its own octave, by raised cosines that sum to one."""
    frequency = np.fft.rfftfreq(x.shape[-1], 1 / RATE_HERTZ)
    octave = np.log2(np.maximum(frequency, 1.0) / OCTAVES_HERTZ[0])
    octave = np.clip(octave, 0, len(OCTAVES_HERTZ) - 1)
    distance = np.abs(octave - np.arange(len(OCTAVES_HERTZ))[:, np.newaxis])
    weight = np.cos(np.minimum(distance, 1.0) * np.pi / 2) ** 2
    banded: NDArray[Any] = np.fft.irfft(np.fft.rfft(x) * weight, x.shape[-1])
    return banded


def image_sources(hall: Hall, reach: float, random: np.random.Generator) -> list[NDArray[Any]]:
    """Return positions (images, 3) and reflections (images,) within `reach` of the listener.

    Real walls are not mirrors: every image but the first strays by some centimeters for each
    reflection, which also breaks up the sweeping echoes of a perfect box.
    """
    orders = [np.arange(-int(reach / side) - 2, int(reach / side) + 3) for side in hall.size]
    grid = np.stack(np.meshgrid(*orders, indexing="ij"), axis=-1).reshape(-1, 3)
    size, speaker = np.array(hall.size), np.array(hall.speaker)
    mirrored = np.where(grid % 2 == 0, speaker, size - speaker)
    positions = grid * size + mirrored
    reflections = np.abs(grid).sum(axis=1)
    positions = positions + random.normal(size=positions.shape) * 0.04 * reflections[:, np.newaxis]
    near = np.linalg.norm(positions - hall.listener, axis=1) < reach
    return [positions[near], reflections[near]]


def early_reflections(hall: Hall, n: int, random: np.random.Generator) -> NDArray[Any]:
    """Direct sound and images at both microphones, (2, n), pressure 1 at one meter."""
    positions, reflections = image_sources(hall, hall.mixing_seconds[1] * 350 + 10, random)
    decay = np.array(hall.decay_seconds)[:, np.newaxis]
    # Eyring's formula turned around: the share of energy that one reflection leaves.
    loss = 0.161 * hall.volume / (hall.surface * decay)
    amplitude = np.exp(-loss * reflections / 2)
    half = 32
    window = np.arange(-half, half + 1)
    out = np.zeros((2, n))
    for ear, (position, facing) in enumerate(hall.microphones()):
        path = positions - position
        distance = np.linalg.norm(path, axis=1)
        cardioid = 0.5 + 0.5 * (path @ facing) / distance
        delay = distance / SPEED_OF_SOUND * RATE_HERTZ
        whole = np.round(delay).astype(int)
        at = whole[:, np.newaxis] + window
        offset = at - delay[:, np.newaxis]
        pulse = np.sinc(offset) * np.cos(np.pi * np.clip(offset / (2 * half + 2), -0.5, 0.5)) ** 2
        bands = np.zeros((len(OCTAVES_HERTZ), n))
        for band, gain in enumerate(amplitude * cardioid / distance):
            inside = (at >= 0) & (at < n)
            np.add.at(bands[band], at[inside], (pulse * gain[:, np.newaxis])[inside])
        out[ear] = octave_bands(bands).sum(axis=0)
    return out


def diffuse_tail(hall: Hall, n: int, random: np.random.Generator) -> NDArray[Any]:
    """Noise (2, n) at the energy that image sources have on average, decaying octave by octave.

    Images lie one to a room's volume and each brings 1 / distance^2 of energy, which makes
    4 pi c / V a second before losses; a cardioid hears a third of what comes from everywhere.
    """
    seconds = np.arange(n) / RATE_HERTZ
    density = 4 * np.pi * SPEED_OF_SOUND / hall.volume / 3 / RATE_HERTZ
    decay = np.array(hall.decay_seconds)[:, np.newaxis]
    envelope = np.sqrt(density) * 10 ** (-3 * seconds / decay)
    noise = random.normal(size=(2, n))
    return np.stack([(octave_bands(np.tile(x, (len(decay), 1))) * envelope).sum(0) for x in noise])


def hall_response(hall: Hall, seed: int = 1979) -> NDArray[Any]:
    """Return the stereo response (2, n), its direct sound 2 ms after the start."""
    random = np.random.default_rng(seed)
    n = int((hall.seconds + 0.1) * RATE_HERTZ)
    seconds = np.arange(n) / RATE_HERTZ
    start, end = hall.mixing_seconds
    turn = np.clip((seconds - start) / (end - start), 0, 1) * np.pi / 2
    response = early_reflections(hall, n, random) * np.cos(turn)
    response += diffuse_tail(hall, n, random) * np.sin(turn)
    response = signal.sosfilt(
        signal.butter(2, 30, "highpass", fs=RATE_HERTZ, output="sos"), response
    )
    travel = np.linalg.norm(np.subtract(hall.speaker, hall.listener)) / SPEED_OF_SOUND
    first = int((travel - 0.002) * RATE_HERTZ)
    length = int(hall.seconds * RATE_HERTZ)
    response = response[:, first : first + length]
    fade = int(0.15 * RATE_HERTZ)
    response[:, -fade:] *= np.cos(np.linspace(0, np.pi / 2, fade)) ** 2
    return np.asarray(response)


def voice(text: str = TEXT) -> NDArray[Any]:
    """Speak `text`: a mono signal (n,) at RATE_HERTZ, without the synthesizer's long silences."""
    if shutil.which("text2wave") is None:
        raise SystemExit("text2wave not found; apt install festival festvox-us-slt-hts")
    with tempfile.TemporaryDirectory() as folder:
        spoken = Path(folder, "spoken.wav")
        command = ["text2wave", "-eval", "(voice_cmu_us_slt_arctic_hts)", "-o", str(spoken)]
        subprocess.run(command, input=text, text=True, check=True)
        x, rate = soundfile.read(spoken)
    x = soxr.resample(x, rate, RATE_HERTZ, quality="VHQ")
    x = signal.sosfiltfilt(signal.butter(4, 80, "highpass", fs=RATE_HERTZ, output="sos"), x)
    loud = np.flatnonzero(np.abs(x) > 0.01 * np.abs(x).max())
    margin = int(0.15 * RATE_HERTZ)
    x = x[max(loud[0] - margin, 0) : loud[-1] + margin]
    fade = np.sin(np.linspace(0, np.pi / 2, margin // 3)) ** 2
    x[: len(fade)] *= fade
    x[-len(fade) :] *= fade[::-1]
    return np.asarray(x)


def main() -> None:
    """Write both files and say what is in them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--into", type=Path, default=Path(__file__).parent, metavar="FOLDER")
    folder = parser.parse_args().into

    dry = voice()
    dry *= 10 ** (-3 / 20) / np.abs(dry).max()
    response = hall_response(Hall())
    wet = signal.oaconvolve(dry[np.newaxis], response, axes=1)
    # The voice in this hall peaks at -3 dBFS too, so that even 16-bit output has room for it.
    response *= 10 ** (-3 / 20) / np.abs(wet).max()

    soundfile.write(folder / "voice.flac", dry, RATE_HERTZ, subtype="PCM_16")
    soundfile.write(folder / "hall.wav", response.T, RATE_HERTZ, subtype="PCM_24")
    for name, x in (("voice.flac", dry), ("hall.wav", response)):
        peak = 20 * np.log10(np.abs(x).max())
        size = (folder / name).stat().st_size
        print(f"{name}: {x.shape[-1] / RATE_HERTZ:.2f} s, peak {peak:.1f} dBFS, {size:,} bytes")


if __name__ == "__main__":
    main()
