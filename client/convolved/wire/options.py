"""The wishes that go with a call: `Options` as ComputeOptions."""

from __future__ import annotations

from convolved.v1 import convolution_pb2 as pb
from convolved_vocabulary import InvalidArgument, Options

from .fields import join, located
from .reasons import UnknownField
from .tensors import data_type, numpy_dtype

__all__ = ["decode_options", "encode_options"]

_ACCURACIES = {"fast": pb.ACCURACY_FAST, "strict": pb.ACCURACY_STRICT}
_WORDS = {number: word for word, number in _ACCURACIES.items()} | {pb.ACCURACY_UNSPECIFIED: "fast"}
_RIGORS = {
    None: pb.RIGOR_UNSPECIFIED,
    "estimate": pb.RIGOR_ESTIMATE,
    "measure": pb.RIGOR_MEASURE,
}
_RIGOR_WORDS = {number: word for word, number in _RIGORS.items()}


def encode_options(options: Options) -> pb.ComputeOptions:
    """What differs from the defaults; nothing is left unsaid by that.

    >>> encode_options(Options())
    <BLANKLINE>
    """
    message = pb.ComputeOptions()
    if options.accuracy != "fast":
        message.accuracy = _ACCURACIES[options.accuracy]
    if options.algorithm != "auto":
        message.algorithm = options.algorithm
    if options.output_dtype is not None:
        message.output_type = data_type(options.output_dtype)
    if options.memory_limit_bytes is not None:
        message.memory_limit_bytes = options.memory_limit_bytes
    message.rigor = _RIGORS[options.rigor]
    return message


def decode_options(message: pb.ComputeOptions, path: str = "options") -> Options:
    """The wishes of a message.

    Raises:
        InvalidArgument: for an unknown accuracy, rigor or type, or a negative limit.
    """
    if message.accuracy not in _WORDS:
        with located(join(path, "accuracy")):
            raise UnknownField(
                "accuracy", f"accuracy {message.accuracy}", "one of 'fast', 'strict'"
            )
    if message.rigor not in _RIGOR_WORDS:
        with located(join(path, "rigor")):
            raise UnknownField("rigor", f"rigor {message.rigor}", "one of 'estimate', 'measure'")
    dtype = None
    if message.output_type != pb.DATA_TYPE_UNSPECIFIED:
        dtype = numpy_dtype(message.output_type, join(path, "output_type"), "output_dtype")
    if message.algorithm == "auto":
        with located(join(path, "algorithm")):
            raise InvalidArgument("algorithm", "'auto'", "an algorithm's name, or nothing")
    with located(join(path, "memory_limit_bytes")):
        return Options(
            _WORDS[message.accuracy],
            message.algorithm or "auto",
            dtype,
            message.memory_limit_bytes or None,
            _RIGOR_WORDS[message.rigor],
        )
