"""Print what the image installs beside `convolved` itself: what a server and its health check need.

Read from pyproject.toml, so that there is one list of dependencies. Packages of the extra `cli`
that only files and pictures need stay out, and so does SciPy: the engine takes its transforms from
pyFFTW and turns to SciPy only where that is missing. uvloop stays out for its 14 MB, most of them
debug symbols; a server without it spends somewhat more on each block of a stream.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LEFT_OUT = {"matplotlib", "scipy", "soundfile", "soxr", "uvloop"}


def requirements(project: dict[str, Any], extra: str) -> Iterator[str]:
    """The requirements of `extra`, those of the extras that it names among them."""
    for requirement in project["optional-dependencies"][extra]:
        if own := re.fullmatch(r"convolved\[(\w+)\]", requirement):
            yield from requirements(project, own[1])
        elif re.split(r"[^\w.-]", requirement)[0] not in LEFT_OUT:
            yield requirement


if __name__ == "__main__":
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    print(*project["dependencies"], *requirements(project, "cli"), sep="\n")
