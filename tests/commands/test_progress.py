from __future__ import annotations

import sys
from io import StringIO

import pytest

from seem_server.commands.progress import bars, progress


class Screen(StringIO):
    """Standard error, as a terminal shows it or not."""

    def __init__(self, *, terminal):
        super().__init__()
        self.isatty = lambda: terminal


@pytest.mark.parametrize(
    ("terminal", "shown", "seen"), [(True, True, True), (True, False, False), (False, True, False)]
)
def test_a_bar_is_for_a_person_at_a_terminal_who_asked_for_no_json(
    monkeypatch, terminal, shown, seen
):
    screen = Screen(terminal=terminal)
    monkeypatch.setattr(sys, "stderr", screen)
    with bars(shown=shown), progress(3, "frame") as done:
        done()
        done(2)
    assert ("3/3" in screen.getvalue()) is seen


def test_what_was_chosen_ends_with_its_block(monkeypatch):
    screen = Screen(terminal=True)
    monkeypatch.setattr(sys, "stderr", screen)
    with bars(shown=False):
        pass
    with progress(1, "frame"):
        pass
    assert "0/1" in screen.getvalue()
