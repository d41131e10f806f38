"""Where in a message an error lies, beside the argument that the vocabulary names.

An `InvalidArgument` speaks of arguments (`layers[0].stride`), a `BadRequest` of fields
(`filter.inline.layers[0].conv.axes[1].stride`). The field travels with the error, so that the
one who writes the status needs to know neither.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from google.protobuf.message import Message

from convolved_vocabulary import ConvolvedError, InvalidArgument

__all__ = ["field_of", "inner_messages", "join", "located"]

_FIELDS = {
    "x": "input",
    "dtype": "input.data_type",
    "accuracy": "options.accuracy",
    "algorithm": "options.algorithm",
    "rigor": "options.rigor",
    "output_dtype": "options.output_type",
    "memory_limit_bytes": "options.memory_limit_bytes",
}


@contextmanager
def located(field: str, within: str = "") -> Iterator[None]:
    """Say that an `InvalidArgument` raised inside is about `field`, unless it says so itself.

    Args:
        field: the path of the field in the request message.
        within: placed before the argument that the error names.

    >>> with located("filter.layers[2].conv.groups", within="layers[2]"):
    ...     raise InvalidArgument("groups", 0, "an integer of at least 1")
    Traceback (most recent call last):
        ...
    convolved_vocabulary.errors.InvalidArgument: layers[2].groups: got 0; ...
    """
    try:
        yield
    except InvalidArgument as error:
        own = vars(error).get("field")
        found = error.within(within) if within else error
        vars(found)["field"] = own or field
        if found is error:
            raise
        raise found from error.__cause__


def field_of(error: ConvolvedError) -> str:
    """The path of the field that an error is about; from its argument where nothing told it.

    >>> field_of(InvalidArgument("layers[1].dtype", "int8", "a floating one"))
    'filter.inline.layers[1]'
    """
    stated = vars(error).get("field")
    if stated:
        return str(stated)
    if not isinstance(error, InvalidArgument):
        return ""
    layer = re.match(r"layers\[\d+\]", error.argument)
    if layer:
        return f"filter.inline.{layer.group()}"
    return _FIELDS.get(error.argument, error.argument)


def join(path: str, name: str) -> str:
    """The path of field `name` of the message at `path`."""
    return f"{path}.{name}" if path else name


def inner_messages(message: Message, path: str = "") -> Iterator[tuple[str, Message]]:
    """The messages directly inside one, with their paths, by number of field and index."""
    descriptor: Any = message.DESCRIPTOR
    for _, field in sorted(descriptor.fields_by_number.items()):
        kind = field.message_type
        if kind is None or kind.GetOptions().map_entry:
            continue
        where = join(path, field.name)
        if field.is_repeated:
            for index, inner in enumerate(getattr(message, field.name)):
                yield f"{where}[{index}]", inner
        elif message.HasField(field.name):
            yield where, getattr(message, field.name)
