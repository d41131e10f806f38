"""Quantities as people read them."""

from __future__ import annotations

from convolved_vocabulary.words import counted

__all__ = [
    "about_samples",
    "channels_in_words",
    "in_bytes",
    "in_hertz",
    "in_seconds",
    "length_in_words",
    "times",
]


def in_seconds(value: float) -> str:
    """Return a time: 850 ns, 12.3 ms, 4.20 s, 1 h 02 min.

    >>> [in_seconds(x) for x in (0, 8.5e-7, 0.0123, 4.2, 75, 3725)]
    ['0 s', '850 ns', '12.3 ms', '4.2 s', '1 min 15 s', '1 h 02 min']
    """
    if value >= 3600:
        minutes = round(value / 60)
        return f"{minutes // 60} h {minutes % 60:02} min"
    if value >= 60:
        return f"{round(value) // 60} min {round(value) % 60:02} s"
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9)):
        if value >= scale:
            return f"{value / scale:.3g} {unit}"
    return "0 s"


def in_bytes(count: int) -> str:
    """Return a size in binary units.

    >>> [in_bytes(x) for x in (800, 1 << 20, 14_680_064)]
    ['800 B', '1 MiB', '14 MiB']
    """
    for unit, scale in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= scale:
            return f"{count / scale:.3g} {unit}"
    return f"{count} B"


def in_hertz(rate: float) -> str:
    """Return a sample rate.

    >>> in_hertz(44_100), in_hertz(999)
    ('44.1 kHz', '999 Hz')
    """
    return f"{rate / 1000:g} kHz" if rate >= 1000 else f"{rate:g} Hz"


def length_in_words(frames: int, rate: float | None) -> str:
    """Return a length in time if the rate is known, else in samples.

    >>> length_in_words(96_000, 48_000), length_in_words(96_000, None)
    ('2.0 s', '96,000 samples')
    """
    if rate is None:
        return f"{frames:,} samples"
    seconds = frames / rate
    return f"{seconds:,.1f} s" if 1 <= seconds < 60 else in_seconds(seconds)


def times(factor: float) -> str:
    """Return how many times faster than real time.

    >>> times(51.23), times(0.5)
    ('51 times real time', '0.5 times real time')
    """
    return f"{factor:,.0f} times real time" if factor >= 10 else f"{factor:.2g} times real time"


def channels_in_words(channels: int) -> str:
    """Return a number of channels by its name, where it has one.

    >>> [channels_in_words(c) for c in (1, 2, 4)]
    ['mono', 'stereo', '4 channels']
    """
    return {1: "mono", 2: "stereo"}.get(channels) or counted(channels, "channel")


def about_samples(shape: tuple[int, ...], rate: float | None) -> str:
    """Return what there is to say of samples (channels, n) or (out, in, n).

    >>> about_samples((2, 96_000), 48_000), about_samples((2, 2, 100), None)
    ('2.0 s, stereo, 48 kHz', '100 samples, 2 x 2 channels')
    """
    *rows, frames = shape
    if len(rows) == 1:
        channels = channels_in_words(rows[0])
    else:
        channels = " x ".join(map(str, rows)) + " channels"
    said = [length_in_words(frames, rate), channels]
    return ", ".join(said if rate is None else [*said, in_hertz(rate)])
