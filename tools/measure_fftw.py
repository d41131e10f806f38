"""Write anew what the engine knows of FFTW's fast plans: `python tools/measure_fftw.py`.

Takes about three minutes on a machine that does nothing else. To be done when pyFFTW brings
another release of FFTW, which ignores what an older one has measured.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pyfftw

WISDOM = Path(__file__).resolve().parents[1] / "engine" / "convolved_engine" / "wisdom"
SECONDS = 40.0
FLAGS = ("FFTW_MEASURE",)
# Longest transforms, as powers of two: of float32, float64, complex64 and complex128.
LONGEST = {"float32": 20, "float64": 18, "complex64": 17, "complex128": 17}
SPECTRA = {"float32": "complex64", "float64": "complex128"}


def lengths(dtype: str) -> Iterator[int]:
    """Powers of two; of real samples also three times such."""
    for exponent in range(5, LONGEST[dtype] + 1):
        yield 1 << exponent
        if dtype in SPECTRA and exponent < LONGEST[dtype] - 1:
            yield 3 << exponent


def measure(dtype: str, length: int) -> None:
    """Measure both directions of one row."""
    real = dtype in SPECTRA
    samples = pyfftw.zeros_aligned((1, length), dtype, n=64)
    bins = length // 2 + 1 if real else length
    spectra = pyfftw.zeros_aligned((1, bins), SPECTRA.get(dtype, dtype), n=64)
    for source, target, direction, more in (
        (samples, spectra, "FFTW_FORWARD", ()),
        (spectra, samples, "FFTW_BACKWARD", ("FFTW_DESTROY_INPUT",)),
    ):
        pyfftw.FFTW(
            source,
            target,
            axes=(1,),
            direction=direction,
            flags=(*FLAGS, *more),
            threads=1,
            planning_timelimit=SECONDS,
        )


def main() -> None:
    """Measure all, and write single and double precision."""
    pyfftw.forget_wisdom()
    for dtype in LONGEST:
        for length in lengths(dtype):
            measure(dtype, length)
            print(f"{dtype} {length}", file=sys.stderr)
    double, single, _ = pyfftw.export_wisdom()
    (WISDOM / "double.txt").write_bytes(double)
    (WISDOM / "single.txt").write_bytes(single)


if __name__ == "__main__":
    main()
