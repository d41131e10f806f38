"""gRPC's threads: one of them does it all, unless the environment says otherwise."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import grpc
import pytest

from convolved.v1 import convolution_pb2 as pb
from convolved.v1.convolution_pb2_grpc import ConvolutionServiceStub
from tests.server.process import COMMAND, PROGRAM, process, serving_on

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")

CALLS = 200
SETTING = "GRPC_EXPERIMENTS"


def handed_over(address: str, pid: int) -> int:
    """How often threads between the network and Python woke up, for a number of calls."""
    with grpc.insecure_channel(address) as channel:
        stub = ConvolutionServiceStub(channel)
        stub.GetServerInfo(pb.GetServerInfoRequest())
        before = wakings(pid)
        for _ in range(CALLS):
            stub.GetServerInfo(pb.GetServerInfoRequest())
        return wakings(pid) - before


def wakings(pid: int) -> int:
    total = 0
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        text = status.read_text(encoding="ascii")
        if text.startswith("Name:\tevent_engine\n"):
            total += int(text.partition("\nvoluntary_ctxt_switches:")[2].split()[0])
    return total


@pytest.mark.parametrize(
    ("command", "asked_for"), [(COMMAND, False), (COMMAND, True), (PROGRAM, False)]
)
def test_no_threads_stand_between_the_network_and_python_unless_asked_for(
    tmp_path: Path, command: Sequence[str], asked_for: bool
) -> None:
    environment = {name: value for name, value in os.environ.items() if name != SETTING}
    if asked_for:
        environment[SETTING] = "event_engine_listener"
    address = f"unix:{tmp_path}/socket"
    with process("--listen", address, command=command, env=environment) as server:
        serving_on(server)
        assert (handed_over(address, server.pid) > CALLS // 2) is asked_for
