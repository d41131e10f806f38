"""Plain loops that follow the definition word by word, for what is not finite.

`skipping` serves weights that are not finite: inf times a padded zero would be NaN, but there is
no sample in the padding to be multiplied. `scatter` adds the products of single samples.
"""

from __future__ import annotations

from typing import Any

from .compile import kernel

__all__ = ["scatter", "skipping"]


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


@kernel
def scatter(results: Any, places: Any, values: Any, w: Any, group_outputs: int) -> None:
    """Add to results (channels, batch, depth, rows, columns) the products of single samples.

    places holds the channel, batch, depth, row and column of each; result q reads from q on.
    """
    for number in range(len(values)):
        channel, batch, z, r, s = places[number]
        group, c = channel // w.shape[1], channel % w.shape[1]
        for o in range(group * group_outputs, (group + 1) * group_outputs):
            for p in range(min(z + 1, w.shape[2])):
                for q in range(min(r + 1, w.shape[3])):
                    line = results[o, batch, z - p, r - q]
                    for t in range(min(s + 1, w.shape[4])):
                        line[s - t] += w[o, c, p, q, t] * values[number]
