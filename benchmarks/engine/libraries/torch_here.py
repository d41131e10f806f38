"""PyTorch, as one calls it and packed for its kernels; and julius, which rests on it.

Packed: weights that oneDNN has reordered for the very shape, signals whose channels lie last, and
both together, all made before the clock runs; one-dimensional layers also as images of one row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.nn import functional

from benchmarks.engine.cases import Case

from . import Solution, Unable

__all__ = ["array", "contenders"]

# Multiply-adds; where no channels are mixed, PyTorch has no fast kernel.
_MOST_MIXING, _MOST_ALONE = 20_000_000_000, 1_000_000_000
_FORMATS = {2: torch.channels_last, 3: torch.channels_last_3d}


def contenders(threads: int) -> Mapping[str, Callable[[Case], Mapping[str, Solution]]]:
    """See `Library`."""
    torch.set_num_threads(threads)
    return {"torch": _default, "torch packed": _packed, "julius": _julius}


def array(found: Any) -> Any:
    """See `Library`."""
    return found.detach().contiguous().numpy()


def _default(case: Case) -> Mapping[str, Solution]:
    _refuse_endless(case)
    x, w = _tensors(case)
    return {"default": _call(case, x, w, case.rank)}


def _packed(case: Case) -> Mapping[str, Solution]:
    _refuse_endless(case)
    x, w = _tensors(case)
    solutions: dict[str, Solution] = {}
    for flat in (False, True) if case.rank == 1 else (False,):
        rank = 2 if flat else case.rank
        word = " as an image" if flat else ""
        if flat:
            x, w = x.unsqueeze(2), w.unsqueeze(2)
            solutions["contiguous" + word] = _call(case, x, w, rank)
        last: Any = None
        if rank in _FORMATS:
            format_ = _FORMATS[rank]
            last = x.contiguous(memory_format=format_)
            solutions["channels_last" + word] = _call(
                case, last, w.contiguous(memory_format=format_), rank
            )
        for name, signal in (("packed", x), ("packed, channels_last", last)):
            if signal is not None and not case.is_pool:
                solution = _reordered(case, signal, w, rank)
                if solution is not None:
                    solutions[name + word] = solution
    if not solutions:
        raise Unable("nothing to pack")
    return solutions


def _julius(case: Case) -> Mapping[str, Solution]:
    try:
        import julius
    except ImportError:
        raise Unable("not installed") from None
    if case.rank != 1 or case.kind not in ("convolve", "conv"):
        raise Unable("julius convolves along one axis")
    if case.groups > 1 or case.dilation > 1:
        raise Unable("julius has neither groups nor dilation")
    if case.kernel == (1,):
        raise Unable("julius gives nothing for one tap")
    x, w = _tensors(case)

    def solution() -> Any:
        with torch.inference_mode():
            return julius.fft_conv1d(x, w, stride=case.stride, padding=case.pads[0])

    return {"fft_conv1d": solution}


def _tensors(case: Case) -> tuple[Any, Any]:
    x, w = torch.from_numpy(case.signal()), torch.from_numpy(case.weights())
    if case.kind == "convolve":
        w = w.flip(tuple(range(2, w.ndim))).contiguous()
    return x, w


def _call(case: Case, x: Any, w: Any, rank: int) -> Solution:
    lead = (1,) * (rank - case.rank)
    stride, dilation = (*lead, *(case.stride,) * case.rank), (*lead, *(case.dilation,) * case.rank)
    pads = (*(0 for _ in lead), *case.pads)
    kernel = (*lead, *case.kernel)
    if case.is_pool:
        name = f"{case.kind}_pool{rank}d"
        function: Any = getattr(functional, name)
        return _solving(case, rank, lambda: function(x, kernel, stride, pads))
    if case.kind == "transpose":
        function = getattr(functional, f"conv_transpose{rank}d")
        return _solving(
            case,
            rank,
            lambda: function(x, w, None, stride, pads, 0, case.groups, dilation),
        )
    function = getattr(functional, f"conv{rank}d")
    return _solving(case, rank, lambda: function(x, w, None, stride, pads, dilation, case.groups))


def _reordered(case: Case, x: Any, w: Any, rank: int) -> Solution | None:
    """With a weight that oneDNN has reordered; None where it cannot."""
    lead = (1,) * (rank - case.rank)
    stride = [*lead, *(case.stride,) * case.rank]
    dilation = [*lead, *(case.dilation,) * case.rank]
    pads = [*(0 for _ in lead), *case.pads]
    operations = torch.ops.mkldnn
    try:
        with torch.inference_mode():
            if case.kind == "transpose":
                none = [0] * rank
                packed = operations._reorder_convolution_transpose_weight(
                    w, pads, none, stride, dilation, case.groups, list(x.shape)
                )

                def run() -> Any:
                    return operations._convolution_transpose_pointwise(
                        x, packed, None, pads, none, stride, dilation, case.groups, "none", [], ""
                    )

            else:
                packed = operations._reorder_convolution_weight(
                    w, pads, stride, dilation, case.groups, list(x.shape)
                )

                def run() -> Any:
                    return operations._convolution_pointwise(
                        x, packed, None, pads, stride, dilation, case.groups, "none", [], ""
                    )

            run()
    except (RuntimeError, AttributeError, NotImplementedError):
        # This PyTorch has none of it, or none for such a layer.
        return None
    return _solving(case, rank, run)


def _solving(case: Case, rank: int, run: Solution) -> Solution:
    def solution() -> Any:
        with torch.inference_mode():
            found = run()
            return found if rank == case.rank else found.squeeze(2)

    return solution


def _refuse_endless(case: Case) -> None:
    most = _MOST_MIXING if case.kind == "transpose" or case.weight[1] > 1 else _MOST_ALONE
    if case.multiply_adds > most:
        raise Unable("by the definition alone, it would take seconds")
