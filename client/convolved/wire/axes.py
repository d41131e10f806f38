"""How a layer moves along its axes, as Axis messages.

Numbers are checked by the vocabulary when the layer is made, so that its words are the same from
wherever they come; here is refused only what the vocabulary could not even say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from convolved.v1 import convolution_pb2 as pb
from convolved_vocabulary import InvalidArgument

from .fields import located
from .reasons import UnknownField

__all__ = ["Axes", "axis_field", "decode_axes", "encode_axes"]

_BOUNDARIES = {
    "zeros": pb.BOUNDARY_ZEROS,
    "reflect": pb.BOUNDARY_REFLECT,
    "symmetric": pb.BOUNDARY_SYMMETRIC,
    "edge": pb.BOUNDARY_EDGE,
    "wrap": pb.BOUNDARY_WRAP,
}
_BOUNDARY_WORDS = {number: word for word, number in _BOUNDARIES.items()} | {
    pb.BOUNDARY_UNSPECIFIED: "zeros"
}
_LARGEST = 1 << 40
_MODES = {
    pb.PADDING_MODE_UNSPECIFIED: "valid",
    pb.PADDING_MODE_VALID: "valid",
    pb.PADDING_MODE_SAME: "same",
    pb.PADDING_MODE_FULL: "full",
    pb.PADDING_MODE_CAUSAL: "causal",
}


@dataclass(frozen=True)
class Axes:
    """The parameters of a layer, one entry for each axis."""

    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: tuple[str | tuple[int, int], ...]
    boundary: tuple[str | float, ...]
    output_padding: tuple[int, ...]

    @property
    def pads(self) -> tuple[tuple[int, int], ...]:
        """The padding of a layer that has no modes."""
        return tuple(entry for entry in self.padding if not isinstance(entry, str))


def encode_axes(
    stride: Sequence[int],
    dilation: Sequence[int],
    pads: Sequence[tuple[int, int]],
    boundary: Sequence[str | float] = (),
    output_padding: Sequence[int] = (),
    default: Sequence[int] = (),
) -> list[pb.Axis]:
    """One message for each axis, or none where every axis is at its defaults.

    Args:
        stride: for each axis.
        dilation: for each axis.
        pads: for each axis (before, after).
        boundary: for each axis, of layers that have one.
        output_padding: for each axis, of layers that have one.
        default: the strides that need not be stated, where they are not 1.
    """
    axes = []
    for index, (step, gap, (before, after)) in enumerate(zip(stride, dilation, pads, strict=True)):
        axis = pb.Axis()
        if step != (default[index] if default else 1):
            axis.stride = step
        if gap != 1:
            axis.dilation = gap
        if before or after:
            axis.pads.before, axis.pads.after = before, after
        word = boundary[index] if boundary else "zeros"
        if not isinstance(word, str):
            axis.boundary, axis.boundary_value = pb.BOUNDARY_CONSTANT, word
        elif word != "zeros":
            axis.boundary = _BOUNDARIES[word]
        if output_padding:
            axis.output_padding = output_padding[index]
        axes.append(axis)
    return axes if any(axis.ByteSize() for axis in axes) else []


def decode_axes(
    messages: Sequence[pb.Axis],
    rank: int,
    path: str,
    *,
    modes: bool = False,
    boundaries: bool = False,
    output_padding: bool = False,
    default: Sequence[int] = (),
) -> Axes:
    """The parameters of a layer of `rank`.

    Args:
        messages: its axes.
        rank: how many there must be, unless none is there.
        path: of the layer in the request.
        modes: whether padding may be told in words.
        boundaries: whether the padding may consist of something else than zeros.
        output_padding: whether the layer has it.
        default: the strides of axes that state none, where they are not 1.

    Raises:
        InvalidArgument: naming the field and what it may be.
    """
    if messages and len(messages) != rank:
        with located(f"{path}.axes"):
            raise InvalidArgument("axes", f"{len(messages)} axes", f"{rank}, or none at all")
    axes = list(enumerate(messages or [pb.Axis()] * rank))
    for index, axis in axes:
        if axis.output_padding and not output_padding:
            with located(f"{path}.axes[{index}].output_padding"):
                raise InvalidArgument(
                    "output_padding", axis.output_padding, "0: only conv_transpose has it"
                )
    return Axes(
        stride=tuple(_stride(axis, default[index] if default else 1) for index, axis in axes),
        dilation=tuple(axis.dilation if axis.HasField("dilation") else 1 for _, axis in axes),
        padding=tuple(_padding(axis, f"{path}.axes[{index}]", modes) for index, axis in axes),
        boundary=tuple(
            _boundary(axis, f"{path}.axes[{index}]", boundaries) for index, axis in axes
        ),
        output_padding=tuple(axis.output_padding for _, axis in axes),
    )


def axis_field(messages: Sequence[pb.Axis], argument: str) -> str:
    """The field, below its layer, whose number the vocabulary refused as `argument`."""
    for index, axis in enumerate(messages):
        for field, value, least in (
            ("stride", _stride(axis, 1), 1),
            ("dilation", axis.dilation if axis.HasField("dilation") else 1, 1),
            ("pads.before", axis.pads.before, 0),
            ("pads.after", axis.pads.after, 0),
            ("output_padding", axis.output_padding, 0),
        ):
            of = "padding" if field.startswith("pads") else field
            if of == argument and not least <= value <= _LARGEST:
                return f"axes[{index}].{field}"
    return "axes"


def _stride(axis: pb.Axis, default: int) -> int:
    return axis.stride if axis.HasField("stride") else default


def _padding(axis: pb.Axis, where: str, modes: bool) -> str | tuple[int, int]:
    if axis.WhichOneof("padding") != "mode":
        return axis.pads.before, axis.pads.after
    with located(f"{where}.mode"):
        if axis.mode not in _MODES:
            raise UnknownField("padding", f"mode {axis.mode}", "one of PaddingMode")
        if not modes:
            raise InvalidArgument(
                "padding", repr(_MODES[axis.mode]), "numbers: only a conv has modes"
            )
    return _MODES[axis.mode]


def _boundary(axis: pb.Axis, where: str, allowed: bool) -> str | float:
    with located(f"{where}.boundary"):
        if axis.boundary == pb.BOUNDARY_CONSTANT:
            word: str | float = axis.boundary_value
        elif axis.boundary not in _BOUNDARY_WORDS:
            raise UnknownField("boundary", f"boundary {axis.boundary}", "one of Boundary")
        else:
            word = _BOUNDARY_WORDS[axis.boundary]
            if axis.boundary_value:
                raise InvalidArgument(
                    "boundary", axis.boundary_value, f"0: {word} needs no boundary_value"
                )
        if not allowed and axis.boundary != pb.BOUNDARY_UNSPECIFIED:
            raise InvalidArgument("boundary", repr(word), "none: only a conv has a boundary")
    return word
