"""Fault 3: a client is killed; what the server held for it comes back."""

from __future__ import annotations

import subprocess
import sys

from tests.server.harness import serving, until

CLIENT = """
import sys, threading, time
import numpy as np
from convolved import Client

client = Client(sys.argv[1])
hall = client.register(np.ones(20_000, np.float32))
live = client.stream(hall, channels=2)
live.push(np.ones((2, 5000), np.float32))

def stall(done, total):
    print("busy", flush=True)
    time.sleep(60)

busy = Client(sys.argv[1], progress=stall)
busy.apply(np.zeros(50_000_000, np.float32), hall)
"""


def test_all_that_was_held_for_a_killed_client_is_free_within_a_second() -> None:
    with serving() as server:
        held = server.resources.admission
        client = subprocess.Popen(
            [sys.executable, "-c", CLIENT, server.address], stdout=subprocess.PIPE
        )
        try:
            assert client.stdout is not None
            assert client.stdout.readline() == b"busy\n"
            assert held.streams_held == 2
            assert held.bytes_held > 0
        finally:
            client.kill()
            client.wait()
            if client.stdout is not None:
                client.stdout.close()
        until(
            lambda: not (held.streams_held or held.bytes_held or server.resources.calls.in_flight),
            1,
        )
        assert held.seconds_held == 0
