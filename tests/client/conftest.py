"""One embedded server for all tests of the client."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from convolved import Client, embedded_server


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    with embedded_server() as found:
        yield found


@pytest.fixture(scope="session")
def client(address: str) -> Iterator[Client]:
    with Client(address) as found:
        yield found
