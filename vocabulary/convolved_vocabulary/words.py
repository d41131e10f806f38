"""Values as a person would write them, for the sentences of errors."""

from __future__ import annotations

from reprlib import Repr

import numpy as np

__all__ = ["counted", "shown"]

_SHORT = Repr()
_SHORT.maxtuple = _SHORT.maxlist = _SHORT.maxset = _SHORT.maxdict = 8
_SHORT.maxlong = _SHORT.maxstring = _SHORT.maxother = 60


def shown(value: object) -> str:
    """A value in a few words, without NumPy's names for its own types.

    >>> import numpy as np
    >>> shown((np.int64(3), np.float32(0.5))), shown(np.zeros((2, 500)))
    ('(3, 0.5)', 'an array of shape (2, 500)')
    """
    if isinstance(value, np.ndarray) and value.size > _SHORT.maxlist:
        return f"an array of shape {value.shape}"
    return _SHORT.repr(_plain(value))


def counted(number: int, thing: str) -> str:
    """A number of things.

    >>> counted(1, "channel"), counted(2, "channel")
    ('1 channel', '2 channels')
    """
    plural = "axes" if thing == "axis" else f"{thing}s"
    return f"{number} {thing if number == 1 else plural}"


def _plain(value: object) -> object:
    if isinstance(value, np.longdouble | np.clongdouble):
        return complex(value) if value.dtype.kind == "c" else float(value)
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if type(value) in (tuple, list):
        return type(value)(map(_plain, value))  # type: ignore[call-arg, call-overload]  # a tuple or a list
    return value
