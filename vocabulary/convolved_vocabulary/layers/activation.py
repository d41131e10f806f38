"""Functions of each sample by itself."""

from __future__ import annotations

from dataclasses import dataclass

from convolved_vocabulary.checks import finite_number, one_of
from convolved_vocabulary.dtypes import SignalType
from convolved_vocabulary.errors import InvalidArgument
from convolved_vocabulary.geometry import Pointwise
from convolved_vocabulary.words import shown

from .base import Layer, real_word, stated

__all__ = ["ACTIVATIONS", "Activation"]

ACTIVATIONS: dict[str, float | None] = {
    "relu": None,
    "leaky_relu": 0.01,
    "elu": 1.0,
    "gelu": None,
    "sigmoid": None,
    "tanh": None,
    "softplus": 1.0,
}
"""The kinds of activation and the default of their `alpha`, None where they have none."""


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Activation(Layer):
    """A function of each sample by itself.

    Args:
        function: "relu", "leaky_relu", "elu", "gelu", "sigmoid", "tanh" or "softplus".
        alpha: the slope below zero of leaky_relu (0.01), the scale of elu (1.0), the sharpness
            (PyTorch's beta) of softplus (1.0); None for the default.
        approximation: "none", or "tanh" for the approximation of gelu.

    Raises:
        InvalidArgument: naming the argument that is wrong.

    >>> Activation("leaky_relu").alpha
    0.01
    """

    kind = "activation"

    function: str
    alpha: float | None
    approximation: str

    def __init__(
        self, function: str, alpha: float | None = None, approximation: str = "none"
    ) -> None:
        word = one_of("function", function, tuple(ACTIVATIONS))
        default = ACTIVATIONS[word]
        if alpha is not None and default is None:
            raise InvalidArgument("alpha", shown(alpha), f"None: {word} has no parameter")
        object.__setattr__(self, "function", word)
        slope = default if alpha is None else finite_number("alpha", alpha)
        if word == "softplus" and slope is not None and slope <= 0:
            raise InvalidArgument("alpha", shown(alpha), "a positive number")
        object.__setattr__(self, "alpha", slope)
        choice = one_of("approximation", approximation, ("none", "tanh"))
        if choice == "tanh" and word != "gelu":
            raise InvalidArgument("approximation", "'tanh'", f"'none': {word} is always exact")
        object.__setattr__(self, "approximation", choice)

    @property
    def rank(self) -> None:
        """Any."""

    @property
    def in_channels(self) -> None:
        """Any."""

    def out_channels(self, in_channels: int) -> int:
        """As many as go in."""
        return in_channels

    def axes(self, rank: int) -> tuple[Pointwise, ...]:
        """Each sample by itself."""
        return (Pointwise(),) * rank

    def output_type(self, signal: SignalType) -> SignalType:
        """The signal's; integers only for relu; complex never."""
        integers = self.function == "relu"
        if signal.dtype.kind == "c" or (signal.is_integer and not integers):
            wanted = "a real one" if integers else "a real floating one"
            raise InvalidArgument("dtype", signal.dtype.name, f"{wanted} for {self.function}")
        return signal

    def parameters(self) -> dict[str, str]:
        """Every parameter that is not at its default."""
        changed = self.alpha is not None and self.alpha != ACTIVATIONS[self.function]
        return stated(
            alpha=real_word(self.alpha) if changed and self.alpha is not None else "",
            approximation="" if self.approximation == "none" else self.approximation,
            kind=self.function,
        )
