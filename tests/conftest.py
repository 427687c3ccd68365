"""What every test shares: how Hypothesis runs, and that no test writes into a home."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

# No deadline: other work on the machine is no fault of the code. In CI the examples are the same
# each time.
settings.register_profile("seem", deadline=None, derandomize="CI" in os.environ)
settings.register_profile("long", deadline=None, max_examples=10_000)  # --hypothesis-profile=long
settings.load_profile("seem")


@pytest.fixture(scope="session", autouse=True)
def _state_home(tmp_path_factory):
    """Servers of tests keep their sessions in a folder of the tests."""
    before = os.environ.get("XDG_STATE_HOME")
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))
    yield
    if before is None:
        del os.environ["XDG_STATE_HOME"]
    else:
        os.environ["XDG_STATE_HOME"] = before
