"""The picture of `--plot`: what the two files hold, whatever their length."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved import audio

__all__ = ["draw", "prepare"]

FRAMES = 1 << 16


def prepare() -> None:
    """Begin to load what drawing needs, which takes longer than most convolutions."""

    def load() -> None:
        try:
            import matplotlib.backends.backend_agg
            import matplotlib.figure  # noqa: F401  # loaded for `before_and_after`
        except ImportError:
            return  # `before_and_after` says so when its turn comes

    threading.Thread(target=load, name="convolved-draw", daemon=True).start()


def draw(dry: Path, wet: Path, rate: float, path: Path) -> None:
    """Draw two files one above the other; samples are mapped, not held.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    from convolved.picture import before_and_after

    title = f"{dry.name} and {wet.name}"
    with tempfile.TemporaryDirectory(prefix=".convolved-", dir=path.resolve().parent) as folder:
        before = _mapped(dry, Path(folder, "dry.npy"))
        after = _mapped(wet, Path(folder, "wet.npy"))
        before_and_after(before, after, rate, path, title=title)


def _mapped(path: Path, spool: Path) -> NDArray[Any]:
    """Return the samples of a file, mapped from it or from a copy that can be mapped."""
    head = audio.header(path)
    if head.subtype is not None:
        with audio.Writer(spool, head.channels) as writer:
            for block in audio.blocks(path, FRAMES):
                writer.write(block)
        path = spool
    samples: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return samples
