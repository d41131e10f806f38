"""Pulses in a noisy sensor, found while the samples come: a matched filter as a live stream.

    python examples/live_time_series.py [--server HOST:PORT]

A sensor sends its readings when its network lets it: a few at a time, then many, then none. Each
block is sent on as it comes, and the detector looks at the filter's outputs for peaks. How the
readings were cut into blocks changes neither the outputs nor what is found.

The matched filter of a pulse is the pulse reversed in time: of all linear filters it gives the
greatest ratio of peak to noise (G. L. Turin, An introduction to matched filters, 1960). Divided by
the pulse's energy, the height of a peak is the amplitude of the pulse.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convolved import Client

RATE = 1_000
NOISE = 0.5
LEAST = 0.5
HIDDEN = {2_345: 1.0, 7_000: 0.8, 7_400: 1.5, 15_821: 0.7}
"""Where pulses begin, in samples, and their amplitudes."""

Samples = NDArray[np.float32]


def main() -> None:
    parser = argparse.ArgumentParser(description="Find pulses in a noisy sensor, live.")
    parser.add_argument("--server", help="HOST:PORT of a running server [one of its own]")
    options = parser.parse_args()
    shape = pulse()
    matched = shape[::-1] / np.sum(shape**2)
    detector = Detector(len(shape))
    blocks = 0
    with (
        Client.embedded() if options.server is None else Client(options.server) as client,
        client.stream(matched, block=64, sample_rate_hertz=RATE) as live,
    ):
        print(f"looking for a pulse of {len(shape)} samples; {live.algorithm}")
        for filtered in live.map(sensor(shape)):
            blocks += 1
            for found in detector.look_at(filtered[0]):
                print(found, flush=True)
        print(f"{live.inputs} readings in {blocks - 1} blocks, {detector.count} pulses")


def pulse() -> Samples:
    """A chirp of a quarter second, from 20 to 120 Hz."""
    time = np.arange(RATE // 4) / RATE
    phase = 2 * np.pi * (20 * time + 200 * time**2)
    return (np.hanning(time.size) * np.sin(phase)).astype(np.float32)


def sensor(shape: Samples) -> Iterator[Samples]:
    """Readings (1, n) for whatever n has come; a real one would wait for them here."""
    rng = np.random.default_rng(1)
    readings = rng.normal(scale=NOISE, size=(1, 20_000)).astype(np.float32)
    for begin, amplitude in HIDDEN.items():
        readings[0, begin : begin + len(shape)] += amplitude * shape
    at = 0
    while at < readings.shape[1]:
        length = int(rng.choice([0, 1, 7, 40, 64, 250]))
        yield readings[:, at : at + length]
        at += length


@dataclass(frozen=True)
class Detection:
    """A pulse: where it begins, in samples, and its amplitude."""

    begin: int
    amplitude: float

    def __str__(self) -> str:
        return f"{self.begin / RATE:8.3f} s  a pulse of amplitude {self.amplitude:.2f}"


@dataclass
class Detector:
    """Finds peaks above a threshold that nothing within a pulse's length exceeds.

    It tells a peak as soon as that is certain: one pulse's length after it.
    """

    length: int
    count: int = 0
    _seen: int = 0
    _peak: float = 0.0
    _at: int = 0

    def look_at(self, filtered: Samples) -> Iterator[Detection]:
        """Look at the next outputs, however many."""
        for value in filtered:
            if value > max(LEAST, self._peak):
                self._peak, self._at = float(value), self._seen
            elif self._peak and self._seen - self._at >= self.length:
                self.count += 1
                # An output has its peak when the pulse is over.
                yield Detection(self._at - self.length + 1, self._peak)
                self._peak = 0.0
            self._seen += 1


if __name__ == "__main__":
    main()
