"""`python -m convolved.cli`, the same as the command `convolved`."""

import sys

from convolved.cli import main

if __name__ == "__main__":
    sys.exit(main())
