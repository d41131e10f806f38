"""What the tests of faults share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.client.both import CLIENTS


@pytest.fixture(params=CLIENTS)
def connect(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Makes a client, of either kind."""
    return CLIENTS[request.param]
