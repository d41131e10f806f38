"""Settings that every test shares."""

import os
import signal

from hypothesis import settings

# A first call compiles kernels and the cores may be shared, so no example has a deadline. Examples
# are the same on every run; `pytest --hypothesis-profile=explore` draws new ones.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile("steady")

# Servers that the tests start serve at once, and compile beside it what nobody has asked for yet.
os.environ.setdefault("CONVOLVED_WARM_UP_SECONDS", "0")

# A shell lets what it runs in the background ignore SIGINT; the programs that the tests interrupt
# would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
