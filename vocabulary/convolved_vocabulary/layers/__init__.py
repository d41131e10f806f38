"""The five layers: `Conv`, `ConvTranspose`, `Activation`, `Pool`, `Affine`.

A layer is a value: it describes and does not compute. Parameters are checked and resolved when
it is made, so that whatever exists is valid: strides, dilations and boundaries become one entry
an axis, padding becomes (before, after) pairs. Two layers are equal if they compute the same
function by the same parameters, in whichever words they were given.
"""

from .activation import Activation
from .affine import Affine
from .base import Layer
from .conv import Conv
from .conv_transpose import ConvTranspose
from .pool import Pool

__all__ = ["Activation", "Affine", "Conv", "ConvTranspose", "Layer", "Pool"]
