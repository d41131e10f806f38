"""Changes of filter in mid-stream: what goes with the filter of a Swap."""

from __future__ import annotations

from dataclasses import dataclass

from convolved.v1 import convolution_pb2 as pb
from convolved_vocabulary import InvalidArgument

from .fields import join, located
from .reasons import UnknownField

__all__ = ["When", "decode_when", "encode_swap"]

_CURVES = {
    "linear": pb.FADE_CURVE_LINEAR,
    "raised_cosine": pb.FADE_CURVE_RAISED_COSINE,
}
_WORDS = {number: word for word, number in _CURVES.items()} | {pb.FADE_CURVE_UNSPECIFIED: "linear"}


@dataclass(frozen=True, slots=True)
class When:
    """When and how a filter is to take over.

    Attributes:
        at: the output index at which the change begins; None for the earliest.
        fade: how many outputs it takes.
        curve: "linear" or "raised_cosine".
    """

    at: int | None
    fade: int = 0
    curve: str = "linear"


def encode_swap(filter: pb.FilterSource, when: When) -> pb.Swap:
    """A Swap; the curve that is the default is left out.

    >>> swap = encode_swap(pb.FilterSource(), When(7, 64, "raised_cosine"))
    >>> decode_when(swap, "swap")
    When(at=7, fade=64, curve='raised_cosine')
    """
    swap = pb.Swap(filter=filter, at_output=when.at, fade_samples=when.fade)
    if when.curve != "linear":
        swap.curve = _CURVES[when.curve]
    return swap


def decode_when(message: pb.Swap, path: str) -> When:
    """When and how a Swap is to take place.

    Args:
        message: the Swap.
        path: where it stands in the request.

    Raises:
        UnknownField: for a curve that is not known.
        InvalidArgument: for a negative number.
    """
    if message.curve not in _WORDS:
        with located(join(path, "curve")):
            raise UnknownField("curve", f"curve {message.curve}", "'linear' or 'raised_cosine'")
    at = message.at_output if message.HasField("at_output") else None
    for argument, field, value in (
        ("at", "at_output", at),
        ("fade", "fade_samples", message.fade_samples),
    ):
        if value is not None and value < 0:
            with located(join(path, field)):
                raise InvalidArgument(argument, value, "an integer of at least 0")
    return When(at, message.fade_samples, _WORDS[message.curve])
