from __future__ import annotations

import sys

import pytest

from seem_server.commands.checkup.finding import Finding, State, looked
from seem_server.settings import SettingInvalid
from seem_wire.errors import BundleNotFound


@pytest.mark.parametrize(
    ("state", "needed", "blocks"),
    [
        (State.OK, True, False),
        (State.MISSING, True, True),
        (State.FAULT, True, True),
        (State.FAULT, False, False),
    ],
)
def test_only_what_is_needed_and_not_well_stops_serving(state, needed, blocks):
    assert Finding("this", state, "so", needed=needed).blocks is blocks


@pytest.mark.parametrize(
    ("error", "state", "told"),
    [
        (SettingInvalid("--port is 7."), State.FAULT, "--port is 7."),
        (BundleNotFound("No bundle."), State.FAULT, "No bundle."),
        (ModuleNotFoundError("no", name="scipy"), State.MISSING, "scipy is not installed"),
        (ZeroDivisionError("oh"), State.FAULT, "ZeroDivisionError: oh"),
    ],
)
def test_what_a_check_raises_is_a_finding_that_says_how_to_mend_it(error, state, told):
    def look():
        raise error

    found = looked("this", look, needed=False)
    assert (found.subject, found.state, found.told, found.needed) == ("this", state, told, False)
    assert found.mend


def test_what_a_check_finds_is_handed_on():
    found = Finding("this", State.OK, "so")
    assert looked("that", lambda: found) is found


def test_what_is_missing_is_to_be_installed_where_this_runs():
    def look():
        raise ModuleNotFoundError("no", name="scipy")

    assert looked("this", look).mend.startswith(f"{sys.executable} -m pip install ")
