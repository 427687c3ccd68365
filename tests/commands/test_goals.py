from __future__ import annotations

import pytest

from seem_server.commands.goals import GOALS, Measured, as_lines, judge
from seem_server.commands.scores import Mean


def verdicts(**measured):
    return {one.goal.key: one for one in judge({k: Measured(v) for k, v in measured.items()})}


@pytest.mark.parametrize(
    ("key", "value", "met"),
    [
        ("iou_1", 0.75, True),
        ("iou_1", 0.749, False),
        ("noc_85", 4.0, True),
        ("noc_85", 4.1, False),
        ("gain_over_click", 0.0, False),
        ("gain_over_click", 0.001, True),
        ("lasso", 0.1, None),
    ],
)
def test_a_goal_is_met_on_its_side(key, value, met):
    assert verdicts(**{key: value})[key].met is met


def test_what_was_not_measured_is_neither_met_nor_missed():
    assert all(one.met is None and one.measured is None for one in verdicts().values())


def test_every_goal_has_a_key_of_its_own():
    assert len({goal.key for goal in GOALS}) == len(GOALS)


def test_a_figure_without_a_goal_is_a_slip():
    with pytest.raises(KeyError, match="speling"):
        judge({"speling": Measured(1)})


def test_the_table_shows_figure_error_goal_and_verdict():
    lines = as_lines(judge({"iou_1": Measured.of(Mean(0.7612, 0.011), "of 333")}))
    assert lines[2].split("|")[1:-1] == [
        " IoU after 1 click                          ",
        " 0.761 ± 0.011     ",
        " ≥ 0.75    ",
        " met     ",
        " of 333 ",
    ]
    assert "not measured" in lines[3]
    assert len(lines) == 2 + len(GOALS)
