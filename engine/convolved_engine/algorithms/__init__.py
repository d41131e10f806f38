"""The algorithms: each module registers one. Importing this package registers them all."""

from convolved_engine.algorithms import circular as circular
from convolved_engine.algorithms import direct as direct
from convolved_engine.algorithms import im2col as im2col
from convolved_engine.algorithms import overlap_save as overlap_save
