"""Make the golden file anew: `python -m tests.golden.make`, in an environment with PyTorch.

It needs doing when `problems.py` draws other problems, and changes nothing else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tests.golden import pytorch
from tests.golden.digest import digest
from tests.golden.problems import COUNT, draw

FILE = Path(__file__).with_name("pytorch.npz")


def main() -> None:
    """Compute every problem and write down what is kept of the results."""
    torch.set_num_threads(1)
    single: list[NDArray[Any]] = []
    double: list[NDArray[Any]] = []
    names = []
    for number in range(COUNT):
        found = pytorch.compute(draw(number))
        names.append(" ".join(f"{name}{list(found[name].shape)}" for name in sorted(found)))
        for name in sorted(found):
            kept = digest(found[name])
            (single if kept.dtype == np.float32 else double).append(kept)
    np.savez_compressed(
        FILE,
        single=np.concatenate(single),
        double=np.concatenate(double),
        names=np.array("\n".join(names)),
        made_by=np.array(f"PyTorch {torch.__version__}"),
    )


if __name__ == "__main__":
    main()
