"""The `client` of the examples in docstrings: one embedded server for all of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from convolved import Client


@pytest.fixture(scope="session")
def client() -> Iterator[Client]:
    """Run an embedded server, and connect to it."""
    with Client.embedded() as found:
        yield found


@pytest.fixture(autouse=True)
def _name_it_in_examples(doctest_namespace: dict[str, Any], request: pytest.FixtureRequest) -> None:
    """Start it where an example says `client`, and nowhere else."""
    item = request.node
    if isinstance(item, pytest.DoctestItem) and any(
        "client" in example.source for example in item.dtest.examples
    ):
        doctest_namespace["client"] = request.getfixturevalue("client")
