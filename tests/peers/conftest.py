"""Without PyTorch, what needs it is left alone: the tests here then tell that they were skipped."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("torch") else ["crepe.py"]
