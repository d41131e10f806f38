"""The words that engine, server and client share; it needs numpy and nothing else.

Values only: a `Filter`, a `Plan`, a `Layout` describe; what acts on them lives elsewhere.
"""

from .calculators import Separated, dense_against_separable
from .dtypes import DTYPES, SignalType
from .errors import (
    Cancelled,
    ConvolvedError,
    DeadlineExceeded,
    FailedPrecondition,
    IntegerOverflow,
    Internal,
    InvalidArgument,
    MissingExtra,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unavailable,
    Unsupported,
)
from .filters import Filter
from .geometry import ReceptiveField
from .gradients import Gradients
from .impulse import as_filter, impulse_response
from .layers import Activation, Affine, Conv, ConvTranspose, Layer, Pool
from .options import Options
from .plan import Candidate, LayerPlan, Plan
from .signals import Layout, arrange, layout_of

__all__ = [
    "DTYPES",
    "Activation",
    "Affine",
    "Cancelled",
    "Candidate",
    "Conv",
    "ConvTranspose",
    "ConvolvedError",
    "DeadlineExceeded",
    "FailedPrecondition",
    "Filter",
    "Gradients",
    "IntegerOverflow",
    "Internal",
    "InvalidArgument",
    "Layer",
    "LayerPlan",
    "Layout",
    "MissingExtra",
    "NotFound",
    "Options",
    "PermissionDenied",
    "Plan",
    "Pool",
    "ReceptiveField",
    "ResourceExhausted",
    "Separated",
    "SignalType",
    "Unavailable",
    "Unsupported",
    "arrange",
    "as_filter",
    "dense_against_separable",
    "impulse_response",
    "layout_of",
]
