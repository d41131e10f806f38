"""Tensors that follow their announcement in Parts: how a server takes them in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from google.protobuf.message import Message
from numpy.typing import NDArray

from convolved.wire.fields import located
from convolved.wire.framing import BlockFrame, PartFrame
from convolved.wire.parts import Assembler
from convolved.wire.reasons import OutOfSequence

__all__ = ["Messages", "receive"]

Received = Message | BlockFrame | PartFrame


class Messages(Protocol):
    """What a client sends, in order."""

    async def take(self) -> Received | None:
        """The next message; None when the client has closed its side."""


async def receive(
    messages: Messages, announced: Sequence[tuple[np.dtype[Any], tuple[int, ...]]]
) -> list[NDArray[Any]]:
    """The announced tensors, once all their Parts have come.

    Args:
        messages: what the client sends.
        announced: the type and shape of each tensor; room for them has been admitted.

    Raises:
        OutOfSequence: if something else comes before they are complete.
    """
    assembler = Assembler(announced)
    while not assembler.complete:
        message = await messages.take()
        if not isinstance(message, PartFrame):
            missing = f"the rest of announced tensor {len(assembler.arrays)}"
            came = "the end of the stream" if message is None else f"a {told(message)}"
            with located("part"):
                raise OutOfSequence("message", came, missing)
        assembler.add(message)
    return assembler.arrays


def told(message: Received) -> str:
    """What a message is, in the contract's word."""
    if isinstance(message, PartFrame):
        return "Part"
    if isinstance(message, BlockFrame):
        return "Block"
    kind = message.WhichOneof("message")
    return kind.capitalize() if kind else "message without content"
