"""A server for the tests of a module that need nothing special of it."""

from collections.abc import Iterator

import pytest

from tests.server.harness import Running, serving


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with serving() as running:
        yield running
