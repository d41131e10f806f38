"""Every claim of speed, measured beside its peers: `python -m benchmarks FAMILY`.

A family measures one side of the product and returns a `Result`; `families.py` lists them. What is
compared runs interleaved, round by round, so that a disturbance of the machine meets all alike;
figures are medians of rounds, and ratios are ratios of medians with 95 % intervals. No row is left
out because it loses.
"""
