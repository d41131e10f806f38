"""The plain loops that follow the definition word by word; slow, and skip the padding.

They serve weights that are not finite: inf times a padded zero would be NaN, but there is no
sample in the padding to be multiplied.
"""

from __future__ import annotations

from typing import Any

from .compile import kernel

__all__ = ["skipping"]


@kernel
def skipping(
    x: Any, w: Any, bias: Any, y: Any, stride: Any, dilation: Any, before: Any, group: Any
) -> None:
    """Compute y (channels, depth, rows, columns) from one signal x of the same four axes.

    w (out_channels, group_inputs, depth, rows, columns) is read as in cross-correlation;
    group is (group_inputs, group_outputs).
    """
    for o in range(y.shape[0]):
        c0 = (o // group[1]) * group[0]
        for i in range(y.shape[1]):
            for j in range(y.shape[2]):
                for k in range(y.shape[3]):
                    acc = bias[o]
                    for c in range(w.shape[1]):
                        for p in range(w.shape[2]):
                            z = i * stride[0] + p * dilation[0] - before[0]
                            if z < 0 or z >= x.shape[1]:
                                continue
                            for q in range(w.shape[3]):
                                r = j * stride[1] + q * dilation[1] - before[1]
                                if r < 0 or r >= x.shape[2]:
                                    continue
                                for t in range(w.shape[4]):
                                    s = k * stride[2] + t * dilation[2] - before[2]
                                    if 0 <= s < x.shape[3]:
                                        acc += w[o, c, p, q, t] * x[c0 + c, z, r, s]
                    y[o, i, j, k] = acc
