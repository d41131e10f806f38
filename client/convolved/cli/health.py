"""`convolved health`: is the server serving? It imports little, for it runs every few seconds."""

from __future__ import annotations

import json
import os
import time
from typing import Annotated, Any

import typer

from convolved.cli.exits import ExitCode
from convolved.cli.options import Json, Server

__all__ = ["health"]

PATH = "/grpc.health.v1.Health/Check"
# HealthCheckResponse.ServingStatus; an unset field is its zero.
STATUSES = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")


def health(
    server: Server = None,
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", min=0.01, help="How long to wait.")
    ] = 3.0,
    json_: Json = False,
) -> None:
    """Say whether a server is serving.

    Prints SERVING, NOT_SERVING (starting or draining) or UNREACHABLE, and ends with 0 for SERVING
    and 1 for everything else, as health checks of containers want it.

    Without --server it asks where CONVOLVED_LISTEN says that a server of this container listens,
    else 127.0.0.1:50051.

    [bold]Examples[/bold]

      convolved health
      convolved health --server unix:/run/convolved.sock --timeout 1
    """
    address = server or listening_here()
    begun = time.perf_counter()
    status, why = ask(address, timeout)
    if json_:
        seconds = round(time.perf_counter() - begun, 6)
        print(json.dumps({"server": address, "status": status, "seconds": seconds}))
    else:
        print(status)
    if why:
        typer.echo(f"convolved: {address}: {why}", err=True)
    if status != "SERVING":
        raise typer.Exit(ExitCode.FAILED)


def listening_here() -> str:
    """Return where a server that was started with this environment can be reached.

    A server that listens everywhere is reached at home.
    """
    address = os.environ.get("CONVOLVED_LISTEN") or "127.0.0.1:50051"
    host, _, port = address.rpartition(":")
    home = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]", "": "127.0.0.1"}.get(host)
    return f"{home}:{port}" if home and port else address


def ask(address: str, timeout: float) -> tuple[str, str]:
    """Return the status of a server, and what went wrong if there was no answer.

    The messages are simple enough to do without their stubs: the request is empty, and a response
    is one number in field 1.
    """
    import grpc

    with grpc.insecure_channel(address) as channel:
        check: Any = channel.unary_unary(
            PATH, request_serializer=bytes, response_deserializer=bytes
        )
        try:
            answer: bytes = check(b"", timeout=timeout)
        except grpc.RpcError as error:
            failure: Any = error
            details = " ".join((failure.details() or "").split())
            return "UNREACHABLE", f"{failure.code().name}: {details}"
    number = answer[1] if len(answer) == 2 and answer[0] == 0x08 else 0
    return (STATUSES[number] if number < len(STATUSES) else "UNKNOWN"), ""
