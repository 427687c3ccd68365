"""A real napari on a screen of its own, which nobody sees, and a person who waits for it.

Its canvas needs OpenGL, which Qt's own offscreen platform has not: Xvfb has, drawn by the CPU. So
`start_screen` is called before anything of Qt is imported.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import time
from functools import cache
from pathlib import Path

import pytest

WHY = "NO {}, the plug-in of napari is not tested: make test-tools"
SIZE = "1600x1000x24"
PATIENCE_S = 60
PHOTOS = Path(__file__).parents[2] / "clients/demo/photos"


def start_screen():
    """Has Qt use a screen of Xvfb; skips the module that asks, and says why, where it cannot."""
    pytest.importorskip("napari", reason=WHY.format("NAPARI"))
    program = shutil.which("Xvfb")
    if program is None:
        pytest.skip(WHY.format("XVFB"), allow_module_level=True)
    _start(program)


@cache
def _start(program):
    reading, writing = os.pipe()
    screen = subprocess.Popen(
        [program, "-displayfd", str(writing), "-screen", "0", SIZE, "-nolisten", "tcp"],
        pass_fds=[writing], stderr=subprocess.DEVNULL,
    )  # fmt: skip
    atexit.register(screen.terminate)
    os.close(writing)
    with os.fdopen(reading) as told:
        number = told.readline().strip()
    assert number, "Xvfb does not start"
    os.environ |= {"DISPLAY": f":{number}", "QT_QPA_PLATFORM": "xcb", "NAPARI_CONFIG": ""}


def until(holds, widget=None):
    """Lets Qt do its work until something holds."""
    from qtpy.QtTest import QTest

    ends = time.monotonic() + PATIENCE_S
    while not holds():
        QTest.qWait(5)  # which lets other threads have the interpreter
        assert time.monotonic() < ends, widget and widget.status.text()


class Person:
    """Who sits before a napari with our widget docked in it."""

    def __init__(self, viewer, address):
        self.viewer = viewer
        _, self.widget = viewer.window.add_plugin_dock_widget("seem-server", "Seem")
        self.widget.address.setText(address)

    def begin(self, pixels, name="picture", **options):
        layer = self.viewer.add_image(pixels, name=name, **options)
        self.widget.begin.click()
        return layer

    def rest(self):
        """Waits until all that was drawn is said, and nothing runs any more."""
        widget = self.widget
        until(lambda: not (widget._soon.isActive() or widget._worker), widget)

    def press(self, button):
        button.click()
        self.rest()

    def point(self, *at, positive=True):
        self.widget.not_this.setChecked(not positive)
        self.board.points.add(at)
        self.rest()

    def shape(self, shape_type, vertices, *, positive=True):
        self.widget.not_this.setChecked(not positive)
        self.board.shapes.add(vertices, shape_type=shape_type)
        self.rest()

    @property
    def board(self):
        return self.widget._board

    @property
    def result(self):
        return self.board.result.data

    def says(self):
        return self.widget.status.text()

    def leave(self):
        self.widget.end()
        self.viewer.window.remove_dock_widget("all")
        self.viewer.layers.clear()
