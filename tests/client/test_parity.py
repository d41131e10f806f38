"""Client and engine are one face: the same functions, and the same words when they are misused."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import convolved_engine as engine
from convolved import Activation, Client, Conv, ConvolvedError, Filter, Pool

OF_THE_SERVER = {
    "algorithm_names",
    "apply_arranged",
    "describe",
    "get_ready",
    "gradients_arranged",
    "open_stream",
    "plan_arranged",
    "warm_up",
}
SHARED = sorted(
    name
    for name in engine.__all__
    if inspect.isfunction(getattr(engine, name)) and name not in OF_THE_SERVER
)


def parameters(function: Callable[..., Any]) -> list[tuple[str, object, object]]:
    found = inspect.signature(function).parameters.values()
    return [(each.name, each.kind, each.default) for each in found if each.name != "self"]


@pytest.mark.parametrize("name", SHARED)
def test_a_method_has_the_signature_of_the_engines_function(name: str) -> None:
    assert parameters(getattr(Client, name)) == parameters(getattr(engine, name))


@pytest.mark.parametrize("name", ["push", "flush", "reset", "swap"])
def test_a_stream_has_the_methods_of_the_engines_stream(name: str) -> None:
    ours = getattr(__import__("convolved").Stream, name)
    assert parameters(ours) == parameters(getattr(engine.Stream, name))


TWO = Filter(Conv(np.ones((3, 2, 5), np.float32)))
WRAPPED = Filter(Conv(np.ones((1, 1, 3)), padding=1, boundary="wrap"))
SAMPLES = np.ones((2, 100), np.float32)
OUT = np.ones((3, 96), np.float32)
FULL = np.full(1000, np.iinfo(np.int64).max)

MISUSES: dict[str, Callable[[Any], Any]] = {
    "wrong rank": lambda f: f.apply(np.ones((2, 3, 4, 50)), TWO),
    "wrong channels": lambda f: f.apply(np.ones((5, 100)), TWO),
    "channels last": lambda f: f.apply(SAMPLES.T, TWO),
    "channels last, strided": lambda f: f.apply(np.ones((100, 4))[:, ::2], TWO),
    "too short": lambda f: f.apply(SAMPLES[:, :3], TWO),
    "empty": lambda f: f.apply(SAMPLES[:, :0], TWO),
    "no axes": lambda f: f.apply(np.float32(1), TWO),
    "objects": lambda f: f.apply(np.array([[None]]), TWO),
    "texts": lambda f: f.apply(np.array([["a"]]), TWO),
    "dates": lambda f: f.apply(np.array(["2020-01-01"], "M8[D]"), TWO),
    "ragged": lambda f: f.apply([[1.0], [2.0, 3.0]], TWO),
    "masked": lambda f: f.apply(np.ma.masked_less(np.arange(9.0), 3), [1.0]),
    "complex through relu": lambda f: f.apply(SAMPLES * 1j, Activation("relu")),
    "integers through gelu": lambda f: f.apply(SAMPLES.astype(int), Activation("gelu")),
    "averaged integers": lambda f: f.apply(SAMPLES.astype(int), Pool("average", 2)),
    "sums beyond 64 bits": lambda f: f.apply(np.ones(5, np.int32), np.full(3, 1 << 62)),
    "sums of 64-bit samples": lambda f: f.apply(FULL, np.array([1, 1])),
    "no accuracy": lambda f: f.apply(SAMPLES, TWO, accuracy="good"),
    "no algorithm": lambda f: f.apply(SAMPLES, TWO, algorithm="magic"),
    "empty algorithm": lambda f: f.apply(SAMPLES, TWO, algorithm=""),
    "algorithm that cannot": lambda f: f.apply(
        SAMPLES.astype(int), np.ones(5, int), algorithm="overlap_save"
    ),
    "other rate": lambda f: f.apply(
        SAMPLES, Filter(TWO.layers, sample_rate_hertz=48000), sample_rate_hertz=44100
    ),
    "empty taps": lambda f: f.apply(SAMPLES, np.ones(0)),
    "nothing as a filter": lambda f: f.apply(SAMPLES, None),
    "layers as a filter": lambda f: f.apply(SAMPLES, [Activation("relu")]),
    "text as taps": lambda f: f.apply(SAMPLES, [["a"]]),
    "convolve of other ranks": lambda f: f.convolve(np.ones(3), np.ones((2, 2))),
    "convolve with nothing": lambda f: f.convolve([], [1.0]),
    "convolve by no mode": lambda f: f.convolve([1.0], [1.0], mode="some"),
    "convolve by no method": lambda f: f.convolve([1.0], [1.0], method="some"),
    "convolve, neither covers": lambda f: f.convolve(
        np.ones((2, 5)), np.ones((5, 2)), mode="valid"
    ),
    "convolve beyond int8": lambda f: f.convolve(np.full(4, 100, "i1"), np.full(4, 100, "i1")),
    "correlate with text": lambda f: f.correlate(["a"], [1.0]),
    "conv of mixed dtypes": lambda f: f.conv(SAMPLES, np.ones((1, 2, 3))),
    "conv without channels": lambda f: f.conv(np.ones(9), np.ones((1, 1, 3))),
    "conv with stride 0": lambda f: f.conv(SAMPLES, np.ones((1, 2, 3), "f4"), stride=0),
    "conv with groups 3": lambda f: f.conv(SAMPLES, np.ones((2, 2, 3), "f4"), groups=3),
    "conv with a short bias": lambda f: f.conv(SAMPLES, np.ones((2, 2, 3), "f4"), [1.0]),
    "a pool of one axis for images": lambda f: f.max_pool(np.ones((1, 1, 4, 4)), 2),
    "a pool without a window": lambda f: f.avg_pool(SAMPLES, 0),
    "softplus without sharpness": lambda f: f.softplus([1.0], 0.0),
    "gelu of integers": lambda f: f.gelu([1]),
    "gradients of a wrong rank": lambda f: f.gradients(np.ones((2, 3, 4, 50)), TWO, SAMPLES),
    "gradients at integers": lambda f: f.gradients(SAMPLES.astype(int), TWO, SAMPLES),
    "gradients of another shape": lambda f: f.gradients(SAMPLES, TWO, SAMPLES),
    "gradients of another dtype": lambda f: f.gradients(SAMPLES, TWO, np.ones((3, 96))),
    "gradients from text": lambda f: f.gradients(SAMPLES, TWO, [["a"]]),
    "gradients by no accuracy": lambda f: f.gradients(SAMPLES, TWO, OUT, accuracy="good"),
    "gradients by no algorithm": lambda f: f.gradients(SAMPLES, TWO, OUT, algorithm="magic"),
    "gradients at another rate": lambda f: f.gradients(
        SAMPLES, Filter(TWO.layers, sample_rate_hertz=8), OUT, sample_rate_hertz=9
    ),
    "plan of a wrong shape": lambda f: f.plan(TWO, (5, 100)),
    "plan of a number": lambda f: f.plan(TWO, 100),
    "plan of blocks of a wrapped filter": lambda f: f.plan(WRAPPED, (100,), block=64),
    "plan of no dtype": lambda f: f.plan(TWO, (2, 100), dtype="object"),
    "plan of no algorithm": lambda f: f.plan(TWO, (2, 100), algorithm="magic"),
    "plan of negative blocks": lambda f: f.plan(TWO, (2, 100), block=-1),
    "plan of an activation of integers": lambda f: f.plan(
        Activation("tanh"), (1, 100), dtype="int8"
    ),
    "stream of other channels": lambda f: f.stream(TWO, channels=3),
    "stream of no channels": lambda f: f.stream(TWO, channels=0),
    "stream of a size": lambda f: f.stream(TWO, channels=2, size=(3,)),
    "stream of no dtype": lambda f: f.stream(TWO, channels=2, dtype="text"),
    "stream of integers": lambda f: f.stream(Activation("tanh"), dtype="int8"),
    "stream of wide sums": lambda f: f.stream(np.full(3, 1 << 62), dtype="int32"),
    "stream by no algorithm": lambda f: f.stream(TWO, channels=2, algorithm="magic"),
    "stream by no accuracy": lambda f: f.stream(TWO, channels=2, accuracy="good"),
    "stream by an algorithm that cutting changes": lambda f: f.stream(
        TWO, channels=2, algorithm="circular"
    ),
    "apply strictly by transforms": lambda f: f.apply(
        np.ones((2, 9), "f4"), TWO, accuracy="strict", algorithm="overlap_save"
    ),
    "stream of negative blocks": lambda f: f.stream(TWO, channels=2, block=-1),
    "stream of a wrapped filter": lambda f: f.stream(WRAPPED),
    "stream at another rate": lambda f: f.stream(
        Filter(TWO.layers, sample_rate_hertz=8), channels=2, sample_rate_hertz=9
    ),
    "stream of a short history": lambda f: f.stream(TWO, channels=2, history=-1),
    "swap to other channels": lambda f: f.stream(TWO, channels=2).swap(np.ones((5, 5), "f4")),
    "swap to another delay": lambda f: f.stream([1.0, 2.0]).swap(Conv(np.ones((1, 1, 2)))),
    "swap to a longer reach": lambda f: f.stream([1.0, 2.0]).swap(np.ones(5)),
    "swap to complex": lambda f: f.stream([1.0, 2.0]).swap([1j]),
    "swap to a wrapped filter": lambda f: f.stream([1.0]).swap(WRAPPED),
    "swap to nothing": lambda f: f.stream([1.0]).swap([]),
    "swap by no curve": lambda f: f.stream([1.0]).swap([2.0], curve="steep"),
    "swap of a negative fade": lambda f: f.stream([1.0]).swap([2.0], fade=-1),
    "swap before the start": lambda f: f.stream([1.0]).swap([2.0], at=-1),
    "push of other channels": lambda f: f.stream(TWO, channels=2).push(np.ones((3, 9), "f4")),
    "push of another dtype": lambda f: f.stream(TWO, channels=2).push(np.ones((2, 9))),
    "push without channels": lambda f: f.stream(TWO, channels=2).push(np.ones(9, "f4")),
    "push of a number": lambda f: f.stream([1.0], channels=1).push(np.float32(1)),
    "push of objects": lambda f: f.stream([1.0]).push(np.array([None])),
}


@pytest.mark.parametrize("misuse", MISUSES)
def test_a_misuse_is_told_in_the_same_words(client: Client, misuse: str) -> None:
    with pytest.raises(ConvolvedError) as ours:
        MISUSES[misuse](client)
    with pytest.raises(ConvolvedError) as theirs:
        MISUSES[misuse](engine)
    assert type(ours.value) is type(theirs.value)
    assert str(ours.value) == str(theirs.value)
    words = {key: value for key, value in vars(theirs.value).items() if key != "field"}
    assert {key: vars(ours.value)[key] for key in words} == words
