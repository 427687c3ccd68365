"""What every test shares: how Hypothesis runs."""

from __future__ import annotations

import os

from hypothesis import settings

# No deadline: other work on the machine is no fault of the code. In CI the examples are the same
# each time.
settings.register_profile("seem", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("seem")
