"""The algorithms: each module registers one. Importing this package registers them all."""

from . import direct, im2col, overlap_save

__all__ = ["direct", "im2col", "overlap_save"]
