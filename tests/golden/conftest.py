"""What needs PyTorch is looked at where PyTorch is."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("torch") else ["make.py", "pytorch.py"]
