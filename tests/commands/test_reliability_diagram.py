from __future__ import annotations

import numpy as np

from seem_server.commands.reliability import reliability
from seem_server.commands.reliability_diagram import diagram, side_by_side

FOUND = reliability([(0.15, 0.4), (0.55, 0.5), (0.95, 0.9)])


def test_a_diagram_has_bars_a_diagonal_and_dots():
    colours = {tuple(colour) for colour in np.asarray(diagram(FOUND, "t")).reshape(-1, 3).tolist()}
    assert {(120, 170, 220), (30, 30, 30), (200, 60, 40)} <= colours


def test_other_outcomes_are_drawn_otherwise():
    other = reliability([(0.15, 0.9), (0.55, 0.5), (0.95, 0.1)])
    assert diagram(FOUND, "t").tobytes() != diagram(other, "t").tobytes()


def test_several_stand_in_a_row():
    one = diagram(FOUND, "t")
    assert side_by_side([one, one]).size == (2 * one.width, one.height)
