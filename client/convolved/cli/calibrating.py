"""What `convolved calibrate` does with the engine's modules, which it is handed."""

from __future__ import annotations

import datetime as dt
import math
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

from convolved.audio.replacing import replacing
from convolved.cli.talk import Talk
from convolved_vocabulary.errors import FailedPrecondition, InvalidArgument

__all__ = ["forget", "measure", "report", "write"]


def measure(
    calibration: Any, constants: Any, seconds: float, *, quiet: bool
) -> tuple[Any, tuple[float, float]]:
    """Return constants, and how far predictions were off before and are now.

    Raises:
        InvalidArgument: there is no time to measure.
    """
    if not (math.isfinite(seconds) and seconds > 0):
        raise InvalidArgument("--seconds", f"{seconds:g}", "a time above 0")
    before = constants.in_force().machine
    with Talk(quiet).progress("measuring") as advance:
        timings = list(calibration.measure(constants.built_in(), seconds, advance))
    found = calibration.calibrated(constants.built_in(), timings)
    deviations = calibration.deviation(before, timings), calibration.deviation(found, timings)
    return constants.Constants(found, "calibrated"), deviations


def write(constants: Any, found: Any, out: Path | None) -> Path:
    """Write constants for the processes to come; return where.

    Raises:
        InvalidArgument: no file can be made there.
        FailedPrecondition: the cache folder cannot be written.
    """
    text = constants.as_text(found.machine, *_comments(constants, found))
    if out is not None:
        with replacing(out, "--out") as part:
            part.write_text(text, encoding="utf-8")
        return out
    path: Path | None = constants.caching.write(constants.file_name(), text)
    if path is None:
        raise FailedPrecondition(
            f"{constants.caching.folder()} cannot be written: name another folder by "
            "CONVOLVED_CACHE, or a file by --out"
        )
    return path


def forget(constants: Any) -> None:
    """Remove what was calibrated for this processor."""
    with suppress(FileNotFoundError):
        Path(constants.caching.folder(), constants.file_name()).unlink()


def report(
    constants: Any,
    found: Any,
    path: Path | None,
    deviations: tuple[float, float] | None,
    *,
    as_json: bool,
) -> None:
    """Print constants, for people as the file that holds them."""
    if as_json:
        from convolved.cli.reports import emit

        values = {field.name: getattr(found.machine, field.name) for field in fields(found.machine)}
        emit(
            {
                "identity": found.identity,
                "origin": found.origin,
                "path": None if path is None else str(path),
                "constants": {name: values[name] for name in values if name != "threads"},
                "deviation_before": None if deviations is None else deviations[0],
                "deviation": None if deviations is None else deviations[1],
            }
        )
        return
    talk = Talk()
    print(constants.as_text(found.machine, *_comments(constants, found)), end="")
    if deviations is not None:
        talk.say("error", f"a factor of {deviations[1]:.2f} typically, {deviations[0]:.2f} before")
    talk.say("identity", f"{found.identity}, {found.origin}")
    if path is not None:
        talk.say("file", str(path))


def _comments(constants: Any, found: Any) -> tuple[str, ...]:
    today = dt.datetime.now(dt.UTC).date().isoformat()
    how = f"calibrated on {today}" if found.path is None and found.origin != "built in" else ""
    return tuple(
        filter(
            None,
            (
                f"Constants of the cost models of convolved, {found.origin}.",
                f"{constants.caching.processor()}{', ' if how else ''}{how}.",
            ),
        )
    )
