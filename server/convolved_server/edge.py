"""The edge: the one place where errors become statuses, and where they are logged, once.

Whatever a handler raises on purpose is a `ConvolvedError` and tells the caller all it says.
Anything else is a fault of ours: the caller gets a reference, the log that reference and the
trace. A cancellation goes on as it is, because gRPC's bookkeeping depends on it.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import grpc
from grpc_status import rpc_status

from convolved.wire.fields import field_of
from convolved.wire.reasons import Overloaded
from convolved.wire.status import status_of
from convolved_vocabulary import (
    Cancelled,
    ConvolvedError,
    Internal,
    InvalidArgument,
    ResourceExhausted,
    Unavailable,
)

from .calls import Call, Calls, Context
from .logs import logger

__all__ = ["guarded"]

_Request = TypeVar("_Request")
_Response = TypeVar("_Response")

# A read or a write that fails tells of a lost client a little before the cancellation does.
_CANCELLED_WITHIN = 1.0

_log = logger()


def guarded(
    calls: Calls, method: str, body: Callable[[_Request, Call], Awaitable[_Response]]
) -> Callable[[_Request, Context], Awaitable[_Response]]:
    """A handler for gRPC around `body`, which gets the request and its `Call`."""

    async def handler(request: _Request, context: Context) -> _Response:
        call = Call(method, context)
        try:
            with calls.flight(call):
                try:
                    return await body(request, call)
                except grpc.aio.AbortError:
                    raise
                except grpc.aio.BaseError:
                    # The connection is gone; gRPC is about to cancel this task.
                    await asyncio.sleep(_CANCELLED_WITHIN)
                    raise
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if call.ending is None or task is None:
                _tell(call, Cancelled("the caller has gone, or its deadline has passed"))
                raise
            task.uncancel()
            error: BaseException = call.ending
        except grpc.aio.BaseError:
            raise
        except Exception as caught:  # noqa: BLE001 - the edge is where everything ends
            error = caught
        known = _known(error, call)
        _tell(call, known)
        await context.abort_with_status(rpc_status.to_status(status_of(known)))
        raise AssertionError("abort_with_status raises")

    return handler


def _known(error: BaseException, call: Call) -> ConvolvedError:
    """`error`, or what the caller shall hear instead."""
    if isinstance(error, MemoryError):
        return Overloaded("the server has no memory left for this; come again later", 1.0)
    if isinstance(error, ConvolvedError) and not isinstance(error, Internal):
        return error
    reference = secrets.token_hex(6)
    _log.error("fault", reference=reference, **call.about, exc_info=error)
    return Internal(f"a fault of the server, logged under {reference}; please report it")


def _tell(call: Call, error: ConvolvedError) -> None:
    if isinstance(error, Internal):
        return
    if isinstance(error, Cancelled):
        level = _log.debug
    elif isinstance(error, ResourceExhausted | Unavailable):
        level = _log.warning
    else:
        level = _log.info
    more: dict[str, Any] = {"field": field_of(error)} if isinstance(error, InvalidArgument) else {}
    level(
        "refused",
        reason=error.reason,
        message=error.message[:500],
        seconds=round(time.monotonic() - call.begun, 6),
        **call.about,
        **more,
    )
