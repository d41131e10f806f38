"""GetServerInfo: what this server is and what it takes."""

from __future__ import annotations

import importlib.metadata

import convolved_engine as engine
from convolved.v1 import convolution_pb2 as pb
from convolved.wire.tensors import data_type
from convolved_vocabulary import DTYPES

from .calls import Call
from .requests import parse_plain
from .resources import Resources

__all__ = ["Information", "version"]


class Information:
    """Answers GetServerInfo; what it tells is found out once, at the first question.

    Args:
        resources: of the server.
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._answer: bytes | None = None

    async def get(self, raw: bytes, call: Call) -> bytes:
        """Answer a GetServerInfoRequest by a GetServerInfoResponse."""
        parse_plain(pb.GetServerInfoRequest, raw)
        if self._answer is None:
            self._answer = await self._resources.desk.run(self._find_out)
        return self._answer

    def _find_out(self) -> bytes:
        about = engine.describe()
        return pb.GetServerInfoResponse(
            version=version(),
            limits=self._resources.limits.message,
            algorithms=engine.algorithm_names(),
            data_types=[data_type(dtype) for dtype in DTYPES],
            cpu=str(about["cpu"]),
            threads=self._resources.compute.threads,
            transforms=str(about["transforms"]),
        ).SerializeToString()


def version() -> str:
    """The version of the server; that of the installed distribution."""
    try:
        return importlib.metadata.version("convolved")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
