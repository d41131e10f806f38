"""Nothing in a request may be overlooked: what is not known is refused.

An unknown field might ask for a different result, so an older server must not compute as if it
were not there. The data messages Block and Part are the exception: the contract lets them grow.
"""

from __future__ import annotations

from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from .fields import inner_messages, join, located
from .reasons import UnknownField

__all__ = ["refuse_unknown"]

_GROW = {"convolved.v1.Block", "convolved.v1.Part", "convolved.v1.Output"}


def refuse_unknown(message: Message, path: str = "") -> None:
    """Refuse a message that has, at any depth, a field or an enum number not known here.

    Raises:
        UnknownField: an `InvalidArgument` that names the field.
    """
    descriptor = message.DESCRIPTOR
    if descriptor.full_name in _GROW:
        return
    unknown = UnknownFieldSet(message)
    if len(unknown):
        with located(path or "request"):
            raise UnknownField(
                path or "request",
                f"field number {unknown[0].field_number}, which this server does not know",
                f"only fields of {descriptor.full_name} as this server has it",
            )
    for where, inner in inner_messages(message, path):
        refuse_unknown(inner, where)
    for field in descriptor.fields:
        if field.enum_type is None:
            continue
        value = getattr(message, field.name)
        for number in value if field.is_repeated else (value,):
            if number not in field.enum_type.values_by_number:
                where = join(path, field.name)
                with located(where):
                    raise UnknownField(
                        where,
                        f"number {number}, which this server does not know",
                        f"a number of {field.enum_type.full_name} as this server has it",
                    )
