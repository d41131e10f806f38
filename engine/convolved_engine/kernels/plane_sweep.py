"""Direct convolution where channels are not mixed: blocks of rows of one channel, tile by tile.

Nothing is copied, neither at padded edges nor with a stride: see
`convolved_engine.kernels.plane_tile`.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from .compile import kernel, revision
from .dealing import take as _take
from .plane_tile import accumulate_rows as _accumulate

__all__ = ["plane_sweep"]

# numba gives the first parameter, its typing context.
accumulate: Any = _accumulate
take: Any = _take


@cache
def plane_sweep(lanes: int) -> Any:
    """The kernel for vectors of that many numbers."""
    parts_revision = revision(
        "plane_tile", "vectors", "shapes", "plane_layout", "dealing", "prefetch"
    )

    @kernel
    def compute(
        x: Any,
        y: Any,
        weights: Any,
        bias: Any,
        zeros: Any,
        spare: Any,
        g: Any,
        counter: Any,
        items: int,
        chunk: int,
    ) -> None:
        # Named here to be held by the closure.
        _ = parts_revision
        last = first = 0
        while True:
            if first >= last:
                first = take(counter, chunk)
                last = min(first + chunk, items)
                if first >= items:
                    break
            plane, block = first // g.blocks, first % g.blocks
            first += 1
            channel = plane % g.channels
            begin = block * g.block_rows
            accumulate(
                x,
                plane // g.readers * (g.in_rows * g.in_columns),
                g.in_rows,
                g.in_columns,
                g.row_before,
                g.column_before,
                zeros,
                weights,
                channel * g.terms,
                bias,
                channel,
                y,
                plane * g.out_rows * g.out_columns,
                begin,
                min(begin + g.block_rows, g.out_rows),
                g.out_columns,
                spare,
                g.kernel,
                lanes,
            )

    return compute
