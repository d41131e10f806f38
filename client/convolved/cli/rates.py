"""Which sample rate everything runs at: the signal's, to which the kernel is brought."""

from __future__ import annotations

from dataclasses import dataclass

from convolved.cli.words import in_hertz
from convolved_vocabulary.errors import InvalidArgument

__all__ = ["Rates", "settle"]


@dataclass(frozen=True)
class Rates:
    """Sample rates in hertz.

    Attributes:
        signal: at which everything runs; None if nothing states one.
        kernel: at which the kernel's file is; None if nothing states one.
        note: what was assumed or is done, in words; empty if nothing.
    """

    signal: int | None
    kernel: int | None
    note: str = ""

    @property
    def differ(self) -> bool:
        """Whether the kernel must be resampled."""
        return self.kernel != self.signal


def settle(signal: int | None, kernel: int | None, given: int | None) -> Rates:
    """Return the rates of a signal and a kernel whose files state these, or None.

    Args:
        signal: stated by the signal's file.
        kernel: stated by the kernel's file.
        given: for files that state none.

    Raises:
        InvalidArgument: `given` is no rate, or no file needs it.
    """
    if given is not None:
        if given < 1:
            raise InvalidArgument("--rate", given, "a rate above 0, in hertz")
        if signal is not None and kernel is not None:
            raise InvalidArgument(
                "--rate", f"{given} with files that state their own", "none: it is for .npy files"
            )
        signal, kernel = signal or given, kernel or given
    note = ""
    if kernel is None and signal is not None:
        kernel, note = signal, f"states no sample rate: taken as {in_hertz(signal)}"
    elif signal is None and kernel is not None:
        signal, note = kernel, f"IN states no sample rate: taken as {in_hertz(kernel)}"
    elif signal != kernel and signal is not None and kernel is not None:
        note = f"resampled from {in_hertz(kernel)} to {in_hertz(signal)}"
    return Rates(signal, kernel, note)
