"""The server of a peer: `python -m benchmarks.wire.serve KEY ADDRESS`."""

from __future__ import annotations

import sys

from .contenders import CONTENDERS

if __name__ == "__main__":
    key, address = sys.argv[1:]
    CONTENDERS[key].serve(address)
