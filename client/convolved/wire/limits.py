"""The sizes that the contract fixes; a server's own limits come from GetServerInfo."""

from __future__ import annotations

__all__ = ["BLOCK_BYTES", "MAX_AXES", "MESSAGE_BYTES", "MESSAGE_MARGIN"]

MESSAGE_BYTES = 4 << 20
"""The greatest message, either way: gRPC's own default."""

BLOCK_BYTES = 1 << 20
"""The greatest `data` of a Block, Part or Output."""

MESSAGE_MARGIN = 16 << 10
"""Room in a message for what stands beside its data: shapes, names, options."""

MAX_AXES = 5
"""The most axes of a Tensor: batch or output channels, channels, and three spatial ones."""
